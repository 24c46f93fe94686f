//! From a configuration to sound: to learn from, for read-outs, for testing.

use std::sync::Arc;

use clapp_datasets::{
    Augment, Loader, LoaderConfig, OnBad, Source as _, Subset,
    sound::{SpeechFiles, SpeechPipeline, crop_labels, synthetic},
};

use super::{DataConfig, FilesConfig, Sound, Source};
use crate::{Data, Error, RunConfig, data::left_out};

/// Opens or generates the utterances.
pub(super) fn open(config: &RunConfig<Sound>, seed: u64) -> Result<Data<Sound>, Error> {
    match &config.setup.data {
        &DataConfig::Synthetic { unlabelled, train, test, noise } => {
            use synthetic::{Part, utterances_in};
            // Of a whole number of percent the nearest number: 15 % are 0.15.
            let background = f64::from(noise) / 100.0;
            let part =
                |part, count| -> Source { Arc::new(utterances_in(background, seed, part, count)) };
            let name = config.setup.data.name();
            // Labels are given to the talkers of the read-out's training part.
            let taught =
                if config.learning.needs_labels() { Part::Train } else { Part::Unlabelled };
            Ok(Data {
                learn: part(taught, unlabelled),
                labelled: Some([part(Part::Train, train), part(Part::Test, test)]),
                classes: config.setup.data.classes(),
                names: [name.clone(), name],
                notes: Vec::new(),
            })
        }
        DataConfig::Files(files) => open_files(config, files),
    }
}

fn open_files(config: &RunConfig<Sound>, files: &FilesConfig) -> Result<Data<Sound>, Error> {
    let (readout, mut notes) = (&config.setup.readout, Vec::new());
    let classes = config.setup.data.classes();
    let Some(labels) = &files.labels else {
        let learn = files.open_unlabelled(&mut notes)?;
        notes.push("nothing is read out, because there are no labels".to_owned());
        let names = [counted(&learn), "nothing".to_owned()];
        return Ok(Data { learn: Arc::new(learn), labelled: None, classes, names, notes });
    };
    let [train, test] = files.open_labelled(labels, &mut notes)?;
    let evaluated_on = format!("{} tested on", counted(&test));
    let (taught, train): (String, Source) = (counted(&train), Arc::new(train));
    let (learn, trained_on): (Source, String) = if config.learning.needs_labels() {
        let pipeline = &config.setup.pipeline;
        let covered = covered(&train, pipeline, files.on_bad, &mut notes)?;
        (covered, format!("{taught}, labelled"))
    } else {
        let learn = files.open_unlabelled(&mut notes)?;
        let name = counted(&learn);
        (Arc::new(learn), name)
    };
    let labelled = Some([first(train, readout.train)?, first(Arc::new(test), readout.test)?]);
    Ok(Data { learn, labelled, classes, names: [trained_on, evaluated_on], notes })
}

/// Crops for learning; utterances that are too short for one are noted.
pub(super) fn loader(
    config: &RunConfig<Sound>,
    seed: u64,
    data: &mut Data<Sound>,
) -> Result<Loader<SpeechPipeline>, Error> {
    let (batch_size, on_bad) = (config.batch, config.setup.data.on_bad());
    let settings = LoaderConfig { batch_size, seed, on_bad, workers: 1, ..LoaderConfig::speech() };
    let loader = Loader::new(data.learn.clone(), config.setup.pipeline, settings)?;
    left_out(&mut data.notes, "crops", loader.skipped().iter());
    Ok(loader)
}

/// The embedded talkers always suffice and are not generated for this.
pub(super) fn check(config: &RunConfig<Sound>) -> Result<(), Error> {
    if matches!(config.setup.data, DataConfig::Synthetic { .. }) {
        return Ok(());
    }
    let seed = config.seeds.first().copied().unwrap_or_default();
    loader(config, seed, &mut open(config, seed)?).map(|_| ())
}

/// How many utterances of what: data that are a part of others are reported as such.
fn counted(files: &SpeechFiles) -> String {
    format!("{} utterances of {}", files.len(), files.name())
}

/// The first `count` utterances.
fn first(speech: Source, count: Option<usize>) -> Result<Source, Error> {
    let count = count.unwrap_or(usize::MAX).min(speech.len());
    Ok(Arc::new(Subset::new(speech, (0..count).collect())?))
}

/// The utterances whose crops have a label for every output.
fn covered(
    speech: &Source,
    pipeline: &SpeechPipeline,
    on_bad: OnBad,
    notes: &mut Vec<String>,
) -> Result<Source, Error> {
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
            others.push(uncovered(&utterance.id, samples, crop, speech.name()));
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

/// Crops of an utterance reach beyond its labels.
fn uncovered(id: &str, samples: usize, crop: usize, place: &str) -> Error {
    Error::misfit_of(
        "labels",
        format!("a label for every output of a crop of {crop} samples"),
        format!("fewer for {id} of {samples} samples in {place}"),
        "leave out utterances that are hardly longer than a crop, or skip them",
    )
}
