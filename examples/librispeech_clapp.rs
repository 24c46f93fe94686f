//! A network listens to talkers without labels; its layers come to tell phones apart.
//!
//! Without arguments: embedded talkers in noise, a few minutes on two cores. Phones and speakers are read out of every
//! layer, beside the same network at random, log-mel spectra and MFCC. `--help` lists what else it does.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use clapp::datasets::download::Archive;
use clapp::datasets::{OnBad, sound::Framing};
use clapp::sound::{FilesConfig, LabelsConfig, METHODS, RatesConfig};
use clapp::{Error, RunConfig, Sound, preset};
use clapp_examples::{RunOptions, fetch, needs};

#[derive(Parser)]
#[command(about = "Trains CLAPP on speech and reads phones out of every layer")]
struct Options {
    /// Folder of LibriSpeech, or of any FLAC and WAV files [default: embedded talkers]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[arg(long, requires = "data", help = "Fetch train-clean-100, 6.4 GB, into that folder first")]
    download: bool,
    /// Folder of converted_aligned_phones.txt, train_split.txt, test_split.txt; else nothing is read out
    #[arg(long, value_name = "DIR", requires = "data")]
    labels: Option<PathBuf>,
    /// Part of LibriSpeech to learn from; "folder" takes all sound files below the data folder
    #[arg(long, default_value = "train-clean-100", requires = "data")]
    part: String,
    #[arg(long, requires = "labels")]
    #[arg(help = "Part of LibriSpeech that the labels are of [default: the same]")]
    labelled: Option<String>,
    #[arg(long, default_value_t = 41, requires = "labels")]
    #[arg(help = "Classes of the labels; class 0 is silence")]
    classes: usize,
    #[arg(long, requires = "labels")]
    #[arg(help = "Labels are of 10 ms side by side, not of windows of 25 ms")]
    hops: bool,
    #[arg(long, requires = "data", help = "Leave out files, lines and names that cannot be used")]
    skip_bad: bool,
    #[arg(long, requires = "data", help = "Resample files of other rates than 16 kHz")]
    resample: bool,
    #[arg(long, default_value = "clapp-s", help = format!("One of {METHODS}"))]
    method: String,
    /// How far credit of the recurrent layer reaches back in time; none leaves the layer out
    #[arg(long, default_value = "e-prop", value_parser = ["e-prop", "one-step", "none", "bptt"])]
    recurrence: String,
    #[arg(long, value_delimiter = ',', default_value = "2", help = "Seeds; a run for each")]
    seed: Vec<u64>,
    #[arg(long, help = "Crops of 1.28 s to hear [default: the preset's]")]
    crops: Option<u64>,
    #[command(flatten)]
    run: RunOptions,
}

fn sound(options: &Options) -> Result<Sound, Error> {
    let Some(root) = &options.data else { return Ok(Sound::Synthetic) };
    let framing = if options.hops { Framing::Hops } else { Framing::Windows };
    let labels = options.labels.as_deref().map(LabelsConfig::published);
    let labels = labels.map(|labels| LabelsConfig { classes: options.classes, framing, ..labels });
    let tree = options.part != "folder";
    needs((options.download, "--download"), (tree, "a part of LibriSpeech"))?;
    needs((options.labelled.is_some(), "--labelled"), (tree, "a part of LibriSpeech"))?;
    if options.download {
        fetch(&Archive::librispeech(), root)?;
    }
    let labelled = options.labelled.as_ref().unwrap_or(&options.part);
    let mut files = match options.part.as_str() {
        "folder" => FilesConfig::folder(root, labels),
        part => FilesConfig::librispeech(root, part, labelled, labels),
    };
    files.on_bad = if options.skip_bad { OnBad::Skip } else { OnBad::Refuse };
    files.rates = if options.resample { RatesConfig::Resample } else { RatesConfig::Refuse };
    Ok(Sound::Files(files))
}

fn config(options: &Options, size: &str) -> Result<RunConfig<Sound>, Error> {
    let ending = format!("-{}", options.recurrence).replace("-e-prop", "");
    let method = format!("{}{}", options.method, ending.replace("-none", "-no-gru"));
    let mut config = preset(size, &method, &sound(options)?, &options.seed)?;
    config.setup.crops = options.crops.unwrap_or(config.setup.crops);
    Ok(config)
}

fn main() -> ExitCode {
    let options = Options::parse();
    options.run.run(|size| config(&options, size))
}
