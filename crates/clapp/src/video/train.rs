//! Learning from video: clips in, local updates, numbers to watch out.

use burn::tensor::Device;
use clapp_datasets::video::ClipBatch;
use clapp_eval::Report;
use clapp_rules::{State, StateError};

use super::{
    VideoData, VideoRunConfig, data::ClipLoader, features::Film, network::Network,
    readout::read_out,
};
use crate::{
    Error, Experiment, Learner, Seen, StepMetrics,
    experiment::{Each, Extra, run_epochs},
};

/// A network that learns from video.
///
/// All that changes is the encoder and the number of steps taken; everything random is drawn from
/// streams named by seed and step, so a trainer that resumes at a step repeats one that never stopped.
#[derive(Debug)]
pub struct VideoTrainer {
    config: VideoRunConfig,
    seed: u64,
    network: Network,
    data: VideoData,
    loader: ClipLoader,
    device: Device,
    step: u64,
}

impl VideoTrainer {
    /// Prepares a network and its data.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together or there is not one batch of clips.
    pub fn new(
        config: &VideoRunConfig,
        seed: u64,
        data: &VideoData,
        device: &Device,
    ) -> Result<Self, Error> {
        config.validate()?;
        let network = Network::open(config, seed, data.train.classes(), device)?;
        let loader = data.loader(config, seed)?;
        let (config, data, device) = (config.clone(), data.clone(), device.clone());
        Ok(Self { config, seed, network, data, loader, device, step: 0 })
    }

    /// The network.
    #[must_use]
    pub fn encoder(&self) -> &Film {
        self.network.encoder()
    }

    /// One step.
    fn learn(&mut self, batch: ClipBatch) -> Result<StepMetrics, Error> {
        let place = [self.seed, self.step];
        let numbers = self.network.step(&self.config, batch, place, &self.device);
        self.step += 1;
        let seen = Seen::Clips(self.step * self.config.batch as u64);
        StepMetrics::checked(numbers, self.step, self.seed, seen)
    }
}

impl Learner for VideoTrainer {
    fn steps(&self) -> u64 {
        (self.config.clips / self.config.batch as u64).max(1)
    }

    fn step(&self) -> u64 {
        self.step
    }

    fn save(&self, state: &mut State) {
        self.network.save(state);
    }

    fn restore(&mut self, state: &State, step: u64) -> Result<(), StateError> {
        self.network.load(state)?;
        self.step = step;
        Ok(())
    }

    fn run(&mut self, each: &mut Each<'_, Self>) -> Result<(), Error> {
        let per_epoch = self.loader.batches_per_epoch();
        let open = |trainer: &Self, epoch, first| trainer.loader.resume(epoch, first);
        run_epochs(self, per_epoch, open, Self::learn, each)
    }

    fn notes(&self) -> Vec<String> {
        self.data.notes.clone()
    }

    fn read_out(&self, report: &mut Report) -> Result<Extra, Error> {
        read_out(&self.config, self.seed, &self.data, self.encoder(), &self.device, report)
    }
}
