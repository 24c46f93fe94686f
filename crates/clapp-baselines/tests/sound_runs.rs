//! Runs of the comparisons on sound: to their table, stopped and resumed, beside the local rules.

#![allow(clippy::unwrap_used)]

#[path = "../../clapp/tests/common/mod.rs"]
mod common;

use std::collections::BTreeMap;

use burn::tensor::TensorData;
use clapp::{
    Data, Learning, Run, Sound,
    datasets::{OnBad, Source},
    eval::{Labels, Protocol, Report, Series},
    preset,
    readout::RANDOM_ENCODER,
    rules::State,
    run::StepMetrics,
    sound::{self, LOG_MEL, MFCC},
    store::read_metrics,
};
use common::{
    STEPS, assert_same, assert_says, assert_stops, execute, finished,
    recordings::{Recordings, line},
    results, stopped, tiny_sound,
};

/// Runs to the end, and once more with two stops; returns the metrics.
fn assert_stops_leave_no_trace(method: &str) -> Vec<StepMetrics> {
    let root = tempfile::tempdir().unwrap();
    let config = tiny_sound(method, &[2]);
    let folder = finished(root.path(), &config);
    let report = Report::load(&folder.join("table.json")).unwrap();
    assert_eq!(report.encoders(), [method, RANDOM_ENCODER, LOG_MEL, MFCC]);
    let own = |series: &Series| series.protocol == Protocol::Own;
    let (own, probes): (Vec<Series>, Vec<Series>) = report.series().into_iter().partition(own);
    for series in probes {
        assert_eq!(report.layers(method, series).len(), 6, "{series}: every layer is read out");
    }
    // With labels: every head that was trained, all frames and spoken ones.
    let heads = own.iter().map(|&series| report.layers(method, series));
    let heads: Vec<Vec<usize>> =
        heads.map(|l| l.iter().map(|&(layer, _)| layer).collect()).collect();
    match method {
        "supervised" => assert_eq!(heads, [vec![6], vec![6]]),
        "greedy-supervised" => assert_eq!(heads, vec![vec![1, 2, 3, 4, 5, 6]; 2]),
        _ => assert!(heads.is_empty(), "{method}: {heads:?}"),
    }
    let again = stopped(root.path(), &config, 1);
    assert_stops(&mut Run::<Sound>::resume(&again).unwrap(), 7);
    execute(&mut Run::<Sound>::resume(&again).unwrap(), &mut clapp::run::Silent).unwrap();
    assert_same(&results(&again), &results(&folder), method);
    read_metrics(folder.join("metrics.jsonl")).unwrap()
}

/// Numbers of losses, gates and accuracies in a line of the metrics.
fn numbers(line: &StepMetrics) -> [usize; 3] {
    [line.loss.len(), line.open_gates.len(), line.accuracy.len()]
}

#[test]
fn clapp_s_through_time_resumes_bit_for_bit() {
    let metrics = assert_stops_leave_no_trace("clapp-s-bptt");
    assert_eq!(numbers(&metrics[0]), [6, 6, 6]);
}

#[test]
fn cpc_and_hinge_cpc_have_one_loss_and_resume_bit_for_bit() {
    // Nothing is predicted yet: one of eleven by chance; 1 for the fixation and 1 for the saccades.
    for (method, loss) in [("cpc", 11_f64.ln()), ("hinge-cpc", 2.0)] {
        let metrics = assert_stops_leave_no_trace(method);
        assert_eq!(numbers(&metrics[0]), [1, 0, 0]);
        assert!((metrics[0].loss[0] - loss).abs() < 0.1, "{method}: {:?}", metrics[0]);
    }
}

#[test]
fn supervised_learning_has_a_read_out_for_every_loss_and_resumes_bit_for_bit() {
    for (method, read_outs) in [("supervised", 1), ("greedy-supervised", 6)] {
        let metrics = assert_stops_leave_no_trace(method);
        assert_eq!(numbers(&metrics[0]), [read_outs, 0, read_outs]);
        // Nothing is known yet: one of 17 classes by chance. Scores of heads that are drawn have a variance v
        // of some tenths where activity is about 1, and cost v/2 above chance.
        for loss in &metrics[0].loss {
            println!("start {method} {:.4}", loss - 17_f64.ln());
            assert!((loss - 17_f64.ln()).abs() < 0.5, "{method}: {:?}", metrics[0]);
        }
    }
}

/// Everything that learns, after the last step.
fn learnt(method: &str) -> BTreeMap<String, TensorData> {
    let device = clapp::device("flex").unwrap();
    let mut learner = tiny_sound(method, &[2]).open(2, &device).unwrap();
    learner.run(&mut |_, _| Ok(true)).unwrap();
    assert_eq!(learner.step(), STEPS);
    let mut state = State::default();
    learner.save(&mut state);
    state.tensors.into_iter().collect()
}

