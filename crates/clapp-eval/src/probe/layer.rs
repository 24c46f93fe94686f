//! A linear layer that learns by Adam: what the paper's read-outs have in common.

use clapp_random::{Purpose, Stream, stream};
use ndarray::{Array1, Array2, ArrayView2, Axis, Zip, linalg::general_mat_mul};
use rand::RngExt;

use super::LinearReadout;
use super::linear::cross_entropy;
use crate::{Error, Features};

/// First index of the streams of [`Purpose::Probe`] used here; 1 is the order of samples.
const WEIGHTS: u64 = 0;
const XAVIER: u64 = 2;

/// Adam's decay of the first and second moment and its guard against division by 0.
const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// The linear layer while it learns.
#[derive(Debug)]
pub(super) struct Layer {
    weight: Parameter, // [classes, dim]
    bias: Parameter,   // [1, classes]
    step: i32,
}

impl Layer {
    /// Weights and biases from U(−1/√d, 1/√d), the default of most frameworks.
    pub fn uniform(dim: usize, classes: usize, seed: u64) -> Self {
        let bound = (dim as f32).sqrt().recip();
        let mut rng = stream(seed, Purpose::Probe, [WEIGHTS, 0, 0, 0]);
        let mut uniform =
            |shape| Array2::from_shape_simple_fn(shape, || rng.random_range(-bound..=bound));
        let weight = Parameter::new(uniform((classes, dim)));
        Self { weight, bias: Parameter::new(uniform((1, classes))), step: 0 }
    }

    /// Weights from N(0, 2/(d + classes)) (Xavier), biases from U(−1/√d, 1/√d).
    pub fn xavier_normal(dim: usize, classes: usize, seed: u64) -> Self {
        let mut layer = Self::uniform(dim, classes, seed);
        let deviation = (2.0 / (dim + classes) as f32).sqrt();
        let mut rng = stream(seed, Purpose::Probe, [XAVIER, 0, 0, 0]);
        layer.weight.value.mapv_inplace(|_| deviation * normal(&mut rng));
        layer
    }

    /// The read-out as it is now.
    pub fn readout(&self) -> LinearReadout {
        let bias = self.bias.value.index_axis(Axis(0), 0).mapv(f64::from);
        LinearReadout::new(self.weight.value.mapv(f64::from), bias)
    }

    /// That later epochs are features of the same kind.
    pub fn check(&self, features: &Features) -> Result<(), Error> {
        let (classes, dim) = self.weight.value.dim();
        for (what, expected, got) in [
            ("feature dimension of an epoch", dim, features.dim()),
            ("number of classes of an epoch", classes, features.classes()),
        ] {
            if expected != got {
                return Err(Error::Disagreement { what, expected, got });
            }
        }
        Ok(())
    }

    /// One step on the samples `batch`; returns their summed loss before the step.
    pub fn step(&mut self, features: &Features, batch: &[usize], learning_rate: f32) -> f64 {
        let x = features.values().select(Axis(0), batch); // [batch, dim]
        let labels: Vec<u8> = batch.iter().map(|&i| features.labels()[i]).collect();
        self.step_on(x.view(), &labels, learning_rate)
    }

    /// One step on `x`, `[batch, dim]`; returns its summed loss before the step.
    pub fn step_on(&mut self, x: ArrayView2<'_, f32>, labels: &[u8], learning_rate: f32) -> f64 {
        let mut residual = x.dot(&self.weight.value.t()) + &self.bias.value; // [batch, classes]
        let loss = cross_entropy(residual.view_mut(), labels);
        let mean = (labels.len() as f32).recip();
        general_mat_mul(mean, &residual.t(), &x, 0.0, &mut self.weight.gradient);
        let bias_gradient: Array1<f32> = residual.sum_axis(Axis(0)) * mean;
        self.bias.gradient.row_mut(0).assign(&bias_gradient);
        self.step += 1;
        self.weight.adam(self.step, learning_rate);
        self.bias.adam(self.step, learning_rate);
        f64::from(loss)
    }
}

/// Values with gradient and Adam's moments.
#[derive(Debug)]
struct Parameter {
    value: Array2<f32>,
    gradient: Array2<f32>,
    first: Array2<f32>,
    second: Array2<f32>,
}

impl Parameter {
    fn new(value: Array2<f32>) -> Self {
        let zeros = || Array2::zeros(value.dim());
        Self { gradient: zeros(), first: zeros(), second: zeros(), value }
    }

    /// `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`, `w ← w − η m̂/(√v̂ + ε)`, with m̂ = m/(1−β₁ᵗ) and
    /// v̂ = v/(1−β₂ᵗ).
    fn adam(&mut self, step: i32, learning_rate: f32) {
        let rate = (f64::from(learning_rate) / (1.0 - f64::from(BETA_1).powi(step))) as f32;
        let root = (1.0 - f64::from(BETA_2).powi(step)).sqrt().recip() as f32;
        Zip::from(&mut self.value)
            .and(&mut self.first)
            .and(&mut self.second)
            .and(&self.gradient)
            .for_each(|w, m, v, &g| {
                *m = BETA_1 * *m + (1.0 - BETA_1) * g;
                *v = BETA_2 * *v + (1.0 - BETA_2) * g * g;
                *w -= rate * *m / (v.sqrt() * root + EPSILON);
            });
    }
}

/// A draw from the standard normal distribution (Box & Muller).
fn normal(rng: &mut Stream) -> f32 {
    // 1 − u is above 0, so that its logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.random::<f32>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xavier_weights_have_their_deviation() {
        let layer = Layer::xavier_normal(256, 41, 1);
        let values = &layer.weight.value;
        let power = values.mapv(|w| w * w).mean().unwrap();
        // √(2/297) = 0.0821; of 10,496 draws the deviation is known to 1/√(2·10,496) = 0.7 %.
        assert!((power.sqrt() / 0.082_1 - 1.0).abs() < 0.03, "{}", power.sqrt());
        assert!(values.mean().unwrap().abs() < 0.003);
        assert!(layer.bias.value.iter().all(|b| b.abs() <= 1.0 / 16.0));
    }
}
