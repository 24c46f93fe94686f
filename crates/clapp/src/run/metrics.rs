//! What a run says of every step.

use std::borrow::Cow;

use clapp_rules::Watched;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeMap,
};

use crate::Error;

/// Metrics of one step, as they stand in `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Step of the run, from 1; seeds follow each other.
    pub step: u64,
    /// Seed.
    pub seed: u64,
    /// What was seen or heard with this seed.
    #[serde(flatten)]
    pub seen: Amount,
    /// Loss of every layer, or of the one loss that all layers learn from.
    pub loss: Vec<f64>,
    /// Fraction of open gates of every layer; empty where there are no gates.
    pub open_gates: Vec<f64>,
    /// Contrastive accuracy of every layer, or with labels that of its read-out; may be empty.
    pub accuracy: Vec<f64>,
}

impl StepMetrics {
    /// # Errors
    ///
    /// [`Error::NotFinite`] if a loss is no number.
    pub(crate) fn new(
        layers: LayerMetrics,
        step: u64,
        seed: u64,
        seen: Amount,
    ) -> Result<Self, Error> {
        let LayerMetrics { loss, open_gates, accuracy } = layers;
        if let Some(layer) = loss.iter().position(|loss| !loss.is_finite()) {
            let (layer, loss) = (layer + 1, loss[layer]);
            return Err(Error::NotFinite { layer, step, loss });
        }
        Ok(Self { step, seed, seen, loss, open_gates, accuracy })
    }
}

/// What a step says of every layer that has a loss; what a method does not have stays empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerMetrics {
    /// Losses.
    pub loss: Vec<f64>,
    /// Fractions of open gates.
    pub open_gates: Vec<f64>,
    /// Accuracies, as fractions.
    pub accuracy: Vec<f64>,
}

impl LayerMetrics {
    /// The metrics of layers that learnt by a rule, from the input up.
    #[must_use]
    pub fn watched(layers: &[Watched]) -> Self {
        let monitors: Vec<_> = layers.iter().map(Watched::monitor).collect();
        Self {
            loss: monitors.iter().map(|monitor| monitor.loss).collect(),
            open_gates: monitors.iter().map(|monitor| monitor.open_gates).collect(),
            accuracy: monitors.iter().map(|monitor| monitor.accuracy).collect(),
        }
    }
}

/// A number of samples and what they are, in the plural; in JSON `"images": 32`.
///
/// ```
/// use clapp::run::Amount;
/// let seen = Amount::new("crops", 8);
/// assert_eq!(serde_json::to_string(&seen)?, r#"{"crops":8}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    /// Of what.
    pub unit: Cow<'static, str>,
    /// How many.
    pub count: u64,
}

impl Amount {
    /// So many of these.
    #[must_use]
    pub fn new(unit: &'static str, count: u64) -> Self {
        Self { unit: Cow::Borrowed(unit), count }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.unit, &self.count)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneEntry;
        impl<'de> Visitor<'de> for OneEntry {
            type Value = Amount;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a unit with a number")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Amount, A::Error> {
                let entry = map.next_entry::<String, u64>()?;
                let (unit, count) = entry.ok_or_else(|| de::Error::missing_field("unit"))?;
                Ok(Amount { unit: Cow::Owned(unit), count })
            }
        }
        deserializer.deserialize_map(OneEntry)
    }
}
