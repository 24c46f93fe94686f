//! Batches of clips, made ahead of time by worker threads, one clip at a time.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::batches::{Batches, Maker, Threads};
use crate::split::epoch_order;
use crate::video::{ClipPipeline, ClipSource, Frame, Sampling, Selection};
use crate::{Error, LastBatch, Order};

/// Some clips, ready to become a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipBatch {
    /// Normalised values, `shape` row-major.
    pub pixels: Vec<f32>,
    /// `[batch, colour, time, y, x]`.
    pub shape: [usize; 5],
    /// The class of each clip, if it has one.
    pub labels: Vec<Option<u8>>,
    /// The index of each clip in the source.
    pub indices: Vec<usize>,
}

impl ClipBatch {
    /// The number of clips.
    #[must_use]
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// True if there is no clip; a loader never yields such a batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

/// How a [`ClipLoader`] visits its source.
///
/// | Name | training | evaluation | Purpose | Range |
/// |---|---|---|---|---|
/// | `batch_size` | 8 | 8 | clips in a batch | ≥ 1 |
/// | `seed` | 2 | 2 | names all random draws | any |
/// | `order` | shuffled | sequential | order of an epoch | |
/// | `last_batch` | drop | keep | an incomplete last batch | |
/// | `workers` | 2 | 2 | threads; 0 makes clips in `next` | |
/// | `prefetch` | 4 | 4 | finished clips that wait, per worker | |
///
/// The first four decide what is delivered, the last two only how soon, and how much memory waits:
/// `workers · (prefetch + 1)` clips of 4·3·time·side² bytes (10.6 MB of 54 frames of 128²).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipLoaderConfig {
    /// Clips in a batch.
    pub batch_size: usize,
    /// Names all random draws.
    pub seed: u64,
    /// Order of an epoch.
    pub order: Order,
    /// What becomes of an incomplete last batch.
    pub last_batch: LastBatch,
    /// Threads that make clips; with 0 they are made when asked for.
    pub workers: usize,
    /// Finished clips that may wait, per worker.
    pub prefetch: usize,
}

impl ClipLoaderConfig {
    /// The authors' training: shuffled batches of 8, the rest dropped.
    #[must_use]
    pub fn training() -> Self {
        let (order, last_batch) = (Order::Shuffled, LastBatch::Drop);
        Self { batch_size: 8, seed: 2, order, last_batch, workers: 2, prefetch: 4 }
    }

    /// Every clip once, in order.
    #[must_use]
    pub fn evaluation() -> Self {
        Self { order: Order::Sequential, last_batch: LastBatch::Keep, ..Self::training() }
    }
}

/// Cuts epochs of clips into batches.
///
/// As with images, a batch is a function of `(source, sampling, pipeline, config, epoch, index of the
/// batch)`. A worker makes one clip at a time, frame by frame: it holds one decoded frame and the
/// network's input of one clip, however long the video is.
///
/// # Example
///
/// ```
/// use clapp_datasets::video::{ClipLoader, ClipLoaderConfig, Sampling, moving};
///
/// let scenes = moving::MovingScenes::new(2, moving::Part::Train, 20);
/// let config = ClipLoaderConfig { batch_size: 4, ..ClipLoaderConfig::training() };
/// let loader = ClipLoader::new(scenes, moving::sampling(), moving::pipeline(), config)?;
/// for batch in loader.epoch(0)? {
///     let batch = batch?;
///     assert_eq!(batch.shape, [4, 3, 16, 56, 56]);
/// }
/// assert_eq!(loader.batches_per_epoch(), 5);
/// assert_eq!(loader.resume(1, 3)?.count(), 2);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Clone)]
pub struct ClipLoader {
    source: Arc<dyn ClipSource>,
    sampling: Sampling,
    selection: Arc<Selection>,
    pipeline: ClipPipeline,
    side: usize,
    config: ClipLoaderConfig,
}

impl fmt::Debug for ClipLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ClipLoader");
        shown.field("source", &self.source.name()).field("clips", &self.selection.kept.len());
        shown.field("sampling", &self.sampling).field("pipeline", &self.pipeline);
        shown.field("config", &self.config).finish_non_exhaustive()
    }
}

