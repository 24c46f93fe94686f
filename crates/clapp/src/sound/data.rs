//! From a configuration to sound: to learn from, for read-outs, for testing.

use std::sync::Arc;

use clapp_datasets::{
    Augment, Loader, LoaderConfig, OnBad, Source, Subset,
    sound::{Recording, SpeechFiles, SpeechPipeline, crop_labels, synthetic},
};

use super::{FilesConfig, SoundDataConfig, SoundRunConfig, files::left_out};
use crate::Error;

/// A source of speech that several readers share.
pub(super) type Speech = Arc<dyn Source<Item = Recording>>;

/// The parts of a set of sound.
#[derive(Clone)]
pub struct SoundData {
    /// Utterances to learn from; their labels, if any, are read by methods that learn from labels.
    pub heard: Speech,
    /// Labelled utterances that read-outs are fitted on, and those that they are tested on.
    pub labelled: Option<[Speech; 2]>,
    /// Names of what is learnt from and what is read out, as they stand in the report.
    pub names: [String; 2],
    /// What a reader of results has to know of them, such as what was left out.
    pub notes: Vec<String>,
    /// What becomes of utterances shorter than a crop.
    on_short: OnBad,
}

impl std::fmt::Debug for SoundData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoundData")
            .field("names", &self.names)
            .field("heard", &self.heard.len())
            .field(
                "labelled",
                &self.labelled.as_ref().map(|parts| parts.each_ref().map(|p| p.len())),
            )
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
                // Labels are given to the talkers of the read-out's training part.
                let taught =
                    if config.learning.needs_labels() { Part::Train } else { Part::Unlabelled };
                Ok(Self {
                    heard: part(taught, unlabelled),
                    labelled: Some([part(Part::Train, train), part(Part::Test, test)]),
                    names: [name.clone(), name],
                    notes: Vec::new(),
                    on_short: OnBad::Refuse,
                })
            }
            SoundDataConfig::Files(files) => Self::files(config, files),
        }
    }

    fn files(config: &SoundRunConfig, files: &FilesConfig) -> Result<Self, Error> {
        let (readout, on_short, mut notes) = (&config.readout, files.on_bad, Vec::new());
        let Some(labels) = &files.labels else {
            let heard = files.open_unlabelled(&mut notes)?;
            notes.push("nothing is read out, because there are no labels".to_owned());
            let names = [counted(&heard), "nothing".to_owned()];
            return Ok(Self { heard: Arc::new(heard), labelled: None, names, notes, on_short });
        };
        let [train, test] = files.open_labelled(labels, &mut notes)?;
        let evaluated_on = format!("{} tested on", counted(&test));
        let (taught, train): (String, Speech) = (counted(&train), Arc::new(train));
        let (heard, trained_on): (Speech, String) = if config.learning.needs_labels() {
            (
                covered(&train, &config.pipeline, on_short, &mut notes)?,
                format!("{taught}, labelled"),
            )
        } else {
            let heard = files.open_unlabelled(&mut notes)?;
            let name = counted(&heard);
            (Arc::new(heard), name)
        };
        let labelled = Some([first(train, readout.train)?, first(Arc::new(test), readout.test)?]);
        Ok(Self { heard, labelled, names: [trained_on, evaluated_on], notes, on_short })
    }

    /// Crops for learning.
    pub(super) fn loader(
        &self,
        config: &SoundRunConfig,
        seed: u64,
    ) -> Result<Loader<SpeechPipeline>, Error> {
        let (batch_size, on_bad) = (config.batch, self.on_short);
        let settings =
            LoaderConfig { batch_size, seed, on_bad, workers: 1, ..LoaderConfig::speech() };
        Ok(Loader::new(self.heard.clone(), config.pipeline, settings)?)
    }
}

/// How many utterances of what: data that are a part of others are reported as such.
fn counted(files: &SpeechFiles) -> String {
    format!("{} utterances of {}", files.len(), files.name())
}

/// The first `count` utterances.
fn first(speech: Speech, count: Option<usize>) -> Result<Speech, Error> {
    let count = count.unwrap_or(usize::MAX).min(speech.len());
    Ok(Arc::new(Subset::new(speech, (0..count).collect())?))
}

/// The utterances whose crops have a label for every output.
fn covered(
    speech: &Speech,
    pipeline: &SpeechPipeline,
    on_bad: OnBad,
    notes: &mut Vec<String>,
) -> Result<Speech, Error> {
    let crop = pipeline.crop;
    let (mut covered, mut others) = (Vec::new(), Vec::new());
    for index in 0..speech.len() {
        let utterance = speech.info(index);
        let samples = utterance.samples;
        // Every crop that begins on the grid has all its labels; the first samples have not.
        let start =
            (samples >= crop).then(|| pipeline.start(samples, Augment::Evaluation, 0, 0, 0));
        if start.and_then(|start| crop_labels(start, crop, samples, utterance.framing)).is_some() {
            covered.push(index);
        } else {
            let (id, place) = (utterance.id.clone(), speech.name().to_owned());
            others.push(Error::Uncovered { id, samples, crop, place });
        }
    }
    if on_bad == OnBad::Skip {
        left_out(notes, speech.name(), others.iter());
        others.clear();
    }
    match others.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(Arc::new(Subset::new(speech.clone(), covered)?)),
    }
}
