//! What examples share: the options of runs and the way from them to a table; a quick read-out of a stack.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use clapp::console::Ticker;
use clapp::datasets::download::{Archive, download};
use clapp::{Error, ProgressBar, Run, RunConfig, RunEnd, Sense, preset::PRESETS};

mod look;

pub use look::{accuracies, tensor};

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

/// Says what went wrong, if anything.
pub fn exit(result: Result<(), Error>) -> ExitCode {
    end(result.map(|()| false))
}

/// Says what went wrong, if anything. What was stopped before its end has the code of the signal that did it.
pub fn end(result: Result<bool, Error>) -> ExitCode {
    match result {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => clapp::exit_code().map_or(ExitCode::SUCCESS, ExitCode::from),
        Err(error) => {
            clapp::console::note(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Fetches an archive into a folder, and says how far that is.
pub fn fetch(archive: &Archive, root: &Path) -> Result<(), Error> {
    let mut ticker = Ticker::new();
    download(archive, root, &mut |now| {
        let text = format_args!("{} of {} MB", now.received / 1_000_000, now.total / 1_000_000);
        ticker.tell(text, now.received == now.total);
    })?;
    Ok(())
}

/// Refuses an option that would have no effect without another.
pub fn needs(option: (bool, &str), other: (bool, &str)) -> Result<(), Error> {
    if !option.0 || other.0 {
        return Ok(());
    }
    let expected = format!("{} with {}", other.1, option.1);
    Err(Error::misfit_of("options", expected, "none", "give both or neither"))
}
