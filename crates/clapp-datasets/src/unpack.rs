//! Unpacking without trust: an archive fills its own folder with expected files, or nothing.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Component, Path, PathBuf};

use flate2::bufread::GzDecoder;
use tar::EntryType;

use crate::Error;
use crate::archive::{Archive, Contents};
use crate::files::below;

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
                create_parent(&target)?;
                let mut out = File::create_new(&target)
                    .map_err(|source| Error::io("create", &target, source))?;
                std::io::copy(&mut entry, &mut out).map_err(broken)?;
            }
            Accept::Skip => {}
            Accept::Refuse => {
                return Err(Error::damaged(
                    "unpack",
                    format!("plain files below {}/", archive.folder),
                    format!("{:?}", path.display().to_string()),
                    file.display(),
                    "do not trust this archive",
                ));
            }
        }
    }
    if let Some(file_name) = missing(archive, &staging.0) {
        return Err(Error::missing_file(&archive.folder, file_name, &[file.to_owned()]));
    }
    let folder = root.join(&archive.folder);
    for name in contained(archive, &staging.0) {
        let target = folder.join(&name);
        if !target.exists() {
            create_parent(&target)?;
            fs::rename(staging.0.join(name), &target)
                .map_err(|source| Error::io("rename", &target, source))?;
        }
    }
    Ok(folder)
}

/// What `folder` lacks of the contents of an archive; none if it is complete.
pub(crate) fn missing(archive: &Archive, folder: &Path) -> Option<String> {
    match &archive.contents {
        Contents::Files(names) => names.iter().find(|name| !folder.join(name).is_file()).cloned(),
        Contents::Tree { ending, files } => {
            let found = contained(archive, folder).len();
            (found < *files).then(|| format!("{ending} number {} of {files}", found + 1))
        }
    }
}

/// The files of an archive that lie in `folder`, as paths below it; none if it cannot be read.
fn contained(archive: &Archive, folder: &Path) -> Vec<PathBuf> {
    match &archive.contents {
        Contents::Files(names) => names.iter().map(PathBuf::from).collect(),
        Contents::Tree { ending, .. } => {
            let wanted = |path: &Path| path.to_string_lossy().ends_with(ending.as_str());
            let found = below(folder, &wanted).unwrap_or_default();
            found
                .iter()
                .filter_map(|path| Some(path.strip_prefix(folder).ok()?.to_owned()))
                .collect()
        }
    }
}

fn create_parent(file: &Path) -> Result<(), Error> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|source| Error::io("create folder", folder, source))
}

/// What becomes of an entry.
enum Accept {
    /// It is unpacked to this path below the folder.
    Take(PathBuf),
    /// It is harmless, but not needed.
    Skip,
    /// The whole archive is refused.
    Refuse,
}

fn accept(archive: &Archive, kind: EntryType, path: &Path) -> Accept {
    if kind == EntryType::XGlobalHeader {
        return Accept::Skip; // a comment of the program that packed
    }
    let plain = path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if !plain || !matches!(kind, EntryType::Regular | EntryType::Directory) {
        return Accept::Refuse;
    }
    let relative: PathBuf = path.components().filter(|c| *c != Component::CurDir).collect();
    let Ok(below) = relative.strip_prefix(&archive.folder) else { return Accept::Skip };
    let wanted = match &archive.contents {
        Contents::Files(names) => names.iter().any(|name| below == Path::new(name)),
        Contents::Tree { ending, .. } => below.to_string_lossy().ends_with(ending),
    };
    if wanted && kind == EntryType::Regular { Accept::Take(below.to_owned()) } else { Accept::Skip }
}

/// A temporary folder beside the final one, on the same disk; removed when dropped.
struct Staging(PathBuf);

impl Staging {
    fn new(root: &Path, folder: &str) -> Result<Self, Error> {
        let name = folder.replace('/', "-");
        let path = root.join(format!(".{name}.unpacking-{}", std::process::id()));
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
