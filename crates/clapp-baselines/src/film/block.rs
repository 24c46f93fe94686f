//! Blocks of a video encoder, on tensors that can be differentiated.

use burn::tensor::{
    Tensor,
    activation::relu,
    module::{conv3d, max_pool2d},
    ops::{ConvOptions, MaxPoolOptions},
};
use clapp_encoders::{Conv3dSpec, FilmPool, LocalConv3d, Moments, NormOrder, Statistics, Uncut};
use clapp_rules::Lateral;

use crate::oracle::{Differentiable, Module, Seen};

/// As in the layer itself; written again, because the oracle shares no code with it.
const EPSILON: f64 = 1e-5;

impl Differentiable for Module<LocalConv3d> {
    type Raw = Tensor<5>;
    type Cut = Uncut<5>;
    type Data = Tensor<5>;

    fn enter(clips: &Tensor<5>, _: &Uncut<5>) -> Tensor<5> {
        clips.clone()
    }

    fn forward(&self, below: &Tensor<5>) -> Seen<Tensor<5>> {
        let (output, moments) = blocks(&self.layers, below);
        let [batch, channels, time, height, width] = output.dims();
        let grid = output.clone().permute([0, 2, 3, 4, 1]);
        let grid = grid.reshape([batch, time, height * width, channels]);
        Seen { output, target: grid.clone(), context: grid, moments }
    }

    fn lateral(&self) -> &Lateral {
        &self.lateral
    }

    fn follow(&mut self, moments: &[Moments]) {
        follow(&mut self.layers, moments);
    }
}

/// Lets running statistics follow what was seen.
pub(super) fn follow(layers: &mut [LocalConv3d], moments: &[Moments]) {
    layers.iter_mut().zip(moments).for_each(|(layer, moments)| layer.norm.running.follow(moments));
}

/// The map of the last block, and what every block was normalised with.
///
/// # Shapes
/// - `input`: `[b, i, t, y, x]`, whose gradient is stopped; returns `[b, j, t', y', x']`
pub(super) fn blocks(layers: &[LocalConv3d], input: &Tensor<5>) -> (Tensor<5>, Vec<Moments>) {
    let mut map = input.clone().inner().autodiff();
    let mut moments = Vec::with_capacity(layers.len());
    for layer in layers {
        let (output, seen) = block(layer, map);
        map = output;
        moments.push(seen);
    }
    (map, moments)
}

/// Convolution, ReLU, batch normalisation, pool.
fn block(layer: &LocalConv3d, input: Tensor<5>) -> (Tensor<5>, Moments) {
    let Conv3dSpec { stride, padding, pool, order, .. } = layer.spec;
    let options = ConvOptions::new(stride, padding, [1; 3], 1);
    let sum = conv3d(input, layer.weight.weight(), Some(layer.bias.weight()), options);
    let (map, moments) = match order {
        NormOrder::AfterRelu => normalised(layer, relu(sum)),
        NormOrder::BeforeRelu => {
            let (map, moments) = normalised(layer, sum);
            (relu(map), moments)
        }
    };
    (pooled(map, pool), moments)
}

/// Gradients pass through the mean and the variance of a batch.
fn normalised(layer: &LocalConv3d, map: Tensor<5>) -> (Tensor<5>, Moments) {
    let norm = &layer.norm;
    let [batch, _, time, height, width] = map.dims();
    let count = batch * time * height * width;
    let (centred, variance, moments) = match layer.statistics {
        Statistics::Batch => {
            let mean = over_channel(map.clone(), count);
            let centred = map - mean.clone();
            let variance = over_channel(centred.clone() * centred.clone(), count);
            let moments =
                Moments { mean: vector(&mean), variance: vector(&variance), count: Some(count) };
            (centred, variance, moments)
        }
        Statistics::Running => {
            let (mean, variance) = (norm.running.mean.clone(), norm.running.variance.clone());
            let [m, v] = [&mean, &variance].map(|running| channel(running.clone().autodiff()));
            (map - m, v, Moments { mean, variance, count: None })
        }
    };
    let normalised = centred / (variance + EPSILON).sqrt();
    (normalised * channel(norm.gain.weight()) + channel(norm.shift.weight()), moments)
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
