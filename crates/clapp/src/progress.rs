//! Progress of a run: a bar in a terminal, elsewhere a line now and then.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use indicatif::ProgressStyle;

use crate::{
    console::{PLAIN, interrupted, note},
    run::{Observer, StepMetrics},
};

/// Shows step, images or crops a second, time left, and the metrics of every layer; stops the run when asked to.
/// Where standard error is no terminal, it is a plain line every half minute.
#[derive(Debug)]
pub struct ProgressBar {
    bar: indicatif::ProgressBar,
    /// When the last line was written.
    line: Instant,
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
        Self { bar, line: Instant::now(), per_step: batch as u64, stop }
    }

    /// A bar for a run that ends after a checkpoint when a signal asks for it, see [`interrupted`].
    #[must_use]
    pub fn until_interrupted(batch: usize) -> Self {
        Self::new(batch, interrupted())
    }
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
        if self.bar.is_hidden() && (self.line.elapsed() >= PLAIN || metrics.step == steps) {
            let left = indicatif::HumanDuration(self.bar.eta());
            note(format_args!("step {} of {steps}  {left} left  {message}", metrics.step));
            self.line = Instant::now();
        }
        self.bar.set_message(message);
        !self.stop.load(Ordering::Acquire)
    }

    fn stage(&mut self, what: &str) {
        self.bar.suspend(|| note(what));
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        self.bar.abandon();
    }
}
