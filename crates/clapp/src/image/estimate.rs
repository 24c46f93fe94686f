//! What a run on images costs, by its settings alone.

use burn::tensor::Device;
use clapp_datasets::Batch;
use clapp_encoders::{Context, LayerPlan, Start};
use clapp_eval::Protocol;
use clapp_rules::{Extent, Feedback, Optimizer, Siblings};

use super::{DataConfig, ImageRule, Images, Order, Setup};
use crate::{
    Error, RunConfig, Sense,
    estimate::{Estimate, LOOK, Part, Stopwatch, first_seed},
    sense::Trial,
};

impl ImageRule {
    /// Lateral weights of a prediction, and multiply-adds with them in a step, for one view; `time` is rows, and
    /// columns, of patches.
    ///
    /// A prediction and the change of its weights take a product each, the way back another one; W_retro has its own
    /// change. A rule that predicts nothing has none.
    fn lateral(&self, target: Extent, context: Extent, time: u64) -> [u64; 2] {
        match self {
            Self::OverTime(rule) => {
                let pair = (target.channel * context.channel) as u64;
                let steps = rule.prediction_steps as u64;
                let reach = |step: u64| time.saturating_sub(step + rule.skip as u64);
                let places = time * (1..=steps).map(reach).sum::<u64>();
                let [sets, products] = ways(rule.feedback);
                [sets * steps * pair, products * places * pair]
            }
            Self::TwoViews(rule) => {
                let [z, c] = [target, context].map(|extent| (extent.site * extent.channel) as u64);
                match rule.rank.map(|rank| rank as u64) {
                    None => [z * c, 2 * z * c],
                    Some(rank) => [rank * (z + c), rank * (3 * z + 2 * c)],
                }
            }
            Self::Siblings(rule) => {
                let weights = (Siblings::PAIRS * target.channel * context.channel) as u64;
                let blocks = (target.site.isqrt() as u64 / 2).pow(2);
                let [sets, products] = ways(rule.feedback);
                // A map of one place has no pair, and the layer predicts nothing.
                [blocks.min(1) * sets * weights, products * blocks * weights]
            }
            Self::SoftHebb(_) | Self::Lpl(_) | Self::Scff(_) => [0; 2],
        }
    }
}

/// Sets of lateral weights, and products with one of them in a step.
fn ways(feedback: Feedback) -> [u64; 2] {
    match feedback {
        Feedback::Blocked => [1, 2],
        Feedback::PredRetro | Feedback::PredRetroShared => [2, 4],
        _ => [1, 3],
    }
}

/// A layer by its plan: weights, multiply-adds of a patch, values of the maps that a step keeps of it.
fn layer(plan: &LayerPlan, pre: usize, side: usize, handed: usize) -> [u64; 3] {
    let (channels, area) = (plan.channels(), side * side);
    let (kernel, bias, pixels, maps) = match plan {
        LayerPlan::Rectified(_) => (3, 1, area, pre * area),
        // The normalised input beside the input, and u and its modulation beside what is handed up.
        LayerPlan::Competing(plan) => {
            let bias = usize::from(plan.start == Start::Uniform);
            (plan.kernel, bias, area, 2 * (pre + channels) * area)
        }
        LayerPlan::Tiles(plan) => (plan.tile, 1, area / (plan.tile * plan.tile), pre * area),
    };
    let synapses = channels * kernel * kernel * pre;
    let kept = maps + channels * handed * handed;
    [synapses + bias * channels, synapses * pixels, kept].map(|number| number as u64)
}

