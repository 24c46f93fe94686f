//! One checkpoint: read it, and be sure of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::Value;

use crate::manifest::{self, FileRecord, MANIFEST, Manifest, TensorRecord};
use crate::{Dtype, Element, Error, TensorFile, names};

/// The file of all tensors.
pub(crate) const STATE: &str = "state.safetensors";

/// Everything that a checkpoint holds, verified.
///
/// Reading needs no lock: a run may be looked at while it trains.
///
/// # Example
///
/// ```
/// use clapp_store::{Checkpoint, Checkpoints, RunFolder, TensorFile};
/// # let root = std::env::temp_dir().join(format!("clapp-store-load-{}", std::process::id()));
/// let run = RunFolder::create(&root, "vgg6")?;
/// let tensors = [("w_pred".to_owned(), TensorFile::from_values([2], &[1.0_f32, -1.0]))];
/// let path = Checkpoints::open(&run)?.save(7, &tensors.into(), &1.into(), &2.into())?;
///
/// let checkpoint = Checkpoint::load(&path)?;
/// assert_eq!((checkpoint.step, checkpoint.progress.as_u64()), (7, Some(1)));
/// assert_eq!(checkpoint.values::<f32>("w_pred", &[2])?, [1.0, -1.0]);
///
/// assert_eq!(Checkpoint::list(run.path())?, [(7, path)]);
/// assert_eq!(Checkpoint::load_newest(run.path())?, Some(checkpoint));
/// # std::fs::remove_dir_all(&root)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The training step after which it was saved.
    pub step: u64,
    /// The tensors by name.
    pub tensors: BTreeMap<String, TensorFile>,
    /// Where the run was: epoch, batch, whatever the program needs to go on.
    pub progress: Value,
    /// What the run was started with.
    pub config: Value,
    /// Name and version of the program that saved it.
    pub program: String,
    /// SHA-256 of the manifest, which vouches for every other byte.
    pub digest: String,
    /// The folder it was loaded from.
    pub path: PathBuf,
}

impl Checkpoint {
    /// Loads a checkpoint and verifies size and SHA-256 of every file.
    ///
    /// A folder that was renamed to something other than `step-…` is loaded like any other.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`], which names the file; [`Error::FutureFormat`] if it is from a newer program;
    /// [`Error::Io`] if the system refuses to read it.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = read(path, MANIFEST)?;
        let (manifest, digest) = (Manifest::parse(&bytes, path)?, manifest::sha256(&bytes));
        check_step(&manifest, path)?;
        let Some(record) = manifest.files.get(STATE) else {
            let got = format!("{:?}", manifest.files.keys());
            return Err(Error::damaged(&path.join(MANIFEST), format!("a record of {STATE}"), got));
        };
        let tensors = decode(&read_recorded(path, STATE, record)?, path)?;
        let found = TensorRecord::of_all(&tensors);
        if found != manifest.tensors {
            let (expected, got) = (format!("the tensors {found:?}"), &manifest.tensors);
            return Err(Error::damaged(&path.join(MANIFEST), expected, format!("{got:?}")));
        }
        let Manifest { step, program, progress, config, .. } = manifest;
        Ok(Self { step, tensors, progress, config, program, digest, path: path.to_owned() })
    }

    /// Loads the newest checkpoint of a run, `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::NewestDamaged`] if it cannot be loaded; the text names the newest intact one and
    /// how to continue from it. [`Error::FutureFormat`] and [`Error::Io`] as for
    /// [`load`](Self::load).
    pub fn load_newest(run_folder: impl AsRef<Path>) -> Result<Option<Self>, Error> {
        let mut paths = Self::list(run_folder)?.into_iter().rev().map(|(_, path)| path);
        let Some(path) = paths.next() else { return Ok(None) };
        match Self::load(&path) {
            Ok(checkpoint) => Ok(Some(checkpoint)),
            Err(error @ Error::FutureFormat { .. }) => Err(error),
            Err(damage) => {
                let older = paths.find(|path| Self::load(path).is_ok());
                Err(Error::NewestDamaged { path, damage: Box::new(damage), older })
            }
        }
    }

    /// The steps and folders of a run's checkpoints, oldest first, not verified.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the folder cannot be read. A run without checkpoints gives an empty list.
    pub fn list(run_folder: impl AsRef<Path>) -> Result<Vec<(u64, PathBuf)>, Error> {
        names::list(&run_folder.as_ref().join(names::FOLDER))
    }

    /// The numbers of one tensor.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if there is no tensor of this name, or if its type or shape is another.
    pub fn values<E: Element>(&self, name: &str, shape: &[usize]) -> Result<Vec<E>, Error> {
        let refuse = |what, expected, got| {
            Err(Error::invalid(what, expected, got, &self.path, "was the network changed?"))
        };
        let Some(tensor) = self.tensors.get(name) else {
            let (what, got) = ("read tensor".to_owned(), "a checkpoint without it".to_owned());
            return refuse(what, format!("{name:?}"), got);
        };
        match tensor.values() {
            Some(values) if tensor.shape() == shape => Ok(values),
            _ => refuse(
                format!("read tensor {name:?}"),
                format!("{:?} {shape:?}", E::DTYPE),
                format!("{:?} {:?}", tensor.dtype(), tensor.shape()),
            ),
        }
    }
}

