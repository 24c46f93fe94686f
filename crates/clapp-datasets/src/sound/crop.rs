//! What is cut from an utterance, and which part of it a loss looks at.

use std::ops::Range;

use clapp_random::{Purpose, stream};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::frames::{Framing, HOP, outputs};
use super::scaling::Scaling;
use crate::{Augment, Error};

/// Last index of the streams of [`Purpose::Augmentation`] that windows are drawn from; crops have 0.
const WINDOWS: u64 = 1;

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
    /// [`Error::Setting`] if the crop is empty or the scaling has no meaning.
    pub fn validate(&self) -> Result<(), Error> {
        if self.crop == 0 {
            let (setting, expected) = ("crop", "at least 1 sample");
            return Err(Error::Setting { setting, expected, got: 0.0 });
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

/// Which outputs of a layer with `outputs` of them the loss looks at: `length` in a row from a
/// random place, the same for a whole batch; all if there are no more.
///
/// ```text
/// s uniform in [0, L − length): outputs s .. s + length
/// ```
/// The draw comes from the stream `(seed, Augmentation, [epoch, batch, layer, 1])`.
///
/// # Paper
/// Löwe et al. 2019, `--subsample` of the published script, with 128 outputs. Deviations: none.
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::subsample_window;
///
/// let window = subsample_window(4_095, 128, 2, [0, 17, 1]);
/// assert_eq!(window.len(), 128);
/// assert_eq!(subsample_window(128, 128, 2, [0, 17, 5]), 0..128);
/// ```
#[must_use]
pub fn subsample_window(
    outputs: usize,
    length: usize,
    seed: u64,
    [epoch, batch, layer]: [u64; 3],
) -> Range<usize> {
    if outputs <= length {
        return 0..outputs;
    }
    let mut draws = stream(seed, Purpose::Augmentation, [epoch, batch, layer, WINDOWS]);
    let start = draws.random_range(0..(outputs - length) as u64) as usize;
    start..start + length
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
    fn windows_reach_both_ends_and_differ_between_layers_and_batches() {
        let windows: Vec<_> = (0..300).map(|b| subsample_window(131, 128, 2, [0, b, 0])).collect();
        let starts: BTreeSet<usize> = windows.iter().map(|w| w.start).collect();
        assert!(starts.into_iter().eq(0..3)); // [0, 131 − 128)
        let draw = |batch, layer| subsample_window(4_095, 128, 2, [1, batch, layer]);
        assert_ne!(draw(0, 0), draw(0, 1));
        assert_ne!(draw(0, 0), draw(1, 0));
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