impl ClipLoader {
    /// A loader of all clips of `source` that are long enough.
    ///
    /// # Errors
    /// [`Error::Setting`] if the batch size is 0, [`Error::NoClips`] if all clips are too short,
    /// [`Error::TooFewClips`] if an epoch would have no batch, [`Error::Count`] if clips of different size
    /// give outputs of different size, and what [`Sampling::validate`] and
    /// [`ClipPipeline::validate`] find.
    pub fn new(
        source: impl ClipSource + 'static,
        sampling: Sampling,
        pipeline: ClipPipeline,
        config: ClipLoaderConfig,
    ) -> Result<Self, Error> {
        sampling.validate()?;
        if config.batch_size == 0 {
            let (setting, expected) = ("batch_size", "at least 1");
            return Err(Error::Setting { setting, expected, got: 0.0 });
        }
        let selection = sampling.select(&source);
        let (got, place) = (selection.kept.len(), source.name().to_owned());
        if got == 0 {
            let advice = format!("{selection}; shorten the sequence or hold the last frame");
            return Err(Error::NoClips { what: "clip loader", of: source.len(), place, advice });
        }
        let expected = match config.last_batch {
            LastBatch::Keep => 1,
            LastBatch::Drop => config.batch_size,
        };
        if got < expected {
            return Err(Error::TooFewClips { expected, got, place });
        }
        let side = common_side(&source, &selection.kept, &pipeline)?;
        let (source, selection) = (Arc::new(source), Arc::new(selection));
        Ok(Self { source, sampling, selection, pipeline, side, config })
    }

    /// Which clips are used, and which are too short.
    #[must_use]
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &ClipLoaderConfig {
        &self.config
    }

    /// The steps from frames to input.
    #[must_use]
    pub fn pipeline(&self) -> &ClipPipeline {
        &self.pipeline
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> &dyn ClipSource {
        &*self.source
    }

    /// The size of one clip: colour, time, y, x.
    #[must_use]
    pub fn clip_dims(&self) -> [usize; 4] {
        [3, self.sampling.length, self.side, self.side]
    }

    /// The number of batches of an epoch.
    #[must_use]
    pub fn batches_per_epoch(&self) -> usize {
        match self.config.last_batch {
            LastBatch::Keep => self.selection.kept.len().div_ceil(self.config.batch_size),
            LastBatch::Drop => self.selection.kept.len() / self.config.batch_size,
        }
    }

    /// All batches of an epoch.
    ///
    /// # Errors
    /// [`Error::Thread`] if a worker cannot be started.
    pub fn epoch(&self, epoch: u64) -> Result<ClipBatches, Error> {
        self.resume(epoch, 0)
    }

    /// The batches of an epoch from `first` on; none if `first` is their number.
    ///
    /// # Errors
    /// [`Error::Position`] if the epoch has fewer batches, [`Error::Thread`] if a worker cannot be
    /// started.
    pub fn resume(&self, epoch: u64, first: usize) -> Result<ClipBatches, Error> {
        let (expected, batch_size) = (self.batches_per_epoch(), self.config.batch_size);
        if first > expected {
            return Err(Error::Position { expected, got: first, epoch });
        }
        let kept = &self.selection.kept;
        let order = match self.config.order {
            Order::Shuffled => {
                let order = epoch_order(kept.len(), self.config.seed, epoch);
                order.into_iter().map(|place| kept[place]).collect()
            }
            Order::Sequential => kept.clone(),
        };
        let end = kept.len().min(expected * batch_size);
        let start = end.min(first * batch_size);
        let maker = Arc::new(ClipMaker { loader: self.clone(), epoch, order });
        let ClipLoaderConfig { workers, prefetch, .. } = self.config;
        let clips = Batches::start(maker, start..end, Threads { workers, prefetch })?;
        Ok(ClipBatches { clips, end, batch_size, dims: self.clip_dims(), failed: false })
    }
}

/// The side of the pipeline's output, which must be the same for all clips.
fn common_side(
    source: &dyn ClipSource,
    clips: &[usize],
    pipeline: &ClipPipeline,
) -> Result<usize, Error> {
    let mut sizes: Vec<[usize; 2]> = clips.iter().map(|&clip| source.dims(clip)).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let sides: Vec<usize> =
        sizes.into_iter().map(|dims| pipeline.validate(dims)).collect::<Result<_, _>>()?;
    match sides.iter().find(|side| **side != sides[0]) {
        None => Ok(sides[0]),
        Some(&got) => Err(Error::Count {
            what: "rows of the video pipeline's output".to_owned(),
            expected: sides[0],
            got,
            place: source.name().to_owned(),
        }),
    }
}

/// The clips of an epoch.
struct ClipMaker {
    loader: ClipLoader,
    epoch: u64,
    order: Vec<usize>,
}

/// One clip as the network sees it.
struct MadeClip {
    pixels: Vec<f32>, // [colour, time, y, x]
    label: Option<u8>,
    index: usize,
}

impl Maker for ClipMaker {
    type Batch = MadeClip;

