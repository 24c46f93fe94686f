//! Batch normalisation of a layer's own channels, and its part of the local update.

use burn::tensor::{Device, Tensor};
use clapp_backend::channel_moments;
use clapp_rules::{Optimize, State, StateError, Synapses};

use crate::Persist;

/// Added to a variance before its root is taken.
const EPSILON: f64 = 1e-5;
/// Share of a new batch in the running statistics.
const MOMENTUM: f64 = 0.1;

/// Whose mean and variance normalise an activity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Statistics {
    /// Those of the batch itself, as in training.
    #[default]
    Batch,
    /// Those that have been kept while learning, as in evaluation. An answer is then independent of
    /// what else is in the batch.
    Running,
}

/// Gain and shift of every channel, and running statistics.
///
/// ```text
/// x̂ = (u − μ_j) / σ_j        y = g_j x̂ + s_j        σ_j = √(var_j + 10⁻⁵)
/// ```
///
/// u is a channel's map; μ and var are its mean and (biased) variance over clips, time and pixels. The running
/// statistics follow with a share of 0.1 of each batch that is learnt from, the variance unbiased.
///
/// **Locality.** With running statistics g/σ and s − g μ/σ are a gain and a threshold of the neuron: nothing more
/// is known than its own past. With batch statistics a channel needs its own mean activity and its own mean
/// squared activity over the batch, as homeostatic gain control does, and its update needs two more averages of
/// the same channel (see [`LocalConv3d`](crate::LocalConv3d)). These are sums over one kind of neuron, across positions, time
/// and clips: never over another channel or another layer. Local in space in the sense of shared weights, whose
/// updates are sums of the same kind; but not local in time.
///
/// # Paper
/// `VGG_8.py` `ConvBNReLU` (`nn.BatchNorm3d`). Deviations: none.
#[derive(Clone, Debug)]
pub struct ChannelNorm {
    /// g, `[j]`; 1 at the start.
    pub gain: Synapses<1>,
    /// s, `[j]`; 0 at the start.
    pub shift: Synapses<1>,
    /// Running mean, `[j]`; 0 at the start.
    pub mean: Tensor<1>,
    /// Running variance, `[j]`; 1 at the start.
    pub variance: Tensor<1>,
}

/// What a normalised activity was normalised with.
#[derive(Clone, Debug)]
pub struct Moments {
    /// μ, `[j]`.
    pub mean: Tensor<1>,
    /// Biased variance, `[j]`.
    pub variance: Tensor<1>,
    /// Values of a channel that they were taken from; `None` if they were the running ones.
    pub count: Option<usize>,
}

impl Moments {
    /// 1/σ, `[j]`.
    pub(crate) fn inverse_deviation(&self) -> Tensor<1> {
        (self.variance.clone() + EPSILON).sqrt().recip()
    }
}

/// Δg and Δs.
#[derive(Clone, Debug)]
pub struct NormDelta {
    /// Δg, `[j]`.
    pub gain: Tensor<1>,
    /// Δs, `[j]`.
    pub shift: Tensor<1>,
}

impl ChannelNorm {
    /// Gain 1, shift 0, running mean 0 and variance 1.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use clapp_encoders::ChannelNorm;
    /// let norm = ChannelNorm::init(4, &Device::flex());
    /// assert_eq!(norm.gain.weight().into_data().try_to_vec::<f32>().unwrap(), [1.0; 4]);
    /// ```
    #[must_use]
    pub fn init(channels: usize, device: &Device) -> Self {
        let (ones, zeros) = (Tensor::ones([channels], device), Tensor::zeros([channels], device));
        let (gain, shift) = (Synapses::new(ones.clone()), Synapses::new(zeros.clone()));
        Self { gain, shift, mean: zeros, variance: ones }
    }

    /// Statistics for a map `[b, j, t, y, x]`.
    #[must_use]
    pub fn moments(&self, map: &Tensor<5>, statistics: Statistics) -> Moments {
        match statistics {
            Statistics::Batch => {
                let [batch, _, time, height, width] = map.dims();
                let (mean, variance) = channel_moments(map.clone());
                Moments { mean, variance, count: Some(batch * time * height * width) }
            }
            Statistics::Running => {
                let (mean, variance) = (self.mean.clone(), self.variance.clone());
                Moments { mean, variance, count: None }
            }
        }
    }

    /// y = α u + β as the coefficients of one line, `[j]` each.
    ///
    /// ```text
    /// α_j = g_j/σ_j        β_j = s_j − g_j μ_j/σ_j
    /// ```
    #[must_use]
    pub fn line(&self, moments: &Moments) -> [Tensor<1>; 2] {
        let scale = self.gain.weight() * moments.inverse_deviation();
        let offset = self.shift.weight() - moments.mean.clone() * scale.clone();
        [scale, offset]
    }

    /// Learns gain and shift, and lets the running statistics follow a batch.
    pub(crate) fn learn(&mut self, delta: NormDelta, moments: &Moments, optimizer: &dyn Optimize) {
        self.gain.learn(delta.gain, optimizer);
        self.shift.learn(delta.shift, optimizer);
        self.follow(moments);
    }

    /// Lets the running statistics follow a batch; statistics that are the running ones change nothing.
    pub fn follow(&mut self, moments: &Moments) {
        let Some(count) = moments.count else { return };
        let unbiased = count as f64 / (count.max(2) - 1) as f64;
        let mix = |old: &Tensor<1>, new: Tensor<1>| old.clone() * (1.0 - MOMENTUM) + new * MOMENTUM;
        self.mean = mix(&self.mean, moments.mean.clone());
        self.variance = mix(&self.variance, moments.variance.clone() * unbiased);
    }
}

impl Persist for ChannelNorm {
    fn save(&self, name: &str, state: &mut State) {
        self.gain.save(&format!("{name}.gain"), state);
        self.shift.save(&format!("{name}.shift"), state);
        for (part, tensor) in [("mean", &self.mean), ("variance", &self.variance)] {
            state.tensors.insert(format!("{name}.{part}"), tensor.to_data());
        }
    }

    fn load(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        self.gain.load(&format!("{name}.gain"), state)?;
        self.shift.load(&format!("{name}.shift"), state)?;
        for (part, tensor) in [("mean", &mut self.mean), ("variance", &mut self.variance)] {
            let data = state.get(&format!("{name}.{part}"), tensor.dims())?.clone();
            *tensor = Tensor::from_data(data, (&tensor.device(), tensor.dtype()));
        }
        Ok(())
    }
}
