//! Runs on video: moving pictures without labels in, actions read out of every block.
//!
//! # Methods
//!
//! | method | what it is |
//! |---|---|
//! | `clapp-s` | every block predicts itself; all other rows of the batch are saccade targets |
//! | `clapp` | the same local in time: a clip contributes its fixations or its saccades; W_pred and W_retro |
//! | `gim` | InfoNCE in place of the hinge: Greedy InfoMax layer by layer |
//! | `cpc`, `hinge-cpc` | one loss at the last block, back-propagated through all blocks \* |
//! | `supervised` | actions from labels, with a read-out on top; from a run's encoder it is fine-tuning \* |
//! | …`-still` | the encoder without kernels in time: every frame by itself, in shorter clips |
//!
//! \* needs the feature `baselines`. The presets `smoke`, `quick` and `paper` have widths of 1/32, 1/8 and
//! 1.

mod data;
mod encoder;
mod files;
mod look;
mod network;
mod preset;
mod published;
mod readout;
mod setup;

use std::sync::Arc;

use clapp_datasets::{
    Loader,
    video::{Clip, ClipBatch, ClipPipeline, Sampling},
};
use clapp_eval::Report;

use crate::{
    Data, Error, Learning, RunConfig, Sense, Trainer,
    config::at_least_one,
    readout::check_protocols,
    run::{Extra, LayerMetrics},
    sense::Trial,
};

pub use encoder::Encoder;
pub use files::{ClipsConfig, Place};
pub use look::Look;
pub use network::{Film, VideoNetwork};
pub use preset::METHODS;
pub use published::PUBLISHED;
pub use setup::{DataConfig, ReadoutConfig, Setup};

/// Clips that several loaders share.
pub type Source = Arc<dyn clapp_datasets::Source<Item = Clip>>;

/// A loader of clips.
pub(crate) type ClipLoader = Loader<(Sampling, ClipPipeline)>;

/// Video: the sense of runs on it, and the moving pictures that a preset is made for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Video {
    /// The embedded moving scenes.
    MovingScenes,
    /// UCF-101, HMDB-51, or any tree of videos.
    Clips(ClipsConfig),
}

impl Sense for Video {
    type Setup = Setup;
    type Source = Source;
    type Loader = ClipLoader;
    type Network = VideoNetwork;

    const UNIT: &'static str = "clips";
    const PREFIX: &'static str = "video-";

    fn validate(config: &RunConfig<Self>) -> Result<(), Error> {
        let (learning, setup) = (config.learning, &config.setup);
        if matches!(
            learning,
            Learning::ThroughTime | Learning::GreedySupervised | Learning::Modules
        ) {
            return Err(Error::misfit(
                "local rules, one loss or one read-out for all blocks of a video encoder",
                learning,
                "choose another method",
            ));
        }
        let rule = config.rule(&setup.rule);
        setup.encoder.validate(rule)?;
        if !learning.needs_labels() {
            rule.check_batch(config.batch).map_err(clapp_encoders::EncoderError::from)?;
        }
        setup.sampling.validate()?;
        let (frames, length) = (setup.encoder.frames, setup.sampling.length);
        if frames != length {
            return Err(Error::misfit(
                format!("sequences of {frames} frames for the encoder"),
                format!("{length} from the sampling"),
                "change one of them",
            ));
        }
        let readout = &setup.readout;
        check_protocols("video", &readout.protocols, &readout::PROTOCOLS)?;
        readout.sampling.validate()?;
        at_least_one(&[
            ("readout.views", readout.views.unwrap_or(1) as u64),
            ("readout.epochs", readout.epochs as u64),
            ("readout.batch", readout.batch as u64),
        ])
    }

    fn data_name(setup: &Setup) -> String {
        setup.data.name()
    }

    fn amount(setup: &Setup) -> u64 {
        setup.clips
    }

    fn amount_mut(setup: &mut Setup) -> &mut u64 {
        &mut setup.clips
    }

    fn open(config: &RunConfig<Self>, seed: u64) -> Result<Data<Self>, Error> {
        data::open(config, seed)
    }

    fn loader(
        config: &RunConfig<Self>,
        seed: u64,
        data: &mut Data<Self>,
    ) -> Result<ClipLoader, Error> {
        data::loader(config, seed, data)
    }

    fn check(config: &RunConfig<Self>) -> Result<(), Error> {
        data::check(config)?;
        config.setup.start.as_ref().map_or(Ok(()), |folder| network::saved(folder).map(|_| ()))
    }

    fn digests(config: &RunConfig<Self>, data: &Data<Self>) -> Result<Vec<String>, Error> {
        match matches!(config.setup.data, DataConfig::Clips(_)) {
            true => crate::data::digests(&data.learn, data.labelled.as_ref()),
            false => Ok(Vec::new()),
        }
    }

    fn network(trial: &Trial<Self>, data: &Data<Self>) -> Result<VideoNetwork, Error> {
        VideoNetwork::open(trial, data.classes)
    }

    fn step(
        trial: &Trial<Self>,
        step: u64,
        network: &mut VideoNetwork,
        batch: ClipBatch,
    ) -> LayerMetrics {
        network.step(trial, step, batch)
    }

    fn read_out(trainer: &Trainer<Self>, report: &mut Report) -> Result<Extra, Error> {
        readout::read_out(trainer, report)?;
        Ok(Extra::new())
    }
}
