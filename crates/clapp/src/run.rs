//! A run from its first batch to its table, in a folder that survives a crash.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use burn::tensor::Device;
use clapp_eval::{Report, figure};
use clapp_rules::State;
use clapp_store::{Checkpoints, MetricsLog, RunFolder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Error, Experiment, Learner, RunConfig, SoundRunConfig, StepMetrics, VideoRunConfig,
    saved::{check_finite, from_state, to_state},
};

/// What a caller hears of a run, and whether it goes on.
pub trait Observer {
    /// Called after every step; `false` stops the run behind a checkpoint.
    fn step(&mut self, steps: u64, metrics: &StepMetrics) -> bool;

    /// Called before something that takes a while.
    fn stage(&mut self, what: &str) {
        let _ = what;
    }
}

/// An observer that never interferes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn step(&mut self, _: u64, _: &StepMetrics) -> bool {
        true
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// At its end, with this table.
    Finished(Box<Report>),
    /// Before, behind a checkpoint from which it can go on.
    Stopped {
        /// Steps taken.
        step: u64,
    },
}

/// A run on images.
///
/// # Example
///
/// ```no_run
/// use clapp::{Images, Outcome, Run, Silent, preset};
/// let config = preset("quick", "clapp-s", &Images::Synthetic, &[2])?;
/// let mut run = Run::create("runs", config)?;
/// if let Outcome::Finished(report) = run.execute(&clapp::device("flex")?, &mut Silent)? {
///     println!("{report}");
/// }
/// # Ok::<(), clapp::Error>(())
/// ```
pub type Run = RunOf<RunConfig>;

/// A run on sound.
///
/// # Example
///
/// ```no_run
/// use clapp::{Outcome, Silent, Sound, SoundRun, sound_preset};
/// let config = sound_preset("quick", "clapp-s", &Sound::Synthetic, &[2])?;
/// let mut run = SoundRun::create("runs", config)?;
/// if let Outcome::Finished(report) = run.execute(&clapp::device("flex")?, &mut Silent)? {
///     println!("{report}");
/// }
/// # Ok::<(), clapp::Error>(())
/// ```
pub type SoundRun = RunOf<SoundRunConfig>;

/// A run on video.
///
/// # Example
///
/// ```no_run
/// use clapp::{Outcome, Silent, Video, VideoRun, video_preset};
/// let config = video_preset("quick", "clapp-s", &Video::MovingScenes, &[2])?;
/// let mut run = VideoRun::create("runs", config)?;
/// if let Outcome::Finished(report) = run.execute(&clapp::device("flex")?, &mut Silent)? {
///     println!("{report}");
/// }
/// # Ok::<(), clapp::Error>(())
/// ```
pub type VideoRun = RunOf<VideoRunConfig>;

/// A run of an experiment, and its folder.
///
/// ```text
/// <folder>/config.json                configuration
/// <folder>/metrics.jsonl              one line every few steps
/// <folder>/checkpoints/step-…/        weights, moments, progress; checksummed, written atomically
/// <folder>/table.{json,txt,svg}       read-outs of every layer, with their controls
/// ```
///
/// Stopping at any moment, even by kill, and resuming gives the same files as never stopping, byte for
/// byte on the CPU. [`Run`], [`SoundRun`] and [`VideoRun`] are those of this crate; an [`Experiment`]
/// of your own gets the same folder.
#[derive(Debug)]
pub struct RunOf<E> {
    folder: RunFolder,
    config: E,
}

/// What a checkpoint remembers beside weights.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// Which of the seeds is being trained.
    seed_index: usize,
    /// Steps taken with it.
    seed_step: u64,
    /// Table of the seeds that are finished.
    report: Option<Report>,
}

const CONFIG: &str = "config.json";
const METRICS: &str = "metrics.jsonl";

impl<E: Experiment> RunOf<E> {
    /// Starts a new run in a new folder of `parent`.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together, its data are missing or damaged, or the folder cannot
    /// be written.
    pub fn create(parent: impl AsRef<Path>, config: E) -> Result<Self, Error> {
        config.validate()?;
        config.check_data()?;
        let folder = RunFolder::create(parent, &config.name())?;
        folder.write_json(CONFIG, &config)?;
        Ok(Self { folder, config })
    }

