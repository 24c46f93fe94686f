//! Published accuracies on sound.

use crate::preset::published::{Published, RANDOM, row};

/// What the paper has from others.
const QUOTED: &str = "quoted from Löwe et al. 2019";

/// All rows on sound.
pub const PUBLISHED: &[Published] = &[
    row("table-1/librispeech/random", RANDOM, 27.7, QUOTED),
    row("table-1/librispeech/greedy-supervised", "greedy-supervised", 73.4, QUOTED),
    row("table-1/librispeech/supervised", "supervised", 77.7, QUOTED),
    row("table-1/librispeech/cpc", "cpc", 64.3, ""),
    row("table-1/librispeech/gim", "gim-bptt", 63.9, ""),
    row("table-1/librispeech/hinge-cpc", "hinge-cpc", 62.8, ""),
    row(
        "table-1/librispeech/clapp-s",
        "clapp-s-bptt",
        61.7,
        "inside the recurrent layer, back-propagation through time",
    ),
    row("text/librispeech/clapp-s-e-prop", "clapp-s", 58.6, "no back-propagation at all"),
    row(
        "text/librispeech/clapp-s-no-gru",
        "clapp-s-no-gru",
        52.4,
        "the last convolution, without a recurrent layer",
    ),
];
