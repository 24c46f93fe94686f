//! Learning from sound: crops in, local updates, numbers to watch out.

use burn::tensor::{Device, Tensor, TensorData};
use clapp_datasets::sound::{SpeechBatch, SpeechLoader};
use clapp_encoders::SoundEncoder;
use clapp_eval::Report;
use clapp_random::{Purpose, stream};
use clapp_rules::{State, StateError, Update};

use super::{SoundData, SoundRunConfig, readout::read_out};
use crate::{
    Error, Experiment, Learner, Seen, StepMetrics,
    experiment::{Each, Extra, run_epochs},
};

/// A network that learns from sound.
///
/// All that changes is the encoder and the number of steps taken; everything random is drawn from
/// streams named by seed and step, so a trainer that resumes at a step repeats one that never stopped.
#[derive(Debug)]
pub struct SoundTrainer {
    config: SoundRunConfig,
    seed: u64,
    encoder: SoundEncoder,
    data: SoundData,
    loader: SpeechLoader,
    device: Device,
    step: u64,
}

impl SoundTrainer {
    /// Prepares a network and its data.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together or there is not one batch of utterances.
    pub fn new(
        config: &SoundRunConfig,
        seed: u64,
        data: &SoundData,
        device: &Device,
    ) -> Result<Self, Error> {
        config.validate()?;
        let encoder = config.encoder.init(&config.rule, seed, device)?;
        let loader = data.loader(config, seed)?;
        let (config, data, device) = (config.clone(), data.clone(), device.clone());
        Ok(Self { config, seed, encoder, data, loader, device, step: 0 })
    }

    /// The network.
    #[must_use]
    pub fn encoder(&self) -> &SoundEncoder {
        &self.encoder
    }

    /// One step.
    fn learn(&mut self, batch: SpeechBatch) -> Result<StepMetrics, Error> {
        let (seed, rule, step) = (self.seed, self.config.rule, self.step);
        let waves = Tensor::from_data(TensorData::new(batch.samples, batch.shape), &self.device);
        let mut draw = |layer: usize, shape| {
            rule.draw(shape, &mut stream(seed, Purpose::Negatives, [step, layer as u64, 0, 0]))
        };
        let updates = self.encoder.step(waves, &rule, &self.config.optimizer, &mut draw);
        self.step += 1;
        let monitors: Vec<_> = updates.iter().map(Update::monitor).collect();
        let seen = Seen::Crops(self.step * self.config.batch as u64);
        StepMetrics::of(&monitors, self.step, seed, seen)
    }
}

impl Learner for SoundTrainer {
    fn steps(&self) -> u64 {
        (self.config.crops / self.config.batch as u64).max(1)
    }

    fn step(&self) -> u64 {
        self.step
    }

    fn save(&self, state: &mut State) {
        self.encoder.save(state);
    }

    fn restore(&mut self, state: &State, step: u64) -> Result<(), StateError> {
        self.encoder.load(state)?;
        self.step = step;
        Ok(())
    }

    fn run(&mut self, each: &mut Each<'_, Self>) -> Result<(), Error> {
        let per_epoch = self.loader.batches_per_epoch();
        let open = |trainer: &Self, epoch, first| trainer.loader.resume(epoch, first);
        run_epochs(self, per_epoch, open, Self::learn, each)
    }

    fn read_out(&self, report: &mut Report) -> Result<Extra, Error> {
        read_out(&self.config, self.seed, &self.data, &self.encoder, &self.device, report)
    }
}
