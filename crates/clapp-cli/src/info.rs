//! `clapp info`: what this build and this machine can do, or what a run is and how far it is.

use std::path::{Path, PathBuf};

use clap::Args;
use clapp::{Error, Images, RunConfig, Sense, Sound, Video, eval::Report, store::Checkpoint};
use serde_json::{Map, Value, json};

use crate::{
    config::{self, Kind},
    output,
};

/// Say what this build and this machine can do, or what a run is.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder of a run
    run: Option<PathBuf>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let about = match &options.run {
        None => of_build(),
        Some(run) => match config::kind_of_run(run)? {
            Kind::Images => of_run::<Images>(run)?,
            Kind::Sound => of_run::<Sound>(run)?,
            Kind::Video => of_run::<Video>(run)?,
        },
    };
    if options.json {
        let about: Map<String, Value> =
            about.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        return output::print_json(&about);
    }
    let line = |(name, value): (&str, Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{:<17}{text}", format!("{name}:"))
    };
    output::print(about.into_iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// Names and values, in the order in which they are said.
type About = Vec<(&'static str, Value)>;

fn of_build() -> About {
    let devices = [
        ("flex", cfg!(feature = "flex")),
        ("ndarray", cfg!(feature = "ndarray")),
        ("wgpu", cfg!(feature = "wgpu")),
        ("cuda", cfg!(feature = "cuda")),
    ];
    let built: Vec<&str> =
        devices.into_iter().filter(|(_, built)| *built).map(|(name, _)| name).collect();
    #[cfg(feature = "flex")]
    let instructions = clapp::backend::bench::instruction_set().to_string();
    #[cfg(not(feature = "flex"))]
    let instructions = "those of the device";
    vec![
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("devices", json!(built)),
        ("baselines", json!(clapp::BASELINES)),
        ("threads", json!(std::thread::available_parallelism().map_or(1, usize::from))),
        ("instructions", json!(instructions)),
    ]
}

/// Of a run, without a lock: it may be going on.
fn of_run<S: Sense>(folder: &Path) -> Result<About, Error> {
    let config = RunConfig::<S>::load(folder)?;
    let steps = config.steps() * config.seeds.len() as u64;
    let newest = Checkpoint::list(folder)?.last().map_or(0, |(step, _)| *step);
    let table = folder.join("table.json");
    let report = table.is_file().then(|| Report::load(&table)).transpose()?;
    let read_out = newest >= steps && finished(report.as_ref(), config.seeds.len());
    Ok(vec![
        ("folder", json!(folder.display().to_string())),
        ("data", json!(S::data_name(&config.setup))),
        ("learns from", json!(format!("{} {}", S::amount(&config.setup), S::UNIT))),
        ("preset", json!(config.preset)),
        ("method", json!(config.method)),
        ("seeds", json!(config.seeds)),
        ("steps", json!(steps)),
        ("step", json!(newest)),
        ("read out", json!(read_out)),
    ])
}

/// Whether the table has all seeds; it is written after each.
pub(crate) fn finished(report: Option<&Report>, seeds: usize) -> bool {
    let most = |report: &Report| report.cells.iter().map(|cell| cell.measurements.len()).max();
    report.is_some_and(|report| most(report).is_none_or(|most| most >= seeds))
}
