//! What takes the steps of a run on video: blocks by their own rules, or a comparison.

use std::path::Path;

use burn::tensor::Device;
use clapp_datasets::video::ClipBatch;
use clapp_encoders::LocalConv3d;
use clapp_random::{Purpose, stream};
use clapp_rules::{Draws, GridShape, State, StateError, Synapses};
use clapp_store::Checkpoint;

use super::{
    VideoRunConfig,
    features::{Film, films},
};
use crate::{Error, experiment::Numbers, saved::to_state};

/// An encoder of films with what teaches it.
#[derive(Debug)]
pub(super) struct Network {
    encoder: Film,
    /// The read-out of a method that learns from labels.
    #[cfg(feature = "baselines")]
    head: Option<clapp_baselines::film::ClassifierHead>,
}

impl Network {
    /// The network before its first step.
    pub(super) fn open(
        config: &VideoRunConfig,
        seed: u64,
        classes: usize,
        device: &Device,
    ) -> Result<Self, Error> {
        config.learning.check()?;
        let mut encoder = Film::video(&config.encoder, &config.rule, seed, device)?;
        if let Some(folder) = &config.start {
            encoder.load(&saved(folder)?)?;
            encoder.layers.iter_mut().for_each(rest);
        }
        #[cfg(feature = "baselines")]
        let head = compared::head(config, classes, seed, device)?;
        #[cfg(not(feature = "baselines"))]
        let _ = classes;
        Ok(Self {
            encoder,
            #[cfg(feature = "baselines")]
            head,
        })
    }

    pub(super) fn encoder(&self) -> &Film {
        &self.encoder
    }

    pub(super) fn save(&self, state: &mut State) {
        self.encoder.save(state);
        #[cfg(feature = "baselines")]
        if let Some(head) = &self.head {
            clapp_encoders::Persist::save(head, "head", state);
        }
    }

    pub(super) fn load(&mut self, state: &State) -> Result<(), StateError> {
        self.encoder.load(state)?;
        #[cfg(feature = "baselines")]
        if let Some(head) = &mut self.head {
            clapp_encoders::Persist::load(head, "head", state)?;
        }
        Ok(())
    }

    /// One step; `place` is seed and step, which name the streams that are drawn from.
    pub(super) fn step(
        &mut self,
        config: &VideoRunConfig,
        batch: ClipBatch,
        place: [u64; 2],
        device: &Device,
    ) -> Numbers {
        #[cfg(feature = "baselines")]
        let labels: Vec<usize> = batch.labels.iter().flatten().map(|&l| l as usize).collect();
        let films = films(batch, device);
        #[cfg(feature = "baselines")]
        if let Some(numbers) = compared::step(self, config, &films, &labels, place) {
            return numbers;
        }
        let mut draw = |block, shape| coins(config, place, block, shape);
        let VideoRunConfig { rule, optimizer, .. } = config;
        Numbers::watched(&self.encoder.step_all_pairs(films, rule, optimizer, &mut draw))
    }
}

/// Coins of one block in one step.
fn coins(
    config: &VideoRunConfig,
    [seed, step]: [u64; 2],
    block: usize,
    shape: GridShape,
) -> Vec<Draws> {
    let address = [step, block as u64, 0, 0];
    config.rule.draw(shape, &mut stream(seed, Purpose::Negatives, address))
}

/// The newest state of a run, to begin another with.
pub(super) fn saved(folder: &Path) -> Result<State, Error> {
    let none = || Error::NoRun { folder: folder.to_owned(), what: "a checkpoint" };
    Ok(to_state(Checkpoint::load_newest(folder)?.ok_or_else(none)?.tensors))
}

/// Forgets the moments of an earlier run; weights and running statistics stay.
fn rest(layer: &mut LocalConv3d) {
    layer.weight = Synapses::new(layer.weight.weight());
    layer.bias = Synapses::new(layer.bias.weight());
    layer.norm.gain = Synapses::new(layer.norm.gain.weight());
    layer.norm.shift = Synapses::new(layer.norm.shift.weight());
}

/// Methods with back-propagation: what takes the place of the local rules.
#[cfg(feature = "baselines")]
mod compared {
    use burn::tensor::{Device, Tensor};
    use clapp_baselines::film::{ClassifierHead, Rates, step_end_to_end, step_supervised};
    use clapp_random::{Purpose, stream};
    use clapp_rules::{GridShape, Optimizer};

    use super::{Network, VideoRunConfig, coins};
    use crate::{Error, Learning, experiment::Numbers};

    /// Third index of a head's streams, behind weights (0) and lateral weights (1).
    const HEAD: u64 = 2;

    /// The read-out of a method that learns from labels.
    pub(super) fn head(
        config: &VideoRunConfig,
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Option<ClassifierHead>, Error> {
        if !config.learning.needs_labels() {
            return Ok(None);
        }
        let blocks = config.encoder.shapes()?;
        let features = blocks.last().map_or(0, |[channels, _, side]| channels * side * side);
        if classes > features {
            return Err(Error::Head { classes, features });
        }
        let address = [blocks.len() as u64, HEAD, 0, 0];
        let mut random = stream(seed, Purpose::Initialisation, address);
        Ok(Some(ClassifierHead::init(features, classes, device, &mut random)))
    }

    /// One step of a comparison; none if blocks learn by their own rules.
    pub(super) fn step(
        network: &mut Network,
        config: &VideoRunConfig,
        films: &Tensor<5>,
        labels: &[usize],
        [seed, step]: [u64; 2],
    ) -> Option<Numbers> {
        let Network { encoder, head } = network;
        let loss = match (config.learning, head) {
            (Learning::EndToEnd, _) => {
                let [batch, ..] = films.dims();
                let last = encoder.layers.len() - 1;
                let shape = GridShape { batch, time: 0, site: 0 };
                let draws = coins(config, [seed, step], last, shape);
                step_end_to_end(encoder, films, &config.rule, &config.optimizer, draws)
            }
            (Learning::Supervised, Some(head)) => {
                let mut random = stream(seed, Purpose::Probe, [HEAD, step, 0, 0]);
                let rates = rates(config.optimizer);
                step_supervised(encoder, head, (films, labels), &rates, &mut random)
            }
            _ => return None,
        };
        Some(Numbers { loss: vec![loss], ..Numbers::default() })
    }

    /// Blocks learn at a tenth of the read-out's rate, as in the authors' `finetune.py`.
    fn rates(head: Optimizer) -> Rates {
        let encoder = match head {
            Optimizer::Plain { rate } => Optimizer::Plain { rate: rate / 10.0 },
            Optimizer::Adam { rate, beta_1, beta_2, epsilon, decay } => {
                Optimizer::Adam { rate: rate / 10.0, beta_1, beta_2, epsilon, decay }
            }
        };
        Rates { encoder, head }
    }
}
