//! Phones and speakers read out of features without learning: embedded talkers, and genuine recordings
//! where they are at hand.
//!
//! `CLAPP_LIBRISPEECH_DIR` holds `LibriSpeech/test-other/`, `labels/converted_aligned_phones.txt`,
//! `labels/train_split.txt` and `labels/test_split.txt`.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use clapp_datasets::sound::{
    Framing, IndexCache, OpenOptions, PhoneLabels, Recording, Scaling, SpeechFiles, SplitList,
    synthetic, whole_utterances,
};
use clapp_datasets::{OnBad, Source};
use clapp_eval::sound::{Edges, LogMel, Mfcc};
use clapp_eval::{
    Confusion, LinearProbe, PhoneFrames, Probe, Readout, StandardisedProbe, figure, phones,
};
use ndarray::Array2;

/// Features of all utterances of a source with their labels.
fn frames(
    source: impl Source<Item = Recording> + 'static,
    features: impl Fn(&[f32]) -> Array2<f32>,
) -> PhoneFrames {
    let source = std::sync::Arc::new(source);
    let mut frames = PhoneFrames::new(source.classes());
    for utterance in whole_utterances(source.clone(), Scaling::librispeech(), 2).unwrap() {
        let utterance = utterance.unwrap();
        let labels = utterance.labels[0].as_ref().unwrap();
        let id = &source.info(utterance.indices[0]).id;
        frames.push(id, features(&utterance.values).view(), labels).unwrap();
    }
    frames
}

fn talkers(part: synthetic::Part, features: impl Fn(&[f32]) -> Array2<f32>) -> PhoneFrames {
    frames(synthetic::utterances(2, part, 24), features)
}

fn mfcc(samples: &[f32]) -> Array2<f32> {
    Mfcc::default().features(samples).unwrap()
}

fn score(readout: &dyn Readout, test: &PhoneFrames) -> Confusion {
    phones::score(readout, test).unwrap()
}

fn standardised(train: &PhoneFrames, test: &PhoneFrames) -> Confusion {
    let readout = StandardisedProbe::default().fit(&train.features().unwrap(), 1).unwrap();
    score(&*readout, test)
}

/// Percentage of the most frequent class.
fn majority(test: &PhoneFrames) -> f64 {
    let count = |class| test.labels().iter().filter(|&&l| l as usize == class).count();
    100.0 * (0..test.classes()).map(count).max().unwrap() as f64 / test.len() as f64
}

#[test]
fn embedded_phones_are_heard_in_spectra_but_not_all_of_them() {
    let (train, test) =
        (talkers(synthetic::Part::Train, mfcc), talkers(synthetic::Part::Test, mfcc));
    let score = standardised(&train, &test);
    // Far above guessing, and room above: unknown talkers' vowels overlap.
    assert!(score.accuracy() > majority(&test) + 25.0, "{}", score.accuracy());
    assert!(score.accuracy() < 95.0, "{}", score.accuracy());
    assert!(score.accuracy_without(0).unwrap() < score.accuracy());
    // One more look at each talker's own frames: known talkers are easier than unknown ones.
    let known = standardised(&train, &train);
    assert!(known.accuracy() > score.accuracy() + 3.0, "{} {}", known.accuracy(), score.accuracy());
}

#[test]
fn the_papers_classifier_approaches_the_convex_one_with_time() {
    let log_mel =
        |samples: &[f32]| LogMel { bands: 20, ..LogMel::default() }.features(samples).unwrap();
    let (train, test) =
        (talkers(synthetic::Part::Train, log_mel), talkers(synthetic::Part::Test, log_mel));
    let convex = standardised(&train, &test).accuracy();
    let paper = |epochs, learning_rate| {
        let probe = LinearProbe { epochs, learning_rate, ..LinearProbe::phones() };
        let features = train.features().unwrap();
        let trained = probe.train(1, |_| std::borrow::Cow::Borrowed(&features)).unwrap();
        assert!(trained.epochs.iter().all(|loss| loss.is_finite()));
        score(&trained.readout, &test).accuracy()
    };
    let (few, many) = (paper(2, 1e-4), paper(300, 1e-3));
    assert!(few < many && many > convex - 6.0, "{few} {many} {convex}");
}

