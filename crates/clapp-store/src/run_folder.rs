//! The folder of one run.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::{Error, RunLock, atomic, names, write_atomically};

/// A run's folder, locked against other writers while this value (or [`Checkpoints`] made of it)
/// lives.
///
/// [`Checkpoints`]: crate::Checkpoints
///
/// # Example
///
/// ```
/// use clapp_store::RunFolder;
/// # let root = std::env::temp_dir().join(format!("clapp-store-run-{}", std::process::id()));
/// let first = RunFolder::create(&root, "vgg6")?;
/// let second = RunFolder::create(&root, "vgg6")?;
/// assert!(first.path().ends_with("vgg6") && second.path().ends_with("vgg6-2"));
///
/// let path = first.write_json("config.json", &[1, 2])?;
/// assert_eq!(std::fs::read_to_string(path)?, "[\n  1,\n  2\n]\n");
/// first.write_text("notes.txt", "seed 2\n")?;
/// assert!(RunFolder::open(first.path()).is_err()); // still locked
/// # std::fs::remove_dir_all(&root)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RunFolder {
    lock: Arc<RunLock>,
}

impl RunFolder {
    /// Makes a fresh folder: `name`, or `name-2`, `name-3`, … if that exists. Never reuses one.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if the name is not one visible path component; [`Error::Io`] or
    /// [`Error::StorageFull`] if the folder cannot be made.
    pub fn create(parent: impl AsRef<Path>, name: &str) -> Result<Self, Error> {
        let parent = parent.as_ref();
        check_name(name, parent)?;
        let path = create_numbered(parent, name).map_err(|source| {
            Error::write("make folder", &parent.join(name), 0, "every other run", source)
        })?;
        Self::lock_and_clean(&path)
    }

    /// Opens an existing run to go on with it, and removes what a killed process left unfinished.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if there is no such folder, [`Error::Locked`] if another run writes to
    /// it, [`Error::Io`] if left-overs cannot be removed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        if !path.is_dir() {
            let advice = "correct the path";
            return Err(Error::invalid("open run", "a folder", "none", path, advice));
        }
        Self::lock_and_clean(path)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.lock.folder()
    }

    /// Writes a text file atomically and returns its path.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if `name` is not one visible path component, else those of
    /// [`write_atomically`].
    pub fn write_text(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        check_name(name, self.path())?;
        let path = self.path().join(name);
        write_atomically(&path, |file| file.write_all(text.as_bytes()))?;
        Ok(path)
    }

    /// Writes a value as indented JSON atomically and returns the file's path.
    ///
    /// # Errors
    ///
    /// [`Error::Json`] if JSON cannot express the value, else those of
    /// [`write_text`](Self::write_text).
    pub fn write_json<T: Serialize + ?Sized>(
        &self,
        name: &str,
        value: &T,
    ) -> Result<PathBuf, Error> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|source| Error::json("write file", &self.path().join(name), source))?;
        text.push('\n');
        self.write_text(name, &text)
    }

    pub(crate) fn lock(&self) -> Arc<RunLock> {
        Arc::clone(&self.lock)
    }

    /// With the lock in hand nobody else writes here, so everything unfinished is left over.
    fn lock_and_clean(path: &Path) -> Result<Self, Error> {
        let lock = RunLock::acquire(path)?;
        for name in names::in_folder(path)?.iter().filter(|name| atomic::is_temporary(name)) {
            let file = path.join(name);
            fs::remove_file(&file).map_err(|source| Error::io("clean up", &file, source))?;
        }
        let folder = path.join(names::FOLDER);
        for name in names::in_folder(&folder)?.iter().filter(|name| names::is_partial(name)) {
            let partial = folder.join(name);
            fs::remove_dir_all(&partial)
                .map_err(|source| Error::io("clean up", &partial, source))?;
        }
        Ok(Self { lock: Arc::new(lock) })
    }
}

fn create_numbered(parent: &Path, name: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(parent)?;
    let mut path = parent.join(name);
    for number in 2_u64.. {
        match fs::create_dir(&path) {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        path = parent.join(format!("{name}-{number}"));
    }
    atomic::sync_folder(parent)?;
    Ok(path)
}

/// Hidden names are ours: the lock, temporaries.
fn check_name(name: &str, parent: &Path) -> Result<(), Error> {
    let mut components = Path::new(name).components();
    let one = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
    if one && !name.starts_with('.') && !name.contains(['/', '\\', '\0']) {
        return Ok(());
    }
    let expected = "one visible path component";
    let advice = "choose a name without separators or a leading dot";
    Err(Error::invalid("name", expected, format!("{name:?}"), parent, advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_run_never_takes_an_existing_name_not_even_of_a_file() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a"), "").unwrap();
        fs::create_dir(root.path().join("a-2")).unwrap();
        let run = RunFolder::create(root.path(), "a").unwrap();
        assert_eq!(run.path(), root.path().join("a-3"));
    }

    #[test]
    fn names_that_leave_the_folder_or_hide_are_refused() {
        let root = tempfile::tempdir().unwrap();
        for name in ["", ".", "..", "../x", "/x", "x/y", "x/", "x\\y", ".lock", "x\0"] {
            let error = RunFolder::create(root.path(), name).unwrap_err().to_string();
            assert!(error.starts_with("name: expected one visible path component"), "{error}");
        }
        let run = RunFolder::create(root.path(), "x").unwrap();
        let error = run.write_text(".lock", "").unwrap_err().to_string();
        assert!(error.starts_with("name: expected one visible path component"), "{error}");
    }

    #[test]
    fn a_missing_run_is_not_made() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("absent");
        let error = RunFolder::open(&path).unwrap_err().to_string();
        let expected = "open run: expected a folder, got none in ";
        assert!(error.starts_with(expected), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn opening_removes_left_over_temporaries_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let run = RunFolder::create(root.path(), "a").unwrap();
        let path = run.path().to_owned();
        let keep = run.write_text("notes.tmp", "mine").unwrap();
        drop(run);
        fs::write(path.join(".notes.txt.1-0.tmp"), "half").unwrap();
        let _run = RunFolder::open(&path).unwrap();
        assert!(!path.join(".notes.txt.1-0.tmp").exists());
        assert!(keep.exists());
    }
}
