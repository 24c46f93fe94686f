//! Read-outs of frozen features: what a label can still learn from a representation.

mod lbfgs;
mod logistic;
mod pool;
mod precondition;
mod readout;
mod sgd;
mod standardised;
mod test_clips;

use std::fmt;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Error, Features, Knn, metrics};

pub use pool::{mean_over_time, temporal_mean};
pub(crate) use readout::in_blocks;
pub use readout::{LinearReadout, softmax};
pub use sgd::{Batches, Input, LinearProbe, LinearTraining, Scoring, Start, Trained};
pub use standardised::{Solution, StandardisedProbe, Strength};
pub use test_clips::TestClips;

/// How a number was measured. It stands beside the number wherever the number is shown, because
/// numbers of different protocols cannot be compared.
///
/// # Example
///
/// A list in a configuration becomes probes:
///
/// ```
/// use clapp_eval::{Probe, Protocol};
///
/// let named: Vec<Protocol> = serde_json::from_str(r#"["standardised", "paper", "knn"]"#)?;
/// let probes: Vec<Box<dyn Probe>> = named.into_iter().filter_map(Protocol::probe).collect();
/// assert_eq!(probes[2].protocol(), Protocol::Knn);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Protocol {
    /// Standardised features, L2-regularised logistic regression to convergence:
    /// [`StandardisedProbe`].
    Standardised,
    /// The paper's: raw features, one linear layer trained with Adam: [`LinearProbe::paper`],
    /// for frames of speech [`LinearProbe::phones`], for means over crops [`LinearProbe::speakers`].
    Paper,
    /// SoftHebb's: raw features with dropout ½, one linear layer trained with Adam:
    /// [`LinearProbe::dropout`].
    Dropout,
    /// Vote of the nearest neighbours: [`Knn`].
    Knn,
    /// The authors' for a block of the video encoder: batch norm, dropout and a linear layer trained
    /// with Adam: [`LinearProbe::block`]. Tested on every test clip, in a view with nothing random.
    Block,
    /// The same classifier, tested as the authors do: on a random part of the test clips, in random
    /// views; see [`TestClips`].
    #[serde(alias = "block-authors")]
    BlockAuthors,
    /// A read-out that was trained together with its encoder, from labels: not a [`Probe`].
    Own,
    /// A [`Probe`] of your own, by its name.
    Custom(#[serde(deserialize_with = "name")] Name),
}

/// An alias, because `serde` would take a `&'static str` for text borrowed from its input.
type Name = &'static str;

/// The name of a custom protocol, kept for good: there are a few in a program.
fn name<'de, D: Deserializer<'de>>(from: D) -> Result<Name, D::Error> {
    Ok(String::deserialize(from)?.leak())
}

impl Protocol {
    /// The probe of this protocol as published; `None` for [`Own`](Self::Own) and
    /// [`Custom`](Self::Custom), which only their programs can make.
    #[must_use]
    pub fn probe(self) -> Option<Box<dyn Probe>> {
        Some(match self {
            Self::Standardised => Box::new(StandardisedProbe::default()),
            Self::Paper => Box::new(LinearProbe::paper()),
            Self::Dropout => Box::new(LinearProbe::dropout(50)),
            Self::Knn => Box::new(Knn::default()),
            Self::Block | Self::BlockAuthors => {
                Box::new(LinearProbe { protocol: self, ..LinearProbe::block() })
            }
            Self::Own | Self::Custom(_) => return None,
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Standardised => "standardised",
            Self::Paper => "paper",
            Self::Dropout => "dropout",
            Self::Knn => "k-NN",
            Self::Block => "block",
            Self::BlockAuthors => "block, authors' test",
            Self::Own => "own head",
            Self::Custom(name) => name,
        })
    }
}

