//! Which frames of a clip a network sees.

use std::fmt;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use clapp_random::{Purpose, stream};

use crate::Error;
use crate::source::Source;
use crate::video::Clip;

/// Where in a clip the sequence begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// Anywhere, drawn anew every epoch.
    Random,
    /// In the middle, always the same.
    Centre,
}

/// What becomes of clips that are not longer than the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Short {
    /// They are left out, as the authors do. With long sequences this is half of UCF-101.
    Drop,
    /// They are seen from their first frame, and the last one is held.
    HoldLast,
}

/// Cuts a sequence of frames out of a clip.
///
/// ```text
/// kept if  frames > downsample · length          start ∈ [0, frames − downsample · length)
/// seen:    start, start + downsample, …, start + (length − 1) · downsample
/// ```
/// The comparison is strict, and the span is one step longer than the sequence needs, both as in
/// the authors' code.
///
/// | preset | length | frames needed | of UCF-101 split 1 remain |
/// |---|---|---|---|
/// | [`self_supervised`](Self::self_supervised) | 54 | > 162 | 5 018 of 9 537, 1 871 of 3 783 |
/// | [`classification`](Self::classification) | 72 | > 216 | 3 128 of 9 537, 1 206 of 3 783 |
///
/// # Example
///
/// ```
/// use clapp_datasets::video::{Sampling, Start};
///
/// let sampling = Sampling { start: Start::Centre, ..Sampling::self_supervised() };
/// let frames = sampling.frames(200, 2, 0, 0);
/// assert_eq!((frames.len(), frames[0], frames[1]), (54, 19, 22));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Every how many frames one is seen.
    pub downsample: usize,
    /// Frames that are seen.
    pub length: usize,
    /// Where the sequence begins.
    pub start: Start,
    /// What becomes of short clips.
    pub short: Short,
}

impl Sampling {
    /// Every third of 162 frames, from anywhere.
    #[must_use]
    pub fn self_supervised() -> Self {
        Self { downsample: 3, length: 54, start: Start::Random, short: Short::Drop }
    }

    /// Every third of 216 frames, from anywhere; the authors test so as well.
    #[must_use]
    pub fn classification() -> Self {
        Self { length: 72, ..Self::self_supervised() }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Config`] if a number is 0.
    pub fn validate(&self) -> Result<(), Error> {
        for (setting, value) in [("downsample", self.downsample), ("sequence length", self.length)]
        {
            if value == 0 {
                return Err(Error::setting(setting, "at least 1", 0));
            }
        }
        Ok(())
    }

    /// The frames between the first and the last that are seen, and one step.
    pub(super) fn span(&self) -> usize {
        self.downsample * self.length
    }

    /// The clips of `source` that are long enough, and the others.
    #[must_use]
    pub fn select(&self, source: &dyn Source<Item = Clip>) -> Selection {
        let long =
            |clip: &usize| self.short == Short::HoldLast || source.info(*clip).frames > self.span();
        let (kept, short) = (0..source.len()).partition(long);
        Selection { kept, short, span: self.span() }
    }

    /// The frames of clip `clip` that are seen in `epoch`, out of `available`.
    ///
    /// The start is drawn from the stream `(seed, Augmentation, [epoch, clip, 0, 0])`.
    ///
    /// # Panics
    /// `available` is 0.
    #[must_use]
    pub fn frames(&self, available: usize, seed: u64, epoch: u64, clip: u64) -> Vec<usize> {
        assert!(available > 0, "sampling: expected at least one frame, got none");
        let room = available.saturating_sub(self.span()) as u64;
        let start = match self.start {
            _ if room == 0 => 0,
            Start::Centre => room / 2,
            Start::Random => {
                stream(seed, Purpose::Augmentation, [epoch, clip, 0, 0]).random_range(0..room)
            }
        } as usize;
        let place = |step: usize| (start + step * self.downsample).min(available - 1);
        (0..self.length).map(place).collect()
    }
}

/// The outcome of a filter by length.
///
/// ```
/// use clapp_datasets::video::{Sampling, moving::MovingScenes, moving::Part};
///
/// let scenes = MovingScenes::new(2, Part::Train, 20).with_frames(30);
/// let selection = Sampling::self_supervised().select(&scenes);
/// assert_eq!(selection.to_string(), "0 of 20 clips are longer than 162 frames");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The clips that are used.
    pub kept: Vec<usize>,
    /// The clips that are too short.
    pub short: Vec<usize>,
    span: usize,
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kept, all) = (self.kept.len(), self.kept.len() + self.short.len());
        match self.short.is_empty() {
            true => write!(f, "all {all} clips are used"),
            false => write!(f, "{kept} of {all} clips are longer than {} frames", self.span),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(sampling: &Sampling, available: usize) -> Vec<usize> {
        (0..500).map(|clip| sampling.frames(available, 2, 0, clip)[0]).collect()
    }

    #[test]
    fn every_start_of_the_authors_range_occurs_and_no_other() {
        let sampling = Sampling::self_supervised();
        let mut starts = starts(&sampling, 162 + 7);
        starts.sort_unstable();
        starts.dedup();
        assert_eq!(starts, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn frames_are_three_apart_and_exist() {
        let frames = Sampling::classification().frames(217, 2, 0, 0);
        assert_eq!(frames, (0..72).map(|step| 3 * step).collect::<Vec<_>>());
    }

    #[test]
    fn a_short_clip_holds_its_last_frame() {
        let sampling =
            Sampling { downsample: 2, length: 5, start: Start::Random, short: Short::HoldLast };
        assert_eq!(sampling.frames(6, 2, 0, 0), [0, 2, 4, 5, 5]);
        assert_eq!(sampling.frames(1, 2, 0, 0), [0; 5]);
    }

    #[test]
    fn starts_are_frozen() {
        // A change here changes every trained number: list it in the changelog as value-breaking.
        let sampling = Sampling::self_supervised();
        let starts: Vec<usize> = (0..4).map(|i| sampling.frames(1_000, 2, 1, i)[0]).collect();
        assert_eq!(starts, FROZEN);
    }
    const FROZEN: [usize; 4] = [770, 34, 368, 645];

    #[test]
    fn a_length_of_zero_is_refused() {
        let error = Sampling { length: 0, ..Sampling::classification() }.validate().unwrap_err();
        assert_eq!(
            error.to_string(),
            "sequence length: expected at least 1, got 0 in the configuration; correct the setting"
        );
    }
}
