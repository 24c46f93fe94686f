//! The linear read-out, and the cross-entropy that all linear probes descend.

use ndarray::{
    Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis, NdFloat,
};
use rayon::prelude::*;

use super::Readout;
use crate::Standardiser;

/// Rows of one task: fixed, so that sums over rows do not depend on the number of threads.
pub(super) const ROWS: usize = 256;

/// One score per class, linear in the features.
///
/// ```text
/// s = W x + b
/// ```
/// A probe of standardised features folds the moments into W and b, so every linear read-out applies
/// to raw features. Products are in f64.
///
/// # Example
///
/// ```
/// use clapp_eval::probe::{LinearReadout, Readout};
/// use ndarray::array;
///
/// let readout = LinearReadout::new(array![[2.0, 0.0], [0.0, 1.0]], array![0.0, 1.0]);
/// assert_eq!(readout.scores(array![[3.0, 4.0]].view()), array![[6.0, 5.0]]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LinearReadout {
    weight: Array2<f64>, // [classes, dim]
    bias: Array1<f64>,   // [classes]
}

impl LinearReadout {
    /// A read-out of these weights.
    ///
    /// # Shapes
    ///
    /// - `weight`: `[classes, dim]`
    /// - `bias`: `[classes]`
    ///
    /// # Panics
    ///
    /// If the numbers of classes differ.
    #[must_use]
    pub fn new(weight: Array2<f64>, bias: Array1<f64>) -> Self {
        let (classes, biases) = (weight.nrows(), bias.len());
        assert!(biases == classes, "linear read-out: expected {classes} biases, got {biases}");
        Self { weight, bias }
    }

    /// Folds `standardiser` into a read-out of standardised features:
    /// `W' = W·diag(1/σ)`, `b' = b − W'μ`.
    pub(super) fn of_standardised(self, standardiser: &Standardiser) -> Self {
        let weight = self.weight * standardiser.inverse().insert_axis(Axis(0)); // [classes, dim]
        let bias = self.bias - weight.dot(&standardiser.mean());
        Self { weight, bias }
    }

    /// The weights, `[classes, dim]`.
    #[must_use]
    pub fn weight(&self) -> ArrayView2<'_, f64> {
        self.weight.view()
    }

    /// The biases, `[classes]`.
    #[must_use]
    pub fn bias(&self) -> ArrayView1<'_, f64> {
        self.bias.view()
    }
}

impl Readout for LinearReadout {
    fn scores(&self, values: ArrayView2<'_, f32>) -> Array2<f64> {
        let (dim, expected) = (values.ncols(), self.weight.ncols());
        assert!(dim == expected, "linear read-out: expected {expected} features, got {dim}");
        let score = |x: ArrayView2<'_, f32>| x.mapv(f64::from).dot(&self.weight.t()) + &self.bias;
        in_blocks(values, ROWS, self.bias.len(), score)
    }
}

/// Scores `[samples, classes]` of blocks of `rows` samples at a time, in parallel. Blocks do not depend on
/// the number of threads.
pub(crate) fn in_blocks(
    values: ArrayView2<'_, f32>,
    rows: usize,
    classes: usize,
    score: impl Fn(ArrayView2<'_, f32>) -> Array2<f64> + Sync,
) -> Array2<f64> {
    let mut scores = Array2::zeros((values.nrows(), classes));
    let blocks = values.axis_chunks_iter(Axis(0), rows);
    let parts: Vec<_> = scores.axis_chunks_iter_mut(Axis(0), rows).zip(blocks).collect();
    parts.into_par_iter().for_each(|(mut part, block)| part.assign(&score(block)));
    scores
}

/// Turns the scores of a sample into the probabilities that logistic regression gives its classes.
///
/// ```text
/// p_k = exp s_k / Σ_j exp s_j
/// ```
///
/// # Example
///
/// ```
/// let mut scores = ndarray::array![0.0, 3.0_f64.ln()];
/// clapp_eval::probe::softmax(scores.view_mut());
/// assert!((scores[1] - 0.75).abs() < 1e-15);
/// ```
pub fn softmax(mut scores: ArrayViewMut1<'_, f64>) {
    let largest = scores.fold(f64::NEG_INFINITY, |largest, &s| largest.max(s));
    scores.mapv_inplace(|s| (s - largest).exp());
    let total = scores.sum();
    scores.mapv_inplace(|e| e / total);
}

/// Cross-entropy of softmax scores, summed over the rows; leaves its gradient in place of the scores.
///
/// ```text
/// p = softmax(s)        L = −Σ_n ln p_{n,y_n}        ∂L/∂s = p − onehot(y)
/// ```
///
/// # Shapes
///
/// - `scores`: `[samples, classes]`, overwritten by `p − onehot(y)`
/// - `labels`: `[samples]`
pub(super) fn cross_entropy<A: NdFloat>(mut scores: ArrayViewMut2<'_, A>, labels: &[u32]) -> A {
    let mut loss = A::zero();
    for (mut row, &label) in scores.axis_iter_mut(Axis(0)).zip(labels) {
        let label = label as usize;
        let largest = row.fold(A::neg_infinity(), |largest, &s| largest.max(s));
        row.mapv_inplace(|s| s - largest);
        let shifted = row[label];
        row.mapv_inplace(A::exp);
        let total = row.sum();
        row.mapv_inplace(|e| e / total);
        row[label] -= A::one();
        loss += total.ln() - shifted;
    }
    loss
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn cross_entropy_of_equal_scores_is_ln_of_the_number_of_classes() {
        let mut scores = array![[3.0, 3.0, 3.0, 3.0_f64]];
        let loss = cross_entropy(scores.view_mut(), &[2]);
        assert!((loss - 4.0_f64.ln()).abs() < 1e-15);
        assert_eq!(scores, array![[0.25, 0.25, -0.75, 0.25]]);
    }

    #[test]
    fn cross_entropy_survives_huge_scores() {
        let mut scores = array![[1e4, -1e4_f64]];
        assert!((cross_entropy(scores.view_mut(), &[1]) - 2e4_f64).abs() < 1e-9);
        assert_eq!(scores, array![[1.0, -1.0]]);
    }

    #[test]
    fn folded_moments_give_the_scores_of_standardised_features() {
        let train = array![[1.0, 10.0, 5.0], [3.0, 30.0, 5.0], [4.0, 10.0, 5.0]];
        let standardiser = Standardiser::fit(train.view());
        let plain = LinearReadout::new(array![[1.0, -2.0, 9.0]], array![0.5]);
        let expected = standardiser.apply(train.view()).dot(&plain.weight.t()) + 0.5;
        let folded = plain.of_standardised(&standardiser).scores(train.view());
        assert!((folded - expected).iter().all(|d| d.abs() < 1e-12));
    }
}
