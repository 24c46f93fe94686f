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
}

/// The run that a published row would come out of: the preset `paper` of its method on its data.
///
/// # Errors
///
/// If there is no such row on these data, or it is of the random encoder, which stands in the table of every run; as
/// [`preset()`] for a method that this build does not have.
///
/// ```
/// use clapp::{Images, image::SizesConfig, preset::published};
/// let stl10 = Images::Stl10("stl10".into(), SizesConfig::Official);
/// let config = published("table-1/stl10/clapp", &stl10, &[2])?;
/// assert_eq!((config.method.as_str(), config.setup.images), ("clapp", 600 * 100_000));
/// # Ok::<(), clapp::Error>(())
/// ```
pub fn published<S: Presets>(name: &str, data: &S, seeds: &[u64]) -> Result<RunConfig<S>, Error> {
    let row = S::PUBLISHED.iter().find(|row| row.name == name).ok_or_else(|| {
        let names: Vec<&str> = S::PUBLISHED.iter().map(|row| row.name).collect();
        Error::name("row", &names.join(", "), name)
    })?;
    let given = data.published_as().unwrap_or("others");
    if given != row.data() {
        let expected = format!("the data {} of the row {name}", row.data());
        return Err(Error::misfit_of("row", expected, given, "name their folder"));
    }
    if row.method == RANDOM {
        let advice = "run another row of the data, its table has both";
        let found = format!("the {RANDOM}");
        return Err(Error::misfit_of("row", "a method that learns", found, advice));
    }
    let mut config = preset("paper", row.method, data, seeds)?;
    config.preset = row.name.replace('/', "-");
    S::amend(row, &mut config);
    config.validate()?;
    Ok(config)
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, method, accuracy, note } = self;
        write!(f, "{name:<40} {accuracy:>6.2} %  {method:<22} {note}")
    }
}
