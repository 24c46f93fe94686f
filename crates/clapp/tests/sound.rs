//! Runs on sound: from talkers to tables, stopped and resumed. Files are in `sound_files.rs`.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/threads.rs"]
mod threads;

use std::{fs, path::Path};

use clapp::{
    Error, Learning, Run, RunConfig, Sound,
    eval::{Labels, Protocol, Report, Series},
    preset,
    readout::RANDOM_ENCODER,
    rules::Objective,
    run::StepMetrics,
    sound::{self, FilesConfig, LOG_MEL, LabelsConfig, MFCC},
    store::read_metrics,
};
use common::{assert_says, files, finished, tiny_sound};

fn root() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn table(folder: &Path) -> Report {
    Report::load(&folder.join("table.json")).unwrap()
}

#[test]
fn the_smoke_preset_runs_to_a_table_of_every_layer_and_control() {
    let root = root();
    let config = preset("smoke", "clapp-s", &Sound::Synthetic, &[2]).unwrap();
    let folder = finished(root.path(), &config);
    let report = table(&folder);
    assert_eq!(report.encoders(), ["clapp-s", RANDOM_ENCODER, LOG_MEL, MFCC]);
    assert_eq!(report.trained_on, "synthetic speech");
    assert_eq!(report.series().len(), 4, "two protocols, with and without silence");
    for series in report.series() {
        let layers = |encoder| report.layers(encoder, series).len();
        assert_eq!([layers("clapp-s"), layers(RANDOM_ENCODER)], [6, 6], "{series}");
        assert_eq!([layers(LOG_MEL), layers(MFCC)], [1, 1], "{series}");
    }
    let metrics: Vec<StepMetrics> = read_metrics(folder.join("metrics.jsonl")).unwrap();
    assert_eq!((metrics.len(), metrics[9].seen["crops"]), (10, 80));
    // Nothing is predicted yet: 1 for the fixation and 1 for the saccades.
    for (layer, loss) in metrics[0].loss.iter().enumerate() {
        assert!((loss - 2.0).abs() < 0.1, "layer {}: {loss}", layer + 1);
    }
    assert!(folder.join("confusion-seed-2.svg").is_file());
    let text = fs::read_to_string(folder.join("table.txt")).unwrap();
    assert!(text.contains("12 utterances, without silence"), "{text}");
    // One utterance of each of 12 talkers.
    assert!(
        text.contains("\nnote: speakers were not read out: expected at least 2 who have two"),
        "{text}"
    );
}

/// MFCC are read out far better than by guessing; silence is found more easily than phones.
#[test]
fn read_outs_of_spectra_find_phones() {
    let root = root();
    let mut config = tiny_sound("clapp-s-no-gru", &[2]);
    config.setup.data =
        sound::DataConfig::Synthetic { unlabelled: 12, train: 24, test: 12, noise: 15 };
    let report = table(&finished(root.path(), &config));
    let accuracy = |labels| {
        let series = Series { protocol: Protocol::Standardised, labels };
        report.summary(MFCC, 0, series).unwrap().mean
    };
    let (all, spoken) = (accuracy(Labels::Utterances(24)), accuracy(Labels::UtterancesSpoken(24)));
    // 11 classes; the most frequent one, silence, has about a fifth of the frames.
    assert!(all > 45.0 && spoken > 35.0 && spoken < all, "{all} {spoken}");
    // Two utterances of each of 12 talkers: one to learn the voice from, one to know it by.
    let voices = accuracy(Labels::Speakers(12));
    // Twice as often as by guessing is three standard deviations of guessing on its 107 crops.
    assert!(voices > 2.0 * 100.0 / 12.0, "{voices}");
    assert!(report.notes[0].starts_with("12 speakers of synthetic speech"), "{:?}", report.notes);
}

