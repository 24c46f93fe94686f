//! Folders that are either the old ones or the new ones, never half of each.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::atomic::{self, RemoveOnDrop};
use crate::{Error, names};

/// Fills a new folder beside its place and renames it when it is complete.
///
/// ```text
/// create .name.<pid>-<n>.partial → write → fsync every file → rename to name → fsync parent
/// ```
///
/// A folder at `path` is replaced as a whole, and only if it holds nothing but files that `replaceable`
/// accepts by name; an empty one always is. Parents are made. Between the two renames of a replacement there is a moment without
/// a folder at `path`: who kills the program then finds the old one beside, as `.name.….partial`.
///
/// # Errors
///
/// [`Error::Invalid`] if anything else is there, before `write` is called; [`Error::Io`] or
/// [`Error::StorageFull`] if the system refuses; and what `write` returns. Then nothing of it remains, and
/// what was there is as it was.
///
/// # Example
///
/// ```
/// use clapp_store::{Error, write_folder};
/// # let root = std::env::temp_dir().join(format!("clapp-store-folder-{}", std::process::id()));
/// let write = |folder: &std::path::Path| {
///     clapp_store::write_atomically(folder.join("a.txt"), |file| file.write_all(b"1"))
/// };
/// write_folder(root.join("out"), &|_| false, write)?;
/// let error = write_folder(root.join("out"), &|_| false, write).unwrap_err();
/// assert!(error.to_string().contains("expected nothing or an empty folder, got a.txt in "));
/// write_folder(root.join("out"), &|name| name == "a.txt", write)?;
/// # std::fs::remove_dir_all(&root)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_folder<T, E: From<Error>>(
    path: impl AsRef<Path>,
    replaceable: &dyn Fn(&str) -> bool,
    write: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    let path = path.as_ref();
    let failed = |source| Error::write("write folder", path, 0, "what was there before", source);
    check(path, replaceable)?;
    let parent = atomic::parent(path);
    fs::create_dir_all(parent).map_err(failed)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = || RemoveOnDrop::new(parent.join(format!(".{name}.{}.partial", atomic::unique())));
    let fresh = beside();
    fs::create_dir(fresh.path()).map_err(failed)?;
    let result = write(fresh.path())?;
    sync(fresh.path()).map_err(failed)?;
    // Removed when it goes out of scope, behind the new one.
    let old = beside();
    swap(fresh.path(), path, old.path()).map_err(failed)?;
    fresh.keep();
    atomic::sync_folder(parent).map_err(failed)?;
    Ok(result)
}

/// Puts `fresh` in the place of `path`, and what was there, if anything was, at `old`; or leaves all as it is.
fn swap(fresh: &Path, path: &Path, old: &Path) -> io::Result<()> {
    let replaces = path.is_dir();
    if replaces {
        fs::rename(path, old)?;
    }
    fs::rename(fresh, path).inspect_err(|_| {
        if replaces {
            let _ = fs::rename(old, path); // the first error is the one to tell
        }
    })
}

fn check(path: &Path, replaceable: &dyn Fn(&str) -> bool) -> Result<(), Error> {
    let refuse = |got: &str| {
        let advice =
            "choose another folder, or say that it may be replaced if its files are of this kind";
        Err(Error::invalid("write folder", "nothing or an empty folder", got, path, advice))
    };
    if path.file_name().is_none() || (path.exists() && !path.is_dir()) {
        return refuse("no folder's name");
    }
    match names::in_folder(path)?.into_iter().find(|name| !replaceable(name)) {
        None => Ok(()),
        Some(name) => refuse(&name),
    }
}

/// Waits until every file of a folder is on the disk.
fn sync(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { sync(&path)? } else { File::open(&path)?.sync_all()? }
    }
    atomic::sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_comes_back_if_the_new_one_cannot_take_its_place() {
        let root = std::env::temp_dir().join(format!("clapp-store-swap-{}", atomic::unique()));
        let [fresh, path, old] = ["fresh", "out", "old"].map(|name| root.join(name));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("a.txt"), "1").unwrap();
        swap(&fresh, &path, &old).unwrap_err();
        assert_eq!(fs::read_to_string(path.join("a.txt")).unwrap(), "1");
        assert!(!old.exists());
        fs::create_dir(&fresh).unwrap();
        swap(&fresh, &path, &old).unwrap();
        assert!(old.join("a.txt").exists() && !path.join("a.txt").exists() && !fresh.exists());
        fs::remove_dir_all(&root).unwrap();
    }
}
