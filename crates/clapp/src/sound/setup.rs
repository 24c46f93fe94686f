//! The part of a run's configuration that is about sound.

use clapp_datasets::{
    OnBad,
    sound::{SpeechPipeline, synthetic},
};
use clapp_encoders::SoundConfig;
use clapp_eval::Protocol;
use clapp_rules::Rule;
use serde::{Deserialize, Serialize};

use super::FilesConfig;

/// Where sound comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum DataConfig {
    /// The embedded synthetic talkers: nothing to download.
    Synthetic {
        /// Utterances to learn from; with labels for a method that needs them.
        unlabelled: usize,
        /// Labelled utterances for read-outs.
        train: usize,
        /// Utterances for testing them.
        test: usize,
        /// Deviation of the background noise in percent of the speech's.
        #[serde(default = "quiet", skip_serializing_if = "is_quiet")]
        noise: u32,
    },
    /// LibriSpeech, or any folders of sound files.
    Files(FilesConfig),
}

/// The talkers' background noise in percent, unless it is said.
pub(super) fn quiet() -> u32 {
    (100.0 * synthetic::BACKGROUND) as u32
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_quiet(noise: &u32) -> bool {
    *noise == quiet()
}

impl DataConfig {
    /// Name of the data, as long as they are not open.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Synthetic { .. } => "synthetic speech".to_owned(),
            Self::Files(files) => files.unlabelled.name(),
        }
    }

    /// Classes that labels count; 0 without labels.
    #[must_use]
    pub fn classes(&self) -> usize {
        match self {
            Self::Synthetic { .. } => synthetic::CLASSES,
            Self::Files(files) => files.labels.as_ref().map_or(0, |labels| labels.classes),
        }
    }

    /// Whether there are labels to read out.
    #[must_use]
    pub fn labelled(&self) -> bool {
        !matches!(self, Self::Files(FilesConfig { labels: None, .. }))
    }

    /// The class of silence, without which accuracies are reported too.
    #[must_use]
    pub fn silence(&self) -> Option<u32> {
        match self {
            Self::Synthetic { .. } => Some(synthetic::SILENCE),
            Self::Files(files) => files.labels.as_ref()?.silence,
        }
    }

    /// Name of a class: its number where it has none.
    pub(super) fn class_name(&self, class: usize) -> String {
        match self {
            Self::Synthetic { .. } => synthetic::CLASS_NAMES[class].to_owned(),
            _ if self.silence() == Some(class as u32) => synthetic::CLASS_NAMES[0].to_owned(),
            Self::Files(_) => class.to_string(),
        }
    }

    /// What becomes of what cannot be used.
    pub(super) fn on_bad(&self) -> OnBad {
        match self {
            Self::Synthetic { .. } => OnBad::Refuse,
            Self::Files(files) => files.on_bad,
        }
    }
}

/// How features of sound are read out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadoutConfig {
    /// Which protocols: any of `paper`, `standardised` and `knn`.
    #[serde(default = "protocols")]
    pub protocols: Vec<Protocol>,
    /// Utterances that read-outs are fitted on, the first ones; all if none.
    pub train: Option<usize>,
    /// Utterances that they are tested on.
    pub test: Option<usize>,
    /// Utterances whose features stay in memory, the first ones; all if none. The standardised read-out
    /// is fitted on these. If there are more, the paper's encodes all of them anew in every epoch.
    #[serde(default)]
    pub kept: Option<usize>,
    /// Epochs of the paper's read-out.
    pub paper_epochs: usize,
    /// Epochs of the read-out of speakers; none leaves speakers out.
    #[serde(default)]
    pub speaker_epochs: Option<usize>,
}

/// The protocols of runs that were made before they could be chosen.
pub(super) fn protocols() -> Vec<Protocol> {
    vec![Protocol::Paper, Protocol::Standardised]
}

/// The part of a run's configuration that is about sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Data.
    pub data: DataConfig,
    /// Crop and scaling.
    pub pipeline: SpeechPipeline,
    /// Encoder, with the recurrence of its last layer.
    pub encoder: SoundConfig,
    /// Plasticity rule, with the window that it looks at.
    pub rule: Rule,
    /// Crops to hear without labels; a multiple of what fits into whole batches is heard.
    pub crops: u64,
    /// Read-outs at the end.
    pub readout: ReadoutConfig,
}
