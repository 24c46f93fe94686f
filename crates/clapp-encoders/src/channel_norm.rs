//! Batch normalisation of a layer's own channels, and its part of the local update.

use burn::tensor::{Device, Tensor};
use clapp_backend::channel_moments;
use clapp_rules::{Optimize, State, StateError, Synapses};

use crate::{Moments, Persist, RunningMoments, Statistics};

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
    /// Running statistics.
    pub running: RunningMoments,
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
        Self { gain, shift, running: RunningMoments::init(channels, device) }
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
            Statistics::Running => self.running.moments(),
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
        self.running.follow(moments);
    }
}

impl Persist for ChannelNorm {
    fn save(&self, name: &str, state: &mut State) {
        self.gain.save(&format!("{name}.gain"), state);
        self.shift.save(&format!("{name}.shift"), state);
        self.running.save(name, state);
    }

    fn load(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        self.gain.load(&format!("{name}.gain"), state)?;
        self.shift.load(&format!("{name}.shift"), state)?;
        self.running.load(name, state)
    }
}
