//! `clapp probe`: a run read out again.

use std::path::PathBuf;

use clap::Args;
use clapp::{Error, Images, Run, Sense, Sound, Video, eval::Report};
use serde_json::json;

use crate::{
    config::{self, Kind},
    output::print,
};

/// Read out the newest checkpoint of a run again; nothing is learnt or written.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder of the run
    run: PathBuf,
    /// Protocols in place of the run's own, such as standardised,paper,knn
    #[arg(long, value_delimiter = ',')]
    protocols: Vec<String>,
    /// Labels a class of the columns of few labels, in place of the run's own; of runs on images
    #[arg(long)]
    few: Option<usize>,
    /// Where to compute
    #[arg(long, default_value = "flex")]
    device: String,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let report = match config::kind_of_run(&options.run)? {
        Kind::Images => read::<Images>(options),
        Kind::Sound => read::<Sound>(options),
        Kind::Video => read::<Video>(options),
    }?;
    if options.json { print(report.to_json()?) } else { print(report) }
}

fn read<S: Sense>(options: &Options) -> Result<Report, Error> {
    Run::<S>::read_again(&options.run, &clapp::device(&options.device)?, |config| {
        let mut readout = json!({});
        if !options.protocols.is_empty() {
            readout["protocols"] = json!(options.protocols);
        }
        if let Some(few) = options.few {
            readout["few"] = json!(few);
        }
        config::overlay(&config, json!({"readout": readout}), &[])
    })
}
