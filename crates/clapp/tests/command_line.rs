//! The main example as a user meets it: exit codes, and errors that say what to do.
//!
//! The program is `target/<profile>/examples/stl10_clapp`, which `cargo test --workspace` builds;
//! where it is not there, these tests are skipped.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use clapp::{Images, Run};
use common::{
    IMAGE, assert_same, assert_says, files, finished,
    program::{call, find, refused},
    results, stopped, tiny, tiny_stl10, write_stl10,
};

fn program() -> Option<PathBuf> {
    find("stl10_clapp")
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
    let arguments = ["--preset", "smoke", "--seed", "2", "--images", "64", "--out", "results"];
    let (success, out, err) = call(&program, root.path(), &arguments);
    assert!(success, "{err}");
    let run = root.path().join("results/smoke-clapp-s");
    assert!(out.contains("run folder: results/smoke-clapp-s"), "{out}");
    assert!(out.contains("random encoder") && out.contains("raw pixels"), "{out}");
    assert!(!results(&run).is_empty());
    let config = fs::read_to_string(run.join("config.json")).unwrap();
    assert!(config.contains("\"images\": 64"), "{config}");

    // The same call again: a folder of its own.
    let before = files(&run);
    let (success, out, _) = call(&program, root.path(), &arguments);
    assert!(success && out.contains("run folder: results/smoke-clapp-s-2"), "{out}");
    assert_same(&files(&run), &before, "a second run beside the first");
    let other = root.path().join("results/smoke-clapp-s-2");
    assert_same(&results(&other), &results(&run), "the same call again");
}

#[test]
fn a_stopped_run_is_resumed_to_the_end_of_the_uninterrupted_one_with_any_number_of_threads() {
    let Some(program) = program() else { return };
    let root = root();
    let expected = results(&finished(root.path(), &tiny("clapp", &[2, 3])));
    for (threads, step) in [("1", 7), ("2", 17)] {
        let run = stopped(root.path(), &tiny("clapp", &[2, 3]), step);
        let arguments = ["--resume", path(&run), "--threads", threads];
        let (success, out, err) = call(&program, root.path(), &arguments);
        assert!(success, "{out}{err}");
        assert_same(&results(&run), &expected, &format!("{threads} threads from step {step}"));
    }
}

#[test]
fn unknown_names_fail_with_the_known_ones() {
    let Some(program) = program() else { return };
    let root = root();
    let text = refused(&program, root.path(), &["--preset", "qick"]);
    assert_says(&text, "preset", "smoke, quick, paper");
    let text = refused(&program, root.path(), &["--method", "clap"]);
    assert_says(&text, "method", "clapp, clapp-s, gim");
    let text = refused(&program, root.path(), &["--preset", "paper"]);
    assert_says(&text, "preset paper", "STL-10");
    let text = refused(&program, root.path(), &["--device", "abacus"]);
    assert!(text.starts_with("device: expected flex, ") && text.contains("\"abacus\""), "{text}");
    assert!(files(root.path()).is_empty(), "no run folder for what cannot run");
}

#[cfg(not(feature = "wgpu"))]
#[test]
fn a_device_that_was_left_out_says_how_to_build_it() {
    let Some(program) = program() else { return };
    let root = root();
    let text = refused(&program, root.path(), &["--device", "wgpu"]);
    assert!(text.contains("build again with --features wgpu"), "{text}");
}

#[test]
fn an_option_without_sense_ends_with_another_code_than_success() {
    let Some(program) = program() else { return };
    let root = root();
    for arguments in [["--seed", "two"], ["--images", "-3"], ["--colour", "red"]] {
        let (success, _, err) = call(&program, root.path(), &arguments);
        assert!(!success && (err.contains(arguments[0]) || err.contains(arguments[1])), "{err}");
    }
    assert!(!refused(&program, root.path(), &["--seed", "2,2"]).is_empty());
    assert!(!refused(&program, root.path(), &["--images", "0"]).is_empty());
}

#[test]
fn damaged_data_fail_and_stay_as_they_are() {
    let Some(program) = program() else { return };
    let root = root();
    let data = root.path().join("data");
    let fails = |place: &str| {
        let arguments = ["--preset", "smoke", "--data", path(&data), "--any-size", "--seed", "2"];
        let text = refused(&program, root.path(), &arguments);
        assert_says(&text, "stl10", place);
        text
    };
    let absent = fails(path(&data));
    assert!(absent.contains("no such file"), "{absent}");

    fs::create_dir(&data).unwrap();
    write_stl10(&data);
    let images = data.join("unlabeled_X.bin");
    for size in [0, 16 * IMAGE - 1, 16 * IMAGE + 1] {
        fs::File::options().write(true).open(&images).unwrap().set_len(size as u64).unwrap();
        assert!(fails(path(&images)).contains(&format!("got {size} ")));
    }
    write_stl10(&data);
    for label in [0, 11] {
        fs::write(data.join("train_y.bin"), [vec![1; 19], vec![label]].concat()).unwrap();
        let text = fails(path(&data.join("train_y.bin")));
        assert!(text.contains(&format!("got {label} at image 19")), "{text}");
    }
    write_stl10(&data);
    let arguments = ["--preset", "smoke", "--data", path(&data), "--seed", "2"];
    let text = refused(&program, root.path(), &arguments);
    assert_says(&text, "stl10", path(&images));
    assert!(text.contains("expected 2764800000 bytes"), "{text}");
}

#[test]
fn resuming_fails_where_there_is_no_run_and_where_another_process_writes() {
    let Some(program) = program() else { return };
    let root = root();
    let resume = |folder: &Path| refused(&program, root.path(), &["--resume", path(folder)]);
    assert_says(&resume(&root.path().join("absent")), "open run", "absent");
    fs::create_dir(root.path().join("empty")).unwrap();
    assert_says(&resume(&root.path().join("empty")), "run", "empty");
    assert!(!root.path().join("empty/.lock").exists());

    let folder = stopped(root.path(), &tiny("clapp-s", &[2]), 7);
    let held = Run::<Images>::resume(&folder).unwrap();
    let text = resume(&folder);
    assert_says(&text, "lock run", path(&folder));
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    drop(held);
    assert!(call(&program, root.path(), &["--resume", path(&folder)]).0);
}

#[test]
fn resuming_fails_behind_a_flipped_byte_and_behind_another_configuration() {
    let Some(program) = program() else { return };
    let root = root();
    let data = root.path().join("data");
    fs::create_dir(&data).unwrap();
    write_stl10(&data);
    let folder = stopped(root.path(), &tiny_stl10(&data), 7);
    let resume = || refused(&program, root.path(), &["--resume", path(&folder)]);

    let config = folder.join("config.json");
    let sound = fs::read_to_string(&config).unwrap();
    fs::write(&config, sound.replace("\"batch\": 8", "\"batch\": 4")).unwrap();
    assert_says(&resume(), "resume", path(&config));
    fs::write(&config, sound).unwrap();

    let state = folder.join("checkpoints/step-000000007/state.safetensors");
    let mut bytes = fs::read(&state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&state, bytes).unwrap();
    let text = resume();
    assert_says(&text, "resume", path(&state));
    assert!(text.contains("step-000000005 is intact"), "{text}");
}
