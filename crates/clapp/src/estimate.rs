//! What a run will cost, before it starts: weights, multiply-adds, memory, days.

use std::{
    fmt::{self, Write as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use burn::tensor::Device;
use clapp_rules::State;
use serde::{Deserialize, Serialize};

use crate::{Error, RunConfig, Sense, run::CONFIG};

/// What a run costs by its configuration alone.
///
/// Multiply-adds are those of plain sums of products, for each sample: a kernel that re-associates its sums or
/// leaves out silent neurons does fewer. Learning is the way forward, the Hebbian products, which are as many again,
/// and the products with lateral weights.
///
/// # Example
///
/// ```
/// use clapp::{Images, image::SizesConfig, preset, estimate::Estimate};
/// let stl10 = Images::Stl10("stl10".into(), SizesConfig::Official);
/// let config = preset("paper", "clapp-s", &stl10, &[2])?;
/// let estimate = Estimate::of(&config, &clapp::device("flex")?)?;
/// assert_eq!(estimate.sum(|part| part.weights), 16_224_512);
/// assert_eq!(estimate.sum(|part| part.lateral), 12_533_760);
/// # Ok::<(), clapp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// The layers, from the input up.
    pub parts: Vec<Part>,
    /// What is learnt from: images, crops, clips.
    pub unit: String,
    /// How many, for each seed.
    pub samples: u64,
    /// In how many steps.
    pub steps: u64,
    /// Seeds.
    pub seeds: usize,
    /// What has to be held in memory while learning, in bytes, where it is known: weights and what the optimizer remembers
    /// of them, the change and the activities of the largest layer, or of all layers that a context from above keeps,
    /// and embedded data. The program itself, and batches that are loaded ahead, come on top.
    pub learning_bytes: Option<u64>,
    /// The same for reading out: features of all layers, and a layer in double precision.
    pub readout_bytes: Option<u64>,
}

/// A layer's share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Name.
    pub name: String,
    /// Weights and biases.
    pub weights: u64,
    /// Lateral weights.
    pub lateral: u64,
    /// Multiply-adds of the way forward, for one sample and all its views; none where they are not counted.
    pub forward: Option<u64>,
    /// Those of a step of learning, the way forward included.
    pub learning: Option<u64>,
}

impl Estimate {
    /// What a run will cost.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together, or, for senses whose network has to be made to be counted, the data
    /// cannot be opened.
    pub fn of<S: Sense>(config: &RunConfig<S>, device: &Device) -> Result<Self, Error> {
        config.validate()?;
        S::estimate(config, device)
    }

    /// Makes the network before its first step and counts its weights.
    pub(crate) fn of_network<S: Sense>(
        config: &RunConfig<S>,
        device: &Device,
    ) -> Result<Self, Error> {
        let mut state = State::default();
        config.open(first_seed(config), device)?.save(&mut state);
        let mut parts: Vec<Part> = Vec::new();
        // Statistics of activities and counters of steps are no weights.
        let other = [".mean", ".variance", ".steps"];
        let weights = |name: &str| !other.iter().any(|other| name.ends_with(other));
        for (name, data) in state.tensors.iter().filter(|(name, _)| weights(name)) {
            let (layer, rest) = name.split_once('.').unwrap_or((name, ""));
            if parts.last().is_none_or(|part| part.name != layer) {
                parts.push(Part { name: layer.to_owned(), ..Part::default() });
            }
            let part = parts.last_mut().expect("there is one now");
            let lateral = ["w_pred", "w_retro"].iter().any(|name| rest.starts_with(name));
            *(if lateral { &mut part.lateral } else { &mut part.weights }) +=
                data.num_elements() as u64;
        }
        Ok(Self::with(config, parts))
    }

    pub(crate) fn with<S: Sense>(config: &RunConfig<S>, parts: Vec<Part>) -> Self {
        Self {
            parts,
            unit: S::UNIT.to_owned(),
            samples: config.steps() * config.batch as u64,
            steps: config.steps(),
            seeds: config.seeds.len(),
            learning_bytes: None,
            readout_bytes: None,
        }
    }

    /// A number summed over the layers.
    #[must_use]
    pub fn sum(&self, of: impl Fn(&Part) -> u64) -> u64 {
        self.parts.iter().map(of).sum()
    }

    /// Days of learning of all seeds at so many seconds a step.
    #[must_use]
    pub fn days(&self, seconds_per_step: f64) -> f64 {
        seconds_per_step * self.steps as f64 * self.seeds as f64 / 86_400.0
    }

