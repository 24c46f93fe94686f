//! The files of a run, byte for byte.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// All files of a folder by their path in it, except the lock, which holds a process number, and what says
/// where a run was computed.
///
/// # Panics
///
/// If one cannot be read.
#[must_use]
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if !path.ends_with(".lock") && !path.ends_with("environment.json") {
                let name = path.strip_prefix(folder).expect("a path below it").to_owned();
                files.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    files
}

/// Compares files and names those that differ, instead of printing their bytes.
///
/// # Panics
///
/// If some differ.
#[track_caller]
pub fn assert_same(
    got: &BTreeMap<PathBuf, Vec<u8>>,
    expected: &BTreeMap<PathBuf, Vec<u8>>,
    when: &str,
) {
    let missing: Vec<_> = expected.keys().filter(|name| !got.contains_key(*name)).collect();
    let added: Vec<_> = got.keys().filter(|name| !expected.contains_key(*name)).collect();
    let differ = |&(name, bytes): &(&PathBuf, &Vec<u8>)| got.get(name).is_some_and(|b| b != bytes);
    let changed: Vec<_> = expected.iter().filter(differ).map(|(name, _)| name).collect();
    assert!(
        missing.is_empty() && added.is_empty() && changed.is_empty(),
        "{when}: expected the same files; missing {missing:?}, added {added:?}, changed {changed:?}"
    );
}
