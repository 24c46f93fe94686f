//! Everything that decides what a run on sound computes.

use burn::tensor::Device;
use clapp_datasets::sound::{HOP, SpeechPipeline, synthetic};
use clapp_encoders::SoundConfig;
use clapp_eval::Report;
use clapp_rules::{Optimizer, Rule};
use serde::{Deserialize, Serialize};

use super::{FilesConfig, SoundData, SoundTrainer};
use crate::{Error, Experiment, Learning, Schedule, experiment::check_settings};

/// Where sound comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum SoundDataConfig {
    /// The embedded synthetic talkers: nothing to download.
    Synthetic {
        /// Utterances to learn from; with labels for a method that needs them.
        unlabelled: usize,
        /// Labelled utterances for read-outs.
        train: usize,
        /// Utterances for testing them.
        test: usize,
    },
    /// LibriSpeech, or any folders of sound files.
    Files(FilesConfig),
}

impl SoundDataConfig {
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
    pub fn silence(&self) -> Option<u8> {
        match self {
            Self::Synthetic { .. } => Some(synthetic::SILENCE as u8),
            Self::Files(files) => files.labels.as_ref()?.silence,
        }
    }
}

/// How features of sound are read out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundReadoutConfig {
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

/// A run on sound: data, encoder, rule, optimizer, length.
///
/// Two runs with equal configurations give equal results, bit for bit on one machine's CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SoundRunConfig {
    /// Name of the preset it began as.
    pub preset: String,
    /// Method, as it stands in reports.
    pub method: String,
    /// Data.
    pub data: SoundDataConfig,
    /// Crop and scaling.
    pub pipeline: SpeechPipeline,
    /// Encoder, with the recurrence of its last layer.
    pub encoder: SoundConfig,
    /// Plasticity rule, with the window that it looks at.
    pub rule: Rule,
    /// How the rule's signals, or labels, reach the weights.
    #[serde(default)]
    pub learning: Learning,
    /// Optimizer of every layer.
    pub optimizer: Optimizer,
    /// Crops in a batch.
    pub batch: usize,
    /// Crops to hear without labels; a multiple of what fits into whole batches is heard.
    pub crops: u64,
    /// Steps between lines of the metrics.
    pub metrics_every: u64,
    /// Steps between checkpoints; one more is written at the end.
    pub checkpoint_every: u64,
    /// Checkpoints kept.
    pub checkpoints_kept: usize,
    /// Read-outs at the end.
    pub readout: SoundReadoutConfig,
    /// Seeds: the run is repeated for each of them, from data to read-outs.
    pub seeds: Vec<u64>,
}

impl Experiment for SoundRunConfig {
    type Learner = SoundTrainer;

    fn validate(&self) -> Result<(), Error> {
        self.learning.check()?;
        self.encoder.validate(&self.rule)?;
        let (expected, got) = (self.encoder.samples, self.pipeline.crop);
        if expected != got {
            return Err(Error::Crop { expected, got });
        }
        if self.encoder.hop() != HOP {
            return Err(Error::Hop { got: self.encoder.hop() });
        }
        let (classes, silence) = (self.data.classes(), self.data.silence().map_or(0, usize::from));
        if self.data.labelled() && (!(1..=256).contains(&classes) || silence >= classes) {
            return Err(Error::Classes { classes, silence });
        }
        if self.learning.needs_labels() && !self.data.labelled() {
            return Err(Error::NoLabels { learning: self.learning });
        }
        let numbers = [
            ("batch", self.batch as u64),
            ("crops", self.crops),
            ("paper_epochs", self.readout.paper_epochs as u64),
            ("readout.train", self.readout.train.unwrap_or(1) as u64),
            ("readout.kept", self.readout.kept.unwrap_or(1) as u64),
            ("speaker_epochs", self.readout.speaker_epochs.unwrap_or(1) as u64),
            ("readout.test", self.readout.test.unwrap_or(1) as u64),
        ];
        check_settings(&self.schedule(), &numbers)?;
        let pool = self.rule.negatives.pool.unwrap_or(self.batch);
        if pool == 0 || !self.batch.is_multiple_of(pool) {
            return Err(Error::Pool { batch: self.batch, pool });
        }
        Ok(())
    }

    /// The embedded talkers always suffice and are not generated for this.
    fn check_data(&self) -> Result<(), Error> {
        if matches!(self.data, SoundDataConfig::Synthetic { .. }) {
            return Ok(());
        }
        let seed = self.seeds.first().copied().unwrap_or_default();
        SoundData::open(self, seed)?.loader(self, seed)?;
        Ok(())
    }

    fn name(&self) -> String {
        format!("sound-{}-{}", self.preset, self.method)
    }

    fn schedule(&self) -> Schedule<'_> {
        let Self { seeds, metrics_every, checkpoint_every, checkpoints_kept, .. } = self;
        Schedule {
            seeds,
            metrics_every: *metrics_every,
            checkpoint_every: *checkpoint_every,
            checkpoints_kept: *checkpoints_kept,
        }
    }

    fn report(&self) -> Report {
        let name = self.data.name();
        Report::new(name.clone(), name, self.data.classes())
    }

    fn open(&self, seed: u64, device: &Device) -> Result<SoundTrainer, Error> {
        SoundTrainer::new(self, seed, &SoundData::open(self, seed)?, device)
    }
}
