//! Random hierarchies: a layer for each level of productions.

use clapp_datasets::{Colour, Flip, ImagePipeline, Scale, hierarchy::Config};
use clapp_encoders::{Context, EncoderConfig, PatchGrid, TilePlan};
use clapp_eval::Protocol;
use clapp_rules::{Optimizer, Rule, Siblings, SoftHebb};

use super::{
    DataConfig, ImageRule, Images, Order, Schedule, Setup,
    preset::{readout, rule_of},
};
use crate::{
    Error, RunConfig,
    preset::{Method, Size},
};

/// Pixels a side of a token as it is drawn.
const TOKEN: usize = 4;

/// Layers whose tiles are productions: the first sees the 2 × 2 tokens of one, each other one the 2 × 2 symbols of
/// one in the layer below.
///
/// Rules of the CLAPP family predict the symbols that stand beside each other in a production
/// ([`Siblings`]); the last layer sees the whole and has nothing beside it, so it keeps the weights that it starts
/// with, an expansion of the symbols under the root.
pub(super) fn preset(
    config: Config,
    size: Size,
    method: &Method<'_>,
) -> Result<RunConfig<Images>, Error> {
    config.validate()?;
    let refused = |expected: &str, advice: &'static str| {
        Err(Error::misfit_of("hierarchies", expected, method.name, advice))
    };
    if size == Size::Paper {
        return Err(super::preset::unpublished("STL-10"));
    }
    let (rule, optimizer): (ImageRule, _) = match method.rule {
        "clapp-pp" | "dfb" | "both" | "lpl" => {
            return refused(
                "a method without random views, which leave no production whole",
                "choose clapp-s, or other images",
            );
        }
        "clapp-s-above" => {
            return refused("contexts of as many places as targets", "choose clapp-s");
        }
        "scff" => return refused("a method for tiles, not layers with windows", "choose clapp-s"),
        "softhebb" => {
            let temperatures = vec![1.0; config.depth];
            (SoftHebb { temperatures }.into(), Optimizer::UnitNorm { rate: 0.01, power: 0.5 })
        }
        _ => {
            let Rule { objective, timing, feedback, .. } = rule_of(method).0;
            let rule = Siblings { objective, timing, feedback, ..Siblings::clapp_s() };
            (rule.into(), Optimizer::adam(3e-3))
        }
    };
    let (channels, strings, seen, labels, every) = match size {
        Size::Smoke => (16, 320, 320, [200, 100], 5),
        _ => (128, 64_000, 64_000, [4_000, 2_000], 500),
    };
    let side = TOKEN << config.depth;
    let tiles = |level| TilePlan { channels, tile: if level == 0 { 2 * TOKEN } else { 2 } }.into();
    let setup = Setup {
        data: DataConfig::Hierarchy {
            grammar: config,
            unlabelled: strings,
            train: labels[0],
            test: labels[1],
        },
        // Mirrored strings are none of the grammar.
        pipeline: ImagePipeline {
            scale: Scale::Keep,
            crop: side,
            flip: Flip::Never,
            colour: Colour::Gray { mean: 0.5, std: 60.5 / 255.0 },
            views: None,
        },
        encoder: EncoderConfig {
            colours: 1,
            image: side,
            patches: PatchGrid { size: side, stride: side },
            layers: (0..config.depth).map(tiles).collect(),
            modules: vec![1; config.depth],
            arithmetic: clapp_backend::Arithmetic::Fast,
        },
        rule,
        rates: Vec::new(),
        schedule: Schedule::Constant,
        order: Order::AllAtOnce,
        context: Context::SameLayer,
        images: seen,
        readout: super::ReadoutConfig { protocols: vec![Protocol::Standardised], ..readout() },
    };
    Ok(RunConfig::new(size, method, setup, optimizer, 64, every))
}
