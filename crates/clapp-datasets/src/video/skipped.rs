//! What could not be used, and why.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Error;

/// What becomes of the rest when one clip cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Faulty {
    /// The clip is left out and listed as [`Skipped`].
    #[default]
    Skip,
    /// The first such clip is an error.
    Stop,
}

/// The clips that were left out, each with its reason.
///
/// # Example
///
/// ```
/// use clapp_datasets::video::Skipped;
///
/// assert_eq!(Skipped::default().to_string(), "no clip was skipped");
/// ```
#[derive(Debug, Default)]
pub struct Skipped {
    entries: Vec<(String, Error)>,
}

impl Skipped {
    /// Names and reasons, in the order of the list.
    #[must_use]
    pub fn entries(&self) -> &[(String, Error)] {
        &self.entries
    }

    /// The number of clips left out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if every clip can be used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a clip, or returns the reason if the first is to stop everything.
    pub(crate) fn add(&mut self, clip: &str, reason: Error, faulty: Faulty) -> Result<(), Error> {
        match faulty {
            Faulty::Stop => Err(reason),
            Faulty::Skip => {
                self.entries.push((clip.to_owned(), reason));
                Ok(())
            }
        }
    }

    /// The first reason, for an error that says that nothing is left.
    pub(crate) fn first(&self) -> String {
        self.entries.first().map_or_else(|| "add videos".to_owned(), |(_, why)| why.to_string())
    }
}

/// One line a clip, but one line for all clips of equal reason.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("no clip was skipped");
        }
        let mut clips: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (clip, reason) in &self.entries {
            clips.entry(reason.to_string()).or_default().push(clip);
        }
        write!(f, "skipped {} clips", self.len())?;
        for (reason, clips) in clips {
            match &clips[..] {
                [clip] => write!(f, "\n  {clip}: {reason}")?,
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

    fn empty(folder: &str) -> Error {
        Error::EmptyClass { path: folder.into() }
    }

    #[test]
    fn equal_reasons_share_a_line() {
        let mut skipped = Skipped::default();
        for (clip, folder) in [("a", "x"), ("b", "x"), ("c", "y")] {
            skipped.add(clip, empty(folder), Faulty::Skip).unwrap();
        }
        let text = skipped.to_string();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("a and 1 more: class folder: "), "{text}");
        assert!(text.contains("c: class folder: "), "{text}");
    }

    #[test]
    fn the_first_can_stop_everything() {
        let mut skipped = Skipped::default();
        assert!(skipped.add("a", empty("x"), Faulty::Stop).is_err());
        assert!(skipped.is_empty());
    }
}
