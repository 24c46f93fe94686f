//! What examples share: a run from data to a table, a quick read-out of a stack, lines on standard output.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use clapp::{
    Error, ProgressBar, Run, RunEnd, console,
    preset::{PRESETS, Presets, preset},
};

mod look;

pub use look::{accuracies, tensor};

/// What every example with a run takes. The program `clapp` takes the rest: settings, other data, dry runs.
#[derive(Parser, Debug)]
pub struct Options {
    /// Folder of the data that the example is named after, in their official layout [default: embedded data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    #[arg(long, default_value = "quick", help = format!("One of {PRESETS}"))]
    preset: String,
    /// How to learn; `clapp list` names all
    #[arg(long, default_value = "clapp-s")]
    method: String,
    /// Seeds; the run is repeated for each
    #[arg(long, value_delimiter = ',')]
    seed: Vec<u64>,
    /// Device of all tensors: auto, flex, ndarray, wgpu[:INDEX] or cuda[:INDEX], as far as built
    #[arg(long, default_value = "flex")]
    device: String,
    /// Folder that runs are written to
    #[arg(long, value_name = "DIR", default_value = "runs")]
    out: PathBuf,
    /// Go on with the run in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "preset", "method", "seed", "out"])]
    resume: Option<PathBuf>,
}

impl Options {
    /// Trains on the data and reads out every layer, for `seeds` unless others are asked for.
    pub fn run<S: Presets>(&self, data: &S, seeds: &[u64]) -> ExitCode {
        self.execute(data, seeds).unwrap_or_else(|error| {
            console::note(format_args!("error: {error}"));
            ExitCode::FAILURE
        })
    }

    fn execute<S: Presets>(&self, data: &S, seeds: &[u64]) -> Result<ExitCode, Error> {
        let device = clapp::device(&self.device)?;
        let seeds = if self.seed.is_empty() { seeds } else { &self.seed };
        let mut run = match &self.resume {
            Some(folder) => Run::<S>::resume(folder)?,
            None => Run::create(&self.out, preset(&self.preset, &self.method, data, seeds)?)?,
        };
        let folder = run.path().display().to_string();
        console::print(format_args!("run folder: {folder}"))?;
        let mut progress = ProgressBar::until_interrupted();
        let end = run.execute(&device, &mut progress)?;
        drop(progress);
        match end {
            RunEnd::Finished(report) => {
                console::print(format_args!("{report}\n{}", clapp::summary(&report)))?;
                Ok(ExitCode::SUCCESS)
            }
            RunEnd::Stopped { step } => {
                console::print(format_args!(
                    "stopped at step {step}; go on with --resume {folder}"
                ))?;
                Ok(console::exit_code().map_or(ExitCode::SUCCESS, ExitCode::from))
            }
        }
    }
}

/// Prints a line, as `println!` does; ends the program where that panics, and goes on where nobody reads.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {
        $crate::print_or_end(format_args!($($text)*))
    };
}

/// What [`say!`] does.
pub fn print_or_end(text: std::fmt::Arguments<'_>) {
    if let Err(error) = console::print(text) {
        console::note(format_args!("error: {error}"));
        std::process::exit(1);
    }
}
