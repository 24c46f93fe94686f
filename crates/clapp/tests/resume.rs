//! A run that stops and goes on equals one that never stopped, byte for byte.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/threads.rs"]
mod threads;

use std::path::Path;

use clapp::{
    Images, Run, RunEnd,
    run::{Observer, StepMetrics},
    store::Checkpoint,
};
use common::{
    EPOCH, STEPS, assert_same, execute, files, finished, results, stopped, stopped_at_each, tiny,
};

fn root() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn assert_stops_leave_no_trace(method: &str) {
    let root = root();
    let expected = results(&finished(root.path(), &tiny(method, &[2, 3])));
    // The first step, before and after the border of two epochs, on and off the steps with metrics
    // and checkpoints; both sides of the border of two seeds; the last step.
    let steps = [1, EPOCH - 1, EPOCH, EPOCH + 1, 10, STEPS, STEPS + 1, 2 * STEPS - 3, 2 * STEPS];
    let chain = stopped_at_each(root.path(), &tiny(method, &[2, 3]), &steps);
    assert_same(&results(&chain), &expected, "stopped at every place");
    for step in [4, STEPS + 2] {
        let one = stopped_at_each(root.path(), &tiny(method, &[2, 3]), &[step]);
        assert_same(&results(&one), &expected, &format!("stopped after step {step}"));
    }
}

#[test]
fn clapp_s_resumes_bit_for_bit() {
    assert_stops_leave_no_trace("clapp-s");
}

/// Time-local, with W_retro: two sets of draws, two sets of lateral weights.
#[test]
fn clapp_resumes_bit_for_bit() {
    assert_stops_leave_no_trace("clapp");
}

#[test]
fn gim_resumes_bit_for_bit() {
    assert_stops_leave_no_trace("gim");
}

#[test]
fn contexts_from_the_layer_above_resume_bit_for_bit() {
    let root = root();
    let expected = results(&finished(root.path(), &tiny("clapp-s-above", &[2])));
    let folder = stopped_at_each(root.path(), &tiny("clapp-s-above", &[2]), &[7]);
    assert_same(&results(&folder), &expected, "stopped after step 7");
}

#[test]
fn a_run_stopped_behind_the_last_step_of_a_seed_still_reads_that_seed_out() {
    let root = root();
    let expected = results(&finished(root.path(), &tiny("clapp-s", &[2, 3])));
    let folder = stopped(root.path(), &tiny("clapp-s", &[2, 3]), STEPS);
    assert!(!folder.join("table.json").exists(), "the read-out has not begun");
    common::resume::<Images>(&folder).unwrap();
    assert_same(&results(&folder), &expected, "stopped before the first read-out");

    let folder = stopped(root.path(), &tiny("clapp-s", &[2, 3]), 2 * STEPS);
    assert!(folder.join("table.json").exists(), "the first seed is read out");
    common::resume::<Images>(&folder).unwrap();
    assert_same(&results(&folder), &expected, "stopped before the last read-out");
}

/// Panics before the read-out of a seed, as a process ends that is killed there.
struct DiesReadingOut(u64);

impl Observer for DiesReadingOut {
    fn step(&mut self, _: u64, _: &StepMetrics) -> bool {
        true
    }

    fn stage(&mut self, what: &str) {
        assert_ne!(what, format!("seed {}: reading out", self.0));
    }
}

#[test]
fn a_run_that_dies_while_it_reads_out_reads_out_again() {
    let root = root();
    let expected = results(&finished(root.path(), &tiny("clapp-s", &[2, 3])));
    for seed in [2, 3] {
        let mut run = Run::create(root.path(), tiny("clapp-s", &[2, 3])).unwrap();
        let folder = run.path().to_owned();
        let dies = std::panic::AssertUnwindSafe(move || {
            let _ = execute(&mut run, &mut DiesReadingOut(seed));
        });
        assert!(std::panic::catch_unwind(dies).is_err());
        common::resume::<Images>(&folder).unwrap();
        assert_same(&results(&folder), &expected, &format!("died reading out seed {seed}"));
    }
}

#[test]
fn a_finished_run_that_is_resumed_changes_no_file() {
    let root = root();
    let folder = finished(root.path(), &tiny("clapp-s", &[2, 3]));
    let before = files(&folder);
    let RunEnd::Finished(report) = common::resume::<Images>(&folder).unwrap() else {
        panic!("expected the end of the run, got a stop")
    };
    assert_eq!(report.summary("clapp-s", 6, report.series()[0]).unwrap().seeds, 2);
    assert_same(&files(&folder), &before, "resumed after its end");
}

#[test]
fn stopping_keeps_no_more_checkpoints_than_the_configuration_says() {
    let root = root();
    let folder = stopped_at_each(root.path(), &tiny("clapp-s", &[2]), &[1, 2, 3, 4]);
    assert_eq!(Checkpoint::list(&folder).unwrap().len(), tiny("clapp-s", &[2]).checkpoints_kept);
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    threads::assert_threads_change_no_byte(&tiny("clapp", &[2]), &[2, 3]);
}

#[test]
fn the_same_configuration_gives_the_same_bytes_and_another_seed_others() {
    let root = root();
    let first = results(&finished(root.path(), &tiny("clapp-s", &[2])));
    assert_same(&results(&finished(root.path(), &tiny("clapp-s", &[2]))), &first, "run again");
    let other = results(&finished(root.path(), &tiny("clapp-s", &[3])));
    let metrics = Path::new("metrics.jsonl");
    assert_ne!(other[metrics], first[metrics]);
}
