//! Classes read out of frozen layers, with their controls.

use std::sync::Arc;

use clapp_datasets::{
    Augment, Batch, ImagePipeline, Loader, LoaderConfig, Source as _, Subset, split,
};
use clapp_eval::{
    ALL_LAYERS, Confusion, Features, Keep, Knn, Labels, LinearProbe, Probe, Protocol, Readout,
    Report, Series,
};
use ndarray::{Array2, Axis, concatenate};

use super::{Encoder, Images, Source, data::SPLIT_SEED, tensor};
use crate::{
    Error, Sense, Trainer,
    readout::{self, Layers, RANDOM_ENCODER, RAW_PIXELS},
    run::Extra,
    sense::Trial,
};

/// The protocols that images are read out with.
pub(super) const PROTOCOLS: [Protocol; 4] =
    [Protocol::Standardised, Protocol::Paper, Protocol::Dropout, Protocol::Knn];

/// Images that pass through the encoder at a time.
pub(super) const CHUNK: usize = 64;

/// Batches that set the running statistics of an untrained encoder: of their first values 1e-9 is left.
const OBSERVED: usize = 200;

/// Reads out a trained encoder and its controls into `report`.
///
/// Every number is taken with the same images, labels and seeds for all encoders. The random encoder is
/// the trained one before its first step, its running statistics set where it has some.
pub(super) fn read_out(trainer: &Trainer<Images>, report: &mut Report) -> Result<Extra, Error> {
    let (trial, mut data) = (trainer.trial(), trainer.data().clone());
    let Some(parts) = data.labelled.clone() else { return Ok(Extra::new()) };
    let learnt = Encoder::of(trial, trainer.network().encoder().frozen());
    let (pipeline, readout) = (learnt.pipeline(), &trial.config.setup.readout);
    let keep = &Keep { most: readout.memory << 20, folder: trainer.folder().to_owned() };
    let record =
        |encoder: (&str, usize), encode: &Encode<'_>, each: &mut Each<'_>, report: &mut Report| {
            record(trial, &pipeline, keep, &parts, encoder, encode, each, report)
        };
    // Which classes the last layer takes for which, by the first read-out of the standardised protocol.
    let (last, mut confused) = (trial.config.setup.encoder.layers.len() - 1, None);
    let each: &mut Each<'_> = &mut |layers, layer, series, readout| {
        let wanted = layer == last && series.protocol == Protocol::Standardised;
        if wanted && confused.is_none() {
            let test = &layers.test[layer];
            let confusion = Confusion::of(test.scored_by(readout).view(), test.labels());
            confused = Some((confusion, series));
        }
    };
    record((&trial.config.method, 1), &|batch| learnt.features(batch), each, report)?;
    let mut extra = Extra::new();
    if let Some((confusion, series)) = confused {
        let (seed, method) = (trial.seed, &trial.config.method);
        let about = format!("{method}, layer {}, seed {seed}: {series}", last + 1);
        let names: Vec<&str> =
            (0..confusion.classes()).filter_map(|class| parts[1].class_name(class)).collect();
        let confusion = if names.is_empty() { confusion } else { confusion.named(&names)? };
        readout::draw(&confusion, &data.names[1], &about, seed, &mut extra);
    }
    drop(learnt);
    #[cfg(feature = "baselines")]
    super::compared::read_out(trainer, report)?;
    let mut random = Images::network(trial, &data)?.encoder;
    if trial.config.setup.encoder.keeps_statistics() {
        let loader = Images::loader(&trial.config, trial.seed, &mut data)?;
        for batch in loader.epoch(0)?.take(OBSERVED) {
            random.observe(tensor(batch?, &trial.device));
        }
    }
    let random = Encoder::of(trial, random.frozen());
    let none: &mut Each<'_> = &mut |_, _, _, _| ();
    record((RANDOM_ENCODER, 1), &|batch| random.features(batch), none, report)?;
    record((RAW_PIXELS, 0), &|batch| vec![flat(batch)], none, report)?;
    Ok(extra)
}

/// Labelled training images of an early look; a fifth is held out at random.
const LOOKED_AT: usize = 1250;

/// Accuracies of all layers by nearest neighbours, on the same training images in every run on the same data.
pub(super) fn look(trainer: &Trainer<Images>) -> Result<Vec<f64>, Error> {
    let enough = |[train, _]: &&[Source; 2]| train.len() >= 10;
    let Some([train, _]) = trainer.data().labelled.as_ref().filter(enough) else {
        return Ok(Vec::new());
    };
    let encoder = Encoder::of(trainer.trial(), trainer.network().encoder().frozen());
    let part = |of: &Source, indices| -> Result<Source, Error> {
        Ok(Arc::new(Subset::new(of.clone(), indices)?))
    };
    let (_, some) = split::hold_out(train, LOOKED_AT.min(train.len()), SPLIT_SEED)?;
    let some = part(train, some)?;
    let (fit, test) = split::hold_out(&some, some.len() / 5, SPLIT_SEED)?;
    let encode = |batch: &Batch| encoder.features(batch);
    let features = |indices| {
        readout::features(&encoder.loader(part(&some, indices)?)?, 0, &encode, &Keep::default())
    };
    let layers = Layers { fit: features(fit)?, views: Vec::new(), test: features(test)? };
    let labels = (Labels::All(layers.fit[0].len()), 1);
    let accuracy = |layer| Ok(layers.accuracy(&Knn::default(), layer, labels, 0)? / 100.0);
    (0..layers.test.len()).map(accuracy).collect()
}

