//! From a configuration to clips: without labels, for read-outs, for testing.

use std::sync::Arc;

use clapp_datasets::{
    LastBatch, Loader, LoaderConfig, Source,
    video::{
        Clip, ClipPipeline, Sampling, Start,
        moving::{MovingScenes, Part},
    },
};

use super::{ClipsConfig, VideoDataConfig, VideoRunConfig};
use crate::Error;

/// A source of clips that several loaders share.
pub(super) type Clips = Arc<dyn Source<Item = Clip>>;

/// A loader of clips.
pub(super) type ClipLoader = Loader<(Sampling, ClipPipeline)>;

/// The three parts of a set of videos.
#[derive(Clone)]
pub struct VideoData {
    /// Clips to learn from; their labels, if any, are never read.
    pub unlabelled: Clips,
    /// Labelled clips for read-outs.
    pub train: Clips,
    /// Labelled clips for testing them.
    pub test: Clips,
    /// Names of what is learnt from and what is read out, as they stand in the report.
    pub names: [String; 2],
    /// What is left out, and why.
    pub notes: Vec<String>,
}

impl std::fmt::Debug for VideoData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VideoData")
            .field("names", &self.names)
            .field("unlabelled", &self.unlabelled.len())
            .field("train", &self.train.len())
            .field("test", &self.test.len())
            .finish_non_exhaustive()
    }
}

/// Which views of a source a loader makes.
pub(super) struct View<'a> {
    pub sampling: &'a Sampling,
    pub pipeline: &'a ClipPipeline,
    pub settings: LoaderConfig,
}

impl View<'_> {
    pub(super) fn of(&self, clips: &Clips) -> Result<ClipLoader, Error> {
        let views = (self.sampling.clone(), self.pipeline.clone());
        Ok(Loader::new(clips.clone(), views, self.settings.clone())?)
    }
}

impl VideoData {
    /// Opens videos, after preparing those that are not prepared yet; or draws scenes when they are read.
    ///
    /// # Errors
    ///
    /// If a video or a list is missing or damaged, ffmpeg is missing, or nothing can be used; unless such
    /// are to be skipped.
    pub fn open(config: &VideoRunConfig, seed: u64) -> Result<Self, Error> {
        match &config.data {
            &VideoDataConfig::MovingScenes { unlabelled, train, test, frames, side } => {
                let part = |part, count| -> Clips {
                    let scenes = MovingScenes::new(seed, part, count);
                    Arc::new(scenes.with_frames(frames).with_side(side))
                };
                let name = config.data.name();
                Ok(Self {
                    unlabelled: match config.learning.needs_labels() {
                        true => part(Part::Train, train),
                        false => part(Part::Unlabelled, unlabelled),
                    },
                    train: part(Part::Train, train),
                    test: part(Part::Test, test),
                    names: [name.clone(), name],
                    notes: Vec::new(),
                })
            }
            VideoDataConfig::Clips(clips) => Self::open_clips(config, clips),
        }
    }

    fn open_clips(config: &VideoRunConfig, clips: &ClipsConfig) -> Result<Self, Error> {
        let [train, test] = clips.prepare(|_| {})?;
        let mut notes: Vec<String> = [&train, &test]
            .into_iter()
            .filter(|part| !part.skipped().is_empty())
            .map(|part| format!("{}: {}", part.name(), part.skipped()))
            .collect();
        let (train, test): (Clips, Clips) = (Arc::new(train), Arc::new(test));
        let mut count = |clips: &Clips, sampling: &Sampling| {
            let selection = sampling.select(clips);
            let note = format!("{}: {selection}", clips.name());
            if !selection.short.is_empty() && !notes.contains(&note) {
                notes.push(note);
            }
            selection.kept.len()
        };
        let (learning, readout) = (&config.sampling, &config.readout.sampling);
        let counts = [(&train, learning), (&train, readout), (&test, readout)];
        let [learnt, fitted, tested] = counts.map(|(clips, sampling)| count(clips, sampling));
        let [of_train, of_test] = [train.name(), test.name()];
        let names = [
            format!("{learnt} clips of {of_train}"),
            format!("{fitted} clips of {of_train}, tested on {tested} of {of_test}"),
        ];
        Ok(Self { unlabelled: train.clone(), train, test, names, notes })
    }

    /// Clips for learning.
    pub(super) fn loader(&self, config: &VideoRunConfig, seed: u64) -> Result<ClipLoader, Error> {
        let settings = LoaderConfig { batch_size: config.batch, seed, ..LoaderConfig::clips() };
        let VideoRunConfig { sampling, pipeline, .. } = config;
        let loader = View { sampling, pipeline, settings }.of(&self.unlabelled)?;
        check_side(&loader, config)?;
        Ok(loader)
    }

    /// Checks that there are enough clips, of the right size, for learning and for every read-out.
    pub(super) fn check(&self, config: &VideoRunConfig) -> Result<(), Error> {
        self.loader(config, 0)?;
        let readout = &config.readout;
        let batch_size = readout.batch;
        for (clips, pipeline, last_batch) in [
            (&self.train, &readout.training, LastBatch::Drop),
            (&self.train, &readout.plain, LastBatch::Keep),
            (&self.test, &readout.authors, LastBatch::Keep),
            (&self.test, &readout.plain, LastBatch::Keep),
        ] {
            let settings =
                LoaderConfig { batch_size, last_batch, ..LoaderConfig::clips_in_order() };
            let loader = View { sampling: &readout.sampling, pipeline, settings }.of(clips)?;
            check_side(&loader, config)?;
        }
        Ok(())
    }
}

/// The same from the middle of a clip.
pub(super) fn centred(sampling: &Sampling) -> Sampling {
    Sampling { start: Start::Centre, ..sampling.clone() }
}

fn check_side(loader: &ClipLoader, config: &VideoRunConfig) -> Result<(), Error> {
    let [_, colours, _, side, _] = loader.shape();
    let expected = [config.encoder.colours, config.encoder.size];
    match [colours, side] == expected {
        true => Ok(()),
        false => Err(Error::Pipeline { expected, found: [colours, side] }),
    }
}
