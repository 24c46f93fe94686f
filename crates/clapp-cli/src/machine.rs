//! Where and how a run is computed, and how much is said.

use clap::Args;
use clapp::{
    Error, ProgressBar, Run, RunEnd, Sense, console::note, rules::burn::tensor::Device,
    run::Observer,
};
use serde_json::json;

use crate::{
    output,
    tui::{self, Dashboard, View},
};

/// Options of everything that computes.
#[derive(Args)]
pub(crate) struct Machine {
    /// Device of all tensors: auto, flex, ndarray, wgpu[:INDEX] or cuda[:INDEX], as far as built
    #[arg(long, default_value = "flex")]
    pub device: String,
    /// Threads; 0 is one per core. Results do not depend on it
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub threads: usize,
    /// No bar, no lines of progress
    #[arg(short, long)]
    pub quiet: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

impl Machine {
    /// Sets the threads and opens the device.
    pub(crate) fn open(&self) -> Result<Device, Error> {
        clapp::set_threads(self.threads)?;
        Ok(clapp::device(&self.device)?)
    }

    /// Shows how a run goes on, unless nobody wants to know, and ends it when a signal comes.
    pub(crate) fn progress(&self) -> ProgressBar {
        let bar = ProgressBar::until_interrupted();
        if self.quiet { bar.quiet() } else { bar }
    }

    /// Takes a run to its end, or until a signal comes, and prints what came out.
    pub(crate) fn finish<S: Sense>(
        &self,
        mut run: Run<S>,
        device: &Device,
        shown: &tui::Options,
    ) -> Result<(), Error> {
        let folder = run.path().display().to_string();
        let where_to = format!("run folder: {folder}");
        let mut progress: Box<dyn Observer> = if shown.tui {
            // On the normal screen, where it stays.
            note(&where_to);
            let config = run.config();
            Box::new(Dashboard::open(View::new(config.name(), &folder, config.seeds.len())))
        } else {
            Box::new(self.progress())
        };
        progress.stage(&where_to);
        let end = run.execute(device, &mut *progress)?;
        drop(progress);
        match end {
            RunEnd::Finished(report) if self.json => {
                output::print_json(&json!({"folder": folder, "ended": "finished", "table": report}))
            }
            RunEnd::Finished(report) => {
                let summary = clapp::summary(&report);
                output::print(format!("{report}\n{summary}").trim_end())
            }
            RunEnd::Stopped { step } => {
                output::stopped();
                if self.json {
                    let end = json!({"folder": folder, "ended": "stopped", "step": step});
                    return output::print_json(&end);
                }
                output::print(format!("stopped at step {step}; go on with: clapp resume {folder}"))
            }
        }
    }
}
