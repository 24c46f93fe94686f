//! Published accuracies on images.

use clapp_rules::Feedback;

use super::{ImageRule, Images};
use crate::{
    RunConfig,
    preset::published::{Published, RANDOM, row},
};

/// CLAPP++ with the mean over the map in place of cells.
const NO_CELLS: &str = "B predicts the mean over every map";
/// What nobody has published is taken from text and defaults.
const INFERRED: &str = "settings as far as text and defaults say";
const OTHER_NETWORK: &str =
    "published with a VGG-11, batches of 1024 and 800 epochs; here as clapp-pp";
/// What SCFF's authors did not print.
const OWN_SETTINGS: &str =
    "thresholds, cost and rates are ours, pairs are made anew before every layer";
/// CLAPP whose predicted neurons alone learn.
const BLOCKED: &str = "nothing flows back to the context; settings as far as text and defaults say";

/// All rows on images.
pub const PUBLISHED: &[Published] = &[
    row("table-1/stl10/random", RANDOM, 21.8, ""),
    row("table-1/stl10/greedy-supervised", "greedy-supervised", 66.3, INFERRED),
    row("table-1/stl10/supervised", "supervised", 73.2, INFERRED),
    row("table-1/stl10/cpc", "cpc", 81.1, INFERRED),
    row("table-1/stl10/gim", "gim", 75.6, INFERRED),
    row("table-1/stl10/hinge-cpc", "hinge-cpc", 80.3, INFERRED),
    row("table-1/stl10/clapp-s-2x3", "clapp-s-2x3", 77.6, INFERRED),
    row("table-1/stl10/clapp-s-3x2", "clapp-s-3x2", 77.4, INFERRED),
    row("table-1/stl10/clapp-s", "clapp-s", 75.0, ""),
    row("table-1/stl10/hinge-cpc-time-local", "hinge-cpc-time-local", 79.1, INFERRED),
    row("table-1/stl10/clapp", "clapp", 73.6, ""),
    row("table-4/stl10/random", RANDOM, 21.8, ""),
    row("table-4/stl10/greedy-supervised", "greedy-supervised", 65.0, INFERRED),
    row("table-4/stl10/supervised", "supervised", 73.2, INFERRED),
    row("table-4/stl10/cpc", "cpc", 81.1, INFERRED),
    row("table-4/stl10/gim-3x2", "gim-3x2", 78.3, INFERRED),
    row("table-6/stl10/6x1", "clapp-s", 74.0, ""),
    row("table-6/stl10/3-1-1-1", "clapp-s-3-1-1-1", 75.4, INFERRED),
    row("table-6/stl10/1-1-1-3", "clapp-s-1-1-1-3", 76.2, INFERRED),
    row("table-6/stl10/3x2", "clapp-s-3x2", 77.4, INFERRED),
    row("table-6/stl10/2x3", "clapp-s-2x3", 77.6, INFERRED),
    row("table-6/stl10/1x6", "hinge-cpc", 80.3, INFERRED),
    row("appendix-c/stl10/hinge-cpc-blocked", "hinge-cpc-blocked", 78.0, INFERRED),
    row("appendix-c/stl10/clapp-blocked", "clapp", 70.0, BLOCKED),
    row("appendix-c/stl10/hinge-cpc-retro", "hinge-cpc-retro", 80.2, INFERRED),
    row("appendix-c/stl10/clapp-s-retro", "clapp-s-retro", 74.1, INFERRED),
    row("appendix-c/stl10/clapp-s-above", "clapp-s-above", 72.4, INFERRED),
    row("clapp-pp/cifar10/backprop", "clapp-pp-backprop", 80.49, ""),
    row("clapp-pp/cifar10/lpl", "lpl", 59.4, OTHER_NETWORK),
    row("clapp-pp/cifar10/softhebb", "softhebb", 80.31, ""),
    row("clapp-pp/cifar10/scff", "scff", 80.60, OWN_SETTINGS),
    row("clapp-pp/cifar10/without-cells", "clapp-pp", 73.21, NO_CELLS),
    row("clapp-pp/cifar10/clapp-pp", "clapp-pp", 80.51, ""),
    row("clapp-pp/cifar10/dfb", "dfb", 80.65, ""),
    row("clapp-pp/cifar10/both", "both", 81.18, ""),
    row("clapp-pp/stl10/backprop", "clapp-pp-backprop", 80.36, ""),
    row("clapp-pp/stl10/lpl", "lpl", 63.2, OTHER_NETWORK),
    row("clapp-pp/stl10/softhebb", "softhebb", 76.23, ""),
    row("clapp-pp/stl10/scff", "scff", 77.14, OWN_SETTINGS),
    row("clapp-pp/stl10/without-cells", "clapp-pp", 75.10, NO_CELLS),
    row("clapp-pp/stl10/clapp-pp", "clapp-pp", 78.66, ""),
    row("clapp-pp/stl10/dfb", "dfb", 79.38, ""),
    row("clapp-pp/stl10/both", "both", 79.62, ""),
    row("softhebb/cifar10/softhebb", "softhebb", 80.3, ""),
    row("softhebb/stl10/softhebb", "softhebb", 76.2, ""),
];

/// What a row changes in the preset of its method.
pub(super) fn amend(row: &Published, config: &mut RunConfig<Images>) {
    match (row.note, &mut config.setup.rule) {
        (NO_CELLS, ImageRule::TwoViews(rule)) => rule.grids.fill(1),
        (BLOCKED, ImageRule::OverTime(rule)) => rule.feedback = Feedback::Blocked,
        _ => {}
    }
}
