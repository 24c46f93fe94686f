//! Methods with back-propagation: what takes the place of the local rules.

use burn::tensor::Tensor;
use clapp_baselines::{
    LinearHead, draws_of,
    images::{step_modules, step_supervised},
};
use clapp_datasets::{Augment, Batch, Loader, LoaderConfig};
use clapp_eval::{Confusion, Labels, Protocol, Report, Series};
use clapp_random::{Purpose, stream};
use clapp_rules::{Draws, GridShape, Optimize, Plasticity};
use ndarray::ArrayView2;

use super::{ImageNetwork, ImageRule, Images, readout::CHUNK, tensor};
use crate::{Data, Error, Trainer, run::LayerMetrics, sense::Trial};

/// Third index of a read-out's stream, after weights (0) and lateral weights (1) of the layer that it is on.
const HEAD: u64 = 2;

/// The layer, from 0, at the end of each module.
fn ends(modules: &[usize]) -> impl Iterator<Item = usize> {
    modules.iter().scan(0, |end, size| {
        *end += size;
        Some(*end - 1)
    })
}

/// The read-outs of a method that learns from labels, one for each module; none of another.
pub(super) fn heads(trial: &Trial<Images>, data: &Data<Images>) -> Vec<LinearHead> {
    let Trial { config, seed, device } = trial;
    if !config.learning.needs_labels() {
        return Vec::new();
    }
    let channels = config.setup.encoder.channels();
    let head = |layer: usize| {
        let mut random = stream(*seed, Purpose::Initialisation, [layer as u64, HEAD, 0, 0]);
        LinearHead::init(channels[layer], data.classes, device, &mut random)
    };
    ends(&config.setup.encoder.modules).map(head).collect()
}

/// One step of every module.
pub(super) fn step<'o>(
    trial: &Trial<Images>,
    step: u64,
    network: &mut ImageNetwork,
    batch: Batch,
    optimizer: &dyn Fn(usize) -> &'o dyn Optimize,
) -> LayerMetrics {
    let ImageNetwork { encoder, heads } = network;
    let (setup, [samples, ..]) = (&trial.config.setup, batch.shape);
    let modules = &setup.encoder.modules;
    let labels: Vec<usize> = batch.labels.iter().flatten().map(|&label| label as usize).collect();
    let images = tensor(batch, &trial.device);
    if !heads.is_empty() {
        let learnt = step_supervised(encoder, heads, modules, (&images, &labels), optimizer);
        let (loss, accuracy) = (learnt.losses, learnt.accuracies);
        return LayerMetrics { loss, accuracy, ..LayerMetrics::default() };
    }
    // The pairs that the last layer of a module draws when it learns alone.
    let draws = |rule: &dyn Plasticity| -> Vec<Vec<Draws>> {
        let extents = setup.encoder.extents_for(rule).expect("validated");
        let draw = |layer: usize| {
            let prediction = if rule.draws_together() { 0 } else { layer };
            let (time, site) = (setup.encoder.time(), extents[layer].site);
            let grid = GridShape { batch: samples, time, site };
            draws_of(&rule.pairs(grid, &mut trial.pairs(step, prediction)))
        };
        ends(modules).map(draw).collect()
    };
    let loss = match &setup.rule {
        ImageRule::OverTime(rule) => {
            step_modules(encoder, modules, &images, rule, optimizer, &draws(rule))
        }
        ImageRule::TwoViews(rule) => {
            step_modules(encoder, modules, &images, rule, optimizer, &draws(rule))
        }
        other => panic!("back-propagation: expected a validated rule, got {other:?}"),
    };
    LayerMetrics { loss, ..LayerMetrics::default() }
}

/// What the read-outs that were trained together with the encoder name rightly of the test images.
///
/// # Paper
/// Illing et al. 2021, `get_acc_supervised.py`. Deviations: none.
pub(super) fn read_out(trainer: &Trainer<Images>, report: &mut Report) -> Result<(), Error> {
    let (Trial { config, seed, device }, data) = (trainer.trial(), trainer.data());
    let ImageNetwork { encoder, heads } = trainer.network();
    let Some([_, test]) = data.labelled.as_ref().filter(|_| !heads.is_empty()) else {
        return Ok(());
    };
    let augment = Augment::Evaluation;
    let settings =
        LoaderConfig { batch_size: CHUNK, augment, workers: 1, ..LoaderConfig::evaluation() };
    let mut scores = vec![Confusion::empty(data.classes); heads.len()];
    for batch in Loader::new(test.clone(), config.setup.pipeline.clone(), settings)?.epoch(0)? {
        let batch = batch?;
        let labels: Vec<u32> = batch.labels.iter().flatten().copied().collect();
        let features: Vec<Tensor<2>> = encoder.features(tensor(batch, device));
        for ((head, layer), score) in
            heads.iter().zip(ends(&config.setup.encoder.modules)).zip(&mut scores)
        {
            let named = head.scores(features[layer].clone());
            let shape = named.dims();
            let values: Vec<f64> = named.into_data().iter::<f64>().collect();
            let rows = ArrayView2::from_shape(shape, &values);
            score.count(rows.expect("a tensor has as many values as its shape says"), &labels)?;
        }
    }
    let series = Series { protocol: Protocol::Own, labels: Labels::All(data.learn.len()) };
    for (layer, score) in ends(&config.setup.encoder.modules).zip(&scores) {
        report.record(&config.method, layer + 1, series, *seed, score.accuracy())?;
    }
    Ok(())
}
