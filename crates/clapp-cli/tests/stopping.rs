//! Runs of the program that are stopped or killed, as people, queues and bad luck do it.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use clapp_testing::{assert_same, files, names, skip};

const CLAPP: &str = env!("CARGO_BIN_EXE_clapp");

/// So many images that no run ends by itself while a test looks.
const LONG: &str = "train -p smoke --set images=64000000 -o run";

fn start(program: &str, folder: &Path, arguments: &str) -> Child {
    let mut command = Command::new(program);
    command.args(arguments.split_whitespace()).current_dir(folder);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// Rows of metrics so far.
fn rows(run: &Path) -> usize {
    fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |text| text.matches('\n').count())
}

/// Waits until the run has so many rows of metrics; whether it is still at work then.
fn wait(child: &mut Child, run: &Path, until: usize) -> bool {
    let begun = Instant::now();
    while rows(run) < until {
        assert!(begun.elapsed() < Duration::from_secs(120), "it does not go on");
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        sleep(Duration::from_millis(1));
    }
    true
}

fn send(signal: &str, child: &Child) -> bool {
    Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success()
}

/// Whether whoever started the tests had hang-ups ignored, as programs that they start have then.
fn hang_up_is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 1)
}

#[test]
fn every_polite_signal_ends_a_run_after_a_checkpoint_with_a_code_of_its_own() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130), ("-HUP", 129)] {
        if signal == "-HUP" && hang_up_is_ignored() {
            skip("hang-ups are ignored where the tests were started");
            continue;
        }
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("run");
        let mut child = start(CLAPP, root.path(), LONG);
        assert!(wait(&mut child, &run, 1), "it ended by itself");
        // Twice, as `timeout` and shells do: to the process and to its group.
        assert!(send(signal, &child));
        send(signal, &child);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{signal}: {}", said(&output));
        assert!(said(&output).contains("go on with: clapp resume run"), "{}", said(&output));
        assert_eq!(names(&run.join("checkpoints")).len(), 1, "{signal}");
    }
}

#[test]
fn a_hang_up_that_nohup_has_ignored_stays_ignored() {
    let root = tempfile::tempdir().unwrap();
    let mut child = start("nohup", root.path(), &format!("{CLAPP} {LONG}"));
    assert!(wait(&mut child, &root.path().join("run"), 1), "it ended by itself");
    assert!(send("-HUP", &child));
    sleep(Duration::from_millis(500));
    assert_eq!(child.try_wait().unwrap(), None);
    assert!(send("-TERM", &child));
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(143));
}

#[test]
fn a_run_killed_twenty_times_ends_as_the_uninterrupted_one_byte_for_byte() {
    // Forty steps of two seeds, a row for each; looks and checkpoints fall on different ones.
    let train = "train -p smoke -s 2,3 -q --probe-every 40 --set checkpoint_every=3 \
        --set batch=8 --set images=160 --set data.unlabelled=64 --set data.train=60 --set data.test=30 \
        --set readout.protocols=[\"knn\"] --set readout.few=2 --set readout.few_draws=2";
    let root = tempfile::tempdir().unwrap();
    let [whole, run] = ["whole", "run"].map(|name| root.path().join(name));
    let output =
        start(CLAPP, root.path(), &format!("{train} -o whole")).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));

    // Moments are numbers of rows, drawn with a fixed seed: what falls between two rows is left to chance.
    let mut state = 12_u64;
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut moments: Vec<usize> = (0..20).map(|_| 1 + draw() % rows(&whole)).collect();
    moments.sort_unstable();
    let mut begin = format!("{train} -o run");
    for moment in moments {
        let mut child = start(CLAPP, root.path(), &begin);
        wait(&mut child, &run, moment);
        child.kill().unwrap();
        child.wait().unwrap();
        begin = "resume run -q".to_owned();
    }
    let output = start(CLAPP, root.path(), &begin).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_same(&files(&run), &files(&whole), "killed twenty times");
}
