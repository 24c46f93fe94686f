//! What examples share: the options of runs and the way from them to a table; a quick read-out of a stack.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use clapp::{Error, ProgressBar, Run, RunConfig, RunEnd, Sense, preset::PRESETS};

mod look;
mod shell;

pub use look::{accuracies, tensor};
pub use shell::{end, exit, fetch, needs, print_or_end};

/// Options of every run. An example has its own in a struct `Options`, with these flattened into it.
#[derive(Args, Debug)]
pub struct RunOptions {
    /// Name of the preset.
    #[arg(long, default_value = "quick", help = format!("One of {PRESETS}"))]
    pub preset: String,
    /// Device of all tensors.
    #[arg(
        long,
        default_value = "flex",
        help = "flex, ndarray, wgpu[:INDEX] or cuda[:INDEX], as far as built"
    )]
    pub device: String,
    /// Threads [default: one per core]
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Folder that runs are written to
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// Start a run with the configuration of the one in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["Options", "preset", "resume"])]
    pub config: Option<PathBuf>,
    /// Print configuration, weights, multiply-adds, memory and days on this machine; run nothing
    #[arg(long)]
    pub dry_run: bool,
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
        end(self.execute(config))
    }

    /// Whether the run was stopped before its end.
    fn execute<S: Sense>(
        &self,
        config: impl FnOnce(&str) -> Result<RunConfig<S>, Error>,
    ) -> Result<bool, Error> {
        use clapp::console::print;
        clapp::set_threads(self.threads)?;
        let device = clapp::device(&self.device)?;
        let config = || match self.config.as_ref().or(self.resume.as_ref()) {
            Some(folder) => RunConfig::load(folder),
            None => config(&self.preset),
        };
        if self.dry_run {
            let estimate = clapp::estimate::dry_run(&config()?, &device)?;
            return print(estimate.trim_end()).map(|()| false);
        }
        let mut run = match &self.resume {
            Some(folder) => Run::resume(folder)?,
            None => Run::create(&self.out, config()?)?,
        };
        print(format_args!("run folder: {}", run.path().display()))?;
        let mut progress = ProgressBar::until_interrupted(run.config().batch);
        match run.execute(&device, &mut progress)? {
            RunEnd::Finished(report) => {
                print(format_args!("{report}\n{}", clapp::summary(&report))).map(|()| false)
            }
            RunEnd::Stopped { step } => {
                let folder = run.path().display();
                let text = format_args!("stopped at step {step}; go on with --resume {folder}");
                print(text).map(|()| true)
            }
        }
    }
}
