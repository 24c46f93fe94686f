//! Learning: batches in, local updates, metrics out.

use burn::tensor::Device;
use clapp_eval::Report;
use clapp_rules::{State, StateError};

use crate::{
    Data, Error, RunConfig, Sense,
    run::{Amount, Extra, StepMetrics},
    sense::{Batches, Network, Step, Trained},
};

/// A network with its data, in training.
///
/// All that changes is the network and the number of steps taken; everything random is drawn from
/// streams named by seed and step, so a trainer that resumes at a step repeats one that never stopped.
#[derive(Debug)]
pub struct Trainer<S: Sense> {
    config: RunConfig<S>,
    seed: u64,
    network: S::Network,
    data: Data<S>,
    loader: S::Loader,
    device: Device,
    step: u64,
}

/// What is done after a step; `true` goes on.
pub type Each<'a, S> = dyn FnMut(&Trainer<S>, &StepMetrics) -> Result<bool, Error> + 'a;

impl<S: Sense> Trainer<S> {
    /// Prepares a network for these data.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together or there is not one batch.
    pub fn new(
        config: &RunConfig<S>,
        seed: u64,
        mut data: Data<S>,
        device: &Device,
    ) -> Result<Self, Error> {
        config.validate()?;
        let network = S::network(config, data.classes, seed, device)?;
        let loader = S::loader(config, &mut data, seed)?;
        let (config, device) = (config.clone(), device.clone());
        Ok(Self { config, seed, network, data, loader, device, step: 0 })
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &S::Network {
        &self.network
    }

    /// The data.
    #[must_use]
    pub fn data(&self) -> &Data<S> {
        &self.data
    }

    /// Steps of the whole training.
    #[must_use]
    pub fn steps(&self) -> u64 {
        (S::amount(&self.config.setup) / self.config.batch as u64).max(1)
    }

    /// Steps taken.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Adds everything that learns to `state`.
    pub fn save(&self, state: &mut State) {
        self.network.save(state);
    }

    /// Goes on after `step` steps from what [`save`](Self::save) added there.
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape.
    pub fn restore(&mut self, state: &State, step: u64) -> Result<(), StateError> {
        self.network.load(state)?;
        self.step = step;
        Ok(())
    }

    /// Trains to the end, or until `each`, which is called after every step, says to stop.
    ///
    /// # Errors
    ///
    /// If data cannot be read, a loss is not finite, or `each` fails.
    pub fn run(&mut self, each: &mut Each<'_, S>) -> Result<(), Error> {
        let per_epoch = self.loader.per_epoch() as u64;
        while self.step < self.steps() {
            let (epoch, first) = (self.step / per_epoch, self.step % per_epoch);
            for batch in self.loader.epoch(epoch, first as usize)? {
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
    fn learn(&mut self, batch: <S::Loader as Batches>::Batch) -> Result<StepMetrics, Error> {
        let Self { config, seed, network, device, .. } = self;
        let step = Step { config, seed: *seed, number: self.step, device };
        let layers = S::step(network, batch, &step);
        self.step += 1;
        let seen = Amount::new(S::UNIT, self.step * self.config.batch as u64);
        StepMetrics::new(layers, self.step, self.seed, seen)
    }

    /// Reads out every layer, with the controls, into `report`; hands out what else is worth a file.
    ///
    /// # Errors
    ///
    /// If data cannot be read or a read-out does not converge.
    pub fn read_out(&self, report: &mut Report) -> Result<Extra, Error> {
        let Self { config, seed, data, network, device, .. } = self;
        S::read_out(&Trained { config, seed: *seed, data, network, device }, report)
    }
}