    fn make(&self, place: usize) -> Result<MadeClip, Error> {
        let ClipLoader { source, sampling, pipeline, config, .. } = &self.loader;
        let (index, seed, epoch) = (self.order[place], config.seed, self.epoch);
        let frames = sampling.frames(source.frames(index), seed, epoch, index as u64);
        let view = pipeline.view(source.dims(index), frames.len(), seed, epoch, index as u64);
        let mut pixels = vec![0.0; self.loader.clip_dims().iter().product()];
        let mut spare = Frame::default();
        source.read(index, &frames, &mut |t, frame| {
            pipeline.apply(&view[t], frame, &mut spare, t, frames.len(), &mut pixels);
        })?;
        Ok(MadeClip { pixels, label: source.label(index), index })
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn place(&self) -> &str {
        self.loader.source.name()
    }
}

/// The batches of one epoch, in order. After an error there are no more.
///
/// Workers make single clips in turn; `next` puts them together. Dropping this stops and joins the
/// workers.
#[derive(Debug)]
pub struct ClipBatches {
    clips: Batches<MadeClip>,
    end: usize,
    batch_size: usize,
    dims: [usize; 4],
    failed: bool,
}

impl ClipBatches {
    /// The index of the batch that `next` will yield: what a checkpoint has to keep, with the epoch.
    #[must_use]
    pub fn position(&self) -> usize {
        // After a failure the clips of the batch's beginning have been taken already.
        match self.failed {
            true => self.clips.position() / self.batch_size,
            false => self.clips.position().div_ceil(self.batch_size),
        }
    }

    fn left(&self) -> usize {
        if self.failed { 0 } else { self.end - self.clips.position() }
    }

    fn assemble(&mut self, count: usize) -> Result<ClipBatch, Error> {
        let [colours, time, height, width] = self.dims;
        let size = colours * time * height * width;
        let (mut pixels, mut labels, mut indices) = (
            Vec::with_capacity(count * size),
            Vec::with_capacity(count),
            Vec::with_capacity(count),
        );
        for clip in self.clips.by_ref().take(count) {
            let MadeClip { pixels: clip, label, index } = clip?;
            pixels.extend_from_slice(&clip);
            labels.push(label);
            indices.push(index);
        }
        Ok(ClipBatch { pixels, shape: [count, colours, time, height, width], labels, indices })
    }
}

impl Iterator for ClipBatches {
    type Item = Result<ClipBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let count = self.left().min(self.batch_size);
        if count == 0 {
            return None;
        }
        let batch = self.assemble(count).map_err(|error| match error {
            // Clips are made one by one; the epoch is counted in batches.
            Error::Panic { batch, epoch, message, place } => {
                Error::Panic { batch: batch / self.batch_size, epoch, message, place }
            }
            error => error,
        });
        self.failed = batch.is_err();
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left().div_ceil(self.batch_size)))
    }
}

impl std::iter::FusedIterator for ClipBatches {}
