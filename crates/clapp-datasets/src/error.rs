//! What can go wrong outside the program.

use std::fmt;
use std::path::{Path, PathBuf};

/// Everything that files, servers and configurations can do wrong.
///
/// Every text reads `<what failed>: expected <X>, got <Y> in <where>; <what to do>`. Mistakes of
/// the calling program (a buffer of the wrong length, an index beyond the end) panic instead.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Error, Sizes, stl10::{Split, Stl10}};
///
/// let error = Stl10::open("/nowhere", Split::Train, Sizes::Official).unwrap_err();
/// assert!(error.to_string().starts_with("stl10: expected file train_X.bin, got no such file in"));
/// let Error::Missing(mismatch) = error else { panic!("another kind") };
/// assert_eq!(mismatch.what, "stl10");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file, a folder or an item of a list is not there.
    #[error(transparent)]
    Missing(Box<Mismatch>),

    /// A file holds something else than it should: it is cut short, of another size or with another
    /// checksum, or a word, a line or a label in it has no meaning.
    #[error(transparent)]
    Damaged(Box<Mismatch>),

    /// An item is whole, but of no use here: too short, silent, of another rate or with several
    /// channels, or its name does not fit.
    #[error(transparent)]
    Unfit(Box<Mismatch>),

    /// There are fewer usable items than are needed.
    #[error(transparent)]
    TooFew(Box<Mismatch>),

    /// A setting has no meaning, alone or for these data.
    #[error(transparent)]
    Config(Box<Mismatch>),

    /// A server refused, or the connection broke.
    #[error(transparent)]
    Download(Box<Mismatch>),

    /// A program that reads videos cannot be started, or its answer is not understood.
    #[error(transparent)]
    Program(Box<Mismatch>),

    /// A worker thread cannot be started, or a source panicked in it.
    #[error(transparent)]
    Worker(Box<Mismatch>),

    /// The operating system refused to open, read, write, rename or unpack.
    #[error("{action}: expected success, got \"{source}\" in {}; check that the file exists, is \
             complete and accessible", .path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },

    /// What the store of files says.
    #[error(transparent)]
    Store(#[from] clapp_store::Error),
}

/// What was expected and what was found instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: expected {expected}, got {got}{}{place}; {advice}", if .place.is_empty() { "" } else { " in " })]
#[non_exhaustive]
pub struct Mismatch {
    /// What failed.
    pub what: String,
    /// What should have been there.
    pub expected: String,
    /// What is there.
    pub got: String,
    /// The file, the source or the address; empty if there is none.
    pub place: String,
    /// What to do.
    pub advice: String,
}

macro_rules! constructors {
    ($($name:ident $kind:ident),*) => {$(
        #[doc = concat!("[`Error::", stringify!($kind), "`]: `what: expected …, got … in place; advice`.")]
        #[must_use]
        pub fn $name(
            what: impl fmt::Display,
            expected: impl fmt::Display,
            got: impl fmt::Display,
            place: impl fmt::Display,
            advice: impl fmt::Display,
        ) -> Self {
            let (what, expected, got) = (what.to_string(), expected.to_string(), got.to_string());
            let (place, advice) = (place.to_string(), advice.to_string());
            Self::$kind(Box::new(Mismatch { what, expected, got, place, advice }))
        }
    )*};
}

impl Error {
    constructors!(
        missing Missing, damaged Damaged, unfit Unfit, too_few TooFew,
        config Config, download Download, program Program, worker Worker
    );

    /// The system error of `action` on `path`.
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// None of the folders searched holds the file.
    pub(crate) fn missing_file(data: &str, file: impl fmt::Display, searched: &[PathBuf]) -> Self {
        let folders: Vec<String> = searched.iter().map(|p| p.display().to_string()).collect();
        let advice = "download the data set or correct the root folder";
        let expected = format!("file {file}");
        Self::missing(data, expected, "no such file", folders.join(", "), advice)
    }

    /// A setting is zero, negative, infinite or not a number where that has no meaning.
    pub(crate) fn setting(setting: &str, expected: &str, got: impl fmt::Display) -> Self {
        Self::config(setting, expected, got, "the configuration", "correct the setting")
    }

    /// A crop is empty or larger than the (scaled) image.
    pub(crate) fn crop(crop: usize, [height, width]: [usize; 2]) -> Self {
        let expected = format!("1..={} pixels", height.min(width));
        let place = format!("an image of {height}×{width}");
        Self::config("crop", expected, crop, place, "choose a smaller crop or enlarge first")
    }

    /// A source has another number of planes than a pipeline.
    pub(crate) fn planes(expected: impl fmt::Display, got: usize) -> Self {
        let expected = format!("{expected} planes");
        Self::config("colour", expected, got, "the source", "choose the other mode")
    }

    /// Two numbers that belong together differ, such as images and labels.
    pub(crate) fn count(
        what: impl fmt::Display,
        expected: usize,
        got: usize,
        place: impl fmt::Display,
    ) -> Self {
        Self::damaged(what, expected, got, place, "do the files belong together?")
    }

    /// A file of records is empty, or not a whole number of them.
    pub(crate) fn partial_record(
        what: &str,
        record: usize,
        got: impl fmt::Display,
        place: impl fmt::Display,
    ) -> Self {
        let expected = format!("a positive multiple of {record} bytes");
        Self::damaged(what, expected, got, place, "is the file complete?")
    }

    /// All samples of a sound file are equal.
    pub(crate) fn silence(samples: u64, path: &Path) -> Self {
        let got = format!("{samples} samples of silence");
        Self::unfit("sound", "a signal", got, path.display(), "remove the file")
    }
}
