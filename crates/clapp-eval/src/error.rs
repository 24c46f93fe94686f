//! What can go wrong with features, settings and reports.

use std::path::PathBuf;

/// Everything the outside world can get wrong. Shape mistakes between a read-out and the features
/// it is asked to score are programming mistakes and panic instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Features, labels or measurements are not as they have to be: the text in its parts.
    #[error("{what}: expected {expected}, got {got}; {advice}")]
    Invalid {
        /// What was checked.
        what: &'static str,
        /// How it has to be.
        expected: String,
        /// What was found, and where.
        got: String,
        /// What to do, or to ask.
        advice: &'static str,
    },
    /// Two sets that belong together differ in dimension or in the number of classes.
    #[error("{what}: expected {expected}, got {got} in the second set; use the same encoder layer")]
    Disagreement {
        /// The quantity that differs.
        what: &'static str,
        /// Its value in the first set.
        expected: usize,
        /// Its value in the second set.
        got: usize,
    },
    /// A setting is outside its range.
    #[error("{setting}: expected {expected}, got {got}; correct the setting")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// Its range in words.
        expected: &'static str,
        /// The value found.
        got: f64,
    },
    /// The regularised logistic regression stopped before its gradient was small enough.
    #[error(
        "logistic regression: expected gradient norm ≤ {tolerance:e}, got {gradient_norm:e} \
         in {iterations} iterations; raise max_iterations or the penalty"
    )]
    NotConverged {
        /// Iterations used.
        iterations: usize,
        /// Largest absolute component of the gradient at the end.
        gradient_norm: f64,
        /// What it should have fallen to.
        tolerance: f64,
    },
    /// A report is not valid JSON, or not of this form.
    #[error("report: expected JSON written by `Report::to_json`, got {source}; was it edited?")]
    Json {
        /// What the JSON reader or writer says.
        #[from]
        source: serde_json::Error,
    },
    /// A file cannot be read or written.
    #[error("report file: expected access, got {source} in {path}; check path and permissions")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Error {
    /// [`Error::Invalid`] of its parts.
    pub(crate) fn invalid(
        what: &'static str,
        expected: impl Into<String>,
        got: impl Into<String>,
        advice: &'static str,
    ) -> Self {
        Self::Invalid { what, expected: expected.into(), got: got.into(), advice }
    }
}
