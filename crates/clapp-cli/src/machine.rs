//! Where and how a run is computed, and how much is said.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use clap::Args;
use clapp::{
    Error, ProgressBar, Run, RunEnd, Sense,
    rules::burn::tensor::Device,
    run::{Observer, StepMetrics},
};
use serde_json::json;

use crate::output;

/// Options of everything that computes.
#[derive(Args)]
pub(crate) struct Machine {
    /// Device of all tensors: flex, ndarray, wgpu[:INDEX] or cuda[:INDEX], as far as built
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

    /// Takes a run to its end, or until a signal comes, and prints what came out.
    pub(crate) fn finish<S: Sense>(&self, mut run: Run<S>, device: &Device) -> Result<(), Error> {
        let folder = run.path().display().to_string();
        let mut watch = Watch::new(self.quiet, run.config().batch);
        watch.stage(&format!("run folder: {folder}"));
        let end = run.execute(device, &mut watch)?;
        drop(watch);
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

/// Shows how a run goes on, unless nobody wants to know, and ends it when a signal comes.
pub(crate) struct Watch {
    bar: Option<ProgressBar>,
    stop: Arc<AtomicBool>,
}

impl Watch {
    pub(crate) fn new(quiet: bool, batch: usize) -> Self {
        let stop = clapp::console::interrupted();
        Self { bar: (!quiet).then(|| ProgressBar::new(batch, stop.clone())), stop }
    }
}

impl Observer for Watch {
    fn step(&mut self, steps: u64, metrics: &StepMetrics) -> bool {
        if let Some(bar) = &mut self.bar {
            bar.step(steps, metrics);
        }
        !self.stop.load(Relaxed)
    }

    fn stage(&mut self, what: &str) {
        match &mut self.bar {
            Some(bar) => bar.stage(what),
            // What was left out of the data is said in any case.
            None if what.starts_with("note:") => {
                clapp::console::note(what);
            }
            None => {}
        }
    }
}
