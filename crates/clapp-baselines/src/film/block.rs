//! One block of a video encoder, on tensors that can be differentiated.

use burn::tensor::{
    Gradients, Tensor,
    activation::relu,
    module::{conv3d, max_pool2d},
    ops::{ConvOptions, MaxPoolOptions},
};
use clapp_encoders::{Conv3dSpec, FilmPool, LocalConv3d, Moments, NormOrder, Statistics};
use clapp_rules::{Optimizer, Synapses};

use crate::oracle::{gradient, leaf};

/// As in the layer itself; written again, because the oracle shares no code with it.
const EPSILON: f64 = 1e-5;

/// Weights and geometry of one block: convolution, ReLU, batch normalisation, pool.
#[derive(Clone, Debug)]
pub struct FilmBlock {
    /// W, `[j, i, kt, ky, kx]`.
    pub weight: Tensor<5>,
    /// b, `[j]`.
    pub bias: Tensor<1>,
    /// g, `[j]`.
    pub gain: Tensor<1>,
    /// s, `[j]`.
    pub shift: Tensor<1>,
    /// Running mean and variance, `[j]`.
    pub running: [Tensor<1>; 2],
    /// Geometry.
    pub spec: Conv3dSpec,
    /// Whose mean and variance normalise.
    pub statistics: Statistics,
}

/// ∂L/∂ of everything plastic in a block.
#[derive(Clone, Debug)]
pub struct BlockGradients {
    /// ∂L/∂W.
    pub weight: Tensor<5>,
    /// ∂L/∂b.
    pub bias: Tensor<1>,
    /// ∂L/∂g.
    pub gain: Tensor<1>,
    /// ∂L/∂s.
    pub shift: Tensor<1>,
}

impl FilmBlock {
    /// The numbers and the geometry of a layer.
    #[must_use]
    pub fn of(layer: &LocalConv3d) -> Self {
        Self {
            weight: layer.weight.weight(),
            bias: layer.bias.weight(),
            gain: layer.norm.gain.weight(),
            shift: layer.norm.shift.weight(),
            running: [layer.norm.mean.clone(), layer.norm.variance.clone()],
            spec: layer.spec,
            statistics: layer.statistics,
        }
    }

    /// The block's map, and what it was normalised with.
    ///
    /// # Shapes
    /// - `input`: `[b, i, t, y, x]`; returns `[b, j, t', y', x']`
    #[must_use]
    pub fn forward(&self, input: Tensor<5>) -> (Tensor<5>, Moments) {
        let Conv3dSpec { stride, padding, pool, order, .. } = self.spec;
        let options = ConvOptions::new(stride, padding, [1; 3], 1);
        let sum = conv3d(input, self.weight.clone(), Some(self.bias.clone()), options);
        let (map, moments) = match order {
            NormOrder::AfterRelu => self.normalise(relu(sum)),
            NormOrder::BeforeRelu => {
                let (map, moments) = self.normalise(sum);
                (relu(map), moments)
            }
        };
        (pooled(map, pool), moments)
    }

    /// Gradients pass through the mean and the variance of a batch.
    fn normalise(&self, map: Tensor<5>) -> (Tensor<5>, Moments) {
        let [batch, _, time, height, width] = map.dims();
        let count = batch * time * height * width;
        let (centred, variance, moments) = match self.statistics {
            Statistics::Batch => {
                let mean = over_channel(map.clone(), count);
                let centred = map - mean.clone();
                let variance = over_channel(centred.clone() * centred.clone(), count);
                let moments = Moments {
                    mean: vector(&mean),
                    variance: vector(&variance),
                    count: Some(count),
                };
                (centred, variance, moments)
            }
            Statistics::Running => {
                let [mean, variance] = self.running.clone();
                let moments =
                    Moments { mean: mean.clone(), variance: variance.clone(), count: None };
                let [mean, variance] = [mean, variance].map(|running| channel(running.autodiff()));
                (map - mean, variance, moments)
            }
        };
        let normalised = centred / (variance + EPSILON).sqrt();
        (normalised * channel(self.gain.clone()) + channel(self.shift.clone()), moments)
    }

    /// The same weights as leaves of a graph.
    pub(super) fn tracked(&self) -> Self {
        Self {
            weight: leaf(&self.weight),
            bias: leaf(&self.bias),
            gain: leaf(&self.gain),
            shift: leaf(&self.shift),
            ..self.clone()
        }
    }

    pub(super) fn gradients(&self, gradients: &Gradients) -> BlockGradients {
        BlockGradients {
            weight: gradient(&self.weight, gradients),
            bias: gradient(&self.bias, gradients),
            gain: gradient(&self.gain, gradients),
            shift: gradient(&self.shift, gradients),
        }
    }
}

impl BlockGradients {
    /// One step of a layer down these gradients, and of its running statistics.
    pub(super) fn descend(self, layer: &mut LocalConv3d, moments: &Moments, by: &Optimizer) {
        down(&mut layer.weight, self.weight, by);
        down(&mut layer.bias, self.bias, by);
        down(&mut layer.norm.gain, self.gain, by);
        down(&mut layer.norm.shift, self.shift, by);
        layer.norm.follow(moments);
    }
}

/// An update is the negative of a gradient.
pub(super) fn down<const D: usize>(
    synapses: &mut Synapses<D>,
    gradient: Tensor<D>,
    optimizer: &Optimizer,
) {
    synapses.learn(-gradient, optimizer);
}

/// Mean over everything but the channel, `[1, j, 1, 1, 1]`; axis by axis, so that single precision loses little.
fn over_channel(map: Tensor<5>, count: usize) -> Tensor<5> {
    map.sum_dim(4).sum_dim(3).sum_dim(2).sum_dim(0) * (1.0 / count as f64)
}

fn channel(values: Tensor<1>) -> Tensor<5> {
    let [channels] = values.dims();
    values.reshape([1, channels, 1, 1, 1])
}

/// The numbers of `[1, j, 1, 1, 1]`, off the graph.
fn vector(values: &Tensor<5>) -> Tensor<1> {
    let [_, channels, ..] = values.dims();
    values.clone().inner().reshape([channels])
}

/// Frames of all channels side by side: the pool never crosses them.
fn pooled(map: Tensor<5>, pool: FilmPool) -> Tensor<5> {
    match pool {
        FilmPool::Nothing => map,
        FilmPool::Max3 => {
            let [batch, channels, time, height, width] = map.dims();
            let frames = map.reshape([batch, channels * time, height, width]);
            let options = MaxPoolOptions::new([3, 3]).with_stride([2, 2]);
            let pooled = max_pool2d(frames, options);
            let [_, _, height, width] = pooled.dims();
            pooled.reshape([batch, channels, time, height, width])
        }
    }
}