/// A way to learn the labels from frozen features.
///
/// Implementers are [`LinearProbe`] and [`StandardisedProbe`]; [`Knn`] fits by remembering.
/// A head trained together with its encoder is deliberately none: its features are not frozen.
///
/// # Example
///
/// What reads out every layer of every encoder needs no more than this of a list of probes:
///
/// ```
/// use std::borrow::Cow;
/// use clapp_eval::{Error, Features, Probe};
///
/// /// Accuracy on `test`. Probes that learn in epochs see random views of the training part.
/// fn read_out(
///     probe: &dyn Probe,
///     [plain, test]: [&Features; 2],
///     views: &[Features],
///     seed: u64,
/// ) -> Result<f64, Error> {
///     match probe.in_epochs() {
///         Some(linear) => {
///             let view = |epoch: usize| Cow::Borrowed(&views[epoch % views.len()]);
///             Ok(probe.accuracy(&linear.train(seed, view)?.readout, test))
///         }
///         None => Ok(probe.accuracy(&*probe.fit(plain, seed)?, test)),
///     }
/// }
/// ```
pub trait Probe: fmt::Debug + Send + Sync {
    /// The protocol that this probe follows.
    fn protocol(&self) -> Protocol;

    /// Learns from labelled features; all randomness comes from `seed`.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for settings out of range; [`Error::NotConverged`] if a solver gave up.
    fn fit(&self, train: &Features, seed: u64) -> Result<Box<dyn Readout>, Error>;

    /// The settings of a probe that learns in epochs, hence from other features in each
    /// ([`LinearProbe::train`]) or from batches that nobody keeps ([`LinearProbe::begin`]). `None`
    /// if it needs one set of features at once.
    fn in_epochs(&self) -> Option<&LinearProbe> {
        None
    }

    /// Accuracy of a read-out in percent, as the protocol counts: top-1 over all samples unless it
    /// says otherwise.
    ///
    /// # Panics
    ///
    /// If the test part has another dimension or more classes than the training part.
    fn accuracy(&self, readout: &dyn Readout, test: &Features) -> f64 {
        metrics::top1(test.scored_by(readout).view(), test.labels())
    }
}

/// A fitted [`Probe`].
///
/// Implementers are [`LinearReadout`] and the memory of [`Knn`]. A [`Features`] is
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

/// Fits `probe` on `train` and returns its accuracy on `test` in percent; see [`Probe::accuracy`].
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
    check(train, test)?;
    Ok(probe.accuracy(&*probe.fit(train, seed)?, test))
}

/// Checks that a read-out of one part can be tested on the other.
///
/// # Errors
///
/// If they disagree in the number of features, or the second has classes that the first has not.
pub fn check(train: &Features, test: &Features) -> Result<(), Error> {
    same("feature dimension", train.dim(), test.dim())?;
    if test.classes() > train.classes() {
        same("number of classes", train.classes(), test.classes())?;
    }
    Ok(())
}

/// That two sets agree in `what`.
pub(crate) fn same(what: &'static str, expected: usize, got: usize) -> Result<(), Error> {
    if expected == got { Ok(()) } else { Err(Error::Disagreement { what, expected, got }) }
}

/// That a setting is not 0.
pub(crate) fn at_least_one(setting: &'static str, value: usize) -> Result<(), Error> {
    match value {
        0 => Err(Error::Setting { setting, expected: "at least 1", got: 0.0 }),
        _ => Ok(()),
    }
}

/// That a setting is finite and above 0.
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

    #[test]
    fn protocols_return_from_their_names() {
        for (protocol, text) in [
            (Protocol::Standardised, "\"standardised\""),
            (Protocol::Knn, "\"knn\""),
            (Protocol::BlockAuthors, "\"block_authors\""),
            (Protocol::Custom("nearest mean"), r#"{"custom":"nearest mean"}"#),
        ] {
            assert_eq!(serde_json::to_string(&protocol).unwrap(), text);
            assert_eq!(serde_json::from_str::<Protocol>(text).unwrap(), protocol);
            assert!(protocol.probe().is_none_or(|probe| probe.protocol() == protocol));
        }
        let kebab: Protocol = serde_json::from_str("\"block-authors\"").unwrap();
        assert_eq!(kebab, Protocol::BlockAuthors);
    }
}
