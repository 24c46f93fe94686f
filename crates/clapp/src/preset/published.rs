//! Rows of published tables, and the runs that would measure them again.

use std::fmt;

use super::{Presets, preset};
use crate::{Error, RunConfig};

/// A row of a published table.
///
/// # Paper
/// Illing et al. 2021: Table 1 on every sense, Tables 4, 6 and Appendix C on images (Table 3 has the splits of Table 6);
/// Wu et al. 2026 (CLAPP++), whose table has SoftHebb, LPL and SCFF beside its own; Journé et al. 2023 (SoftHebb).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// Name: table, data and method.
    pub name: &'static str,
    /// Method, by the names of this library.
    pub method: &'static str,
    /// Accuracy in percent, by the read-out of its publication: rows of different tables cannot be compared.
    pub accuracy: f64,
    /// How the run differs from what was published, or what is known of it; may be empty.
    pub note: &'static str,
}

/// The control that stands in the table of every run.
pub(crate) const RANDOM: &str = crate::readout::RANDOM_ENCODER;

pub(crate) const fn row(
    name: &'static str,
    method: &'static str,
    accuracy: f64,
    note: &'static str,
) -> Published {
    Published { name, method, accuracy, note }
}

impl Published {
    /// Name of the data, as the name of the row has it: `stl10`, `cifar10`, `librispeech` or `ucf101`.
    #[must_use]
    pub fn data(&self) -> &'static str {
        self.name.split('/').nth(1).unwrap_or_default()
    }

    /// The row of a name.
    pub(crate) fn find(rows: &'static [Self], name: &str) -> Result<&'static Self, Error> {
        rows.iter().find(|row| row.name == name).ok_or_else(|| {
            let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
            Error::name("row", &names.join(", "), name)
        })
    }

    /// The preset `paper` of the row's method, by the row's name.
    pub(crate) fn run<S: Presets>(&self, data: &S, seeds: &[u64]) -> Result<RunConfig<S>, Error> {
        if self.method == RANDOM {
            let advice = "run another row of the data, its table has both";
            let found = format!("the {RANDOM}");
            return Err(Error::misfit_of("row", "a method that learns", found, advice));
        }
        let mut config = preset("paper", self.method, data, seeds)?;
        config.preset = self.name.replace('/', "-");
        Ok(config)
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, method, accuracy, note } = self;
        write!(f, "{name:<40} {accuracy:>6.2} %  {method:<22} {note}")
    }
}
