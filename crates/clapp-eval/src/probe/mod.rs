//! Read-outs of frozen features: what a label can still learn from a representation.

pub mod block;
mod layer;
mod lbfgs;
mod linear;
mod logistic;
pub mod paper;
pub mod phone;
mod precondition;
pub mod speaker;
pub mod standardised;

use std::fmt;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::{Error, Features, metrics};

pub use block::{BlockClassifier, BlockProbe, StepOutcome, TestClips, TrainedBlock, temporal_mean};
pub use linear::LinearReadout;
pub use paper::PaperProbe;
pub use phone::{PhoneProbe, PhoneTraining};
pub use speaker::{SpeakerProbe, mean_over_time};
pub use standardised::{Solution, StandardisedProbe, Strength};

/// How a number was measured. It stands beside the number wherever the number is shown, because
/// numbers of different protocols cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Protocol {
    /// Standardised features, L2-regularised logistic regression to convergence:
    /// [`StandardisedProbe`].
    Standardised,
    /// The paper's: raw features, one linear layer trained with Adam: [`PaperProbe`].
    Paper,
    /// Vote of the nearest neighbours: [`Knn`](crate::Knn).
    Knn,
    /// The authors' for a block of the video encoder: batch norm, dropout and a linear layer trained
    /// with Adam: [`BlockProbe`]. Tested on every test clip, in a view with nothing random.
    Block,
    /// The same classifier, tested as the authors do: on a random part of the test clips, in random
    /// views; see [`TestClips`].
    BlockAuthors,
    /// A read-out that was trained together with its encoder, from labels: not a [`Probe`].
    Own,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Standardised => "standardised",
            Self::Paper => "paper",
            Self::Knn => "k-NN",
            Self::Block => "block",
            Self::BlockAuthors => "block, authors' test",
            Self::Own => "own head",
        })
    }
}

/// A way to learn the labels from frozen features.
///
/// Implementers are [`PaperProbe`], [`BlockProbe`] and [`StandardisedProbe`]; [`Knn`](crate::Knn) fits by remembering.
/// A head trained together with its encoder is deliberately none: its features are not frozen.
pub trait Probe: fmt::Debug + Send + Sync {
    /// The protocol that this probe follows.
    fn protocol(&self) -> Protocol;

    /// Learns from labelled features; all randomness comes from `seed`.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for settings out of range; [`Error::NotConverged`] if a solver gave up.
    fn fit(&self, train: &Features, seed: u64) -> Result<Box<dyn Readout>, Error>;
}

/// A fitted [`Probe`].
///
/// Implementers are [`LinearReadout`] and the memory of [`Knn`](crate::Knn). A [`Features`] is
/// deliberately none: it holds labels, a read-out guesses them.
pub trait Readout: fmt::Debug + Send + Sync {
    /// One score per class; the largest is the guess.
    ///
    /// # Shapes
    ///
    /// - `values`: `[samples, dim]`
    /// - returns `[samples, classes]`
    ///
    /// # Panics
    ///
    /// If `dim` is not that of the training part.
    fn scores(&self, values: ArrayView2<'_, f32>) -> Array2<f64>;
}

/// Fits `probe` on `train` and returns its top-1 accuracy on `test` in percent.
///
/// For the authors' mean over batches, score yourself and use
/// [`metrics::batch_mean_accuracy`].
///
/// # Errors
///
/// [`Error::Disagreement`] if the parts differ in dimension or `test` has more classes than `train`;
/// the errors of [`Probe::fit`].
///
/// # Example
///
/// ```
/// use clapp_eval::{Features, StandardisedProbe, probe};
/// use ndarray::array;
///
/// let part = Features::new(array![[0.0, 3.0], [0.1, 3.0], [0.9, 3.0], [1.0, 3.0]], vec![0, 0, 1, 1])?;
/// assert_eq!(probe::accuracy(&StandardisedProbe::default(), &part, &part, 1)?, 100.0);
/// # Ok::<(), clapp_eval::Error>(())
/// ```
pub fn accuracy(
    probe: &dyn Probe,
    train: &Features,
    test: &Features,
    seed: u64,
) -> Result<f64, Error> {
    if train.dim() != test.dim() {
        let (expected, got) = (train.dim(), test.dim());
        return Err(Error::Disagreement { what: "feature dimension", expected, got });
    }
    if test.classes() > train.classes() {
        let (expected, got) = (train.classes(), test.classes());
        return Err(Error::Disagreement { what: "number of classes", expected, got });
    }
    let scores = probe.fit(train, seed)?.scores(test.values());
    Ok(metrics::top1(scores.view(), test.labels()))
}

/// `setting` unless it is `0`.
pub(crate) fn at_least_one(setting: &'static str, value: usize) -> Result<(), Error> {
    match value {
        0 => Err(Error::Setting { setting, expected: "at least 1", got: 0.0 }),
        _ => Ok(()),
    }
}

/// `setting` unless it is finite and above 0.
pub(crate) fn positive(setting: &'static str, value: f64) -> Result<(), Error> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::Setting { setting, expected: "a finite number above 0", got: value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_different_dimension_are_refused() {
        let part = |dim| Features::new(Array2::zeros((2, dim)), vec![0, 1]).unwrap();
        let error = accuracy(&StandardisedProbe::default(), &part(2), &part(3), 1).unwrap_err();
        assert!(matches!(error, Error::Disagreement { expected: 2, got: 3, .. }));
    }
}
