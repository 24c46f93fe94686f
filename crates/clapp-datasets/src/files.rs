//! Files of records of one size, read at any position by any thread.
//!
//! Why positioned reads and not a memory map: both are served from the operating system's page
//! cache, so neither copies a data set into the program's memory and both share it between
//! processes. A map saves one copy of 27 KB per image, which is microseconds beside the
//! augmentation. It costs soundness: a mapped file that another process truncates kills the
//! program with SIGBUS, and no safe interface can promise that this never happens. A positioned
//! read of the same file returns an error that names it.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::Error;

/// How strictly the sizes of files are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sizes {
    /// The files must have the official sizes: the right choice for published numbers.
    #[default]
    Official,
    /// Any whole number of records: subsets, and other images in the same layout.
    Any,
}

/// An open file of records.
#[derive(Debug)]
pub(crate) struct RecordFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    #[cfg(not(unix))]
    cursor: std::sync::Mutex<()>,
}

impl RecordFile {
    /// Opens a file whose size may be anything so far.
    pub(crate) fn open(path: PathBuf) -> Result<Self, Error> {
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (bytes, file) = opened.map_err(|source| Error::io("open", &path, source))?;
        Ok(Self {
            path,
            file,
            bytes,
            #[cfg(not(unix))]
            cursor: std::sync::Mutex::new(()),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The size of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of records of `record` bytes, after the check that `sizes` asks for.
    pub(crate) fn count(
        &self,
        what: &str,
        record: usize,
        official: usize,
        sizes: Sizes,
    ) -> Result<usize, Error> {
        let (got, expected) = (self.bytes, official as u64 * record as u64);
        if sizes == Sizes::Official && got != expected {
            let question = if got < expected {
                "is the download complete?"
            } else {
                "is this the right file?"
            };
            let advice = format!("{question} (Sizes::Any, or --any-size, accepts other sizes)");
            let expected = format!("{expected} bytes");
            return Err(Error::damaged(what, expected, got, self.path.display(), advice));
        }
        if got == 0 || !got.is_multiple_of(record as u64) {
            return Err(Error::partial_record(what, record, got, self.path.display()));
        }
        Ok(usize::try_from(got / record as u64)
            .expect("a file on disk has fewer records than usize::MAX"))
    }

    /// Fills `into` from byte `offset` on.
    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), Error> {
        self.read_exact_at(offset, into).map_err(|source| Error::io("read", &self.path, source))
    }

    #[cfg(unix)]
    fn read_exact_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, into, offset)
    }

    #[cfg(not(unix))]
    fn read_exact_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let _one_at_a_time = self.cursor.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        (&self.file).seek(SeekFrom::Start(offset))?;
        (&self.file).read_exact(into)
    }
}

/// The first of `folders` below `root` that holds `file`.
pub(crate) fn locate(
    dataset: &str,
    root: &Path,
    folders: &[&str],
    file: &str,
) -> Result<PathBuf, Error> {
    let searched: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    match searched.iter().find(|folder| folder.join(file).is_file()) {
        Some(folder) => Ok(folder.clone()),
        None => Err(Error::missing_file(dataset, file, &searched)),
    }
}

/// Whether a name is of what systems and programs leave in folders: hidden entries such as `._*` and `.DS_Store`, and others.
pub(crate) fn is_foreign(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "__macosx",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "@eadir",
    ];
    name.starts_with('.') || NAMES.contains(&name.to_lowercase().as_str())
}

/// What a folder holds, by name, without what is [foreign](is_foreign), and without pipes and devices: who reads these waits for
/// ever.
pub(crate) fn children(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    };
    let mut paths = read().map_err(|source| Error::io("list", folder, source))?;
    let ends = |path: &PathBuf| path.metadata().map_or(true, |of| of.is_file() || of.is_dir());
    paths.retain(|path| !is_foreign(&name_of(path)) && ends(path));
    paths.sort();
    Ok(paths)
}

