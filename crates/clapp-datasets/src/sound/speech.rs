//! What recorded speech is to the rest of the workspace.

use std::sync::Arc;

use super::frames::Framing;
use crate::Error;

/// What is known of an utterance without decoding it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Utterance {
    /// Its name, unique within a source, such as `103-1240-0000`.
    pub id: String,
    /// Who speaks, if that is known.
    pub speaker: Option<String>,
    /// The chapter read, if there are chapters.
    pub chapter: Option<String>,
    /// Its length in samples at 16 kHz.
    pub samples: usize,
}

/// Utterances that can be read in any order, from any thread.
///
/// Samples are amplitudes: full scale is ±1, the rate is [`RATE`](super::RATE), there is one
/// channel. [`Scaling`](super::Scaling) makes of them what a network sees. Implementers are
/// [`SpeechFiles`](super::SpeechFiles), which decodes on demand, and [`InMemory`](super::InMemory), which does not;
/// [`SpeechLoader`](super::SpeechLoader) is deliberately none: it yields batches in an order of its
/// own.
///
/// Like [`ImageSource`](crate::ImageSource), the trait asks for plain facts about a data set, none
/// of which has a default that would be right for most.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Error, sound::{SpeechSource, Utterance}};
///
/// /// One second of a saw.
/// struct Saw(Utterance);
/// impl SpeechSource for Saw {
///     fn len(&self) -> usize { 1 }
///     fn utterance(&self, _: usize) -> &Utterance { &self.0 }
///     fn read(&self, _: usize, start: usize, into: &mut [f32]) -> Result<(), Error> {
///         into.iter_mut().zip(start..).for_each(|(a, i)| *a = (i % 64) as f32 / 32.0 - 1.0);
///         Ok(())
///     }
///     fn labels(&self, _: usize) -> Option<&[u8]> { None }
///     fn classes(&self) -> usize { 0 }
///     fn name(&self) -> &str { "saw" }
/// }
///
/// let utterance = Utterance { id: "saw".into(), speaker: None, chapter: None, samples: 16_000 };
/// let mut two = [0.0; 2];
/// Saw(utterance).read(0, 31, &mut two)?;
/// assert_eq!(two, [-1.0 / 32.0, 0.0]);
/// # Ok::<(), Error>(())
/// ```
pub trait SpeechSource: Send + Sync {
    /// The number of utterances.
    fn len(&self) -> usize;

    /// What is known of utterance `index` without decoding it.
    ///
    /// # Panics
    /// `index` is not below [`len`](Self::len).
    fn utterance(&self, index: usize) -> &Utterance;

    /// Writes the amplitudes of utterance `index` from sample `start` on, full scale ±1.
    ///
    /// # Errors
    /// The storage fails, or what is stored does not decode.
    ///
    /// # Panics
    /// `index` is not below [`len`](Self::len), or the utterance ends before `into` is full.
    fn read(&self, index: usize, start: usize, into: &mut [f32]) -> Result<(), Error>;

    /// One class per 10 ms, as many as [`framing`](Self::framing) says; `None` without labels.
    ///
    /// # Panics
    /// `index` is not below [`len`](Self::len).
    fn labels(&self, index: usize) -> Option<&[u8]>;

    /// The number of classes that labels count; 0 without labels.
    fn classes(&self) -> usize;

    /// A short name for messages and logs, such as `librispeech/train-clean-100`.
    fn name(&self) -> &str;

    /// Which samples a label describes: [`Framing::Windows`] unless the source says otherwise.
    fn framing(&self) -> Framing {
        Framing::Windows
    }

    /// True if there is no utterance.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All amplitudes of utterance `index`.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    ///
    /// # Panics
    /// `index` is not below [`len`](Self::len).
    fn read_whole(&self, index: usize) -> Result<Vec<f32>, Error> {
        let mut samples = vec![0.0; self.utterance(index).samples];
        self.read(index, 0, &mut samples)?;
        Ok(samples)
    }
}

macro_rules! delegate {
    ($($pointer:ty),*) => {$(
        impl<S: SpeechSource + ?Sized> SpeechSource for $pointer {
            fn len(&self) -> usize {
                (**self).len()
            }
            fn utterance(&self, index: usize) -> &Utterance {
                (**self).utterance(index)
            }
            fn read(&self, index: usize, start: usize, into: &mut [f32]) -> Result<(), Error> {
                (**self).read(index, start, into)
            }
            fn labels(&self, index: usize) -> Option<&[u8]> {
                (**self).labels(index)
            }
            fn classes(&self) -> usize {
                (**self).classes()
            }
            fn framing(&self) -> Framing {
                (**self).framing()
            }
            fn name(&self) -> &str {
                (**self).name()
            }
        }
    )*};
}
delegate!(&S, Box<S>, Arc<S>);

/// Panics unless the arguments keep the contract of [`SpeechSource::read`].
pub(super) fn assert_read(source: &dyn SpeechSource, index: usize, start: usize, count: usize) {
    let (name, len) = (source.name(), source.len());
    assert!(index < len, "{name}: expected an index below {len}, got {index}");
    let Utterance { id, samples, .. } = source.utterance(index);
    let end = start + count;
    assert!(
        end <= *samples,
        "{name}, {id}: expected samples within 0..{samples}, got {start}..{end}"
    );
}
