//! `clapp probe`: a run read out again.

use std::path::{Path, PathBuf};

use clap::Args;
use clapp::{Error, Images, Run, RunConfig, Sense, Sound, Video, eval::Report};
use serde_json::{Value, json};

use crate::output::print;

/// Reads out the newest checkpoint of a run and prints the table; nothing is learnt or written.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder of the run.
    run: PathBuf,
    /// Protocols in place of the run's own, such as standardised,paper,knn.
    #[arg(long, value_delimiter = ',')]
    protocols: Vec<String>,
    /// Labels a class of the columns of few labels, in place of the run's own; of runs on images.
    #[arg(long)]
    few: Option<usize>,
    /// Where to compute.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Print the table as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let report = match unit(&options.run)? {
        Sound::UNIT => read::<Sound>(options),
        Video::UNIT => read::<Video>(options),
        _ => read::<Images>(options),
    }?;
    if options.json { print(report.to_json()?) } else { print(report) }
}

/// What a run learns from, by which its sense is known.
fn unit(run: &Path) -> Result<&'static str, Error> {
    let text = std::fs::read_to_string(run.join("config.json"))
        .map_err(|_| Error::NoRun { folder: run.to_owned(), what: "config.json" })?;
    let settings: Value = serde_json::from_str(&text).unwrap_or_default();
    let known = [Sound::UNIT, Video::UNIT].into_iter();
    Ok(known.into_iter().find(|unit| settings.get(unit).is_some()).unwrap_or(Images::UNIT))
}

fn read<S: Sense>(options: &Options) -> Result<Report, Error> {
    Run::<S>::read_again(&options.run, &clapp::device(&options.device)?, |config| {
        let mut settings = vec![];
        if !options.protocols.is_empty() {
            settings.push(("protocols", json!(options.protocols)));
        }
        settings.extend(options.few.map(|few| ("few", json!(few))));
        changed(config, settings)
    })
}

/// The same run with other settings of its read-outs.
fn changed<S: Sense>(
    config: RunConfig<S>,
    settings: Vec<(&'static str, Value)>,
) -> Result<RunConfig<S>, Error> {
    if settings.is_empty() {
        return Ok(config);
    }
    let unknown =
        |got: &str| Error::misfit("settings of this run's read-outs", got, "leave it out");
    let mut all = serde_json::to_value(config).map_err(|error| unknown(&error.to_string()))?;
    for (name, value) in settings {
        let place = all.get_mut("readout").and_then(|readout| readout.get_mut(name));
        *place.ok_or_else(|| unknown(&format!("--{name}")))? = value;
    }
    serde_json::from_value(all).map_err(|error| unknown(&error.to_string()))
}
