//! How a source is visited: order, batches, threads.

use std::fmt;
use std::sync::Arc;

use crate::batches::{Batches, Epoch};
use crate::source::Source;
use crate::split::epoch_order;
use crate::{Batcher, Error, ImagePipeline, LastBatch, LoaderConfig, Order, Skipped};

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
        for (setting, got) in [("batch_size", config.batch_size), ("views", config.views)] {
            if got == 0 {
                return Err(Error::setting(setting, "at least 1", got));
            }
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
