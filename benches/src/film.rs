//! Training on films, and the loader that feeds it.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use clapp::datasets::video::{ClipList, ClipPipeline, Preparation, Sampling, Short, prepare};
use clapp::datasets::{LastBatch, Loader, LoaderConfig, OnBad};
use clapp::encoders::{EncoderError, LocalConv3d, Stack, Uncut, VideoConfig};
use clapp::random::{Purpose, stream};
use clapp::rules::{AllPairs, Optimizer, Plasticity};
use rand::RngExt;
use rand_distr::StandardNormal;
use tempfile::TempDir;

use crate::Error;

/// Sizes of a workload on films.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilmSetting {
    /// Factor of VGG-5's channels.
    pub width: f64,
    /// Clips of a step.
    pub batch: usize,
    /// Frames of a clip.
    pub frames: usize,
    /// Side of a frame in pixels.
    pub size: usize,
    /// Names all random draws.
    pub seed: u64,
}

impl FilmSetting {
    /// The paper's network, frames and size, one clip.
    #[must_use]
    pub fn full() -> Self {
        Self { width: 1.0, batch: 1, frames: 54, size: 128, seed: 2 }
    }

    /// Clips of independent pixels from N(0, 1), another batch for every step: `[b, c, t, y, x]`.
    #[must_use]
    pub fn clips(&self, step: u64, device: &Device) -> Tensor<5> {
        let shape = [self.batch, 3, self.frames, self.size, self.size];
        let random = stream(self.seed, Purpose::Test, [step, 0, 0, 0]);
        let pixels: Vec<f32> =
            random.sample_iter(StandardNormal).take(shape.iter().product()).collect();
        Tensor::from_data(TensorData::new(pixels, shape), device)
    }
}

/// VGG-5 that learns by CLAPP-s with all pairs, with Adam at the authors' rate of 1e-3.
///
/// ```
/// use burn::tensor::Device;
/// use clapp_benches::{FilmSetting, FilmTraining};
/// let narrow = FilmSetting { width: 1.0 / 32.0, frames: 36, size: 67, ..FilmSetting::full() };
/// let setting = FilmSetting { batch: 2, ..narrow }; // every row needs another to contrast with
/// let device = Device::flex();
/// let mut training = FilmTraining::new(&setting, &device)?;
/// assert_eq!(training.step(setting.clips(0, &device)).len(), 5);
/// # Ok::<(), clapp_benches::Error>(())
/// ```
#[derive(Debug)]
pub struct FilmTraining {
    stack: Stack<LocalConv3d, Uncut<5>>,
    rule: AllPairs,
    optimizer: Optimizer,
}

impl FilmTraining {
    /// A network before its first step.
    ///
    /// # Errors
    ///
    /// If the clips are too short or too small for the network.
    pub fn new(setting: &FilmSetting, device: &Device) -> Result<Self, EncoderError> {
        let &FilmSetting { width, frames, size, seed, .. } = setting;
        let config = VideoConfig { frames, size, ..VideoConfig::vgg5(width)? };
        let rule = AllPairs::clapp_s();
        let stack = Stack::video(&config, &rule, seed, device)?;
        Ok(Self { stack, rule, optimizer: Optimizer::adam(1e-3) })
    }

    /// One step of every block; the losses are read, as a training loop does.
    pub fn step(&mut self, clips: Tensor<5>) -> Vec<f64> {
        let rule = self.rule;
        // Synchronous learning from all pairs flips no coins.
        let mut random = stream(0, Purpose::Saccade, [0; 4]);
        let mut draw = |_: usize, shape| rule.pairs(shape, &mut random);
        let metrics = self.stack.step(clips, &rule, &self.optimizer, &mut draw);
        metrics.iter().map(|metrics| metrics.monitor().loss).collect()
    }
}

/// A loader with one worker over prepared clips of a folder's videos, augmented as for training.
#[derive(Debug)]
pub struct Clips {
    loader: Loader<(Sampling, ClipPipeline)>,
    _prepared: TempDir,
}

impl Clips {
    /// Prepares the videos of a tree of class folders in a temporary folder.
    ///
    /// # Errors
    ///
    /// If there is no video, ffmpeg is missing, or the temporary folder cannot be written to.
    pub fn new(videos: &Path, setting: &FilmSetting) -> Result<Self, Error> {
        let folder = tempfile::tempdir()
            .map_err(|source| Error::Write { path: std::env::temp_dir(), source })?;
        let list = ClipList::folders(videos, OnBad::Skip)?;
        let clips = prepare(list, folder.path(), &Preparation::default(), |_| {})?;
        let sampling = Sampling {
            length: setting.frames,
            short: Short::HoldLast,
            ..Sampling::self_supervised()
        };
        let config = LoaderConfig {
            batch_size: setting.batch,
            last_batch: LastBatch::Keep,
            workers: 1,
            seed: setting.seed,
            ..LoaderConfig::clips()
        };
        let views = (sampling, ClipPipeline::self_supervised());
        let loader = Loader::new(clips, views, config)?;
        Ok(Self { loader, _prepared: folder })
    }

    /// Clips of an epoch.
    #[must_use]
    pub fn count(&self) -> usize {
        self.loader.kept().len()
    }

    /// Takes all batches of an epoch; returns the number of clips.
    ///
    /// # Errors
    ///
    /// If a prepared clip cannot be read any more.
    pub fn epoch(&self, epoch: u64) -> Result<usize, Error> {
        let mut clips = 0;
        for batch in self.loader.epoch(epoch)? {
            clips += std::hint::black_box(batch?).len();
        }
        Ok(clips)
    }
}
