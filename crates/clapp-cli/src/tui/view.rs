//! What the dashboard knows of a run.

use std::{collections::VecDeque, time::Duration};

use clapp::run::StepMetrics;

use super::curve::Curve;

/// Notes that are kept.
const NOTES: usize = 50;

/// Seconds that the speed is a mean of.
const WINDOW: usize = 30;

/// A run as far as it has been told. Times are counted from its opening.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(super) name: String,
    pub(super) folder: String,
    pub(super) seeds: u64,
    /// What is done, and since when.
    pub(super) stage: (String, Duration),
    /// The last step, of how many, all seeds together.
    pub(super) step: Option<(u64, u64)>,
    /// The seed that learns, counted from 0, and its value.
    pub(super) seed: Option<(u64, u64)>,
    /// Samples of a step and what they are.
    pub(super) batch: (f64, String),
    pub(super) speed: Speed,
    /// Of every metric its name and the last value of every layer, if that has one.
    pub(super) metrics: Vec<(String, Vec<Option<f64>>)>,
    /// Losses of every layer over the steps of this seed.
    pub(super) losses: Vec<Curve>,
    notes: VecDeque<String>,
}

impl View {
    /// Of a run that has said nothing yet.
    pub(crate) fn new(name: String, folder: &str, seeds: usize) -> Self {
        Self {
            name,
            folder: folder.to_owned(),
            seeds: seeds as u64,
            stage: (String::new(), Duration::ZERO),
            step: None,
            seed: None,
            batch: (0.0, String::new()),
            speed: Speed::default(),
            metrics: Vec::new(),
            losses: Vec::new(),
            notes: VecDeque::new(),
        }
    }

    pub(super) fn stage(&mut self, at: Duration, what: &str) {
        self.stage = (what.to_owned(), at);
        // What it takes says nothing of the speed of learning.
        self.speed.since.clear();
    }

    pub(super) fn note(&mut self, what: &str) {
        self.notes.truncate(NOTES - 1);
        self.notes.push_front(what.to_owned());
    }

    /// Notes, the oldest first.
    pub(super) fn notes(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.notes.iter().rev().map(String::as_str)
    }

    /// As [`Observer::step`](clapp::run::Observer::step).
    pub(super) fn step(&mut self, at: Duration, steps: u64, metrics: &StepMetrics) {
        const LEARNING: &str = "learning";
        if self.stage.0 != LEARNING {
            self.stage(at, LEARNING);
        }
        let of_a_seed = (steps / self.seeds).max(1);
        let index = metrics.step.saturating_sub(1) / of_a_seed;
        if self.seed != Some((index, metrics.seed)) {
            self.seed = Some((index, metrics.seed));
            self.losses.clear();
            self.metrics.clear();
        }
        if let Some((unit, seen)) = metrics.seen.iter().next() {
            let step = (metrics.step - index * of_a_seed).max(1);
            self.batch = (*seen as f64 / step as f64, unit.clone());
        }
        self.step = Some((metrics.step, steps));
        self.speed.step(at, metrics.step);

        let StepMetrics { only, loss, open_gates, accuracy, other, look, .. } = metrics;
        let first = only.map_or(0, |layer| layer.saturating_sub(1));
        for (name, values) in [("loss", loss), ("open gates", open_gates), ("accuracy", accuracy)]
            .into_iter()
            .chain(other.iter().map(|(name, values)| (&**name, values)))
        {
            self.set(name, first, values);
        }
        self.set("early look", 0, look);
        let layers = self.losses.len().max(first + loss.len());
        self.losses.resize_with(layers, Curve::new);
        for (curve, loss) in self.losses[first..].iter_mut().zip(loss) {
            curve.push(metrics.step as f64, *loss);
        }
    }

    /// Values of the layers from `first` on.
    fn set(&mut self, name: &str, first: usize, values: &[f64]) {
        if values.is_empty() {
            return;
        }
        let at = self.metrics.iter().position(|(known, _)| known == name);
        let at = at.unwrap_or_else(|| {
            self.metrics.push((name.to_owned(), Vec::new()));
            self.metrics.len() - 1
        });
        let layers = &mut self.metrics[at].1;
        layers.resize(layers.len().max(first + values.len()), None);
        for (layer, value) in layers[first..].iter_mut().zip(values) {
            *layer = Some(*value);
        }
    }
}

/// Steps a second, of the last while.
#[derive(Clone, Debug, Default)]
pub(super) struct Speed {
    /// When steps were done, one a second.
    since: VecDeque<(Duration, u64)>,
    pub(super) per_second: Option<f64>,
}

impl Speed {
    fn step(&mut self, at: Duration, step: u64) {
        let due = |(last, _): &(Duration, u64)| at.saturating_sub(*last) >= Duration::from_secs(1);
        if self.since.back().is_none_or(due) {
            self.since.push_back((at, step));
        }
        if self.since.len() > WINDOW {
            self.since.pop_front();
        }
        if let Some((from, before)) = self.since.front()
            && at > *from
        {
            let seconds = (at - *from).as_secs_f64();
            self.per_second = Some(step.saturating_sub(*before) as f64 / seconds);
        }
    }
}
