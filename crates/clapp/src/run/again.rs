//! A run without learning: read out again, or begun with weights from elsewhere.

use std::path::Path;

use burn::tensor::Device;
use clapp_eval::Report;
use clapp_rules::State;
use clapp_store::{Checkpoints, RunFolder, write_folder};

use super::{
    CONFIG, Run, Silent, describe,
    saved::{Position, check_finite, from_state, newest, to_state},
};
use crate::{Error, RunConfig, Sense};

impl<S: Sense> Run<S> {
    /// Reads out the newest checkpoint of a run: nothing is learnt, and nothing of the run changes, which may go
    /// on meanwhile. `change` may ask for other read-outs than the run's own.
    ///
    /// # Errors
    ///
    /// If there is no checkpoint, `change` fails or asks for what the sense does not have, or data or device
    /// fail.
    pub fn read_again(
        folder: impl AsRef<Path>,
        device: &Device,
        change: impl FnOnce(RunConfig<S>) -> Result<RunConfig<S>, Error>,
    ) -> Result<Report, Error> {
        let config = RunConfig::<S>::load(&folder)?;
        let (checkpoint, position) = newest(folder.as_ref(), &config, None)?;
        let seed = config.seeds.get(position.seed_index).copied().unwrap_or_default();
        let config = change(config)?;
        let mut trainer = config.open(seed, device)?;
        trainer.restore(&to_state(checkpoint.tensors), position.seed_step)?;
        let mut report = config.report();
        describe(trainer.data(), &mut report, &mut Silent);
        trainer.read_out(&mut report)?;
        Ok(report)
    }

    /// Makes the folder of a run whose first seed begins with this state, as a checkpoint of step 0:
    /// [`resume`](Self::resume) goes on from there. The data need not be at hand.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together, a value is not finite, or something is in the folder
    /// already.
    pub fn begin_with(
        folder: impl AsRef<Path>,
        config: &RunConfig<S>,
        state: State,
    ) -> Result<(), Error> {
        config.validate()?;
        check_finite(&state, 0)?;
        write_folder(folder, &|_| false, |place| {
            let folder = RunFolder::open(place)?;
            let run = Self { folder, config: config.clone(), data: Vec::new() };
            run.folder.write_json(CONFIG, config)?;
            let progress = run.json(&Position::default(), "progress")?;
            let config = run.json(config, "configuration")?;
            Checkpoints::open(&run.folder)?.save(0, &from_state(state), &progress, &config)?;
            Ok(())
        })
    }
}
