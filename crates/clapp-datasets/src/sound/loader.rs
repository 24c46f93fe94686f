//! How a source of speech is visited for learning: random crops.

use std::fmt;
use std::sync::Arc;

use super::crop::{SpeechPipeline, crop_labels};
use super::skipped::{OnBad, Skipped};
use super::speech::SpeechSource;
use crate::batches::{Batches, Maker, Threads};
use crate::split::epoch_order;
use crate::{Error, LastBatch, LoaderConfig, Order};

/// Some crops, ready to become a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeechBatch {
    /// Scaled samples, `shape` row-major.
    pub samples: Vec<f32>,
    /// `[batch, 1, samples]`.
    pub shape: [usize; 3],
    /// The classes of each crop, one per output of the encoder, see
    /// [`crop_labels`](super::crop_labels); `None` where there are none.
    pub labels: Vec<Option<Vec<u8>>>,
    /// The index of each utterance in the source.
    pub indices: Vec<usize>,
    /// The first sample of each crop within its utterance.
    pub starts: Vec<usize>,
}

impl SpeechBatch {
    /// The number of crops.
    #[must_use]
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// True if there is no crop; a loader never yields such a batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

/// Cuts epochs of speech into batches of crops, one crop of every utterance an epoch.
///
/// A batch is a function of `(source, pipeline, config, epoch, index of the batch)`, as in
/// [`Loader`](crate::Loader): threads change nothing, and a resumed run repeats the uninterrupted one.
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::{OnBad, SpeechLoader, SpeechPipeline, synthetic};
///
/// let source = synthetic::utterances(2, synthetic::Part::Unlabelled, 9);
/// let (pipeline, config) = (SpeechPipeline::librispeech(), SpeechLoader::training());
/// let loader = SpeechLoader::new(source, pipeline, config, OnBad::Refuse)?;
/// assert_eq!(loader.batches_per_epoch(), 1); // of 8; the ninth waits for another epoch
/// for batch in loader.epoch(0)? {
///     assert_eq!(batch?.shape, [8, 1, 20_480]);
/// }
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Clone)]
pub struct SpeechLoader {
    source: Arc<dyn SpeechSource>,
    pipeline: SpeechPipeline,
    config: LoaderConfig,
    usable: Arc<[usize]>,
    skipped: Arc<Skipped>,
}

impl fmt::Debug for SpeechLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SpeechLoader");
        shown.field("source", &self.source.name()).field("pipeline", &self.pipeline);
        shown.field("config", &self.config).field("utterances", &self.usable.len()).finish()
    }
}

impl SpeechLoader {
    /// The paper's training: 8 random crops a batch, shuffled, what is left of an epoch dropped.
    #[must_use]
    pub fn training() -> LoaderConfig {
        LoaderConfig { batch_size: 8, last_batch: LastBatch::Drop, ..LoaderConfig::training() }
    }

    /// A loader of all utterances of `source` that are long enough for a crop.
    ///
    /// # Errors
    /// [`Error::Setting`] if a setting has no meaning; [`Error::ShortUtterance`] if an utterance is
    /// shorter than a crop, unless such are to be skipped; [`Error::TooFewUtterances`] if an epoch
    /// would have no batch.
    pub fn new(
        source: impl SpeechSource + 'static,
        pipeline: SpeechPipeline,
        config: LoaderConfig,
        on_short: OnBad,
    ) -> Result<Self, Error> {
        pipeline.validate()?;
        if config.batch_size == 0 {
            let (setting, expected) = ("batch_size", "at least 1");
            return Err(Error::Setting { setting, expected, got: 0.0 });
        }
        let mut skipped = Skipped::default();
        let mut usable = Vec::with_capacity(source.len());
        for index in 0..source.len() {
            let long = long_enough(&source, index, pipeline.crop);
            usable.extend(skipped.sift(long.map(|()| index), on_short)?);
        }
        let expected = match config.last_batch {
            LastBatch::Keep => 1,
            LastBatch::Drop => config.batch_size,
        };
        if usable.len() < expected {
            let (what, got) = ("loader", usable.len());
            let place = source.name().to_owned();
            return Err(Error::TooFewUtterances { what, expected, got, skipped, place });
        }
        let (source, usable) = (Arc::new(source), usable.into());
        Ok(Self { source, pipeline, config, usable, skipped: Arc::new(skipped) })
    }

