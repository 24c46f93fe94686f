//! What a sense is: its data, its network, how that learns and how it is read out.

use std::fmt::Debug;

use burn::tensor::Device;
use clapp_datasets::{BatchOf, Batcher, Loader};
use clapp_encoders::{Persist, Stack};
use clapp_eval::Report;
use clapp_random::{Purpose, Stream, stream};
use clapp_rules::{State, StateError};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Data, Error, RunConfig, Trainer,
    estimate::{self, Estimate},
    run::{Extra, LayerMetrics},
};

/// A sense: everything that a run on it does not share with runs on other senses.
///
/// Configuration, folder, checkpoints, seeds, training loop and resuming are the same for all:
/// [`Run`](crate::Run), [`RunConfig`] and [`Trainer`] take a sense as their parameter.
/// Implemented by [`Images`](crate::Images), [`Sound`](crate::Sound) and [`Video`](crate::Video);
/// deliberately not by an encoder, which only is one of the things that a sense chooses. The test
/// `tests/own_sense.rs` adds another one, frames of events of two polarities.
///
/// It has more than three required functions because a run takes all of them, each once, in this
/// order; all are associated, so that a sense is a name and holds nothing of a run.
pub trait Sense: Clone + Debug + PartialEq {
    /// The sense's part of a configuration: data, views, encoder, rule, length, read-outs.
    type Setup: Clone + Debug + PartialEq + Serialize + DeserializeOwned;
    /// A set of samples that several loaders share.
    type Source: Clone;
    /// Cuts epochs of samples into batches.
    type Loader: Batches;
    /// What learns.
    type Network: Network;

    /// What is learnt from, in the plural: the name of its number in settings and metrics.
    const UNIT: &'static str;
    /// What the names of run folders begin with.
    const PREFIX: &'static str;
    /// Whether there is a [`look`](Self::look).
    const LOOKS: bool = false;

    /// Checks that the sense's part fits together, before any data are read.
    ///
    /// # Errors
    ///
    /// If it does not.
    fn validate(config: &RunConfig<Self>) -> Result<(), Error>;

    /// Name of the data, as long as they are not open.
    fn data_name(setup: &Self::Setup) -> String;

    /// How many samples to learn from.
    fn amount(setup: &Self::Setup) -> u64;

    /// The same, to change it: for budgets.
    fn amount_mut(setup: &mut Self::Setup) -> &mut u64;

    /// Opens or generates the data.
    ///
    /// # Errors
    ///
    /// If they are missing or damaged.
    fn open(config: &RunConfig<Self>, seed: u64) -> Result<Data<Self>, Error>;

    /// Batches to learn from; what a reader has to know of them is added to the notes of the data.
    ///
    /// # Errors
    ///
    /// If there is not one batch.
    fn loader(
        config: &RunConfig<Self>,
        seed: u64,
        data: &mut Data<Self>,
    ) -> Result<Self::Loader, Error>;

    /// Checks that the data are there and suffice, before anything is written: opens them, unless it is
    /// known that they do.
    ///
    /// # Errors
    ///
    /// If they are missing, damaged or too few.
    fn check(config: &RunConfig<Self>) -> Result<(), Error> {
        let seed = config.seeds.first().copied().unwrap_or_default();
        Self::loader(config, seed, &mut Self::open(config, seed)?).map(|_| ())
    }

    /// Digests of data in files, by which a resumed run checks that they are the same; none of generated data.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    fn digests(config: &RunConfig<Self>, data: &Data<Self>) -> Result<Vec<String>, Error> {
        let _ = (config, data);
        Ok(Vec::new())
    }

    /// The network before its first step.
    ///
    /// # Errors
    ///
    /// If its parts do not fit together.
    fn network(trial: &Trial<Self>, data: &Data<Self>) -> Result<Self::Network, Error>;

    /// Learns from a batch; `step` is the number of steps taken before.
    fn step(
        trial: &Trial<Self>,
        step: u64,
        network: &mut Self::Network,
        batch: <Self::Loader as Batches>::Batch,
    ) -> LayerMetrics;

    /// Reads out every layer, with the controls, into `report`; hands out what else is worth a file.
    ///
    /// # Errors
    ///
    /// If data cannot be read or a read-out does not converge.
    fn read_out(trainer: &Trainer<Self>, report: &mut Report) -> Result<Extra, Error>;

    /// Accuracies of all layers, as fractions, for a look while they learn; none without labels.
    ///
    /// # Errors
    ///
    /// If data cannot be read.
    fn look(trainer: &Trainer<Self>) -> Result<Vec<f64>, Error> {
        let _ = trainer;
        Ok(Vec::new())
    }

    /// What a run costs. A sense that can't say by its settings alone makes the network and counts its weights,
    /// for which the data are opened.
    ///
    /// # Errors
    ///
    /// If network or data cannot be had.
    fn estimate(config: &RunConfig<Self>, device: &Device) -> Result<Estimate, Error> {
        Estimate::of_network(config, device)
    }

    /// Seconds of a step on this machine, for which some are taken; on the data, unless a sense can do without.
    ///
    /// # Errors
    ///
    /// If network or data cannot be had.
    fn seconds_per_step(config: &RunConfig<Self>, device: &Device) -> Result<f64, Error> {
        estimate::seconds_per_step(config, device, estimate::LOOK)
    }
}

/// One seed of a run, and where it is computed.
#[derive(Clone, Debug)]
pub struct Trial<S: Sense> {
    /// The run's configuration.
    pub config: RunConfig<S>,
    /// Seed.
    pub seed: u64,
    /// Device of all tensors.
    pub device: Device,
}

impl<S: Sense> Trial<S> {
    /// The stream that a layer, from 0, draws its pairs from in a step.
    #[must_use]
    pub fn pairs(&self, step: u64, layer: usize) -> Stream {
        stream(self.seed, Purpose::Negatives, [step, layer as u64, 0, 0])
    }
}

/// Epochs of batches that can be opened at any of their batches.
pub trait Batches: Debug {
    /// A batch.
    type Batch;

    /// How many an epoch has.
    fn per_epoch(&self) -> usize;

    /// Those of an epoch from `first` on.
    ///
    /// # Errors
    ///
    /// If the data cannot be read.
    fn epoch(&self, epoch: u64, first: usize) -> Result<Epoch<Self::Batch>, Error>;
}

/// Batches of an epoch.
pub type Epoch<B> = Box<dyn Iterator<Item = Result<B, clapp_datasets::Error>>>;

impl<B: Batcher> Batches for Loader<B> {
    type Batch = BatchOf<B>;

    fn per_epoch(&self) -> usize {
        self.batches_per_epoch()
    }

    fn epoch(&self, epoch: u64, first: usize) -> Result<Epoch<BatchOf<B>>, Error> {
        Ok(Box::new(self.resume(epoch, first)?))
    }
}

/// What learns, as a checkpoint sees it.
pub trait Network: Debug {
    /// Adds everything that learns to `state`.
    fn save(&self, state: &mut State);

    /// Restores what [`save`](Self::save) added.
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape.
    fn load(&mut self, state: &State) -> Result<(), StateError>;
}

impl<L: Persist + Debug, C: Debug> Network for Stack<L, C> {
    fn save(&self, state: &mut State) {
        Self::save(self, state);
    }

    fn load(&mut self, state: &State) -> Result<(), StateError> {
        Self::load(self, state)
    }
}
