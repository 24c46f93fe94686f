//! Folders of sound files: LibriSpeech in its own layout, and any other.

use std::path::{Path, PathBuf};

use super::decode;
use super::frames::{Framing, RATE};
use super::index::{self, Entry, IndexUse};
use super::layout::{folder_utterance, librispeech_utterance, walk};
use super::lists::SplitList;
use super::options::{OpenOptions, Rates};
use super::resample::{resample, resampled_len};
use super::skipped::{OnBad, Skipped};
use super::speech::{SpeechSource, Utterance, assert_read};
use crate::Error;

/// Utterances in sound files (FLAC or WAV), decoded when they are read.
///
/// Opening reads an index, or the headers of all files; samples are decoded on demand, by any number
/// of threads.
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::{OpenOptions, SpeechFiles, SpeechSource};
///
/// # let root = tempfile::tempdir().unwrap();
/// # let spec = hound::WavSpec {
/// #     channels: 1, sample_rate: 16_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int,
/// # };
/// # std::fs::create_dir(root.path().join("anna")).unwrap();
/// # let mut wav = hound::WavWriter::create(root.path().join("anna/hello.wav"), spec).unwrap();
/// # (0..16_000).for_each(|i| wav.write_sample((i % 100) as i16 * 100).unwrap());
/// # wav.finalize().unwrap();
/// // Or: SpeechFiles::librispeech("datasets", "train-clean-100", &OpenOptions::default())?
/// let files = SpeechFiles::folder(root.path(), &OpenOptions::default())?;
/// let utterance = files.utterance(0);
/// assert_eq!((utterance.id.as_str(), utterance.speaker.as_deref()), ("anna/hello", Some("anna")));
/// assert_eq!(files.read_whole(0)?[1], 100.0 / 32_768.0);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Debug)]
pub struct SpeechFiles {
    pub(super) name: String,
    pub(super) items: Vec<Item>,
    pub(super) classes: usize,
    pub(super) framing: Framing,
    pub(super) on_bad: OnBad,
    pub(super) skipped: Skipped,
    pub(super) index: IndexUse,
}

#[derive(Clone, Debug)]
pub(super) struct Item {
    pub utterance: Utterance,
    pub path: PathBuf,
    /// Samples in a second of the file.
    rate: u32,
    /// Samples of the file.
    stored: u64,
    pub labels: Option<Vec<u8>>,
}

impl SpeechFiles {
    /// Opens a part of LibriSpeech, such as `train-clean-100`, which lies in `root/LibriSpeech/part`
    /// or `root/part`, or is `root` itself.
    ///
    /// Files are `<speaker>/<chapter>/<speaker>-<chapter>-<number>.flac` (or `.wav`); the order is
    /// that of their names.
    ///
    /// # Errors
    /// [`Error::MissingFile`] if there is no such folder; [`Error::TooFewUtterances`] if nothing in it
    /// is usable. Of a file, unless bad ones are to be skipped: [`Error::UtteranceName`],
    /// [`Error::SampleRate`], [`Error::Channels`], [`Error::Decode`], [`Error::Truncated`],
    /// [`Error::Silence`], [`Error::Io`].
    pub fn librispeech(
        root: impl AsRef<Path>,
        part: &str,
        options: &OpenOptions,
    ) -> Result<Self, Error> {
        let root = root.as_ref();
        let mut searched = vec![root.join("LibriSpeech").join(part), root.join(part)];
        if root.ends_with(part) {
            searched.push(root.to_owned());
        }
        let Some(folder) = searched.iter().find(|folder| folder.is_dir()) else {
            let (dataset, file) = ("librispeech".to_owned(), part.to_owned());
            return Err(Error::MissingFile { dataset, file, searched });
        };
        Self::open(format!("librispeech/{part}"), folder, options, librispeech_utterance)
    }

    /// Opens all sound files below `root`.
    ///
    /// An utterance's id is its path below `root` without the ending, with `/` between names; its
    /// speaker is the first folder of that path, if there is one.
    ///
    /// # Errors
    /// As [`librispeech`](Self::librispeech).
    pub fn folder(root: impl AsRef<Path>, options: &OpenOptions) -> Result<Self, Error> {
        let root = root.as_ref();
        Self::open(root.display().to_string(), root, options, folder_utterance)
    }

    fn open(
        name: String,
        root: &Path,
        options: &OpenOptions,
        utterance: fn(&Path, &Path) -> Result<Utterance, Error>,
    ) -> Result<Self, Error> {
        let mut files = Vec::new();
        walk(root, &mut files)?;
        let (entries, index) = index::look_at(root, &files, options.check, &options.cache);
        let mut skipped = Skipped::default();
        let mut items = Vec::with_capacity(files.len());
        for (path, entry) in files.into_iter().zip(entries) {
            let item = utterance(root, &path).and_then(|u| item(u, path, &entry?, options.rates));
            items.extend(skipped.sift(item, options.on_bad)?);
        }
        if items.is_empty() {
            return Err(Error::TooFewUtterances {
                what: "sound files",
                expected: 1,
                got: 0,
                skipped,
                place: root.display().to_string(),
            });
        }
        let items = distinct(items, options.on_bad, &mut skipped)?;
        let (classes, framing) = (0, Framing::default());
        Ok(Self { name, items, classes, framing, on_bad: options.on_bad, skipped, index })
    }

