//! What takes the steps of a run on sound: layers by their own rules, or a comparison.

use burn::tensor::{Device, Tensor, TensorData};
use clapp_datasets::sound::SpeechBatch;
use clapp_encoders::{DrawPairs, SoundEncoder};
use clapp_random::{Purpose, stream};
use clapp_rules::{Draws, GridShape, Rule, State, StateError};

use super::SoundRunConfig;
#[cfg(feature = "baselines")]
use super::compared;
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
        if let Some(learner) = compared::learner(config, &encoder, seed, device) {
            return Ok(Self::Phones(learner));
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
        let waves = Tensor::from_data(TensorData::new(batch.values, batch.shape), device);
        match self {
            Self::Encoder(encoder) => {
                let draw = &mut |layer, shape| pairs(&config.rule, [seed, step], layer, shape);
                contrast(config, encoder, waves, draw)
            }
            #[cfg(feature = "baselines")]
            Self::Phones(learner) => {
                let labels = labels.into_iter().flatten().flatten();
                let labels: Vec<usize> = labels.map(|label| label as usize).collect();
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
    #[cfg(feature = "baselines")]
    if let Some(numbers) = compared::step(config, encoder, &waves, draw) {
        return numbers;
    }
    Numbers::watched(&encoder.step(waves, &config.rule, &config.optimizer, draw))
}
