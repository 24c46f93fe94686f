//! What a run needs to know of an experiment, whatever its sense: images, sound, yours.

use std::collections::BTreeMap;

use burn::tensor::Device;
use clapp_eval::Report;
use clapp_rules::{Monitor, State, StateError, Watched};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Error;

/// Everything that decides what a run computes, and the way from there to a learner.
///
/// Two equal experiments give equal results, bit for bit on one machine's CPU: a resumed run is one
/// whose folder holds the same experiment, compared as JSON. Implemented by
/// [`RunConfig`](crate::RunConfig) for images, [`SoundRunConfig`](crate::SoundRunConfig) for sound and
/// [`VideoRunConfig`](crate::VideoRunConfig) for video; deliberately not by a network, which is what an
/// experiment makes.
pub trait Experiment: std::fmt::Debug + Serialize + DeserializeOwned {
    /// What learns.
    type Learner: Learner;

    /// Checks that the parts fit together, before any data are read.
    ///
    /// # Errors
    ///
    /// If they do not.
    fn validate(&self) -> Result<(), Error>;

    /// Checks that the data are there and suffice, before anything is written.
    ///
    /// # Errors
    ///
    /// If they are missing, damaged or too few.
    fn check_data(&self) -> Result<(), Error>;

    /// Name of the run's folder.
    fn name(&self) -> String;

    /// Seeds, and when to write.
    fn schedule(&self) -> Schedule<'_>;

    /// An empty table, which names the data.
    fn report(&self) -> Report;

    /// Opens the data and prepares a network before its first step.
    ///
    /// # Errors
    ///
    /// If data or device fail.
    fn open(&self, seed: u64, device: &Device) -> Result<Self::Learner, Error>;
}

/// How often a run is repeated, and when it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule<'a> {
    /// Seeds: the run is repeated for each of them, from data to read-outs.
    pub seeds: &'a [u64],
    /// Steps between lines of the metrics.
    pub metrics_every: u64,
    /// Steps between checkpoints; one more is written at the end.
    pub checkpoint_every: u64,
    /// Checkpoints kept.
    pub checkpoints_kept: usize,
}

/// A network with its data, in training.
///
/// All that changes from step to step is what [`save`](Self::save) hands out and the number of steps;
/// everything random is drawn from streams named by seed and step. A learner that resumes at a step
/// then repeats one that never stopped. Implemented by [`Trainer`](crate::Trainer) for images,
/// [`SoundTrainer`](crate::SoundTrainer) for sound and [`VideoTrainer`](crate::VideoTrainer) for video.
pub trait Learner: std::fmt::Debug {
    /// Steps of the whole training.
    fn steps(&self) -> u64;

    /// Steps taken.
    fn step(&self) -> u64;

    /// Adds everything that learns to `state`.
    fn save(&self, state: &mut State);

    /// Goes on behind `step` steps from what [`save`](Self::save) added there.
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape.
    fn restore(&mut self, state: &State, step: u64) -> Result<(), StateError>;

    /// Trains to the end, or until `each` says to stop.
    ///
    /// `each` is called after every step with the learner and the step's numbers; `true` goes on.
    ///
    /// # Errors
    ///
    /// If data cannot be read, a loss is not finite, or `each` fails.
    fn run(&mut self, each: &mut Each<'_, Self>) -> Result<(), Error>;

    /// What a reader of the run has to know of its data, such as what was left out of them; told before
    /// the first step, and below the table. Nothing unless said otherwise.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Reads out every layer, with the controls, into `report`; hands out what else is worth a file.
    ///
    /// # Errors
    ///
    /// If data cannot be read or a read-out does not converge.
    fn read_out(&self, report: &mut Report) -> Result<Extra, Error>;
}

/// More files for the folder of a run: name and text.
pub type Extra = BTreeMap<String, String>;

/// What is done after a step; `true` goes on.
pub type Each<'a, L> = dyn FnMut(&L, &StepMetrics) -> Result<bool, Error> + 'a;

/// Numbers of one step, as they stand in the metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Step of the run, from 1; seeds follow each other.
    pub step: u64,
    /// Seed.
    pub seed: u64,
    /// What was seen or heard with this seed.
    #[serde(flatten)]
    pub seen: Seen,
    /// Loss of every layer, or of the one loss that all layers learn from.
    pub loss: Vec<f64>,
    /// Fraction of open gates of every layer; empty where there are no gates.
    pub open_gates: Vec<f64>,
    /// Contrastive accuracy of every layer, or with labels that of its read-out; may be empty.
    pub accuracy: Vec<f64>,
}

