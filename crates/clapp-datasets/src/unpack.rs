//! Unpacking without trust: an archive fills its own folder with expected files, or nothing.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Component, Path, PathBuf};

use flate2::bufread::GzDecoder;
use tar::EntryType;

use crate::Error;
use crate::archive::Archive;

/// Unpacks `file` into `root/<folder>`, which is returned. Files that exist are left alone.
///
/// All files are unpacked beside the folder first and renamed when the last one is complete, so an
/// interruption leaves no half-written file.
pub(crate) fn unpack(archive: &Archive, file: &Path, root: &Path) -> Result<PathBuf, Error> {
    let staging = Staging::new(root, &archive.folder)?;
    let broken = |source| Error::io("unpack", file, source);
    let opened = File::open(file).map_err(broken)?;
    let mut tar = tar::Archive::new(GzDecoder::new(BufReader::new(opened)));
    for entry in tar.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        match accept(archive, entry.header().entry_type(), &path) {
            Accept::Take(name) => {
                let target = staging.0.join(name);
                let mut out = File::create_new(&target)
                    .map_err(|source| Error::io("create", &target, source))?;
                std::io::copy(&mut entry, &mut out).map_err(broken)?;
            }
            Accept::Skip => {}
            Accept::Refuse => {
                return Err(Error::UnsafeEntry {
                    folder: archive.folder.clone(),
                    entry: path.display().to_string(),
                    path: file.to_owned(),
                });
            }
        }
    }
    if let Some(missing) = archive.files.iter().find(|name| !staging.0.join(name).is_file()) {
        return Err(Error::MissingFile {
            dataset: archive.folder.clone(),
            file: missing.clone(),
            searched: vec![file.to_owned()],
        });
    }
    let folder = root.join(&archive.folder);
    fs::create_dir_all(&folder).map_err(|source| Error::io("create folder", &folder, source))?;
    for name in &archive.files {
        let target = folder.join(name);
        if !target.exists() {
            fs::rename(staging.0.join(name), &target)
                .map_err(|source| Error::io("rename", &target, source))?;
        }
    }
    Ok(folder)
}

/// What becomes of an entry.
enum Accept<'a> {
    /// It is unpacked under this name.
    Take(&'a str),
    /// It is harmless, but not needed.
    Skip,
    /// The whole archive is refused.
    Refuse,
}

fn accept<'a>(archive: &'a Archive, kind: EntryType, path: &Path) -> Accept<'a> {
    if kind == EntryType::XGlobalHeader {
        return Accept::Skip; // a comment of the program that packed
    }
    let plain = path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if !plain || !matches!(kind, EntryType::Regular | EntryType::Directory) {
        return Accept::Refuse;
    }
    let relative: PathBuf = path.components().filter(|c| *c != Component::CurDir).collect();
    let is = |name: &&String| relative == Path::new(&archive.folder).join(name);
    match archive.files.iter().find(is) {
        Some(name) if kind == EntryType::Regular => Accept::Take(name),
        _ => Accept::Skip,
    }
}

/// A temporary folder beside the final one, on the same disk; removed when dropped.
struct Staging(PathBuf);

impl Staging {
    fn new(root: &Path, folder: &str) -> Result<Self, Error> {
        let path = root.join(format!(".{folder}.unpacking-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path); // left by a process of the same number that was killed
        fs::create_dir_all(&path).map_err(|source| Error::io("create folder", &path, source))?;
        Ok(Self(path))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // nothing useful can be done if this fails
    }
}
