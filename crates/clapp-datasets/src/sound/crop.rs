//! What is cut from an utterance, and which part of it a loss looks at.

use std::ops::Range;

use clapp_random::{Purpose, stream};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::frames::{Framing, HOP, outputs};
use super::scaling::Scaling;
use super::speech::Recording;
use crate::source::Source;
use crate::{Augment, Batcher, Error, Skipped, Visit};

/// The steps from an utterance to input of a network.
///
/// ```text
/// start ∈ {160, 320, …} below 160⌊N/160⌋ − crop → samples start .. start + crop → scaling
/// ```
/// Crops begin on the grid of outputs, so that a label belongs to the same part of a frame in every
/// crop.
///
/// # Paper
/// [`librispeech`](Self::librispeech) is the input of Löwe et al. 2019 and Illing et al. 2021: 20,480
/// samples, 1.28 s. Deviation: an utterance that has no start on this grid but is long enough for
/// a crop gives its first samples, where the authors' code fails.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Augment, sound::SpeechPipeline};
///
/// let pipeline = SpeechPipeline::librispeech();
/// assert_eq!(pipeline.starts(20_480 + 160 * 4 + 7), 3); // 160, 320, 480
/// let start = pipeline.start(16_000 * 12, Augment::Training, 2, 0, 7);
/// assert!(start % 160 == 0 && start + 20_480 <= 16_000 * 12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeechPipeline {
    /// Samples of a crop.
    pub crop: usize,
    /// Shift and scale.
    pub scaling: Scaling,
}