    /// The number of batches of an epoch.
    #[must_use]
    pub fn batches_per_epoch(&self) -> usize {
        match self.config.last_batch {
            LastBatch::Keep => self.usable.len().div_ceil(self.config.batch_size),
            LastBatch::Drop => self.usable.len() / self.config.batch_size,
        }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &LoaderConfig {
        &self.config
    }

    /// The steps from utterance to input.
    #[must_use]
    pub fn pipeline(&self) -> &SpeechPipeline {
        &self.pipeline
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &dyn SpeechSource {
        &*self.source
    }

    /// Utterances that are too short for a crop.
    #[must_use]
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// All batches of an epoch.
    ///
    /// # Errors
    /// [`Error::Thread`] if a worker cannot be started.
    pub fn epoch(&self, epoch: u64) -> Result<Batches<SpeechBatch>, Error> {
        self.resume(epoch, 0)
    }

    /// The batches of an epoch from `first` on; none if `first` is their number.
    ///
    /// # Errors
    /// [`Error::Position`] if the epoch has fewer batches, [`Error::Thread`] if a worker cannot be
    /// started.
    pub fn resume(&self, epoch: u64, first: usize) -> Result<Batches<SpeechBatch>, Error> {
        let expected = self.batches_per_epoch();
        if first > expected {
            return Err(Error::Position { expected, got: first, epoch });
        }
        let order = match self.config.order {
            Order::Sequential => self.usable.to_vec(),
            Order::Shuffled => {
                let places = epoch_order(self.usable.len(), self.config.seed, epoch);
                places.into_iter().map(|place| self.usable[place]).collect()
            }
        };
        let LoaderConfig { workers, prefetch, .. } = self.config;
        let maker = Arc::new(CropMaker { loader: self.clone(), epoch, order });
        Batches::start(maker, first..expected, Threads { workers, prefetch })
    }
}

fn long_enough(source: &dyn SpeechSource, index: usize, crop: usize) -> Result<(), Error> {
    let utterance = source.utterance(index);
    if utterance.samples >= crop {
        return Ok(());
    }
    let (id, place) = (utterance.id.clone(), source.name().to_owned());
    Err(Error::ShortUtterance { expected: crop, got: utterance.samples, id, place })
}

/// An epoch of crops.
struct CropMaker {
    loader: SpeechLoader,
    epoch: u64,
    order: Vec<usize>,
}

impl Maker for CropMaker {
    type Batch = SpeechBatch;

    fn make(&self, batch: usize) -> Result<SpeechBatch, Error> {
        let SpeechLoader { source, pipeline, config, .. } = &self.loader;
        let first = batch * config.batch_size;
        let last = self.order.len().min(first + config.batch_size);
        let indices = self.order[first..last].to_vec();
        let mut samples = vec![0.0; indices.len() * pipeline.crop]; // [batch, 1, samples]
        let (mut labels, mut starts) = (Vec::new(), Vec::new());
        for (&index, crop) in indices.iter().zip(samples.chunks_exact_mut(pipeline.crop)) {
            let length = source.utterance(index).samples;
            let (augment, seed) = (config.augment, config.seed);
            let start = pipeline.start(length, augment, seed, self.epoch, index as u64);
            source.read(index, start, crop)?;
            pipeline.scaling.apply(crop);
            let of_crop = crop_labels(start, pipeline.crop, length, source.framing());
            let of_all = source.labels(index);
            labels.push(of_all.zip(of_crop).map(|(all, range)| all[range].to_vec()));
            starts.push(start);
        }
        let shape = [indices.len(), 1, pipeline.crop];
        Ok(SpeechBatch { samples, shape, labels, indices, starts })
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn place(&self) -> &str {
        self.loader.source.name()
    }
}
