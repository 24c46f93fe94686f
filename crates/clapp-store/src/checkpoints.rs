//! The checkpoints of a run: save, find, prune.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::atomic::{self, RemoveOnDrop};
use crate::checkpoint::STATE;
use crate::manifest::{FORMAT_VERSION, FileRecord, MANIFEST, Manifest, TensorRecord};
use crate::{Checkpoint, Error, RunFolder, RunLock, TensorFile, names};

const PROGRAM: &str = concat!("clapp ", env!("CARGO_PKG_VERSION"));
const SAVE: &str = "save checkpoint";
const EARLIER: &str = "every earlier checkpoint";

/// The checkpoints of a run that this process writes.
///
/// A checkpoint is a folder `checkpoints/step-000000123`. It exists complete or not at all:
///
/// ```text
/// .step-000000123-<pid>-<n>.partial/{state.safetensors, manifest.json}
///     → fsync both files, fsync folder → rename to step-000000123 → fsync checkpoints
/// ```
///
/// # Example
///
/// ```
/// use clapp_store::{Checkpoints, RunFolder, TensorFile};
/// use serde_json::json;
/// # let root = std::env::temp_dir().join(format!("clapp-store-save-{}", std::process::id()));
///
/// let run = RunFolder::create(&root, "vgg6")?;
/// let checkpoints = Checkpoints::open(&run)?;
/// assert_eq!(checkpoints.load_newest()?, None);
///
/// let config = json!({"seed": 2});
/// for step in [100, 200, 300] {
///     let weight = TensorFile::from_values([1], &[step as f64]);
///     let tensors = [("layer1.weight".to_owned(), weight)].into();
///     checkpoints.save(step, &tensors, &json!({"epoch": 0}), &config)?;
///     checkpoints.prune(2.try_into()?, &[])?;
/// }
/// let newest = checkpoints.load_newest()?.expect("three were saved");
/// assert_eq!(newest.values::<f64>("layer1.weight", &[1])?, [300.0]);
/// assert_eq!(checkpoints.newest()?, Some(newest.path));
/// assert!(!run.path().join("checkpoints/step-000000100").exists());
/// # std::fs::remove_dir_all(&root)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    /// Held as long as anyone can save.
    lock: Arc<RunLock>,
}

impl Checkpoints {
    /// The checkpoints of a run folder, which stays locked while they are in use.
    ///
    /// What killed processes left unfinished was removed when the run folder was opened.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::StorageFull`] if the folder cannot be made.
    pub fn open(run: &RunFolder) -> Result<Self, Error> {
        let folder = run.path().join(names::FOLDER);
        fs::create_dir_all(&folder)
            .and_then(|()| atomic::sync_folder(run.path()))
            .map_err(|source| Error::write("make folder", &folder, 0, "the run", source))?;
        Ok(Self { folder, lock: run.lock() })
    }

    /// Saves the state after `step` and returns the checkpoint's folder.
    ///
    /// Saving a step again with equal content does nothing, which is what a resumed run does when
    /// it repeats the steps that were lost.
    ///
    /// # Errors
    ///
    /// [`Error::StorageFull`] or [`Error::Io`] if it cannot be written: nothing of it remains and
    /// earlier checkpoints are untouched. [`Error::Invalid`] if the step has a checkpoint with
    /// other content, or the errors of [`Checkpoint::load`] if that one is damaged.
    ///
    /// # Panics
    ///
    /// A tensor is called `__metadata__`, which the safetensors format reserves.
    ///
    /// # Cost
    ///
    /// Holds one copy of all tensors' bytes; four fsyncs.
    pub fn save(
        &self,
        step: u64,
        tensors: &BTreeMap<String, TensorFile>,
        progress: &Value,
        config: &Value,
    ) -> Result<PathBuf, Error> {
        assert!(!tensors.contains_key("__metadata__"), "tensor: expected a name, got __metadata__");
        let path = self.folder.join(names::name_of(step));
        if path.is_dir() {
            return self.confirm(&path, tensors, progress, config).map(|()| path);
        }
        let [state, manifest] = Self::files(step, &path, tensors, progress, config)?;
        let bytes = (state.len() + manifest.len()) as u64;
        self.write(step, [(STATE, &state), (MANIFEST, &manifest)])
            .and_then(|partial| {
                fs::rename(partial.path(), &path)?;
                partial.keep();
                atomic::sync_folder(&self.folder)
            })
            .map_err(|source| Error::write(SAVE, &path, bytes, EARLIER, source))?;
        Ok(path)
    }

