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
            let advice = format!("{question} (Sizes::Any accepts other sizes)");
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

/// What a folder holds, by name; hidden entries are passed over.
pub(crate) fn children(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    };
    let mut paths = read().map_err(|source| Error::io("list", folder, source))?;
    paths.retain(|path| !name_of(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

/// The files at any depth of a folder that are wanted, in the order of their names; hidden ones and those
/// in hidden folders are passed over.
pub(crate) fn below(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for path in children(folder)? {
        if path.is_dir() {
            found.extend(below(&path, wanted)?);
        } else if wanted(&path) {
            found.push(path);
        }
    }
    Ok(found)
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

/// Lines that hold something, with their numbers from 1 and without blanks around; LF and CRLF, with or
/// without a byte order mark.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    (1..).zip(lines).filter(|(_, line)| !line.is_empty())
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
    fn a_byte_that_is_no_text_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.txt");
        std::fs::write(&path, b"one\ncaf\xe9\n").unwrap();
        let error = read_text(&path).unwrap_err().to_string();
        assert!(error.contains("expected UTF-8, got the byte 0xe9 in line 2"), "{error}");
        assert!(error.contains("list.txt"), "{error}");
    }
}
