//! The part of a run's configuration that is about video.

use std::path::PathBuf;

use clapp_datasets::video::{ClipPipeline, Sampling};
use clapp_encoders::VideoConfig;
use clapp_eval::Protocol;
use clapp_rules::AllPairs;
use serde::{Deserialize, Serialize};

use super::ClipsConfig;

/// Where moving pictures come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum DataConfig {
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

impl DataConfig {
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
pub struct ReadoutConfig {
    /// Which protocols: any of `standardised`, `knn`, `block` and `block_authors`.
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

impl ReadoutConfig {
    /// Whether a protocol is asked for.
    pub(super) fn has(&self, protocol: Protocol) -> bool {
        self.protocols.contains(&protocol)
    }
}

/// The part of a run's configuration that is about video.
///
/// With labels, [`optimizer`](crate::RunConfig::optimizer) is that of the read-out, and blocks learn at a
/// tenth of its rate. Every clip of a batch is a saccade target of all others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Data.
    pub data: DataConfig,
    /// Frames of a clip that are learnt from.
    pub sampling: Sampling,
    /// Crop, colours, normalisation.
    pub pipeline: ClipPipeline,
    /// Encoder.
    pub encoder: VideoConfig,
    /// Plasticity rule.
    pub rule: AllPairs,
    /// Folder of a run whose encoder this one begins with, its moments at rest; else it begins at random.
    /// With labels, this is fine-tuning.
    pub start: Option<PathBuf>,
    /// Clips to see without labels; a multiple of what fits into whole batches is seen.
    pub clips: u64,
    /// Read-outs at the end.
    pub readout: ReadoutConfig,
}
