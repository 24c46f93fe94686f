//! Whether learning helps: the last layer against other encoders and against the first layer.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Report, Series, Summary};

/// How far one set of accuracies lies above another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Margin {
    /// Difference of the means in percentage points; negative if below.
    pub points: f64,
    /// Where it lies beside the spread over seeds.
    #[serde(default)]
    pub spread: Spread,
}

/// Where accuracies over several seeds lie beside others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spread {
    /// Every seed above every other's.
    Above,
    /// Neither above nor below.
    Within,
    /// Every seed below every other's.
    Below,
    /// Not known: one of them has fewer than two seeds.
    #[default]
    Unknown,
}

impl Margin {
    /// Of accuracies above others.
    #[must_use]
    pub fn of(upper: &Summary, lower: &Summary) -> Self {
        let spread = match upper.seeds > 1 && lower.seeds > 1 {
            false => Spread::Unknown,
            true if upper.min > lower.max => Spread::Above,
            true if upper.max < lower.min => Spread::Below,
            true => Spread::Within,
        };
        Self { points: upper.mean - lower.mean, spread }
    }
}

impl fmt::Display for Margin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spread = match self.spread {
            Spread::Above => "above, by more than the spread over seeds",
            Spread::Below => "below, by more than the spread over seeds",
            Spread::Within => "within the spread over seeds",
            Spread::Unknown => "spread unknown: fewer than two seeds",
        };
        write!(f, "{:+.1} points ({spread})", self.points)
    }
}

/// The last layer of one encoder against the best layer of another and its own first layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Name of the encoder in question.
    pub encoder: String,
    /// Name of the other encoder.
    pub other: String,
    /// Protocol and labels of all numbers here.
    pub series: Series,
    /// Last layer of the encoder.
    pub last: (usize, Summary),
    /// Layer of the other encoder with the largest mean; of equals the lower.
    pub best_other: (usize, Summary),
    /// First layer of the encoder.
    pub first: (usize, Summary),
    /// Last layer above the other's best.
    pub over_other: Margin,
    /// Last layer above the own first; 0 points if there is one layer only.
    pub over_first: Margin,
}

/// The layer with the largest mean; of equals the lower.
fn best(layers: &[(usize, Summary)]) -> Option<(usize, Summary)> {
    layers.iter().copied().reduce(
        |best, layer| {
            if layer.1.mean > best.1.mean { layer } else { best }
        },
    )
}

impl Report {
    /// The layer of an encoder with the largest mean, of equals the lower; none without numbers.
    #[must_use]
    pub fn best(&self, encoder: &str, series: Series) -> Option<(usize, Summary)> {
        best(&self.layers(encoder, series))
    }

    /// By how much the last layer of `encoder` exceeds the best layer of `other` and its own first
    /// layer, and whether by more than the spread over seeds.
    ///
    /// Measuring against the *best* layer of a control is the strict comparison: a random encoder
    /// often reads best at a lower layer.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if `encoder` or `other` has none in `series`.
    ///
    /// # Example
    ///
    /// ```
    /// use clapp_eval::{Labels, Protocol, Report, Series, Spread};
    ///
    /// let mut report = Report::new("glyphs", "glyphs", 10);
    /// let series = Series { protocol: Protocol::Paper, labels: Labels::All(5000) };
    /// for seed in 0..2 {
    ///     report.record("clapp", 1, series, seed, 50.0 + seed as f64)?;
    ///     report.record("clapp", 2, series, seed, 60.0 + seed as f64)?;
    ///     report.record("random encoder", 1, series, seed, 60.5)?;
    /// }
    /// let comparison = report.compare("clapp", "random encoder", series)?;
    /// assert_eq!(comparison.over_first.spread, Spread::Above);
    /// assert_eq!(comparison.over_other.spread, Spread::Within); // 60, 61 against 60.5
    /// # Ok::<(), clapp_eval::Error>(())
    /// ```
    pub fn compare(&self, encoder: &str, other: &str, series: Series) -> Result<Comparison, Error> {
        let layers = |name: &str| {
            let layers = self.layers(name, series);
            match layers.is_empty() {
                false => Ok(layers),
                true => {
                    let expected = format!("numbers of {name} ({series})");
                    Err(Error::invalid("report", expected, "none", "record them first"))
                }
            }
        };
        let own = layers(encoder)?;
        let others = layers(other)?;
        let (first, last) = (own[0], own[own.len() - 1]);
        let best_other = best(&others).unwrap_or(others[0]);
        Ok(Comparison {
            encoder: encoder.to_owned(),
            other: other.to_owned(),
            series,
            over_other: Margin::of(&last.1, &best_other.1),
            over_first: Margin::of(&last.1, &first.1),
            last,
            best_other,
            first,
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { encoder, other, series, last, best_other, first, .. } = self;
        write!(
            f,
            "{encoder}, layer {}: {:.1} % ({series}); against {other}, best layer {}: {}; \
             against its own layer {}: {}",
            last.0, last.1.mean, best_other.0, self.over_other, first.0, self.over_first,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Labels, Protocol};

    const SERIES: Series = Series { protocol: Protocol::Standardised, labels: Labels::All(10) };

    #[test]
    fn the_best_layer_of_the_other_is_found_wherever_it_is() {
        let mut report = Report::new("a", "a", 2);
        for (layer, accuracy) in [(1, 70.0), (2, 75.0), (3, 60.0)] {
            report.record("random encoder", layer, SERIES, 1, accuracy).unwrap();
            report.record("clapp", layer, SERIES, 1, accuracy + 10.0).unwrap();
        }
        let comparison = report.compare("clapp", "random encoder", SERIES).unwrap();
        assert_eq!((comparison.best_other.0, comparison.last.0, comparison.first.0), (2, 3, 1));
        assert_eq!((comparison.over_other.points, comparison.over_first.points), (-5.0, -10.0));
    }

    #[test]
    fn a_single_seed_leaves_the_spread_unknown() {
        let mut report = Report::new("a", "a", 2);
        report.record("clapp", 1, SERIES, 1, 90.0).unwrap();
        report.record("raw pixels", 0, SERIES, 1, 10.0).unwrap();
        let comparison = report.compare("clapp", "raw pixels", SERIES).unwrap();
        assert_eq!(comparison.over_other.spread, Spread::Unknown);
        assert!(comparison.to_string().contains("+80.0 points (spread unknown"));
    }

    #[test]
    fn a_margin_lies_above_within_or_below_the_spread() {
        let margin = |own: [f64; 2]| {
            let mut report = Report::new("a", "a", 2);
            for seed in [1, 2] {
                report.record("clapp", 1, SERIES, seed, own[seed as usize - 1]).unwrap();
                report.record("random encoder", 1, SERIES, seed, 50.0 + seed as f64).unwrap();
            }
            report.compare("clapp", "random encoder", SERIES).unwrap().over_other.to_string()
        };
        assert_eq!(margin([53.0, 54.0]), "+2.0 points (above, by more than the spread over seeds)");
        assert_eq!(margin([51.0, 54.0]), "+1.0 points (within the spread over seeds)");
        assert_eq!(margin([52.0, 50.0]), "-0.5 points (within the spread over seeds)");
        assert_eq!(margin([40.0, 50.0]), "-6.5 points (below, by more than the spread over seeds)");
    }

    #[test]
    fn an_encoder_without_numbers_is_named() {
        let error = Report::new("a", "a", 2).compare("clapp", "raw pixels", SERIES).unwrap_err();
        assert!(error.to_string().contains("clapp"));
    }
}
