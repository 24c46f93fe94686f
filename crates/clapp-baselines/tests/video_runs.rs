//! Runs of the comparisons on video: to their table, stopped and resumed, beside the local rules.

#![allow(clippy::unwrap_used)]

#[path = "../../clapp/tests/common/mod.rs"]
mod common;

use std::collections::BTreeMap;

use burn::tensor::TensorData;
use clapp::{
    Error, Run, RunConfig, Video,
    encoders::VideoConfig,
    eval::Report,
    readout::{RANDOM_ENCODER, RAW_PIXELS},
    rules::State,
    run::StepMetrics,
    store::read_metrics,
};
use common::{assert_same, assert_stops, execute, finished, results, stopped, tiny_video};

fn tiny(method: &str) -> RunConfig<Video> {
    tiny_video(method, &[2])
}

/// Runs to the end, and once more with two stops; returns the metrics.
fn assert_stops_leave_no_trace(method: &str) -> Vec<StepMetrics> {
    let root = tempfile::tempdir().unwrap();
    let config = tiny(method);
    let folder = finished(root.path(), &config);
    let report = Report::load(&folder.join("table.json")).unwrap();
    assert_eq!(report.encoders(), [method, RANDOM_ENCODER, RAW_PIXELS]);
    let again = stopped(root.path(), &config, 1);
    assert_stops(&mut Run::<Video>::resume(&again).unwrap(), 7);
    execute(&mut Run::<Video>::resume(&again).unwrap(), &mut clapp::run::Silent).unwrap();
    assert_same(&results(&again), &results(&folder), method);
    read_metrics(folder.join("metrics.jsonl")).unwrap()
}

#[test]
fn cpc_of_films_has_one_loss_and_resumes_bit_for_bit() {
    for metrics in assert_stops_leave_no_trace("cpc") {
        assert_eq!((metrics.loss.len(), metrics.open_gates.len()), (1, 0));
    }
}

#[test]
fn supervised_learning_from_films_has_one_loss_and_resumes_bit_for_bit() {
    for metrics in assert_stops_leave_no_trace("supervised") {
        assert_eq!((metrics.loss.len(), metrics.accuracy.len()), (1, 0));
    }
}

/// Everything that learns, after the first step.
fn learnt(method: &str) -> BTreeMap<String, TensorData> {
    let device = clapp::device("flex").unwrap();
    let mut learner = tiny(method).open(2, &device).unwrap();
    learner.run(&mut |_, _| Ok(false)).unwrap();
    let mut state = State::default();
    learner.save(&mut state);
    state.tensors.into_iter().collect()
}

/// Every weight of every block moves from where it starts, and lateral weights of the last block alone.
#[test]
fn end_to_end_learning_reaches_every_block_and_no_lateral_weight_but_the_last() {
    let [end_to_end, local] = ["hinge-cpc", "clapp-s"].map(learnt);
    let device = clapp::device("flex").unwrap();
    let mut before = State::default();
    tiny("hinge-cpc").open(2, &device).unwrap().save(&mut before);
    for (name, start) in &before.tensors {
        let rests = name.contains("w_pred") && !name.starts_with("layer5.");
        assert_eq!(end_to_end[name] == *start, rests, "{name}");
    }
    assert_eq!(before.tensors.keys().filter(|name| name.ends_with(".weight")).count(), 5);
    let moments = |state: &BTreeMap<String, TensorData>, block: usize| {
        let lateral = format!("layer{block}.w_pred");
        state.keys().filter(|name| name.starts_with(&lateral)).count()
    };
    for block in 1..=4 {
        assert!(moments(&end_to_end, block) < moments(&local, block), "lateral weights at rest");
    }
    assert_eq!(moments(&end_to_end, 5), moments(&local, 5));
}

/// A learnt encoder, tuned: the run begins with its weights and ends with others.
#[test]
fn fine_tuning_begins_with_a_learnt_encoder() {
    let root = tempfile::tempdir().unwrap();
    let first = finished(root.path(), &tiny("clapp-s"));
    let mut config = tiny("supervised");
    config.setup.start = Some(first);
    let folder = finished(root.path(), &config);
    let metrics: Vec<StepMetrics> = read_metrics(folder.join("metrics.jsonl")).unwrap();
    let from_random = finished(root.path(), &tiny("supervised"));
    let random: Vec<StepMetrics> = read_metrics(from_random.join("metrics.jsonl")).unwrap();
    assert_ne!(metrics[0].loss, random[0].loss);
}

#[test]
fn more_classes_than_features_are_refused_before_the_first_step() {
    let root = tempfile::tempdir().unwrap();
    let mut config = tiny("supervised");
    let frames = config.setup.encoder.frames;
    let narrow = VideoConfig { frames, size: 67, ..VideoConfig::vgg5(1.0 / 64.0).unwrap() };
    config.setup.encoder = narrow;
    let mut run = Run::create(root.path(), config).unwrap();
    let error = execute(&mut run, &mut clapp::run::Silent).unwrap_err();
    assert!(matches!(error, Error::Head { classes: 10, features: 8 }), "{error}");
}
