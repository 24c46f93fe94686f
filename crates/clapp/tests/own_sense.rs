//! A sense of one's own is its data and one `impl`: frames of events of two polarities, as a silicon
//! retina sends them, learnt from by a stack of the library in the run of the library.

#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, sync::Arc};

use burn::tensor::{Device, Tensor, TensorData};
use clapp::{
    Data, Error, Learning, Run, RunConfig, Sense, Trainer,
    encoders::{Context, EncoderConfig, PatchGrid, Stack},
    eval::{Features, Labels, Protocol, Report},
    random::{Purpose, stream},
    readout::{self, RANDOM_ENCODER, RAW_PIXELS},
    rules::{Optimizer, Rule},
    run::{Extra, LayerMetrics, StepMetrics},
    sense::{Batches, Epoch, Trial},
    store::read_metrics,
};
use common::{assert_says, finished};
use rand::RngExt;
use serde::{Deserialize, Serialize};

const SIDE: usize = 32;
const PLANES: usize = 2;
/// Bars that move right, left, down or up.
const CLASSES: usize = 4;

/// The sense.
#[derive(Clone, Debug, PartialEq)]
struct Events;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Setup {
    frames: u64,
    encoder: EncoderConfig,
    rule: Rule,
    protocols: Vec<Protocol>,
}

/// Frames `[polarity, y, x]` with their classes.
#[derive(Debug)]
struct Recording(Vec<(Vec<f32>, usize)>);

impl Recording {
    fn new(seed: u64, part: u64, count: usize) -> Arc<Self> {
        Arc::new(Self((0..count).map(|index| frame(seed, part, index)).collect()))
    }

    fn tensor(&self, indices: &[usize], device: &Device) -> Tensor<4> {
        let frames: Vec<f32> = indices.iter().flat_map(|&i| self.0[i].0.clone()).collect();
        let shape = [indices.len(), PLANES, SIDE, SIDE];
        Tensor::from_data(TensorData::new(frames, shape), device)
    }
}

/// A moving bar switches pixels on at its front and off at its back; some events are noise.
fn frame(seed: u64, part: u64, index: usize) -> (Vec<f32>, usize) {
    let mut random = stream(seed, Purpose::Test, [part, index as u64, 0, 0]);
    let (class, start) = (index % CLASSES, random.random_range(2..SIDE - 6));
    let mut frame: Vec<f32> = (0..PLANES * SIDE * SIDE)
        .map(|_| if random.random_bool(0.05) { 1.0 } else { 0.0 })
        .collect();
    for polarity in 0..PLANES {
        let edge = start + 4 * (polarity ^ (class % 2));
        for along in 0..SIDE {
            let pixel = if class < 2 { along * SIDE + edge } else { edge * SIDE + along };
            frame[polarity * SIDE * SIDE + pixel] = 1.0;
        }
    }
    (frame, class)
}

/// Frames in their order, round and round.
#[derive(Debug)]
struct InOrder {
    recording: Arc<Recording>,
    batch: usize,
}

impl Batches for InOrder {
    type Batch = (Arc<Recording>, Vec<usize>);

    fn per_epoch(&self) -> usize {
        self.recording.0.len() / self.batch
    }

    fn epoch(&self, _: u64, first: usize) -> Result<Epoch<Self::Batch>, Error> {
        let (recording, batch) = (self.recording.clone(), self.batch);
        let of = move |b: usize| Ok((recording.clone(), (b * batch..(b + 1) * batch).collect()));
        Ok(Box::new((first..self.per_epoch()).map(of)))
    }
}

impl Sense for Events {
    type Setup = Setup;
    type Source = Arc<Recording>;
    type Loader = InOrder;
    type Network = Stack;

    const UNIT: &'static str = "frames";
    const PREFIX: &'static str = "events-";

    fn validate(config: &RunConfig<Self>) -> Result<(), Error> {
        Ok(config.setup.encoder.validate()?)
    }

    fn data_name(_: &Setup) -> String {
        "moving bars".to_owned()
    }

    fn amount(setup: &Setup) -> u64 {
        setup.frames
    }

    fn amount_mut(setup: &mut Setup) -> &mut u64 {
        &mut setup.frames
    }

    fn open(config: &RunConfig<Self>, seed: u64) -> Result<Data<Self>, Error> {
        let name = Self::data_name(&config.setup);
        Ok(Data {
            learn: Recording::new(seed, 0, 48),
            labelled: Some([Recording::new(seed, 1, 80), Recording::new(seed, 2, 40)]),
            classes: CLASSES,
            names: [name.clone(), name],
            notes: Vec::new(),
        })
    }

    fn loader(config: &RunConfig<Self>, _: u64, data: &mut Data<Self>) -> Result<InOrder, Error> {
        let (recording, batch) = (data.learn.clone(), config.batch);
        match recording.0.len() {
            frames if frames < batch => {
                Err(Error::misfit(format!("at least {batch} frames"), frames, "lower the batch"))
            }
            _ => Ok(InOrder { recording, batch }),
        }
    }

