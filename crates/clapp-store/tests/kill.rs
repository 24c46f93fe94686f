//! A training process is killed (SIGKILL) at many moments; nothing that it had promised is lost.
//!
//! The parent starts this very program again with the name of one test and an environment variable,
//! watches the run folder, and kills after a number of changes it has seen and a short sleep. When
//! exactly the kill falls decides what is tested, never whether the test passes.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use clapp_store::{Checkpoint, Checkpoints, MetricsLog, RunFolder, TensorFile};
use clapp_testing::{child, names};
use serde_json::{Value, json};

const RUN: &str = "CLAPP_STORE_KILL_TEST_RUN";
const STEPS: u64 = 20;
const REPETITIONS: u32 = 18;

fn tensors(step: u64) -> BTreeMap<String, TensorFile> {
    let values: Vec<f32> = (0..20_000).map(|i| (i as u64 * step) as f32).collect();
    [("w".to_owned(), TensorFile::from_values([100, 200], &values))].into()
}

/// Trains up to step 20 from wherever the run is.
fn train(run: &Path) {
    let run = RunFolder::open(run).unwrap();
    let checkpoints = Checkpoints::open(&run).unwrap();
    let done = checkpoints.load_newest().unwrap().map(|checkpoint| checkpoint.step);
    let mut log = MetricsLog::open(run.path().join("metrics.jsonl"), done).unwrap();
    for step in done.unwrap_or(0) + 1..=STEPS {
        for part in 0..3 {
            log.append(&json!({"step": step, "part": part, "loss": 1.0 / step as f64})).unwrap();
        }
        log.sync().unwrap();
        run.write_json("progress.json", &json!({"step": step})).unwrap();
        checkpoints.save(step, &tensors(step), &json!({"step": step}), &json!({})).unwrap();
        checkpoints.prune(3.try_into().unwrap(), &[1]).unwrap();
    }
}

#[test]
#[ignore = "started by the tests that kill it"]
fn child_trains_until_it_is_killed() {
    train(Path::new(&std::env::var_os(RUN).expect("the parent names the run")));
}

fn start_child(run: &Path) -> Child {
    let mut child = child("child_trains_until_it_is_killed");
    child.env(RUN, run).stdout(Stdio::null()).spawn().unwrap()
}

/// Kills the child after it has changed the folder of checkpoints `changes` times, and a little.
fn kill_after(mut child: Child, folder: &Path, changes: u32) {
    let (mut seen, mut last) = (0, Vec::new());
    while seen < changes {
        let now = names(folder);
        if now != last {
            (seen, last) = (seen + 1, now);
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "the child fails by itself");
            return;
        }
        std::thread::yield_now();
    }
    std::thread::sleep(Duration::from_micros(u64::from(changes) * 331 % 2_000));
    child.kill().unwrap();
    child.wait().unwrap();
}

fn assert_every_checkpoint_is_whole(run: &Path) {
    Checkpoint::load_newest(run).unwrap();
    for (step, path) in Checkpoint::list(run).unwrap() {
        let checkpoint = Checkpoint::load(path).unwrap();
        assert_eq!(checkpoint.step, step);
        assert_eq!(checkpoint.tensors, tensors(step));
        assert_eq!(checkpoint.progress, json!({"step": step}));
    }
    if let Ok(text) = fs::read_to_string(run.join("progress.json")) {
        assert!(serde_json::from_str::<Value>(&text).unwrap()["step"].is_u64());
    }
}

fn fresh(root: &Path) -> std::path::PathBuf {
    RunFolder::create(root, "run").unwrap().path().to_owned()
}

#[test]
fn a_run_killed_at_any_moment_has_a_whole_newest_checkpoint_and_resumes_to_the_same_end() {
    let root = tempfile::tempdir().unwrap();
    let uninterrupted = fresh(root.path());
    train(&uninterrupted);
    let metrics = fs::read(uninterrupted.join("metrics.jsonl")).unwrap();
    let end = names(&uninterrupted.join("checkpoints"));

    for repetition in 0..REPETITIONS {
        let run = fresh(root.path());
        let folder = run.join("checkpoints");
        kill_after(start_child(&run), &folder, 1 + 3 * repetition);
        assert_every_checkpoint_is_whole(&run);

        drop(RunFolder::open(&run).unwrap());
        assert!(names(&folder).iter().all(|name| name.starts_with("step-")), "partials remain");
        assert!(names(&run).iter().all(|name| !name.ends_with(".tmp")), "temporaries remain");

        train(&run);
        assert_every_checkpoint_is_whole(&run);
        assert_eq!(fs::read(run.join("metrics.jsonl")).unwrap(), metrics);
        assert_eq!(names(&folder)[0], end[0]);
        assert_eq!(names(&folder).last(), end.last());
    }
}
