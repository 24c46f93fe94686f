//! Evaluation of frozen features: linear probes, k-NN, per-layer reports and figures.

mod comparison;
mod error;
mod features;
pub mod figure;
mod knn;
pub mod metrics;
pub mod probe;
mod report;
mod standardise;

pub use comparison::{Comparison, Margin};
pub use error::Error;
pub use features::{Features, few_label_indices};
pub use knn::{Knn, Nearness, Vote};
pub use metrics::Summary;
pub use probe::{PaperProbe, Probe, Protocol, Readout, StandardisedProbe};
pub use report::{Cell, Labels, Measurement, Report, Series};
pub use standardise::Standardiser;
