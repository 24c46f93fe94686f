//! Read-outs that learn from labels together with an encoder, and their loss.

use burn::tensor::{Bool, Device, Tensor, TensorData, activation::log_softmax};
use clapp_encoders::Persist;
use clapp_rules::{State, StateError, Synapses};

use crate::parts::parts;

/// A linear read-out of classes.
///
/// ```text
/// scores = W h + b
/// ```
#[derive(Clone, Debug)]
pub struct LinearHead {
    /// W, `[class, channel]`.
    pub weight: Synapses<2>,
    /// b, `[class]`.
    pub bias: Synapses<1>,
}

parts! {
    LinearHead: weight, bias;
}

impl LinearHead {
    /// U(±1/√channels), as a linear layer of other libraries.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use clapp_baselines::LinearHead;
    /// use clapp_rules::{Purpose, stream};
    /// let (device, mut random) = (Device::flex(), stream(2, Purpose::Test, [0; 4]));
    /// let head = LinearHead::init(16, 10, &device, &mut random);
    /// assert_eq!(head.scores(Tensor::ones([3, 16], &device)).dims(), [3, 10]);
    /// ```
    #[must_use]
    pub fn init(
        channels: usize,
        classes: usize,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let bound = 1.0 / (channels as f64).sqrt();
        Self {
            weight: Synapses::uniform([classes, channels], bound, device, random),
            bias: Synapses::uniform([classes], bound, device, random),
        }
    }

    /// Scores of features `[rows, channel]`, `[rows, class]`.
    ///
    /// # Panics
    ///
    /// If there are other than its channels.
    #[must_use]
    pub fn scores(&self, features: Tensor<2>) -> Tensor<2> {
        features.matmul(self.weight.weight().transpose()) + self.bias.weight().unsqueeze::<2>()
    }
}

impl Persist for LinearHead {
    fn save(&self, name: &str, state: &mut State) {
        self.weight.save(&format!("{name}.weight"), state);
        self.bias.save(&format!("{name}.bias"), state);
    }

    fn load(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        self.weight.load(&format!("{name}.weight"), state)?;
        self.bias.load(&format!("{name}.bias"), state)
    }
}

/// What one step from labels was like.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelStep {
    /// Cross-entropy of every read-out.
    pub losses: Vec<f64>,
    /// Fraction of images, or frames, that every read-out names rightly.
    pub accuracies: Vec<f64>,
}

/// Fraction of rows whose largest score is that of their label.
pub(crate) fn accuracy(scores: &Tensor<2>, labels: &[usize]) -> f64 {
    let named: Vec<i64> = scores.clone().argmax(1).into_data().iter::<i64>().collect();
    let right = named.iter().zip(labels).filter(|&(&named, &label)| named == label as i64);
    right.count() as f64 / labels.len().max(1) as f64
}

/// Cross-entropy of one class per row, `[1]`.
///
/// ```text
/// L = −⟨log softmax(scores)_label⟩        mean over rows
/// ```
///
/// # Shapes
/// - `scores`: `[rows, class]`; `labels`: one class per row
///
/// # Panics
///
/// If the numbers differ, or a label is not among the classes.
pub(crate) fn cross_entropy(scores: Tensor<2>, labels: &[usize]) -> Tensor<1> {
    let [rows, classes] = scores.dims();
    assert_eq!(labels.len(), rows, "labels: expected {rows}, got {}", labels.len());
    if let Some(label) = labels.iter().find(|&&label| label >= classes) {
        panic!("labels: expected classes below {classes}, got {label}");
    }
    // A product, because burn's derivative of a division by a number rounds that number to single precision.
    log_probabilities(scores, labels).sum() * (-1.0 / rows as f64)
}

/// log softmax where a row meets its label, 0 elsewhere, `[rows, class]`.
pub(crate) fn log_probabilities(scores: Tensor<2>, labels: &[usize]) -> Tensor<2> {
    let named = one_hot(&scores, labels);
    log_softmax(scores, 1).mask_fill(named.bool_not(), 0.0)
}

/// True where a row meets its label, in the shape of `scores`.
pub(crate) fn one_hot(scores: &Tensor<2>, labels: &[usize]) -> Tensor<2, Bool> {
    let [rows, classes] = scores.dims();
    let named = labels.iter().flat_map(|&label| (0..classes).map(move |class| class == label));
    let named = TensorData::new(named.collect::<Vec<bool>>(), [rows, classes]);
    Tensor::from_data(named, &scores.device())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_know_as_much_as_chance() {
        let scores = Tensor::zeros([2, 41], &burn::tensor::Device::flex());
        let loss = cross_entropy(scores, &[0, 40]);
        assert!((loss.into_scalar::<f32>() - 41f32.ln()).abs() < 1e-5);
    }
}
