//! Published accuracies on video.

use super::{ClipsConfig, Video};
use crate::{
    Error, RunConfig,
    preset::published::{Published, RANDOM, row},
};

/// All rows on video.
pub const PUBLISHED: &[Published] = &[
    row("table-1/ucf101/random", RANDOM, 30.5, ""),
    row("table-1/ucf101/supervised", "supervised", 51.5, ""),
    row("table-1/ucf101/cpc", "cpc", 35.7, ""),
    row("table-1/ucf101/gim", "gim", 41.2, ""),
    row("table-1/ucf101/hinge-cpc", "hinge-cpc", 36.1, ""),
    row("table-1/ucf101/clapp-s", "clapp-s", 41.6, ""),
];

/// The run that a published row would come out of: the preset `paper` of its method on UCF-101.
///
/// # Errors
///
/// If there is no such row, or it is of the random encoder, which stands in the table of every run; as
/// [`preset()`](crate::preset()) for a method that this build does not have.
pub fn published(name: &str, clips: ClipsConfig, seeds: &[u64]) -> Result<RunConfig<Video>, Error> {
    Published::find(PUBLISHED, name)?.run(&Video::Clips(clips), seeds)
}