    /// Writes what [`save`](Self::save) would and removes it: what hinders a checkpoint is found before hours of work wait for it.
    ///
    /// # Errors
    ///
    /// [`Error::StorageFull`] or [`Error::Io`] if it cannot be written.
    pub fn rehearse(
        &self,
        step: u64,
        tensors: &BTreeMap<String, TensorFile>,
        progress: &Value,
        config: &Value,
    ) -> Result<(), Error> {
        let path = self.folder.join(names::name_of(step));
        let [state, manifest] = Self::files(step, &path, tensors, progress, config)?;
        let bytes = (state.len() + manifest.len()) as u64;
        let written = self.write(step, [(STATE, &state), (MANIFEST, &manifest)]);
        written.map(drop).map_err(|source| Error::write(SAVE, &path, bytes, EARLIER, source))
    }

    /// State and manifest of a checkpoint.
    fn files(
        step: u64,
        path: &Path,
        tensors: &BTreeMap<String, TensorFile>,
        progress: &Value,
        config: &Value,
    ) -> Result<[Vec<u8>; 2], Error> {
        let state = safetensors::serialize(tensors, None)
            .map_err(|error| Error::io(SAVE, path, io::Error::other(error.to_string())))?;
        let manifest = Manifest {
            format_version: FORMAT_VERSION,
            step,
            program: PROGRAM.to_owned(),
            files: [(STATE.to_owned(), FileRecord::of(&state))].into(),
            tensors: TensorRecord::of_all(tensors),
            progress: progress.clone(),
            config: config.clone(),
        };
        let manifest = manifest.to_text().map_err(|source| Error::json(SAVE, path, source))?;
        Ok([state, manifest.into_bytes()])
    }

    /// The folder of the newest checkpoint by step, `None` if there is none. Not verified.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the folder cannot be read.
    pub fn newest(&self) -> Result<Option<PathBuf>, Error> {
        Ok(names::list(&self.folder)?.pop().map(|(_, path)| path))
    }

    /// Loads the newest checkpoint, `None` if there is none: [`Checkpoint::load_newest`].
    ///
    /// # Errors
    ///
    /// [`Error::NewestDamaged`] if it is damaged. An older one is named, never used silently.
    pub fn load_newest(&self) -> Result<Option<Checkpoint>, Error> {
        Checkpoint::load_newest(self.lock.folder())
    }

    /// Removes all checkpoints but the newest `keep` and those of the steps `also_keep`; returns
    /// what was removed, oldest first.
    ///
    /// The newest is loaded and verified first. Each removal begins with a rename, so that a crash
    /// never leaves half a checkpoint under a name that counts.
    ///
    /// # Errors
    ///
    /// The errors of [`Checkpoint::load`] if the newest is damaged: nothing is removed then.
    /// [`Error::Io`] if the system refuses to remove.
    pub fn prune(&self, keep: NonZeroUsize, also_keep: &[u64]) -> Result<Vec<PathBuf>, Error> {
        let mut all = names::list(&self.folder)?;
        let newest = all.split_off(all.len().saturating_sub(keep.get()));
        all.retain(|(step, _)| !also_keep.contains(step));
        if let (Some((_, newest)), false) = (newest.last(), all.is_empty()) {
            Checkpoint::load(newest)?;
        }
        for (step, path) in &all {
            self.remove(*step, path)
                .map_err(|source| Error::io("remove checkpoint", path, source))?;
        }
        Ok(all.into_iter().map(|(_, path)| path).collect())
    }

    fn confirm(
        &self,
        path: &Path,
        tensors: &BTreeMap<String, TensorFile>,
        progress: &Value,
        config: &Value,
    ) -> Result<(), Error> {
        let old = Checkpoint::load(path)?;
        let same = [
            ("tensors", &old.tensors == tensors),
            ("progress", &old.progress == progress),
            ("config", &old.config == config),
        ];
        if let Some((differs, _)) = same.into_iter().find(|(_, same)| !same) {
            let expected = format!("the {differs} that step {} already has", old.step);
            let advice = "move that checkpoint away or use another run folder";
            return Err(Error::invalid("save checkpoint", expected, "others", path, advice));
        }
        // The process that renamed it may have been killed before this.
        atomic::sync_folder(&self.folder)
            .map_err(|source| Error::io("save checkpoint", path, source))
    }

    /// A complete checkpoint under a name that does not count, removed unless it is kept.
    fn write(&self, step: u64, files: [(&str, &[u8]); 2]) -> io::Result<RemoveOnDrop> {
        let partial = self.partial(step);
        fs::create_dir(&partial)?;
        let partial = RemoveOnDrop::new(partial);
        for (name, bytes) in files {
            let file = File::create_new(partial.path().join(name))?;
            atomic::write_and_sync(file, &mut 0, |file| file.write_all(bytes))?;
        }
        atomic::sync_folder(partial.path())?;
        Ok(partial)
    }

    fn remove(&self, step: u64, path: &Path) -> io::Result<()> {
        let partial = self.partial(step);
        fs::rename(path, &partial)?;
        atomic::sync_folder(&self.folder)?;
        fs::remove_dir_all(&partial)
    }

    fn partial(&self, step: u64) -> PathBuf {
        self.folder.join(names::partial_of(step))
    }
}
