//! Programs as shells and queues treat them: polite signals, closed pipes, full disks, options that would have no effect.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use common::program::{find, refused};

/// So many images that no run ends by itself while a test looks.
const LONG: [&str; 6] = ["--preset", "smoke", "--seed", "2", "--images", "64000000"];

fn start(program: &Path, folder: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn send(signal: &str, child: &Child) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
}

/// Waits until the run has begun to learn.
fn learning(folder: &Path, child: &mut Child) {
    let begun = Instant::now();
    while fs::read_to_string(folder.join("runs/smoke-clapp-s/metrics.jsonl"))
        .is_ok_and(|text| text.is_empty())
        || !folder.join("runs/smoke-clapp-s/metrics.jsonl").exists()
    {
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        assert!(begun.elapsed() < Duration::from_secs(120), "it does not begin");
        sleep(Duration::from_millis(20));
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// Whether whoever started the tests had hang-ups ignored, as programs that they start have then.
fn hang_up_is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 1)
}

#[test]
fn every_polite_signal_ends_a_run_after_a_checkpoint_with_a_code_of_its_own() {
    let Some(program) = find("stl10_clapp") else { return };
    for (signal, code) in [("-TERM", 143), ("-INT", 130), ("-HUP", 129)] {
        if signal == "-HUP" && hang_up_is_ignored() {
            clapp_testing::skip("hang-ups are ignored where the tests were started");
            continue;
        }
        let root = tempfile::tempdir().unwrap();
        let mut child = start(&program, root.path(), &LONG);
        learning(root.path(), &mut child);
        // Twice, as `timeout` and shells do: to the process and to its group.
        send(signal, &child);
        let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{signal}: {}", said(&output));
        assert!(said(&output).contains("go on with --resume "), "{}", said(&output));
        let checkpoints = clapp_testing::names(&root.path().join("runs/smoke-clapp-s/checkpoints"));
        assert_eq!(checkpoints.len(), 1, "{signal}: {checkpoints:?}");
    }
}

#[test]
fn a_hang_up_that_nohup_has_ignored_stays_ignored() {
    let Some(program) = find("stl10_clapp") else { return };
    let root = tempfile::tempdir().unwrap();
    let arguments = [&[program.to_str().unwrap()], &LONG[..]].concat();
    let mut child = start(Path::new("nohup"), root.path(), &arguments);
    learning(root.path(), &mut child);
    send("-HUP", &child);
    sleep(Duration::from_millis(500));
    assert_eq!(child.try_wait().unwrap(), None);
    send("-TERM", &child);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(143));
}

/// A shell's line in which `$0` is the program.
fn shell(program: &Path, folder: &Path, line: &str) -> Output {
    let mut command = Command::new("bash");
    command.args(["-c", line]).arg(program).current_dir(folder);
    command.process_group(0).output().unwrap()
}

#[test]
fn a_closed_pipe_ends_quietly_and_a_full_disk_with_one_line() {
    let Some(program) = find("stl10_clapp") else { return };
    let root = tempfile::tempdir().unwrap();
    let run = "\"$0\" --preset smoke --seed 2 --images 32";
    for (line, code, error) in [
        ("\"$0\" --list-rows | head -1 >/dev/null; exit ${PIPESTATUS[0]}".to_owned(), 0, ""),
        ("\"$0\" --list-rows | true; exit ${PIPESTATUS[0]}".to_owned(), 0, ""),
        (format!("{run} 2>/dev/null | true; exit ${{PIPESTATUS[0]}}"), 0, ""),
        (format!("{run} 2>&1 | true; exit ${{PIPESTATUS[0]}}"), 0, ""),
        (format!("{run} --preset nothing 2>&1 | true; exit ${{PIPESTATUS[0]}}"), 2, ""),
        (format!("{run} --method nothing 2>&1 | true; exit ${{PIPESTATUS[0]}}"), 1, ""),
        ("\"$0\" --list-rows >/dev/full".to_owned(), 1, "error: standard output: expected "),
        (format!("{run} >/dev/full"), 1, "error: standard output: expected "),
        (format!("{run} 2>/dev/full >/dev/null"), 0, ""),
        (format!("{run} <&- >/dev/null 2>/dev/null"), 0, ""),
        (format!("{run} >/dev/null 2>&-"), 0, ""),
    ] {
        let output = shell(&program, root.path(), &line);
        let (err, status) = (String::from_utf8_lossy(&output.stderr), output.status);
        assert_eq!(status.signal(), None, "{line}: {err}");
        assert_eq!(status.code(), Some(code), "{line}: {err}");
        match error {
            "" => assert!(!err.contains("panicked"), "{line}: {err}"),
            start => assert!(err.lines().any(|line| line.starts_with(start)), "{line}: {err}"),
        }
    }
}

#[test]
fn options_that_would_have_no_effect_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().to_str().unwrap();
    let cases: [(&str, &[&str], &str); 6] = [
        ("stl10_clapp", &["--download"], "--data or --cifar10 with --download"),
        ("stl10_clapp", &["--any-size"], "--data or --cifar10 with --any-size"),
        (
            "stl10_clapp",
            &["--validate"],
            "validation: expected data with a part for choosing settings",
        ),
        ("stl10_clapp", &["--data", data, "--validate"], "validation: expected data with a part"),
        ("compare_rules", &["--validate"], "validation: expected data with a part"),
        (
            "librispeech_clapp",
            &["--data", data, "--part", "folder", "--download"],
            "a part of LibriSpeech",
        ),
    ];
    for (name, arguments, expected) in cases {
        let Some(program) = find(name) else { continue };
        let text = refused(&program, root.path(), arguments);
        assert!(text.contains(expected), "{name} {arguments:?}: {text}");
    }
    for (name, option, needed) in [
        ("ucf101_clapp", &["--layout", "folders"][..], "--data"),
        ("ucf101_clapp", &["--split", "2"], "--data"),
        ("ucf101_clapp", &["--skip-bad"], "--data"),
        ("librispeech_clapp", &["--part", "dev-clean"], "--data"),
        ("librispeech_clapp", &["--skip-bad"], "--data"),
        ("librispeech_clapp", &["--data", data, "--hops"], "--labels"),
        ("librispeech_clapp", &["--data", data, "--classes", "3"], "--labels"),
    ] {
        let Some(program) = find(name) else { continue };
        let output = Command::new(&program).args(option).current_dir(root.path()).output().unwrap();
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{name} {option:?}: {text}");
        assert!(text.contains(needed), "{name} {option:?}: {text}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused_or_bounded_with_a_word() {
    let root = tempfile::tempdir().unwrap();
    if let Some(program) = find("ucf101_clapp") {
        let text = refused(&program, root.path(), &["--preset", "smoke", "--batch", "1"]);
        assert!(text.contains("expected at least 2 samples in a batch, got 1"), "{text}");
        assert!(common::files(root.path()).is_empty(), "nothing is written for it");
    }
    let Some(program) = find("stl10_clapp") else { return };
    let many = ["--preset", "smoke", "--seed", "2", "--images", "32", "--threads", "100000"];
    let output = Command::new(&program).args(many).current_dir(root.path()).output().unwrap();
    let text = said(&output);
    assert!(
        output.status.success() && text.contains("in place of 100000, 32 for each core"),
        "{text}"
    );
    let mut command = Command::new(&program);
    let output = command.env("CLAPP_ISA", "bogus").current_dir(root.path()).output().unwrap();
    let text = said(&output);
    assert!(!output.status.success() && text.contains("got \"bogus\" in CLAPP_ISA"), "{text}");
}