#[test]
fn a_confusion_figure_shows_all_classes() {
    let (train, test) =
        (talkers(synthetic::Part::Train, mfcc), talkers(synthetic::Part::Test, mfcc));
    let names = [
        "sil", "heed", "hid", "head", "had", "hud", "hod", "hawed", "hood", "who'd", "heard", "m",
        "n", "z", "s", "sh", "stop",
    ];
    let confusion = standardised(&train, &test).named(&names).unwrap();
    let svg = figure::confusion(&confusion, "Phones <embedded> & others", "MFCC, standardised");
    if let Some(folder) = std::env::var_os("CLAPP_EVAL_FIGURES") {
        std::fs::write(std::path::Path::new(&folder).join("confusion.svg"), &svg).unwrap();
    }
    let document = roxmltree::Document::parse(&svg).unwrap();
    let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
    for expected in names.iter().chain(&["label", "guess", "100 %", "Phones <embedded> & others"]) {
        assert!(texts.iter().any(|text| text.trim() == *expected), "{expected}");
    }
    assert_eq!(confusion.to_csv().lines().count(), 18);
}

#[test]
fn genuine_phones_are_heard_in_spectra() {
    let Some(root) = clapp_testing::folder("CLAPP_LIBRISPEECH_DIR") else { return };
    let labels = root.join("labels");
    let options = OpenOptions { cache: IndexCache::Nowhere, ..OpenOptions::default() };
    let read = PhoneLabels::read(labels.join("converted_aligned_phones.txt"), 40, OnBad::Refuse);
    let speech = SpeechFiles::librispeech(&root, "test-other", &options).unwrap();
    let speech = speech.with_labels(&read.unwrap().framed(Framing::Hops)).unwrap();
    let part = |list: &str| speech.select(&SplitList::read(labels.join(list)).unwrap()).unwrap();
    type Front<'a> = (&'a str, &'a dyn Fn(&[f32]) -> Array2<f32>);
    let features: [Front<'_>; 2] = [
        ("MFCC", &|s| Mfcc { edges: Edges::Reflect, ..Mfcc::default() }.features(s).unwrap()),
        ("log-mel", &|s| {
            LogMel { edges: Edges::Reflect, ..LogMel::default() }.features(s).unwrap()
        }),
    ];
    for (name, features) in features {
        let (train, test) = (part("train_split.txt"), part("test_split.txt"));
        let (train, test) = (frames(train, features), frames(test, features));
        say(name, "unknown speakers", &train, &test);
        // Four speakers to learn from say little about two others; that they are heard at all shows
        // among their own utterances.
        let utterances = train.utterances();
        let every = |rest| (0..utterances).filter(|i| i % 2 == rest).collect::<Vec<_>>();
        let (half, other) = (train.select(&every(0)), train.select(&every(1)));
        let known = say(name, "known speakers", &half, &other);
        assert!(known > majority(&other) + 10.0, "{name}: {known}");
    }
}

/// Prints both protocols, with and without silence; returns the accuracy of the standardised one.
fn say(name: &str, who: &str, train: &PhoneFrames, test: &PhoneFrames) -> f64 {
    let convex = standardised(train, test);
    let paper = score(&*LinearProbe::phones().fit(&train.features().unwrap(), 1).unwrap(), test);
    println!(
        "{name}, {who}: standardised {:.1} % ({:.1} without silence), paper {:.1} % ({:.1}); {:.1} % by \
         the most frequent class; {} and {} frames",
        convex.accuracy(),
        convex.accuracy_without(0).unwrap(),
        paper.accuracy(),
        paper.accuracy_without(0).unwrap(),
        majority(test),
        train.len(),
        test.len(),
    );
    convex.accuracy()
}
