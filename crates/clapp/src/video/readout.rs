//! Actions read out of frozen blocks, with their controls.

use std::borrow::Cow;

use burn::tensor::Device;
use clapp_datasets::{
    LastBatch, Order,
    video::{ClipLoader, ClipLoaderConfig, ClipPipeline, Sampling},
};
use clapp_eval::{
    Features, Labels, Protocol, Readout, Report, Series, StandardisedProbe, metrics,
    probe::{self, BlockClassifier, BlockProbe, LinearReadout, TestClips},
};

use super::{
    VideoData, VideoReadoutConfig, VideoRunConfig,
    data::{Clips, View, centred},
    features::{self, Encode, Film},
};
use crate::{Error, RANDOM_ENCODER, RAW_PIXELS, experiment::Extra};

/// Reads actions out of a trained encoder and its controls into `report`.
///
/// Every number is taken with the same clips, views and seeds for all encoders. Encoders are frozen and
/// normalise with their running statistics; the random encoder is the trained one before its first step.
///
/// # Errors
///
/// If clips cannot be read or a read-out does not converge.
pub(super) fn read_out(
    config: &VideoRunConfig,
    seed: u64,
    data: &VideoData,
    encoder: &Film,
    device: &Device,
    report: &mut Report,
) -> Result<Extra, Error> {
    let [trained_on, evaluated_on] = data.names.clone();
    (report.trained_on, report.evaluated_on) = (trained_on, evaluated_on);
    report.classes = data.test.classes();
    let context = ReadOut { readout: &config.readout, seed, data };
    let random = Film::video(&config.encoder, &config.rule, seed, device)?;
    for (name, encoder) in [(config.method.as_str(), encoder), (RANDOM_ENCODER, &random)] {
        let frozen = encoder.frozen();
        context.record(name, 1, &|batch| features::blocks(&frozen, batch, device), report)?;
    }
    context.record(RAW_PIXELS, 0, &features::pixels, report)?;
    let mut extra = Extra::new();
    if !data.skipped.is_empty() {
        extra.insert("skipped.txt".to_owned(), data.skipped.clone());
    }
    Ok(extra)
}

/// What all read-outs of one seed have in common.
struct ReadOut<'a> {
    readout: &'a VideoReadoutConfig,
    seed: u64,
    data: &'a VideoData,
}

