//! Runs on sound files: with labels, without them, and with files that are not as they should be.

#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, path::Path};

use clapp::{
    Data, Run,
    datasets::{OnBad, Source},
    eval::Report,
    run::{Observer, StepMetrics},
    sound::{Encoder, Posteriors},
    store::{Checkpoint, read_metrics},
};
use common::{
    assert_says, execute, finished,
    recordings::{LABELS, Recordings, SAMPLES, line},
};

fn root() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn table(folder: &Path) -> Report {
    Report::load(&folder.join("table.json")).unwrap()
}

/// Hears what a run says before it begins.
#[derive(Default)]
struct Listener(Vec<String>);

impl Observer for Listener {
    fn step(&mut self, _: u64, _: &StepMetrics) -> bool {
        true
    }

    fn note(&mut self, what: &str) {
        self.0.push(format!("note: {what}"));
    }
}

#[test]
fn a_folder_of_recordings_with_labels_runs_to_its_table() {
    let (recordings, runs) = (Recordings::new(), root());
    let config = recordings.config(OnBad::Refuse);
    let folder = finished(runs.path(), &config);
    assert_eq!(config.name(), "sound-smoke-clapp-s");
    let report = table(&folder);
    assert!(report.trained_on.starts_with("4 utterances of "), "{}", report.trained_on);
    assert!(report.evaluated_on.starts_with("2 utterances of "), "{}", report.evaluated_on);
    assert_eq!(report.classes, 4);
    // Every talker has one utterance: nobody to be known again.
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
}

#[test]
fn a_folder_without_labels_is_learnt_from_and_the_run_says_that_nothing_was_read_out() {
    let (recordings, runs) = (Recordings::new(), root());
    let mut run = Run::create(runs.path(), recordings.unlabelled()).unwrap();
    let mut listener = Listener::default();
    execute(&mut run, &mut listener).unwrap();
    let note = "note: nothing is read out, because there are no labels";
    assert!(listener.0.iter().any(|said| said == note), "{:?}", listener.0);
    let text = fs::read_to_string(run.path().join("table.txt")).unwrap();
    assert!(text.contains("evaluated on: nothing\n") && text.contains(note), "{text}");
    assert!(text.starts_with("trained on:   8 utterances of "), "{text}");
    let metrics: Vec<StepMetrics> = read_metrics(run.path().join("metrics.jsonl")).unwrap();
    assert_eq!(metrics.last().unwrap().step, common::STEPS);
    assert_eq!(Checkpoint::list(run.path()).unwrap().last().unwrap().0, common::STEPS);
    let encoder = Encoder::load(run.path(), &clapp::device("flex").unwrap()).unwrap();
    let phones = Posteriors::of(&encoder, 3, &mut |_, _| ()).unwrap_err().to_string();
    assert_says(&phones, "phones", "--labels");
}

#[test]
fn what_is_left_out_is_told_before_the_run_and_stands_below_the_table() {
    let (recordings, runs) = (Recordings::new(), root());
    recordings.write(5, SAMPLES, 8_000); // in no list
    recordings.write(1, 4_000, 16_000); // shorter than a crop
    recordings.relabel(1, &line(1, 23));
    let mut run = Run::create(runs.path(), recordings.config(OnBad::Skip)).unwrap();
    let mut listener = Listener::default();
    execute(&mut run, &mut listener).unwrap();
    let report = table(run.path());
    let text = fs::read_to_string(run.path().join("table.txt")).unwrap();
    for (count, reason) in [("1 left out of ", "t5/a.wav"), ("1 left out of crops:", "t1/a")] {
        let found = |note: &&String| note.starts_with(count) && note.contains(reason);
        let note = report.notes.iter().find(found).unwrap_or_else(|| panic!("{:?}", report.notes));
        assert!(text.contains(note.as_str()), "{text}");
        assert!(listener.0.contains(&format!("note: {note}")), "{:?}", listener.0);
    }
    assert!(report.trained_on.starts_with("4 utterances of "), "{}", report.trained_on);
}

