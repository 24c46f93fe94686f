//! What a source of speech holds.

use std::sync::Arc;

use super::frames::Framing;
use crate::Error;
use crate::source::{Item, Source, assert_index};

/// What is known of an utterance without decoding it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Utterance {
    /// Its name, unique within a source, such as `103-1240-0000`.
    pub id: String,
    /// Who speaks, if that is known.
    pub speaker: Option<String>,
    /// The chapter read, if there are chapters.
    pub chapter: Option<String>,
    /// Its length in samples at 16 kHz.
    pub samples: usize,
    /// One class per 10 ms, as many as `framing` says; `None` without labels.
    pub labels: Option<Arc<[u32]>>,
    /// Which samples a label describes.
    pub framing: Framing,
}

impl Utterance {
    /// An utterance of which nothing else is known.
    #[must_use]
    pub fn named(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// Checks that there are as many labels as frames; `line` of `place` is where they stand.
    pub(super) fn check_count(
        &self,
        labels: &[u32],
        framing: Framing,
        line: usize,
        place: impl std::fmt::Display,
    ) -> Result<(), Error> {
        let (expected, got) = (framing.labels(self.samples), labels.len());
        if got == expected {
            return Ok(());
        }
        let expected = format!("{expected} for utterance {} ({} samples)", self.id, self.samples);
        let advice = "is this the right file and Framing?";
        Err(Error::damaged(
            "phone labels",
            expected,
            format!("{got} at line {line}"),
            place,
            advice,
        ))
    }
}

/// An utterance in memory.
///
/// Samples are amplitudes: full scale is ±1, the rate is [`RATE`](super::RATE), there is one
/// channel. [`Scaling`](super::Scaling) makes of them what a network sees.
///
/// A source of recordings is read from a sample on, so that a crop need not cost a whole utterance.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Error, Source, sound::{Recording, Utterance}};
///
/// /// One second of a saw.
/// struct Saw(Utterance);
/// impl Source for Saw {
///     type Item = Recording;
///     fn len(&self) -> usize { 1 }
///     fn info(&self, _: usize) -> &Utterance { &self.0 }
///     fn read(&self, _: usize, (start, into): (usize, &mut [f32])) -> Result<(), Error> {
///         into.iter_mut().zip(start..).for_each(|(a, i)| *a = (i % 64) as f32 / 32.0 - 1.0);
///         Ok(())
///     }
///     fn name(&self) -> &str { "saw" }
/// }
///
/// let saw = Saw(Utterance { samples: 16_000, ..Utterance::named("saw") });
/// let mut two = [0.0; 2];
/// saw.read(0, (31, &mut two))?;
/// assert_eq!(two, [-1.0 / 32.0, 0.0]);
/// assert_eq!(saw.get(0)?.samples.len(), 16_000);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// What is known of it; `samples` is set by [`InMemory::new`](crate::InMemory::new).
    pub utterance: Utterance,
    /// Amplitudes at 16 kHz, full scale ±1.
    pub samples: Vec<f32>,
}

impl Item for Recording {
    type Info<'a> = &'a Utterance;
    type Part<'a> = (usize, &'a mut [f32]);
    type Label = Vec<u32>;
    const PLURAL: &'static str = "utterances";

    fn info(&self) -> &Utterance {
        &self.utterance
    }

    /// Samples.
    fn extent(info: &&Utterance) -> Vec<usize> {
        vec![info.samples]
    }

    fn copy(&self, (start, into): (usize, &mut [f32])) {
        into.copy_from_slice(&self.samples[start..start + into.len()]);
    }

    fn whole(source: &dyn Source<Item = Self>, index: usize) -> Result<Self, Error> {
        let utterance = source.info(index).clone();
        let mut samples = vec![0.0; utterance.samples];
        source.read(index, (0, &mut samples))?;
        Ok(Self { utterance, samples })
    }

    fn sample(source: &dyn Source<Item = Self>, index: usize) -> Result<Vec<u8>, Error> {
        let Self { utterance, samples } = Self::whole(source, index)?;
        let mut bytes: Vec<u8> = samples.into_iter().flat_map(f32::to_le_bytes).collect();
        bytes.extend(
            utterance
                .labels
                .iter()
                .flat_map(|labels| labels.iter())
                .flat_map(|label| label.to_le_bytes()),
        );
        Ok(bytes)
    }

    fn assert_part(
        source: &dyn Source<Item = Self>,
        index: usize,
        (start, into): &(usize, &mut [f32]),
    ) {
        assert_index(source, index);
        let (name, Utterance { id, samples, .. }) = (source.name(), source.info(index));
        let end = start + into.len();
        assert!(
            end <= *samples,
            "{name}, {id}: expected samples within 0..{samples}, got {start}..{end}"
        );
    }

    fn check(&mut self, classes: usize, place: &str, number: usize) -> Result<(), Error> {
        let Self { utterance, samples } = self;
        utterance.samples = samples.len();
        let Some(labels) = &utterance.labels else { return Ok(()) };
        let line = number + 1;
        utterance.check_count(labels, utterance.framing, line, place)?;
        match labels.iter().find(|&&label| label as usize >= classes) {
            None => Ok(()),
            Some(label) => Err(bad_label(classes, label, line, place)),
        }
    }
}

/// A word of a line of labels is no label below `classes`.
pub(super) fn bad_label(
    classes: usize,
    got: impl std::fmt::Display,
    line: usize,
    place: impl std::fmt::Display,
) -> Error {
    let expected = format!("a label in 0..={}", classes.saturating_sub(1));
    let advice = "correct the line or the number of classes";
    Error::damaged("phone labels", expected, format!("{got} at line {line}"), place, advice)
}
