//! Utterances held in memory.

use super::frames::Framing;
use super::speech::{SpeechSource, Utterance, assert_read};
use crate::Error;

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
        assert_eq!(part.map(f32::to_bits), [0.0998_f32, 0.0999].map(f32::to_bits));
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
