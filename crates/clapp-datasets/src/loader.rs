//! How a source is visited: order, batches, views, threads.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::batches::{Batches, Epoch};
use crate::source::{Item, Source};
use crate::split::epoch_order;
use crate::{Augment, Error, ImagePipeline, OnBad, Skipped};

/// The order of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// A new random order every epoch, see [`epoch_order`].
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

/// How a [`Loader`] visits its source.
///
/// | Name | training | speech | clips | evaluation | Purpose | Range |
/// |---|---|---|---|---|---|---|
/// | `batch_size` | 32 | 8 | 8 | 32 | items in a batch | ≥ 1 |
/// | `seed` | 2 | 2 | 2 | 2 | names all random draws | any |
/// | `order` | shuffled | shuffled | shuffled | sequential | order of an epoch | |
/// | `last_batch` | keep | drop | drop | keep | an incomplete last batch | |
/// | `augment` | training | training | training | evaluation | random or fixed views; clips have steps for it | |
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
    /// What becomes of items that cannot be used.
    #[serde(default)]
    pub on_bad: OnBad,
    /// Threads that make batches; with 0 they are made when asked for.
    pub workers: usize,
    /// Finished batches that may wait, per worker.
    pub prefetch: usize,
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

/// When an item is seen: with the item's index, the address of all its draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The loader's seed.
    pub seed: u64,
    /// The epoch.
    pub epoch: u64,
    /// Random or fixed views.
    pub augment: Augment,
}

/// Makes of items what a network sees.
///
/// A pipeline of a sense is one: [`ImagePipeline`] of images,
/// [`SpeechPipeline`](crate::sound::SpeechPipeline) of recordings, a
/// [`Sampling`](crate::video::Sampling) with a [`ClipPipeline`](crate::video::ClipPipeline) of clips.
/// [`Loader`] does the rest: order, batches, threads, places to resume at.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Batcher, Error, Image, InMemory, Loader, LoaderConfig, Source, Visit};
///
/// /// The mean of every image.
/// #[derive(Debug)]
/// struct Means;
/// impl Batcher for Means {
///     type Item = Image;
///     type Shape = [usize; 2];
///     fn shape(&self, _: &dyn Source<Item = Image>, _: usize) -> Result<[usize; 2], Error> {
///         Ok([1, 1])
///     }
///     fn make(
///         &self,
///         source: &dyn Source<Item = Image>,
///         index: usize,
///         _: Visit,
///         out: &mut [f32],
///     ) -> Result<Option<u32>, Error> {
///         let image = (&source).get(index)?;
///         let sum: f32 = image.pixels.iter().map(|value| f32::from(*value)).sum();
///         out[0] = sum / image.pixels.len() as f32;
///         Ok(image.label)
///     }
/// }
///
/// let source = InMemory::images("two", [1, 1, 2], vec![0, 10, 20, 30])?;
/// let batch = Loader::new(source, Means, LoaderConfig::evaluation())?.epoch(0)?.next();
/// assert_eq!(batch.expect("two images")?.values, [5.0, 25.0]);
/// # Ok::<(), Error>(())
/// ```
pub trait Batcher: fmt::Debug + Send + Sync + 'static {
    /// What the source holds.
    type Item: Item;
    /// The shape of a batch: `[usize; 4]` of images.
    type Shape: Copy
        + fmt::Debug
        + PartialEq
        + AsRef<[usize]>
        + AsMut<[usize]>
        + Send
        + Sync
        + 'static;
    /// Whether a worker makes one item at a time instead of a whole batch: for items so large that as
    /// many batches as workers would fill a memory.
    const ONE_AT_A_TIME: bool = false;

    /// Checks that an item is long enough; what is not becomes an error or is left out, as
    /// [`LoaderConfig::on_bad`] says.
    ///
    /// # Errors
    /// It is not.
    fn check(&self, _: &dyn Source<Item = Self::Item>, _: usize) -> Result<(), Error> {
        Ok(())
    }

    /// The shape of a batch of this item alone; its first number is 1.
    ///
    /// # Errors
    /// The settings have no meaning, alone or for this item.
    fn shape(
        &self,
        source: &dyn Source<Item = Self::Item>,
        index: usize,
    ) -> Result<Self::Shape, Error>;

    /// Writes what the network sees of an item, as many values as [`shape`](Self::shape) says, and
    /// returns its label: a function of the item and of `visit` alone, on any thread.
    ///
    /// # Errors
    /// The source fails.
    fn make(
        &self,
        source: &dyn Source<Item = Self::Item>,
        index: usize,
        visit: Visit,
        out: &mut [f32],
    ) -> Result<Option<<Self::Item as Item>::Label>, Error>;

    /// The error for `got` usable items where a batch needs `expected`.
    fn too_few(
        &self,
        source: &dyn Source<Item = Self::Item>,
        expected: usize,
        got: usize,
        _: &Skipped,
    ) -> Error {
        let expected = format!("at least {expected} {}", Self::Item::PLURAL);
        Error::too_few("loader", expected, got, source.name(), "ask for fewer")
    }
}

