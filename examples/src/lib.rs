//! What the examples with runs share: options, and the way from them to a table.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use clapp::{Error, ProgressBar, Run, RunConfig, RunEnd, Sense, preset::PRESETS};

/// Options of every run. An example has its own in a struct `Options`, with these flattened into it.
#[derive(Args, Debug)]
pub struct RunOptions {
    /// Name of the preset.
    #[arg(long, default_value = "quick", help = format!("One of {PRESETS}"))]
    pub preset: String,
    /// flex, ndarray, wgpu[:INDEX] or cuda[:INDEX], as far as built
    #[arg(long, default_value = "flex")]
    pub device: String,
    /// Threads [default: one per core]
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Folder that runs are written to
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// Go on with the run in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["Options", "preset", "out"])]
    pub resume: Option<PathBuf>,
}

impl RunOptions {
    /// Starts the run of a configuration, or goes on with one, and prints its table.
    pub fn run<S: Sense>(
        &self,
        config: impl FnOnce(&str) -> Result<RunConfig<S>, Error>,
    ) -> ExitCode {
        let Err(error) = self.execute(config) else { return ExitCode::SUCCESS };
        eprintln!("error: {error}");
        ExitCode::FAILURE
    }

    fn execute<S: Sense>(
        &self,
        config: impl FnOnce(&str) -> Result<RunConfig<S>, Error>,
    ) -> Result<(), Error> {
        clapp::set_threads(self.threads)?;
        let device = clapp::device(&self.device)?;
        let mut run = match &self.resume {
            Some(folder) => Run::resume(folder)?,
            None => Run::create(&self.out, config(&self.preset)?)?,
        };
        println!("run folder: {}", run.path().display());
        let mut progress = ProgressBar::until_interrupted(run.config().batch);
        match run.execute(&device, &mut progress)? {
            RunEnd::Finished(report) => println!("{report}\n{}", clapp::summary(&report)),
            RunEnd::Stopped { step } => {
                println!("stopped at step {step}; go on with --resume {}", run.path().display());
            }
        }
        Ok(())
    }
}
