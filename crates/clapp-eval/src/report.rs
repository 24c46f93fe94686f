//! Per-layer accuracies with all that a number needs to be understood.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Protocol, Summary};

/// Which labels a read-out was fitted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// All labels of the training part: this many.
    All(usize),
    /// This many of each class.
    PerClass(usize),
    /// Those of all frames of this many utterances. They are counted and not the frames, because
    /// utterances that are drawn anew for every seed have other frames.
    Utterances(usize),
    /// The same, with the accuracy taken over frames of other classes than silence.
    UtterancesSpoken(usize),
    /// Who speaks, instead of what is said: this many speakers.
    Speakers(usize),
}

impl Labels {
    /// The number of classes, where it is not that of the report.
    #[must_use]
    pub fn classes(self) -> Option<usize> {
        match self {
            Self::Speakers(speakers) => Some(speakers),
            _ => None,
        }
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self {
            Self::All(samples) => format!("all {samples} labels"),
            Self::PerClass(samples) => format!("{samples} labels a class"),
            Self::Utterances(utterances) => format!("{utterances} utterances"),
            Self::UtterancesSpoken(utterances) => {
                format!("{utterances} utterances, without silence")
            }
            Self::Speakers(speakers) => format!("{speakers} speakers"),
        })
    }
}

/// Numbers that may be compared with each other: one protocol, one set of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series {
    /// How the numbers were measured.
    pub protocol: Protocol,
    /// On which labels.
    pub labels: Labels,
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}, {}", self.protocol, self.labels))
    }
}

/// One accuracy of one run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The seed of the run: of encoder, subset and probe.
    pub seed: u64,
    /// Top-1 accuracy on the test part in percent.
    pub accuracy: f64,
}

/// The layer of a [`Cell`] whose read-out saw all layers at once; in JSON `"all"`.
pub const ALL_LAYERS: usize = usize::MAX;

/// How [`ALL_LAYERS`] is written.
mod place {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::ALL_LAYERS;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Named {
        All,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Place {
        Layer(usize),
        Named(Named),
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    pub(super) fn serialize<S: Serializer>(layer: &usize, to: S) -> Result<S::Ok, S::Error> {
        let layer = *layer;
        let place =
            if layer == ALL_LAYERS { Place::Named(Named::All) } else { Place::Layer(layer) };
        place.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
        Ok(match Place::deserialize(from)? {
            Place::Layer(layer) => layer,
            Place::Named(Named::All) => ALL_LAYERS,
        })
    }
}

/// One place of the report and what was measured there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Name of the encoder, such as `clapp`, `random encoder` or `raw pixels`.
    pub encoder: String,
    /// Layer read out, from 1; 0 is the input itself, [`ALL_LAYERS`] all together.
    #[serde(with = "place")]
    pub layer: usize,
    /// Protocol and labels.
    #[serde(flatten)]
    pub series: Series,
    /// One accuracy a seed, in order of recording.
    pub measurements: Vec<Measurement>,
}

impl Cell {
    /// Mean and spread over the seeds.
    #[must_use]
    pub fn summary(&self) -> Option<Summary> {
        let accuracies: Vec<f64> = self.measurements.iter().map(|m| m.accuracy).collect();
        Summary::of(&accuracies)
    }
}

/// The accuracies of an experiment: encoder × layer × protocol × labels × seed.
///
/// The names of the data are part of it: data that stand in for others are reported under their own
/// name. Every number is printed beside its protocol, label count and number of seeds.
///
/// # Example
///
/// ```
/// use clapp_eval::{Labels, Protocol, Report, Series};
///
/// let mut report = Report::new("stroke glyphs, 20,000 images", "stroke glyphs", 10);
/// let series = Series { protocol: Protocol::Standardised, labels: Labels::PerClass(10) };
/// for (seed, accuracy) in [(1, 71.0), (2, 73.0)] {
///     report.record("clapp", 6, series, seed, accuracy)?;
///     report.record("raw pixels", 0, series, seed, 10.0)?;
/// }
/// assert!(report.to_string().contains("72.0 ± 1.4 (2)"));
/// assert_eq!(Report::from_json(&report.to_json()?)?, report);
/// # Ok::<(), clapp_eval::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Name of the data that the encoders learned from.
    pub trained_on: String,
    /// Name of the data that read-outs were fitted and tested on.
    pub evaluated_on: String,
    /// Number of classes; chance is its inverse.
    pub classes: usize,
    /// What was measured, in order of recording.
    pub cells: Vec<Cell>,
    /// What a reader has to know beside the numbers: data left out, read-outs that could not be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Report {
    /// An empty report.
    #[must_use]
    pub fn new(
        trained_on: impl Into<String>,
        evaluated_on: impl Into<String>,
        classes: usize,
    ) -> Self {
        let (trained_on, evaluated_on) = (trained_on.into(), evaluated_on.into());
        Self { trained_on, evaluated_on, classes, cells: Vec::new(), notes: Vec::new() }
    }