impl ReadOut<'_> {
    /// All protocols for every block of one encoder.
    fn record(
        &self,
        encoder: &str,
        first_block: usize,
        encode: &Encode<'_>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let (readout, data) = (self.readout, self.data);
        let middle = centred(&readout.sampling);
        let test = self.features(&data.test, &middle, &readout.plain, encode)?;
        let clips = self.loader(&data.train, &middle, &readout.plain)?.selection().kept.len();
        let labels = Labels::All(clips);
        let mut note = |protocol, accuracies: Vec<f64>| -> Result<(), Error> {
            for (block, accuracy) in accuracies.into_iter().enumerate() {
                let series = Series { protocol, labels };
                report.record(encoder, first_block + block, series, self.seed, accuracy)?;
            }
            Ok(())
        };
        if readout.has(Protocol::Standardised) {
            let train = self.features(&data.train, &middle, &readout.plain, encode)?;
            note(Protocol::Standardised, self.standardised(&train, &test)?)?;
        }
        if !readout.has(Protocol::Block) && !readout.has(Protocol::BlockAuthors) {
            return Ok(());
        }
        let readouts = self.train(encode)?;
        if readout.has(Protocol::Block) {
            note(Protocol::Block, scores(&readouts, &test))?;
        }
        if readout.has(Protocol::BlockAuthors) {
            let random = self.features(&data.test, &readout.sampling, &readout.authors, encode)?;
            let mode = TestClips::Authors { seed: self.seed, batch: readout.batch };
            let part = mode.indices(random[0].len());
            // A set of a few clips has no such part.
            if !part.is_empty() {
                let part: Vec<Features> = random.iter().map(|block| block.subset(&part)).collect();
                note(Protocol::BlockAuthors, scores(&readouts, &part))?;
            }
        }
        Ok(())
    }

    fn standardised(&self, train: &[Features], test: &[Features]) -> Result<Vec<f64>, Error> {
        let probe = StandardisedProbe::default();
        let accuracy = |(train, test)| Ok(probe::accuracy(&probe, train, test, self.seed)?);
        train.iter().zip(test).map(accuracy).collect()
    }

    /// The authors' classifier of every block.
    fn train(&self, encode: &Encode<'_>) -> Result<Vec<LinearReadout>, Error> {
        let VideoReadoutConfig { epochs, batch, learning_rate, views, .. } = *self.readout;
        let probe = BlockProbe { epochs, batch, learning_rate, ..BlockProbe::default() };
        match views {
            Some(views) => self.train_on_views(&probe, views.min(epochs), encode),
            None => self.train_anew(&probe, encode),
        }
    }

    /// Some views, kept: the encoder works once for each.
    fn train_on_views(
        &self,
        probe: &BlockProbe,
        views: usize,
        encode: &Encode<'_>,
    ) -> Result<Vec<LinearReadout>, Error> {
        let VideoReadoutConfig { sampling, training, .. } = self.readout;
        let loader = self.loader(&self.data.train, sampling, training)?;
        let views = (0..views as u64)
            .map(|view| features::features(&loader, view, encode))
            .collect::<Result<Vec<_>, Error>>()?;
        let train = |block: usize| {
            let view = |epoch: usize| Cow::Borrowed(&views[epoch % views.len()][block]);
            Ok(probe.train(self.seed, view)?.readout)
        };
        (0..views[0].len()).map(train).collect()
    }

    /// A view of its own for every epoch: all blocks learn from a batch, which is then forgotten.
    fn train_anew(
        &self,
        probe: &BlockProbe,
        encode: &Encode<'_>,
    ) -> Result<Vec<LinearReadout>, Error> {
        let VideoReadoutConfig { sampling, training, .. } = self.readout;
        let settings = ClipLoaderConfig {
            order: Order::Shuffled,
            last_batch: LastBatch::Drop,
            ..self.settings()
        };
        let loader = View { sampling, pipeline: training, settings }.of(&self.data.train)?;
        let mut classifiers: Vec<BlockClassifier> = Vec::new();
        for epoch in 0..probe.epochs {
            for batch in loader.epoch(epoch as u64)? {
                let batch = batch?;
                let labels = features::labels(&batch);
                for (block, features) in encode(&batch).into_iter().enumerate() {
                    if classifiers.len() <= block {
                        let classes = self.data.train.classes();
                        classifiers.push(probe.classifier(features.ncols(), classes, self.seed)?);
                    }
                    classifiers[block].step(features.view(), &labels, epoch);
                }
            }
        }
        Ok(classifiers.iter().map(BlockClassifier::readout).collect())
    }

    fn settings(&self) -> ClipLoaderConfig {
        let (batch_size, seed) = (self.readout.batch, self.seed);
        ClipLoaderConfig { batch_size, seed, ..ClipLoaderConfig::evaluation() }
    }

    fn loader(
        &self,
        clips: &Clips,
        sampling: &Sampling,
        pipeline: &ClipPipeline,
    ) -> Result<ClipLoader, Error> {
        View { sampling, pipeline, settings: self.settings() }.of(clips)
    }

    fn features(
        &self,
        clips: &Clips,
        sampling: &Sampling,
        pipeline: &ClipPipeline,
        encode: &Encode<'_>,
    ) -> Result<Vec<Features>, Error> {
        features::features(&self.loader(clips, sampling, pipeline)?, 0, encode)
    }
}

/// Top-1 accuracy of every block.
fn scores(readouts: &[LinearReadout], blocks: &[Features]) -> Vec<f64> {
    let accuracy = |(readout, block): (&LinearReadout, &Features)| {
        metrics::top1(readout.scores(block.values()).view(), block.labels())
    };
    readouts.iter().zip(blocks).map(accuracy).collect()
}
