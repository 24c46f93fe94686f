//! Folders of sound files: LibriSpeech in its own layout, and any other.

use std::path::{Path, PathBuf};

use super::frames::RATE;
use super::index::{self, Entry, IndexUse};
use super::layout::{folder_utterance, librispeech_utterance};
use super::lists::SplitList;
use super::options::{OpenOptions, Rates};
use super::resample::{RATES, resample, resampled_len};
use super::speech::{Recording, Utterance};
use super::{decode, other};
use crate::files::below;
use crate::source::{Item, Source};
use crate::{Error, OnBad, Skipped};

/// Utterances in sound files (FLAC, WAV, MP3, Ogg Vorbis, AAC in M4A), decoded when they are read.
///
/// Opening reads an index, or the headers of all files; samples are decoded on demand, by any number
/// of threads.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Source, sound::{OpenOptions, SpeechFiles}};
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
/// let utterance = files.info(0);
/// assert_eq!((utterance.id.as_str(), utterance.speaker.as_deref()), ("anna/hello", Some("anna")));
/// assert_eq!(files.get(0)?.samples[1], 100.0 / 32_768.0);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Debug)]
pub struct SpeechFiles {
    pub(super) name: String,
    pub(super) files: Vec<SoundFile>,
    pub(super) classes: usize,
    pub(super) on_bad: OnBad,
    pub(super) skipped: Skipped,
    pub(super) index: IndexUse,
}

#[derive(Clone, Debug)]
pub(super) struct SoundFile {
    pub utterance: Utterance,
    pub path: PathBuf,
    /// Samples in a second of the file.
    rate: u32,
    /// Samples of the file.
    stored: u64,
}