fn check_step(manifest: &Manifest, path: &Path) -> Result<(), Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    match name.and_then(names::step_of) {
        Some(step) if step != manifest.step => {
            let expected = format!("step {step} as the folder's name says");
            let got = format!("step {}", manifest.step);
            Err(Error::damaged(&path.join(MANIFEST), expected, got))
        }
        _ => Ok(()),
    }
}

fn read(folder: &Path, file: &str) -> Result<Vec<u8>, Error> {
    fs::read(folder.join(file)).map_err(|source| unreadable(folder, file, source))
}

fn unreadable(folder: &Path, file: &str, source: std::io::Error) -> Error {
    match source.kind() {
        ErrorKind::NotFound => {
            Error::damaged(folder, format!("file {file}"), "no such file".to_owned())
        }
        _ => Error::io("load checkpoint", &folder.join(file), source),
    }
}

/// Compares the size before it reads, so that a file grown huge does not fill the memory.
fn read_recorded(folder: &Path, file: &str, record: &FileRecord) -> Result<Vec<u8>, Error> {
    let path = folder.join(file);
    let metadata = fs::metadata(&path).map_err(|source| unreadable(folder, file, source))?;
    let got = metadata.len();
    if got != record.bytes {
        return Err(Error::damaged(&path, format!("{} bytes", record.bytes), got.to_string()));
    }
    let bytes = read(folder, file)?;
    manifest::check_digest(&bytes, &record.sha256, &path)?;
    Ok(bytes)
}

fn decode(bytes: &[u8], folder: &Path) -> Result<BTreeMap<String, TensorFile>, Error> {
    let malformed = |expected, got| Error::damaged(&folder.join(STATE), expected, got);
    let state = SafeTensors::deserialize(bytes)
        .map_err(|error| malformed("the safetensors format", error.to_string()))?;
    let tensor = |(name, view): (&str, safetensors::tensor::TensorView<'_>)| {
        let Some(dtype) = Dtype::from_safetensors(view.dtype()) else {
            let got = format!("{:?} in tensor {name:?}", view.dtype());
            return Err(malformed("F32, F64, I64 or U8", got));
        };
        Ok((name.to_owned(), TensorFile::new(dtype, view.shape(), view.data().to_vec())))
    };
    state.iter().map(tensor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoints, RunFolder};

    /// A run with two checkpoints, the newer rewritten by `edit` under a valid seal.
    fn resealed(root: &Path, edit: impl Fn(&mut Manifest)) -> PathBuf {
        let run = RunFolder::create(root, "run").unwrap();
        let checkpoints = Checkpoints::open(&run).unwrap();
        let tensors = [("w".to_owned(), TensorFile::from_values([1], &[1_u8]))].into();
        for step in [1, 2] {
            checkpoints.save(step, &tensors, &Value::Null, &Value::Null).unwrap();
        }
        let path = checkpoints.newest().unwrap().unwrap();
        let mut manifest = Manifest::parse(&read(&path, MANIFEST).unwrap(), &path).unwrap();
        edit(&mut manifest);
        fs::write(path.join(MANIFEST), manifest.to_text().unwrap()).unwrap();
        run.path().to_owned()
    }

    #[test]
    fn a_newest_checkpoint_from_the_future_is_refused_but_not_called_damaged() {
        let root = tempfile::tempdir().unwrap();
        let run = resealed(root.path(), |manifest| manifest.format_version += 1);
        let error = Checkpoint::load_newest(run).unwrap_err();
        assert!(matches!(error, Error::FutureFormat { expected: 1, got: 2, .. }), "{error}");
    }

    #[test]
    fn a_checkpoint_under_the_name_of_another_step_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let run = resealed(root.path(), |manifest| manifest.step = 3);
        let error = Checkpoint::load_newest(run).unwrap_err().to_string();
        assert!(error.contains("expected step 2 as the folder's name says, got step 3"), "{error}");
    }

    #[test]
    fn a_manifest_that_lists_no_state_or_other_tensors_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let run = resealed(root.path(), |manifest| manifest.files.clear());
        let error = Checkpoint::load_newest(run).unwrap_err().to_string();
        assert!(error.contains("expected a record of state.safetensors, got []"), "{error}");
        let run = resealed(root.path(), |manifest| manifest.tensors.clear());
        let error = Checkpoint::load_newest(run).unwrap_err().to_string();
        assert!(error.contains("expected the tensors {\"w\""), "{error}");
    }

    #[test]
    fn a_tensor_of_a_type_that_is_not_ours_is_refused_with_its_name() {
        let header = br#"{"w":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}"#;
        let bytes = [&(header.len() as u64).to_le_bytes()[..], &header[..], &[0, 0][..]].concat();
        let error = decode(&bytes, Path::new("x")).unwrap_err().to_string();
        assert!(
            error.contains("expected F32, F64, I64 or U8, got BF16 in tensor \"w\""),
            "{error}"
        );
    }
}
