//! Classes read out of frozen layers, with their controls.

use std::borrow::Cow;

use clapp_datasets::{Augment, Batch, Loader, LoaderConfig, Order};
use clapp_encoders::Stack;
use clapp_eval::{
    Features, Labels, LinearProbe, Protocol, Readout, Report, Series, metrics, probe,
};
use ndarray::Array2;

use super::{Images, Source, tensor};
use crate::{
    Error, Sense, Trainer,
    readout::{Gathered, RANDOM_ENCODER, RAW_PIXELS, chosen, classes, probe_of, rows},
    run::Extra,
    sense::Trial,
};

/// The protocols that images are read out with.
pub(super) const PROTOCOLS: [Protocol; 3] =
    [Protocol::Standardised, Protocol::Paper, Protocol::Knn];

/// Images that pass through the encoder at a time.
const CHUNK: usize = 64;

/// Reads out a trained encoder and its controls into `report`.
///
/// Every number is taken with the same images, labels and seeds for all encoders. The random encoder is
/// the trained one before its first step.
pub(super) fn read_out(trainer: &Trainer<Images>, report: &mut Report) -> Result<Extra, Error> {
    let (trial, data) = (trainer.trial(), trainer.data());
    let Some(parts) = &data.labelled else { return Ok(Extra::new()) };
    let context = ReadOut { trial, parts };
    let random = Images::network(trial, data)?;
    let encoders: [(&str, &Stack); 2] =
        [(&trial.config.method, trainer.network()), (RANDOM_ENCODER, &random)];
    for (name, encoder) in encoders {
        let encode = |batch: Batch| {
            encoder.features(tensor(batch, &trial.device)).into_iter().map(rows).collect()
        };
        context.record(name, 1, &encode, report)?;
    }
    let pixels = |batch: Batch| vec![flat(batch)];
    context.record(RAW_PIXELS, 0, &pixels, report)?;
    Ok(Extra::new())
}

/// Features of every layer for a batch.
type Encode<'a> = dyn Fn(Batch) -> Vec<Array2<f32>> + 'a;

fn flat(batch: Batch) -> Array2<f32> {
    let [count, ..] = batch.shape;
    let dim = batch.values.len() / count.max(1);
    Array2::from_shape_vec((count, dim), batch.values).expect("a batch has whole images")
}

/// What all read-outs of one seed have in common.
struct ReadOut<'a> {
    trial: &'a Trial<Images>,
    parts: &'a [Source; 2],
}

impl ReadOut<'_> {
    /// All protocols, all and few labels, for every layer of one encoder.
    fn record(
        &self,
        encoder: &str,
        first_layer: usize,
        encode: &Encode<'_>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let (settings, [train, test]) = (&self.trial.config.setup.readout, self.parts);
        let test = self.features(test, Augment::Evaluation, 0, encode)?;
        let plain = self.features(train, Augment::Evaluation, 0, encode)?;
        // The paper's read-out learns from random views of the training images.
        let random = |view| self.features(train, Augment::Training, view, encode);
        let views = match settings.protocols.contains(&Protocol::Paper) {
            true => (0..settings.paper_views as u64).map(random).collect::<Result<_, _>>()?,
            false => Vec::new(),
        };
        let columns = [Labels::All(plain[0].len()), Labels::PerClass(settings.few)];
        for (layer, test) in test.iter().enumerate() {
            let views: Vec<&Features> = views.iter().map(|view| &view[layer]).collect();
            for labels in columns {
                for &protocol in &settings.protocols {
                    let accuracy = |draw| match probe_of(protocol) {
                        Some(probe) => {
                            let train = chosen(&plain[layer], labels, draw)?;
                            Ok(probe::accuracy(probe.as_ref(), &train, test, self.trial.seed)?)
                        }
                        None => self.paper(&views, test, labels, draw),
                    };
                    let draws = self.draws(labels);
                    let accuracies = draws.map(accuracy).collect::<Result<Vec<f64>, Error>>()?;
                    let accuracy = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
                    let (series, layer) = (Series { protocol, labels }, first_layer + layer);
                    report.record(encoder, layer, series, self.trial.seed, accuracy)?;
                }
            }
        }
        Ok(())
    }

    /// Seeds of the draws of few labels; one draw of all of them.
    fn draws(&self, labels: Labels) -> std::ops::Range<u64> {
        match labels {
            Labels::PerClass(_) => 0..self.trial.config.setup.readout.few_draws as u64,
            _ => 0..1,
        }
    }

    fn paper(
        &self,
        views: &[&Features],
        test: &Features,
        labels: Labels,
        draw: u64,
    ) -> Result<f64, Error> {
        let epochs = self.trial.config.setup.readout.paper_epochs;
        let subsets = views
            .iter()
            .map(|view| chosen(view, labels, draw))
            .collect::<Result<Vec<_>, Error>>()?;
        let view = |epoch: usize| Cow::Borrowed(subsets[epoch % subsets.len()].as_ref());
        let probe = LinearProbe { epochs, ..LinearProbe::paper() };
        let scores = probe.train(self.trial.seed, view)?.readout.scores(test.values());
        Ok(metrics::top1(scores.view(), test.labels()))
    }

    /// Features of all labelled images of a source, one set per layer.
    fn features(
        &self,
        source: &Source,
        augment: Augment,
        view: u64,
        encode: &Encode<'_>,
    ) -> Result<Vec<Features>, Error> {
        let settings = LoaderConfig {
            batch_size: CHUNK,
            seed: self.trial.seed,
            order: Order::Sequential,
            augment,
            workers: 1,
            ..LoaderConfig::evaluation()
        };
        let pipeline = self.trial.config.setup.pipeline.clone();
        let loader = Loader::new(source.clone(), pipeline, settings)?;
        let mut gathered = Gathered::default();
        for batch in loader.epoch(view)? {
            let batch = batch?;
            gathered.push(classes(&batch.labels), encode(batch));
        }
        gathered.features(source.classes())
    }
}
