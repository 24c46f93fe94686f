//! What a checkpoint holds: the tensors of a network's state, and how far the run is.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use burn::tensor::{Bytes, DType, Shape, TensorData};
use clapp_eval::Report;
use clapp_rules::State;
use clapp_store::{Checkpoint, Checkpoints, Dtype, TensorFile};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Run;
use crate::{Error, RunConfig, Sense, Trainer};

/// Step, tensors, and progress with configuration.
pub(super) type Saved = (u64, BTreeMap<String, TensorFile>, [Value; 2]);

/// What a checkpoint remembers beside weights.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Which of the seeds is being trained.
    pub(crate) seed_index: usize,
    /// Steps taken with it.
    pub(crate) seed_step: u64,
    /// Table of the seeds that are finished.
    pub(super) report: Option<Report>,
    /// Digests of the data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) data: Vec<String>,
}

impl<S: Sense> Run<S> {
    pub(super) fn save(
        &self,
        checkpoints: &Checkpoints,
        index: usize,
        trainer: &Trainer<S>,
        report: &Report,
    ) -> Result<(), Error> {
        let (step, tensors, [progress, config]) = self.state(index, trainer, report)?;
        checkpoints.save(step, &tensors, &progress, &config)?;
        let kept = NonZeroUsize::new(self.config.checkpoints_kept).unwrap_or(NonZeroUsize::MIN);
        // The network that a seed ended with is what others want of it.
        let ends: Vec<u64> = (1..=index as u64).map(|seed| seed * trainer.steps()).collect();
        checkpoints.prune(kept, &ends)?;
        Ok(())
    }

    /// What a checkpoint holds: the step of the run, tensors, progress and configuration.
    pub(super) fn state(
        &self,
        index: usize,
        trainer: &Trainer<S>,
        report: &Report,
    ) -> Result<Saved, Error> {
        let mut state = State::default();
        trainer.save(&mut state);
        let step = index as u64 * trainer.steps() + trainer.step();
        check_finite(&state, step)?;
        let report = (index > 0).then(|| report.clone());
        let (seed_step, data) = (trainer.step(), self.data.clone());
        let position = Position { seed_index: index, seed_step, report, data };
        let progress = self.json(&position, "progress")?;
        let config = self.json(&self.config, "configuration")?;
        Ok((step, from_state(state), [progress, config]))
    }

    pub(super) fn json<T: Serialize>(&self, value: &T, what: &'static str) -> Result<Value, Error> {
        let path: PathBuf = self.path().to_owned();
        serde_json::to_value(value).map_err(|source| Error::Json { what, path, source })
    }
}

/// Where a checkpoint was taken.
pub(super) fn position<S: Sense>(
    folder: &Path,
    config: &RunConfig<S>,
    checkpoint: &Checkpoint,
) -> Result<Position, Error> {
    let Checkpoint { config: saved, progress, path, .. } = checkpoint;
    // Compared as this version reads them: a setting that a later version added has its default.
    match serde_json::from_value::<RunConfig<S>>(saved.clone()) {
        Ok(saved) if saved == *config => {}
        _ => return Err(Error::Resume { folder: folder.to_owned() }),
    }
    serde_json::from_value(progress.clone()).map_err(|source| Error::Json {
        what: "progress",
        path: path.clone(),
        source,
    })
}

/// The newest checkpoint of a run, or of one of its seeds, and where it was taken. Needs no lock.
pub(crate) fn newest<S: Sense>(
    folder: &Path,
    config: &RunConfig<S>,
    seed: Option<u64>,
) -> Result<(Checkpoint, Position), Error> {
    let checkpoint = match seed {
        None => Checkpoint::load_newest(folder)?,
        Some(seed) => {
            // The last step of a seed is its own, and step 0 is before the first one.
            let of_seed = |step: u64| {
                let index = step.saturating_sub(1) / config.steps();
                config.seeds.get(index as usize) == Some(&seed)
            };
            let all = Checkpoint::list(folder)?.into_iter().rev();
            let own = all.into_iter().find(|(step, _)| of_seed(*step));
            own.map(|(_, path)| Checkpoint::load(path)).transpose()?
        }
    };
    let checkpoint = checkpoint.ok_or_else(|| {
        let of = seed.map_or(String::new(), |seed| format!(" of seed {seed}"));
        let got = format!("none in {}", folder.display());
        Error::misfit_of("checkpoint", format!("at least one{of}"), got, "train it first")
    })?;
    let position = position(folder, config, &checkpoint)?;
    Ok((checkpoint, position))
}

/// The last change of a step can spoil weights after a loss that was still finite: such a state is no
/// good checkpoint.
pub(crate) fn check_finite(state: &State, step: u64) -> Result<(), Error> {
    for (name, data) in &state.tensors {
        if let Some(value) = data.iter::<f64>().find(|value| !value.is_finite()) {
            return Err(Error::NotFiniteState { name: name.clone(), step, value });
        }
    }
    Ok(())
}

pub(crate) fn from_state(state: State) -> BTreeMap<String, TensorFile> {
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

pub(crate) fn to_state(tensors: BTreeMap<String, TensorFile>) -> State {
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
