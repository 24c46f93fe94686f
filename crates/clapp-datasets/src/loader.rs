//! How a source is visited: order, batches, views, threads.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::batches::{Batches, ImageMaker, Threads};
use crate::split::epoch_order;
use crate::{Augment, Error, ImagePipeline, ImageSource};

/// The order of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// A new random order every epoch, see [`epoch_order`].
    Shuffled,
    /// The order of the source.
    Sequential,
}

/// What becomes of the images that are left when an epoch is cut into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LastBatch {
    /// They form a smaller batch, as in the paper.
    Keep,
    /// They are left out; shuffled, they are others in the next epoch.
    Drop,
}

/// How a [`Loader`] visits its source.
///
/// | Name | training | evaluation | Purpose | Range |
/// |---|---|---|---|---|
/// | `batch_size` | 32 | 32 | images in a batch | ≥ 1 |
/// | `seed` | 2 | 2 | names all random draws | any |
/// | `order` | shuffled | sequential | order of an epoch | |
/// | `last_batch` | keep | keep | an incomplete last batch | |
/// | `augment` | training | evaluation | random or fixed views | |
/// | `workers` | 2 | 2 | threads; 0 makes batches in `next` | |
/// | `prefetch` | 2 | 2 | finished batches that wait, per worker | |
///
/// The first five decide what is delivered, the last two only how soon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoaderConfig {
    /// Images in a batch.
    pub batch_size: usize,
    /// Names all random draws.
    pub seed: u64,
    /// Order of an epoch.
    pub order: Order,
    /// What becomes of an incomplete last batch.
    pub last_batch: LastBatch,
    /// Random or fixed views.
    pub augment: Augment,
    /// Threads that make batches; with 0 they are made when asked for.
    pub workers: usize,
    /// Finished batches that may wait, per worker.
    pub prefetch: usize,
}

impl LoaderConfig {
    /// The paper's training: shuffled, augmented, 32 images, seed 2.
    #[must_use]
    pub fn training() -> Self {
        Self {
            batch_size: 32,
            seed: 2,
            order: Order::Shuffled,
            last_batch: LastBatch::Keep,
            augment: Augment::Training,
            workers: 2,
            prefetch: 2,
        }
    }

    /// The paper's test: in order, centre crops, 32 images.
    #[must_use]
    pub fn evaluation() -> Self {
        Self { order: Order::Sequential, augment: Augment::Evaluation, ..Self::training() }
    }
}

/// Cuts epochs of a source into batches.
///
/// A batch is a function of `(source, pipeline, config, epoch, index of the batch)`: the number of
/// workers, their speed and the batches taken before change nothing. So a resumed run repeats the
/// uninterrupted one with no state but the position.
///
/// # Example
///
/// ```
/// use clapp_datasets::{ImagePipeline, InMemory, Loader, LoaderConfig};
///
/// let source = InMemory::new("ten", [3, 96, 96], vec![128; 10 * 3 * 96 * 96])?;
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
#[derive(Clone)]
pub struct Loader {
    source: Arc<dyn ImageSource>,
    pipeline: ImagePipeline,
    config: LoaderConfig,
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, pipeline, config } = self;
        let mut shown = f.debug_struct("Loader");
        shown.field("source", &source.name()).field("pipeline", pipeline);
        shown.field("config", config).finish()
    }
}

impl Loader {
    /// A loader of all images of `source`.
    ///
    /// # Errors
    /// [`Error::Setting`] if the batch size is 0, [`Error::TooFew`] if an epoch would have no
    /// batch, and what [`ImagePipeline::validate`] finds.
    pub fn new(
        source: impl ImageSource + 'static,
        pipeline: ImagePipeline,
        config: LoaderConfig,
    ) -> Result<Self, Error> {
        pipeline.validate(source.dims())?;
        if config.batch_size == 0 {
            let (setting, expected) = ("batch_size", "at least 1");
            return Err(Error::Setting { setting, expected, got: 0.0 });
        }
        let expected = match config.last_batch {
            LastBatch::Keep => 1,
            LastBatch::Drop => config.batch_size,
        };
        if source.len() < expected {
            return Err(Error::TooFew {
                what: "loader".to_owned(),
                expected,
                got: source.len(),
                place: source.name().to_owned(),
            });
        }
        Ok(Self { source: Arc::new(source), pipeline, config })
    }

    /// The number of batches of an epoch.
    #[must_use]
    pub fn batches_per_epoch(&self) -> usize {
        match self.config.last_batch {
            LastBatch::Keep => self.source.len().div_ceil(self.config.batch_size),
            LastBatch::Drop => self.source.len() / self.config.batch_size,
        }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &LoaderConfig {
        &self.config
    }

    /// The steps from image to input.
    #[must_use]
    pub fn pipeline(&self) -> &ImagePipeline {
        &self.pipeline
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &dyn ImageSource {
        &*self.source
    }

    /// All batches of an epoch.
    ///
    /// # Errors
    /// [`Error::Thread`] if a worker cannot be started.
    pub fn epoch(&self, epoch: u64) -> Result<Batches, Error> {
        self.resume(epoch, 0)
    }

    /// The batches of an epoch from `first` on; none if `first` is their number.
    ///
    /// # Errors
    /// [`Error::Position`] if the epoch has fewer batches, [`Error::Thread`] if a worker cannot be
    /// started.
    pub fn resume(&self, epoch: u64, first: usize) -> Result<Batches, Error> {
        let expected = self.batches_per_epoch();
        if first > expected {
            return Err(Error::Position { expected, got: first, epoch });
        }
        let order = match self.config.order {
            Order::Shuffled => epoch_order(self.source.len(), self.config.seed, epoch),
            Order::Sequential => (0..self.source.len()).collect(),
        };
        let LoaderConfig { workers, prefetch, .. } = self.config;
        let maker = Arc::new(ImageMaker { loader: self.clone(), epoch, order });
        Batches::start(maker, first..expected, Threads { workers, prefetch })
    }
}
