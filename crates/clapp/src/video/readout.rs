//! Actions read out of frozen blocks, with their controls.

use std::borrow::Cow;

use burn::tensor::Device;
use clapp_datasets::{
    LastBatch, LoaderConfig, Order,
    video::{ClipBatch, ClipPipeline, Sampling},
};
use clapp_eval::{
    Features, Keep, Labels, LinearProbe, Protocol, Readout, Report, Series, metrics,
    probe::{Batches, LinearReadout, LinearTraining, TestClips, temporal_mean},
};
use ndarray::Array2;

use super::{
    ClipLoader, ReadoutConfig, Source, Video,
    data::{centred, views},
    network::{Film, films},
};
use crate::{
    Error, Trainer,
    readout::{self, Layers, RANDOM_ENCODER, RAW_PIXELS, classes, rows},
    sense::Trial,
};

/// The protocols that blocks are read out with.
pub(super) const PROTOCOLS: [Protocol; 4] =
    [Protocol::Standardised, Protocol::Knn, Protocol::Block, Protocol::BlockAuthors];

/// Reads actions out of a trained encoder and its controls into `report`.
///
/// Every number is taken with the same clips, views and seeds for all encoders. Encoders are frozen and
/// normalise with their running statistics; the random encoder is the trained one before its first step.
pub(super) fn read_out(trainer: &Trainer<Video>, report: &mut Report) -> Result<(), Error> {
    let Trial { config, seed, device } = trainer.trial();
    let Some(parts) = &trainer.data().labelled else { return Ok(()) };
    let setup = &config.setup;
    let random = Film::video(&setup.encoder, config.rule(&setup.rule), *seed, device)?.frozen();
    let trained = trainer.network().encoder().frozen();
    let encode = |batch: &ClipBatch| {
        let mut columns = blocks(&trained, batch, device);
        columns.extend(blocks(&random, batch, device));
        columns.push(temporal_mean(&batch.values, batch.shape));
        columns
    };
    let numbers = 1..=trained.layers.len();
    let mut columns: Vec<(&str, usize)> = Vec::new();
    columns.extend(numbers.clone().map(|block| (config.method.as_str(), block)));
    columns.extend(numbers.map(|block| (RANDOM_ENCODER, block)));
    columns.push((RAW_PIXELS, 0));
    let context = ReadOut { readout: &setup.readout, seed: *seed, parts, encode: &encode };
    let labels = Labels::All(context.clips()?);
    for (protocol, accuracies) in context.accuracies(labels)? {
        let series = Series { protocol, labels };
        for (&(encoder, block), accuracy) in columns.iter().zip(accuracies) {
            report.record(encoder, block, series, *seed, accuracy)?;
        }
    }
    Ok(())
}

/// Features of every block for a batch, `[clip, dim]` each.
type Encode<'a> = dyn Fn(&ClipBatch) -> Vec<Array2<f32>> + 'a;

/// The mean over time of every block's map, channels first, as PyTorch flattens.
pub(super) fn blocks(encoder: &Film, batch: &ClipBatch, device: &Device) -> Vec<Array2<f32>> {
    let mut blocks = Vec::with_capacity(encoder.layers.len());
    encoder.look(films(batch.clone(), device), &mut |_, grid| {
        let [clips, _, site, channel] = grid.dims();
        let mean = grid.mean_dim(1).reshape([clips, site, channel]).swap_dims(1, 2);
        blocks.push(rows(mean.reshape([clips, channel * site])));
    });
    blocks
}

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
    fn accuracies(&self, labels: Labels) -> Result<Vec<(Protocol, Vec<f64>)>, Error> {
        let (readout, [train, test]) = (self.readout, self.parts);
        let middle = centred(&readout.sampling);
        let test_middle = self.features(test, &middle, &readout.plain)?;
        let blocks = test_middle.len();
        let mut layers = Layers { fit: Vec::new(), views: Vec::new(), test: test_middle };
        let mut all = Vec::new();
        for protocol in [Protocol::Standardised, Protocol::Knn] {
            let Some(probe) = protocol.probe().filter(|_| readout.has(protocol)) else { continue };
            if layers.fit.is_empty() {
                layers.fit = self.features(train, &middle, &readout.plain)?;
            }
            let accuracy = |block| layers.accuracy(&*probe, block, (labels, 1), self.seed);
            all.push((protocol, (0..blocks).map(accuracy).collect::<Result<_, _>>()?));
        }
        if !readout.has(Protocol::Block) && !readout.has(Protocol::BlockAuthors) {
            return Ok(all);
        }
        let readouts = self.train()?;
        if readout.has(Protocol::Block) {
            all.push((Protocol::Block, scores(&readouts, &layers.test)));
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
            .map(|view| readout::features(&loader, view, self.encode, &Keep::default()))
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
        let loader = views(&self.parts[0], sampling, training, settings)?;
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
        views(clips, sampling, pipeline, self.settings())
    }

    fn features(
        &self,
        clips: &Source,
        sampling: &Sampling,
        pipeline: &ClipPipeline,
    ) -> Result<Vec<Features>, Error> {
        readout::features(
            &self.loader(clips, sampling, pipeline)?,
            0,
            self.encode,
            &Keep::default(),
        )
    }
}

/// Top-1 accuracy of every block.
fn scores(readouts: &[LinearReadout], blocks: &[Features]) -> Vec<f64> {
    let accuracy = |(readout, block): (&LinearReadout, &Features)| {
        metrics::top1(readout.scores(block.values()).view(), block.labels())
    };
    readouts.iter().zip(blocks).map(accuracy).collect()
}
