//! Actions read out of frozen blocks, with their controls.

use std::borrow::Cow;

use clapp_datasets::{
    LastBatch, LoaderConfig, Order, Source as _,
    video::{ClipBatch, ClipPipeline, Sampling},
};
use clapp_eval::{
    Features, Labels, LinearProbe, Protocol, Readout, Report, Series, metrics,
    probe::{Batches, LinearReadout, LinearTraining, TestClips},
};

use super::{
    ClipLoader, ReadoutConfig, Source, Video,
    data::{View, centred},
    features::{self, Encode, Film},
};
use crate::{
    Error, Trainer,
    readout::{RANDOM_ENCODER, RAW_PIXELS, accuracies, classes, probe_of},
    sense::Trial,
};

/// The protocols that blocks are read out with.
pub(super) const PROTOCOLS: [Protocol; 4] =
    [Protocol::Standardised, Protocol::Knn, Protocol::Block, Protocol::BlockAuthors];

/// Reads actions out of a trained encoder and its controls into `report`.
///
/// Every number is taken with the same clips, views and seeds for all encoders. Encoders are frozen and
/// normalise with their running statistics; the random encoder is the trained one before its first step.
///
/// # Errors
///
/// If clips cannot be read or a read-out does not converge.
pub(super) fn read_out(trainer: &Trainer<Video>, report: &mut Report) -> Result<(), Error> {
    let Trial { config, seed, device } = trainer.trial();
    let Some(parts) = &trainer.data().labelled else { return Ok(()) };
    let seed = *seed;
    let setup = &config.setup;
    let random = Film::video(&setup.encoder, &setup.rule, seed, device)?.frozen();
    let trained = trainer.network().encoder().frozen();
    let encode = |batch: &ClipBatch| {
        let mut columns = features::blocks(&trained, batch, device);
        columns.extend(features::blocks(&random, batch, device));
        columns.push(features::pixels(batch));
        columns
    };
    let blocks = 1..=trained.layers.len();
    let mut columns: Vec<Column> = Vec::new();
    columns.extend(blocks.clone().map(|block| (config.method.as_str(), block)));
    columns.extend(blocks.map(|block| (RANDOM_ENCODER, block)));
    columns.push((RAW_PIXELS, 0));
    let context = ReadOut { readout: &setup.readout, seed, parts, encode: &encode };
    for (protocol, accuracies) in context.accuracies()? {
        let series = Series { protocol, labels: Labels::All(context.clips()?) };
        for (&(encoder, block), accuracy) in columns.iter().zip(accuracies) {
            report.record(encoder, block, series, seed, accuracy)?;
        }
    }
    Ok(())
}

/// Encoder and block of a set of features.
type Column<'a> = (&'a str, usize);

/// What all read-outs of one seed have in common. The blocks of all encoders are read out together, so
/// that every clip is decoded once for them all.
struct ReadOut<'a> {
    readout: &'a ReadoutConfig,
    seed: u64,
    parts: &'a [Source; 2],
    encode: &'a Encode<'a>,
}

impl ReadOut<'_> {
    /// Accuracies of every block of every encoder, in the protocols that are asked for.
    fn accuracies(&self) -> Result<Vec<(Protocol, Vec<f64>)>, Error> {
        let (readout, [train, test]) = (self.readout, self.parts);
        let middle = centred(&readout.sampling);
        let tested = self.features(test, &middle, &readout.plain)?;
        let mut all = Vec::new();
        let mut fitted = None;
        for &protocol in &readout.protocols {
            let Some(probe) = probe_of(protocol) else { continue };
            let fitted = match &mut fitted {
                Some(fitted) => fitted,
                none => none.insert(self.features(train, &middle, &readout.plain)?),
            };
            all.push((protocol, accuracies(probe.as_ref(), fitted, &tested, self.seed)?));
        }
        if !readout.has(Protocol::Block) && !readout.has(Protocol::BlockAuthors) {
            return Ok(all);
        }
        let readouts = self.train()?;
        if readout.has(Protocol::Block) {
            all.push((Protocol::Block, scores(&readouts, &tested)));
        }
        if readout.has(Protocol::BlockAuthors) {
            let random = self.features(test, &readout.sampling, &readout.authors)?;
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
        let ReadoutConfig { sampling, plain, .. } = self.readout;
        Ok(self.loader(&self.parts[0], sampling, plain)?.kept().len())
    }

    /// The authors' classifier of every block.
    fn train(&self) -> Result<Vec<LinearReadout>, Error> {
        let ReadoutConfig { epochs, batch, learning_rate, views, .. } = *self.readout;
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
        let ReadoutConfig { sampling, training, .. } = self.readout;
        let loader = self.loader(&self.parts[0], sampling, training)?;
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
        let ReadoutConfig { sampling, training, .. } = self.readout;
        let settings =
            LoaderConfig { order: Order::Shuffled, last_batch: LastBatch::Drop, ..self.settings() };
        let loader = View { sampling, pipeline: training, settings }.of(&self.parts[0])?;
        let mut classifiers: Vec<LinearTraining> = Vec::new();
        for epoch in 0..probe.epochs {
            for batch in loader.epoch(epoch as u64)? {
                let batch = batch?;
                let labels = classes(&batch.labels);
                for (block, features) in (self.encode)(&batch).into_iter().enumerate() {
                    if classifiers.len() <= block {
                        let classes = self.parts[0].classes();
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
        clips: &Source,
        sampling: &Sampling,
        pipeline: &ClipPipeline,
    ) -> Result<ClipLoader, Error> {
        View { sampling, pipeline, settings: self.settings() }.of(clips)
    }

    fn features(
        &self,
        clips: &Source,
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
