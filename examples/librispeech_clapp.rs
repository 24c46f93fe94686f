//! A network listens to talkers without labels; its layers come to tell phones apart.
//!
//! Without arguments: embedded talkers, a few minutes on two cores. Phones are read out of every layer,
//! beside the same network at random, log-mel spectra and MFCC. `--help` lists what else it does.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use clapp::datasets::sound::{Framing, OnBad};
use clapp::{Error, FilesConfig, LabelsConfig, Outcome, Progress, Sound, SoundRun, sound_preset};

#[derive(Parser)]
#[command(about = "Trains CLAPP on speech and reads phones out of every layer")]
struct Options {
    /// Folder of LibriSpeech, or of any FLAC and WAV files [default: embedded talkers]
    #[arg(long, value_name = "DIR", requires = "labels")]
    data: Option<PathBuf>,
    /// Folder of converted_aligned_phones.txt, train_split.txt, test_split.txt
    #[arg(long, value_name = "DIR", requires = "data")]
    labels: Option<PathBuf>,
    /// Part of LibriSpeech to learn from; "folder" takes all sound files below the data folder
    #[arg(long, default_value = "train-clean-100")]
    part: String,
    /// Part of LibriSpeech that the labels are of [default: the same]
    #[arg(long)]
    labelled: Option<String>,
    /// Classes of the labels; class 0 is silence
    #[arg(long, default_value_t = 41)]
    classes: usize,
    /// Labels are of 10 ms side by side, not of windows of 25 ms
    #[arg(long)]
    hops: bool,
    /// Leave out files, lines and names that cannot be used
    #[arg(long)]
    skip_bad: bool,
    #[arg(long, default_value = "quick", help = format!("One of {}", clapp::PRESETS))]
    preset: String,
    #[arg(long, default_value = "clapp-s", help = format!("One of {}", clapp::SOUND_METHODS))]
    method: String,
    /// How far credit of the recurrent layer reaches back in time; none leaves the layer out
    #[arg(long, default_value = "e-prop", value_parser = ["e-prop", "one-step", "none"])]
    recurrence: String,
    /// flex, ndarray, wgpu[:INDEX] or cuda[:INDEX], as far as built
    #[arg(long, default_value = "flex")]
    device: String,
    #[arg(long, value_delimiter = ',', default_value = "2", help = "Seeds; a run for each")]
    seed: Vec<u64>,
    /// Crops of 1.28 s to hear without labels [default: the preset's]
    #[arg(long)]
    crops: Option<u64>,
    #[arg(long, default_value_t = 0, help = "Threads; 0 is one per core")]
    threads: usize,
    #[arg(long, value_name = "DIR", default_value = "runs", help = "Folder of all runs")]
    out: PathBuf,
    /// Go on with the run in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "preset", "method", "recurrence",
        "crops", "seed", "out"])]
    resume: Option<PathBuf>,
}

fn start(options: &Options) -> Result<SoundRun, Error> {
    let mut sound = Sound::Synthetic;
    if let (Some(root), Some(labels)) = (&options.data, &options.labels) {
        let framing = if options.hops { Framing::Hops } else { Framing::Windows };
        let classes = options.classes;
        let labels = LabelsConfig { classes, framing, ..LabelsConfig::published(labels) };
        let labelled = options.labelled.as_ref().unwrap_or(&options.part);
        let mut files = match options.part.as_str() {
            "folder" => FilesConfig::folder(root, labels),
            part => FilesConfig::librispeech(root, part, labelled, labels),
        };
        files.on_bad = if options.skip_bad { OnBad::Skip } else { OnBad::Refuse };
        sound = Sound::Files(files);
    }
    let endings = [("e-prop", ""), ("one-step", "-one-step"), ("none", "-no-gru")];
    let ending = endings.iter().find(|(name, _)| *name == options.recurrence).map_or("", |e| e.1);
    let method = format!("{}{ending}", options.method);
    let mut config = sound_preset(&options.preset, &method, &sound, &options.seed)?;
    config.crops = options.crops.unwrap_or(config.crops);
    SoundRun::create(&options.out, config)
}

fn run(options: &Options) -> Result<(), Error> {
    clapp::set_threads(options.threads)?;
    let device = clapp::device(&options.device)?;
    let mut run = options.resume.as_ref().map_or_else(|| start(options), SoundRun::resume)?;
    println!("run folder: {}", run.path().display());
    let mut progress = Progress::until_interrupted(run.config().batch);
    match run.execute(&device, &mut progress)? {
        Outcome::Finished(report) => println!("{report}\n{}", clapp::summary(&report)),
        Outcome::Stopped { step } => println!("stopped at step {step}; go on with --resume"),
    }
    Ok(())
}

fn main() -> ExitCode {
    let Err(error) = run(&Options::parse()) else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
