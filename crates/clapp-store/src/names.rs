//! How checkpoints are called, and which there are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, atomic};

/// The folder of all checkpoints, within the run's.
pub(crate) const FOLDER: &str = "checkpoints";
/// How the names of unfinished and half-removed checkpoints end.
const PARTIAL: &str = ".partial";

/// The name of a checkpoint's folder.
pub(crate) fn name_of(step: u64) -> String {
    format!("step-{step:09}")
}

/// A fresh name for a checkpoint that is being written or removed.
pub(crate) fn partial_of(step: u64) -> String {
    format!(".{}-{}{PARTIAL}", name_of(step), atomic::unique())
}

/// The step of a checkpoint's folder name; `None` for every other name.
pub(crate) fn step_of(name: &str) -> Option<u64> {
    let step = name.strip_prefix("step-")?.parse().ok()?;
    (name_of(step) == name).then_some(step)
}

/// The names in a folder, none if it does not exist.
pub(crate) fn in_folder(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::io("list folder", folder, source)),
    };
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()
        .map_err(|source| Error::io("list folder", folder, source))
}

/// Steps and paths below a folder of checkpoints, oldest first.
pub(crate) fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let mut found: Vec<_> = in_folder(folder)?
        .into_iter()
        .filter_map(|name| Some((step_of(&name)?, folder.join(name))))
        .collect();
    found.sort_unstable();
    Ok(found)
}

/// Whether a name is one of an unfinished or half-removed checkpoint.
pub(crate) fn is_partial(name: &str) -> bool {
    name.starts_with(".step-") && name.ends_with(PARTIAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_steps_return_and_others_do_not() {
        for step in [0, 123, 999_999_999, 1_000_000_000, u64::MAX] {
            assert_eq!(step_of(&name_of(step)), Some(step));
            assert!(is_partial(&partial_of(step)) && step_of(&partial_of(step)).is_none());
        }
        for name in ["step-", "step-1", "step-+00000001", ".step-000000001", "step-0000000001"] {
            assert_eq!(step_of(name), None, "{name}");
        }
    }
}
