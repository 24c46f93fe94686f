//! What can go wrong outside the program.
//!
//! One flat enum, longer than other files: a variant is a sentence and the values it needs.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::Dtype;

/// Everything that disks, other processes and damaged files can do wrong.
///
/// Every text reads `<what failed>: expected <X>, got <Y> in <where>; <what to do>`. Mistakes of
/// the calling program (bytes that do not fill a shape) panic instead.
///
/// # Example
///
/// ```
/// use clapp_store::Checkpoint;
///
/// let error = Checkpoint::load("/nowhere/checkpoints/step-000000001").unwrap_err();
/// assert!(error.to_string().starts_with("load checkpoint: expected file manifest.json, got "));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to open, read, write, rename or remove.
    #[error(
        "{action}: expected success, got \"{source}\" in {}; check that the place exists and is \
         accessible",
        .path.display()
    )]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// The disk or the quota is full ([`ErrorKind::StorageFull`], [`ErrorKind::QuotaExceeded`]).
    #[error(
        "{action}: expected room for at least {bytes} bytes, got \"{source}\" in {}; free some \
         space and repeat, {untouched} is untouched",
        .path.display()
    )]
    StorageFull {
        /// What was attempted.
        action: &'static str,
        /// How much was to be written, as far as known.
        bytes: u64,
        /// The file or folder that was to be written.
        path: PathBuf,
        /// What is still there, as it was.
        untouched: &'static str,
        /// The system's answer.
        source: io::Error,
    },

    /// A value cannot be written as JSON.
    #[error(
        "{action}: expected a value that JSON can express, got \"{source}\" in {}; use string keys",
        .path.display()
    )]
    Json {
        /// What was attempted.
        action: &'static str,
        /// The file that was to be written.
        path: PathBuf,
        /// The serializer's answer.
        source: serde_json::Error,
    },

    /// Another process (or another part of this one) writes into the run folder.
    #[error(
        "lock run: expected a folder that no other run writes to, got one held by {holder} in {}; \
         wait for it, stop it, or use another folder",
        .folder.display()
    )]
    Locked {
        /// The run folder.
        folder: PathBuf,
        /// The process that took the lock, as it wrote itself down.
        holder: String,
    },

    /// The run folder to open does not exist or is a file.
    #[error("open run: expected a folder, got none in {}; correct the path", .path.display())]
    MissingRun {
        /// The path given.
        path: PathBuf,
    },

    /// The name of a run or of a file in it is empty, hidden, or more than one path component.
    #[error(
        "name: expected one visible path component, got {name:?} in {}; choose a name without \
         separators or a leading dot",
        .parent.display()
    )]
    Name {
        /// The name given.
        name: String,
        /// Where it was to be.
        parent: PathBuf,
    },

    /// A checkpoint lacks one of its files.
    #[error(
        "load checkpoint: expected file {file}, got no such file in {}; restore the file or use \
         another checkpoint",
        .path.display()
    )]
    MissingFile {
        /// The file's name.
        file: String,
        /// The checkpoint's folder.
        path: PathBuf,
    },

    /// A file of a checkpoint is longer or shorter than when it was saved.
    #[error(
        "load checkpoint: expected {expected} bytes, got {got} in {}; restore the file or use \
         another checkpoint",
        .path.join(.file).display()
    )]
    FileSize {
        /// The file's name.
        file: String,
        /// The size that was saved, in bytes.
        expected: u64,
        /// The size found, in bytes.
        got: u64,
        /// The checkpoint's folder.
        path: PathBuf,
    },

    /// A file of a checkpoint has other bytes than when it was saved.
    #[error(
        "load checkpoint: expected sha-256 {expected}, got {got} in {}; restore the file or use \
         another checkpoint",
        .path.join(.file).display()
    )]
    Checksum {
        /// The file's name.
        file: String,
        /// The digest that was saved, 64 hexadecimal digits.
        expected: String,
        /// The digest found.
        got: String,
        /// The checkpoint's folder.
        path: PathBuf,
    },

    /// The bytes are as saved (or carry no digest at all), but are no checkpoint.
    #[error(
        "load checkpoint: expected {expected}, got {got} in {}; restore the file or use another \
         checkpoint",
        .path.join(.file).display()
    )]
    Malformed {
        /// The file's name.
        file: String,
        /// What the format asks for.
        expected: String,
        /// What is there.
        got: String,
        /// The checkpoint's folder.
        path: PathBuf,
    },

    /// The checkpoint was written by a later version of this program.
    #[error(
        "load checkpoint: expected format version {expected} or older, got {got} in {}; use a \
         newer version of this program",
        .path.display()
    )]
    FutureFormat {
        /// The newest version that this program reads.
        expected: u64,
        /// The version found.
        got: u64,
        /// The checkpoint's folder.
        path: PathBuf,
    },

    /// The newest checkpoint cannot be loaded. Nothing goes back silently: the user decides.
    #[error(
        "resume: expected an intact newest checkpoint, got damage in {} ({damage}); {}",
        .path.display(), way_back(.path, .older.as_deref())
    )]
    NewestDamaged {
        /// The newest checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        damage: Box<Error>,
        /// The newest checkpoint that is intact, if there is one.
        older: Option<PathBuf>,
    },

    /// A checkpoint of this step exists and holds something else.
    #[error(
        "save checkpoint: expected the {differs} that step {step} already has, got others in {}; \
         move that checkpoint away or use another run folder",
        .path.display()
    )]
    StepTaken {
        /// The step.
        step: u64,
        /// What differs: tensors, progress or config.
        differs: &'static str,
        /// The checkpoint that exists.
        path: PathBuf,
    },

    /// A checkpoint has no tensor of this name.
    #[error(
        "read tensor: expected {name:?}, got a checkpoint without it in {}; was the network \
         changed?",
        .path.display()
    )]
    MissingTensor {
        /// The tensor's name.
        name: String,
        /// The checkpoint's folder.
        path: PathBuf,
    },

    /// A tensor of a checkpoint has another type or shape than the one asked for.
    #[error(
        "read tensor {name:?}: expected {expected:?} {expected_shape:?}, got {got:?} {got_shape:?} \
         in {}; was the network changed?",
        .path.display()
    )]
    TensorKind {
        /// The tensor's name.
        name: String,
        /// The type asked for.
        expected: Dtype,
        /// The shape asked for.
        expected_shape: Vec<usize>,
        /// The type found.
        got: Dtype,
        /// The shape found.
        got_shape: Vec<usize>,
        /// The checkpoint's folder.
        path: PathBuf,
    },

    /// A complete line of a metrics file cannot be read.
    #[error(
        "metrics: expected {expected}, got \"{got}\" at line {line} in {}; correct or remove the \
         line",
        .path.display()
    )]
    MetricsLine {
        /// What a line has to be.
        expected: &'static str,
        /// What the parser says.
        got: String,
        /// The line, counted from 1.
        line: usize,
        /// The metrics file.
        path: PathBuf,
    },
}

impl Error {
    /// The system error of `action` on `path`.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// The system error of `action`, which was to write `bytes` bytes at `path`.
    pub(crate) fn write(
        action: &'static str,
        path: &Path,
        bytes: u64,
        untouched: &'static str,
        source: io::Error,
    ) -> Self {
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                Self::StorageFull { action, bytes, path: path.to_owned(), untouched, source }
            }
            _ => Self::io(action, path, source),
        }
    }
}

fn way_back(newest: &Path, older: Option<&Path>) -> String {
    let newest = newest.display();
    match older {
        Some(older) => format!(
            "{} is intact: to continue from it, move {newest} out of its folder and resume again",
            older.display()
        ),
        None => format!("no older one is intact: restore {newest} or start a new run"),
    }
}
