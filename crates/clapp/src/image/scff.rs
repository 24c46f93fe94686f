//! Preset of SCFF.

use clapp_encoders::{Above, LayerPlan, Start};
use clapp_rules::{Optimizer, Scff};

use super::{Images, Order, preset::soft_hebb};
use crate::{
    Error, RunConfig,
    preset::{Method, Size},
};

/// SoftHebb's data and widths, layers one after another in batches of 50; the last one hands up what is above 0.
///
/// `paper` takes the published passes of each layer over CIFAR-10; over STL-10, whose passes are not known to us, and
/// in `quick` it is one a layer. Thresholds, cost and rates are ours.
pub(super) fn preset(
    images: &Images,
    size: Size,
    method: &Method<'_>,
) -> Result<RunConfig<Images>, Error> {
    let mut config = soft_hebb(images, size, method)?;
    let setup = &mut config.setup;
    let layers = setup.encoder.layers.len();
    for (l, plan) in setup.encoder.layers.iter_mut().enumerate() {
        if let LayerPlan::Competing(plan) = plan {
            (plan.power, plan.start) = (1.0, Start::Uniform);
            plan.above = if l + 1 == layers { Above::Zero } else { Above::Mean };
        }
    }
    let passes = match (size, images) {
        (Size::Paper, Images::Cifar10(..)) => vec![6, 4, 21],
        _ => vec![1; layers],
    };
    if size != Size::Smoke {
        setup.images *= passes.iter().sum::<u64>();
        config.batch = 50;
    }
    setup.order = Order::OneAfterAnother(passes);
    setup.rates = Vec::new();
    setup.rule = Scff::new().into();
    config.optimizer = Optimizer::adam(1e-3);
    Ok(config)
}
