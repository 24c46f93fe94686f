//! A run from its first batch to its table, in a folder that survives a crash.

mod again;
mod alignment;
mod environment;
mod metrics;
mod saved;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Instant};

use burn::tensor::Device;
use clapp_eval::{Report, figure};
use clapp_rules::Plasticity;
use clapp_store::{Checkpoints, MetricsLog, RunFolder};

use crate::{Data, Error, OwnRule, RunConfig, Sense, Trainer, data::shortened};
use environment::Recorder;
use saved::{Position, position};

pub use alignment::retro_alignment;
pub use environment::Environment;
pub use metrics::{LayerMetrics, StepMetrics};
pub(crate) use saved::{from_state, newest, to_state};

/// Follows a run, and says whether it goes on.
pub trait Observer {
    /// Called after every step; `false` stops the run after a checkpoint.
    fn step(&mut self, steps: u64, metrics: &StepMetrics) -> bool;

    /// Called with what the run does or has found out on its way.
    fn stage(&mut self, what: &str) {
        let _ = what;
    }

    /// Called with what a reader of the results has to know, such as what was left out of the data.
    fn note(&mut self, what: &str) {
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
pub enum RunEnd {
    /// At its last step, with this table.
    Finished(Box<Report>),
    /// Before, after a checkpoint from which it can go on.
    Stopped {
        /// Steps taken.
        step: u64,
    },
}

/// More files for the folder of a run: name and text.
pub type Extra = BTreeMap<String, String>;

/// A run and its folder.
///
/// ```text
/// <folder>/config.json                configuration
/// <folder>/metrics.jsonl              one line every few steps
/// <folder>/checkpoints/step-…/        weights, moments, progress; checksummed, written atomically
/// <folder>/table.{json,txt,svg}       read-outs of every layer, with their controls
/// <folder>/environment.json           where it was computed, and how fast
/// ```
///
/// Stopping at any moment, even by kill, and resuming gives the same files as never stopping, byte for
/// byte on the CPU; all but the last one, which has an entry for every start.
///
/// # Example
///
/// ```no_run
/// use clapp::{Run, RunEnd, Sound, preset, run::Silent};
/// let config = preset("quick", "clapp-s", &Sound::Synthetic, &[2])?;
/// let mut run = Run::create("runs", config)?;
/// if let RunEnd::Finished(report) = run.execute(&clapp::device("flex")?, &mut Silent)? {
///     println!("{report}");
/// }
/// # Ok::<(), clapp::Error>(())
/// ```
#[derive(Debug)]
pub struct Run<S: Sense> {
    folder: RunFolder,
    config: RunConfig<S>,
    /// Digests of the data, as far as they are open.
    data: Vec<String>,
}

pub(crate) const CONFIG: &str = "config.json";
const METRICS: &str = "metrics.jsonl";

impl<S: Sense> Run<S> {
    /// Starts a new run in a new folder of `parent`.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together, its data are missing or damaged, or the folder cannot
    /// be written.
    pub fn create(parent: impl AsRef<Path>, config: RunConfig<S>) -> Result<Self, Error> {
        config.validate()?;
        S::check(&config)?;
        let folder = RunFolder::create(parent, &config.name())?;
        folder.write_json(CONFIG, &config)?;
        Ok(Self { folder, config, data: Vec::new() })
    }

    /// Starts a new run in exactly this folder, which is new or empty.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create); if something visible is in the folder, which stays as it is.
    pub fn create_at(folder: impl AsRef<Path>, config: RunConfig<S>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let visible = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.is_ok_and(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        };
        let taken = match std::fs::read_dir(folder) {
            Ok(mut inside) => inside.any(visible),
            Err(_) => folder.exists(),
        };
        if taken {
            let (expected, got) = ("a new or an empty one", "one with files");
            let got = format!("{got} in {}", folder.display());
            let advice = "choose another, or resume the run that is there";
            return Err(Error::misfit_of("folder of the run", expected, got, advice));
        }
        Self::at(folder, || Ok(config))
    }

    /// Goes on with the run that is this folder, or starts one there.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create) and [`resume`](Self::resume); if `config` fails.
    pub(crate) fn at(
        folder: &Path,
        config: impl FnOnce() -> Result<RunConfig<S>, Error>,
    ) -> Result<Self, Error> {
        if folder.join(CONFIG).is_file() {
            return Self::resume(folder);
        }
        let config = config()?;
        config.validate()?;
        S::check(&config)?;
        let folder = exactly(folder)?;
        folder.write_json(CONFIG, &config)?;
        Ok(Self { folder, config, data: Vec::new() })
    }

    /// Opens a run that was stopped.
    ///
    /// # Errors
    ///
    /// If the folder holds no run, or another process writes to it.
    pub fn resume(folder: impl AsRef<Path>) -> Result<Self, Error> {
        Self::reopen(folder.as_ref(), None)
    }

    /// Opens a run that was stopped and learns by a rule of one's own.
    ///
    /// # Errors
    ///
    /// As [`resume`](Self::resume); if the run learns by a rule of the library.
    pub fn resume_with(
        folder: impl AsRef<Path>,
        rule: impl Plasticity + 'static,
    ) -> Result<Self, Error> {
        Self::reopen(folder.as_ref(), Some(Arc::new(rule)))
    }

    fn reopen(place: &Path, rule: Option<Arc<dyn Plasticity>>) -> Result<Self, Error> {
        // Opening locks and cleans up: not in a folder that is somebody else's.
        if place.is_dir() && !place.join(CONFIG).is_file() {
            return Err(Error::NoRun { folder: place.to_owned(), what: CONFIG });
        }
        let folder = RunFolder::open(place)?;
        let mut config = RunConfig::<S>::load(folder.path())?;
        if let Some(rule) = rule {
            let named = config.own_rule.as_ref().map(|own| OwnRule::new(own.name(), rule));
            config.own_rule = Some(named.ok_or_else(|| {
                let expected = "a run that learns by a rule of one's own";
                let got = format!("one of the library in {}", folder.path().display());
                Error::misfit(expected, got, "resume with Run::resume")
            })?);
        }
        config.validate()?;
        Ok(Self { folder, config, data: Vec::new() })
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &RunConfig<S> {
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
    ) -> Result<RunEnd, Error> {
        let checkpoints = Checkpoints::open(&self.folder)?;
        let newest = checkpoints.load_newest()?;
        let newest_step = newest.as_ref().map(|checkpoint| checkpoint.step);
        let (mut position, mut state) = match newest {
            None => (Position::default(), None),
            Some(checkpoint) => {
                let position = position(self.path(), &self.config, &checkpoint)?;
                (position, Some(to_state(checkpoint.tensors)))
            }
        };
        let mut report = position.report.take().unwrap_or_else(|| self.config.report());
        let mut recorder = Recorder::new(self.path(), device, S::UNIT, |note| observer.note(&note));
        // Opened when everything else is known to be sound, because opening it cuts off what lies
        // after the checkpoint.
        let mut log = None;
        for (index, &seed) in self.config.seeds.iter().enumerate().skip(position.seed_index) {
            observer.stage(&format!("seed {seed}: opening {}", report.trained_on));
            let mut trainer = self.config.open(seed, device)?.with_folder(self.path());
            if self.data.is_empty() {
                self.data = S::digests(&self.config, trainer.data())?;
                self.check_data(&position.data, trainer.data())?;
            }
            describe(trainer.data(), &mut report, observer);
            if let Some(state) = state.take() {
                trainer.restore(&state, position.seed_step)?;
            }
            if log.is_none() && trainer.step() < trainer.steps() {
                // Nothing has been written yet: better now than after hours if nothing can be.
                let (step, tensors, [progress, config]) = self.state(index, &trainer, &report)?;
                checkpoints.rehearse(step, &tensors, &progress, &config)?;
            }
            let log = match &mut log {
                Some(log) => log,
                none => none.insert(MetricsLog::open(self.path().join(METRICS), newest_step)?),
            };
            let save = |trainer: &Trainer<S>| self.save(&checkpoints, index, trainer, &report);
            recorder.save(&self.folder)?;
            if !self.train(&mut trainer, index, log, &save, &mut recorder, observer)? {
                let step = index as u64 * trainer.steps() + trainer.step();
                return Ok(RunEnd::Stopped { step });
            }
            observer.stage(&format!("seed {seed}: reading out"));
            let began = Instant::now();
            let extra = trainer.read_out(&mut report)?;
            self.write_tables(&report)?;
            for (name, text) in extra {
                self.folder.write_text(&name, &text)?;
            }
            recorder.read_out(began);
            recorder.save(&self.folder)?;
        }
        Ok(RunEnd::Finished(Box::new(report)))
    }

    /// Checks that the data are those of the checkpoint, if there is one that knows.
    fn check_data(&self, known: &[String], data: &Data<S>) -> Result<(), Error> {
        if known.is_empty() || known == self.data {
            return Ok(());
        }
        let got = format!("others of {}, though of a size that fits", data.names[0]);
        let advice = "restore the data, or start a new run";
        Err(Error::misfit_of("resume", "the data that the run began with", got, advice))
    }

    /// Trains one seed; `false` if the observer stopped it.
    fn train(
        &self,
        trainer: &mut Trainer<S>,
        index: usize,
        log: &mut MetricsLog,
        save: &dyn Fn(&Trainer<S>) -> Result<(), Error>,
        recorder: &mut Recorder,
        observer: &mut dyn Observer,
    ) -> Result<bool, Error> {
        let mut since = Instant::now();
        let (steps, config) = (trainer.steps(), &self.config);
        let before = index as u64 * steps;
        let total = steps * config.seeds.len() as u64;
        let mut go_on = true;
        let each = &mut |trainer: &Trainer<S>, metrics: &StepMetrics| {
            let step = trainer.step();
            let mut metrics = StepMetrics { step: before + step, ..metrics.clone() };
            if config.looks_after(step) {
                // Its time and memory are not those of learning, and what it fails by stops no run.
                let began = Instant::now();
                observer.stage("early look");
                match S::look(trainer) {
                    Ok(look) => metrics.look = look,
                    Err(error) => observer.note(&format!("no early look: {error}")),
                }
                observer.stage(&metrics.say_look());
                since += began.elapsed();
            }
            let last = step == steps;
            let looked = !metrics.look.is_empty();
            if last || looked || step == 1 || step.is_multiple_of(config.metrics_every) {
                log.append(&metrics)?;
            }
            go_on = observer.step(total, &metrics);
            let saves = last || !go_on || step.is_multiple_of(config.checkpoint_every);
            if saves {
                log.sync()?;
                save(trainer)?;
            }
            recorder.learnt(config.batch, &mut since);
            if saves {
                recorder.save(&self.folder)?;
            }
            Ok(go_on)
        };
        trainer.run(each).map_err(|error| match error {
            // Steps of the run, as in metrics and checkpoints, not of the seed.
            Error::NotFinite { layer, step, loss } => {
                Error::NotFinite { layer, step: before + step, loss }
            }
            other => other,
        })?;
        Ok(go_on)
    }

    fn write_tables(&self, report: &Report) -> Result<(), Error> {
        self.folder.write_text("table.json", &report.to_json()?)?;
        self.folder.write_text("table.txt", &report.to_string())?;
        self.folder.write_text("table.svg", &figure::report(report))?;
        Ok(())
    }
}

/// A folder of this name and no other, made if it is not there.
pub(crate) fn exactly(folder: &Path) -> Result<RunFolder, Error> {
    let parent = folder.parent().filter(|parent| *parent != Path::new(""));
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    if !folder.is_dir() {
        RunFolder::create(parent.unwrap_or(Path::new(".")), &name)?;
    }
    Ok(RunFolder::open(folder)?)
}

/// Says what the data are, now that they are open.
fn describe<S: Sense>(data: &Data<S>, report: &mut Report, observer: &mut dyn Observer) {
    [report.trained_on, report.evaluated_on] = data.names.clone();
    report.classes = data.classes;
    for note in data.notes.iter().map(|note| shortened(note)) {
        observer.note(&note);
        report.note(note);
    }
}
