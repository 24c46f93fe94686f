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
    /// None if nobody wants to see it.
    bar: Option<indicatif::ProgressBar>,
    /// When the last line was written.
    line: Instant,
    /// Samples that its seed had seen in the last step.
    seen: Option<u64>,
    stop: Arc<AtomicBool>,
}

impl ProgressBar {
    /// A bar for a run; setting `stop` ends it after a checkpoint.
    #[must_use]
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        let bar = indicatif::ProgressBar::new(0);
        let template = "{bar:24} {pos}/{len} steps  {elapsed} < {eta}  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar: Some(bar), line: Instant::now(), seen: None, stop }
    }

    /// A bar for a run that ends after a checkpoint when a signal asks for it, see [`interrupted`].
    #[must_use]
    pub fn until_interrupted() -> Self {
        Self::new(interrupted())
    }

    /// Shows nothing but notes; what stops the run is the same.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.bar = None;
        self
    }
}

fn row(values: &[f64], digits: usize) -> String {
    let cells: Vec<String> = values.iter().map(|value| format!("{value:.digits$}")).collect();
    cells.join(" ")
}

impl Observer for ProgressBar {
    fn step(&mut self, steps: u64, metrics: &StepMetrics) -> bool {
        let go_on = !self.stop.load(Ordering::Acquire);
        let Some(bar) = &self.bar else { return go_on };
        if bar.length() != Some(steps) {
            // Steps of an earlier part of the run say nothing of today's speed.
            bar.set_length(steps);
            bar.set_position(metrics.step - 1);
            bar.reset_eta();
        }
        bar.set_position(metrics.step);
        let (unit, seen) =
            metrics.seen.iter().next().map_or(("", 0), |(unit, seen)| (&**unit, *seen));
        let per_step = self.seen.replace(seen).map_or(0, |before| seen.saturating_sub(before));
        let speed = bar.per_sec() * per_step as f64;
        let mut message = format!("{speed:.0} {unit}/s");
        let StepMetrics { loss, open_gates, accuracy, .. } = metrics;
        for (name, numbers) in [("loss", loss), ("open gates", open_gates), ("accuracy", accuracy)]
        {
            if !numbers.is_empty() {
                message += &format!("  {name} {}", row(numbers, 2));
            }
        }
        if bar.is_hidden() && (self.line.elapsed() >= PLAIN || metrics.step == steps) {
            let left = indicatif::HumanDuration(bar.eta());
            note(format_args!("step {} of {steps}  {left} left  {message}", metrics.step));
            self.line = Instant::now();
        }
        bar.set_message(message);
        go_on
    }

    fn stage(&mut self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.suspend(|| note(what));
        }
    }

    fn note(&mut self, what: &str) {
        let line = format!("note: {what}");
        match &self.bar {
            Some(bar) => bar.suspend(|| note(line)),
            None => note(line),
        }
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}