    /// The utterances of a list, in its order.
    ///
    /// # Errors
    /// [`Error::UnknownId`] if a name has no file, unless such names are to be skipped;
    /// [`Error::TooFewUtterances`] if nothing is left.
    pub fn select(&self, list: &SplitList) -> Result<Self, Error> {
        let places: std::collections::HashMap<&str, usize> =
            self.items.iter().map(|item| item.utterance.id.as_str()).zip(0..).collect();
        let mut skipped = Skipped::default();
        let mut items = Vec::with_capacity(list.len());
        for (line, id) in list.lines() {
            let found = places.get(id).ok_or_else(|| Error::UnknownId {
                id: id.to_owned(),
                line,
                path: list.path().to_owned(),
                place: self.name.clone(),
            });
            items.extend(skipped.sift(found, self.on_bad)?.map(|&i| self.items[i].clone()));
        }
        let name = match list.path().file_stem() {
            Some(stem) => format!("{}/{}", self.name, stem.to_string_lossy()),
            None => self.name.clone(),
        };
        if items.is_empty() {
            let (what, place) = ("split list", name);
            return Err(Error::TooFewUtterances { what, expected: 1, got: 0, skipped, place });
        }
        Ok(Self { name, items, skipped, ..*self })
    }

    /// The utterances that have labels, in the same order; none of them is an error elsewhere.
    #[must_use]
    pub fn labelled(mut self) -> Self {
        self.items.retain(|item| item.labels.is_some());
        self
    }

    /// The file of utterance `index`.
    ///
    /// # Panics
    /// `index` is not below [`len`](SpeechSource::len).
    #[must_use]
    pub fn path(&self, index: usize) -> &Path {
        &self.items[index].path
    }

    /// What was left out since the folder was opened, or since the list was read.
    #[must_use]
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// How the index came about.
    #[must_use]
    pub fn index(&self) -> IndexUse {
        self.index
    }
}

impl SpeechSource for SpeechFiles {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn utterance(&self, index: usize) -> &Utterance {
        &self.items[index].utterance
    }

    fn read(&self, index: usize, start: usize, into: &mut [f32]) -> Result<(), Error> {
        assert_read(self, index, start, into.len());
        let Item { path, rate, stored, .. } = &self.items[index];
        if *rate == RATE {
            return decode::read(path, start as u64, into);
        }
        let mut samples = vec![0.0; *stored as usize];
        decode::read(path, 0, &mut samples)?;
        let resampled = resample(&samples, *rate, path)?;
        into.copy_from_slice(&resampled[start..start + into.len()]);
        Ok(())
    }

    fn labels(&self, index: usize) -> Option<&[u8]> {
        self.items[index].labels.as_deref()
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn framing(&self) -> Framing {
        self.framing
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Joins what name and header say, if the file is of use.
fn item(
    mut utterance: Utterance,
    path: PathBuf,
    entry: &Entry,
    rates: Rates,
) -> Result<Item, Error> {
    let decode::Header { rate, channels, samples: stored } = entry.header();
    if channels != 1 {
        return Err(Error::Channels { got: channels, path });
    }
    if rate == 0 || (rate != RATE && rates == Rates::Refuse) {
        return Err(Error::SampleRate { expected: RATE, got: rate, path });
    }
    if stored == 0 {
        return Err(Error::Silence { samples: 0, path });
    }
    utterance.samples = resampled_len(stored, rate) as usize;
    Ok(Item { utterance, path, rate, stored, labels: None })
}

/// The items in the order of their names, without a second one of a name.
fn distinct(
    mut items: Vec<Item>,
    on_bad: OnBad,
    skipped: &mut Skipped,
) -> Result<Vec<Item>, Error> {
    // A stable sort: of equal names, the file that was found first comes first.
    items.sort_by(|a, b| a.utterance.id.cmp(&b.utterance.id));
    let mut kept: Vec<Item> = Vec::with_capacity(items.len());
    for item in items {
        let distinct = match kept.last() {
            Some(last) if last.utterance.id == item.utterance.id => {
                let Item { utterance: Utterance { id, .. }, path, .. } = item;
                Err(Error::SameUtterance { id, path })
            }
            _ => Ok(item),
        };
        kept.extend(skipped.sift(distinct, on_bad)?);
    }
    Ok(kept)
}