/// The files at any depth of a folder that are wanted, in the order of their names, without what is
/// [foreign](is_foreign).
///
/// Links are followed, but not back into a folder that leads to them.
pub(crate) fn below(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Error> {
    fn walk(
        folder: &Path,
        wanted: &dyn Fn(&Path) -> bool,
        above: &mut Vec<PathBuf>,
        found: &mut Vec<PathBuf>,
    ) -> Result<(), Error> {
        let real = folder.canonicalize().map_err(|source| Error::io("list", folder, source))?;
        if above.contains(&real) {
            return Ok(());
        }
        above.push(real);
        for path in children(folder)? {
            if path.is_dir() {
                walk(&path, wanted, above, found)?;
            } else if wanted(&path) {
                found.push(path);
            }
        }
        above.pop();
        Ok(())
    }
    let mut found = Vec::new();
    walk(folder, wanted, &mut Vec::new(), &mut found)?;
    Ok(found)
}

/// A path below `root`, with `/` between names on every system.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    let names = path.strip_prefix(root).unwrap_or(path).components();
    names.map(|name| name.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// When a file was changed last, in nanoseconds since 1970. Where systems tell, it is the time of any change: that of the
/// content can be set, and comes along with a copy.
pub(crate) fn changed(data: &std::fs::Metadata) -> std::io::Result<u64> {
    let modified = data.modified()?.duration_since(std::time::UNIX_EPOCH);
    let modified = modified.map_or(0, |age| age.as_nanos() as u64);
    #[cfg(unix)]
    let modified = {
        use std::os::unix::fs::MetadataExt;
        let [seconds, nanos] = [data.ctime(), data.ctime_nsec()].map(|part| part.max(0) as u64);
        modified.max(seconds * 1_000_000_000 + nanos)
    };
    Ok(modified)
}

/// The last name of a path.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The text of a file: a byte that is none would become part of a name that no file has.
pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::io("read", path, source))?;
    String::from_utf8(bytes).map_err(|error| {
        let (good, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
        let line = bytes[..good].iter().filter(|&&byte| byte == b'\n').count() + 1;
        let got = format!("the byte {:#04x} in line {line}", bytes[good]);
        Error::damaged("text", "UTF-8", got, path.display(), "convert the file to UTF-8")
    })
}

/// The text of an optional file.
pub(crate) fn optional_text(path: &Path) -> Result<Option<String>, Error> {
    match read_text(path) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        text => text.map(Some),
    }
}

/// Lines that hold something, with their numbers from 1 and without blanks and byte order marks around; they end with LF, CRLF
/// or CR.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().flat_map(|line| line.split('\r'));
    // A mark stands within a text where files with marks were joined.
    let blank = |c: char| c.is_whitespace() || c == '\u{feff}';
    let lines = (1..).zip(lines.map(move |line| line.trim_matches(blank)));
    lines.filter(|(_, line)| !line.is_empty())
}

/// One class name a line, from `path` if it exists, else `default`.
pub(crate) fn class_names(path: &Path, default: &[&str]) -> Result<Vec<String>, Error> {
    let Some(text) = optional_text(path)? else {
        return Ok(default.iter().map(ToString::to_string).collect());
    };
    let names: Vec<String> = lines(&text).map(|(_, name)| name.to_owned()).collect();
    if names.len() != default.len() {
        return Err(Error::count("class names", default.len(), names.len(), path.display()));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_truncated_while_open_gives_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shrinking.bin");
        std::fs::write(&path, [7; 8]).unwrap();
        let file = RecordFile::open(path.clone()).unwrap();
        let mut record = [0; 4];
        file.read(4, &mut record).unwrap();
        assert_eq!(record, [7; 4]);

        File::options().write(true).open(&path).unwrap().set_len(5).unwrap();
        let error = file.read(4, &mut record).unwrap_err().to_string();
        assert!(error.starts_with("read: expected success, got \""), "{error}");
        assert!(error.contains("shrinking.bin"), "{error}");
    }

    #[test]
    fn class_names_of_the_wrong_number_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("class_names.txt");
        std::fs::write(&path, "cat\r\n\r\n").unwrap();
        let error = class_names(&path, &["cat", "dog"]).unwrap_err().to_string();
        assert!(error.starts_with("class names: expected 2, got 1 in "), "{error}");
        assert_eq!(class_names(&path, &["dog"]).unwrap(), ["cat"]);
    }

    #[test]
    fn lines_are_those_of_every_system_and_editor() {
        let text = "\u{feff}a b\r\n\r\n\tc\td \n\u{feff}e\rf\r\r\u{a0}g\u{feff}\u{a0}";
        let found: Vec<_> = lines(text).collect();
        assert_eq!(found, [(1, "a b"), (3, "c\td"), (4, "e"), (5, "f"), (7, "g")]);
    }

    #[test]
    fn what_systems_leave_behind_is_passed_over_at_any_depth() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("anna");
        std::fs::create_dir_all(inner.join("__MACOSX")).unwrap();
        for name in ["a.wav", "._a.wav", ".DS_Store", "Thumbs.db", "Desktop.ini", "__MACOSX/b.wav"]
        {
            std::fs::write(inner.join(name), "").unwrap();
        }
        assert_eq!(below(folder.path(), &|_| true).unwrap(), [inner.join("a.wav")]);
    }

    #[test]
    fn a_byte_that_is_no_text_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.txt");
        std::fs::write(&path, b"one\nhat\xe9\n").unwrap();
        let error = read_text(&path).unwrap_err().to_string();
        assert!(error.contains("expected UTF-8, got the byte 0xe9 in line 2"), "{error}");
        assert!(error.contains("list.txt"), "{error}");
    }
}
