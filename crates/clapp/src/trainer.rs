//! Learning: batches in, local updates, metrics out.

use burn::tensor::Device;
use clapp_eval::Report;
use clapp_rules::{State, StateError};

use crate::{
    Data, Error, RunConfig, Sense,
    run::{Extra, StepMetrics},
    sense::{Batches, Network, Trial},
};

/// A network with its data, in training.
///
/// All that changes is the network and the number of steps taken; everything random is drawn from
/// streams named by seed and step, so a trainer that resumes at a step repeats one that never stopped.
#[derive(Debug)]
pub struct Trainer<S: Sense> {
    trial: Trial<S>,
    network: S::Network,
    data: Data<S>,
    loader: S::Loader,
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
        let trial = Trial { config: config.clone(), seed, device: device.clone() };
        let network = S::network(&trial, &data)?;
        let loader = S::loader(config, seed, &mut data)?;
        Ok(Self { trial, network, data, loader, step: 0 })
    }

    /// Configuration, seed, device.
    #[must_use]
    pub fn trial(&self) -> &Trial<S> {
        &self.trial
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
        self.trial.config.steps()
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
        let layers = S::step(&self.trial, self.step, &mut self.network, batch);
        self.step += 1;
        let seen = self.step * self.trial.config.batch as u64;
        StepMetrics::new(layers, self.step, self.trial.seed, (S::UNIT, seen))
    }

    /// Reads out every layer, with the controls, into `report`; hands out what else is worth a file.
    ///
    /// # Errors
    ///
    /// If data cannot be read or a read-out does not converge.
    pub fn read_out(&self, report: &mut Report) -> Result<Extra, Error> {
        S::read_out(self, report)
    }
}