    /// Adds a note, once.
    pub fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Adds the accuracy of one run in percent. Encoders are shown in the order of first recording.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if `accuracy` is not within 0–100, or if this place already has a number of
    /// `seed`.
    pub fn record(
        &mut self,
        encoder: &str,
        layer: usize,
        series: Series,
        seed: u64,
        accuracy: f64,
    ) -> Result<(), Error> {
        let refuse = |expected, got, advice| {
            let got = format!("{got} in {encoder}, layer {layer} ({series})");
            Err(Error::invalid("report", expected, got, advice))
        };
        if !(0.0..=100.0).contains(&accuracy) {
            return refuse("an accuracy in percent (0–100)", accuracy.to_string(), "scale it");
        }
        let measurement = Measurement { seed, accuracy };
        let found = |c: &Cell| c.encoder == encoder && c.layer == layer && c.series == series;
        match self.cells.iter().position(found) {
            None => {
                let (encoder, measurements) = (encoder.to_owned(), vec![measurement]);
                self.cells.push(Cell { encoder, layer, series, measurements });
            }
            Some(i) if self.cells[i].measurements.iter().any(|m| m.seed == seed) => {
                return refuse("each seed once", format!("seed {seed} again"), "use another seed");
            }
            Some(i) => self.cells[i].measurements.push(measurement),
        }
        Ok(())
    }

    /// Mean and spread at one place; none if nothing was recorded there.
    #[must_use]
    pub fn summary(&self, encoder: &str, layer: usize, series: Series) -> Option<Summary> {
        let found = |c: &&Cell| c.encoder == encoder && c.layer == layer && c.series == series;
        self.cells.iter().find(found).and_then(Cell::summary)
    }

    /// The encoders, in the order of first recording.
    #[must_use]
    pub fn encoders(&self) -> Vec<&str> {
        let mut encoders: Vec<&str> = Vec::new();
        for cell in &self.cells {
            if !encoders.contains(&cell.encoder.as_str()) {
                encoders.push(&cell.encoder);
            }
        }
        encoders
    }

    /// Protocols and labels of the report, in order.
    #[must_use]
    pub fn series(&self) -> Vec<Series> {
        let mut series: Vec<Series> = self.cells.iter().map(|cell| cell.series).collect();
        series.sort_unstable();
        series.dedup();
        series
    }

    /// `(layer, summary)` of one encoder, by layer; without all layers together.
    #[must_use]
    pub fn layers(&self, encoder: &str, series: Series) -> Vec<(usize, Summary)> {
        let found = |c: &&Cell| c.encoder == encoder && c.series == series && c.layer != ALL_LAYERS;
        let of_encoder = self.cells.iter().filter(found);
        let mut layers: Vec<_> =
            of_encoder.filter_map(|cell| Some((cell.layer, cell.summary()?))).collect();
        layers.sort_unstable_by_key(|&(layer, _)| layer);
        layers
    }

    /// The report as JSON; the inverse of [`Report::from_json`].
    ///
    /// # Errors
    ///
    /// [`Error::Json`] if the writer fails.
    pub fn to_json(&self) -> Result<String, Error> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// Reads what [`Report::to_json`] wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Json`] if `json` is not such a report.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        Ok(serde_json::from_str(json)?)
    }

    /// Reads a report from a file.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the file cannot be read; [`Error::Json`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let json = std::fs::read_to_string(path)
            .map_err(|source| Error::File { path: path.to_owned(), source })?;
        Self::from_json(&json)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn report() -> Report {
        let mut report = Report::new("glyphs & strokes", "glyphs <test>", 10);
        for protocol in [Protocol::Paper, Protocol::Standardised] {
            for labels in [Labels::PerClass(10), Labels::All(3000)] {
                for layer in 1..=2 {
                    for seed in 0..3 {
                        let accuracy = 40.1 + layer as f64 / 3.0 + seed as f64;
                        let series = Series { protocol, labels };
                        report.record("clapp", layer, series, seed, accuracy).unwrap();
                    }
                }
            }
        }
        report
    }

    #[test]
    fn json_round_trip_keeps_every_bit() {
        let report = report();
        assert_eq!(Report::from_json(&report.to_json().unwrap()).unwrap(), report);
    }

    #[test]
    fn files_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        std::fs::write(&path, report().to_json().unwrap()).unwrap();
        assert_eq!(Report::load(&path).unwrap(), report());
        let missing = Report::load(&folder.path().join("none.json")).unwrap_err();
        assert!(matches!(missing, Error::File { .. }));
    }

    #[test]
    fn a_seed_recorded_twice_and_fractions_over_100_are_refused() {
        let mut report = report();
        let series = Series { protocol: Protocol::Paper, labels: Labels::All(3000) };
        let mut refused = |seed, accuracy| {
            report.record("clapp", 1, series, seed, accuracy).unwrap_err().to_string()
        };
        let place = "in clapp, layer 1 (paper, all 3000 labels)";
        let twice =
            format!("report: expected each seed once, got seed 0 again {place}; use another seed");
        assert_eq!(refused(0, 1.0), twice);
        let large =
            format!("report: expected an accuracy in percent (0–100), got 101 {place}; scale it");
        assert_eq!(refused(9, 101.0), large);
        assert!(report.record("clapp", 1, series, 9, f64::NAN).is_err());
    }
}