/// Encoding anew in every epoch is slower and nothing else; the standardised read-out says on how many
/// utterances it was fitted.
#[test]
fn features_that_are_not_kept_give_the_same_table() {
    let root = root();
    let mut config = tiny_sound("clapp-s", &[2]);
    let kept = table(&finished(root.path(), &config));
    config.setup.readout.kept = Some(2);
    let streamed = table(&finished(root.path(), &config));
    let cells = |report: &Report, protocol| {
        let of = |cell: &&clapp::eval::Cell| cell.series.protocol == protocol;
        report.cells.iter().filter(of).cloned().collect::<Vec<_>>()
    };
    assert_eq!(cells(&streamed, Protocol::Paper), cells(&kept, Protocol::Paper));
    let standardised = cells(&streamed, Protocol::Standardised);
    assert!(standardised.iter().all(|cell| match cell.series.labels {
        Labels::Utterances(count) | Labels::UtterancesSpoken(count) => count == 2,
        _ => false,
    }));
    assert_eq!(standardised.len(), cells(&kept, Protocol::Standardised).len());
}

#[test]
fn clapp_s_with_e_prop_resumes_bit_for_bit() {
    common::assert_stops_leave_no_trace(&tiny_sound("clapp-s", &[2, 3]));
}

#[test]
fn gim_without_a_recurrent_layer_resumes_bit_for_bit() {
    common::assert_stops_leave_no_trace(&tiny_sound("gim-no-gru", &[2, 3]));
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    threads::assert_threads_change_no_byte(&tiny_sound("clapp-s", &[2]), &[2]);
}

#[test]
fn a_build_without_back_propagation_says_how_to_build_one_with_it() {
    let error = Error::Differentiation { learning: Learning::EndToEnd };
    assert_says(&error.to_string(), "method", "--features baselines");
}

#[test]
fn the_paper_preset_has_the_settings_of_the_paper() {
    let sound = Sound::Files(FilesConfig::librispeech(
        Path::new("/data"),
        "train-clean-100",
        "train-clean-100",
        LabelsConfig::published(Path::new("/data/labels")),
    ));
    let config = preset("paper", "clapp-s", &sound, &[2]).unwrap();
    assert_eq!((config.batch, config.setup.crops), (8, 22_824_000));
    assert_eq!((config.setup.rule.prediction_steps, config.setup.rule.window), (12, Some(128)));
    assert_eq!(config.setup.rule.negatives.count, 10);
    assert_eq!(config.setup.encoder.weights(), 5_632 + 2_097_664 + 3 * 1_049_088 + 591_360);
    assert_eq!(config.setup.pipeline.crop, 20_480);
    let gim = preset("paper", "gim", &sound, &[2]).unwrap();
    assert_eq!(gim.setup.rule.objective, Objective::InfoNce { epsilon: 0.0 });
    let sound::DataConfig::Files(files) = config.setup.data else { panic!("expected files") };
    assert_eq!(files.learn, files.labels.map(|labels| labels.train));
    // All labelled utterances, of which the features of 500 fit into memory.
    assert_eq!((config.setup.readout.train, config.setup.readout.kept), (None, Some(500)));
}

#[test]
fn settings_that_would_fail_after_hours_fail_at_once() {
    let root = root();
    let refused = |change: &dyn Fn(&mut RunConfig<Sound>)| {
        let mut config = tiny_sound("clapp-s", &[2]);
        change(&mut config);
        Run::create(root.path(), config).unwrap_err().to_string()
    };
    assert!(refused(&|c| c.setup.pipeline.crop = 5_280).contains("expected crops of 5120 samples"));
    assert!(refused(&|c| c.setup.encoder.layers[0].spec.stride = 4).contains("got one per 128; "));
    assert!(refused(&|c| c.setup.crops = 0).contains("expected crops of at least 1, got 0; "));
    assert!(
        refused(&|c| c.setup.readout.train = Some(0)).contains("expected readout.train of at ")
    );
    assert!(refused(&|c| c.seeds = vec![2, 2]).contains("got 2 twice in [2, 2]; "));
    assert!(files(root.path()).is_empty(), "no folder for a run that cannot be");
}

#[test]
fn a_run_on_images_is_not_resumed_as_one_on_sound() {
    common::assert_images_are_refused_by::<Sound>();
}
