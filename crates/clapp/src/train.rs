//! The training loop: images in, local updates, numbers to watch out.

use burn::tensor::{Device, Tensor, TensorData};
use clapp_datasets::{Batch, LastBatch, Loader, LoaderConfig};
use clapp_encoders::Stack;
use clapp_random::{Purpose, stream};
use clapp_rules::Monitor;
use serde::{Deserialize, Serialize};

use crate::{Data, Error, RunConfig};

/// Numbers of one step, as they stand in the metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Step of the run, from 1; seeds follow each other.
    pub step: u64,
    /// Seed.
    pub seed: u64,
    /// Images seen with this seed.
    pub images: u64,
    /// Loss of every layer.
    pub loss: Vec<f64>,
    /// Fraction of open gates of every layer.
    pub open_gates: Vec<f64>,
    /// Contrastive accuracy of every layer.
    pub accuracy: Vec<f64>,
}

/// A network in training.
///
/// All that changes is the stack and the number of steps taken; everything random is drawn from
/// streams named by seed and step, so a trainer that resumes at a step repeats one that never stopped.
#[derive(Debug)]
pub struct Trainer {
    config: RunConfig,
    seed: u64,
    stack: Stack,
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
        Ok(Self { config: config.clone(), seed, stack, loader, device: device.clone(), step: 0 })
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

    /// Steps taken.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Steps of the whole run.
    #[must_use]
    pub fn steps(&self) -> u64 {
        (self.config.images / self.config.batch as u64).max(1)
    }

    /// Goes on behind `step` steps.
    pub fn set_step(&mut self, step: u64) {
        self.step = step;
    }

    /// Trains to the end, or until `each` says to stop.
    ///
    /// `each` is called after every step with the trainer and the step's numbers; `true` goes on.
    ///
    /// # Errors
    ///
    /// If data cannot be read, a loss is not finite, or `each` fails. Nothing is learnt from a step
    /// whose loss is not finite to be trusted: resume from the last checkpoint.
    pub fn run(
        &mut self,
        each: &mut dyn FnMut(&Self, &StepMetrics) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let per_epoch = self.loader.batches_per_epoch() as u64;
        while self.step < self.steps() {
            let (epoch, first) = (self.step / per_epoch, self.step % per_epoch);
            for batch in self.loader.resume(epoch, first as usize)? {
                let metrics = self.learn(batch?)?;
                if !each(self, &metrics)? {
                    return Ok(());
                }
                if self.step == self.steps() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// One step.
    fn learn(&mut self, batch: Batch) -> Result<StepMetrics, Error> {
        let (seed, rule, step) = (self.seed, self.config.rule, self.step);
        let images = images(batch, &self.device);
        let mut draw = |layer: usize, shape| {
            rule.draw(shape, &mut stream(seed, Purpose::Negatives, [step, layer as u64, 0, 0]))
        };
        let updates = self.stack.step(images, &rule, &self.config.optimizer, &mut draw);
        self.step += 1;
        let monitors: Vec<Monitor> = updates.iter().map(clapp_rules::Update::monitor).collect();
        for (layer, monitor) in monitors.iter().enumerate() {
            if !monitor.loss.is_finite() {
                let (layer, loss) = (layer + 1, monitor.loss);
                return Err(Error::NotFinite { layer, step: self.step, loss });
            }
        }
        Ok(StepMetrics {
            step: self.step,
            seed,
            images: self.step * self.config.batch as u64,
            loss: monitors.iter().map(|monitor| monitor.loss).collect(),
            open_gates: monitors.iter().map(|monitor| monitor.open_gates).collect(),
            accuracy: monitors.iter().map(|monitor| monitor.accuracy).collect(),
        })
    }
}

/// Moves a batch to a device.
pub(crate) fn images(batch: Batch, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(batch.pixels, batch.shape), device)
}