/// A loss at the recurrent layer alone goes back through time: convolutions are those of e-prop bit for
/// bit, with their moments.
#[test]
fn only_the_recurrent_layer_knows_how_it_is_credited() {
    let [through_time, e_prop] = ["clapp-s-bptt", "clapp-s"].map(learnt);
    assert!(through_time.keys().eq(e_prop.keys()));
    let mut others = Vec::new();
    for (name, data) in &e_prop {
        match name.starts_with("recurrent") {
            true if through_time[name] != *data => others.push(name.as_str()),
            true => {}
            false => assert_eq!(&through_time[name], data, "{name}"),
        }
    }
    for name in ["recurrent.input", "recurrent.recurrent", "recurrent.w_pred"] {
        assert!(others.contains(&name), "{name} is the same: {others:?}");
    }
}

#[test]
fn end_to_end_learning_reaches_every_layer_and_no_lateral_weight_but_the_last() {
    let device = clapp::device("flex").unwrap();
    let mut before = State::default();
    tiny_sound("cpc", &[2]).open(2, &device).unwrap().save(&mut before);
    for (name, data) in learnt("cpc") {
        if name.ends_with(".steps") || name.ends_with(".first") || name.ends_with(".second") {
            continue;
        }
        let lateral = name.starts_with("layer") && name.contains("w_pred");
        assert_eq!(before.tensors[&name] == data, lateral, "{name}");
    }
}

#[test]
fn supervised_methods_hear_labelled_utterances_of_the_training_part_alone() {
    let config = tiny_sound("supervised", &[2]);
    let data = Data::open(&config, 2).unwrap();
    let [train, test] = data.labelled.as_ref().unwrap();
    assert_eq!(data.learn.len(), 12);
    assert!((0..12).all(|index| data.learn.info(index).labels.is_some()));
    assert_eq!(data.learn.info(0).speaker, train.info(0).speaker);
    let heard = |name: &str| (0..12).any(|index| data.learn.info(index).id == name);
    assert!((0..test.len()).all(|index| !heard(&test.info(index).id)));
    let local = Data::open(&tiny_sound("clapp-s", &[2]), 2).unwrap();
    assert!((0..12).all(|index| local.learn.info(index).labels.is_none()));
}

#[test]
fn supervised_learning_of_files_takes_the_training_list_and_its_labels() {
    let (recordings, runs) = (Recordings::new(), tempfile::tempdir().unwrap());
    let folder = finished(runs.path(), &recordings.config_of("supervised", OnBad::Refuse));
    let report = Report::load(&folder.join("table.json")).unwrap();
    assert!(report.trained_on.ends_with("/train_split, labelled"), "{}", report.trained_on);

    // Long enough for a crop, but its only crop begins before its first label.
    recordings.write(1, 5_200, 16_000);
    recordings.relabel(1, &line(1, 31));
    let config = |on_bad| recordings.config_of("supervised", on_bad);
    let error = Data::open(&config(OnBad::Refuse), 2).unwrap_err().to_string();
    assert_says(&error, "labels", "t1/a of 5200 samples");
    let data = Data::open(&config(OnBad::Skip), 2).unwrap();
    assert_eq!(data.learn.len(), 3);
    assert!(
        data.notes.iter().any(|note| note.contains("t1/a of 5200 samples")),
        "{:?}",
        data.notes
    );

    let mut config = recordings.config_of("supervised", OnBad::Refuse);
    config.setup.data = recordings.unlabelled().setup.data;
    assert_says(&config.validate().unwrap_err().to_string(), "labels", "configuration");
}

#[test]
fn every_comparison_takes_the_width_and_optimizer_of_the_method_it_is_compared_with() {
    for size in ["smoke", "quick"] {
        let local = preset(size, "clapp-s", &Sound::Synthetic, &[2]).unwrap();
        for method in ["clapp-s-bptt", "cpc", "hinge-cpc", "supervised", "greedy-supervised"] {
            let config = preset(size, method, &Sound::Synthetic, &[2]).unwrap();
            assert_ne!(config.learning, Learning::Local);
            assert_eq!(
                (&config.setup.encoder, config.setup.crops),
                (&local.setup.encoder, local.setup.crops),
                "{method}"
            );
            assert_eq!(config.optimizer, local.optimizer, "{method}");
            let sound::DataConfig::Synthetic { .. } = config.setup.data else { panic!("{method}") };
        }
    }
}

/// Layers that learn from labels recognise phones of talkers that they have not heard.
#[test]
fn read_outs_of_greedy_supervised_layers_learn_phones() {
    let root = tempfile::tempdir().unwrap();
    let mut config = tiny_sound("greedy-supervised", &[2]);
    config.setup.data =
        sound::DataConfig::Synthetic { unlabelled: 48, train: 3, test: 12, noise: 15 };
    (config.batch, config.setup.crops) = (8, 8 * 120);
    (config.metrics_every, config.checkpoint_every) = (40, 120);
    config.optimizer = clapp::rules::Optimizer::adam(5e-3);
    let report = Report::load(&finished(root.path(), &config).join("table.json")).unwrap();
    let series = Series { protocol: Protocol::Own, labels: Labels::UtterancesSpoken(48) };
    let layers = report.layers("greedy-supervised", series);
    let best = layers.iter().map(|(_, summary)| summary.mean).fold(0.0, f64::max);
    // One of 16 spoken classes by chance.
    assert!(best > 2.0 * 100.0 / 16.0, "{layers:?}");
}
