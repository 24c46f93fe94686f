//! What can go wrong with a run.

use std::{fmt::Display, path::PathBuf};

/// A run that cannot start or go on.
///
/// Every text says what was expected, what was found, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Settings or data that do not fit together, or a name that nothing has.
    #[error("{what}: expected {expected}, got {got}; {advice}")]
    Misfit {
        /// What does not fit.
        what: &'static str,
        /// What would.
        expected: String,
        /// What there is instead, and where.
        got: String,
        /// What to do.
        advice: &'static str,
    },
    /// A method with automatic differentiation in a build without it.
    #[error(
        "method: expected the feature baselines for {learning}, got a build without it; build with --features baselines"
    )]
    Differentiation {
        /// How it learns.
        learning: crate::Learning,
    },
    /// More classes than features of the last block: a read-out cannot begin with orthonormal rows.
    #[error(
        "configuration: expected at most {features} classes for as many features of the last block, got {classes}; widen the encoder"
    )]
    Head {
        /// Classes of the data.
        classes: usize,
        /// Features of the last block.
        features: usize,
    },
    /// A loss is no longer a number.
    #[error(
        "training: expected a finite loss, got {loss} in layer {layer} at step {step}; this step was not saved, lower the learning rate or look at the data"
    )]
    NotFinite {
        /// Layer, from 1.
        layer: usize,
        /// Step, from 1.
        step: u64,
        /// The loss.
        loss: f64,
    },
    /// A weight or a moment is no longer a number.
    #[error(
        "training: expected finite weights, got {value} in {name} after step {step}; this step was not saved, lower the learning rate or look at the data"
    )]
    NotFiniteState {
        /// Name of the tensor, which begins with its layer.
        name: String,
        /// Step, from 1.
        step: u64,
        /// The value.
        value: f64,
    },
    /// A run is resumed with another configuration.
    #[error(
        "resume: expected the configuration of the checkpoints, got another in {}; restore it, or start a new run", folder.join("config.json").display()
    )]
    Resume {
        /// Folder of the run.
        folder: PathBuf,
    },
    /// A folder holds no run.
    #[error("run: expected {what} in {}, got none; is this the folder of a run?", folder.display())]
    NoRun {
        /// Folder.
        folder: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// A configuration or manifest that cannot be read.
    #[error("{what}: expected JSON that this version understands, got \"{source}\" in {}; restore it, or start a new run", path.display())]
    Json {
        /// What was read.
        what: &'static str,
        /// File.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// The thread pool was built before.
    #[error(
        "threads: expected to set up {threads} threads before any were started, got \"{source}\"; call it first and once"
    )]
    Threads {
        /// Threads asked for; 0 is one per core.
        threads: usize,
        /// Why not.
        source: rayon::ThreadPoolBuildError,
    },
    /// Standard output.
    #[error(
        "standard output: expected to write a result, got \"{0}\"; make room, or write it elsewhere"
    )]
    Output(std::io::Error),
    /// The device.
    #[error(transparent)]
    Device(#[from] clapp_backend::DeviceError),
    /// The encoder.
    #[error(transparent)]
    Encoder(#[from] clapp_encoders::EncoderError),
    /// The data.
    #[error(transparent)]
    Data(#[from] clapp_datasets::Error),
    /// The read-outs.
    #[error(transparent)]
    Eval(#[from] clapp_eval::Error),
    /// Checkpoints and other files.
    #[error(transparent)]
    Store(#[from] clapp_store::Error),
    /// A saved state that does not fit the network.
    #[error(transparent)]
    State(#[from] clapp_rules::StateError),
}

/// From which similarity on, 0 to 1, a name may have been meant: a letter too few, too many or exchanged in names
/// of five letters.
const NEAR: f64 = 0.8;

impl Error {
    /// A part of a configuration that does not fit.
    pub fn misfit(expected: impl Display, got: impl Display, advice: &'static str) -> Self {
        Self::misfit_of("configuration", expected, got, advice)
    }

    /// Anything else that does not fit.
    pub fn misfit_of(
        what: &'static str,
        expected: impl Display,
        got: impl Display,
        advice: &'static str,
    ) -> Self {
        Self::Misfit { what, expected: expected.to_string(), got: got.to_string(), advice }
    }

    /// A name that nothing has; `known` are those that something has, separated by commas and blanks. The one that
    /// is nearest is named, if one is near.
    ///
    /// ```
    /// let error = clapp::Error::name("preset", "smoke, quick", "quik").to_string();
    /// assert_eq!(
    ///     error,
    ///     "preset: expected one of smoke, quick, got \"quik\", which is nearest to quick; \
    ///      choose one of these"
    /// );
    /// ```
    #[must_use]
    pub fn name(what: &'static str, known: &str, got: &str) -> Self {
        let near = |name: &&str| strsim::jaro_winkler(name, got);
        let nearest = known.split(", ").max_by(|a, b| near(a).total_cmp(&near(b)));
        let nearest = nearest.filter(|name| near(name) >= NEAR);
        let nearest = nearest.map_or(String::new(), |name| format!(", which is nearest to {name}"));
        let got = format!("{got:?}{nearest}");
        Self::misfit_of(what, format!("one of {known}"), got, "choose one of these")
    }

    /// Checks that a pipeline makes what an encoder takes: channels, and pixels a side.
    pub(crate) fn unless_same_pixels(expected: [usize; 2], got: [usize; 2]) -> Result<(), Self> {
        if expected == got {
            return Ok(());
        }
        let ([channels, side], [made, of_side]) = (expected, got);
        Err(Self::misfit(
            format!("images of {channels} channels and {side} pixels a side for the encoder"),
            format!("{made} and {of_side} from the pipeline"),
            "change its crop or colour",
        ))
    }
}
