//! `clapp resume`: goes on with a run that was stopped.

use std::path::PathBuf;

use clap::Args;
use clapp::{Error, Images, Run, Sound, Video};

use crate::{
    config::{self, Kind},
    machine::Machine,
    tui,
};

/// Go on with a run that was stopped or killed; a finished one is read out again.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder of the run
    run: PathBuf,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    tui: tui::Options,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let Options { run, machine, tui } = options;
    tui.check()?;
    let device = machine.open()?;
    match config::kind_of_run(run)? {
        Kind::Images => machine.finish(Run::<Images>::resume(run)?, &device, tui),
        Kind::Sound => machine.finish(Run::<Sound>::resume(run)?, &device, tui),
        Kind::Video => machine.finish(Run::<Video>::resume(run)?, &device, tui),
    }
}
