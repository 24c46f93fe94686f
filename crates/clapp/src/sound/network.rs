//! What takes the steps of a run on sound: layers by their own rules, or a comparison.

use burn::tensor::{Tensor, TensorData};
use clapp_datasets::sound::SpeechBatch;
use clapp_encoders::SoundEncoder;
use clapp_rules::{State, StateError};

use super::Sound;
#[cfg(feature = "baselines")]
use super::compared;
use crate::{
    Error,
    run::LayerMetrics,
    sense::{self, Trial},
};

/// An encoder of sound with what teaches it.
#[derive(Debug)]
pub enum SoundNetwork {
    /// Signals come from a rule.
    Encoder(SoundEncoder),
    /// Signals come from labels.
    #[cfg(feature = "baselines")]
    Phones(clapp_baselines::sound::PhoneLearner),
}

impl SoundNetwork {
    /// The network before its first step.
    pub(super) fn open(trial: &Trial<Sound>) -> Result<Self, Error> {
        let Trial { config, seed, device } = trial;
        let rule = config.rule(&config.setup.rule);
        let encoder = config.setup.encoder.init(rule, *seed, device)?;
        #[cfg(feature = "baselines")]
        if let Some(learner) = compared::learner(config, &encoder, *seed, device) {
            return Ok(Self::Phones(learner));
        }
        Ok(Self::Encoder(encoder))
    }

    /// The encoder.
    #[must_use]
    pub fn encoder(&self) -> &SoundEncoder {
        match self {
            Self::Encoder(encoder) => encoder,
            #[cfg(feature = "baselines")]
            Self::Phones(learner) => &learner.encoder,
        }
    }

    /// One step, by the rule or from labels.
    pub(super) fn step(
        &mut self,
        trial: &Trial<Sound>,
        step: u64,
        batch: SpeechBatch,
    ) -> LayerMetrics {
        #[cfg(feature = "baselines")]
        let labels = batch.labels;
        let waves = Tensor::from_data(TensorData::new(batch.values, batch.shape), &trial.device);
        match self {
            Self::Encoder(encoder) => contrast(trial, step, encoder, waves),
            #[cfg(feature = "baselines")]
            Self::Phones(learner) => {
                let labels = labels.into_iter().flatten().flatten();
                let labels: Vec<usize> = labels.map(|label| label as usize).collect();
                let learnt = learner.step(&waves, &labels, &trial.config.optimizer);
                let (loss, accuracy) = (learnt.losses, learnt.accuracies);
                LayerMetrics { loss, accuracy, ..LayerMetrics::default() }
            }
        }
    }
}

impl sense::Network for SoundNetwork {
    fn save(&self, state: &mut State) {
        match self {
            Self::Encoder(encoder) => encoder.save(state),
            #[cfg(feature = "baselines")]
            Self::Phones(learner) => learner.save(state),
        }
    }

    fn load(&mut self, state: &State) -> Result<(), StateError> {
        match self {
            Self::Encoder(encoder) => encoder.load(state),
            #[cfg(feature = "baselines")]
            Self::Phones(learner) => learner.load(state),
        }
    }
}

/// One step from contrasts, without labels.
fn contrast(
    trial: &Trial<Sound>,
    step: u64,
    encoder: &mut SoundEncoder,
    waves: Tensor<3>,
) -> LayerMetrics {
    #[cfg(feature = "baselines")]
    if let Some(metrics) = compared::step(trial, step, encoder, &waves) {
        return metrics;
    }
    let Trial { config, .. } = trial;
    let (rule, optimizer) = (config.rule(&config.setup.rule), &config.optimizer);
    let draw = &mut |layer, grid| rule.pairs(grid, &mut trial.pairs(step, layer));
    LayerMetrics::of(&encoder.step(waves, rule, optimizer, draw))
}
