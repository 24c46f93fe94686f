//! How often a read-out is right, and how far seeds are apart.

use std::fmt;

use ndarray::{ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// The class of the largest score; of equals the lowest class. Scores that are not numbers lose.
///
/// # Panics
///
/// If `scores` is empty.
///
/// # Example
///
/// ```
/// assert_eq!(clapp_eval::metrics::guess(ndarray::array![0.5, 2.0, 2.0].view()), 1);
/// ```
#[must_use]
pub fn guess(scores: ArrayView1<'_, f64>) -> usize {
    assert!(!scores.is_empty(), "guess: expected at least one score, got none");
    (0..scores.len()).fold(0, |best, class| match scores[class] {
        score if score > scores[best] || scores[best].is_nan() => class,
        _ => best,
    })
}

/// Percentage of samples whose label has the largest score.
///
/// # Shapes
///
/// - `scores`: `[samples, classes]`
/// - `labels`: `[samples]`
///
/// # Panics
///
/// If there are no samples, the numbers of samples differ or a label is not below `classes`.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// let scores = array![[1.0, 0.0], [1.0, 0.0]];
/// assert_eq!(clapp_eval::metrics::top1(scores.view(), &[0, 1]), 50.0);
/// ```
#[must_use]
pub fn top1(scores: ArrayView2<'_, f64>, labels: &[u32]) -> f64 {
    top_k(scores, labels, 1)
}

/// Percentage of samples whose label is among the `k` largest scores; of equals the lower class
/// counts as larger.
///
/// # Shapes and panics
///
/// As [`top1`].
///
/// # Example
///
/// ```
/// use ndarray::array;
/// let scores = array![[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]];
/// assert_eq!(clapp_eval::metrics::top_k(scores.view(), &[1, 2], 2), 50.0);
/// ```
#[must_use]
pub fn top_k(scores: ArrayView2<'_, f64>, labels: &[u32], k: usize) -> f64 {
    check(scores, labels);
    let right = scores.axis_iter(Axis(0)).zip(labels).filter(|&(row, &label)| {
        let label = label as usize;
        let beats = |(class, &score): (usize, &f64)| {
            score > row[label] || (score >= row[label] && class < label)
        };
        !row[label].is_nan() && row.iter().enumerate().filter(|&s| beats(s)).count() < k
    });
    100.0 * right.count() as f64 / labels.len() as f64
}

/// The authors' number: the unweighted mean, over consecutive batches, of the percentage within a
/// batch whose label is among the `k` largest scores.
///
/// Equal to [`top_k`] if `batch` divides the number of samples (8,000 by 32); otherwise the last,
/// smaller batch counts as much as the others.
///
/// # Panics
///
/// As [`top1`], and if `batch` is 0.
///
/// # Paper
///
/// Illing et al. 2021; `downstream_classification.py`. Deviations: none.
///
/// # Example
///
/// ```
/// use clapp_eval::metrics::batch_mean_accuracy;
/// use ndarray::array;
/// let scores = array![[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]];
/// // Batches [right, right] and [wrong]: (100 + 0) / 2.
/// assert_eq!(batch_mean_accuracy(scores.view(), &[0, 0, 1], 1, 2), 50.0);
/// ```
#[must_use]
pub fn batch_mean_accuracy(
    scores: ArrayView2<'_, f64>,
    labels: &[u32],
    k: usize,
    batch: usize,
) -> f64 {
    check(scores, labels);
    assert!(batch > 0, "batch mean: expected a batch of at least 1, got 0");
    let parts = scores.axis_chunks_iter(Axis(0), batch).zip(labels.chunks(batch));
    let total: f64 = parts.map(|(scores, labels)| top_k(scores, labels, k)).sum();
    total / labels.len().div_ceil(batch) as f64
}

/// That there is a label a row, and a score for each.
pub(crate) fn check<A>(scores: ArrayView2<'_, A>, labels: &[u32]) {
    let ((rows, classes), n) = (scores.dim(), labels.len());
    assert!(
        rows == n && n > 0,
        "metrics: expected one label a row and some, got {n} for {rows} rows"
    );
    let largest = labels.iter().max().map_or(0, |&label| label as usize);
    assert!(largest < classes, "metrics: expected labels below {classes}, got {largest}");
}

/// Several seeds in a few numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of seeds.
    pub seeds: usize,
    /// Mean.
    pub mean: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Sample standard deviation (n − 1 below the root); none of a single seed.
    pub std: Option<f64>,
}

impl Summary {
    /// Summarises `values`; none of no values.
    ///
    /// # Example
    ///
    /// ```
    /// use clapp_eval::Summary;
    /// let summary = Summary::of(&[70.0, 72.0, 74.0]).expect("three values");
    /// assert_eq!((summary.mean, summary.min, summary.std), (72.0, 70.0, Some(2.0)));
    /// ```
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        (!values.is_empty()).then(|| Self {
            seeds: values.len(),
            mean,
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            std: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()),
        })
    }
}

/// `72.0 ± 1.4 (2)`, or `72.0 (1)` of a single seed.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, mean, std, .. } = self;
        match std {
            Some(std) => write!(f, "{mean:.1} ± {std:.1} ({seeds})"),
            None => write!(f, "{mean:.1} ({seeds})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn same(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-12
    }

    #[test]
    fn a_score_that_is_not_a_number_is_never_right() {
        let scores = array![[f64::NAN, 1.0], [f64::NAN, 1.0]];
        assert!(same(top1(scores.view(), &[0, 1]), 50.0));
        assert_eq!(guess(scores.row(0)), 1);
    }

    #[test]
    fn top_k_of_all_classes_is_always_right() {
        let scores = array![[0.0, 0.0, 0.0], [2.0, 1.0, 0.0]];
        assert!(same(top_k(scores.view(), &[2, 2], 3), 100.0));
        assert!(same(top_k(scores.view(), &[0, 0], 1), 100.0));
    }

    #[test]
    fn batch_mean_equals_the_mean_if_the_batch_divides_the_samples() {
        let scores = array![[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]];
        let labels = [0, 0, 0, 1];
        let batches = batch_mean_accuracy(scores.view(), &labels, 1, 2);
        assert!(same(batches, top1(scores.view(), &labels)));
    }

    #[test]
    fn one_seed_has_no_spread() {
        assert_eq!(Summary::of(&[3.0]).unwrap().std, None);
        assert_eq!(Summary::of(&[]), None);
    }
}
