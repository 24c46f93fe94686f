//! The read-out that is trained with labels: temporal mean, normalisation, dropout, linear.

use burn::tensor::{
    Bool, Device, Tensor, TensorData,
    module::{batch_norm, batch_norm_train},
};
use clapp_encoders::{ChannelNorm, Moments, Persist};
use clapp_rules::{State, StateError, Synapses};
use rand::RngExt;
use rand_distr::StandardNormal;

use crate::{labels::cross_entropy, parts::parts};

const EPSILON: f64 = 1e-5;
/// Share of features that dropout keeps.
const KEPT: f64 = 0.5;

/// A linear classifier on normalised features of the last map.
///
/// ```text
/// f = flatten(mean_t z)        scores = W dropout(g (f − μ)/σ + s) + b
/// ```
///
/// # Paper
/// `finetune.py`, `test.py` (`AvgPool3d`, `Flatten`, `BatchNorm1d`, `Dropout(0.5)`, `Linear`). Deviations: none.
#[derive(Clone, Debug)]
pub struct ClassifierHead {
    /// Gain, shift and running statistics of every feature.
    pub norm: ChannelNorm,
    /// W, `[class, feature]`; orthonormal rows at the start.
    pub weight: Synapses<2>,
    /// b, `[class]`; 0 at the start.
    pub bias: Synapses<1>,
}

parts! {
    ClassifierHead: norm, weight, bias;
}

impl ClassifierHead {
    /// Draws W orthogonal.
    ///
    /// # Panics
    ///
    /// If there are more classes than features: their rows cannot be orthonormal.
    #[must_use]
    pub fn init(
        features: usize,
        classes: usize,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        assert!(
            classes <= features,
            "classifier: expected at most {features} classes for as many features, got {classes}"
        );
        let rows = orthonormal(classes, features, random);
        let weight = Tensor::from_data(TensorData::new(rows, [classes, features]), device);
        Self {
            norm: ChannelNorm::init(features, device),
            weight: Synapses::new(weight),
            bias: Synapses::new(Tensor::zeros([classes], device)),
        }
    }

    /// Features of a map `[b, c, t, y, x]`: mean over time, flattened.
    fn features(map: Tensor<5>) -> Tensor<2> {
        let [batch, channels, _, height, width] = map.dims();
        map.mean_dim(2).reshape([batch, channels * height * width])
    }

    /// Scores of every class in evaluation, `[b, class]`: running statistics, nothing dropped.
    #[must_use]
    pub fn scores(&self, map: Tensor<5>) -> Tensor<2> {
        let norm = &self.norm;
        let (gain, shift) = (norm.gain.weight(), norm.shift.weight());
        let (mean, variance) = (norm.running.mean.clone(), norm.running.variance.clone());
        let features = batch_norm(Self::features(map), gain, shift, mean, variance, EPSILON);
        self.linear(features)
    }

    /// Cross-entropy `[1]` in training: batch statistics, `kept` features doubled, the others dropped.
    pub(super) fn loss(
        &self,
        map: Tensor<5>,
        labels: &[usize],
        kept: Tensor<2, Bool>,
    ) -> (Tensor<1>, Moments) {
        let features = Self::features(map);
        let [batch, _] = features.dims();
        let (gain, shift) = (self.norm.gain.weight(), self.norm.shift.weight());
        let normalised = batch_norm_train(features, gain, shift, EPSILON);
        let (mean, variance) = (normalised.mean.inner(), normalised.variance.inner());
        let moments = Moments { mean, variance, count: Some(batch) };
        let dropped = normalised.output.mask_fill(kept.bool_not(), 0.0) * (1.0 / KEPT);
        (cross_entropy(self.linear(dropped), labels), moments)
    }

    fn linear(&self, features: Tensor<2>) -> Tensor<2> {
        features.matmul(self.weight.weight().transpose()) + self.bias.weight().unsqueeze::<2>()
    }
}

impl Persist for ClassifierHead {
    fn save(&self, name: &str, state: &mut State) {
        self.norm.save(&format!("{name}.norm"), state);
        self.weight.save(&format!("{name}.weight"), state);
        self.bias.save(&format!("{name}.bias"), state);
    }

    fn load(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        self.norm.load(&format!("{name}.norm"), state)?;
        self.weight.load(&format!("{name}.weight"), state)?;
        self.bias.load(&format!("{name}.bias"), state)
    }
}

/// Features that survive dropout, `[batch, features]`: a fair coin each.
pub(super) fn kept(
    [batch, features]: [usize; 2],
    device: &Device,
    random: &mut dyn rand::Rng,
) -> Tensor<2, Bool> {
    let coins: Vec<bool> = (0..batch * features).map(|_| random.random_bool(KEPT)).collect();
    Tensor::from_data(TensorData::new(coins, [batch, features]), device)
}

/// Rows of a normal matrix, made orthonormal one after the other (Gram and Schmidt, twice for the digits).
fn orthonormal(rows: usize, columns: usize, random: &mut dyn rand::Rng) -> Vec<f32> {
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(rows);
    for _ in 0..rows {
        let mut row: Vec<f64> = (0..columns).map(|_| random.sample(StandardNormal)).collect();
        for earlier in basis.iter().chain(&basis) {
            let along: f64 = row.iter().zip(earlier).map(|(a, b)| a * b).sum();
            row.iter_mut().zip(earlier).for_each(|(a, b)| *a -= along * b);
        }
        let length = row.iter().map(|a| a * a).sum::<f64>().sqrt();
        row.iter_mut().for_each(|a| *a /= length);
        basis.push(row);
    }
    basis.into_iter().flatten().map(|value| value as f32).collect()
}