pub(super) fn estimate(config: &RunConfig<Images>) -> Result<Estimate, Error> {
    let Setup { encoder, rule, context, .. } = &config.setup;
    let (views, time) = (rule.views() as u64, encoder.time() as u64);
    let patches = views * time * time;
    let maps = encoder.map_sizes()?;
    let (mut parts, mut kept, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    let (mut pre, mut side) = (encoder.colours, encoder.patches.size);
    for &size in &encoder.modules {
        let mut module = 0;
        for place in 0..size {
            let plan = &encoder.layers[parts.len()];
            let handed = maps[parts.len()];
            let [weights, macs, maps] = layer(plan, pre, side, handed);
            let forward = patches * macs;
            // Inside a module of several layers, back-propagation takes the way down as well.
            let ways = if place == 0 { 2 } else { 3 };
            let (forward, learning) = (Some(forward), Some(ways * forward));
            let name = format!("layer{}", parts.len() + 1);
            parts.push(Part { name, weights, lateral: 0, forward, learning });
            module += patches * config.batch as u64 * maps;
            (pre, side) = (plan.channels(), handed);
        }
        kept.push(module);
        ends.push(parts.len() - 1);
    }
    let mut predictions = context.predictions(parts.len());
    predictions.retain(|[target, _]| ends.contains(target) && !config.learning.needs_labels());
    if config.own_rule.is_none() {
        let extents = encoder.extents_for(rule.rule())?;
        for [target, context] in predictions {
            let [weights, macs] = rule.lateral(extents[target], extents[context], time);
            let part = &mut parts[target];
            part.lateral += weights;
            part.learning = part.learning.map(|learning| learning + views * macs);
        }
    }
    let mut estimate = Estimate::with(config, parts);
    let activities = match context {
        Context::SameLayer => kept.iter().copied().max().unwrap_or(0),
        _ => kept.iter().sum(),
    };
    let remembered = match config.optimizer {
        Optimizer::Adam { .. } | Optimizer::AdamW { .. } => 2,
        Optimizer::Sgd { .. } | Optimizer::Lars { .. } => 1,
        _ => 0,
    };
    let weights = estimate.sum(|part| part.weights + part.lateral);
    let change = estimate.parts.iter().map(|part| part.weights.max(part.lateral)).max();
    let values = (1 + remembered) * weights + change.unwrap_or(0) + activities;
    // Embedded scenes and photographs are in memory, three colours of bytes; other files are read as they are needed.
    let embedded = match config.setup.data {
        DataConfig::Synthetic { unlabelled, train, test } => {
            (unlabelled + train + test) as u64 * 3 * 96 * 96
        }
        DataConfig::Folder { files, side, .. } => (files * 3 * side * side) as u64,
        _ => 0,
    };
    estimate.learning_bytes = Some(4 * values + embedded);
    estimate.readout_bytes = Some(readout(config) + embedded);
    Ok(estimate)
}

/// Features of all layers and views in single precision, and those of the largest layer that a probe needs at once in
/// double precision.
fn readout(config: &RunConfig<Images>) -> u64 {
    let Setup { encoder, readout, .. } = &config.setup;
    let dims = encoder.channels().into_iter().enumerate().map(|(l, channels)| {
        (channels * readout.cells.get(l).map_or(1, |cells| cells * cells)) as u64
    });
    let (sum, most) = dims.fold((0, 0), |(sum, most), dim| (sum + dim, dim.max(most)));
    let [train, test] = labelled(&config.setup.data);
    let views = match readout.protocols.contains(&Protocol::Paper) {
        true => readout.paper_views as u64,
        false => 0,
    };
    let at_once = readout.at_once.map_or(train, |labels| train.min(labels as u64));
    4 * sum * (train * (1 + views) + test) + 8 * most * at_once
}

/// Labelled images for fitting read-outs and for testing them, by the official sizes.
fn labelled(data: &DataConfig) -> [u64; 2] {
    match data {
        DataConfig::Synthetic { train, test, .. } | DataConfig::Hierarchy { train, test, .. } => {
            [*train as u64, *test as u64]
        }
        DataConfig::Stl10 { .. } => [5_000, 8_000],
        // A fifth is held out, unless the folder says otherwise.
        DataConfig::Folder { files, .. } => [files - files / 5, files / 5].map(|n| n as u64),
        DataConfig::Cifar10 { reused: true, .. } => [50_000, 10_000],
        DataConfig::Cifar10 { unlabelled, .. } => {
            [50_000_u64.saturating_sub(*unlabelled as u64), 10_000]
        }
    }
}

/// Seconds of a step on noise of the right shape: the data need not be there. Layers that learn one after another
/// are timed as if all did in every step, which takes longer.
pub(super) fn seconds_per_step(config: &RunConfig<Images>, device: &Device) -> Result<f64, Error> {
    let (seed, device) = (first_seed(config), device.clone());
    let mut config = config.clone();
    config.setup.order = Order::AllAtOnce;
    config.setup.data = DataConfig::Synthetic { unlabelled: 1, train: 1, test: 1 };
    let data = Images::open(&config, seed)?;
    let trial = Trial { config, seed, device };
    let config = &trial.config;
    let mut network = Images::network(&trial, &data)?;
    let count = config.setup.rule.views() * config.batch;
    let [colours, side, _] = config.setup.pipeline.output_dims();
    let shape = [count, colours, side, side];
    // Weyl's sequence: between −1.7 and 1.7, as even as noise.
    let noise = |i: usize| ((i as f64 * 0.618_033_988_749_895).fract() * 3.4 - 1.7) as f32;
    let values: Vec<f32> = (0..shape.iter().product()).map(noise).collect();
    let labels = (0..config.batch).map(|i| Some((i % data.classes) as u32)).collect();
    let batch = Batch { values, shape, labels, indices: (0..config.batch).collect() };
    let mut watch = Stopwatch::new(LOOK);
    for step in 0.. {
        Images::step(&trial, step, &mut network, batch.clone());
        if let Some(seconds) = watch.step() {
            return Ok(seconds);
        }
    }
    unreachable!("steps do not end")
}
