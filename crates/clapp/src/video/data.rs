//! From a configuration to clips: without labels, for read-outs, for testing.

use std::sync::Arc;

use clapp_datasets::{
    LastBatch, Loader, LoaderConfig, Source as _,
    video::{
        ClipPipeline, Sampling, Start,
        moving::{MovingScenes, Part},
    },
};

use super::{ClipLoader, ClipsConfig, DataConfig, Setup, Source, Video};
use crate::{Data, Error, RunConfig};

/// A loader of views of a source.
pub(super) fn views(
    clips: &Source,
    sampling: &Sampling,
    pipeline: &ClipPipeline,
    settings: LoaderConfig,
) -> Result<ClipLoader, Error> {
    Ok(Loader::new(clips.clone(), (sampling.clone(), pipeline.clone()), settings)?)
}

/// Opens videos, after preparing those that are not prepared yet; or draws scenes when they are read.
pub(super) fn open(config: &RunConfig<Video>, seed: u64) -> Result<Data<Video>, Error> {
    match &config.setup.data {
        &DataConfig::MovingScenes { unlabelled, train, test, frames, side } => {
            let part = |part, count| -> Source {
                let scenes = MovingScenes::new(seed, part, count);
                Arc::new(scenes.with_frames(frames).with_side(side))
            };
            let name = config.setup.data.name();
            let test = part(Part::Test, test);
            Ok(Data {
                learn: match config.learning.needs_labels() {
                    true => part(Part::Train, train),
                    false => part(Part::Unlabelled, unlabelled),
                },
                classes: test.classes(),
                labelled: Some([part(Part::Train, train), test]),
                names: [name.clone(), name],
                notes: Vec::new(),
            })
        }
        DataConfig::Clips(clips) => open_clips(&config.setup, clips),
    }
}

fn open_clips(setup: &Setup, clips: &ClipsConfig) -> Result<Data<Video>, Error> {
    let [train, test] = clips.prepare(|_| {})?;
    let mut notes: Vec<String> = [&train, &test]
        .into_iter()
        .filter(|part| !part.skipped().is_empty())
        .map(|part| format!("{}: {}", part.name(), part.skipped()))
        .collect();
    let (train, test): (Source, Source) = (Arc::new(train), Arc::new(test));
    let mut count = |clips: &Source, sampling: &Sampling| {
        let selection = sampling.select(clips);
        let note = format!("{}: {selection}", clips.name());
        if !selection.short.is_empty() && !notes.contains(&note) {
            notes.push(note);
        }
        selection.kept.len()
    };
    let (learning, readout) = (&setup.sampling, &setup.readout.sampling);
    let counts = [(&train, learning), (&train, readout), (&test, readout)];
    let [learnt, fitted, tested] = counts.map(|(clips, sampling)| count(clips, sampling));
    let [of_train, of_test] = [train.name(), test.name()];
    let names = [
        format!("{learnt} clips of {of_train}"),
        format!("{fitted} clips of {of_train}, tested on {tested} of {of_test}"),
    ];
    let classes = test.classes();
    Ok(Data { learn: train.clone(), labelled: Some([train, test]), classes, names, notes })
}

/// Clips for learning.
pub(super) fn loader(
    config: &RunConfig<Video>,
    seed: u64,
    data: &Data<Video>,
) -> Result<ClipLoader, Error> {
    let settings = LoaderConfig { batch_size: config.batch, seed, ..LoaderConfig::clips() };
    let Setup { sampling, pipeline, .. } = &config.setup;
    let loader = views(&data.learn, sampling, pipeline, settings)?;
    check_side(&loader, config)?;
    Ok(loader)
}

/// Checks that there are enough clips, of the right size, for learning and for every read-out.
pub(super) fn check(config: &RunConfig<Video>) -> Result<(), Error> {
    let data = open(config, config.seeds.first().copied().unwrap_or_default())?;
    loader(config, 0, &data)?;
    let Some([train, test]) = &data.labelled else { return Ok(()) };
    let readout = &config.setup.readout;
    let batch_size = readout.batch;
    for (clips, pipeline, last_batch) in [
        (train, &readout.training, LastBatch::Drop),
        (train, &readout.plain, LastBatch::Keep),
        (test, &readout.authors, LastBatch::Keep),
        (test, &readout.plain, LastBatch::Keep),
    ] {
        let settings = LoaderConfig { batch_size, last_batch, ..LoaderConfig::clips_in_order() };
        let loader = views(clips, &readout.sampling, pipeline, settings)?;
        check_side(&loader, config)?;
    }
    Ok(())
}

/// The same from the middle of a clip.
pub(super) fn centred(sampling: &Sampling) -> Sampling {
    Sampling { start: Start::Centre, ..sampling.clone() }
}

fn check_side(loader: &ClipLoader, config: &RunConfig<Video>) -> Result<(), Error> {
    let ([_, colours, _, side, _], encoder) = (loader.shape(), &config.setup.encoder);
    Error::unless_same_pixels([encoder.colours, encoder.size], [colours, side])
}