    fn network(trial: &Trial<Self>, _: &Data<Self>) -> Result<Stack, Error> {
        let Setup { encoder, rule, .. } = &trial.config.setup;
        let rule = trial.config.rule(rule);
        Ok(Stack::init(encoder, rule, Context::SameLayer, trial.seed, &trial.device)?)
    }

    fn step(
        trial: &Trial<Self>,
        step: u64,
        network: &mut Stack,
        (recording, indices): (Arc<Recording>, Vec<usize>),
    ) -> LayerMetrics {
        let Trial { config, .. } = trial;
        let (rule, optimizer) = (config.rule(&config.setup.rule), &config.optimizer);
        let draw = &mut |layer, shape| rule.pairs(shape, &mut trial.pairs(step, layer));
        let frames = recording.tensor(&indices, &trial.device);
        LayerMetrics::of(&network.step(frames, rule, optimizer, draw))
    }

    fn read_out(trainer: &Trainer<Self>, report: &mut Report) -> Result<Extra, Error> {
        let (Trial { config, seed, device }, data) = (trainer.trial(), trainer.data());
        let (network, random) = (trainer.network(), Self::network(trainer.trial(), data)?);
        let parts = data.labelled.as_ref().unwrap();
        let features = |encode: &dyn Fn(Tensor<4>) -> Vec<Tensor<2>>| {
            parts.each_ref().map(|part| {
                let all: Vec<usize> = (0..part.0.len()).collect();
                let labels: Vec<_> = part.0.iter().map(|&(_, class)| class as _).collect();
                let layers = encode(part.tensor(&all, device)).into_iter().map(readout::rows);
                layers.map(|rows| Features::new(rows, labels.clone()).unwrap()).collect::<Vec<_>>()
            })
        };
        for (encoder, first, [fit, test]) in [
            (&*config.method, 1, features(&|frames| network.features(frames))),
            (RANDOM_ENCODER, 1, features(&|frames| random.features(frames))),
            (RAW_PIXELS, 0, features(&|frames| vec![frames.flatten(1, 3)])),
        ] {
            let probes: Vec<_> = config.setup.protocols.iter().filter_map(|p| p.probe()).collect();
            let labels = [(Labels::All(fit[0].len()), 1)];
            let layers = readout::Layers { fit, views: Vec::new(), test };
            layers.record((encoder, first), &probes, &labels, *seed, &mut |_, _, _| {}, report)?;
        }
        Ok(Extra::new())
    }
}

fn config(seeds: &[u64]) -> RunConfig<Events> {
    let mut encoder = EncoderConfig::vgg6(1.0 / 16.0).unwrap();
    (encoder.colours, encoder.image) = (PLANES, SIDE);
    encoder.patches = PatchGrid { size: 8, stride: 4 };
    encoder.layers.truncate(3);
    encoder.modules.truncate(3);
    RunConfig {
        preset: "test".to_owned(),
        method: "clapp-s".to_owned(),
        setup: Setup {
            frames: 8 * 12,
            encoder,
            rule: Rule::clapp_s(),
            protocols: vec![Protocol::Standardised, Protocol::Knn],
        },
        learning: Learning::Local,
        optimizer: Optimizer::adam(1e-3),
        batch: 8,
        metrics_every: 2,
        probe_every: None,
        checkpoint_every: 5,
        checkpoints_kept: 2,
        own_rule: None,
        seeds: seeds.to_vec(),
    }
}

#[test]
fn a_run_on_events_has_folder_metrics_and_a_table_of_every_layer_and_control() {
    let root = tempfile::tempdir().unwrap();
    let folder = finished(root.path(), &config(&[2]));
    assert!(folder.ends_with("events-test-clapp-s"), "{}", folder.display());
    let metrics: Vec<StepMetrics> = read_metrics(folder.join("metrics.jsonl")).unwrap();
    let last = metrics.last().unwrap();
    assert_eq!((last.step, last.seen["frames"], last.loss.len()), (12, 96, 3));
    assert!(
        last.loss.iter().zip(&metrics[0].loss).all(|(last, first)| last < first),
        "{metrics:?}"
    );
    let report = Report::load(&folder.join("table.json")).unwrap();
    assert_eq!(report.encoders(), ["clapp-s", RANDOM_ENCODER, RAW_PIXELS]);
    assert_eq!((report.trained_on.as_str(), report.classes), ("moving bars", CLASSES));
    for series in report.series() {
        let layers = |encoder| report.layers(encoder, series);
        assert_eq!([layers("clapp-s").len(), layers(RANDOM_ENCODER).len()], [3, 3], "{series}");
        // A bar's two edges lie in the pixels themselves: a linear read-out measures 55 %, chance is 25.
        let pixels = layers(RAW_PIXELS)[0].1.mean;
        assert!(series.protocol == Protocol::Knn || pixels > 40.0, "{series}: {pixels}");
    }
}

#[test]
fn a_run_on_events_resumes_bit_for_bit() {
    common::assert_stops_leave_no_trace(&config(&[2, 3]));
}

#[test]
fn a_run_on_events_that_cannot_be_begins_nothing() {
    let root = tempfile::tempdir().unwrap();
    let mut config = config(&[2]);
    config.batch = 64;
    let text = Run::create(root.path(), config).unwrap_err().to_string();
    assert_says(&text, "configuration", "at least 64 frames");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}