impl SpeechPipeline {
    /// LibriSpeech as in the paper: 20,480 samples.
    #[must_use]
    pub fn librispeech() -> Self {
        Self { crop: 128 * HOP, scaling: Scaling::librispeech() }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Config`] if the crop is empty or the scaling has no meaning.
    pub fn validate(&self) -> Result<(), Error> {
        if self.crop == 0 {
            return Err(Error::setting("crop", "at least 1 sample", 0));
        }
        self.scaling.validate()
    }

    /// Places at which a crop of an utterance of `samples` may begin; 0 if it is too short.
    #[must_use]
    pub fn starts(&self, samples: usize) -> usize {
        match self.grid(samples) {
            0 => usize::from(samples >= self.crop),
            places => places,
        }
    }

    /// Places on the grid.
    fn grid(&self, samples: usize) -> usize {
        let room = (samples / HOP * HOP).saturating_sub(self.crop);
        room.div_ceil(HOP).saturating_sub(1)
    }

    /// Decides which part of utterance `sample` is heard in `epoch`: uniform over all
    /// [`starts`](Self::starts), or the middle one in evaluation.
    ///
    /// The draw comes from the stream `(seed, Augmentation, [epoch, sample, 0, 0])`: it does not
    /// depend on batches or threads, and every epoch draws anew.
    ///
    /// # Panics
    /// The utterance is shorter than a crop.
    #[must_use]
    pub fn start(
        &self,
        samples: usize,
        augment: Augment,
        seed: u64,
        epoch: u64,
        sample: u64,
    ) -> usize {
        let crop = self.crop;
        assert!(samples >= crop, "crop: expected at least {crop} samples, got {samples}");
        let places = self.grid(samples);
        match augment {
            _ if places == 0 => 0,
            Augment::Evaluation => HOP * places.div_ceil(2),
            Augment::Training => {
                let mut draws = stream(seed, Purpose::Augmentation, [epoch, sample, 0, 0]);
                HOP * draws.random_range(1..=places as u64) as usize
            }
        }
    }
}

/// One crop of every utterance an epoch; those that are shorter than a crop are unfit.
///
/// ```
/// use clapp_datasets::{Loader, LoaderConfig, sound::{SpeechPipeline, synthetic}};
///
/// let source = synthetic::utterances(2, synthetic::Part::Unlabelled, 9);
/// let loader = Loader::new(source, SpeechPipeline::librispeech(), LoaderConfig::speech())?;
/// assert_eq!(loader.batches_per_epoch(), 1); // of 8; the ninth waits for another epoch
/// for batch in loader.epoch(0)? {
///     assert_eq!(batch?.shape, [8, 1, 20_480]);
/// }
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
impl Batcher for SpeechPipeline {
    type Item = Recording;
    type Shape = [usize; 3];

    fn check(&self, source: &dyn Source<Item = Recording>, index: usize) -> Result<(), Error> {
        let utterance = source.info(index);
        if utterance.samples >= self.crop {
            return Ok(());
        }
        let expected = format!("at least {} samples", self.crop);
        let place = format!("utterance {} of {}", utterance.id, source.name());
        let advice = "choose a shorter crop, or skip short utterances";
        Err(Error::unfit("crop", expected, utterance.samples, place, advice))
    }

    fn shape(&self, _: &dyn Source<Item = Recording>, _: usize) -> Result<[usize; 3], Error> {
        self.validate()?;
        Ok([1, 1, self.crop])
    }

    fn make(
        &self,
        source: &dyn Source<Item = Recording>,
        index: usize,
        Visit { seed, epoch, augment }: Visit,
        out: &mut [f32],
    ) -> Result<Option<Vec<u32>>, Error> {
        let utterance = source.info(index);
        let start = self.start(utterance.samples, augment, seed, epoch, index as u64);
        source.read(index, (start, out))?;
        self.scaling.apply(out);
        let of_crop = crop_labels(start, self.crop, utterance.samples, utterance.framing);
        Ok(utterance.labels.as_ref().zip(of_crop).map(|(all, range)| all[range].to_vec()))
    }

    fn too_few(
        &self,
        source: &dyn Source<Item = Recording>,
        expected: usize,
        got: usize,
        skipped: &Skipped,
    ) -> Error {
        skipped.too_few_utterances("loader", expected, got, source.name())
    }
}

/// The labels of a crop that begins at sample `start`, one per output of the encoder; `None` if the
/// utterance, of `samples`, has no label for some of them.
///
/// ```text
/// start = 160 m:  labels m − 1 .. m − 1 + T for windows, m .. m + T for hops        T = outputs of the crop
/// ```
/// For learning with phone labels. Both pair an output with the label whose middle is nearest to the
/// middle of what it sees. The probe aligns whole utterances otherwise: it drops the first two or three
/// outputs, which pairs output t with label t − 2 or t − 3.
///
/// # Paper
/// Löwe et al. 2019, `loss_supervised_phones.py`, for windows. Deviations: none.
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::{Framing, crop_labels};
/// assert_eq!(crop_labels(480, 20_480, 40_000, Framing::Windows), Some(2..130));
/// assert_eq!(crop_labels(0, 20_480, 40_000, Framing::Windows), None); // the first output has no label
/// assert_eq!(crop_labels(480, 20_480, 40_000, Framing::Hops), Some(3..131));
/// ```
#[must_use]
pub fn crop_labels(
    start: usize,
    crop: usize,
    samples: usize,
    framing: Framing,
) -> Option<Range<usize>> {
    let first = match framing {
        Framing::Windows => (start / HOP).checked_sub(1)?,
        Framing::Hops => start / HOP,
    };
    let labels = first..first + outputs(crop);
    (labels.end <= framing.labels(samples)).then_some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn start(samples: usize, epoch: u64) -> usize {
        SpeechPipeline::librispeech().start(samples, Augment::Training, 2, epoch, 0)
    }

    #[test]
    fn every_start_on_the_grid_occurs_and_no_other() {
        // 160⌊N/160⌋ − 20480 = 800: {160, 320, 480, 640}, strictly below 800.
        let seen: BTreeSet<usize> = (0..200).map(|epoch| start(20_480 + 900, epoch)).collect();
        assert!(seen.into_iter().eq([160, 320, 480, 640]));
    }

    #[test]
    fn short_utterances_give_their_first_samples() {
        for samples in [20_480, 20_639, 20_640, 20_799] {
            assert_eq!(SpeechPipeline::librispeech().starts(samples), 1);
            assert_eq!(start(samples, 3), 0);
        }
        assert_eq!(start(20_800, 3), 160);
        assert_eq!(SpeechPipeline::librispeech().starts(20_479), 0);
    }

    #[test]
    fn evaluation_takes_the_middle_every_time() {
        let middle = |epoch| {
            SpeechPipeline::librispeech().start(20_480 + 960, Augment::Evaluation, 2, epoch, 0)
        };
        assert_eq!((middle(0), middle(1)), (480, 480)); // of 160, 320, 480, 640, 800
    }

    #[test]
    fn crops_of_any_length_stay_within_the_utterance() {
        for crop in [1, 160, 161, 400, 20_480] {
            let pipeline = SpeechPipeline { crop, ..SpeechPipeline::librispeech() };
            for samples in crop..crop + 700 {
                for epoch in 0..4 {
                    let start = pipeline.start(samples, Augment::Training, 2, epoch, 0);
                    assert!(start + crop <= samples && start.is_multiple_of(HOP));
                }
            }
        }
    }

    #[test]
    fn starts_are_frozen() {
        // A change here changes every trained number: list it in the changelog as value-breaking.
        let starts: [usize; 4] = std::array::from_fn(|epoch| start(200_000, epoch as u64));
        assert_eq!(starts, FROZEN);
    }
    const FROZEN: [usize; 4] = [8_640, 165_120, 11_360, 105_440];

    #[test]
    fn every_start_on_the_training_grid_has_all_its_labels() {
        let pipeline = SpeechPipeline::librispeech();
        for samples in 20_800..22_000 {
            let last = HOP * pipeline.starts(samples);
            for framing in [Framing::Windows, Framing::Hops] {
                for start in [HOP, last] {
                    let labels = crop_labels(start, pipeline.crop, samples, framing);
                    assert!(labels.is_some(), "{samples} samples, {framing:?}");
                }
            }
        }
    }

    #[test]
    fn a_crop_of_nothing_is_refused() {
        let pipeline = SpeechPipeline { crop: 0, ..SpeechPipeline::librispeech() };
        assert_eq!(
            pipeline.validate().unwrap_err().to_string(),
            "crop: expected at least 1 sample, got 0 in the configuration; correct the setting"
        );
    }
}
