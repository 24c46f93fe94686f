//! A network listens to talkers without labels; its layers come to tell phones apart.
//!
//! Without arguments: embedded talkers in noise, a few minutes on two cores. Phones and speakers are read out of every
//! layer, beside the same network at random, log-mel spectra and MFCC.
//!
//! `cargo run --release --example librispeech_clapp`; with `-- --data DIR` it learns from LibriSpeech's train-clean-100
//! and reads out phones by the lists in `DIR/labels`. `clapp train` is the program for recordings of your own.

use std::process::ExitCode;

use clap::Parser;
use clapp::{
    Sound,
    sound::{FilesConfig, LabelsConfig},
};
use clapp_examples::Options;

const PART: &str = "train-clean-100";

fn main() -> ExitCode {
    let options = Options::parse();
    let sound = match &options.data {
        Some(folder) => {
            let labels = folder.join("labels");
            let labels = labels.is_dir().then(|| LabelsConfig::published(&labels));
            Sound::Files(FilesConfig::librispeech(folder, PART, PART, labels))
        }
        None => Sound::Synthetic,
    };
    options.run(&sound, &[2])
}
