//! Early looks: what nearest neighbours read out of every layer while it learns.

#![allow(clippy::unwrap_used)]

mod common;

use std::num::NonZeroU64;

use clapp::{
    Run,
    run::StepMetrics,
    store::{Checkpoint, read_metrics},
};
use common::{assert_says, finished, tiny, tiny_sound};

#[test]
fn early_looks_change_nothing_that_is_learnt() {
    let root = tempfile::tempdir().unwrap();
    let plain = tiny("clapp-s", &[2]);
    let mut looking = plain.clone();
    looking.probe_every = NonZeroU64::new(24);
    let [plain, looking] = [plain, looking].map(|config| finished(root.path(), &config));

    let tensors = |run| Checkpoint::load_newest(run).unwrap().unwrap().tensors;
    assert!(tensors(&plain) == tensors(&looking), "expected the same weights and moments");
    let table = |run: &std::path::Path| std::fs::read_to_string(run.join("table.json")).unwrap();
    assert_eq!(table(&looking), table(&plain));

    let [plain, mut looking] =
        [plain, looking].map(|run| read_metrics::<StepMetrics>(run.join("metrics.jsonl")).unwrap());
    // Batches of 8; lines of their own where there are no others.
    let steps = looking.iter().filter(|line| !line.look.is_empty()).map(|line| line.step);
    assert_eq!(steps.collect::<Vec<_>>(), [3, 6, 9, 12]);
    for line in &mut looking {
        let look = std::mem::take(&mut line.look);
        let layers = if line.step.is_multiple_of(3) { 6 } else { 0 };
        assert_eq!(look.len(), layers, "step {}", line.step);
        assert!(look.iter().all(|accuracy| (0.0..=1.0).contains(accuracy)), "{look:?}");
    }
    looking.retain(|line| line.step == 1 || line.step.is_multiple_of(2));
    assert_eq!(looking, plain);
}

#[test]
fn a_sense_without_early_looks_refuses_them() {
    let root = tempfile::tempdir().unwrap();
    let mut config = tiny_sound("clapp-s", &[2]);
    config.probe_every = NonZeroU64::new(24);
    let text = Run::create(root.path(), config).unwrap_err().to_string();
    assert_says(&text, "configuration: expected images, for early looks", "crops in probe_every");
}
