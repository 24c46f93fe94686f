//! A training process is killed (SIGKILL) at many moments; nothing that it had promised is lost.
//!
//! The parent starts this very program again with the name of one test and an environment variable,
//! watches the run folder, and kills when it sees what it waits for. When exactly the kill falls
//! decides what is tested, never whether the test passes.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
};

use clapp::{
    Images, Run, RunConfig,
    run::Silent,
    store::{Checkpoint, RunFolder},
};
use clapp_testing::{child, names};
use common::{STEPS, assert_same, execute, finished, results, tiny};

const RUN: &str = "CLAPP_KILL_TEST_RUN";

/// Two seeds of 12 steps with a checkpoint after each.
fn config() -> RunConfig<Images> {
    let mut config = tiny("clapp", &[2, 3]);
    (config.checkpoint_every, config.metrics_every) = (1, 1);
    config
}

#[test]
#[ignore = "started by the tests that kill it"]
fn child_trains_until_it_is_killed() {
    let folder = std::env::var_os(RUN).expect("the parent names the run");
    execute(&mut Run::<Images>::resume(folder).unwrap(), &mut Silent).unwrap();
}

fn start_child(run: &Path) -> Child {
    let mut child = child("child_trains_until_it_is_killed");
    child.env(RUN, run).stdout(Stdio::null()).spawn().unwrap()
}

/// What the parent waits for before it kills.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The folder of checkpoints is there; no step is taken yet.
    Started,
    /// A checkpoint of this step is being written, or is whole by now.
    Writing(u64),
    /// The checkpoint of this step is whole; older ones are about to be removed.
    Whole(u64),
    /// So many lines of metrics are there; their checkpoint may not be.
    Lines(usize),
    /// The table of the first seed is there; the next seed is being prepared.
    FirstTable,
    /// The table of both seeds is there; its text and figure may still be of the first.
    LastTable,
}

impl Moment {
    fn has_come(self, run: &Path) -> bool {
        let checkpoints = names(&run.join("checkpoints"));
        let any = |start: String| checkpoints.iter().any(|name| name.starts_with(&start));
        let past = |step| newest(&checkpoints).is_some_and(|newest| newest >= step);
        let text = |name| fs::read_to_string(run.join(name)).unwrap_or_default();
        match self {
            Self::Started => run.join("checkpoints").exists(),
            Self::Writing(step) => any(format!(".step-{step:09}")) || past(step),
            Self::Whole(step) => past(step),
            Self::Lines(lines) => text("metrics.jsonl").lines().count() >= lines,
            Self::FirstTable => run.join("table.json").exists(),
            Self::LastTable => text("table.json").contains("\"seed\": 3"),
        }
    }
}

fn newest(names: &[String]) -> Option<u64> {
    names.iter().filter_map(|name| name.strip_prefix("step-")?.parse().ok()).max()
}

/// Starts or goes on with a run in a process of its own and kills that when the moment has come.
fn kill_at(run: &Path, moment: Moment) {
    let mut child = start_child(run);
    while !moment.has_come(run) {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "the child fails by itself");
            assert!(moment.has_come(run), "{moment:?}: expected to see it before the run ends");
            return; // between two looks at the folder
        }
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

fn assert_every_checkpoint_is_whole(run: &Path, moment: Moment) {
    for (step, path) in Checkpoint::list(run).unwrap() {
        let checkpoint = Checkpoint::load(path).unwrap_or_else(|e| panic!("{moment:?}: {e}"));
        assert_eq!(checkpoint.step, step);
    }
    let newest = Checkpoint::load_newest(run).unwrap();
    let seen = |step| assert!(newest.as_ref().is_some_and(|c| c.step >= step), "{moment:?}");
    match moment {
        Moment::Whole(step) => seen(step),
        Moment::FirstTable => seen(STEPS),
        Moment::LastTable => seen(2 * STEPS),
        Moment::Started | Moment::Writing(_) | Moment::Lines(_) => {}
    }
}

fn fresh(root: &Path) -> std::path::PathBuf {
    Run::create(root, config()).unwrap().path().to_owned()
}

const MOMENTS: [Moment; 9] = [
    Moment::Started,
    Moment::Writing(1),
    Moment::Whole(1),
    Moment::Writing(6),
    Moment::Whole(STEPS),
    Moment::FirstTable,
    Moment::Lines(STEPS as usize + 7),
    Moment::Whole(2 * STEPS),
    Moment::LastTable,
];

#[test]
fn a_run_killed_at_any_moment_goes_on_to_the_end_of_the_uninterrupted_one() {
    let root = tempfile::tempdir().unwrap();
    let expected = results(&finished(root.path(), &config()));
    for moment in MOMENTS {
        let run = fresh(root.path());
        kill_at(&run, moment);
        assert_every_checkpoint_is_whole(&run, moment);
        common::resume::<Images>(&run).unwrap();
        assert_same(&results(&run), &expected, &format!("{moment:?}"));
        assert_no_left_overs(&run);
        fs::remove_dir_all(run).unwrap();
    }
}

fn assert_no_left_overs(run: &Path) {
    drop(RunFolder::open(run).unwrap());
    let partial = |name: &String| name.ends_with(".tmp") || name.ends_with(".partial");
    assert!(!names(run).iter().any(partial), "temporaries remain");
    assert!(!names(&run.join("checkpoints")).iter().any(partial), "partials remain");
}
