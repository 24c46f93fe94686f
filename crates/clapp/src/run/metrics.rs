//! Metrics of every step.

use std::collections::BTreeMap;

use clapp_rules::Metrics;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Metrics of one step, as they stand in `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Step of the run, from 1; seeds follow each other.
    pub step: u64,
    /// Seed.
    pub seed: u64,
    /// How many samples this seed has seen, by what they are: `images`, `crops`, `clips`.
    #[serde(flatten)]
    pub seen: BTreeMap<String, u64>,
    /// The layer, from 1, that the metrics are of, where it alone learnt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<usize>,
    /// Loss of every layer, or of the one loss that all layers learn from.
    pub loss: Vec<f64>,
    /// Fraction of open gates of every layer; empty where there are no gates.
    pub open_gates: Vec<f64>,
    /// Contrastive accuracy of every layer, or with labels that of its read-out; may be empty.
    pub accuracy: Vec<f64>,
    /// What else a rule says of every layer, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other: BTreeMap<String, Vec<f64>>,
    /// An early look, after the steps that [`RunConfig::probe_every`](crate::RunConfig::probe_every) says: of every layer
    /// the accuracy of [nearest neighbours](clapp_eval::Knn) on a few labelled training images, which are held out from
    /// the neighbours. No test image is looked at, and whatever [`only`](Self::only) says, all layers are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub look: Vec<f64>,
}

impl StepMetrics {
    /// # Errors
    ///
    /// [`Error::NotFinite`] if a loss, or another metric of a rule, is no number.
    pub(crate) fn new(
        layers: LayerMetrics,
        step: u64,
        seed: u64,
        (unit, seen): (&str, u64),
    ) -> Result<Self, Error> {
        let LayerMetrics { only, loss, open_gates, accuracy, other } = layers;
        // A rule without a loss says by its own metrics that it has gone astray.
        for values in std::iter::once(&loss).chain(other.values()) {
            if let Some(layer) = values.iter().position(|value| !value.is_finite()) {
                let (layer, loss) = (layer + only.unwrap_or(1), values[layer]);
                return Err(Error::NotFinite { layer, step, loss });
            }
        }
        let seen = BTreeMap::from([(unit.to_owned(), seen)]);
        Ok(Self { step, seed, seen, only, loss, open_gates, accuracy, other, look: Vec::new() })
    }

    /// The early look in a line.
    pub(crate) fn say_look(&self) -> String {
        let layers = self.look.iter().map(|accuracy| format!(" {:.1}", 100.0 * accuracy));
        match self.look.is_empty() {
            true => format!("step {}: no early look, for there are too few labels", self.step),
            false => {
                format!("step {}: layers read{} %, k-NN", self.step, layers.collect::<String>())
            }
        }
    }
}

/// Metrics of every layer that has a loss; what a method does not have stays empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerMetrics {
    /// The layer, from 1, that they are of, if it alone learnt.
    pub only: Option<usize>,
    /// Losses.
    pub loss: Vec<f64>,
    /// Fractions of open gates.
    pub open_gates: Vec<f64>,
    /// Accuracies, as fractions.
    pub accuracy: Vec<f64>,
    /// Metrics of other names.
    pub other: BTreeMap<String, Vec<f64>>,
}

impl LayerMetrics {
    /// The metrics of layers that learnt by a rule, from the input up.
    #[must_use]
    pub fn of(layers: &[Metrics]) -> Self {
        let mut metrics = Self::default();
        for (name, value) in layers.iter().flat_map(Metrics::read) {
            let values = match name {
                "loss" => &mut metrics.loss,
                "open_gates" => &mut metrics.open_gates,
                "accuracy" => &mut metrics.accuracy,
                other => metrics.other.entry(other.to_owned()).or_default(),
            };
            values.push(value);
        }
        metrics
    }
}