/// From a batch to features of every layer, `[image, dim]`.
type Encode<'a> = dyn Fn(&Batch) -> Vec<Array2<f32>> + 'a;
/// What is to be done with the read-outs of layers.
type Each<'a> = dyn FnMut(&Layers, usize, Series, &dyn Readout) + 'a;

fn flat(batch: &Batch) -> Array2<f32> {
    let [count, ..] = batch.shape;
    let dim = batch.values.len() / count.max(1);
    Array2::from_shape_vec((count, dim), batch.values.clone()).expect("a batch has whole images")
}

/// All protocols, all and few labels, for every layer of one encoder.
#[expect(clippy::too_many_arguments, reason = "one call, to which a closure gives most of them")]
fn record(
    trial: &Trial<Images>,
    pipeline: &ImagePipeline,
    keep: &Keep,
    [train, test]: &[Source; 2],
    encoder: (&str, usize),
    encode: &Encode<'_>,
    each: &mut Each<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let settings = &trial.config.setup.readout;
    let together = |batch: &Batch| {
        let mut layers = encode(batch);
        if settings.concatenated && layers.len() > 1 {
            let views: Vec<_> = layers.iter().map(|layer| layer.view()).collect();
            layers.push(concatenate(Axis(1), &views).expect("layers have the same samples"));
        }
        layers
    };
    let features = |source: &Source, augment, view| -> Result<Vec<Features>, Error> {
        let (batch_size, seed) = (CHUNK, trial.seed);
        let config =
            LoaderConfig { batch_size, seed, augment, workers: 1, ..LoaderConfig::evaluation() };
        let loader = Loader::new(source.clone(), pipeline.clone(), config)?;
        readout::features(&loader, view, &together, keep)
    };
    // The paper's read-out learns from random views of the training images.
    let views = match settings.protocols.contains(&Protocol::Paper) {
        true => 0..settings.paper_views as u64,
        false => 0..0,
    };
    let mut layers = Layers {
        test: features(test, Augment::Evaluation, 0)?,
        fit: features(train, Augment::Evaluation, 0)?,
        views: views
            .map(|view| features(train, Augment::Training, view))
            .collect::<Result<_, _>>()?,
    };
    if settings.concatenated && layers.test.len() > 1 {
        score(trial, &layers.split_last(), (encoder.0, ALL_LAYERS), &mut |_, _, _, _| (), report)?;
    }
    score(trial, &layers, encoder, each, report)
}

/// All protocols, all and few labels, for features of several layers; `encoder` says the first one's number.
fn score(
    trial: &Trial<Images>,
    layers: &Layers,
    encoder: (&str, usize),
    each: &mut Each<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let each = &mut |layer, series, readout: &dyn Readout| each(layers, layer, series, readout);
    let settings = &trial.config.setup.readout;
    let (all, seed) = (layers.fit[0].len(), trial.seed);
    let few = (Labels::PerClass(settings.few), settings.few_draws as u64);
    // Probes that need all features at once keep them in double precision.
    let most = settings.at_once.filter(|&most| most < all);
    let (mut of_all, mut of_part) = (Vec::new(), Vec::new());
    for &protocol in &settings.protocols {
        let epochs = settings.paper_epochs;
        let probe: Option<Box<dyn Probe>> = match protocol {
            Protocol::Paper => Some(Box::new(LinearProbe { epochs, ..LinearProbe::paper() })),
            // Only where it was published for: the last layer, all labels.
            Protocol::Dropout => {
                let (last, labels) = (layers.test.len() - 1, Labels::All(all));
                let probe = LinearProbe::dropout(epochs);
                let accuracy = layers.accuracy(&probe, last, (labels, 1), seed)?;
                let (name, first) = encoder;
                report.record(name, first + last, Series { protocol, labels }, seed, accuracy)?;
                None
            }
            other => other.probe(),
        };
        let Some(probe) = probe else { continue };
        let at_once = most.is_some() && probe.in_epochs().is_none();
        if at_once { &mut of_part } else { &mut of_all }.push(probe);
    }
    layers.record(encoder, &of_all, &[(Labels::All(all), 1), few], seed, each, report)?;
    let part = Labels::PerClass(most.unwrap_or_default() / layers.fit[0].classes().max(1));
    // A part that is the few labels is read out once, by all their draws.
    let parts = [(part, 1), few];
    let parts = if part == few.0 { &parts[1..] } else { &parts[..] };
    layers.record(encoder, &of_part, parts, seed, each, report)?;
    Ok(())
}
