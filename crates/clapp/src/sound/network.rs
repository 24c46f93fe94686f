//! What takes the steps of a run on sound: layers by their own rules, or a comparison.

use burn::tensor::{Device, Tensor, TensorData};
use clapp_datasets::sound::SpeechBatch;
use clapp_encoders::{DrawPairs, SoundEncoder};
use clapp_random::{Purpose, stream};
use clapp_rules::{Draws, GridShape, Rule, State, StateError, Update};

use super::SoundRunConfig;
#[cfg(feature = "baselines")]
use crate::Learning;
use crate::{Error, experiment::Numbers};

/// An encoder of sound with what teaches it.
#[derive(Debug)]
pub(super) enum Network {
    /// Signals come from a rule.
    Encoder(SoundEncoder),
    /// Signals come from labels.
    #[cfg(feature = "baselines")]
    Phones(clapp_baselines::sound::PhoneLearner),
}

impl Network {
    /// The network before its first step.
    pub(super) fn open(config: &SoundRunConfig, seed: u64, device: &Device) -> Result<Self, Error> {
        config.learning.check()?;
        let encoder = config.encoder.init(&config.rule, seed, device)?;
        #[cfg(feature = "baselines")]
        if config.learning.needs_labels() {
            use clapp_baselines::sound::PhoneLearner;
            let classes = config.data.classes();
            // The place behind the recurrent layer's weights (0) and lateral weights (1).
            let address = [config.encoder.layers.len() as u64, 2, 0, 0];
            let mut random = stream(seed, Purpose::Initialisation, address);
            let start = match config.learning {
                Learning::Supervised => PhoneLearner::end_to_end,
                _ => PhoneLearner::greedy,
            };
            return Ok(Self::Phones(start(&encoder, classes, device, &mut random)));
        }
        Ok(Self::Encoder(encoder))
    }

    pub(super) fn encoder(&self) -> &SoundEncoder {
        match self {
            Self::Encoder(encoder) => encoder,
            #[cfg(feature = "baselines")]
            Self::Phones(learner) => &learner.encoder,
        }
    }

    pub(super) fn save(&self, state: &mut State) {
        match self {
            Self::Encoder(encoder) => encoder.save(state),
            #[cfg(feature = "baselines")]
            Self::Phones(learner) => learner.save(state),
        }
    }

    pub(super) fn load(&mut self, state: &State) -> Result<(), StateError> {
        match self {
            Self::Encoder(encoder) => encoder.load(state),
            #[cfg(feature = "baselines")]
            Self::Phones(learner) => learner.load(state),
        }
    }

    /// One step; `step` and `seed` name the streams that pairs are drawn from.
    pub(super) fn step(
        &mut self,
        config: &SoundRunConfig,
        batch: SpeechBatch,
        [seed, step]: [u64; 2],
        device: &Device,
    ) -> Numbers {
        #[cfg(feature = "baselines")]
        let labels = batch.labels;
        let waves = Tensor::from_data(TensorData::new(batch.samples, batch.shape), device);
        match self {
            Self::Encoder(encoder) => {
                let draw = &mut |layer, shape| pairs(&config.rule, [seed, step], layer, shape);
                contrast(config, encoder, waves, draw)
            }
            #[cfg(feature = "baselines")]
            Self::Phones(learner) => {
                let labels: Vec<usize> =
                    labels.into_iter().flatten().flatten().map(usize::from).collect();
                let step = learner.step(&waves, &labels, &config.optimizer);
                Numbers { loss: step.losses, accuracy: step.accuracies, ..Numbers::default() }
            }
        }
    }
}

/// Pairs of one layer in one step.
fn pairs(rule: &Rule, [seed, step]: [u64; 2], layer: usize, shape: GridShape) -> Vec<Draws> {
    rule.draw(shape, &mut stream(seed, Purpose::Negatives, [step, layer as u64, 0, 0]))
}

/// One step from contrasts, without labels.
fn contrast(
    config: &SoundRunConfig,
    encoder: &mut SoundEncoder,
    waves: Tensor<3>,
    draw: &mut DrawPairs<'_>,
) -> Numbers {
    let SoundRunConfig { rule, optimizer, .. } = config;
    let updates = match config.learning {
        #[cfg(feature = "baselines")]
        Learning::ThroughTime => {
            clapp_baselines::sound::step_through_time(encoder, waves, rule, optimizer, draw)
        }
        #[cfg(feature = "baselines")]
        Learning::EndToEnd => {
            let [batch, _, samples] = waves.dims();
            let (layers, frames) = (config.encoder.channels(), config.encoder.frames(samples));
            let time = frames.last().copied().unwrap_or_default();
            // The pairs that the last layer draws when it learns alone.
            let draws = draw(layers.len() - 1, GridShape { batch, time, site: 1 });
            let step = clapp_baselines::sound::step_end_to_end;
            let loss = step(encoder, &waves, rule, optimizer, draws);
            return Numbers { loss: vec![loss], ..Numbers::default() };
        }
        // What this build lacks was refused when the network was opened.
        _ => encoder.step(waves, rule, optimizer, draw),
    };
    Numbers::of(&updates.iter().map(Update::monitor).collect::<Vec<_>>())
}
