//! Learning from images: images in, local updates, numbers to watch out.

use burn::tensor::{Device, Tensor, TensorData};
use clapp_datasets::{Batch, LastBatch, Loader, LoaderConfig};
use clapp_encoders::Stack;
use clapp_eval::Report;
use clapp_random::{Purpose, stream};
use clapp_rules::{State, StateError, Watched};

use crate::{
    Data, Error, Learner, RunConfig, Seen, StepMetrics, evaluate,
    experiment::{Each, Extra, run_epochs},
};

/// A network that learns from images.
///
/// All that changes is the stack and the number of steps taken; everything random is drawn from
/// streams named by seed and step, so a trainer that resumes at a step repeats one that never stopped.
#[derive(Debug)]
pub struct Trainer {
    config: RunConfig,
    seed: u64,
    stack: Stack,
    data: Data,
    loader: Loader,
    device: Device,
    step: u64,
}

impl Trainer {
    /// Prepares a network and its data.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together or there is not one batch of images.
    pub fn new(config: &RunConfig, seed: u64, data: &Data, device: &Device) -> Result<Self, Error> {
        config.validate()?;
        let stack = Stack::init(&config.encoder, &config.rule, config.context, seed, device)?;
        let settings = LoaderConfig {
            batch_size: config.batch,
            seed,
            last_batch: LastBatch::Drop,
            workers: 1,
            ..LoaderConfig::training()
        };
        let images = data.unlabelled.len();
        if images < config.batch {
            let name = data.name.clone();
            return Err(Error::TooFewImages { batch: config.batch, images, name });
        }
        let loader = Loader::new(data.unlabelled.clone(), config.pipeline.clone(), settings)?;
        let (config, data, device) = (config.clone(), data.clone(), device.clone());
        Ok(Self { config, seed, stack, data, loader, device, step: 0 })
    }

    /// The network.
    #[must_use]
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The network, to restore a saved state into.
    pub fn stack_mut(&mut self) -> &mut Stack {
        &mut self.stack
    }

    /// One step.
    fn learn(&mut self, batch: Batch) -> Result<StepMetrics, Error> {
        let (seed, rule, step) = (self.seed, self.config.rule, self.step);
        let images = images(batch, &self.device);
        let mut draw = |layer: usize, shape| {
            rule.draw(shape, &mut stream(seed, Purpose::Negatives, [step, layer as u64, 0, 0]))
        };
        let watched = self.stack.step(images, &rule, &self.config.optimizer, &mut draw);
        self.step += 1;
        let monitors: Vec<_> = watched.iter().map(Watched::monitor).collect();
        let seen = Seen::Images(self.step * self.config.batch as u64);
        StepMetrics::of(&monitors, self.step, seed, seen)
    }
}

impl Learner for Trainer {
    fn steps(&self) -> u64 {
        (self.config.images / self.config.batch as u64).max(1)
    }

    fn step(&self) -> u64 {
        self.step
    }

    fn save(&self, state: &mut State) {
        self.stack.save(state);
    }

    fn restore(&mut self, state: &State, step: u64) -> Result<(), StateError> {
        self.stack.load(state)?;
        self.step = step;
        Ok(())
    }

    fn run(&mut self, each: &mut Each<'_, Self>) -> Result<(), Error> {
        let per_epoch = self.loader.batches_per_epoch();
        let open = |trainer: &Self, epoch, first| trainer.loader.resume(epoch, first);
        run_epochs(self, per_epoch, open, Self::learn, each)
    }

    fn read_out(&self, report: &mut Report) -> Result<Extra, Error> {
        evaluate(&self.config, self.seed, &self.data, &self.stack, &self.device, report)?;
        Ok(Extra::new())
    }
}

/// Moves a batch to a device.
pub(crate) fn images(batch: Batch, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(batch.values, batch.shape), device)
}
