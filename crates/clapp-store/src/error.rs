//! What can go wrong outside the program.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

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

    /// A file of a checkpoint is missing, has another size or other bytes than when it was saved, or is
    /// no such file at all.
    #[error(
        "load checkpoint: expected {expected}, got {got} in {}; restore the file or use another \
         checkpoint",
        .path.display()
    )]
    Damaged {
        /// What was saved, or what the format asks for.
        expected: String,
        /// What is there.
        got: String,
        /// The file; the checkpoint's folder if there is no such file.
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

    /// A name, a folder, a tensor, a step or a line of metrics is not as it has to be: the text in its
    /// parts.
    #[error("{what}: expected {expected}, got {got} in {}; {advice}", .path.display())]
    Invalid {
        /// What was checked.
        what: String,
        /// How it has to be.
        expected: String,
        /// What was found.
        got: String,
        /// The file or folder.
        path: PathBuf,
        /// What to do, or to ask.
        advice: &'static str,
    },
}

impl Error {
    /// The system error of `action` on `path`.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// The error of a value that `action` cannot write as JSON at `path`.
    pub(crate) fn json(action: &'static str, path: &Path, source: serde_json::Error) -> Self {
        Self::Json { action, path: path.to_owned(), source }
    }

    /// The error of a file at `path` that is not `expected`.
    pub(crate) fn damaged(path: &Path, expected: impl Into<String>, got: String) -> Self {
        Self::Damaged { expected: expected.into(), got, path: path.to_owned() }
    }

    /// The error of something at `path` that is not `expected`.
    pub(crate) fn invalid(
        what: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
        path: &Path,
        advice: &'static str,
    ) -> Self {
        let (what, expected, got) = (what.into(), expected.into(), got.into());
        Self::Invalid { what, expected, got, path: path.to_owned(), advice }
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
