//! Learning, seen from outside: on the embedded scenes, with a budget of seconds.
//!
//! What is asserted leaves room; `--nocapture` prints what was measured. Everything is drawn from
//! seeds, so that a change of a number is a change of the program.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::OnceLock;

use clapp::{
    Images, Run, RunEnd,
    eval::{Labels, Protocol, Report, Series},
    image::DataConfig,
    preset,
    readout::RANDOM_ENCODER,
    run::StepMetrics,
    store::read_metrics,
};

/// Layers of the encoder.
const LAYERS: usize = 6;

/// Numbers of every step, and the table.
struct Learnt {
    metrics: Vec<StepMetrics>,
    report: Report,
}

/// The preset `quick` with one seed and a sixth of its images.
fn learnt() -> &'static Learnt {
    static LEARNT: OnceLock<Learnt> = OnceLock::new();
    LEARNT.get_or_init(|| {
        let mut config = preset("quick", "clapp-s", &Images::Synthetic, &[2]).unwrap();
        config.setup.data = DataConfig::Synthetic { unlabelled: 2_000, train: 300, test: 400 };
        (config.setup.images, config.metrics_every) = (5_600, 1);
        config.setup.readout.paper_epochs = 1;
        let root = tempfile::tempdir().unwrap();
        let mut run = Run::create(root.path(), config).unwrap();
        let outcome = common::execute(&mut run, &mut clapp::run::Silent).unwrap();
        let RunEnd::Finished(report) = outcome else { panic!("expected the end of the run") };
        let metrics = read_metrics(run.path().join("metrics.jsonl")).unwrap();
        println!("{report}");
        Learnt { metrics, report: *report }
    })
}

/// Means of a number of one layer over the first and over the last tenth of the steps.
fn first_and_last(number: fn(&StepMetrics) -> &[f64], layer: usize) -> [f64; 2] {
    let metrics = &learnt().metrics;
    let tenth = metrics.len() / 10;
    let mean = |part: &[StepMetrics]| {
        part.iter().map(|step| number(step)[layer - 1]).sum::<f64>() / part.len() as f64
    };
    [mean(&metrics[..tenth]), mean(&metrics[metrics.len() - tenth..])]
}

#[test]
fn an_untrained_network_has_all_gates_open_and_a_loss_of_2() {
    let first = &learnt().metrics[0];
    for layer in 0..LAYERS {
        assert!((first.loss[layer] - 2.0).abs() < 1e-2, "layer {}: {first:?}", layer + 1);
        assert!(first.open_gates[layer] > 0.99, "layer {}: {first:?}", layer + 1);
    }
}

/// Layer 1 sees 3×3 pixels of loud noise and needs more images.
#[test]
fn gates_close_as_layers_learn() {
    for layer in 2..=LAYERS {
        let [first, last] = first_and_last(|step| &step.open_gates, layer);
        println!("layer {layer}: open gates {first:.3} → {last:.3}");
        assert!(last < first - 0.05, "layer {layer}: {first} → {last}");
    }
}

#[test]
fn the_loss_falls_as_layers_learn() {
    for layer in 2..=LAYERS {
        let [first, last] = first_and_last(|step| &step.loss, layer);
        println!("layer {layer}: loss {first:.3} → {last:.3}");
        assert!(last < first - 0.1, "layer {layer}: {first} → {last}");
    }
}

#[test]
fn layers_learn_to_tell_their_own_future_from_that_of_others() {
    for layer in 2..=LAYERS {
        let [first, last] = first_and_last(|step| &step.accuracy, layer);
        println!("layer {layer}: accuracy {first:.3} → {last:.3}");
        assert!(last > first + 0.03, "layer {layer}: {first} → {last}");
    }
}

fn accuracy(encoder: &str, layer: usize) -> f64 {
    let series = Series { protocol: Protocol::Standardised, labels: Labels::PerClass(10) };
    learnt().report.summary(encoder, layer, series).unwrap().mean
}

#[test]
fn with_ten_labels_a_class_the_last_layer_beats_every_random_layer() {
    let trained = accuracy("clapp-s", LAYERS);
    for layer in 1..=LAYERS {
        let random = accuracy(RANDOM_ENCODER, layer);
        assert!(trained > random + 10.0, "{trained} against {random} of random layer {layer}");
    }
}

#[test]
fn with_ten_labels_a_class_the_last_layer_beats_the_first() {
    let (first, last) = (accuracy("clapp-s", 1), accuracy("clapp-s", LAYERS));
    assert!(last > first + 5.0, "{last} against {first}");
}
