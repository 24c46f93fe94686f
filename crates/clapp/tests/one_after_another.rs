//! Layers that learn one after another: nobody else changes, no step is lost, stops leave no trace.

#![allow(clippy::unwrap_used)]

mod common;

use clapp::{
    Images, Run, RunConfig, encoders::Context, image::Order, rules::State, run::StepMetrics,
    store::read_metrics,
};
use common::{STEPS, assert_same, finished, results, stopped_at_each, tiny};

/// Three competing layers, which keep running statistics, for 2, 4 and 6 of 12 steps.
fn config() -> RunConfig<Images> {
    let mut config = tiny("softhebb", &[2]);
    config.setup.order = Order::OneAfterAnother(vec![1, 2, 3]);
    config.metrics_every = 1;
    config
}

/// The layer that learns in every step.
const LEARNS: [usize; STEPS as usize] = [1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3];

#[test]
fn only_the_layer_whose_turn_it_is_changes() {
    let mut trainer = config().open(2, &clapp::device("flex").unwrap()).unwrap();
    let state = |trainer: &clapp::Trainer<Images>| {
        let mut state = State::default();
        trainer.save(&mut state);
        state.tensors
    };
    let mut before = state(&trainer);
    let mut steps = 0;
    let each = &mut |trainer: &clapp::Trainer<Images>, metrics: &StepMetrics| {
        let now = state(trainer);
        let changed: Vec<_> = now.iter().filter(|(name, of)| before[*name] != **of).collect();
        let layer = format!("layer{}.", LEARNS[steps]);
        assert!(changed.iter().all(|(name, _)| name.starts_with(&layer)), "step {steps}");
        // Weights, mean and variance of the input, and perhaps what the optimizer keeps.
        assert!(changed.len() >= 3, "step {steps}: expected {layer} to change");
        assert_eq!(metrics.only, Some(LEARNS[steps]));
        assert_eq!(metrics.other["competition"].len(), 1);
        (before, steps) = (now, steps + 1);
        Ok(true)
    };
    trainer.run(each).unwrap();
    assert_eq!(steps as u64, STEPS);
}

#[test]
fn stops_in_the_middle_of_every_stage_leave_no_trace() {
    let root = tempfile::tempdir().unwrap();
    let whole = finished(root.path(), &config());
    let folder = stopped_at_each(root.path(), &config(), &[1, 2, 4, 6, 9]);
    assert_same(&results(&folder), &results(&whole), "stopped in every stage");
    let metrics: Vec<StepMetrics> = read_metrics(whole.join("metrics.jsonl")).unwrap();
    let learnt: Vec<_> = metrics.iter().map(|metrics| metrics.only.unwrap()).collect();
    assert_eq!(learnt, LEARNS);
}

#[test]
fn every_step_is_some_layer_s() {
    for (shares, steps) in [(vec![], 5_000), (vec![6, 4, 21], 31_000), (vec![1, 1, 5], 17)] {
        let order = Order::OneAfterAnother(shares);
        let (mut next, mut layers) = (0, Vec::new());
        while next < steps {
            let (layer, of) = order.stage(3, steps, next);
            assert_eq!(of.start, next, "{order:?}");
            layers.push(layer);
            next = of.end;
        }
        assert_eq!((next, layers), (steps, vec![0..1, 1..2, 2..3]), "{order:?}");
    }
}

#[test]
fn layers_without_a_turn_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let refused = |method: &str, order: &[u64], change: &dyn Fn(&mut RunConfig<Images>)| {
        let mut config = tiny(method, &[2]);
        config.setup.order = Order::OneAfterAnother(order.to_vec());
        change(&mut config);
        Run::create(root.path(), config).unwrap_err().to_string()
    };
    let text = refused("softhebb", &[1, 2], &|_| {});
    assert!(text.contains("a value for each of 3 layers, or none, got 2"), "{text}");
    let text = refused("softhebb", &[1, 0, 2], &|_| {});
    assert!(text.contains("none of 12 for layer 2"), "{text}");
    let text = refused("softhebb", &[], &|config| config.setup.images = 16);
    assert!(text.contains("see more images"), "{text}");
    let text = refused("clapp-s", &[], &|config| config.setup.context = Context::LayerAbove);
    assert!(text.contains("layers that predict themselves"), "{text}");
    assert!(std::fs::read_dir(root.path()).unwrap().next().is_none(), "no folder is left");
}

#[test]
fn what_is_as_before_is_not_written() {
    let text = serde_json::to_string(&tiny("softhebb", &[2])).unwrap();
    assert!(!text.contains("order"), "{text}");
    let text = serde_json::to_string(&config()).unwrap();
    assert!(text.contains(r#""order":{"one-after-another":[1,2,3]}"#), "{text}");
    assert_eq!(serde_json::from_str::<RunConfig<Images>>(&text).unwrap(), config());
}
