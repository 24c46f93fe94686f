//! Which clips of a test list are tested.

use clapp_random::{Purpose, stream};
use serde::{Deserialize, Serialize};

use crate::features::shuffle;

/// First index of the streams of [`Purpose::Split`] used here; 0 to 2 belong to labels, folds and clips.
const TEST_CLIPS: u64 = 3;

/// Which clips of the test list a number is about. Say so beside the number.
///
/// The authors test on a random three tenths of the clips that are long enough, drawn when the program
/// starts, and drop the last, incomplete batch; together with their random augmentation their number is
/// one of a family. An honest number uses every clip and a fixed view.
///
/// | mode | of 1 206 long clips of UCF-101, split 1 | clips | pipeline of `clapp-datasets` |
/// |---|---|---|---|
/// | `Authors` | round(0.3 · 1206) = 362, without the last 2 | 360 | `ClipPipeline::classification_val` |
/// | `Everything` | all | 1 206 | `ClipPipeline::plain` |
///
/// With `Short::HoldLast` the full list also counts the clips that a length filter would drop: 3 783.
///
/// # Example
///
/// ```
/// use clapp_eval::probe::TestClips;
///
/// assert_eq!(TestClips::Authors { seed: 2, batch: 8 }.indices(1_206).len(), 360);
/// assert_eq!(TestClips::Everything.indices(3), [0, 1, 2]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TestClips {
    /// Every clip once, in order.
    Everything,
    /// The authors' part.
    Authors {
        /// Names the draw, which the authors leave to chance.
        seed: u64,
        /// Clips in a batch.
        batch: usize,
    },
}

impl TestClips {
    /// The indices, out of `clips`, in the order in which they are tested.
    ///
    /// # Panics
    ///
    /// If a batch has no clip.
    #[must_use]
    pub fn indices(self, clips: usize) -> Vec<usize> {
        let mut indices: Vec<usize> = (0..clips).collect();
        if let Self::Authors { seed, batch } = self {
            assert!(batch > 0, "test clips: expected a batch of at least 1, got 0");
            shuffle(&mut indices, &mut stream(seed, Purpose::Split, [TEST_CLIPS, 0, 0, 0]));
            let drawn = (0.3 * clips as f64).round_ties_even() as usize;
            indices.truncate(drawn / batch * batch);
        }
        indices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authors_numbers_come_out() {
        let count = |clips| TestClips::Authors { seed: 2, batch: 8 }.indices(clips).len();
        assert_eq!((count(1_871), count(1_206)), (560, 360));
    }

    #[test]
    fn the_draw_is_without_repetition_and_differs_between_seeds() {
        let draw = |seed| TestClips::Authors { seed, batch: 8 }.indices(1_000);
        let mut sorted = draw(1);
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 296);
        assert!(sorted.iter().all(|index| *index < 1_000));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
