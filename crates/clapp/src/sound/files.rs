//! Sound files of a run: where they lie, what their labels are.

use std::path::{Path, PathBuf};

use clapp_datasets::{
    OnBad, Source,
    sound::{Check, Framing, OpenOptions, PhoneLabels, Rates, SpeechFiles, SplitList},
};
use serde::{Deserialize, Serialize};

use crate::{Error, data::left_out};

/// Sound files to learn from, and labelled ones for read-outs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesConfig {
    /// Files to learn from, without labels.
    pub unlabelled: Place,
    /// List of the utterances to learn from; all if none.
    pub learn: Option<PathBuf>,
    /// Files that the labels are of.
    pub labelled: Place,
    /// Labels; without them nothing is read out.
    pub labels: Option<LabelsConfig>,
    /// What becomes of files of another rate than 16 kHz.
    pub rates: RatesConfig,
    /// What becomes of files, lines and names that cannot be used.
    pub on_bad: OnBad,
}

/// A folder of sound files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "layout")]
pub enum Place {
    /// A part of LibriSpeech in its own layout.
    Librispeech {
        /// Folder of the part, or one above it.
        root: PathBuf,
        /// The part, such as `train-clean-100`.
        part: String,
    },
    /// All FLAC, WAV, MP3, Ogg Vorbis and M4A files below a folder; the first folder below it names the speaker.
    Folder {
        /// The folder.
        root: PathBuf,
    },
}

/// Phone labels of a part of the files: one per 10 ms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelsConfig {
    /// One file for all, an utterance a line; if none, `name.phones` beside every `name.wav`.
    pub file: Option<PathBuf>,
    /// Classes that they count.
    pub classes: usize,
    /// The class of silence, if there is one.
    pub silence: Option<u32>,
    /// Which samples a label describes.
    pub framing: Framing,
    /// List of the utterances that read-outs are fitted on.
    pub train: PathBuf,
    /// List of those that they are tested on.
    pub test: PathBuf,
}

/// What becomes of files of another rate than 16 kHz.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RatesConfig {
    /// They are bad files: published numbers are of 16 kHz.
    #[default]
    Refuse,
    /// They are resampled.
    Resample,
}

impl Place {
    /// Its name in reports.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Librispeech { part, .. } => format!("librispeech/{part}"),
            Self::Folder { root } => root.display().to_string(),
        }
    }

    fn open(&self, options: &OpenOptions) -> Result<SpeechFiles, clapp_datasets::Error> {
        match self {
            Self::Librispeech { root, part } => SpeechFiles::librispeech(root, part, options),
            Self::Folder { root } => SpeechFiles::folder(root, options),
        }
    }
}

impl LabelsConfig {
    /// The published labels of LibriSpeech: 41 classes, 0 is silence; labels and lists under their
    /// published names in `folder`.
    ///
    /// ```
    /// use clapp::sound::LabelsConfig;
    /// let labels = LabelsConfig::published("datasets/labels".as_ref());
    /// assert_eq!(labels.classes, 41);
    /// assert!(labels.train.ends_with("train_split.txt"));
    /// ```
    #[must_use]
    pub fn published(folder: &Path) -> Self {
        Self {
            file: Some(folder.join("converted_aligned_phones.txt")),
            classes: 41,
            silence: Some(0),
            framing: Framing::Windows,
            train: folder.join("train_split.txt"),
            test: folder.join("test_split.txt"),
        }
    }
}

impl FilesConfig {
    /// LibriSpeech below `root`: learns from `part`, reads out with labels of `labelled`.
    ///
    /// Where the two are the same part, it learns from the list that read-outs are fitted on, as
    /// published results do. Without labels it learns from all of `part`, and nothing is read out.
    ///
    /// ```
    /// use clapp::sound::FilesConfig;
    /// let files = FilesConfig::librispeech("datasets".as_ref(), "train-clean-100", "dev-clean", None);
    /// assert!(files.learn.is_none() && files.labels.is_none());
    /// ```
    #[must_use]
    pub fn librispeech(
        root: &Path,
        part: &str,
        labelled: &str,
        labels: impl Into<Option<LabelsConfig>>,
    ) -> Self {
        let place =
            |part: &str| Place::Librispeech { root: root.to_owned(), part: part.to_owned() };
        Self::of(place(part), place(labelled), labels.into())
    }

