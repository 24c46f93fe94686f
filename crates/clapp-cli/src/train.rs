//! `clapp train`: from data to a table of what every layer knows.

use std::path::PathBuf;

use clap::Args;
use clapp::{
    Error, Images, Run, RunConfig, Sound, Video,
    estimate::{Estimate, dry_run},
    image,
    preset::{PRESETS, Presets, preset},
    sound, video,
};
use serde_json::{Value, json};

use crate::{
    config::{self, Kind},
    data::{Data, Sensed},
    machine::Machine,
    output,
};

/// Train a network without labels, then read out every layer.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    data: Data,
    /// How to learn; `clapp list` names all [default: clapp-s]
    #[arg(short, long, value_name = "NAME")]
    method: Option<String>,
    #[arg(short, long, value_name = "NAME", help = format!("One of {PRESETS} [default: quick]"))]
    preset: Option<String>,
    /// What a row of a published table would come out of, on its data; `clapp list` names all
    #[arg(long, value_name = "NAME", conflicts_with_all = ["method", "preset", "config"])]
    row: Option<String>,
    /// Seeds; the run is repeated for each [default: 2]
    #[arg(short, long, value_delimiter = ',', value_name = "N")]
    seed: Vec<u64>,
    /// Folder of the run, new or empty [default: a new one in runs]
    #[arg(short, long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Settings in TOML or JSON, or a run's folder, whose configuration is taken
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change a setting, such as optimizer.rate=1e-4
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print the configuration as TOML, or with --json as JSON; run nothing
    #[arg(long)]
    print_config: bool,
    /// Print configuration, weights, multiply-adds, memory and days on this machine; run nothing
    #[arg(long, conflicts_with = "print_config")]
    dry_run: bool,
    #[command(flatten)]
    machine: Machine,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    // Before data that many threads read.
    clapp::set_threads(options.machine.threads)?;
    if let Some(row) = &options.row {
        return published(options, row);
    }
    let file = options.config.as_deref().map(config::read).transpose()?.unwrap_or(json!({}));
    // A whole configuration names its data.
    match Kind::of(&file).filter(|_| options.data.given().is_none()) {
        Some(Kind::Images) => of_sense(options, file, &Images::Synthetic),
        Some(Kind::Sound) => of_sense(options, file, &Sound::Synthetic),
        Some(Kind::Video) => of_sense(options, file, &Video::MovingScenes),
        None => match options.data.sensed() {
            Sensed::Images(data) => of_sense(options, file, &data),
            Sensed::Sound(data) => of_sense(options, file, &data),
            Sensed::Video(data) => of_sense(options, file, &data),
        },
    }
}

fn of_sense<S: Presets>(options: &Options, file: Value, data: &S) -> Result<(), Error> {
    start(options, resolve(options, file, data)?)
}

/// The row of a published table, changed by settings.
fn published(options: &Options, row: &str) -> Result<(), Error> {
    let seeds = if options.seed.is_empty() { &[2][..] } else { &options.seed };
    match options.data.sensed() {
        Sensed::Images(Images::Stl10(root, sizes) | Images::Cifar10(root, sizes)) => {
            changed(options, &image::published(row, root, sizes, seeds)?)
        }
        Sensed::Sound(Sound::Files(files)) => {
            changed(options, &sound::published(row, files, seeds)?)
        }
        Sensed::Video(Video::Clips(clips)) => {
            changed(options, &video::published(row, clips, seeds)?)
        }
        _ => {
            let (expected, got) = ("the data that it was published on", "others");
            Err(Error::misfit_of("--row", expected, got, "name their folder"))
        }
    }
}

fn changed<S: Presets>(options: &Options, config: &RunConfig<S>) -> Result<(), Error> {
    start(options, config::overlay(config, json!({}), &options.set)?)
}

fn start<S: Presets>(options: &Options, config: RunConfig<S>) -> Result<(), Error> {
    let Options { machine, out, .. } = options;
    if options.print_config {
        return match machine.json {
            true => output::print_json(&config),
            false => output::print(config::to_toml(&config)?.trim_end()),
        };
    }
    let device = clapp::device(&machine.device)?;
    if options.dry_run {
        return match machine.json {
            true => output::print_json(&Estimate::of(&config, &device)?),
            false => output::print(dry_run(&config, &device)?.trim_end()),
        };
    }
    let run = match out {
        Some(folder) => Run::create_at(folder, config)?,
        None => Run::create("runs", config)?,
    };
    machine.finish(run, &device)
}

/// The preset, changed by the file, by settings, by options.
fn resolve<S: Presets>(
    options: &Options,
    mut file: Value,
    data: &S,
) -> Result<RunConfig<S>, Error> {
    let Options { method, preset: size, seed, set, .. } = options;
    let mut config = match serde_json::from_value::<RunConfig<S>>(file.clone()) {
        Ok(whole) => {
            let named = [("--method", method.is_some()), ("--preset", size.is_some())];
            let mut named = named.into_iter().filter(|(_, given)| *given).map(|(name, _)| name);
            if let Some(option) = options.data.given().or(named.next()) {
                let (expected, got) = ("a part of a configuration", "a whole one in the file");
                let advice = "leave out the option, or change settings of the file with --set";
                return Err(Error::misfit_of(option, expected, got, advice));
            }
            whole
        }
        Err(_) => {
            // Options go before what the file says.
            let mut named = |name: &str, option: &Option<String>, default: &str| -> String {
                // What is no word stays, and is refused with the other settings that do not fit.
                let said = file.get(name).and_then(|said| said.as_str().map(str::to_owned));
                if let (Some(_), Some(file)) = (&said, file.as_object_mut()) {
                    file.remove(name);
                }
                option.clone().or(said).unwrap_or_else(|| default.to_owned())
            };
            let (size, method) =
                (named("preset", size, "quick"), named("method", method, "clapp-s"));
            preset(&size, &method, data, &[2])?
        }
    };
    config = config::overlay(&config, file, set)?;
    if !seed.is_empty() {
        config.seeds.clone_from(seed);
        config.validate()?;
    }
    Ok(config)
}
