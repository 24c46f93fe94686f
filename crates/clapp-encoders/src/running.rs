//! Mean and variance of channels: of a batch, and as they are kept while learning.

use burn::tensor::{Device, Tensor};
use clapp_rules::{State, StateError};

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

/// Statistics that follow the batches that are learnt from, a share of 0.1 of each, the variance unbiased.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_encoders::{Moments, RunningMoments};
/// let device = Device::flex();
/// let mut running = RunningMoments::init(1, &device);
/// let (mean, variance) = (Tensor::from_floats([2.0], &device), Tensor::from_floats([1.0], &device));
/// running.follow(&Moments { mean, variance, count: Some(2) });
/// assert!((running.mean.into_scalar::<f32>() - 0.2).abs() < 1e-6);
/// assert!((running.variance.into_scalar::<f32>() - 1.1).abs() < 1e-6); // 0.9 · 1 + 0.1 · 2
/// ```
#[derive(Clone, Debug)]
pub struct RunningMoments {
    /// Mean, `[j]`; 0 at the start.
    pub mean: Tensor<1>,
    /// Variance, `[j]`; 1 at the start.
    pub variance: Tensor<1>,
}

impl RunningMoments {
    /// Mean 0 and variance 1.
    #[must_use]
    pub fn init(channels: usize, device: &Device) -> Self {
        Self { mean: Tensor::zeros([channels], device), variance: Tensor::ones([channels], device) }
    }

    /// What to normalise with when nothing is known of a batch.
    #[must_use]
    pub fn moments(&self) -> Moments {
        let (mean, variance) = (self.mean.clone(), self.variance.clone());
        Moments { mean, variance, count: None }
    }

    /// Follows a batch; statistics that are the running ones change nothing.
    pub fn follow(&mut self, moments: &Moments) {
        let Some(count) = moments.count else { return };
        let unbiased = count as f64 / (count.max(2) - 1) as f64;
        let mix = |old: &Tensor<1>, new: Tensor<1>| old.clone() * (1.0 - MOMENTUM) + new * MOMENTUM;
        self.mean = mix(&self.mean, moments.mean.clone());
        self.variance = mix(&self.variance, moments.variance.clone() * unbiased);
    }
}

impl Persist for RunningMoments {
    fn save(&self, name: &str, state: &mut State) {
        for (part, tensor) in [("mean", &self.mean), ("variance", &self.variance)] {
            state.tensors.insert(format!("{name}.{part}"), tensor.to_data());
        }
    }

    fn load(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        for (part, tensor) in [("mean", &mut self.mean), ("variance", &mut self.variance)] {
            let data = state.get(&format!("{name}.{part}"), tensor.dims())?.clone();
            *tensor = Tensor::from_data(data, (&tensor.device(), tensor.dtype()));
        }
        Ok(())
    }
}
