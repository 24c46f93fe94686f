//! A page about runs holds all that it should, and loads nothing.

#![allow(clippy::unwrap_used)] // a test that fails there says where

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use clapp::{
    Images, Run, RunConfig,
    comparison::{Budget, Comparison, Plan},
    eval::Report,
    image::DataConfig,
    preset,
    run::{Environment, Observer, Silent, StepMetrics},
};

fn config(method: &str) -> RunConfig<Images> {
    let mut config = preset("smoke", method, &Images::Synthetic, &[2]).unwrap();
    config.setup.data = DataConfig::Synthetic { unlabelled: 320, train: 100, test: 80 };
    config.setup.images = 10 * config.batch as u64;
    config.metrics_every = 1;
    config
}

/// A run in a folder of `root`, to its end or to where `observer` stops it.
fn run(root: &Path, observer: &mut dyn Observer) -> PathBuf {
    let mut run = Run::create(root, config("clapp-s")).unwrap();
    run.execute(&clapp::device("flex").unwrap(), observer).unwrap();
    run.path().to_owned()
}

struct StopAt(u64);

impl Observer for StopAt {
    fn step(&mut self, _: u64, metrics: &StepMetrics) -> bool {
        metrics.step < self.0
    }
}

fn report(runs: &[&Path], out: &Path) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_clapp"));
    program.env("RAYON_NUM_THREADS", "1").arg("report").args(runs).arg("--out").arg(out);
    program.args(["--images", "60"]).output().unwrap()
}

/// The page, of which everything is checked that holds for every page.
fn page(runs: &[&Path]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("page.html");
    for _ in 0..2 {
        // The second time it is a page that is replaced.
        let output = report(runs, &out);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let html = fs::read_to_string(&out).unwrap();
    assert!(html.len() < 5 << 20, "{} bytes", html.len());
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>"));
    for load in ["src=", "<link", "@import", "url(", "fetch("] {
        assert!(!html.contains(load), "{load}");
    }
    for address in html.split("href=\"").skip(1) {
        assert!(address.starts_with("data:image/png;base64,"), "{}", &address[..40]);
    }
    for svg in html.split("<svg").skip(1) {
        let end = svg.find("</svg>").expect("every drawing ends") + 6;
        roxmltree::Document::parse(&format!("<svg{}", &svg[..end])).unwrap();
    }
    html
}

fn says(html: &str, expected: &[&str]) {
    expected.iter().for_each(|text| assert!(html.contains(text), "expected {text}"));
}

#[test]
fn a_finished_run_shows_every_figure() {
    let root = tempfile::tempdir().unwrap();
    let folder = run(root.path(), &mut Silent);
    let html = page(&[&folder]);
    let figures = [
        "Accuracy per layer, with its controls",
        "Learning curves: loss of every layer",
        "Learning curves: open gates of every layer",
        "Confusion matrix of seed 2",
        "Receptive fields: the weights",
        "Preferred images: for 3 units of each layer",
    ];
    says(&html, &figures);
    says(&html, &["Finished: 10 steps", "data: synthetic scenes, seeds [2]", "raw pixels"]);
    let start = &Environment::load(&folder).unwrap()[0];
    says(&html, &[&start.started, &format!("{} images", start.samples)]);
    assert_eq!(html.matches("<b>Figure ").count(), html.matches("<svg").count());

    // A run of a version that kept no environment.
    fs::remove_file(folder.join("environment.json")).unwrap();
    says(&page(&[&folder]), &["Not recorded", "command: not recorded"]);
}

#[test]
fn a_stopped_run_says_how_far_it_is_and_one_without_labels_why_nothing_is_read_out() {
    let root = tempfile::tempdir().unwrap();
    let folder = run(root.path(), &mut StopAt(4));
    let html = page(&[&folder]);
    says(&html, &["step 4 of 10 (40 %)", "Receptive fields", "Learning curves: loss"]);
    assert!(!html.contains("Accuracy per layer"));

    let nothing = Report::new("photographs", "photographs", 0);
    fs::write(folder.join("table.json"), nothing.to_json().unwrap()).unwrap();
    says(&page(&[&folder]), &["The data have no labels", "data: photographs"]);
}

#[test]
fn runs_stand_side_by_side_and_comparisons_are_tables() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("two-rules");
    let members = ["clapp-s", "gim"].map(config).to_vec();
    let plan = Plan { budget: Budget::Samples(64), program: "clapp train".into(), members };
    let comparison = Comparison::open(&folder, plan).unwrap();
    comparison.execute(&clapp::device("flex").unwrap(), &mut Silent).unwrap();
    let html = page(&[&folder]);
    says(&html, &["Comparison on synthetic scenes", "smoke-clapp-s, random", "smoke-gim, random"]);
    assert_eq!(html.matches("Receptive fields: ").count(), 2);
    let both = page(&[&folder.join("smoke-gim"), &folder.join("smoke-clapp-s")]);
    says(&both, &["<h1>smoke-gim, smoke-clapp-s</h1>", "smoke-gim, random"]);
}

#[test]
fn other_files_are_not_replaced_and_folders_without_a_run_are_named() {
    let root = tempfile::tempdir().unwrap();
    let notes = root.path().join("notes.html");
    fs::write(&notes, "mine").unwrap();
    let error = |output: Output| String::from_utf8(output.stderr).unwrap();
    let refused = error(report(&[root.path()], &notes));
    assert!(refused.contains("report: expected a new file, or a page to replace"), "{refused}");
    assert_eq!(fs::read_to_string(&notes).unwrap(), "mine");
    let none = error(report(&[root.path()], &root.path().join("page.html")));
    assert!(none.contains("expected config.json in"), "{none}");
}