/// A way to spoil recordings, and what the error then names.
type Spoilt = (fn(&Recordings), &'static str, &'static [&'static str]);

/// The labels of t1 stand in line 2, its name in line 2 of the list.
const SPOILT: &[Spoilt] = &[
    (
        |r| {
            let flac = Path::new("../clapp-datasets/tests/sound_fixture/triangle.flac");
            let bytes = fs::read(flac).unwrap();
            fs::remove_file(r.path("sound/t1/a.wav")).unwrap();
            fs::write(r.path("sound/t1/a.flac"), &bytes[..bytes.len() / 2]).unwrap();
        },
        "flac",
        &["expected 5000 samples", "t1/a.flac"],
    ),
    (
        |r| {
            let bytes = fs::read(r.path("sound/t1/a.wav")).unwrap();
            fs::write(r.path("sound/t1/a.wav"), &bytes[..bytes.len() / 2]).unwrap();
        },
        "wav",
        &["expected 20880 samples", "t1/a.wav"],
    ),
    (|r| r.write(1, SAMPLES, 8_000), "sample rate", &["got 8000", "t1/a.wav"]),
    (|r| r.write_as(1, SAMPLES, 16_000, 2, 6_000.0), "channels", &["got 2", "t1/a.wav"]),
    (|r| r.write_as(1, SAMPLES, 16_000, 1, 0.0), "sound", &["silence", "t1/a.wav"]),
    (|r| r.relabel(1, &line(1, 128)), "phone labels", &["got 128 at line 2", LABELS]),
    (|r| r.relabel(1, &line(1, 130)), "phone labels", &["got 130 at line 2", LABELS]),
    (|r| r.relabel(1, "t1/a 4\n"), "phone labels", &["got \"4\" at line 2", LABELS]),
    (
        |r| fs::remove_file(r.path("sound/t1/a.wav")).unwrap(),
        "split list",
        &["got t1/a at line 2", "train_split.txt"],
    ),
    (|r| r.relabel(1, ""), "labels", &["got none of t1/a", "train_split.txt"]),
];

#[test]
fn bad_files_and_lines_stop_a_run_before_it_begins_or_are_left_out_and_counted() {
    for (spoil, what, named) in SPOILT {
        let recordings = Recordings::new();
        spoil(&recordings);
        let text = recordings.refused();
        assert_says(&text, what, named[1]);
        assert!(text.contains(named[0]), "expected {:?} in: {text}", named[0]);

        let data = Data::open(&recordings.config(OnBad::Skip), 2).unwrap();
        let [train, test] = data.labelled.as_ref().unwrap();
        assert_eq!((train.len(), test.len()), (3, 2), "{what}");
        let counted =
            |note: &&String| note.starts_with("1 left out of ") && note.contains(named[0]);
        assert!(data.notes.iter().any(|note| counted(&note)), "{what}: {:?}", data.notes);
    }
}

#[test]
fn an_utterance_shorter_than_a_crop_stops_a_run_or_is_left_out() {
    let recordings = Recordings::new();
    recordings.write(1, 4_000, 16_000);
    recordings.relabel(1, &line(1, 23));
    let text = recordings.refused();
    assert!(text.contains("expected at least 5120 samples") && text.contains("t1/a"), "{text}");
    let runs = root();
    let folder = finished(runs.path(), &recordings.config(OnBad::Skip));
    let notes = table(&folder).notes;
    assert!(notes.iter().any(|note| note.starts_with("1 left out of crops:")), "{notes:?}");
}

#[test]
fn lists_of_nothing_that_is_there_are_refused_even_if_bad_lines_are_left_out() {
    let recordings = Recordings::new();
    recordings.text("train_split.txt", "t8/a\nt9/a\n");
    let error = Data::open(&recordings.config(OnBad::Skip), 2).unwrap_err().to_string();
    assert_says(&error, "split list", "train_split");
    recordings.text("train_split.txt", "t0/a\nt1/a\n");
    recordings.text(LABELS, &line(7, 129));
    let error = Data::open(&recordings.config(OnBad::Skip), 2).unwrap_err().to_string();
    assert_says(&error, "labels", "train_split.txt");
}
