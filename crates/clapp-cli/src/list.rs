//! `clapp list`: what the program knows by name.

use clap::Args;
use clapp::{Error, image, preset::PRESETS};

/// Names of presets, methods and published rows.
#[derive(Args)]
pub(crate) struct Options {}

pub(crate) fn run(_options: &Options) -> Result<(), Error> {
    println!("presets: {PRESETS}\nmethods on images: {}", image::METHODS);
    println!("rows of published tables (images):");
    image::PUBLISHED.iter().for_each(|row| println!("  {row}"));
    Ok(())
}
