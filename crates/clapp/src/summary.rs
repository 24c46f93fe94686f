//! What a table says, in sentences.

use std::fmt::Write as _;

use clapp_eval::{Protocol, Report};

use crate::readout::{RANDOM_ENCODER, RAW_PIXELS};

/// Says, for the standardised protocol and that of video blocks, how far the last layer ends above the best layer of the random
/// encoder and above its own first layer.
///
/// Empty if the report has no trained encoder or no control.
#[must_use]
pub fn summary(report: &Report) -> String {
    let mut text = String::new();
    let trained = report
        .encoders()
        .into_iter()
        .find(|&name| name != RANDOM_ENCODER && name != RAW_PIXELS)
        .map(str::to_owned);
    let Some(trained) = trained else { return text };
    for series in report.series() {
        let protocol = series.protocol;
        if !matches!(protocol, Protocol::Standardised | Protocol::Block) {
            continue;
        }
        let Ok(comparison) = report.compare(&trained, RANDOM_ENCODER, series) else { continue };
        let (last, best) = (comparison.last.1.mean, comparison.best_other.1.mean);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{}, {protocol}: {trained} layer {} {last:.1} %; random encoder's best layer {} {best:.1} %: {}; own first layer: {}",
            series.labels,
            comparison.last.0,
            comparison.best_other.0,
            comparison.over_other,
            comparison.over_first,
        );
    }
    text
}
