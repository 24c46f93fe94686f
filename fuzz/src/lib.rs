//! What the fuzz targets share: a folder that they write into, and what an error has to say.

pub mod checkpoint;

use std::{fmt::Display, fs, path::Path};

use clapp_datasets::sound::{Check, IndexCache, OpenOptions, Rates, SpeechFiles};
use clapp_datasets::{OnBad, Source};
use tempfile::TempDir;

/// A folder in memory where the system has one, removed at the end.
#[must_use]
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.expect("a folder for inputs can be made")
}

/// Writes an input.
pub fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("an input can be written");
}

/// What was read; otherwise the error has to say where.
pub fn read<T, E: Display>(result: Result<T, E>, place: &Path) -> Option<T> {
    result.map_err(|error| named(&error, place)).ok()
}

fn named(error: &impl Display, place: &Path) {
    let text = error.to_string();
    assert!(text.contains(&*place.to_string_lossy()), "expected {}, got {text}", place.display());
}

/// One sound file in a folder: refused, left out, or all of it is read and of finite size.
pub fn sound(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    put(&path, bytes);
    // One bit of the input decides, so that both kinds of opening are met.
    let odd = bytes.len() % 2 == 1;
    let options = OpenOptions {
        cache: IndexCache::Nowhere,
        check: if odd { Check::Headers } else { Check::Samples },
        rates: if odd { Rates::Resample } else { Rates::Refuse },
        on_bad: if odd { OnBad::Skip } else { OnBad::Refuse },
    };
    let Some(files) = read(SpeechFiles::folder(root, &options), root) else { return };
    if files.is_empty() {
        return;
    }
    let Some(utterance) = read(files.get(0), &path) else {
        assert!(odd, "what was checked is read");
        return;
    };
    assert_eq!(utterance.samples.len(), files.info(0).samples);
    if !odd {
        assert!(utterance.samples.iter().all(|sample| sample.abs() <= 100.0));
    }
}
