//! The program `clapp-bench`: one workload, one line of JSON.

#![cfg(feature = "flex")]

use std::process::{Command, Output};

use serde_json::Value;

/// Small enough that nothing takes long.
const SMALL: [&str; 8] = ["--width", "0.0625", "--batch", "2", "--steps", "1", "--warmup", "0"];

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_clapp-bench"))
        .args(arguments)
        .args(SMALL)
        .output()
        .expect("cargo has built the program")
}

fn report(arguments: &[&str]) -> Value {
    let Output { status, stdout, stderr } = run(arguments);
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let text = String::from_utf8(stdout).expect("the program prints text");
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    serde_json::from_str(&text).expect("one line of JSON")
}

#[test]
fn every_workload_prints_its_speed_and_its_peak() {
    let all =
        ["step", "time-local", "inference", "convolutions", "loader", "sound-step", "gru-step"];
    for workload in all {
        let report = report(&[workload]);
        assert_eq!(report["workload"], workload);
        assert!(report["seconds_per_step"].as_f64().unwrap() > 0.0, "{report}");
        assert!(report["images_per_second"].as_f64().unwrap() > 0.0, "{report}");
        let peak = &report["peak_memory_bytes"];
        assert_eq!(peak.as_u64().is_some(), cfg!(target_os = "linux"), "{report}");
    }
}

#[test]
fn a_step_on_films_prints_its_speed_and_its_peak() {
    // Frames that are just large and many enough for five blocks.
    let report = report(&["film-step", "--crop", "67", "--frames", "36"]);
    assert!(report["seconds_per_step"].as_f64().unwrap() > 0.0, "{report}");
    assert_eq!(report["peak_memory_bytes"].as_u64().is_some(), cfg!(target_os = "linux"));
}

#[test]
fn a_step_of_rules_without_time_is_of_the_network_that_was_asked_for() {
    // Channels 6, 24, 96 under kernels of 5, 3, 3, without biases.
    let soft_hebb = 6 * 3 * 25 + 24 * 6 * 9 + 96 * 24 * 9;
    // Channels 8, 16, 16, 32, 64, 64 with biases, and cells that predict cells: 512, 256, 256, 512, 256, 256.
    let vgg = 8 * 28 + 16 * 73 + 16 * 145 + 32 * 145 + 64 * 289 + 64 * 577;
    let (squares, cells) = (2 * 512 * 512 + 4 * 256 * 256, 2 * 512 + 4 * 256);
    for (arguments, weights) in [
        (&["soft-hebb-step"][..], soft_hebb),
        (&["views-step"], vgg + squares),
        (&["views-step", "--rank", "4"], vgg + 2 * 4 * cells),
    ] {
        let report = report(arguments);
        assert!(report["seconds_per_step"].as_f64().unwrap() > 0.0, "{report}");
        assert_eq!(report["peak_memory_bytes"].as_u64().is_some(), cfg!(target_os = "linux"));
        assert_eq!((&report["crop"], &report["colours"]), (&32.into(), &3.into()));
        assert_eq!(report["weights"], weights, "{report}");
    }
}

#[test]
fn a_step_says_of_what_it_is_the_time() {
    let report = report(&["step", "--threads", "1", "--colours", "3", "--exact"]);
    assert_eq!((&report["threads"], &report["colours"]), (&1.into(), &3.into()));
    assert_eq!((&report["width"], &report["batch"]), (&0.0625.into(), &2.into()));
    assert_eq!(report["arithmetic"], "exact");
    // 2 · 7 · 7 patches; an untrained network's gates are open.
    assert_eq!(report["taught_patches"], Value::from(vec![98; 6]));
    assert_eq!(report["useful_multiply_adds"], report["direct_multiply_adds"]);
}

#[test]
fn convolutions_are_told_apart_by_layer() {
    let report = report(&["convolutions"]);
    let layers = report["layers"].as_array().unwrap();
    let numbers: Vec<_> = layers.iter().map(|layer| layer["layer"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [2, 3, 4, 5, 6]);
}

#[test]
fn sizes_that_fit_nothing_are_refused() {
    for (arguments, expected) in [
        (["step", "--crop", "8"], "error: encoder: expected images of at least 16 pixels"),
        (["step", "--colours", "0"], "expected a number of at least 1, got \"0\""),
        (["clips", "--frames", "54"], "error: clips: expected a tree of class folders"),
        (["loader", "--colours", "2"], "error: loader: expected 1 or 3 colours, got 2"),
    ] {
        let Output { status, stdout, stderr } = run(&arguments);
        let message = String::from_utf8_lossy(&stderr);
        assert!(!status.success() && stdout.is_empty(), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}
