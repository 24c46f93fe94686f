//! Files that are either the old ones or the new ones, never half of each.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Error;

/// How the names of temporary files end.
const TEMPORARY: &str = ".tmp";

/// Writes a file such that a crash at any moment leaves the old content or the new one.
///
/// ```text
/// create .name.<pid>-<n>.tmp → write → fsync file → rename to name → fsync folder
/// ```
///
/// The temporary lies in the same folder, since a rename is atomic only within one file system. A
/// link at `path` is replaced, not followed.
///
/// # Errors
///
/// [`Error::StorageFull`] if the disk or the quota is full, [`Error::Io`] for everything else,
/// including what `write` returns. The temporary is removed and the old file is as it was. Only if
/// the very last step fails, the fsync of the folder, the new content is in place and may not
/// survive a power cut.
///
/// # Example
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("clapp-store-atomic-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("note.txt");
/// clapp_store::write_atomically(&path, |file| writeln!(file, "γ = {}", -1))?;
/// assert_eq!(std::fs::read_to_string(&path)?, "γ = -1\n");
///
/// let failing = clapp_store::write_atomically(&path, |file| {
///     file.write_all(b"half of")?;
///     Err(std::io::ErrorKind::StorageFull.into())
/// });
/// assert!(failing.unwrap_err().to_string().contains("the previous file is untouched"));
/// assert_eq!(std::fs::read_to_string(&path)?, "γ = -1\n");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_atomically(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    let path = path.as_ref();
    let mut offered = 0;
    replace(path, &mut offered, write)
        .map_err(|source| Error::write("write file", path, offered, "the previous file", source))
}

fn replace(
    path: &Path,
    offered: &mut u64,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let folder = parent(path);
    let (guard, file) = create_temporary(folder, &name.to_string_lossy())?;
    write_and_sync(file, offered, write)?;
    fs::rename(guard.path(), path)?;
    guard.keep();
    sync_folder(folder)
}

/// Fills a fresh file and waits until it is on the disk. Counts the bytes that it was offered.
pub(crate) fn write_and_sync(
    file: File,
    offered: &mut u64,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut counting = Counting { inner: BufWriter::new(&file), offered };
    write(&mut counting)?;
    counting.flush()?;
    drop(counting);
    file.sync_all()
}

/// Makes renames and removals in a folder durable. Elsewhere than on Unix a folder cannot be
/// opened as a file, and the file system orders them itself.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The folder that a path lies in, `.` for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A name that no other thread or living process of this machine uses.
pub(crate) fn unique() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// Steps over the left-overs of a dead process that had our id.
fn create_temporary(folder: &Path, name: &str) -> io::Result<(RemoveOnDrop, File)> {
    loop {
        let path = folder.join(format!(".{name}.{}{TEMPORARY}", unique()));
        match File::create_new(&path) {
            Ok(file) => return Ok((RemoveOnDrop::new(path), file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether [`write_atomically`] makes names like this one.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(TEMPORARY)
}

/// A temporary file or folder, removed unless it is kept.
#[derive(Debug)]
pub(crate) struct RemoveOnDrop(Option<PathBuf>);

impl RemoveOnDrop {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(Some(path))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.as_deref().expect("the path is taken by keep() only, which consumes the guard")
    }

    pub(crate) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        // An error is on its way already, and left-overs are removed when the run is next opened.
        if let Some(path) = &self.0 {
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

/// Counts what it is asked to write, written or not.
struct Counting<'a, W> {
    inner: W,
    offered: &'a mut u64,
}

impl<W: Write> Write for Counting<'_, W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.write_all(buffer).map(|()| buffer.len())
    }

    fn write_all(&mut self, buffer: &[u8]) -> io::Result<()> {
        *self.offered += buffer.len() as u64;
        self.inner.write_all(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clapp_testing::names;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_temporary() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        write_atomically(&path, |file| file.write_all(b"old")).unwrap();
        let error = write_atomically(&path, |file| {
            file.write_all(b"new")?;
            Err(io::Error::other("interrupted"))
        });
        let text = error.unwrap_err().to_string();
        assert!(
            text.starts_with("write file: expected success, got \"interrupted\" in "),
            "{text}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["config.json"]);
    }

    #[test]
    fn a_panic_while_writing_leaves_no_temporary() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let write = || write_atomically(&path, |_| panic!("a bug of the caller"));
        assert!(std::panic::catch_unwind(write).is_err());
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent").join("x.txt");
        let error = write_atomically(&path, |file| file.write_all(b"x")).unwrap_err();
        assert!(error.to_string().contains("x.txt"), "{error}");
    }

    #[test]
    fn a_path_without_a_file_name_is_refused() {
        let error = write_atomically("/tmp/..", |file| file.write_all(b"x")).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_reports_every_byte_it_was_offered() {
        let device = File::options().write(true).open("/dev/full").unwrap();
        let mut offered = 0;
        let error = write_and_sync(device, &mut offered, |file| file.write_all(&[1; 100_000]));
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(offered, 100_000);
    }
}
