//! A network watches moving pictures without labels; its blocks come to tell motions apart.
//!
//! Without arguments: embedded moving scenes, a few minutes on two cores. Actions are read out of every
//! block, beside the same network at random and raw pixels.
//!
//! `cargo run --release --example ucf101_clapp`; with `-- --data DIR` on UCF-101, split 1. `clapp train` is the program
//! for videos of your own.

use std::process::ExitCode;

use clap::Parser;
use clapp::{
    Video,
    video::{ClipsConfig, Place},
};
use clapp_examples::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    let videos = match &options.data {
        Some(root) => {
            Video::Clips(ClipsConfig::new(Place::Ucf101 { root: root.clone(), split: 1 }))
        }
        None => Video::MovingScenes,
    };
    options.run(&videos, &[2])
}
