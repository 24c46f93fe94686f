//! What is known of the sound files of a folder, kept in a file beside them.
//!
//! Reading the headers of 28,539 files takes minutes on a network disk, decoding them all to find
//! damage takes minutes everywhere. The index is one line of JSON with version and digest, then the
//! entries as JSON. A file whose size or time of modification differs from its entry is read again;
//! an index that is damaged or of another version is built anew.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::decode::{self, Header};
use crate::Error;
use crate::digest::hex;
use crate::files::{changed, relative};

/// Changes with the meaning of an entry: older indices are then built anew.
const VERSION: u32 = 3;
/// The name of the index in the folder that it describes.
const NAME: &str = ".clapp-sound-index.json";

/// Where the index of a folder is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IndexCache {
    /// In the folder, as `.clapp-sound-index.json`; nowhere if it cannot be written.
    #[default]
    Beside,
    /// In this file; nowhere if it cannot be written.
    At(PathBuf),
    /// Nowhere: all headers are read whenever the folder is opened.
    Nowhere,
}

/// How closely files are looked at when a folder is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// Their headers: rate, channels, length.
    #[default]
    Headers,
    /// All samples: files that are truncated, damaged or silent are found at once, and not in the
    /// middle of an epoch. Done once per file where there is an index.
    Samples,
}

/// How an index came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexUse {
    /// Files whose entry was up to date.
    pub reused: usize,
    /// Files that were read.
    pub read: usize,
    /// True if there was an index that could not be used: damaged, or of another version.
    pub discarded: bool,
    /// True if an index was written.
    pub written: bool,
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Below the folder, with `/` between names.
    path: String,
    bytes: u64,
    /// Nanoseconds since 1970, of the content or, where systems tell, of anything else about the file: the time of the content
    /// alone can be set.
    modified: u64,
    rate: u32,
    channels: usize,
    samples: u64,
    /// Whether all samples were decoded.
    checked: bool,
}

impl Entry {
    pub fn header(&self) -> Header {
        Header { rate: self.rate, channels: self.channels, samples: self.samples }
    }
}

/// The first line of an index.
#[derive(Serialize, Deserialize)]
struct Seal {
    format: String,
    version: u32,
    /// SHA-256 of all that follows the first line.
    sha256: String,
}

/// Looks at `files` below `root`, as far as an index does not tell. Results are in the order of
/// the files; a file that cannot be used has an error and no entry.
pub(super) fn look_at(
    root: &Path,
    files: &[PathBuf],
    check: Check,
    cache: &IndexCache,
) -> (Vec<Result<Entry, Error>>, IndexUse) {
    let place = match cache {
        IndexCache::Beside => Some(root.join(NAME)),
        IndexCache::At(path) => Some(path.clone()),
        IndexCache::Nowhere => None,
    };
    let bytes = place.as_ref().and_then(|path| std::fs::read(path).ok());
    let known = bytes.as_deref().map(parse);
    let discarded = known.as_ref().is_some_and(Option::is_none);
    let known: HashMap<String, Entry> =
        known.flatten().into_iter().flatten().map(|entry| (entry.path.clone(), entry)).collect();
    let looked: Vec<(Result<Entry, Error>, bool)> = files
        .par_iter()
        .map(|file| match current(root, file, check, &known) {
            Some(entry) => (Ok(entry), true),
            None => (look(root, file, check), false),
        })
        .collect();
    let reused = looked.iter().filter(|(_, reused)| *reused).count();
    let entries: Vec<_> = looked.into_iter().map(|(entry, _)| entry).collect();
    // The same files, all known: the index stays as it is.
    let changed = reused < files.len() || known.len() != files.len();
    let written = changed && place.is_some_and(|path| write(&path, &entries).is_ok());
    (entries, IndexUse { reused, read: files.len() - reused, discarded, written })
}

/// The entry of a file that has not changed since, if it says enough.
fn current(
    root: &Path,
    file: &Path,
    check: Check,
    known: &HashMap<String, Entry>,
) -> Option<Entry> {
    let entry = known.get(&relative(root, file))?;
    let (bytes, modified) = stamp(file).ok()?;
    let fresh = entry.bytes == bytes && entry.modified == modified;
    (fresh && (entry.checked || check == Check::Headers)).then(|| entry.clone())
}

/// Reads what an entry says from the file.
fn look(root: &Path, file: &Path, check: Check) -> Result<Entry, Error> {
    let (bytes, modified) = stamp(file).map_err(|source| Error::io("open", file, source))?;
    let Header { rate, channels, samples } = decode::header(file)?;
    let checked = check == Check::Samples && channels == 1;
    if checked {
        // One constant value is silence as well: there is nothing to hear in it.
        if !decode::has_signal(file, samples)? {
            return Err(Error::silence(samples, file));
        }
    }
    let path = relative(root, file);
    Ok(Entry { path, bytes, modified, rate, channels, samples, checked })
}

/// Size and time of the last change.
fn stamp(file: &Path) -> std::io::Result<(u64, u64)> {
    let data = std::fs::metadata(file)?;
    Ok((data.len(), changed(&data)?))
}

/// The entries of an index; none if it is damaged or of another version.
fn parse(bytes: &[u8]) -> Option<Vec<Entry>> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let seal: Seal = serde_json::from_slice(&bytes[..end]).ok()?;
    let body = &bytes[end + 1..];
    let whole = seal.version == VERSION && seal.sha256 == hex(&Sha256::digest(body));
    if whole { serde_json::from_slice(body).ok() } else { None }
}

fn write(path: &Path, entries: &[Result<Entry, Error>]) -> Result<(), Error> {
    let good: Vec<&Entry> = entries.iter().flatten().collect();
    let failed = |source| Error::io("write", path, source);
    let body = serde_json::to_vec(&good).map_err(|error| failed(error.into()))?;
    let (format, sha256) = ("clapp sound index".to_owned(), hex(&Sha256::digest(&body)));
    let seal = serde_json::to_vec(&Seal { format, version: VERSION, sha256 });
    let seal = seal.map_err(|error| failed(error.into()))?;
    let parts: [&[u8]; 3] = [&seal, b"\n", &body];
    let write = |file: &mut dyn Write| parts.iter().try_for_each(|part| file.write_all(part));
    clapp_store::write_atomically(path, write).map_err(|error| failed(std::io::Error::other(error)))
}
