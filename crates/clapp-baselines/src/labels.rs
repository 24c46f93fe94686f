//! The loss of read-outs that learn from labels.

use burn::tensor::{Bool, Tensor, TensorData, activation::log_softmax};

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