/// Cuts epochs of a source into batches.
///
/// A batch is a function of `(source, batcher, config, epoch, index of the batch)`: the number of
/// workers, their speed and the batches taken before change nothing. So a resumed run repeats the
/// uninterrupted one with no state but the position.
///
/// # Example
///
/// ```
/// use clapp_datasets::{ImagePipeline, InMemory, Loader, LoaderConfig};
///
/// let source = InMemory::images("ten", [3, 96, 96], vec![128; 10 * 3 * 96 * 96])?;
/// let config = LoaderConfig { batch_size: 4, ..LoaderConfig::training() };
/// let loader = Loader::new(source, ImagePipeline::stl10(), config)?;
/// for epoch in 0..2 {
///     for batch in loader.epoch(epoch)? {
///         assert_eq!(batch?.shape[1..], [1, 64, 64]);
///     }
/// }
/// assert_eq!(loader.batches_per_epoch(), 3);
/// assert_eq!(loader.resume(1, 2)?.count(), 1);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
pub struct Loader<B: Batcher = ImagePipeline>(Arc<Parts<B>>);

struct Parts<B: Batcher> {
    source: Arc<dyn Source<Item = B::Item>>,
    batcher: B,
    config: LoaderConfig,
    kept: Vec<usize>,
    skipped: Skipped,
    shape: B::Shape,
}

impl<B: Batcher> Clone for Loader<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Batcher> fmt::Debug for Loader<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { source, batcher, config, kept, .. } = &*self.0;
        let mut shown = f.debug_struct("Loader");
        shown.field("source", &source.name()).field("items", &kept.len());
        shown.field("batcher", batcher).field("config", config).finish_non_exhaustive()
    }
}

impl<B: Batcher> Loader<B> {
    /// A loader of all items of `source` that can be used.
    ///
    /// # Errors
    /// [`Error::Config`] if a setting has no meaning, alone or for these items, or if items that share a
    /// batch have different shapes; [`Error::Unfit`] if an item is too short, unless such are to be
    /// skipped; [`Error::TooFew`] if an epoch would have no batch.
    pub fn new(
        source: impl Source<Item = B::Item> + 'static,
        batcher: B,
        config: LoaderConfig,
    ) -> Result<Self, Error> {
        if config.batch_size == 0 {
            return Err(Error::setting("batch_size", "at least 1", 0));
        }
        let mut skipped = Skipped::default();
        let mut kept = Vec::with_capacity(source.len());
        for index in 0..source.len() {
            let usable = batcher.check(&source, index).map(|()| index);
            kept.extend(skipped.sift(usable, config.on_bad)?);
        }
        let expected = match config.last_batch {
            LastBatch::Keep => 1,
            LastBatch::Drop => config.batch_size,
        };
        if kept.len() < expected {
            return Err(batcher.too_few(&source, expected, kept.len(), &skipped));
        }
        let shape = batcher.shape(&source, kept[0])?;
        for &index in &kept[1..] {
            let other = batcher.shape(&source, index)?;
            if other != shape && config.batch_size > 1 {
                let (expected, got) = (format!("{shape:?} of all items"), format!("{other:?}"));
                let advice = "bring them to one size, or take batches of one";
                return Err(Error::config("shape", expected, got, source.name(), advice));
            }
        }
        let source = Arc::new(source);
        Ok(Self(Arc::new(Parts { source, batcher, config, kept, skipped, shape })))
    }

    /// The number of batches of an epoch.
    #[must_use]
    pub fn batches_per_epoch(&self) -> usize {
        let (items, size) = (self.kept().len(), self.config().batch_size);
        match self.config().last_batch {
            LastBatch::Keep => items.div_ceil(size),
            LastBatch::Drop => items / size,
        }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &LoaderConfig {
        &self.0.config
    }

    /// The steps from item to input.
    #[must_use]
    pub fn batcher(&self) -> &B {
        &self.0.batcher
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &dyn Source<Item = B::Item> {
        &*self.0.source
    }

    /// The shape of a batch of the first item alone, and, in batches of several, of every other.
    #[must_use]
    pub fn shape(&self) -> B::Shape {
        self.0.shape
    }

    /// The items that are used.
    #[must_use]
    pub fn kept(&self) -> &[usize] {
        &self.0.kept
    }

    /// Why the others are not.
    #[must_use]
    pub fn skipped(&self) -> &Skipped {
        &self.0.skipped
    }

    /// All batches of an epoch.
    ///
    /// # Errors
    /// [`Error::Worker`] if a worker cannot be started.
    pub fn epoch(&self, epoch: u64) -> Result<Batches<B>, Error> {
        self.resume(epoch, 0)
    }

    /// The batches of an epoch from `first` on; none if `first` is their number.
    ///
    /// # Errors
    /// [`Error::Config`] if the epoch has fewer batches, [`Error::Worker`] if a worker cannot be
    /// started.
    pub fn resume(&self, epoch: u64, first: usize) -> Result<Batches<B>, Error> {
        let batches = self.batches_per_epoch();
        if first > batches {
            let expected = format!("a batch in 0..={batches}");
            let advice = "were the data or the batch size changed?";
            return Err(Error::config("resume", expected, first, format!("epoch {epoch}"), advice));
        }
        let kept = self.kept();
        let order = match self.config().order {
            Order::Shuffled => {
                let places = epoch_order(kept.len(), self.config().seed, epoch);
                places.into_iter().map(|place| kept[place]).collect()
            }
            Order::Sequential => kept.to_vec(),
        };
        Batches::start(Epoch { loader: self.clone(), epoch, order }, first)
    }
}
