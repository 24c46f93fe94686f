//! Everything that decides what a run on video computes.

use std::path::PathBuf;

use burn::tensor::Device;
use clapp_datasets::video::{ClipPipeline, Sampling, moving};
use clapp_encoders::VideoConfig;
use clapp_eval::{Protocol, Report};
use clapp_rules::{AllPairs, Optimizer};
use serde::{Deserialize, Serialize};

use super::{ClipsConfig, VideoData, VideoTrainer, network};
use crate::{Error, Experiment, Learning, Schedule, experiment::check_settings};

/// Where moving pictures come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum VideoDataConfig {
    /// The embedded moving scenes: nothing to download.
    MovingScenes {
        /// Clips without labels.
        unlabelled: usize,
        /// Labelled clips for read-outs.
        train: usize,
        /// Clips for testing them.
        test: usize,
        /// Frames of a clip.
        frames: usize,
        /// Side of a frame, in pixels.
        side: usize,
    },
    /// UCF-101, HMDB-51, or any tree of videos.
    Clips(ClipsConfig),
}

impl VideoDataConfig {
    /// Name of the data, as long as they are not open.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::MovingScenes { .. } => "moving scenes".to_owned(),
            Self::Clips(clips) => clips.place.name(),
        }
    }
}

/// How blocks are read out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoReadoutConfig {
    /// Which protocols: any of `standardised`, `block` and `block_authors`.
    pub protocols: Vec<Protocol>,
    /// Frames of a clip that are seen, from anywhere; tests on all clips look at the middle.
    pub sampling: Sampling,
    /// What the authors' classifier is trained on: random views of the training clips.
    pub training: ClipPipeline,
    /// What it is tested on in the authors' mode, random too.
    pub authors: ClipPipeline,
    /// What all other read-outs see, in training and test: nothing random.
    pub plain: ClipPipeline,
    /// Different random views of the training clips; epoch e sees view e mod views, and they stay in
    /// memory. If none, every epoch has its own, as in the paper, and the encoder works again in each.
    pub views: Option<usize>,
    /// Epochs of the authors' classifier.
    pub epochs: usize,
    /// Clips in a batch of it.
    pub batch: usize,
    /// Its learning rate, before the authors' schedule.
    pub learning_rate: f32,
}

/// A run on video: data, encoder, rule, optimizer, length.
///
/// Two runs with equal configurations give equal results, bit for bit on one machine's CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoRunConfig {
    /// Name of the preset it began as.
    pub preset: String,
    /// Method, as it stands in reports.
    pub method: String,
    /// Data.
    pub data: VideoDataConfig,
    /// Frames of a clip that are learnt from.
    pub sampling: Sampling,
    /// Crop, colours, normalisation.
    pub pipeline: ClipPipeline,
    /// Encoder.
    pub encoder: VideoConfig,
    /// Plasticity rule.
    pub rule: AllPairs,
    /// How weights change.
    pub learning: Learning,
    /// Folder of a run whose encoder this one begins with, its moments at rest; else it begins at random.
    /// With labels, this is fine-tuning.
    pub start: Option<PathBuf>,
    /// Optimizer of every block; with labels that of the read-out, and blocks learn at a tenth of its rate.
    pub optimizer: Optimizer,
    /// Clips in a batch: every clip is a saccade target of all others.
    pub batch: usize,
    /// Clips to see without labels; a multiple of what fits into whole batches is seen.
    pub clips: u64,
    /// Steps between lines of the metrics.
    pub metrics_every: u64,
    /// Steps between checkpoints; one more is written at the end.
    pub checkpoint_every: u64,
    /// Checkpoints kept.
    pub checkpoints_kept: usize,
    /// Read-outs at the end.
    pub readout: VideoReadoutConfig,
    /// Seeds: the run is repeated for each of them, from data to read-outs.
    pub seeds: Vec<u64>,
}

impl VideoReadoutConfig {
    /// Whether a protocol is asked for.
    pub(super) fn has(&self, protocol: Protocol) -> bool {
        self.protocols.contains(&protocol)
    }

    fn validate(&self) -> Result<(), Error> {
        let known = [Protocol::Standardised, Protocol::Block, Protocol::BlockAuthors];
        match self.protocols.iter().find(|protocol| !known.contains(protocol)) {
            Some(&protocol) => Err(Error::VideoProtocol { protocol }),
            None => Ok(self.sampling.validate()?),
        }
    }
}

impl Experiment for VideoRunConfig {
    type Learner = VideoTrainer;

    fn validate(&self) -> Result<(), Error> {
        self.learning.check()?;
        if matches!(self.learning, Learning::ThroughTime | Learning::GreedySupervised) {
            return Err(Error::VideoLearning { learning: self.learning });
        }
        self.encoder.validate(&self.rule)?;
        self.sampling.validate()?;
        let (expected, got) = (self.encoder.frames, self.sampling.length);
        if expected != got {
            return Err(Error::Frames { expected, got });
        }
        self.readout.validate()?;
        let numbers = [
            ("batch", self.batch as u64),
            ("clips", self.clips),
            ("readout.protocols", self.readout.protocols.len() as u64),
            ("readout.views", self.readout.views.unwrap_or(1) as u64),
            ("readout.epochs", self.readout.epochs as u64),
            ("readout.batch", self.readout.batch as u64),
        ];
        check_settings(&self.schedule(), &numbers)
    }

    fn check_data(&self) -> Result<(), Error> {
        let seed = self.seeds.first().copied().unwrap_or_default();
        VideoData::open(self, seed)?.check(self)?;
        self.start.as_ref().map_or(Ok(()), |folder| network::saved(folder).map(|_| ()))
    }

    fn name(&self) -> String {
        format!("video-{}-{}", self.preset, self.method)
    }

    fn schedule(&self) -> Schedule<'_> {
        let Self { seeds, metrics_every, checkpoint_every, checkpoints_kept, .. } = self;
        Schedule {
            seeds,
            metrics_every: *metrics_every,
            checkpoint_every: *checkpoint_every,
            checkpoints_kept: *checkpoints_kept,
        }
    }

    /// The number of classes of videos is known when they are open.
    fn report(&self) -> Report {
        let name = self.data.name();
        Report::new(name.clone(), name, moving::CLASSES)
    }

    fn open(&self, seed: u64, device: &Device) -> Result<VideoTrainer, Error> {
        VideoTrainer::new(self, seed, &VideoData::open(self, seed)?, device)
    }
}