    /// Any folder of sound files: learns, without labels, from the list that read-outs are fitted on, or
    /// from all of the folder if there are none.
    #[must_use]
    pub fn folder(root: &Path, labels: impl Into<Option<LabelsConfig>>) -> Self {
        let place = Place::Folder { root: root.to_owned() };
        Self::of(place.clone(), place, labels.into())
    }

    fn of(unlabelled: Place, labelled: Place, labels: Option<LabelsConfig>) -> Self {
        let listed = labels.as_ref().filter(|_| unlabelled == labelled);
        let learn = listed.map(|labels| labels.train.clone());
        let (rates, on_bad) = (RatesConfig::Refuse, OnBad::Refuse);
        Self { unlabelled, learn, labelled, labels, rates, on_bad }
    }

    fn options(&self) -> OpenOptions {
        let rates = match self.rates {
            RatesConfig::Refuse => Rates::Refuse,
            RatesConfig::Resample => Rates::Resample,
        };
        // Damage is found before the first step, and once: the index remembers it.
        OpenOptions { rates, check: Check::Samples, on_bad: self.on_bad, ..OpenOptions::default() }
    }

    /// Opens the files to learn from.
    pub(super) fn open_unlabelled(&self, notes: &mut Vec<String>) -> Result<SpeechFiles, Error> {
        let files = self.unlabelled.open(&self.options())?;
        left_out(notes, files.name(), files.skipped().iter());
        match &self.learn {
            None => Ok(files),
            Some(list) => listed(&files, list, notes),
        }
    }

    /// Opens the files that read-outs are fitted on, and those that they are tested on.
    pub(super) fn open_labelled(
        &self,
        labels: &LabelsConfig,
        notes: &mut Vec<String>,
    ) -> Result<[SpeechFiles; 2], Error> {
        let LabelsConfig { file, classes, framing, train, test, .. } = labels;
        let files = self.labelled.open(&self.options())?;
        left_out(notes, files.name(), files.skipped().iter());
        let before = files.skipped().len();
        let files = match file {
            Some(file) => {
                let labels = PhoneLabels::read(file, *classes, self.on_bad)?.framed(*framing);
                left_out(notes, &file.display().to_string(), labels.skipped().iter());
                files.with_labels(&labels)?
            }
            None => files.with_label_files(*classes, *framing)?,
        };
        left_out(notes, files.name(), files.skipped().iter().skip(before));
        let mut part = |list| self.part(&files, labels, list, notes);
        Ok([part(train)?, part(test)?])
    }

    /// The labelled utterances of a list.
    fn part(
        &self,
        files: &SpeechFiles,
        labels: &LabelsConfig,
        list: &Path,
        notes: &mut Vec<String>,
    ) -> Result<SpeechFiles, Error> {
        let part = listed(files, list, notes)?;
        let bare = (0..part.len()).filter(|&index| part.info(index).labels.is_none());
        let bare: Vec<Error> = bare
            .map(|index| unlabelled(&part.info(index).id, labels.file.as_deref(), list))
            .collect();
        if bare.len() < part.len() && self.on_bad == OnBad::Skip {
            left_out(notes, part.name(), bare.iter());
            return Ok(part.labelled());
        }
        bare.into_iter().next().map_or(Ok(part), Err)
    }
}

/// An utterance for read-outs has no labels.
fn unlabelled(id: &str, labels: Option<&Path>, list: &Path) -> Error {
    let place = labels.map_or("the file beside it".into(), |path| path.display().to_string());
    Error::misfit_of(
        "labels",
        format!("labels of every utterance of {}", list.display()),
        format!("none of {id} in {place}"),
        "correct the list, or skip such utterances",
    )
}

/// The utterances of a list, in its order.
fn listed(files: &SpeechFiles, list: &Path, notes: &mut Vec<String>) -> Result<SpeechFiles, Error> {
    let part = files.select(&SplitList::read(list)?)?;
    left_out(notes, &list.display().to_string(), part.skipped().iter());
    Ok(part)
}
