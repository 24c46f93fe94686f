//! Published accuracies on video.

use crate::preset::published::{Published, RANDOM, row};

/// All rows on video.
pub const PUBLISHED: &[Published] = &[
    row("table-1/ucf101/random", RANDOM, 30.5, ""),
    row("table-1/ucf101/supervised", "supervised", 51.5, ""),
    row("table-1/ucf101/cpc", "cpc", 35.7, ""),
    row("table-1/ucf101/gim", "gim", 41.2, ""),
    row("table-1/ucf101/hinge-cpc", "hinge-cpc", 36.1, ""),
    row("table-1/ucf101/clapp-s", "clapp-s", 41.6, ""),
];
