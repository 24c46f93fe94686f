//! What takes the steps of a run on images: layers by their own rules, or a comparison.

use clapp_datasets::Batch;
use clapp_encoders::{EncoderConfig, EncoderError, Layer, LayerPlan, Stack};
use clapp_rules::{Optimize, State, StateError};

#[cfg(feature = "baselines")]
use super::compared;
use super::{ImageRule, Images, Setup, tensor};
use crate::{
    Data, Error, Learning, RunConfig,
    run::LayerMetrics,
    sense::{self, Trial},
};

/// An encoder of images with what teaches it.
#[derive(Debug)]
pub struct ImageNetwork {
    pub(super) encoder: Stack<Box<dyn Layer>>,
    /// A read-out for each module of a method that learns from labels.
    #[cfg(feature = "baselines")]
    pub(super) heads: Vec<clapp_baselines::LinearHead>,
}

impl ImageNetwork {
    /// The network before its first step.
    pub(super) fn open(trial: &Trial<Images>, data: &Data<Images>) -> Result<Self, Error> {
        let Setup { encoder, rule, context, .. } = &trial.config.setup;
        let rule = trial.config.rule(rule.rule());
        let labelled = || (0..data.learn.len()).all(|index| data.learn.info(index).label.is_some());
        if trial.config.learning.needs_labels() && !labelled() {
            return Err(Error::misfit_of(
                "labels",
                format!("labels to learn from for {}", trial.config.learning),
                format!("images without in {}", data.names[0]),
                "choose another method",
            ));
        }
        // Where modules are larger, back-propagation puts layers together.
        let layers = EncoderConfig { modules: vec![1; encoder.layers.len()], ..encoder.clone() };
        Ok(Self {
            encoder: Stack::images(&layers, rule, *context, trial.seed, &trial.device)?,
            #[cfg(feature = "baselines")]
            heads: compared::heads(trial, data),
        })
    }

    /// The encoder.
    #[must_use]
    pub fn encoder(&self) -> &Stack<Box<dyn Layer>> {
        &self.encoder
    }

    /// One step, by the rule or as a comparison does it.
    pub(super) fn step(&mut self, trial: &Trial<Images>, step: u64, batch: Batch) -> LayerMetrics {
        let Trial { config, device, .. } = trial;
        let (layers, all) = (config.setup.encoder.layers.len(), config.steps());
        let (learning, steps) = config.setup.order.stage(layers, all, step);
        let seen = (step - steps.start) * config.batch as u64;
        let part = (steps.end - steps.start) as f64 / all as f64;
        let share = seen as f64 / (config.setup.images as f64 * part);
        let optimizers = config.setup.optimizers(&config.optimizer, share);
        let optimizer = |layer: usize| &optimizers[layer] as &dyn Optimize;
        #[cfg(feature = "baselines")]
        if config.learning.differentiates() {
            return compared::step(trial, step, self, batch, &optimizer);
        }
        let rule = config.rule(config.setup.rule.rule());
        let draw = &mut |prediction, shape| {
            let prediction = if rule.draws_together() { 0 } else { prediction };
            rule.pairs(shape, &mut trial.pairs(step, prediction))
        };
        let only = (learning.len() < layers).then_some(learning.start + 1);
        let images = tensor(batch, device);
        let metrics = self.encoder.step_of(learning, images, rule, &optimizer, draw);
        LayerMetrics { only, ..LayerMetrics::of(&metrics) }
    }
}

impl sense::Network for ImageNetwork {
    fn save(&self, state: &mut State) {
        self.encoder.save(state);
        #[cfg(feature = "baselines")]
        for (place, head) in self.heads.iter().enumerate() {
            clapp_encoders::Persist::save(head, &format!("head{}", place + 1), state);
        }
    }

    fn load(&mut self, state: &State) -> Result<(), StateError> {
        self.encoder.load(state)?;
        #[cfg(feature = "baselines")]
        for (place, head) in self.heads.iter_mut().enumerate() {
            clapp_encoders::Persist::load(head, &format!("head{}", place + 1), state)?;
        }
        Ok(())
    }
}

/// Checks that modules, rule and layers go with how signals reach the weights.
pub(super) fn check(config: &RunConfig<Images>) -> Result<(), Error> {
    let Setup { encoder: EncoderConfig { layers, modules, .. }, rule, .. } = &config.setup;
    let alone = modules.iter().all(|&size| size == 1);
    let fits = match config.learning {
        Learning::Local if alone => return Ok(()),
        Learning::Local => {
            return Err(EncoderError::NotLayerwise { modules: modules.clone() }.into());
        }
        Learning::ThroughTime => {
            let expected = "a recurrent layer to pass credit through time";
            return Err(Error::misfit(expected, "an encoder of images", "choose another method"));
        }
        Learning::EndToEnd | Learning::Supervised => modules.len() == 1,
        Learning::GreedySupervised => alone,
        Learning::Modules => true,
    };
    if !fits {
        let expected = match config.learning {
            Learning::GreedySupervised => format!("{} modules of one layer", layers.len()),
            _ => format!("one module of {} layers", layers.len()),
        };
        let got = format!("sizes {modules:?} for {}", config.learning);
        return Err(Error::misfit_of("encoder.modules", expected, got, "correct the setting"));
    }
    if !config.setup.order.is_all_at_once() {
        let expected = format!("all layers at once for {}", config.learning);
        return Err(Error::misfit_of("order", expected, "one after another", "leave it out"));
    }
    let rectified = layers.iter().all(|layer| matches!(layer, LayerPlan::Rectified(_)));
    let known = matches!(rule, ImageRule::OverTime(_) | ImageRule::TwoViews(_));
    let own = config.setup.context == clapp_encoders::Context::SameLayer;
    if rectified && known && own {
        return Ok(());
    }
    Err(Error::misfit(
        format!(
            "rectified layers, a loss of patches or views and contexts of the same layer for {}",
            config.learning
        ),
        "another set-up",
        "choose another method",
    ))
}
