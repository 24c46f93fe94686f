//! What cannot be used, why, and what becomes of the rest.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Error;

/// What becomes of a file, a line or an item that cannot be used.
///
/// In configurations it is `Refuse` or `Skip`; `stop` and `skip` are read as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnBad {
    /// The first one is an error.
    #[default]
    #[serde(alias = "stop")]
    Refuse,
    /// It is left out and listed in [`Skipped`].
    #[serde(alias = "skip")]
    Skip,
}

/// What was left out, each with its error: what was wrong, and where.
///
/// # Example
///
/// ```
/// use clapp_datasets::{OnBad, sound::PhoneLabels};
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
pub struct Skipped {
    entries: Vec<(String, Error)>,
}

impl Skipped {
    /// Names and reasons, in order; a name is empty where the reason says enough.
    #[must_use]
    pub fn entries(&self) -> &[(String, Error)] {
        &self.entries
    }

    /// Why, one error each.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Error> {
        self.entries.iter().map(|(_, reason)| reason)
    }

    /// How many were left out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Passes a good result on; keeps an error if `on_bad` says so.
    pub(crate) fn sift<T>(
        &mut self,
        result: Result<T, Error>,
        on_bad: OnBad,
    ) -> Result<Option<T>, Error> {
        match result {
            Ok(good) => Ok(Some(good)),
            Err(reason) => self.add("", reason, on_bad).map(|()| None),
        }
    }

    /// Adds what has a name, or returns the reason if the first is an error.
    pub(crate) fn add(&mut self, name: &str, reason: Error, on_bad: OnBad) -> Result<(), Error> {
        match on_bad {
            OnBad::Refuse => Err(reason),
            OnBad::Skip => {
                self.entries.push((name.to_owned(), reason));
                Ok(())
            }
        }
    }

    /// Fewer utterances than are needed; one reason stands for all that were skipped.
    pub(crate) fn too_few_utterances(
        &self,
        what: &str,
        expected: usize,
        got: usize,
        place: impl fmt::Display,
    ) -> Error {
        let skipped = self.iter().next().map_or_else(String::new, |first| {
            format!(", or mend what was skipped, {} in all; the first: {first}", self.len())
        });
        let (expected, advice) =
            (format!("at least {expected} utterances"), format!("add data{skipped}"));
        Error::too_few(what, expected, got, place, advice)
    }

    /// Not one clip of `of` can be used; the first reason stands for all.
    pub(crate) fn no_clips(&self, what: &str, of: usize, place: impl fmt::Display) -> Error {
        let reason = self.iter().next().map_or("add videos".to_owned(), ToString::to_string);
        no_clips(what, of, place, reason)
    }
}

/// Not one clip of `of` can be used.
pub(crate) fn no_clips(
    what: &str,
    of: usize,
    place: impl fmt::Display,
    advice: impl fmt::Display,
) -> Error {
    Error::too_few(what, "at least one usable clip", format!("none of {of}"), place, advice)
}

/// The number, then one line for all of equal reason.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing was skipped");
        }
        let mut names: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, reason) in &self.entries {
            names.entry(reason.to_string()).or_default().push(name);
        }
        write!(f, "{} skipped", self.len())?;
        for (reason, names) in names {
            match &names[..] {
                ["", ..] => write!(f, "\n  {reason}")?,
                [name] => write!(f, "\n  {name}: {reason}")?,
                [first, rest @ ..] => write!(f, "\n  {first} and {} more: {reason}", rest.len())?,
                [] => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent(path: &str) -> Error {
        Error::silence(3, path.as_ref())
    }

    #[test]
    fn equal_reasons_share_a_line() {
        let mut skipped = Skipped::default();
        for (name, path) in [("a", "x"), ("b", "x"), ("c", "y")] {
            skipped.add(name, silent(path), OnBad::Skip).unwrap();
        }
        let text = skipped.to_string();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("a and 1 more: sound: "), "{text}");
        assert!(text.contains("c: sound: "), "{text}");
    }

    #[test]
    fn the_first_can_stop_everything() {
        let mut skipped = Skipped::default();
        assert!(skipped.add("a", silent("x"), OnBad::Refuse).is_err());
        assert!(skipped.is_empty());
    }

    #[test]
    fn configurations_of_every_sense_are_read() {
        for (text, on_bad) in [
            ("\"Refuse\"", OnBad::Refuse),
            ("\"Skip\"", OnBad::Skip),
            ("\"stop\"", OnBad::Refuse),
            ("\"skip\"", OnBad::Skip),
        ] {
            assert_eq!(serde_json::from_str::<OnBad>(text).unwrap(), on_bad);
        }
        assert_eq!(serde_json::to_string(&OnBad::Refuse).unwrap(), "\"Refuse\"");
    }
}
