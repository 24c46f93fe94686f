//! The read-out that is trained with labels: temporal mean, normalisation, dropout, linear.

use burn::tensor::{
    Bool, Device, Gradients, Tensor, TensorData,
    activation::log_softmax,
    module::{batch_norm, batch_norm_train},
};
use clapp_encoders::{ChannelNorm, Moments, Persist, Statistics};
use clapp_rules::{Optimizer, State, StateError, Synapses};
use rand::RngExt;
use rand_distr::StandardNormal;

use super::block::down;
use crate::oracle::{gradient, leaf};

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

/// ∂L/∂ of everything plastic in a head.
#[derive(Clone, Debug)]
pub struct HeadGradients {
    /// ∂L/∂g.
    pub gain: Tensor<1>,
    /// ∂L/∂s.
    pub shift: Tensor<1>,
    /// ∂L/∂W.
    pub weight: Tensor<2>,
    /// ∂L/∂b.
    pub bias: Tensor<1>,
}

/// Weights of a head as leaves of a graph.
pub(super) struct Tracked {
    gain: Tensor<1>,
    shift: Tensor<1>,
    weight: Tensor<2>,
    bias: Tensor<1>,
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
    pub(super) fn features(map: Tensor<5>) -> Tensor<2> {
        let [batch, channels, _, height, width] = map.dims();
        map.mean_dim(2).reshape([batch, channels * height * width])
    }

    /// Scores of every class in evaluation, `[b, class]`: running statistics, nothing dropped.
    #[must_use]
    pub fn scores(&self, map: Tensor<5>) -> Tensor<2> {
        let norm = &self.norm;
        let (gain, shift) = (norm.gain.weight(), norm.shift.weight());
        let (mean, variance) = (norm.mean.clone(), norm.variance.clone());
        let features = batch_norm(Self::features(map), gain, shift, mean, variance, EPSILON);
        features.matmul(self.weight.weight().transpose()) + self.bias.weight().unsqueeze::<2>()
    }

    pub(super) fn tracked(&self) -> Tracked {
        Tracked {
            gain: leaf(&self.norm.gain.weight()),
            shift: leaf(&self.norm.shift.weight()),
            weight: leaf(&self.weight.weight()),
            bias: leaf(&self.bias.weight()),
        }
    }

    /// One step down these gradients, and of the running statistics.
    pub(super) fn descend(&mut self, by: HeadGradients, moments: &Moments, optimizer: &Optimizer) {
        down(&mut self.norm.gain, by.gain, optimizer);
        down(&mut self.norm.shift, by.shift, optimizer);
        down(&mut self.weight, by.weight, optimizer);
        down(&mut self.bias, by.bias, optimizer);
        self.norm.follow(moments);
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

impl Tracked {
    /// Cross-entropy `[1]` in training: batch statistics, `kept` features doubled, the others dropped.
    pub(super) fn loss(
        &self,
        map: Tensor<5>,
        labels: &[usize],
        kept: Tensor<2, Bool>,
    ) -> (Tensor<1>, Moments) {
        let features = ClassifierHead::features(map);
        let [batch, _] = features.dims();
        let (gain, shift) = (self.gain.clone(), self.shift.clone());
        let normalised = batch_norm_train(features, gain, shift, EPSILON);
        let (mean, variance) = (normalised.mean.inner(), normalised.variance.inner());
        let moments = Moments { mean, variance, count: Some(batch) };
        let dropped = normalised.output.mask_fill(kept.bool_not(), 0.0) * (1.0 / KEPT);
        let scores =
            dropped.matmul(self.weight.clone().transpose()) + self.bias.clone().unsqueeze::<2>();
        (cross_entropy(scores, labels), moments)
    }

    pub(super) fn gradients(&self, gradients: &Gradients) -> HeadGradients {
        HeadGradients {
            gain: gradient(&self.gain, gradients),
            shift: gradient(&self.shift, gradients),
            weight: gradient(&self.weight, gradients),
            bias: gradient(&self.bias, gradients),
        }
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

/// Mean −log softmax of the labelled class, `[1]`.
fn cross_entropy(scores: Tensor<2>, labels: &[usize]) -> Tensor<1> {
    let [batch, classes] = scores.dims();
    assert_eq!(labels.len(), batch, "labels: expected {batch}, got {}", labels.len());
    if let Some(label) = labels.iter().find(|&&label| label >= classes) {
        panic!("labels: expected classes below {classes}, got {label}");
    }
    let named: Vec<bool> =
        labels.iter().flat_map(|&label| (0..classes).map(move |class| class == label)).collect();
    let named = TensorData::new(named, [batch, classes]);
    let named = Tensor::<2, Bool>::from_data(named, &scores.device());
    log_softmax(scores, 1).mask_fill(named.bool_not(), 0.0).sum() * (-1.0 / batch as f64)
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

/// Whether a layer's statistics are those of the batch: what fine-tuning needs.
pub(super) fn in_training(layers: &mut [clapp_encoders::LocalConv3d]) {
    for layer in layers {
        layer.statistics = Statistics::Batch;
    }
}
