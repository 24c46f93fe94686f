//! From a configuration to sound: without labels, for read-outs, for testing.

use std::sync::Arc;

use clapp_datasets::{
    LoaderConfig,
    sound::{OnBad, SpeechFiles, SpeechLoader, SpeechSource, SpeechSubset, synthetic},
};

use super::{SoundDataConfig, SoundRunConfig};
use crate::Error;

/// A source of speech that several readers share.
type Speech = Arc<dyn SpeechSource>;

/// The three parts of a set of sound.
#[derive(Clone)]
pub struct SoundData {
    /// Utterances to learn from; their labels, if any, are never read.
    pub unlabelled: Speech,
    /// Labelled utterances for read-outs.
    pub train: Speech,
    /// Labelled utterances for testing them.
    pub test: Speech,
    /// Names of what is learnt from and what is read out, as they stand in the report.
    pub names: [String; 2],
    /// What becomes of utterances shorter than a crop.
    on_short: OnBad,
}

impl std::fmt::Debug for SoundData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoundData")
            .field("names", &self.names)
            .field("unlabelled", &self.unlabelled.len())
            .field("train", &self.train.len())
            .field("test", &self.test.len())
            .finish_non_exhaustive()
    }
}

impl SoundData {
    /// Opens or generates the utterances.
    ///
    /// # Errors
    ///
    /// If a file is missing, damaged, silent or of another format than 16 kHz mono, or labels and lists
    /// do not fit the files; unless such are to be skipped.
    pub fn open(config: &SoundRunConfig, seed: u64) -> Result<Self, Error> {
        match &config.data {
            &SoundDataConfig::Synthetic { unlabelled, train, test } => {
                use synthetic::Part;
                let part =
                    |part, count| -> Speech { Arc::new(synthetic::utterances(seed, part, count)) };
                let name = config.data.name();
                Ok(Self {
                    unlabelled: part(Part::Unlabelled, unlabelled),
                    train: part(Part::Train, train),
                    test: part(Part::Test, test),
                    names: [name.clone(), name],
                    on_short: OnBad::Refuse,
                })
            }
            SoundDataConfig::Files(files) => {
                let unlabelled = files.open_unlabelled()?;
                let [train, test] = files.open_labelled()?;
                let names = [counted(&unlabelled), format!("{} tested on", counted(&test))];
                let (readout, on_short) = (&config.readout, files.on_bad);
                Ok(Self {
                    unlabelled: Arc::new(unlabelled),
                    train: first(train, readout.train)?,
                    test: first(test, readout.test)?,
                    names,
                    on_short,
                })
            }
        }
    }

    /// Crops for learning.
    pub(super) fn loader(&self, config: &SoundRunConfig, seed: u64) -> Result<SpeechLoader, Error> {
        let settings =
            LoaderConfig { batch_size: config.batch, seed, workers: 1, ..SpeechLoader::training() };
        let (source, pipeline) = (self.unlabelled.clone(), config.pipeline);
        Ok(SpeechLoader::new(source, pipeline, settings, self.on_short)?)
    }
}

/// How many utterances of what: data that are a part of others are reported as such.
fn counted(files: &SpeechFiles) -> String {
    let skipped = match files.skipped().len() {
        0 => String::new(),
        count => format!(", {count} skipped"),
    };
    format!("{} utterances of {}{skipped}", files.len(), files.name())
}

/// The first `count` utterances.
fn first(files: SpeechFiles, count: Option<usize>) -> Result<Speech, Error> {
    let count = count.unwrap_or(usize::MAX).min(files.len());
    Ok(Arc::new(SpeechSubset::new(files, (0..count).collect())?))
}
