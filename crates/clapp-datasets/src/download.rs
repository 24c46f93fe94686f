//! The official archives: fetched, checked, unpacked.
//!
//! ```no_run
//! use clapp_datasets::{Sizes, download::{Archive, download}, stl10::{Split, Stl10}};
//!
//! download(&Archive::stl10(), "datasets".as_ref(), &mut |progress| {
//!     eprint!("\r{} of {} MB", progress.received / 1_000_000, progress.total / 1_000_000);
//! })?;
//! let images = Stl10::open("datasets", Split::Unlabeled, Sizes::Official)?;
//! # Ok::<(), clapp_datasets::Error>(())
//! ```
//!
//! Nothing that exists is overwritten. The proxy is taken from the usual environment variables.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use md5::{Digest, Md5};
use ureq::{Body, http::Response};

use crate::Error;
pub use crate::archive::{Archive, Contents, NAMES};
use crate::unpack::{missing, unpack};

/// How long any part of a server's answer may be waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes on disk, including those of an earlier run.
    pub received: u64,
    /// Bytes of the archive.
    pub total: u64,
}

/// Makes sure that the files of `archive` lie in `root`, and returns their folder.
///
/// Does nothing if all files are there; else fetches the archive if it is not there, and unpacks
/// the missing files. The archive itself is kept.
///
/// # Errors
/// Those of [`fetch`]; [`Error::Damaged`] if the archive reaches outside its folder;
/// [`Error::Missing`] if it lacks a file; [`Error::Io`] if the disk refuses.
pub fn download(
    archive: &Archive,
    root: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf, Error> {
    let folder = root.join(&archive.folder);
    if missing(archive, &folder).is_none() {
        return Ok(folder);
    }
    let file = fetch(archive, root, progress)?;
    unpack(archive, &file, root)
}

/// Makes sure that the archive itself lies in `root`, complete and checked, and returns its path.
///
/// An interrupted download stays in `<name>.part` and is continued by the next call, if the server
/// can. `progress` is called at the start and after every 64 KiB or less.
///
/// # Errors
/// [`Error::Download`] if the server refuses, is not reached or says nothing for as long as [`PATIENCE`], the connection breaks,
/// or another process fetches the same; [`Error::Damaged`] if the file is not the official one; [`Error::Io`] if the
/// disk refuses.
pub fn fetch(
    archive: &Archive,
    root: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf, Error> {
    fetch_within(PATIENCE, archive, root, progress)
}

/// [`fetch`] with another patience.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_within(
    patience: Duration,
    archive: &Archive,
    root: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf, Error> {
    let (whole, part) = (root.join(&archive.name), root.join(format!("{}.part", archive.name)));
    fs::create_dir_all(root).map_err(|source| Error::io("create folder", root, source))?;
    if whole.exists() {
        verify(archive, &whole, "remove the file to download it again")?;
        return Ok(whole);
    }
    let disk = |source| Error::io("write", &part, source);
    let opened = File::options().create(true).truncate(false).write(true).open(&part);
    let mut file = opened.map_err(disk)?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        let (expected, advice) = ("nobody else to fetch the archive", "wait for the other process");
        return Err(Error::download(
            "download",
            expected,
            "another process",
            part.display(),
            advice,
        ));
    }
    if whole.exists() {
        // Another process has completed it since we looked.
        if file.metadata().map_err(disk)?.len() == 0 {
            fs::remove_file(&part).map_err(disk)?;
        }
        verify(archive, &whole, "remove the file to download it again")?;
        return Ok(whole);
    }
    receive(patience, archive, (&part, &mut file), progress)?;
    let advice = format!("it was removed; run again, or put {} there yourself", archive.name);
    if let Err(error) = verify(archive, &part, &advice) {
        fs::remove_file(&part).map_err(|source| Error::io("remove", &part, source))?;
        return Err(error);
    }
    fs::rename(&part, &whole).map_err(|source| Error::io("rename", &part, source))?;
    Ok(whole)
}

/// Completes `part`, from where it ends.
fn receive(
    patience: Duration,
    archive: &Archive,
    (part, file): (&Path, &mut File),
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Error> {
    let disk = |source| Error::io("write", part, source);
    let total = archive.bytes;
    let mut held = file.metadata().map_err(disk)?.len();
    if held == total {
        return Ok(());
    }
    if held > total {
        held = 0;
    }
    let (response, mut received) = request(patience, archive, held)?;
    if let Some(promised) = promised(&response)
        && promised != total
    {
        let advice = "nothing was kept of it; is this the right address?";
        return Err(archive_size(total, promised, Path::new(&archive.url), advice));
    }
    file.set_len(received).and_then(|()| file.seek(SeekFrom::End(0))).map_err(disk)?;
    progress(Progress { received, total });
    let mut body = response.into_body().into_reader();
    let mut chunk = vec![0; 1 << 16];
    loop {
        let read = body.read(&mut chunk).map_err(|source| transport(archive, source))?;
        if read == 0 {
            break;
        }
        received += read as u64;
        if received > total {
            file.set_len(0).map_err(disk)?;
            let advice = "the partial file was emptied; is this the right address?";
            return Err(archive_size(total, received, part, advice));
        }
        file.write_all(&chunk[..read]).map_err(disk)?;
        progress(Progress { received, total });
    }
    file.sync_all().map_err(disk)?;
    if received < total {
        return Err(archive_size(total, received, part, "run again to continue"));
    }
    Ok(())
}

/// Asks for the bytes from `held` on; returns the answer and the position at which it begins.
fn request(
    patience: Duration,
    archive: &Archive,
    held: u64,
) -> Result<(Response<Body>, u64), Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_resolve(Some(patience))
        .timeout_connect(Some(patience))
        .timeout_per_write(Some(patience))
        .timeout_per_read(Some(patience))
        .user_agent(concat!("clapp-datasets/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut get = agent.get(&archive.url);
    if held > 0 {
        get = get.header("Range", format!("bytes={held}-"));
    }
    let response = get.call().map_err(|error| transport(archive, error.into_io()))?;
    match response.status().as_u16() {
        200 => Ok((response, 0)),
        206 if held > 0 && begins_at(&response, held) => Ok((response, held)),
        206 | 416 if held > 0 => request(patience, archive, 0), // another part than asked for, or none
        got => {
            let advice = format!("try later, or put {} there yourself", archive.name);
            Err(Error::download("download", "status 200 or 206", got, &archive.url, advice))
        }
    }
}

fn begins_at(response: &Response<Body>, position: u64) -> bool {
    let range = response.headers().get("Content-Range").and_then(|value| value.to_str().ok());
    range.is_some_and(|range| range.trim().starts_with(&format!("bytes {position}-")))
}

/// The size of the whole archive, as far as the server says it.
fn promised(response: &Response<Body>) -> Option<u64> {
    let header = |name| response.headers().get(name)?.to_str().ok();
    match response.status().as_u16() {
        206 => header("Content-Range")?.rsplit_once('/')?.1.trim().parse().ok(),
        _ => header("Content-Length")?.trim().parse().ok(),
    }
}

fn transport(archive: &Archive, source: std::io::Error) -> Error {
    let advice = "check the connection and run again (a partial download is resumed)";
    Error::download("download", "an answer", format!("\"{source}\""), &archive.url, advice)
}

/// An archive is longer or shorter than the official one.
fn archive_size(expected: u64, got: u64, path: &Path, advice: &str) -> Error {
    Error::damaged("archive", format!("{expected} bytes"), got, path.display(), advice)
}

/// Compares size and MD5 sum of `path` with those of the archive.
fn verify(archive: &Archive, path: &Path, advice: &str) -> Result<(), Error> {
    let disk = |source| Error::io("read", path, source);
    let mut file = File::open(path).map_err(disk)?;
    let (expected, got) = (archive.bytes, file.metadata().map_err(disk)?.len());
    if got != expected {
        return Err(archive_size(expected, got, path, advice));
    }
    let mut sum = Md5::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk).map_err(disk)? {
            0 => break,
            read => sum.update(&chunk[..read]),
        }
    }
    let got = crate::digest::hex(&sum.finalize());
    if got != archive.md5 {
        let expected = format!("md5 {}", archive.md5);
        return Err(Error::damaged("checksum", expected, got, path.display(), advice));
    }
    Ok(())
}
