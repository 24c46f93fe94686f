//! The settings of a loader.

use serde::{Deserialize, Serialize};

use crate::{Augment, OnBad};

/// The order of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// A new random order every epoch, see [`epoch_order`](crate::split::epoch_order).
    Shuffled,
    /// The order of the source.
    Sequential,
}

/// What becomes of the items that are left when an epoch is cut into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LastBatch {
    /// They form a smaller batch, as in the paper.
    Keep,
    /// They are left out; shuffled, they are others in the next epoch.
    Drop,
}

/// How a [`Loader`](crate::Loader) visits its source.
///
/// | Name | training | speech | clips | evaluation | Purpose | Range |
/// |---|---|---|---|---|---|---|
/// | `batch_size` | 32 | 8 | 8 | 32 | items in a batch | ≥ 1 |
/// | `seed` | 2 | 2 | 2 | 2 | names all random draws | any |
/// | `order` | shuffled | shuffled | shuffled | sequential | order of an epoch | |
/// | `last_batch` | keep | drop | drop | keep | an incomplete last batch | |
/// | `augment` | training | training | training | evaluation | random or fixed views; clips have steps for it | |
/// | `views` | 1 | 1 | 1 | 1 | views of every item: first all first ones, then all second ones | ≥ 1 |
/// | `on_bad` | refuse | refuse | skip | refuse | items that are too short | |
/// | `workers` | 2 | 2 | 2 | 2 | threads; 0 makes batches in `next` | |
/// | `prefetch` | 2 | 2 | 4 | 2 | finished batches (of clips: finished clips) that wait, per worker | |
///
/// All but the last two decide what is delivered; those decide how soon, and how much memory waits:
/// `workers · (prefetch + 1)` batches, or clips of 4·planes·time·side² bytes (10.6 MB of 54 frames of
/// 128² in colour).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoaderConfig {
    /// Items in a batch.
    pub batch_size: usize,
    /// Names all random draws.
    pub seed: u64,
    /// Order of an epoch.
    pub order: Order,
    /// What becomes of an incomplete last batch.
    pub last_batch: LastBatch,
    /// Random or fixed views.
    pub augment: Augment,
    /// Views of every item in a batch of `views · batch_size` rows: row v·n + i is view v of item i of n.
    /// The draws of view v > 0 are those of another seed, so that views never share one.
    #[serde(default = "one")]
    pub views: usize,
    /// What becomes of items that cannot be used.
    #[serde(default)]
    pub on_bad: OnBad,
    /// Threads that make batches; with 0 they are made when asked for.
    pub workers: usize,
    /// Finished batches that may wait, per worker.
    pub prefetch: usize,
}

fn one() -> usize {
    1
}

impl LoaderConfig {
    /// The paper's training on images: shuffled, augmented, 32 images, seed 2.
    #[must_use]
    pub fn training() -> Self {
        Self {
            batch_size: 32,
            seed: 2,
            order: Order::Shuffled,
            last_batch: LastBatch::Keep,
            augment: Augment::Training,
            views: 1,
            on_bad: OnBad::Refuse,
            workers: 2,
            prefetch: 2,
        }
    }

    /// The paper's test on images: in order, centre crops, 32 images.
    #[must_use]
    pub fn evaluation() -> Self {
        Self { order: Order::Sequential, augment: Augment::Evaluation, ..Self::training() }
    }

    /// The paper's training on speech: 8 random crops a batch, shuffled, what is left of an epoch dropped.
    #[must_use]
    pub fn speech() -> Self {
        Self { batch_size: 8, last_batch: LastBatch::Drop, ..Self::training() }
    }

    /// The authors' training on clips: shuffled batches of 8, the rest dropped, short clips left out.
    #[must_use]
    pub fn clips() -> Self {
        Self { on_bad: OnBad::Skip, prefetch: 4, ..Self::speech() }
    }

    /// Every clip once, in order.
    #[must_use]
    pub fn clips_in_order() -> Self {
        Self { order: Order::Sequential, last_batch: LastBatch::Keep, ..Self::clips() }
    }
}
