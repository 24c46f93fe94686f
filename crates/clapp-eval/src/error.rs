//! What can go wrong with features, settings and reports.

use std::path::PathBuf;

/// Everything the outside world can get wrong. Shape mistakes between a read-out and the features
/// it is asked to score are programming mistakes and panic instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The feature matrix has no row or no column.
    #[error(
        "features: expected at least one row and one column, got [{rows}, {columns}]; \
         is the data set empty?"
    )]
    Empty {
        /// Number of samples.
        rows: usize,
        /// Number of features of a sample.
        columns: usize,
    },
    /// The number of labels differs from the number of rows.
    #[error("features: expected {rows} labels (one a row), got {labels}; were both cut alike?")]
    LabelCount {
        /// Number of samples.
        rows: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A feature is infinite or not a number.
    #[error(
        "features: expected finite values, got {value} in row {row}, column {column}; \
         has the encoder diverged?"
    )]
    NotFinite {
        /// The value found.
        value: f32,
        /// Sample of the value.
        row: usize,
        /// Feature of the value.
        column: usize,
    },
    /// A label is not below the number of classes.
    #[error(
        "features: expected labels below {classes}, got {label} in row {row}; \
         labels count from 0"
    )]
    LabelRange {
        /// The label found.
        label: u8,
        /// Number of classes declared.
        classes: usize,
        /// Sample of the label.
        row: usize,
    },
    /// A class has fewer samples than are to be drawn from it.
    #[error(
        "few labels: expected at least {wanted} samples a class, got {available} in class {class}; \
         ask for fewer"
    )]
    TooFewSamples {
        /// The class that is too small.
        class: usize,
        /// Samples asked for.
        wanted: usize,
        /// Samples that there are.
        available: usize,
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
    /// An utterance has fewer outputs than labels, or far more.
    #[error(
        "phone frames: expected {labels} to {} outputs for {labels} labels, got {outputs} in \
         utterance {id}; are encoder and labels of the same recording, one per 10 ms?",
        .labels + crate::phones::MOST_SURPLUS
    )]
    Alignment {
        /// Name of the utterance.
        id: String,
        /// Outputs of the encoder.
        outputs: usize,
        /// Labels.
        labels: usize,
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
    /// An accuracy outside 0–100 % was to be recorded.
    #[error("report: expected an accuracy in percent (0–100), got {got} in {cell}; scale it")]
    Percent {
        /// The value found.
        got: f64,
        /// Where it was to be written.
        cell: String,
    },
    /// A seed was recorded twice in one cell of a report.
    #[error("report: expected each seed once, got seed {seed} again in {cell}; use another seed")]
    SeedTwice {
        /// The seed found.
        seed: u64,
        /// Where it was to be written.
        cell: String,
    },
    /// A comparison asks for an encoder that the report has no numbers of.
    #[error("report: expected numbers of {encoder} ({series}), got none; record them first")]
    NoNumbers {
        /// Name of the encoder.
        encoder: String,
        /// Protocol and labels asked for.
        series: String,
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