    /// Opens a run that was stopped.
    ///
    /// # Errors
    ///
    /// If the folder holds no run, or another process writes to it.
    pub fn resume(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let no_run = |folder: &Path| Error::NoRun { folder: folder.to_owned(), what: CONFIG };
        // Opening locks and cleans up: not in a folder that is somebody else's.
        let place = folder.as_ref();
        if place.is_dir() && !place.join(CONFIG).is_file() {
            return Err(no_run(place));
        }
        let folder = RunFolder::open(folder)?;
        let path = folder.path().join(CONFIG);
        let text = std::fs::read_to_string(&path).map_err(|_| no_run(folder.path()))?;
        let config: E = serde_json::from_str(&text).map_err(|source| Error::Json {
            what: "configuration",
            path,
            source,
        })?;
        config.validate()?;
        Ok(Self { folder, config })
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &E {
        &self.config
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Trains and reads out what is left to do.
    ///
    /// # Errors
    ///
    /// If data, device or disk fail, or a loss is no longer finite. The last checkpoint is kept.
    pub fn execute(
        &mut self,
        device: &Device,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, Error> {
        let checkpoints = Checkpoints::open(&self.folder)?;
        let config_value = self.json(&self.config, "configuration")?;
        let newest = checkpoints.load_newest()?;
        let newest_step = newest.as_ref().map(|checkpoint| checkpoint.step);
        // Opened when everything else is known to be sound, because opening it cuts off what lies
        // behind the checkpoint.
        let mut log = None;
        let (mut progress, mut state) = match newest {
            None => (Progress::default(), None),
            Some(checkpoint) => {
                if checkpoint.config != config_value {
                    return Err(Error::Resume { folder: self.path().to_owned() });
                }
                let path = checkpoint.path.clone();
                let progress = serde_json::from_value(checkpoint.progress.clone())
                    .map_err(|source| Error::Json { what: "progress", path, source })?;
                (progress, Some(to_state(checkpoint.tensors)))
            }
        };
        let mut report = progress.report.take().unwrap_or_else(|| self.config.report());
        let seeds = self.config.schedule().seeds.iter().enumerate();
        for (index, seed) in seeds.skip(progress.seed_index) {
            observer.stage(&format!("seed {seed}: opening {}", report.trained_on));
            let mut learner = self.config.open(*seed, device)?;
            for note in learner.notes() {
                observer.stage(&format!("note: {note}"));
                report.note(note);
            }
            if let Some(state) = state.take() {
                learner.restore(&state, progress.seed_step)?;
            }
            let log = match &mut log {
                Some(log) => log,
                none => none.insert(MetricsLog::open(self.path().join(METRICS), newest_step)?),
            };
            let save = |learner: &E::Learner| {
                self.save(&checkpoints, &config_value, index, learner, &report)
            };
            if !self.train(&mut learner, index, log, &save, observer)? {
                let step = index as u64 * learner.steps() + learner.step();
                return Ok(Outcome::Stopped { step });
            }
            observer.stage(&format!("seed {seed}: reading out"));
            let extra = learner.read_out(&mut report)?;
            self.write_tables(&report)?;
            for (name, text) in extra {
                self.folder.write_text(&name, &text)?;
            }
        }
        Ok(Outcome::Finished(Box::new(report)))
    }

    /// Trains one seed; `false` if the observer stopped it.
    fn train(
        &self,
        learner: &mut E::Learner,
        index: usize,
        log: &mut MetricsLog,
        save: &dyn Fn(&E::Learner) -> Result<(), Error>,
        observer: &mut dyn Observer,
    ) -> Result<bool, Error> {
        let (steps, schedule) = (learner.steps(), self.config.schedule());
        let before = index as u64 * steps;
        let total = steps * schedule.seeds.len() as u64;
        let mut go_on = true;
        let each = &mut |learner: &E::Learner, metrics: &StepMetrics| {
            let step = learner.step();
            let metrics = StepMetrics { step: before + step, ..metrics.clone() };
            let last = step == steps;
            if last || step == 1 || step.is_multiple_of(schedule.metrics_every) {
                log.append(&metrics)?;
            }
            go_on = observer.step(total, &metrics);
            if last || !go_on || step.is_multiple_of(schedule.checkpoint_every) {
                log.sync()?;
                save(learner)?;
            }
            Ok(go_on)
        };
        learner.run(each).map_err(|error| match error {
            // Steps of the run, as in metrics and checkpoints, not of the seed.
            Error::NotFinite { layer, step, loss } => {
                Error::NotFinite { layer, step: before + step, loss }
            }
            other => other,
        })?;
        Ok(go_on)
    }

    fn save(
        &self,
        checkpoints: &Checkpoints,
        config: &Value,
        index: usize,
        learner: &E::Learner,
        report: &Report,
    ) -> Result<(), Error> {
        let mut state = State::default();
        learner.save(&mut state);
        let step = index as u64 * learner.steps() + learner.step();
        check_finite(&state, step)?;
        let report = (index > 0).then(|| report.clone());
        let progress = Progress { seed_index: index, seed_step: learner.step(), report };
        let progress = self.json(&progress, "progress")?;
        checkpoints.save(step, &from_state(state), &progress, config)?;
        let kept =
            NonZeroUsize::new(self.config.schedule().checkpoints_kept).unwrap_or(NonZeroUsize::MIN);
        checkpoints.prune(kept, &[])?;
        Ok(())
    }

    fn write_tables(&self, report: &Report) -> Result<(), Error> {
        self.folder.write_text("table.json", &report.to_json()?)?;
        self.folder.write_text("table.txt", &report.to_string())?;
        self.folder.write_text("table.svg", &figure::report(report))?;
        Ok(())
    }

    fn json<T: Serialize>(&self, value: &T, what: &'static str) -> Result<Value, Error> {
        let path: PathBuf = self.path().to_owned();
        serde_json::to_value(value).map_err(|source| Error::Json { what, path, source })
    }
}
