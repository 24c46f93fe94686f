//! Some utterances of a source.

use super::frames::Framing;
use super::speech::{SpeechSource, Utterance};
use crate::Error;

/// Some utterances of a source, in an order of their own.
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::{SpeechSource, SpeechSubset, synthetic};
///
/// let source = synthetic::utterances(2, synthetic::Part::Train, 4);
/// let last = source.utterance(3).id.clone();
/// let subset = SpeechSubset::new(source, vec![3, 0])?;
/// assert_eq!((subset.len(), &subset.utterance(0).id), (2, &last));
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SpeechSubset<S> {
    source: S,
    indices: Vec<usize>,
}

impl<S: SpeechSource> SpeechSubset<S> {
    /// The utterances of `source` at `indices`.
    ///
    /// # Errors
    /// [`Error::SubsetIndex`] if the source has no utterance of that index.
    pub fn new(source: S, indices: Vec<usize>) -> Result<Self, Error> {
        let expected = source.len();
        match indices.iter().find(|index| **index >= expected) {
            None => Ok(Self { source, indices }),
            Some(&got) => {
                Err(Error::SubsetIndex { expected, got, place: source.name().to_owned() })
            }
        }
    }

    /// The indices into the source.
    #[must_use]
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl<S: SpeechSource> SpeechSource for SpeechSubset<S> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn utterance(&self, index: usize) -> &Utterance {
        self.source.utterance(self.indices[index])
    }

    fn read(&self, index: usize, start: usize, into: &mut [f32]) -> Result<(), Error> {
        self.source.read(self.indices[index], start, into)
    }

    fn labels(&self, index: usize) -> Option<&[u8]> {
        self.source.labels(self.indices[index])
    }

    fn classes(&self) -> usize {
        self.source.classes()
    }

    fn framing(&self) -> Framing {
        self.source.framing()
    }

    fn name(&self) -> &str {
        self.source.name()
    }
}
