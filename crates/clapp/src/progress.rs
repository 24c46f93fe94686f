//! A progress bar in the terminal.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressStyle};

use crate::run::{Observer, StepMetrics};

/// Between lines where no bar can be drawn.
const PLAIN: Duration = Duration::from_secs(30);

/// Shows step, images or crops a second, time left, and the metrics of every layer; stops the run when asked to.
///
/// Where the standard error is no terminal, it writes a plain line every half a minute.
#[derive(Debug)]
pub struct ProgressBar {
    bar: indicatif::ProgressBar,
    said: Instant,
    per_step: u64,
    stop: Arc<AtomicBool>,
}

impl ProgressBar {
    /// A bar for a run with this batch; setting `stop` ends the run after a checkpoint.
    #[must_use]
    pub fn new(batch: usize, stop: Arc<AtomicBool>) -> Self {
        let bar = indicatif::ProgressBar::new(0);
        let template = "{bar:24} {pos}/{len} steps  {elapsed} < {eta}  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, said: Instant::now(), per_step: batch as u64, stop }
    }

    /// A bar for a run that ends after a checkpoint when the user presses Ctrl-C, see [`interrupted`].
    #[must_use]
    pub fn until_interrupted(batch: usize) -> Self {
        Self::new(batch, interrupted())
    }
}

/// A flag that is set when the user presses Ctrl-C; when that is pressed again, the program ends at once.
///
/// A program has one handler for that; if it has its own already, that one stays.
#[must_use]
pub fn interrupted() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let handler = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            // The first one may have fallen into a long read-out; no moment is a bad one to stop.
            std::process::exit(130);
        }
    });
    if let Err(error) = handler {
        eprintln!("Ctrl-C stops at once, without a checkpoint: {error}");
    }
    stop
}

fn row(values: &[f64], digits: usize) -> String {
    let cells: Vec<String> = values.iter().map(|value| format!("{value:.digits$}")).collect();
    cells.join(" ")
}

impl Observer for ProgressBar {
    fn step(&mut self, steps: u64, metrics: &StepMetrics) -> bool {
        if self.bar.length() != Some(steps) {
            // Steps of an earlier part of the run say nothing of today's speed.
            self.bar.set_length(steps);
            self.bar.set_position(metrics.step - 1);
            self.bar.reset_eta();
        }
        self.bar.set_position(metrics.step);
        let speed = self.bar.per_sec() * self.per_step as f64;
        let unit = metrics.seen.keys().next().map_or("", String::as_str);
        let mut message = format!("{speed:.0} {unit}/s");
        let StepMetrics { loss, open_gates, accuracy, .. } = metrics;
        for (name, numbers) in [("loss", loss), ("open gates", open_gates), ("accuracy", accuracy)]
        {
            if !numbers.is_empty() {
                message += &format!("  {name} {}", row(numbers, 2));
            }
        }
        if self.bar.is_hidden() && self.said.elapsed() >= PLAIN {
            self.said = Instant::now();
            let left = HumanDuration(self.bar.eta());
            say(&format!("step {} of {steps}, {left} left  {message}", metrics.step));
        }
        self.bar.set_message(message);
        !self.stop.load(Ordering::Relaxed)
    }

    fn stage(&mut self, what: &str) {
        self.bar.suspend(|| say(what));
    }
}

/// A line on the standard error; nobody may be there to read it.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        self.bar.abandon();
    }
}
