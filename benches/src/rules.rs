//! The workloads of rules without time: SoftHebb, and CLAPP++ on pairs of views.

use std::{hint::black_box, path::PathBuf};

use burn::tensor::Device;
use clapp::encoders::{EncoderConfig, EncoderError, PatchGrid, Stack};
use clapp::image::{ImageRule, Images, SizesConfig};
use clapp::random::{Purpose, stream};
use clapp::rules::{Optimize, Optimizer};
use clapp::{RunConfig, preset};
use clapp_benches::{Error, Setting, images, measure};

use crate::{
    Options,
    report::{Report, Speed},
};

/// Defaults of an option that are these workloads' own.
pub fn defaults(
    soft_hebb: &'static str,
    views: &'static str,
) -> [(&'static str, &'static str, &'static str); 2] {
    [("workload", "soft-hebb-step", soft_hebb), ("workload", "views-step", views)]
}

/// A step of SoftHebb, all layers at once.
pub fn soft_hebb(options: &Options, device: &Device, report: &mut Report) -> Result<(), Error> {
    let encoder = EncoderConfig::soft_hebb_cifar(options.width)?;
    train(&published("softhebb", options)?, encoder, options, device, report)
}

/// A step of CLAPP++ in which every layer predicts itself.
pub fn views(options: &Options, device: &Device, report: &mut Report) -> Result<(), Error> {
    let mut config = published("clapp-pp", options)?;
    if let ImageRule::TwoViews(rule) = &mut config.setup.rule {
        rule.rank = (options.rank > 0).then_some(options.rank);
    }
    train(&config, EncoderConfig::vgg6(options.width)?, options, device, report)
}

/// The published settings for CIFAR-10, whose files need not be there.
fn published(method: &str, options: &Options) -> Result<RunConfig<Images>, Error> {
    let images = Images::Cifar10(PathBuf::new(), SizesConfig::Any);
    Ok(preset("paper", method, &images, &[options.seed])?)
}

/// Steps by rule, rates and optimizer of a configuration, over whole images; the metrics are read, as a
/// training loop does.
fn train(
    config: &RunConfig<Images>,
    encoder: EncoderConfig,
    options: &Options,
    device: &Device,
    report: &mut Report,
) -> Result<(), Error> {
    let (setup, rule, seed) = (&config.setup, config.setup.rule.rule(), options.seed);
    let of_pairs = options.setting();
    let setting = Setting { batch: setup.rule.views() * of_pairs.batch, ..of_pairs };
    let Setting { crop, colours, arithmetic, .. } = setting;
    let patches = PatchGrid { size: crop, stride: crop };
    let encoder = EncoderConfig { image: crop, colours, arithmetic, patches, ..encoder };
    rule.check_batch(setting.batch).map_err(EncoderError::from)?;
    let mut stack = Stack::images(&encoder, rule, setup.context, seed, device)?;
    let laterals = stack.predictions.iter_mut().flat_map(|of| of.lateral.synapses_mut());
    let lateral: usize = laterals.map(|(_, of)| of.weight().shape().num_elements()).sum();
    report.weights = Some(encoder.weights() + lateral);
    let optimizer = |layer: usize| {
        let mut own = config.optimizer;
        if let Some(rate) = setup.rates.get(layer) {
            *own.rate_mut() = *rate;
        }
        own
    };
    let optimizers: Vec<Optimizer> = (0..encoder.layers.len()).map(optimizer).collect();
    let optimizer = |layer: usize| &optimizers[layer] as &dyn Optimize;
    let timing = measure(
        options.repeats(),
        |step| (step, images(&setting, step, device)),
        |(step, images)| {
            let mut draw = |prediction: usize, shape| {
                let place = [step, prediction as u64, 0, 0];
                rule.pairs(shape, &mut stream(seed, Purpose::Negatives, place))
            };
            for metrics in stack.step_by(images, rule, &optimizer, &mut draw) {
                black_box(metrics.values.into_data());
            }
        },
    );
    report.speed = Some(Speed::new(timing, options.batch));
    Ok(())
}
