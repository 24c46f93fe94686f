//! `clapp train`: from data to a table of what every layer knows.

use std::{num::NonZeroU64, path::PathBuf};

use clap::Args;
use clapp::{
    Error, Images, Run, RunConfig, Sound, Video,
    estimate::{Estimate, dry_run},
    preset::{PRESETS, Presets, preset, published},
};
use serde_json::{Value, json};

use crate::{
    config::{self, Kind},
    data::{Data, Sensed},
    data_sets,
    machine::Machine,
    output, tui,
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
    /// Images between early looks at what every layer knows, on a few training images
    #[arg(long, value_name = "IMAGES")]
    probe_every: Option<NonZeroU64>,
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
    #[command(flatten)]
    tui: tui::Options,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    options.tui.check()?;
    // Before data that many threads read.
    clapp::set_threads(options.machine.threads)?;
    let file = options.config.as_deref().map(config::read).transpose()?.unwrap_or(json!({}));
    // A whole configuration names its data.
    match Kind::of(&file).filter(|_| options.data.given().is_none()) {
        Some(Kind::Images) => start(options, file, &Images::Synthetic),
        Some(Kind::Sound) => start(options, file, &Sound::Synthetic),
        Some(Kind::Video) => start(options, file, &Video::MovingScenes),
        None => match options.data.sensed() {
            Sensed::Images(data) => start(options, file, &data),
            Sensed::Sound(data) => start(options, file, &data),
            Sensed::Video(data) => {
                if let (Video::Clips(clips), false) = (&data, options.print_config) {
                    // Decoding may take hours: what is wrong with the settings is said before.
                    resolve(options, file.clone(), &data)?;
                    data_sets::decode(clips, options.machine.quiet)?;
                }
                start(options, file, &data)
            }
        },
    }
}

fn start<S: Presets>(options: &Options, file: Value, data: &S) -> Result<(), Error> {
    let Options { machine, out, tui, .. } = options;
    let config = resolve(options, file, data)?;
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
    machine.finish(run, &device, tui)
}

/// The preset or the published row, changed by the file, by settings, by options.
fn resolve<S: Presets>(
    options: &Options,
    mut file: Value,
    data: &S,
) -> Result<RunConfig<S>, Error> {
    let Options { method, preset: size, seed, set, .. } = options;
    let whole = serde_json::from_value::<RunConfig<S>>(file.clone());
    let mut config = match (&options.row, whole) {
        (Some(row), _) => published(row, data, &[2])?,
        (None, Ok(whole)) => {
            let named = [("--method", method.is_some()), ("--preset", size.is_some())];
            let mut named = named.into_iter().filter(|(_, given)| *given).map(|(name, _)| name);
            if let Some(option) = options.data.given().or(named.next()) {
                let (expected, got) = ("a part of a configuration", "a whole one in the file");
                let advice = "leave out the option, or change settings of the file with --set";
                return Err(Error::misfit_of(option, expected, got, advice));
            }
            whole
        }
        (None, Err(_)) => {
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
    }
    config.probe_every = options.probe_every.or(config.probe_every);
    config.validate()?;
    Ok(config)
}
