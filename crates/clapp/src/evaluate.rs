//! Read-outs of frozen layers, with their controls.

use std::borrow::Cow;

use burn::tensor::Device;
use clapp_datasets::{Augment, Batch, Loader, LoaderConfig, Order};
use clapp_encoders::Stack;
use clapp_eval::{
    Features, Labels, PaperProbe, Protocol, Readout, Report, Series, StandardisedProbe, metrics,
    probe,
};
use ndarray::Array2;

use crate::{Data, Error, RunConfig, data::Source, train::images};

/// Name of the trained encoder's control: the same weights before any learning.
pub const RANDOM_ENCODER: &str = "random encoder";
/// Name of the control without any encoder.
pub const RAW_PIXELS: &str = "raw pixels";

/// Images that pass through the encoder at a time.
const CHUNK: usize = 64;

/// Reads out a trained encoder and its controls into `report`.
///
/// Every number is taken with the same images, labels and seeds for all encoders. The random encoder is
/// the trained one before its first step.
///
/// # Errors
///
/// If images cannot be read or a read-out does not converge.
pub fn evaluate(
    config: &RunConfig,
    seed: u64,
    data: &Data,
    stack: &Stack,
    device: &Device,
    report: &mut Report,
) -> Result<(), Error> {
    let context = ReadOut { config, seed, data };
    let random = Stack::init(&config.encoder, &config.rule, config.context, seed, device)?;
    for (name, encoder) in [(config.method.as_str(), stack), (RANDOM_ENCODER, &random)] {
        let encode = |batch: Batch| layer_features(encoder, batch, device);
        context.record(name, 1, &encode, report)?;
    }
    let pixels = |batch: Batch| vec![flat(batch)];
    context.record(RAW_PIXELS, 0, &pixels, report)
}

/// Features of every layer for a batch.
type Encode<'a> = dyn Fn(Batch) -> Vec<Array2<f32>> + 'a;

fn layer_features(stack: &Stack, batch: Batch, device: &Device) -> Vec<Array2<f32>> {
    let features = stack.features(images(batch, device));
    let host = |tensor: burn::tensor::Tensor<2>| {
        let shape = tensor.dims();
        let values = tensor.into_data().try_to_vec::<f32>().expect("features are computed in f32");
        Array2::from_shape_vec(shape, values)
            .expect("a tensor has as many values as its shape says")
    };
    features.into_iter().map(host).collect()
}

fn flat(batch: Batch) -> Array2<f32> {
    let [count, ..] = batch.shape;
    let dim = batch.values.len() / count.max(1);
    Array2::from_shape_vec((count, dim), batch.values).expect("a batch has whole images")
}

/// What all read-outs of one seed have in common.
struct ReadOut<'a> {
    config: &'a RunConfig,
    seed: u64,
    data: &'a Data,
}

impl ReadOut<'_> {
    /// Both protocols, all and few labels, for every layer of one encoder.
    fn record(
        &self,
        encoder: &str,
        first_layer: usize,
        encode: &Encode<'_>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let (data, settings) = (self.data, &self.config.readout);
        let test = self.features(&data.test, Augment::Evaluation, 0, encode)?;
        let plain = self.features(&data.train, Augment::Evaluation, 0, encode)?;
        // The paper's read-out learns from random views of the training images.
        let views = (0..settings.paper_views as u64)
            .map(|view| self.features(&data.train, Augment::Training, view, encode))
            .collect::<Result<Vec<_>, _>>()?;
        let columns = [Labels::All(plain[0].len()), Labels::PerClass(settings.few)];
        for layer in 0..test.len() {
            let views: Vec<&Features> = views.iter().map(|view| &view[layer]).collect();
            for labels in columns {
                let standardised = self.standardised(&plain[layer], &test[layer], labels)?;
                let paper = self.paper(&views, &test[layer], labels)?;
                for (protocol, accuracies) in
                    [(Protocol::Standardised, standardised), (Protocol::Paper, paper)]
                {
                    let accuracy = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
                    let series = Series { protocol, labels };
                    report.record(encoder, first_layer + layer, series, self.seed, accuracy)?;
                }
            }
        }
        Ok(())
    }

    /// Seeds of the draws of few labels; one draw of all of them.
    fn draws(&self, labels: Labels) -> std::ops::Range<u64> {
        match labels {
            Labels::PerClass(_) => 0..self.config.readout.few_draws as u64,
            _ => 0..1,
        }
    }

    fn standardised(
        &self,
        train: &Features,
        test: &Features,
        labels: Labels,
    ) -> Result<Vec<f64>, Error> {
        let accuracy = |draw| {
            let subset = chosen(train, labels, draw)?;
            Ok(probe::accuracy(&StandardisedProbe::default(), &subset, test, self.seed)?)
        };
        self.draws(labels).map(accuracy).collect()
    }

    fn paper(
        &self,
        views: &[&Features],
        test: &Features,
        labels: Labels,
    ) -> Result<Vec<f64>, Error> {
        let epochs = self.config.readout.paper_epochs;
        let settings = PaperProbe { epochs, ..PaperProbe::default() };
        let accuracy = |draw| {
            let subsets = views
                .iter()
                .map(|view| chosen(view, labels, draw))
                .collect::<Result<Vec<_>, Error>>()?;
            let view = |epoch: usize| Cow::Borrowed(subsets[epoch % subsets.len()].as_ref());
            let trained = settings.train(self.seed, view)?;
            let scores = trained.readout.scores(test.values());
            Ok(metrics::top1(scores.view(), test.labels()))
        };
        self.draws(labels).map(accuracy).collect()
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
            seed: self.seed,
            order: Order::Sequential,
            augment,
            workers: 1,
            ..LoaderConfig::evaluation()
        };
        let loader = Loader::new(source.clone(), self.config.pipeline.clone(), settings)?;
        let mut gathered = Gathered::default();
        for batch in loader.epoch(view)? {
            let batch = batch?;
            let labels = batch.labels.iter().map(|label| label.unwrap_or_default() as _).collect();
            gathered.push(labels, encode(batch));
        }
        gathered.features(source.classes())
    }
}

/// Features of all layers, batch by batch.
#[derive(Default)]
pub(crate) struct Gathered {
    layers: Vec<Vec<f32>>,
    labels: Vec<u8>,
}

impl Gathered {
    /// Adds a batch: the label of every sample, `[sample, dim]` of every layer.
    pub(crate) fn push(&mut self, labels: Vec<u8>, layers: Vec<Array2<f32>>) {
        self.labels.extend(labels);
        self.layers.resize_with(layers.len(), Vec::new);
        for (all, chunk) in self.layers.iter_mut().zip(layers) {
            all.extend(chunk.iter());
        }
    }

    /// One set of features a layer.
    pub(crate) fn features(self, classes: usize) -> Result<Vec<Features>, Error> {
        let Self { layers, labels } = self;
        let gather = |values: Vec<f32>| {
            let shape = (labels.len(), values.len() / labels.len().max(1));
            let values =
                Array2::from_shape_vec(shape, values).expect("every sample has all features");
            Ok(Features::new(values, labels.clone())?.with_classes(classes)?)
        };
        layers.into_iter().map(gather).collect()
    }
}

/// All features, or those of a few images per class.
fn chosen(features: &Features, labels: Labels, draw: u64) -> Result<Cow<'_, Features>, Error> {
    Ok(match labels {
        Labels::PerClass(count) => Cow::Owned(features.few_labels(count, draw)?),
        _ => Cow::Borrowed(features),
    })
}
