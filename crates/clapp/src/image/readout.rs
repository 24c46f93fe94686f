//! Classes read out of frozen layers, with their controls.

use clapp_datasets::{Augment, Batch, Loader, LoaderConfig};
use clapp_encoders::Stack;
use clapp_eval::{Features, Labels, LinearProbe, Probe, Protocol, Report};
use ndarray::Array2;

use super::{Images, Source, tensor};
use crate::{
    Error, Sense, Trainer,
    readout::{self, Layers, RANDOM_ENCODER, RAW_PIXELS, rows},
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
    let random = Images::network(trial, data)?;
    let of = |encoder: &Stack, batch: &Batch| {
        encoder.features(tensor(batch.clone(), &trial.device)).into_iter().map(rows).collect()
    };
    record(trial, parts, (&trial.config.method, 1), &|batch| of(trainer.network(), batch), report)?;
    record(trial, parts, (RANDOM_ENCODER, 1), &|batch| of(&random, batch), report)?;
    record(trial, parts, (RAW_PIXELS, 0), &|batch| vec![flat(batch)], report)?;
    Ok(Extra::new())
}

fn flat(batch: &Batch) -> Array2<f32> {
    let [count, ..] = batch.shape;
    let dim = batch.values.len() / count.max(1);
    Array2::from_shape_vec((count, dim), batch.values.clone()).expect("a batch has whole images")
}

/// All protocols, all and few labels, for every layer of one encoder.
fn record(
    trial: &Trial<Images>,
    [train, test]: &[Source; 2],
    encoder: (&str, usize),
    encode: &dyn Fn(&Batch) -> Vec<Array2<f32>>,
    report: &mut Report,
) -> Result<(), Error> {
    let settings = &trial.config.setup.readout;
    let features = |source: &Source, augment, view| -> Result<Vec<Features>, Error> {
        let (batch_size, seed) = (CHUNK, trial.seed);
        let config =
            LoaderConfig { batch_size, seed, augment, workers: 1, ..LoaderConfig::evaluation() };
        let pipeline = trial.config.setup.pipeline.clone();
        readout::features(&Loader::new(source.clone(), pipeline, config)?, view, encode)
    };
    // The paper's read-out learns from random views of the training images.
    let views = match settings.protocols.contains(&Protocol::Paper) {
        true => 0..settings.paper_views as u64,
        false => 0..0,
    };
    let layers = Layers {
        test: features(test, Augment::Evaluation, 0)?,
        fit: features(train, Augment::Evaluation, 0)?,
        views: views
            .map(|view| features(train, Augment::Training, view))
            .collect::<Result<_, _>>()?,
    };
    let probes = settings.protocols.iter().filter_map(|&protocol| match protocol {
        Protocol::Paper => {
            let epochs = settings.paper_epochs;
            Some(Box::new(LinearProbe { epochs, ..LinearProbe::paper() }) as Box<dyn Probe>)
        }
        other => other.probe(),
    });
    let few = (Labels::PerClass(settings.few), settings.few_draws as u64);
    let labels = [(Labels::All(layers.fit[0].len()), 1), few];
    layers.record(encoder, &probes.collect::<Vec<_>>(), &labels, trial.seed, report)
}