    /// This estimate in words, with the days that it takes on this machine, for which some steps are taken.
    ///
    /// Nothing is timed that would not fit into the memory that is free. Nothing is written to disk.
    ///
    /// # Errors
    ///
    /// As [`seconds_per_step`].
    pub fn on_this_machine<S: Sense>(
        &self,
        config: &RunConfig<S>,
        device: &Device,
    ) -> Result<String, Error> {
        let mut text = self.to_string();
        let free = available();
        if let (Some(needs), Some(free)) = (self.learning_bytes, free)
            && needs > free
        {
            let (needs, free) = (bytes(needs), bytes(free));
            // Writing to a string does not fail.
            let _ =
                writeln!(text, "not timed: learning takes at least {needs}, and {free} are free");
            return Ok(text);
        }
        let seconds = S::seconds_per_step(config, device)?;
        let (days, speed) = (self.days(seconds), config.batch as f64 / seconds);
        let long = if days < 1.0 {
            format!("{:.1} minutes", days * 1440.0)
        } else {
            format!("{days:.1} days")
        };
        let _ = writeln!(
            text,
            "on this machine: {seconds:.4} seconds a step, {speed:.1} {} a second; {long} of learning for {} seed(s), without read-outs",
            self.unit, self.seeds,
        );
        Ok(text)
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parts, unit, samples, steps, seeds, learning_bytes, readout_bytes } = self;
        let millions = |macs: Option<u64>| {
            macs.map_or_else(|| "–".to_owned(), |macs| format!("{:.1}", macs as f64 / 1e6))
        };
        let counted = |of: fn(&Part) -> Option<u64>| parts.iter().map(of).sum::<Option<u64>>();
        let sum = Part {
            name: "sum".into(),
            weights: self.sum(|part| part.weights),
            lateral: self.sum(|part| part.lateral),
            forward: counted(|part| part.forward),
            learning: counted(|part| part.learning),
        };
        writeln!(
            f,
            "layer      weights        lateral        forward    learning   (10⁶ multiply-adds, one of the {unit})"
        )?;
        for part in parts.iter().chain([&sum]) {
            let Part { name, weights, lateral, forward, learning } = part;
            let (forward, learning) = (millions(*forward), millions(*learning));
            writeln!(f, "{name:<10} {weights:<14} {lateral:<14} {forward:<10} {learning}")?;
        }
        writeln!(f, "{samples} {unit} in {steps} steps, for each of {seeds} seed(s)")?;
        for (what, estimated) in [("learning", learning_bytes), ("reading out", readout_bytes)] {
            if let Some(estimated) = estimated {
                writeln!(f, "memory for {what}: at least {}", bytes(*estimated))?;
            }
        }
        Ok(())
    }
}

/// What a run would do, in words: its configuration as it would stand in its folder, and what it would cost on this
/// machine.
///
/// # Errors
///
/// As [`Estimate::of`] and [`Estimate::on_this_machine`].
pub fn dry_run<S: Sense>(config: &RunConfig<S>, device: &Device) -> Result<String, Error> {
    let estimate = Estimate::of(config, device)?;
    let path = PathBuf::from(config.name()).join(CONFIG);
    let text = serde_json::to_string_pretty(config).map_err(|source| Error::Json {
        what: "configuration",
        path,
        source,
    })?;
    Ok(format!("{text}\n\n{}", estimate.on_this_machine(config, device)?))
}

/// Steps before the clock starts: pages, caches and kernels come up.
const WARM: u32 = 2;
/// Fewest steps that are timed.
const FEWEST: u32 = 3;
/// How long a dry run looks at least.
pub(crate) const LOOK: Duration = Duration::from_secs(3);

/// Times some steps.
pub(crate) struct Stopwatch {
    look: Duration,
    begun: Instant,
    steps: u32,
}

impl Stopwatch {
    pub(crate) fn new(look: Duration) -> Self {
        Self { look, begun: Instant::now(), steps: 0 }
    }

    /// After a step: seconds a step, as soon as enough were taken.
    pub(crate) fn step(&mut self) -> Option<f64> {
        self.steps += 1;
        if self.steps <= WARM {
            self.begun = Instant::now();
        }
        let (timed, took) = (self.steps.saturating_sub(WARM), self.begun.elapsed());
        (timed >= FEWEST && took >= self.look).then(|| took.as_secs_f64() / f64::from(timed))
    }
}

/// Seconds of a step on this machine: the mean over at least three steps and at least `look`, after two that do not
/// count, on the run's own data.
///
/// # Errors
///
/// If the data cannot be read, or a loss is not finite.
pub fn seconds_per_step<S: Sense>(
    config: &RunConfig<S>,
    device: &Device,
    look: Duration,
) -> Result<f64, Error> {
    let mut endless = config.clone();
    // A rate that falls to nothing at the end has not begun to.
    *S::amount_mut(&mut endless.setup) = u64::MAX;
    let mut trainer = endless.open(first_seed(config), device)?;
    let (mut watch, mut seconds) = (Stopwatch::new(look), None);
    trainer.run(&mut |_, _| {
        seconds = watch.step();
        Ok(seconds.is_none())
    })?;
    Ok(seconds.expect("stopped by the watch"))
}

pub(crate) fn first_seed<S: Sense>(config: &RunConfig<S>) -> u64 {
    config.seeds.first().copied().unwrap_or_default()
}

/// Memory that is free, in bytes; none where the system does not say.
fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

fn bytes(bytes: u64) -> String {
    match bytes >> 20 {
        mebi @ 0..1024 => format!("{mebi} MiB"),
        mebi => format!("{:.2} GiB", mebi as f64 / 1024.0),
    }
}
