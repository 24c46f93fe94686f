//! What becomes of bad files and lines.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Error;

/// What becomes of a file, a line or an utterance that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnBad {
    /// It is an error, and nothing is opened.
    #[default]
    Refuse,
    /// It is left out and counted, see [`Skipped`].
    Skip,
}

/// What was left out, each with its error: file, line and what was wrong.
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::{OnBad, PhoneLabels};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("labels.txt");
/// std::fs::write(&path, "a 0 1 1\nb 0 one 1\n").unwrap();
/// let labels = PhoneLabels::read(&path, 2, OnBad::Skip)?;
/// assert_eq!(labels.skipped().len(), 1);
/// assert!(labels.skipped().to_string().contains("got \"one\" at line 2 in"));
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Skipped(Vec<Error>);

impl Skipped {
    /// How many were left out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Why, one error each.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Error> {
        self.0.iter()
    }

    /// Passes a good result on; keeps an error if `on_bad` says so.
    pub(super) fn sift<T>(
        &mut self,
        result: Result<T, Error>,
        on_bad: OnBad,
    ) -> Result<Option<T>, Error> {
        match (result, on_bad) {
            (Ok(good), _) => Ok(Some(good)),
            (Err(error), OnBad::Refuse) => Err(error),
            (Err(error), OnBad::Skip) => {
                self.0.push(error);
                Ok(None)
            }
        }
    }
}

/// The number, then one error a line.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} skipped", self.len())?;
        self.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}
