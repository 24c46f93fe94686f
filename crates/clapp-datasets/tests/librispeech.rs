//! Genuine recordings and labels, where they are at hand.
//!
//! - `CLAPP_PHONE_LABELS_DIR`: holds `phone_labels.txt` and the folders `test_db/<speaker>/<chapter>/` of
//!   the test data of facebookresearch/CPC_audio.
//! - `CLAPP_LIBRISPEECH_DIR`: holds `LibriSpeech/train-clean-100/` or a part of it.
//!
//! Without them the tests are skipped; what they check on genuine files, others check on generated
//! ones.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use clapp_datasets::sound::{
    Check, Framing, IndexCache, OpenOptions, PhoneLabels, Scaling, SpeechFiles, SpeechPipeline,
    outputs, surplus,
};
use clapp_datasets::{Loader, LoaderConfig, OnBad, Source};
use clapp_testing::{folder, skip};

fn options() -> OpenOptions {
    OpenOptions { cache: IndexCache::Nowhere, check: Check::Samples, ..OpenOptions::default() }
}

/// The recordings that come with the genuine labels, every sample checked against its MD5 sum.
fn genuine() -> Option<(SpeechFiles, PhoneLabels)> {
    let root = folder("CLAPP_PHONE_LABELS_DIR")?;
    let files = SpeechFiles::librispeech(&root, "test_db", &options()).unwrap();
    let labels = root.join("phone_labels.txt");
    Some((files, PhoneLabels::read(labels, 41, OnBad::Refuse).unwrap()))
}

#[test]
fn genuine_labels_are_as_many_as_frames() {
    let Some((files, labels)) = genuine() else { return };
    assert_eq!((files.len(), labels.ids().count()), (9, 6));
    let labelled = files.with_labels(&labels).unwrap().labelled();
    let found: Vec<_> = (0..labelled.len())
        .map(|index| {
            let samples = labelled.info(index).samples;
            let labels = labelled.info(index).labels.as_ref().unwrap().len();
            (samples, labels, outputs(samples), surplus(samples))
        })
        .collect();
    assert_eq!(found, [(81_520, 508, 510, 2), (179_360, 1_119, 1_121, 2)]);
}

#[test]
fn genuine_labels_count_41_classes_and_begin_in_silence() {
    let Some((_, labels)) = genuine() else { return };
    let largest = labels.ids().filter_map(|id| labels.get(id)?.iter().max()).max();
    assert_eq!(largest, Some(&40));
    assert!(labels.ids().all(|id| labels.get(id).unwrap()[0] == 0));
}

#[test]
fn a_genuine_label_more_or_less_is_refused() {
    let Some((_, labels)) = genuine() else { return };
    let text = std::fs::read_to_string(labels.path()).unwrap();
    for change in [" 0\n", "\n"] {
        let line = text.lines().find(|line| line.starts_with("2911-12359-0007")).unwrap();
        let short = line.rsplit_once(' ').unwrap().0;
        let line = if change == "\n" { short } else { line };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.txt");
        std::fs::write(&path, format!("{line}{change}")).unwrap();
        let changed = PhoneLabels::read(&path, 41, OnBad::Refuse).unwrap();
        let Some((files, _)) = genuine() else { return };
        let error = files.with_labels(&changed).unwrap_err().to_string();
        let start =
            "phone labels: expected 508 for utterance 2911-12359-0007 (81520 samples), got ";
        assert!(error.starts_with(start), "{error}");
    }
}

#[test]
fn genuine_samples_are_scaled_by_the_published_constants() {
    let Some((files, _)) = genuine() else { return };
    let amplitudes = files.get(0).unwrap().samples;
    let mut scaled = amplitudes.clone();
    Scaling::librispeech().apply(&mut scaled);
    for (f, x) in amplitudes.into_iter().zip(scaled) {
        let step = f64::from(f) * 32_768.0;
        assert!(step.fract().abs() < f64::EPSILON, "{step} is no 16-bit sample");
        // The published constants have seven digits.
        let expected = (step + 22.220_13) / 2_064.567_6;
        assert!((f64::from(x) - expected).abs() <= 2e-7 * expected.abs().max(1.0));
    }
}

#[test]
fn crops_of_librispeech_are_of_about_unit_variance() {
    let Some(root) = folder("CLAPP_LIBRISPEECH_DIR") else { return };
    let files = SpeechFiles::librispeech(root, "train-clean-100", &options()).unwrap();
    let (utterances, pipeline) = (files.len(), SpeechPipeline::librispeech());
    let config = LoaderConfig { batch_size: 8, ..LoaderConfig::speech() };
    let loader = Loader::new(files, pipeline, config).unwrap();
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
    for batch in loader.epoch(0).unwrap() {
        for &x in &batch.unwrap().values {
            sum += f64::from(x);
            squares += f64::from(x).powi(2);
            count += 1.0;
        }
    }
    assert!(count >= (utterances - 7) as f64 * 20_480.0);
    let (mean, variance) = (sum / count, squares / count - (sum / count).powi(2));
    // The constants are those of all 28,539 utterances; speakers differ in loudness.
    assert!(mean.abs() < 0.1, "mean {mean}");
    assert!((0.3..3.0).contains(&variance), "variance {variance}");
}

#[test]
fn labelled_parts_have_one_label_per_frame() {
    let Some(root) = folder("CLAPP_LIBRISPEECH_DIR") else { return };
    let labels = root.join("labels/converted_aligned_phones.txt");
    if !labels.is_file() {
        return skip("CLAPP_LIBRISPEECH_DIR has no labels");
    }
    // Labels that an aligner made: one per 160 samples, side by side.
    let labels = PhoneLabels::read(labels, 41, OnBad::Refuse).unwrap().framed(Framing::Hops);
    let files = SpeechFiles::librispeech(&root, "test-other", &options()).unwrap();
    let labelled = files.with_labels(&labels).unwrap().labelled();
    assert_eq!(labelled.len(), labels.ids().count());
    for index in 0..labelled.len() {
        let samples = labelled.info(index).samples;
        assert_eq!(
            labelled.info(index).labels.as_ref().unwrap().len(),
            Framing::Hops.labels(samples)
        );
    }
}
