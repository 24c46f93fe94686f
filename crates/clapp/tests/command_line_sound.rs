//! The example on sound as a user meets it. The program is `target/<profile>/examples/librispeech_clapp`;
//! where it is not there, these tests are skipped.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use common::{
    assert_same, assert_says, files, finished,
    program::{call, find, refused},
    recordings::Recordings,
    results, stopped, tiny_sound,
};

fn program() -> Option<PathBuf> {
    find("librispeech_clapp")
}

fn root() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_smoke_preset_runs_to_its_table() {
    let Some(program) = program() else { return };
    let root = root();
    let arguments = ["--preset", "smoke", "--crops", "16", "--out", "results"];
    let (success, out, err) = call(&program, root.path(), &arguments);
    assert!(success, "{err}");
    for printed in ["clapp-s", "random encoder", "log-mel", "MFCC", "without silence", "note: "] {
        assert!(out.contains(printed), "expected {printed:?} in {out}");
    }
    let run = root.path().join("results/sound-smoke-clapp-s");
    assert!(!results(&run).is_empty());
}

#[test]
fn a_stopped_run_is_resumed_to_the_end_of_the_uninterrupted_one() {
    let Some(program) = program() else { return };
    let root = root();
    let expected = results(&finished(root.path(), &tiny_sound("gim-no-gru", &[2, 3])));
    let run = stopped(root.path(), &tiny_sound("gim-no-gru", &[2, 3]), 17);
    let (success, out, err) = call(&program, root.path(), &["--resume", path(&run)]);
    assert!(success, "{out}{err}");
    assert_same(&results(&run), &expected, "resumed by the example");
}

#[test]
fn a_folder_of_sound_alone_is_learnt_from_and_what_is_left_out_is_counted() {
    let Some(program) = program() else { return };
    let recordings = Recordings::new();
    recordings.write(3, 4_000, 8_000);
    let sound = recordings.path("sound");
    let arguments = ["--data", path(&sound), "--part", "folder", "--preset", "smoke"];
    let root = root();
    let text = refused(&program, root.path(), &arguments);
    assert_says(&text, "sample rate", "t3/a.wav");

    let short = ["--crops", "16", "--skip-bad"];
    // Seven files of 1.3 s are no batch of eight.
    let text = refused(&program, root.path(), &[&arguments[..], &short].concat());
    assert_says(&text, "loader", path(&sound));
    recordings.write(8, 20_880, 16_000);
    let (success, out, err) = call(&program, root.path(), &[&arguments[..], &short].concat());
    assert!(success, "{err}");
    assert!(out.contains("evaluated on: nothing"), "{out}");
    for note in ["nothing is read out, because there are no labels", "1 left out of "] {
        assert!(out.contains(&format!("note: {note}")) && err.contains(note), "{out}{err}");
    }
    assert!(root.path().join("runs/sound-smoke-clapp-s/metrics.jsonl").is_file());
}

#[test]
fn names_and_options_without_sense_fail_and_say_what_there_is() {
    let Some(program) = program() else { return };
    let root = root();
    let text = refused(&program, root.path(), &["--method", "clap"]);
    assert_says(&text, "method", "hinge-cpc, supervised");
    let text = refused(&program, root.path(), &["--method", "cpc", "--recurrence", "bptt"]);
    assert_says(&text, "method", "\"cpc-bptt\"");
    assert_says(&refused(&program, root.path(), &["--preset", "paper"]), "preset", "sound files");
    for arguments in [&["--labels", "."][..], &["--download"], &["--recurrence", "two"]] {
        let (success, _, err) = call(&program, root.path(), arguments);
        assert!(!success && err.contains(arguments[0]), "{err}");
    }
    assert!(files(root.path()).is_empty(), "no run folder for what cannot run");
}

#[test]
fn a_method_with_back_propagation_runs_or_says_how_to_build_it() {
    let Some(program) = program() else { return };
    let root = root();
    let arguments = ["--preset", "smoke", "--crops", "16", "--recurrence", "bptt"];
    let (success, out, err) = call(&program, root.path(), &arguments);
    if success {
        assert!(out.contains("clapp-s-bptt"), "{out}");
        let config = root.path().join("runs/sound-smoke-clapp-s-bptt/config.json");
        assert!(fs::read_to_string(config).unwrap().contains("\"learning\": \"through-time\""));
    } else {
        assert!(err.contains("build with --features baselines"), "{err}");
    }
}
