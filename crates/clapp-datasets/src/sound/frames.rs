//! How many outputs and labels belong to how many samples.

use serde::{Deserialize, Serialize};

/// Samples in a second: the rate that the encoders are made for.
pub const RATE: u32 = 16_000;

/// Samples from one output of the encoder to the next, and from one label to the next: 10 ms.
pub const HOP: usize = 160;

/// Samples that one label describes: 25 ms.
pub const WINDOW: usize = 400;

/// Outputs that the encoder of the paper (five convolutions, one step per [`HOP`]) has for an
/// utterance.
///
/// ```text
/// T = ⌊N/160⌋, plus 1 if N mod 160 ≥ 41
/// ```
/// Exact from 465 samples on, the width of what one output sees.
///
/// # Paper
/// Löwe et al. 2019, whose encoder Illing et al. 2021 use. Deviations: none.
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::outputs;
/// assert_eq!((outputs(20_480), outputs(81_520), outputs(179_360)), (128, 510, 1_121));
/// ```
#[must_use]
pub const fn outputs(samples: usize) -> usize {
    samples / HOP + (samples % HOP >= 41) as usize
}

/// Labels that an utterance has: one per [`HOP`], each for a whole [`WINDOW`].
///
/// ```text
/// ⌊(N − 400)/160⌋ + 1, or 0 if N < 400
/// ```
/// Label i describes samples `160 i .. 160 i + 400`. There is no padding at the ends, so the encoder
/// has two or three outputs more, see [`surplus`].
///
/// # Paper
/// The framing of the published phone labels (Rivière et al. 2020, van den Oord et al. 2018).
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::label_count;
/// assert_eq!((label_count(399), label_count(400), label_count(81_520)), (0, 1, 508));
/// ```
#[must_use]
pub const fn label_count(samples: usize) -> usize {
    if samples < WINDOW { 0 } else { (samples - WINDOW) / HOP + 1 }
}

/// Outputs without a label: 3 if N mod 160 is in 41..=79, else 2.
///
/// The probe of the authors drops the *first* of them.
///
/// # Panics
/// `samples` is below [`WINDOW`].
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::surplus;
/// assert_eq!((surplus(81_520), surplus(160 * 500 + 41)), (2, 3));
/// ```
#[must_use]
pub const fn surplus(samples: usize) -> usize {
    assert!(samples >= WINDOW, "surplus: expected at least one window of 400 samples");
    outputs(samples) - label_count(samples)
}

/// Which samples a label describes.
///
/// | | label i describes | labels of N samples | outputs without a label |
/// |---|---|---|---|
/// | `Windows` | `160 i .. 160 i + 400` | [`label_count`] | 2 or 3 |
/// | `Hops` | `160 i .. 160 i + 160` | ⌊N/160⌋ | 0 or 1 |
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::Framing;
/// assert_eq!(Framing::Windows.labels(81_520), 508);
/// assert_eq!(Framing::Hops.labels(81_520), 509);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// Overlapping windows of 25 ms, as the published labels of LibriSpeech.
    #[default]
    Windows,
    /// Intervals of 10 ms side by side, as most programs that align transcripts write them.
    Hops,
}

impl Framing {
    /// How many labels an utterance of `samples` has.
    #[must_use]
    pub const fn labels(self, samples: usize) -> usize {
        match self {
            Self::Windows => label_count(samples),
            Self::Hops => samples / HOP,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kernel, stride and padding of the five convolutions.
    const LAYERS: [(usize, usize, usize); 5] =
        [(10, 5, 2), (8, 4, 2), (4, 2, 2), (4, 2, 2), (4, 2, 1)];

    #[test]
    fn outputs_are_those_of_the_five_convolutions() {
        for samples in 465..60_000 {
            let after = LAYERS.iter().fold(samples, |length, (kernel, stride, padding)| {
                (length + 2 * padding - kernel) / stride + 1
            });
            assert_eq!(outputs(samples), after, "{samples} samples");
        }
    }

    #[test]
    fn two_or_three_outputs_have_no_label() {
        for samples in WINDOW..20_000 {
            let expected = if (41..=79).contains(&(samples % HOP)) { 3 } else { 2 };
            assert_eq!(surplus(samples), expected, "{samples} samples");
        }
    }

    #[test]
    fn the_last_label_ends_within_the_utterance() {
        for samples in WINDOW..20_000 {
            let end = (label_count(samples) - 1) * HOP + WINDOW;
            assert!(end <= samples && samples < end + HOP, "{samples} samples");
        }
    }
}
