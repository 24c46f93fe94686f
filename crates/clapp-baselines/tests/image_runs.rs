//! Runs of the comparisons on images: to their table, stopped and resumed, beside the local rules.

#![allow(clippy::unwrap_used)]

#[path = "../../clapp/tests/common/mod.rs"]
mod common;

use std::collections::BTreeMap;

use burn::tensor::TensorData;
use clapp::{
    Data, Images, Learning, Run, RunConfig, Trainer,
    backend::Arithmetic,
    datasets::InMemory,
    eval::{Labels, Protocol, Report, Series},
    image::METHODS,
    preset,
    readout::{RANDOM_ENCODER, RAW_PIXELS},
    rules::State,
    run::StepMetrics,
    store::read_metrics,
};
use clapp_testing::distance::distance;
use common::{assert_same, assert_says, assert_stops, execute, finished, results, stopped, tiny};

/// Runs to the end, and once more with two stops; returns the metrics and the table.
fn assert_stops_leave_no_trace(method: &str) -> (Vec<StepMetrics>, Report) {
    let root = tempfile::tempdir().unwrap();
    let mut config = tiny(method, &[2]);
    // The read-out that costs least: this is about learning.
    config.setup.readout.protocols = vec![Protocol::Knn];
    let folder = finished(root.path(), &config);
    let report = Report::load(&folder.join("table.json")).unwrap();
    assert_eq!(report.encoders(), [method, RANDOM_ENCODER, RAW_PIXELS]);
    let again = stopped(root.path(), &config, 1);
    assert_stops(&mut Run::<Images>::resume(&again).unwrap(), 7);
    execute(&mut Run::<Images>::resume(&again).unwrap(), &mut clapp::run::Silent).unwrap();
    assert_same(&results(&again), &results(&folder), method);
    (read_metrics(folder.join("metrics.jsonl")).unwrap(), report)
}

/// Numbers of losses, gates and accuracies in a line of the metrics.
fn numbers(line: &StepMetrics) -> [usize; 3] {
    [line.loss.len(), line.open_gates.len(), line.accuracy.len()]
}

#[test]
fn every_contrast_has_a_loss_for_each_module_and_resumes_bit_for_bit() {
    // Nothing is predicted yet: 1 for the fixation and 1 for the saccades, twice with W_retro; one of five.
    let info_nce = 5_f64.ln();
    for (method, modules, loss) in [
        ("clapp-s-2x3", 2, 2.0),
        ("clapp-s-3x2", 3, 2.0),
        ("clapp-s-3-1-1-1", 4, 2.0),
        ("clapp-s-1-1-1-3", 4, 2.0),
        ("clapp-3x2", 3, 4.0),
        ("gim-3x2", 3, info_nce),
        ("cpc", 1, info_nce),
        ("hinge-cpc", 1, 2.0),
        ("hinge-cpc-retro", 1, 4.0),
        ("hinge-cpc-blocked", 1, 2.0),
        ("hinge-cpc-time-local", 1, 2.0),
        ("clapp-pp-backprop", 1, 2.0),
    ] {
        let (metrics, _) = assert_stops_leave_no_trace(method);
        assert_eq!(numbers(&metrics[0]), [modules, 0, 0], "{method}");
        for start in &metrics[0].loss {
            assert!((start - loss).abs() < 0.25, "{method}: {:?}", metrics[0]);
        }
    }
}

#[test]
fn supervised_learning_has_a_read_out_for_every_loss_and_resumes_bit_for_bit() {
    for (method, layers) in [("supervised", &[6][..]), ("greedy-supervised", &[1, 2, 3, 4, 5, 6])] {
        let (metrics, report) = assert_stops_leave_no_trace(method);
        assert_eq!(numbers(&metrics[0]), [layers.len(), 0, layers.len()]);
        let series = Series { protocol: Protocol::Own, labels: Labels::All(40) };
        let own: Vec<usize> = report.layers(method, series).iter().map(|(l, _)| *l).collect();
        assert_eq!(own, layers, "{method}");
        assert!(report.trained_on.ends_with(", labelled"), "{}", report.trained_on);
    }
}

