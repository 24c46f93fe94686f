//! Actions read out of frozen blocks, with their controls.

use std::borrow::Cow;

use burn::tensor::Device;
use clapp_datasets::{
    LastBatch, LoaderConfig, Order,
    video::{ClipBatch, ClipPipeline, Sampling},
};
use clapp_eval::{
    Features, Labels, LinearProbe, Protocol, Readout, Report, Series, StandardisedProbe, metrics,
    probe::{self, Batches, LinearReadout, LinearTraining, TestClips},
};

use super::{
    VideoData, VideoReadoutConfig, VideoRunConfig,
    data::{ClipLoader, Clips, View, centred},
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
    let random = Film::video(&config.encoder, &config.rule, seed, device)?.frozen();
    let trained = encoder.frozen();
    let encode = |batch: &ClipBatch| {
        let mut columns = features::blocks(&trained, batch, device);
        columns.extend(features::blocks(&random, batch, device));
        columns.push(features::pixels(batch));
        columns
    };
    let blocks = 1..=encoder.layers.len();
    let mut columns: Vec<Column> = Vec::new();
    columns.extend(blocks.clone().map(|block| (config.method.as_str(), block)));
    columns.extend(blocks.map(|block| (RANDOM_ENCODER, block)));
    columns.push((RAW_PIXELS, 0));
    let context = ReadOut { readout: &config.readout, seed, data, encode: &encode };
    for (protocol, accuracies) in context.accuracies()? {
        let series = Series { protocol, labels: Labels::All(context.clips()?) };
        for (&(encoder, block), accuracy) in columns.iter().zip(accuracies) {
            report.record(encoder, block, series, seed, accuracy)?;
        }
    }
    Ok(Extra::new())
}

/// Encoder and block of a set of features.
type Column<'a> = (&'a str, usize);

/// What all read-outs of one seed have in common. The blocks of all encoders are read out together, so
/// that every clip is decoded once for them all.
struct ReadOut<'a> {
    readout: &'a VideoReadoutConfig,
    seed: u64,
    data: &'a VideoData,
    encode: &'a Encode<'a>,
}

impl ReadOut<'_> {
    /// Accuracies of every block of every encoder, in the protocols that are asked for.
    fn accuracies(&self) -> Result<Vec<(Protocol, Vec<f64>)>, Error> {
        let (readout, data) = (self.readout, self.data);
        let middle = centred(&readout.sampling);
        let test = self.features(&data.test, &middle, &readout.plain)?;
        let mut all = Vec::new();
        if readout.has(Protocol::Standardised) {
            let train = self.features(&data.train, &middle, &readout.plain)?;
            all.push((Protocol::Standardised, self.standardised(&train, &test)?));
        }
        if !readout.has(Protocol::Block) && !readout.has(Protocol::BlockAuthors) {
            return Ok(all);
        }
        let readouts = self.train()?;
        if readout.has(Protocol::Block) {
            all.push((Protocol::Block, scores(&readouts, &test)));
        }
        if readout.has(Protocol::BlockAuthors) {
            let random = self.features(&data.test, &readout.sampling, &readout.authors)?;
            let mode = TestClips::Authors { seed: self.seed, batch: readout.batch };
            let part = mode.indices(random[0].len());
            // A set of a few clips has no such part.
            if !part.is_empty() {
                let part: Vec<Features> = random.iter().map(|block| block.subset(&part)).collect();
                all.push((Protocol::BlockAuthors, scores(&readouts, &part)));
            }
        }
        Ok(all)
    }

    /// Training clips that are long enough.
    fn clips(&self) -> Result<usize, Error> {
        let VideoReadoutConfig { sampling, plain, .. } = self.readout;
        Ok(self.loader(&self.data.train, sampling, plain)?.kept().len())
    }

    fn standardised(&self, train: &[Features], test: &[Features]) -> Result<Vec<f64>, Error> {
        let probe = StandardisedProbe::default();
        let accuracy = |(train, test)| Ok(probe::accuracy(&probe, train, test, self.seed)?);
        train.iter().zip(test).map(accuracy).collect()
    }

    /// The authors' classifier of every block.
    fn train(&self) -> Result<Vec<LinearReadout>, Error> {
        let VideoReadoutConfig { epochs, batch, learning_rate, views, .. } = *self.readout;
        let batches = Batches::Whole(batch);
        let probe = LinearProbe { epochs, batches, learning_rate, ..LinearProbe::block() };
        match views {
            Some(views) => self.train_on_views(&probe, views.min(epochs)),
            None => self.train_anew(&probe),
        }
    }

    /// Some views, kept: the encoder works once for each.
    fn train_on_views(
        &self,
        probe: &LinearProbe,
        views: usize,
    ) -> Result<Vec<LinearReadout>, Error> {
        let VideoReadoutConfig { sampling, training, .. } = self.readout;
        let loader = self.loader(&self.data.train, sampling, training)?;
        let views = (0..views as u64)
            .map(|view| features::features(&loader, view, self.encode))
            .collect::<Result<Vec<_>, Error>>()?;
        let train = |block: usize| {
            let view = |epoch: usize| Cow::Borrowed(&views[epoch % views.len()][block]);
            Ok(probe.train(self.seed, view)?.readout)
        };
        (0..views[0].len()).map(train).collect()
    }

    /// A view of its own for every epoch: all blocks learn from a batch, which is then forgotten.
    fn train_anew(&self, probe: &LinearProbe) -> Result<Vec<LinearReadout>, Error> {
        let VideoReadoutConfig { sampling, training, .. } = self.readout;
        let settings =
            LoaderConfig { order: Order::Shuffled, last_batch: LastBatch::Drop, ..self.settings() };
        let loader = View { sampling, pipeline: training, settings }.of(&self.data.train)?;
        let mut classifiers: Vec<LinearTraining> = Vec::new();
        for epoch in 0..probe.epochs {
            for batch in loader.epoch(epoch as u64)? {
                let batch = batch?;
                let labels = features::labels(&batch);
                for (block, features) in (self.encode)(&batch).into_iter().enumerate() {
                    if classifiers.len() <= block {
                        let classes = self.data.train.classes();
                        classifiers.push(probe.begin(features.ncols(), classes, self.seed)?);
                    }
                    classifiers[block].step(features.view(), &labels, epoch);
                }
            }
        }
        Ok(classifiers.iter().map(LinearTraining::readout).collect())
    }

    fn settings(&self) -> LoaderConfig {
        let (batch_size, seed) = (self.readout.batch, self.seed);
        LoaderConfig { batch_size, seed, ..LoaderConfig::clips_in_order() }
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
    ) -> Result<Vec<Features>, Error> {
        features::features(&self.loader(clips, sampling, pipeline)?, 0, self.encode)
    }
}

/// Top-1 accuracy of every block.
fn scores(readouts: &[LinearReadout], blocks: &[Features]) -> Vec<f64> {
    let accuracy = |(readout, block): (&LinearReadout, &Features)| {
        metrics::top1(readout.scores(block.values()).view(), block.labels())
    };
    readouts.iter().zip(blocks).map(accuracy).collect()
}