/// What a step says of every layer that has a loss; what a method does not have stays empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    pub loss: Vec<f64>,
    pub open_gates: Vec<f64>,
    pub accuracy: Vec<f64>,
}

impl Numbers {
    pub(crate) fn watched(layers: &[Watched]) -> Self {
        Self::of(&layers.iter().map(Watched::monitor).collect::<Vec<_>>())
    }

    pub(crate) fn of(monitors: &[Monitor]) -> Self {
        let layers = |number: fn(&Monitor) -> f64| monitors.iter().map(number).collect();
        Self {
            loss: layers(|monitor| monitor.loss),
            open_gates: layers(|monitor| monitor.open_gates),
            accuracy: layers(|monitor| monitor.accuracy),
        }
    }
}

impl StepMetrics {
    /// The numbers of every layer behind a step.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] if a loss is no number.
    pub(crate) fn of(
        monitors: &[Monitor],
        step: u64,
        seed: u64,
        seen: Seen,
    ) -> Result<Self, Error> {
        Self::checked(Numbers::of(monitors), step, seed, seen)
    }

    /// The same for numbers of any kind.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] if a loss is no number.
    pub(crate) fn checked(
        numbers: Numbers,
        step: u64,
        seed: u64,
        seen: Seen,
    ) -> Result<Self, Error> {
        let Numbers { loss, open_gates, accuracy } = numbers;
        if let Some(layer) = loss.iter().position(|loss| !loss.is_finite()) {
            let (layer, loss) = (layer + 1, loss[layer]);
            return Err(Error::NotFinite { layer, step, loss });
        }
        Ok(Self { step, seed, seen, loss, open_gates, accuracy })
    }
}

/// A number of things that were seen or heard.
///
/// ```
/// use clapp::Seen;
/// assert_eq!((Seen::Images(32).count(), Seen::Crops(8).unit()), (32, "crops"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    /// Images.
    Images(u64),
    /// Crops of sound.
    Crops(u64),
    /// Clips of film.
    Clips(u64),
}

impl Seen {
    /// How many.
    #[must_use]
    pub fn count(self) -> u64 {
        match self {
            Self::Images(count) | Self::Crops(count) | Self::Clips(count) => count,
        }
    }

    /// Of what, in the plural.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Images(_) => "images",
            Self::Crops(_) => "crops",
            Self::Clips(_) => "clips",
        }
    }
}

/// Takes the steps that are left, epoch by epoch: `batches` opens an epoch at one of its batches,
/// `learn` takes a step.
pub(crate) fn run_epochs<L: Learner, B, I: Iterator<Item = Result<B, clapp_datasets::Error>>>(
    learner: &mut L,
    batches_per_epoch: usize,
    batches: impl Fn(&L, u64, usize) -> Result<I, clapp_datasets::Error>,
    learn: impl Fn(&mut L, B) -> Result<StepMetrics, Error>,
    each: &mut Each<'_, L>,
) -> Result<(), Error> {
    let per_epoch = batches_per_epoch as u64;
    while learner.step() < learner.steps() {
        let (epoch, first) = (learner.step() / per_epoch, learner.step() % per_epoch);
        for batch in batches(learner, epoch, first as usize)? {
            let metrics = learn(learner, batch?)?;
            if !each(learner, &metrics)? {
                return Ok(());
            }
            if learner.step() == learner.steps() {
                break;
            }
        }
    }
    Ok(())
}

/// Checks what every experiment asks of its settings: numbers that must not be 0, different seeds.
pub(crate) fn check_settings(
    schedule: &Schedule<'_>,
    numbers: &[(&'static str, u64)],
) -> Result<(), Error> {
    let seeds = schedule.seeds;
    let common = [
        ("seeds", seeds.len() as u64),
        ("metrics_every", schedule.metrics_every),
        ("checkpoint_every", schedule.checkpoint_every),
        ("checkpoints_kept", schedule.checkpoints_kept as u64),
    ];
    if let Some(&(name, _)) = common.iter().chain(numbers).find(|(_, value)| *value == 0) {
        return Err(Error::Zero { name });
    }
    let repeated = |&(i, seed): &(usize, &u64)| seeds[..i].contains(seed);
    if let Some((_, &seed)) = seeds.iter().enumerate().find(repeated) {
        return Err(Error::SeedTwice { seed, seeds: seeds.to_vec() });
    }
    Ok(())
}