/// Everything that learns, after the first step.
fn learnt(method: &str) -> BTreeMap<String, TensorData> {
    let device = clapp::device("flex").unwrap();
    let mut config = tiny(method, &[2]);
    config.setup.encoder.arithmetic = Arithmetic::Exact;
    let mut learner = config.open(2, &device).unwrap();
    learner.run(&mut |_, _| Ok(false)).unwrap();
    let mut state = State::default();
    learner.save(&mut state);
    state.tensors.into_iter().collect()
}

/// Adam's weights hide the size of an update, its first moments are the update.
#[test]
fn modules_of_one_layer_learn_as_the_local_rule_does() {
    for method in ["clapp-s", "clapp", "gim"] {
        let [local, modules] = [method.to_owned(), format!("{method}-6x1")].map(|m| learnt(&m));
        assert!(local.keys().eq(modules.keys()));
        let mut compared = 0;
        for (name, data) in local.iter().filter(|(name, _)| name.ends_with(".first")) {
            let [a, b] = [data, &modules[name]].map(|data| data.iter::<f64>().collect::<Vec<_>>());
            // Sums of biases cancel. Before the first step deep layers see nearly the same everywhere, so that
            // in lateral weights fixations and saccades cancel too.
            let bound = match name.split('.').nth(1) {
                Some("weight") => 1e-5,
                Some("bias") => 1e-3,
                _ => 1e-4,
            };
            let d = distance(&a, &b);
            assert!(d < bound, "{method} {name}: expected below {bound:.0e}, got {d:.1e}");
            compared += 1;
        }
        assert_eq!(compared, if method == "clapp" { 24 } else { 18 });
    }
}

#[test]
fn one_module_of_all_layers_is_the_method_end_to_end() {
    for (split, whole) in
        [("clapp-s-1x6", "hinge-cpc"), ("gim-1x6", "cpc"), ("clapp-s-6", "hinge-cpc")]
    {
        assert!(learnt(split) == learnt(whole), "{split} learns as {whole}");
    }
    assert!(learnt("clapp-s-2x3") != learnt("hinge-cpc"));
}

#[test]
fn splits_that_cannot_be_are_refused_with_those_that_can() {
    let refused = |method: &str| {
        let error = preset("smoke", method, &Images::Synthetic, &[2]).unwrap_err();
        error.to_string()
    };
    for (method, sizes) in [
        ("clapp-s-2x4", "[4, 4]"),
        ("clapp-s-0x6", "[]"),
        ("clapp-s-6x0", "[0, 0, 0, 0, 0, 0]"),
        ("gim-3-3-1", "[3, 3, 1]"),
        ("clapp-2-0-4", "[2, 0, 4]"),
        ("clapp-s-retro-7", "[7]"),
    ] {
        let text = refused(method);
        assert!(text.contains(&format!("6 layers in order, got sizes {sizes}")), "{text}");
        assert!(text.contains("1x6, 2x3, 3x2, 6x1"), "{text}");
    }
    for method in ["cpc-2x3", "dfb-2x3", "clapp-s-", "clapp-s-2x", "clapp-s-3-", "clapp-s-999x999"]
    {
        assert_says(&refused(method), "method", METHODS);
    }
}

