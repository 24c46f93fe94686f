//! Methods with back-propagation: what takes the place of the local rules.

use burn::tensor::{Device, Tensor};
use clapp_baselines::sound::{PhoneLearner, step_end_to_end, step_through_time};
use clapp_encoders::SoundEncoder;
use clapp_random::{Purpose, stream};
use clapp_rules::{GridShape, Plasticity};

use super::Sound;
use crate::{Learning, RunConfig, run::LayerMetrics, sense::Trial};

/// The learner of a method that learns from labels.
pub(super) fn learner(
    config: &RunConfig<Sound>,
    encoder: &SoundEncoder,
    seed: u64,
    device: &Device,
) -> Option<PhoneLearner> {
    let start = match config.learning {
        Learning::Supervised => PhoneLearner::end_to_end,
        Learning::GreedySupervised => PhoneLearner::greedy,
        _ => return None,
    };
    // After the weights (0) and the lateral weights (1) of the last layer.
    let address = [config.setup.encoder.layers.len() as u64, 2, 0, 0];
    let mut random = stream(seed, Purpose::Initialisation, address);
    Some(start(encoder, config.setup.data.classes(), device, &mut random))
}

/// One step of a method that contrasts; none if layers learn by their own rules.
pub(super) fn step(
    trial: &Trial<Sound>,
    step: u64,
    encoder: &mut SoundEncoder,
    waves: &Tensor<3>,
) -> Option<LayerMetrics> {
    let config = &trial.config;
    let (rule, optimizer) = (&config.setup.rule, &config.optimizer);
    match config.learning {
        Learning::ThroughTime => {
            let draw = &mut |layer, grid| rule.pairs(grid, &mut trial.pairs(step, layer));
            let metrics = step_through_time(encoder, waves.clone(), rule, optimizer, draw);
            Some(LayerMetrics::of(&metrics))
        }
        Learning::EndToEnd => {
            let [batch, _, samples] = waves.dims();
            let time = config.setup.encoder.frames(samples).last().copied().unwrap_or_default();
            // The pairs that the last layer draws when it learns alone.
            let mut random = trial.pairs(step, encoder.layers.len() - 1);
            let draws = rule.draw(GridShape { batch, time, site: 1 }, &mut random);
            let loss = step_end_to_end(encoder, waves, rule, optimizer, draws);
            Some(LayerMetrics { loss: vec![loss], ..LayerMetrics::default() })
        }
        _ => None,
    }
}
