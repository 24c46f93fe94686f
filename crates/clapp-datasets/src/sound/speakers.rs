//! Speakers as classes.

use super::speech::Recording;
use crate::source::Source;

/// Speakers, numbered in the order in which a source first has them.
///
/// # Paper
/// The speaker classifier of Löwe et al. 2019 numbers the speakers of `train_split.txt` so, and uses
/// the same numbers for the test part.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Source, sound::{Speakers, synthetic}};
///
/// let source = synthetic::utterances(2, synthetic::Part::Train, 3);
/// let speakers = Speakers::of(&source);
/// assert_eq!(speakers.number(&source, 0), Some(0));
/// assert_eq!(speakers.names()[0], *source.info(0).speaker.as_ref().expect("named"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Speakers {
    names: Vec<String>,
}

impl Speakers {
    /// The speakers of a source; utterances of unknown speakers are passed over.
    #[must_use]
    pub fn of(source: &dyn Source<Item = Recording>) -> Self {
        let mut speakers = Self::default();
        for index in 0..source.len() {
            let Some(speaker) = &source.info(index).speaker else { continue };
            if !speakers.names.contains(speaker) {
                speakers.names.push(speaker.clone());
            }
        }
        speakers
    }

    /// The number of the speaker of utterance `index` of a source; `None` if that speaker is not
    /// among these, or not known.
    ///
    /// # Panics
    /// `index` is not below the source's length.
    #[must_use]
    pub fn number(&self, source: &dyn Source<Item = Recording>, index: usize) -> Option<usize> {
        let speaker = source.info(index).speaker.as_ref()?;
        self.names.iter().position(|name| name == speaker)
    }

    /// The names, indexed by number.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}