#[test]
fn settings_that_do_not_go_together_are_refused_before_anything_is_written() {
    let root = tempfile::tempdir().unwrap();
    let refused = |method: &str, change: &dyn Fn(&mut RunConfig<Images>)| {
        let mut config = tiny(method, &[2]);
        change(&mut config);
        Run::create(root.path(), config).unwrap_err().to_string()
    };
    let split = |c: &mut RunConfig<Images>| c.setup.encoder.modules = vec![3, 3];
    assert!(refused("clapp-s", &split).contains("modules of one layer for the local rules"));
    for method in ["hinge-cpc", "supervised", "clapp-pp-backprop"] {
        let text = refused(method, &split);
        assert!(text.contains("expected one module of 6 layers, got sizes [3, 3]"), "{text}");
    }
    let text = refused("greedy-supervised", &split);
    assert!(text.contains("expected 6 modules of one layer, got sizes [3, 3]"), "{text}");
    let text = refused("clapp-s", &|c| c.learning = Learning::ThroughTime);
    assert!(text.contains("a recurrent layer"), "{text}");
    for method in ["softhebb", "lpl", "clapp-s-above", "dfb"] {
        let text = refused(method, &|c| c.learning = Learning::Modules);
        assert!(text.contains("one loss for every module, got another set-up"), "{text}");
    }
    assert!(std::fs::read_dir(root.path()).unwrap().next().is_none(), "no folder is left");
}

#[test]
fn images_without_labels_are_refused_by_what_learns_from_them() {
    let device = clapp::device("flex").unwrap();
    let images = InMemory::images("photographs", [1, 64, 64], vec![7; 40 * 64 * 64]).unwrap();
    let learn: clapp::image::Source = std::sync::Arc::new(images);
    for method in ["supervised", "greedy-supervised"] {
        let config = tiny(method, &[2]);
        let labelled = Data::open(&config, 2).unwrap();
        assert_eq!(labelled.learn.len(), 40, "the labelled part");
        assert!((0..40).all(|index| labelled.learn.info(index).label.is_some()));
        let data =
            Data { learn: learn.clone(), names: ["photographs".into(), "".into()], ..labelled };
        let error = Trainer::new(&config, 2, data, &device).unwrap_err().to_string();
        assert_says(&error, "labels", "images without in photographs");
    }
}

#[test]
fn every_comparison_takes_the_width_and_optimizer_of_the_method_it_is_compared_with() {
    for size in ["smoke", "quick"] {
        for (local, methods) in [
            ("clapp-s", &["clapp-s-2x3", "gim-3x2", "cpc", "hinge-cpc", "supervised"][..]),
            ("clapp-pp", &["clapp-pp-backprop"]),
        ] {
            let local = preset(size, local, &Images::Synthetic, &[2]).unwrap();
            for method in methods {
                let mut config = preset(size, method, &Images::Synthetic, &[2]).unwrap();
                assert_ne!(config.learning, Learning::Local);
                config.setup.encoder.modules.clone_from(&local.setup.encoder.modules);
                assert_eq!(config.setup.encoder, local.setup.encoder, "{method}");
                assert_eq!(config.setup.images, local.setup.images, "{method}");
                assert_eq!(config.optimizer, local.optimizer, "{method}");
            }
        }
    }
}

/// Read-outs that learnt with their layers name images that they have not seen.
#[test]
fn labels_teach_layers_to_name_other_images() {
    let root = tempfile::tempdir().unwrap();
    let mut config = tiny("greedy-supervised", &[2]);
    config.setup.data =
        clapp::image::DataConfig::Synthetic { unlabelled: 16, train: 400, test: 200 };
    (config.batch, config.setup.images) = (16, 16 * 200);
    (config.metrics_every, config.checkpoint_every) = (50, 200);
    config.optimizer = clapp::rules::Optimizer::adam(3e-3);
    config.setup.readout.protocols = vec![Protocol::Knn];
    let report = Report::load(&finished(root.path(), &config).join("table.json")).unwrap();
    let series = Series { protocol: Protocol::Own, labels: Labels::All(400) };
    let layers = report.layers("greedy-supervised", series);
    let best = layers.iter().map(|(_, summary)| summary.mean).fold(0.0, f64::max);
    // One of ten by chance.
    assert!(best > 20.0, "{layers:?}");
}
