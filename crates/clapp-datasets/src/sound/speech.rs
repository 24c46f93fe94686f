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
/// [`SpeechFiles`](super::SpeechFiles), which decodes on demand, and [`InMemory`], which does not;
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

/// An utterance with its samples and labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// What is known of it; `samples` is set by [`InMemory::new`].
    pub utterance: Utterance,
    /// Amplitudes at 16 kHz, full scale ±1.
    pub samples: Vec<f32>,
    /// One class per 10 ms.
    pub labels: Option<Vec<u8>>,
}

/// Utterances held in memory: decoded once, synthetic, or from elsewhere.
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::{InMemory, Recording, SpeechSource, Utterance};
///
/// let utterance = Utterance { id: "a".into(), speaker: None, chapter: None, samples: 0 };
/// let recording = Recording { utterance, samples: vec![0.5; 720], labels: Some(vec![0, 1, 1]) };
/// let source = InMemory::new("one", vec![recording], 2)?;
/// assert_eq!((source.utterance(0).samples, source.labels(0)), (720, Some(&[0, 1, 1][..])));
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct InMemory {
    name: String,
    recordings: Vec<Recording>,
    classes: usize,
    framing: Framing,
}

impl InMemory {
    /// Checks and joins recordings; labels count `classes` classes, 0 if there are no labels, and
    /// describe windows of 25 ms.
    ///
    /// # Errors
    /// [`Error::PhoneCount`] or [`Error::PhoneLabel`] if labels do not fit their recording; the
    /// line named is the recording, counted from 1.
    pub fn new(
        name: impl Into<String>,
        recordings: Vec<Recording>,
        classes: usize,
    ) -> Result<Self, Error> {
        Self::framed(name, recordings, classes, Framing::Windows)
    }

    /// As [`new`](Self::new), with labels that describe other samples.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn framed(
        name: impl Into<String>,
        mut recordings: Vec<Recording>,
        classes: usize,
        framing: Framing,
    ) -> Result<Self, Error> {
        let name = name.into();
        for (index, recording) in recordings.iter_mut().enumerate() {
            let samples = recording.samples.len();
            recording.utterance.samples = samples;
            let Some(labels) = &recording.labels else { continue };
            let (line, path) = (index + 1, name.clone().into());
            let (expected, got) = (framing.labels(samples), labels.len());
            if got != expected {
                let id = recording.utterance.id.clone();
                return Err(Error::PhoneCount { expected, got, id, samples, line, path });
            }
            if let Some(label) = labels.iter().find(|&&label| usize::from(label) >= classes) {
                let (largest, got) = (classes.saturating_sub(1), label.to_string());
                return Err(Error::PhoneLabel { largest, got, line, path });
            }
        }
        Ok(Self { name, recordings, classes, framing })
    }

    /// A copy of all utterances and labels of another source, so that later reads decode nothing.
    ///
    /// # Errors
    /// Those of the source.
    ///
    /// # Cost
    /// Four bytes a sample: 230 MB for an hour.
    pub fn copy_of(source: &dyn SpeechSource) -> Result<Self, Error> {
        let recording = |index: usize| {
            Ok(Recording {
                utterance: source.utterance(index).clone(),
                samples: source.read_whole(index)?,
                labels: source.labels(index).map(<[u8]>::to_vec),
            })
        };
        let recordings = (0..source.len()).map(recording).collect::<Result<_, Error>>()?;
        Self::framed(source.name(), recordings, source.classes(), source.framing())
    }
}

impl SpeechSource for InMemory {
    fn len(&self) -> usize {
        self.recordings.len()
    }

    fn utterance(&self, index: usize) -> &Utterance {
        &self.recordings[index].utterance
    }

    fn read(&self, index: usize, start: usize, into: &mut [f32]) -> Result<(), Error> {
        assert_read(self, index, start, into.len());
        into.copy_from_slice(&self.recordings[index].samples[start..start + into.len()]);
        Ok(())
    }

    fn labels(&self, index: usize) -> Option<&[u8]> {
        self.recordings[index].labels.as_deref()
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn framing(&self) -> Framing {
        self.framing
    }

    fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(samples: usize, labels: Option<Vec<u8>>) -> Recording {
        let utterance = Utterance { id: "u".into(), speaker: None, chapter: None, samples: 0 };
        let samples = (0..samples).map(|i| i as f32 / 1e4).collect();
        Recording { utterance, samples, labels }
    }

    #[test]
    fn a_part_of_an_utterance_is_read_from_its_start() {
        let source = InMemory::new("one", vec![recording(1_000, None)], 0).unwrap();
        let mut part = [0.0; 2];
        source.read(0, 998, &mut part).unwrap();
        assert_eq!(part, [0.0998, 0.0999]);
    }

    #[test]
    fn a_copy_equals_its_source() {
        let recordings = vec![recording(560, Some(vec![1, 0])), recording(90, None)];
        let source = InMemory::new("two", recordings, 2).unwrap();
        assert_eq!(InMemory::copy_of(&source).unwrap().recordings, source.recordings);
    }

    #[test]
    fn labels_that_do_not_fit_are_refused() {
        let error = |labels| InMemory::new("a", vec![recording(560, Some(labels))], 2).unwrap_err();
        assert_eq!(
            error(vec![0]).to_string(),
            "phone labels: expected 2 for utterance u (560 samples), got 1 at line 1 in a; is \
             this the right file and Framing?"
        );
        assert!(
            error(vec![0, 2]).to_string().starts_with("phone labels: expected a label in 0..=1")
        );
    }

    #[test]
    #[should_panic(expected = "one, u: expected samples within 0..1000, got 999..1001")]
    fn samples_beyond_the_end_panic_with_the_numbers() {
        let source = InMemory::new("one", vec![recording(1_000, None)], 0).unwrap();
        let _ = source.read(0, 999, &mut [0.0; 2]);
    }
}
