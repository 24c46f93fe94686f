//! A network watches moving pictures without labels; its blocks come to tell motions apart.
//!
//! Without arguments: embedded moving scenes, a few minutes on two cores. Actions are read out of every
//! block, beside the same network at random and raw pixels. `--help` lists what else it does.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use clapp::datasets::OnBad;
use clapp::{ClipPlace, ClipsConfig, Error, Outcome, Progress, Video, VideoRun, video_preset};

#[derive(Parser)]
#[command(about = "Trains CLAPP on videos and reads actions out of every block")]
struct Options {
    /// Folder of UCF-101, HMDB-51 or any class folders of videos [default: embedded moving scenes]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How the folder is laid out; "folders" holds out three tenths of every class for testing
    #[arg(long, default_value = "ucf101", value_parser = ["ucf101", "hmdb51", "folders"])]
    layout: String,
    /// Official split, 1, 2 or 3
    #[arg(long, default_value_t = 1)]
    split: u8,
    /// Folder of the prepared clips [default: the data folder's name with .prepared behind it]
    #[arg(long, value_name = "DIR", requires = "data")]
    prepared: Option<PathBuf>,
    /// Leave out videos and lines that cannot be used
    #[arg(long)]
    skip_bad: bool,
    #[arg(long, default_value = "quick", help = format!("One of {}", clapp::PRESETS))]
    preset: String,
    #[arg(long, default_value = "clapp-s", help = format!("One of {}", clapp::VIDEO_METHODS))]
    method: String,
    /// flex, ndarray, wgpu[:INDEX] or cuda[:INDEX], as far as built
    #[arg(long, default_value = "flex")]
    device: String,
    #[arg(long, value_delimiter = ',', default_value = "2", help = "Seeds; a run for each")]
    seed: Vec<u64>,
    /// Clips to see without labels [default: the preset's]
    #[arg(long)]
    clips: Option<u64>,
    /// Clips in a batch, which are each other's saccade targets [default: the preset's]
    #[arg(long)]
    batch: Option<usize>,
    #[arg(long, value_name = "DIR", help = "Begin with the encoder of this run: fine-tuning")]
    start: Option<PathBuf>,
    #[arg(long, default_value_t = 0, help = "Threads; 0 is one per core")]
    threads: usize,
    #[arg(long, value_name = "DIR", default_value = "runs", help = "Folder of all runs")]
    out: PathBuf,
    /// Go on with the run in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "layout", "split", "prepared",
        "skip_bad", "preset", "method", "clips", "batch", "seed", "start",
        "out"])]
    resume: Option<PathBuf>,
}

fn start(options: &Options) -> Result<VideoRun, Error> {
    let mut video = Video::MovingScenes;
    if let Some(root) = options.data.clone() {
        let split = options.split;
        let mut clips = ClipsConfig::new(match options.layout.as_str() {
            "ucf101" => ClipPlace::Ucf101 { root, split },
            "hmdb51" => ClipPlace::Hmdb51 { root, split },
            _ => ClipPlace::Folders { root, test_share: 0.3 },
        });
        clips.prepared = options.prepared.clone().unwrap_or(clips.prepared);
        clips.on_bad = if options.skip_bad { OnBad::Skip } else { OnBad::Refuse };
        let parts = clips.prepare(|now| {
            let end = if now.done == now.of { "\n" } else { "" };
            eprint!("\rprepared {} of {} clips{end}", now.done, now.of);
        })?;
        parts.iter().for_each(|part| eprintln!("{}", part.skipped()));
        video = Video::Clips(clips);
    }
    let mut config = video_preset(&options.preset, &options.method, &video, &options.seed)?;
    config.clips = options.clips.unwrap_or(config.clips);
    config.batch = options.batch.unwrap_or(config.batch);
    config.start = options.start.clone();
    VideoRun::create(&options.out, config)
}

fn run(options: &Options) -> Result<(), Error> {
    clapp::set_threads(options.threads)?;
    let device = clapp::device(&options.device)?;
    let mut run = options.resume.as_ref().map_or_else(|| start(options), VideoRun::resume)?;
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
