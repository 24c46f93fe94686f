//! A run from its first image to its table, in a folder that survives a crash.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use burn::tensor::{Bytes, DType, Device, Shape, TensorData};
use clapp_eval::{Report, figure};
use clapp_rules::State;
use clapp_store::{Checkpoints, Dtype, MetricsLog, RunFolder, TensorFile};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Data, Error, RunConfig, StepMetrics, Trainer, data, evaluate};

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

/// A run and its folder.
///
/// ```text
/// <folder>/config.json                configuration
/// <folder>/metrics.jsonl              one line every few steps
/// <folder>/checkpoints/step-…/        weights, moments, progress; checksummed, written atomically
/// <folder>/table.{json,txt,svg}       read-outs of every layer, with their controls
/// ```
///
/// Stopping at any moment, even by kill, and resuming gives the same files as never stopping, byte for
/// byte on the CPU.
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
#[derive(Debug)]
pub struct Run {
    folder: RunFolder,
    config: RunConfig,
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

impl Run {
    /// Starts a new run in a new folder of `parent`.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together, its data are missing or damaged, or the folder cannot
    /// be written.
    pub fn create(parent: impl AsRef<Path>, config: RunConfig) -> Result<Self, Error> {
        config.validate()?;
        data::check(&config)?;
        let name = format!("{}-{}", config.preset, config.method);
        let folder = RunFolder::create(parent, &name)?;
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
        let config: RunConfig = serde_json::from_str(&text).map_err(|source| Error::Json {
            what: "configuration",
            path,
            source,
        })?;
        config.validate()?;
        Ok(Self { folder, config })
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &RunConfig {
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
        let mut report = progress.report.take().unwrap_or_else(|| self.empty_report());
        for index in progress.seed_index..self.config.seeds.len() {
            let seed = self.config.seeds[index];
            observer.stage(&format!("seed {seed}: opening {}", self.config.data.name()));
            let data = Data::open(&self.config.data, seed)?;
            let mut trainer = Trainer::new(&self.config, seed, &data, device)?;
            if let Some(state) = state.take() {
                trainer.stack_mut().load(&state)?;
                trainer.set_step(progress.seed_step);
            }
            let log = match &mut log {
                Some(log) => log,
                none => none.insert(MetricsLog::open(self.path().join(METRICS), newest_step)?),
            };
            let save = |trainer: &Trainer, report: &Report| {
                self.save(&checkpoints, &config_value, index, trainer, report)
            };
            if !self.train(&mut trainer, index, log, &save, &report, observer)? {
                let step = index as u64 * trainer.steps() + trainer.step();
                return Ok(Outcome::Stopped { step });
            }
            observer.stage(&format!("seed {seed}: reading out"));
            evaluate(&self.config, seed, &data, trainer.stack(), device, &mut report)?;
            self.write_tables(&report)?;
        }
        Ok(Outcome::Finished(Box::new(report)))
    }

    fn empty_report(&self) -> Report {
        let name = self.config.data.name();
        Report::new(name, name, CLASSES)
    }

    /// Trains one seed; `false` if the observer stopped it.
    fn train(
        &self,
        trainer: &mut Trainer,
        index: usize,
        log: &mut MetricsLog,
        save: &dyn Fn(&Trainer, &Report) -> Result<(), Error>,
        report: &Report,
        observer: &mut dyn Observer,
    ) -> Result<bool, Error> {
        let steps = trainer.steps();
        let before = index as u64 * steps;
        let total = steps * self.config.seeds.len() as u64;
        let mut go_on = true;
        let each = &mut |trainer: &Trainer, metrics: &StepMetrics| {
            let step = trainer.step();
            let metrics = StepMetrics { step: before + step, ..metrics.clone() };
            let last = step == steps;
            if last || step == 1 || step.is_multiple_of(self.config.metrics_every) {
                log.append(&metrics)?;
            }
            go_on = observer.step(total, &metrics);
            if last || !go_on || step.is_multiple_of(self.config.checkpoint_every) {
                log.sync()?;
                save(trainer, report)?;
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

    fn save(
        &self,
        checkpoints: &Checkpoints,
        config: &Value,
        index: usize,
        trainer: &Trainer,
        report: &Report,
    ) -> Result<(), Error> {
        let mut state = State::default();
        trainer.stack().save(&mut state);
        let step = index as u64 * trainer.steps() + trainer.step();
        check_finite(&state, step)?;
        let report = (index > 0).then(|| report.clone());
        let progress = Progress { seed_index: index, seed_step: trainer.step(), report };
        let progress = self.json(&progress, "progress")?;
        checkpoints.save(step, &from_state(state), &progress, config)?;
        let kept = NonZeroUsize::new(self.config.checkpoints_kept).unwrap_or(NonZeroUsize::MIN);
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

/// Classes of every image set so far.
const CLASSES: usize = 10;

/// The last change of a step can spoil weights behind a loss that was still finite: such a state is no
/// good checkpoint.
fn check_finite(state: &State, step: u64) -> Result<(), Error> {
    for (name, data) in &state.tensors {
        if let Some(value) = data.iter::<f64>().find(|value| !value.is_finite()) {
            return Err(Error::NotFiniteState { name: name.clone(), step, value });
        }
    }
    Ok(())
}

fn from_state(state: State) -> BTreeMap<String, TensorFile> {
    let convert = |data: TensorData| {
        let shape = data.shape().as_slice().to_vec();
        let dtype = match data.dtype() {
            DType::F64 => Dtype::F64,
            DType::I64 => Dtype::I64,
            DType::F32 => Dtype::F32,
            other => panic!("checkpoint: expected f32, f64 or i64 weights, got {other:?}"),
        };
        TensorFile::new(dtype, shape, data.as_bytes().to_vec())
    };
    state.tensors.into_iter().map(|(name, data)| (name, convert(data))).collect()
}

fn to_state(tensors: BTreeMap<String, TensorFile>) -> State {
    let convert = |tensor: TensorFile| {
        let dtype = match tensor.dtype() {
            Dtype::F64 => DType::F64,
            Dtype::I64 => DType::I64,
            Dtype::U8 => DType::U8,
            _ => DType::F32,
        };
        let shape = Shape::from(tensor.shape().to_vec());
        TensorData::from_bytes(Bytes::from_bytes_vec(tensor.into_bytes()), shape, dtype)
    };
    State { tensors: tensors.into_iter().map(|(name, tensor)| (name, convert(tensor))).collect() }
}