impl SpeechFiles {
    /// Opens a part of LibriSpeech, such as `train-clean-100`, which lies in `root/LibriSpeech/part`
    /// or `root/part`, or is `root` itself.
    ///
    /// Files are `<speaker>/<chapter>/<speaker>-<chapter>-<number>.flac` (or `.wav`); the order is
    /// that of their names.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such folder; [`Error::TooFew`] if nothing in it is usable. Of a
    /// file, unless bad ones are to be skipped: [`Error::Unfit`] for its name, rate, channels or silence,
    /// [`Error::Damaged`], [`Error::Io`].
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
            return Err(Error::missing_file("librispeech", part, &searched));
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
        let files = below(root, &decode::is_sound)?;
        if files.is_empty() {
            let (read, advice) =
                (other::READ, "convert other formats, as by ffmpeg -i FILE NEW.flac");
            return Err(Error::too_few("sound files", read, "none", root.display(), advice));
        }
        let (entries, index) = index::look_at(root, &files, options.check, &options.cache);
        let mut skipped = Skipped::default();
        let mut usable = Vec::with_capacity(files.len());
        for (path, entry) in files.into_iter().zip(entries) {
            let file =
                utterance(root, &path).and_then(|u| sound_file(u, path, &entry?, options.rates));
            usable.extend(skipped.sift(file, options.on_bad)?);
        }
        if usable.is_empty() {
            return Err(skipped.too_few_utterances("sound files", 1, 0, root.display()));
        }
        let files = distinct(usable, options.on_bad, &mut skipped)?;
        Ok(Self { name, files, classes: 0, on_bad: options.on_bad, skipped, index })
    }

    /// The utterances of a list, in its order.
    ///
    /// # Errors
    /// [`Error::Missing`] if a name has no file, unless such names are to be skipped;
    /// [`Error::TooFew`] if nothing is left.
    pub fn select(&self, list: &SplitList) -> Result<Self, Error> {
        let places: std::collections::HashMap<&str, usize> =
            self.files.iter().map(|file| file.utterance.id.as_str()).zip(0..).collect();
        let mut skipped = Skipped::default();
        let mut files = Vec::with_capacity(list.len());
        for (line, id) in list.lines() {
            let found = places.get(id).ok_or_else(|| {
                let expected = format!("an utterance of {}", self.name);
                let (got, place) = (format!("{id} at line {line}"), list.path().display());
                Error::missing("split list", expected, got, place, "is the data set complete?")
            });
            files.extend(skipped.sift(found, self.on_bad)?.map(|&i| self.files[i].clone()));
        }
        let name = match list.path().file_stem() {
            Some(stem) => format!("{}/{}", self.name, stem.to_string_lossy()),
            None => self.name.clone(),
        };
        if files.is_empty() {
            return Err(skipped.too_few_utterances("split list", 1, 0, name));
        }
        Ok(Self { name, files, skipped, ..*self })
    }

    /// The utterances that have labels, in the same order; none of them is an error elsewhere.
    #[must_use]
    pub fn labelled(mut self) -> Self {
        self.files.retain(|file| file.utterance.labels.is_some());
        self
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

impl Source for SpeechFiles {
    type Item = Recording;

    fn len(&self) -> usize {
        self.files.len()
    }

    fn info(&self, index: usize) -> &Utterance {
        &self.files[index].utterance
    }

    fn read(&self, index: usize, (start, into): (usize, &mut [f32])) -> Result<(), Error> {
        Recording::assert_part(self, index, &(start, &mut *into));
        let SoundFile { path, rate, stored, .. } = &self.files[index];
        if *rate == RATE {
            return decode::read(path, start as u64, into);
        }
        let mut samples = vec![0.0; *stored as usize];
        decode::read(path, 0, &mut samples)?;
        let resampled = resample(&samples, *rate, path)?;
        into.copy_from_slice(&resampled[start..start + into.len()]);
        Ok(())
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn item_name(&self, index: usize) -> Option<&str> {
        Some(&self.files[index].utterance.id)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Joins what name and header say, if the file is of use.
fn sound_file(
    mut utterance: Utterance,
    path: PathBuf,
    entry: &Entry,
    rates: Rates,
) -> Result<SoundFile, Error> {
    let decode::Header { rate, channels, samples: stored } = entry.header();
    if channels != 1 {
        let (expected, advice) = ("1 (mono)", "mix the file down");
        return Err(Error::unfit("channels", expected, channels, path.display(), advice));
    }
    let unfit = |expected, advice| {
        Error::unfit("sample rate", expected, format!("{rate} Hz"), path.display(), advice)
    };
    if rate != RATE && rates == Rates::Refuse {
        let advice = "resample the file, or have it done when it is read (data.rates=resample)";
        return Err(unfit(format!("{RATE} Hz"), advice));
    }
    if !RATES.contains(&rate) {
        let expected = format!("{} to {} Hz", RATES.start(), RATES.end());
        return Err(unfit(expected, "is the header damaged? resample the file elsewhere"));
    }
    if stored == 0 {
        return Err(Error::silence(0, &path));
    }
    utterance.samples = resampled_len(stored, rate) as usize;
    Ok(SoundFile { utterance, path, rate, stored })
}

/// The files in the order of their names, without a second one of a name.
fn distinct(
    mut files: Vec<SoundFile>,
    on_bad: OnBad,
    skipped: &mut Skipped,
) -> Result<Vec<SoundFile>, Error> {
    // A stable sort: of equal names, the file that was found first comes first.
    files.sort_by(|a, b| a.utterance.id.cmp(&b.utterance.id));
    let mut kept: Vec<SoundFile> = Vec::with_capacity(files.len());
    for file in files {
        let distinct = match kept.last() {
            Some(last) if last.utterance.id == file.utterance.id => {
                let (id, path) = (&last.utterance.id, &file.path);
                let expected = format!("one file for utterance {id}");
                let got = format!("{} as well", path.file_name().unwrap_or_default().display());
                Err(Error::unfit("sound", expected, got, path.display(), "remove one"))
            }
            _ => Ok(file),
        };
        kept.extend(skipped.sift(distinct, on_bad)?);
    }
    Ok(kept)
}
