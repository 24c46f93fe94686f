//! What takes the steps of a run on video: blocks by their own rules, or a comparison.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use clapp_datasets::video::ClipBatch;
use clapp_encoders::{LocalConv3d, Stack, Uncut};
use clapp_rules::{State, StateError, Synapses};
use clapp_store::Checkpoint;

use super::Video;
use crate::{
    Error,
    run::{LayerMetrics, to_state},
    sense::{self, Trial},
};

/// An encoder of videos.
pub type Film = Stack<LocalConv3d, Uncut<5>>;

/// Moves a batch to a device.
pub(super) fn films(batch: ClipBatch, device: &Device) -> Tensor<5> {
    Tensor::from_data(TensorData::new(batch.values, batch.shape), device)
}

/// An encoder of films with what teaches it.
#[derive(Debug)]
pub struct VideoNetwork {
    encoder: Film,
    /// The read-out of a method that learns from labels.
    #[cfg(feature = "baselines")]
    head: Option<clapp_baselines::film::ClassifierHead>,
}

impl VideoNetwork {
    /// The network before its first step.
    pub(super) fn open(trial: &Trial<Video>, classes: usize) -> Result<Self, Error> {
        let Trial { config, seed, device } = trial;
        let rule = config.rule(&config.setup.rule);
        let mut encoder = Film::video(&config.setup.encoder, rule, *seed, device)?;
        if let Some(folder) = &config.setup.start {
            encoder.load(&saved(folder)?)?;
            encoder.layers.iter_mut().for_each(rest);
        }
        #[cfg(feature = "baselines")]
        let head = compared::head(config, classes, *seed, device)?;
        #[cfg(not(feature = "baselines"))]
        let _ = classes;
        Ok(Self {
            encoder,
            #[cfg(feature = "baselines")]
            head,
        })
    }

    /// The encoder.
    #[must_use]
    pub fn encoder(&self) -> &Film {
        &self.encoder
    }

    /// One step, by the rule or from labels.
    pub(super) fn step(
        &mut self,
        trial: &Trial<Video>,
        step: u64,
        batch: ClipBatch,
    ) -> LayerMetrics {
        #[cfg(feature = "baselines")]
        let labels: Vec<usize> = batch.labels.iter().flatten().map(|&l| l as usize).collect();
        let films = films(batch, &trial.device);
        #[cfg(feature = "baselines")]
        if let Some(metrics) = compared::step(self, &films, &labels, trial, step) {
            return metrics;
        }
        let Trial { config, .. } = trial;
        let (rule, optimizer) = (config.rule(&config.setup.rule), &config.optimizer);
        let draw = &mut |block, shape| rule.pairs(shape, &mut trial.pairs(step, block));
        LayerMetrics::of(&self.encoder.step(films, rule, optimizer, draw))
    }
}

impl sense::Network for VideoNetwork {
    fn save(&self, state: &mut State) {
        self.encoder.save(state);
        #[cfg(feature = "baselines")]
        if let Some(head) = &self.head {
            clapp_encoders::Persist::save(head, "head", state);
        }
    }

    fn load(&mut self, state: &State) -> Result<(), StateError> {
        self.encoder.load(state)?;
        #[cfg(feature = "baselines")]
        if let Some(head) = &mut self.head {
            clapp_encoders::Persist::load(head, "head", state)?;
        }
        Ok(())
    }
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
    use clapp_rules::{GridShape, Optimizer, Plasticity};

    use super::{Video, VideoNetwork};
    use crate::{Error, Learning, RunConfig, run::LayerMetrics, sense::Trial};

    /// Third index of a head's streams, after weights (0) and lateral weights (1).
    const HEAD: u64 = 2;

    /// The read-out of a method that learns from labels.
    pub(super) fn head(
        config: &RunConfig<Video>,
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Option<ClassifierHead>, Error> {
        if !config.learning.needs_labels() {
            return Ok(None);
        }
        let blocks = config.setup.encoder.shapes()?;
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
        network: &mut VideoNetwork,
        films: &Tensor<5>,
        labels: &[usize],
        trial: &Trial<Video>,
        step: u64,
    ) -> Option<LayerMetrics> {
        let (VideoNetwork { encoder, head }, config) = (network, &trial.config);
        let loss = match (config.learning, head) {
            (Learning::EndToEnd, _) => {
                let [batch, ..] = films.dims();
                let last = encoder.layers.len() - 1;
                let shapes = config.setup.encoder.shapes().ok()?;
                let &[_, time, side] = shapes.last()?;
                let shape = GridShape { batch, time, site: side * side };
                let rule = &config.setup.rule;
                let rows = rule.pairs(shape, &mut trial.pairs(step, last));
                step_end_to_end(encoder, films, rule, &config.optimizer, &rows)
            }
            (Learning::Supervised, Some(head)) => {
                let mut random = stream(trial.seed, Purpose::Probe, [HEAD, step, 0, 0]);
                let rates = rates(config.optimizer);
                step_supervised(encoder, head, (films, labels), &rates, &mut random)
            }
            _ => return None,
        };
        Some(LayerMetrics { loss: vec![loss], ..LayerMetrics::default() })
    }

    /// Blocks learn at a tenth of the read-out's rate, as in the authors' `finetune.py`.
    fn rates(head: Optimizer) -> Rates {
        let mut encoder = head;
        *encoder.rate_mut() /= 10.0;
        Rates { encoder, head }
    }
}
