//! One writer per run folder.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process;

use crate::Error;

/// The file that is locked. It stays: removing it would let two runs lock two files of one name.
const LOCK_FILE: &str = ".lock";

/// The exclusive right to write into a run folder, until dropped.
///
/// An advisory lock of the operating system on `.lock`. The system releases it however the
/// process ends, so a killed run never blocks the next one, and a process id that is used again
/// means nothing. Readers do not need it.
///
/// # Example
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("clapp-store-lock-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use clapp_store::RunLock;
///
/// let first = RunLock::acquire(&folder)?;
/// let error = RunLock::acquire(&folder).unwrap_err().to_string();
/// assert!(error.contains(&*folder.to_string_lossy()), "{error}");
///
/// drop(first);
/// assert!(RunLock::acquire(&folder).is_ok());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RunLock {
    folder: PathBuf,
    /// Closed on drop, which releases the lock.
    _file: File,
}

impl RunLock {
    /// Locks a folder, without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] if the folder is locked, by this process or another; [`Error::Io`] if the
    /// lock file cannot be made or the file system has no locks.
    pub fn acquire(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let path = folder.join(LOCK_FILE);
        let opened =
            File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(|source| Error::io("lock run", &path, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked(folder, &mut file)),
            Err(TryLockError::Error(source)) => return Err(Error::io("lock run", &path, source)),
        }
        // For people and for the error's text only; the lock is the lock.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "process {}", process::id()));
        Ok(Self { folder: folder.to_owned(), _file: file })
    }

    /// The folder that is locked.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

fn locked(folder: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    let _ = file.read_to_string(&mut holder);
    let holder = match holder.trim() {
        "" => "an unknown process",
        known => known,
    };
    Error::Locked { folder: folder.to_owned(), holder: holder.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_locks_on_one_folder_conflict_and_the_error_names_folder_and_holder() {
        let folder = tempfile::tempdir().unwrap();
        let first = RunLock::acquire(folder.path()).unwrap();
        let text = RunLock::acquire(folder.path()).unwrap_err().to_string();
        assert!(text.contains(&folder.path().display().to_string()), "{text}");
        assert!(text.contains(&format!("held by process {}", process::id())), "{text}");
        assert_eq!(first.folder(), folder.path());
    }

    #[test]
    fn locks_on_two_folders_do_not_conflict() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let _first = RunLock::acquire(a.path()).unwrap();
        assert!(RunLock::acquire(b.path()).is_ok());
    }

    #[test]
    fn a_lock_file_left_behind_does_not_lock() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LOCK_FILE), "process 1\n").unwrap();
        assert!(RunLock::acquire(folder.path()).is_ok());
    }
}
