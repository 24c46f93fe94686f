//! A network watches moving pictures without labels; its blocks come to tell motions apart.
//!
//! Without arguments: embedded moving scenes, a few minutes on two cores. Actions are read out of every
//! block, beside the same network at random and raw pixels. `--help` lists what else it does.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use clap::Parser;
use clapp::console::{Ticker, note};
use clapp::datasets::OnBad;
use clapp::video::{ClipsConfig, METHODS, Place};
use clapp::{Error, RunConfig, Video, preset};
use clapp_examples::{RunOptions, needs};

#[derive(Parser)]
#[command(about = "Trains CLAPP on videos and reads actions out of every block")]
struct Options {
    /// Folder of UCF-101, HMDB-51 or any class folders of videos [default: embedded moving scenes]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How the folder is laid out; "folders" holds out three tenths of every class for testing
    #[arg(long, default_value = "ucf101", requires = "data")]
    #[arg(value_parser = ["ucf101", "hmdb51", "folders"])]
    layout: String,
    /// Official split, 1, 2 or 3
    #[arg(long, default_value_t = 1, requires = "data")]
    split: u8,
    /// Folder of the prepared clips [default: the data folder's name and .prepared]
    #[arg(long, value_name = "DIR", requires = "data")]
    prepared: Option<PathBuf>,
    /// Leave out videos and lines that cannot be used
    #[arg(long, requires = "data")]
    skip_bad: bool,
    #[arg(long, default_value = "clapp-s", help = format!("One of {METHODS}"))]
    method: String,
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
    #[command(flatten)]
    run: RunOptions,
}

fn config(options: &Options, size: &str) -> Result<RunConfig<Video>, Error> {
    let mut video = Video::MovingScenes;
    if let Some(root) = options.data.clone() {
        let split = options.split;
        needs((split != 1, "--split"), (options.layout != "folders", "lists of splits"))?;
        let mut clips = ClipsConfig::new(match options.layout.as_str() {
            "ucf101" => Place::Ucf101 { root, split },
            "hmdb51" => Place::Hmdb51 { root, split },
            _ => Place::Folders { root, test_share: 0.3 },
        });
        clips.prepared = options.prepared.clone().unwrap_or(clips.prepared);
        clips.on_bad = if options.skip_bad { OnBad::Skip } else { OnBad::Refuse };
        let ticker = Mutex::new(Ticker::new());
        let parts = clips.prepare(|now| {
            let mut ticker = ticker.lock().unwrap_or_else(PoisonError::into_inner);
            let text = format_args!("prepared {} of {} clips", now.done, now.of);
            ticker.tell(text, now.done == now.of);
        })?;
        parts.iter().for_each(|part| note(part.skipped()));
        video = Video::Clips(clips);
    }
    let mut config = preset(size, &options.method, &video, &options.seed)?;
    config.setup.clips = options.clips.unwrap_or(config.setup.clips);
    config.batch = options.batch.unwrap_or(config.batch);
    config.setup.start = options.start.clone();
    Ok(config)
}

fn main() -> ExitCode {
    let options = Options::parse();
    options.run.run(|size| config(&options, size))
}
