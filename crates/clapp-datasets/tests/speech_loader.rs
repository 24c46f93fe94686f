//! The loader of speech: the same batches whatever the threads do, the right samples with the right labels.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]
#![allow(clippy::float_cmp, reason = "the same operations give the same bits")]

use clapp_datasets::sound::{
    Recording, Scaling, SpeechBatch, SpeechPipeline, Utterance, label_count, whole_utterances,
};
use clapp_datasets::{
    Augment, Error, InMemory, Loader, LoaderConfig, OnBad, Order, Source, Subset,
};

const CROP: usize = 1_600;

/// Utterances of 2,000 to 5,300 samples: sample i of utterance u is (i + 10 u) / 32768; label l is l + u mod 41.
fn speech() -> InMemory<Recording> {
    let recording = |index: usize| {
        let samples = 2_000 + 300 * index;
        let labels = (0..label_count(samples)).map(|l| ((l + index) % 41) as u32).collect();
        let utterance = Utterance { labels: Some(labels), ..Utterance::named(format!("u{index}")) };
        let samples = (0..samples).map(|i| (i + 10 * index) as f32 / 32_768.0).collect();
        Recording { utterance, samples }
    };
    InMemory::new("speech", (0..12).map(recording).collect(), 41).unwrap()
}

fn pipeline() -> SpeechPipeline {
    SpeechPipeline { crop: CROP, scaling: Scaling { mean: 65_536.0, std: 131_072.0 } }
}

fn config(workers: usize) -> LoaderConfig {
    LoaderConfig { batch_size: 5, workers, ..LoaderConfig::speech() }
}

fn loader(workers: usize) -> Loader<SpeechPipeline> {
    Loader::new(speech(), pipeline(), config(workers)).unwrap()
}

fn epoch(loader: &Loader<SpeechPipeline>, epoch: u64) -> Vec<SpeechBatch> {
    loader.epoch(epoch).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Where the crops of a batch begin.
fn starts(batch: &SpeechBatch, epoch: u64) -> Vec<usize> {
    let start = |&index: &usize| {
        let samples = 2_000 + 300 * index;
        pipeline().start(samples, Augment::Training, config(0).seed, epoch, index as u64)
    };
    batch.indices.iter().map(start).collect()
}

#[test]
fn workers_do_not_change_what_is_delivered() {
    let inline = epoch(&loader(0), 3);
    assert_eq!(inline.len(), 2); // of 5; two of twelve wait for another epoch
    for workers in [1, 2, 7] {
        assert_eq!(epoch(&loader(workers), 3), inline, "{workers} workers");
    }
}

#[test]
fn epochs_draw_other_crops_in_another_order() {
    let loader = loader(2);
    assert_eq!(epoch(&loader, 1), epoch(&loader, 1));
    let (one, two) = (epoch(&loader, 1), epoch(&loader, 2));
    assert_ne!(one[0].indices, two[0].indices);
    // The first sample of a crop tells its utterance and its start.
    let crops = |batches: &[SpeechBatch]| -> std::collections::BTreeMap<usize, f32> {
        let first = |b: &SpeechBatch| b.values.iter().step_by(CROP).copied().collect::<Vec<_>>();
        batches.iter().flat_map(|b| b.indices.iter().copied().zip(first(b))).collect()
    };
    let (one, two) = (crops(&one), crops(&two));
    assert!(one.iter().any(|(index, first)| two.get(index).is_some_and(|other| other != first)));
}

#[test]
fn a_resumed_epoch_repeats_the_uninterrupted_one() {
    let loader = loader(2);
    let rest: Vec<_> = loader.resume(4, 1).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(rest, epoch(&loader, 4)[1..]);
    assert_eq!(loader.resume(4, 2).unwrap().count(), 0);
    let error = loader.resume(4, 3).unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error}");
    assert!(error.to_string().contains("a batch in 0..=2, got 3 in epoch 4"), "{error}");
}

#[test]
fn a_crop_is_the_scaled_part_of_its_utterance_with_its_labels() {
    for batch in epoch(&loader(1), 0) {
        assert_eq!(batch.shape, [5, 1, CROP]);
        let crops = batch.values.chunks(CROP).zip(&batch.labels);
        for ((crop, labels), (&index, start)) in
            crops.zip(batch.indices.iter().zip(starts(&batch, 0)))
        {
            // ((i + 10 u) · 65536 − 65536) / 131072
            let expected = |i: usize| (start + i + 10 * index) as f32 / 2.0 - 0.5;
            assert!(crop.iter().enumerate().all(|(i, &x)| x == expected(i)));
            // A crop at 160 m has labels m − 1 … m + 8, unless it begins with the utterance.
            let labels_of = |m: usize| -> Vec<u32> {
                (m - 1..m + 9).map(|l| ((l + index) % 41) as u32).collect()
            };
            assert_eq!(*labels, (start > 0).then(|| labels_of(start / 160)));
        }
    }
}

#[test]
fn evaluation_is_the_same_every_epoch() {
    let loader = Loader::new(speech(), pipeline(), LoaderConfig::evaluation()).unwrap();
    assert_eq!(epoch(&loader, 0), epoch(&loader, 1));
    assert!(epoch(&loader, 0)[0].indices.iter().copied().eq(0..12));
}

#[test]
fn short_utterances_are_refused_or_skipped() {
    let long = SpeechPipeline { crop: 2_600, ..pipeline() };
    let error = Loader::new(speech(), long, config(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "crop: expected at least 2600 samples, got 2000 in utterance u0 of speech; choose a shorter \
         crop, or skip short utterances"
    );
    let skip = LoaderConfig { on_bad: OnBad::Skip, ..config(1) };
    let loader = Loader::new(speech(), long, skip).unwrap();
    assert_eq!((loader.skipped().len(), loader.batches_per_epoch()), (2, 2));
    let seen = epoch(&loader, 0).into_iter().flat_map(|batch| batch.indices);
    assert!(seen.into_iter().all(|index| index >= 2));
}

#[test]
fn a_loader_without_a_batch_is_refused() {
    let long = SpeechPipeline { crop: 5_000, ..pipeline() };
    let skip = LoaderConfig { on_bad: OnBad::Skip, ..config(1) };
    let error = Loader::new(speech(), long, skip).unwrap_err();
    assert_eq!(
        error.to_string(),
        "loader: expected at least 5 utterances, got 2 in speech; add data, or mend what was skipped, 10 in \
         all; the first: crop: expected at least 5000 samples, got 2000 in utterance u0 of speech; choose a \
         shorter crop, or skip short utterances"
    );
    let nothing = LoaderConfig { batch_size: 0, ..config(1) };
    let error = Loader::new(speech(), pipeline(), nothing).unwrap_err();
    assert!(error.to_string().starts_with("batch_size: expected at least 1, got 0"));
}

#[test]
fn whole_utterances_come_in_order_and_uncut() {
    for workers in [0, 1, 3] {
        let all = whole_utterances(speech(), pipeline().scaling, workers).unwrap();
        for (index, utterance) in all.enumerate() {
            let utterance = utterance.unwrap();
            assert_eq!(utterance.indices, [index]);
            assert_eq!(utterance.shape, [1, 1, 2_000 + 300 * index]);
            assert_eq!(utterance.values.len(), 2_000 + 300 * index);
            assert_eq!(utterance.values[3], (3 + 10 * index) as f32 / 2.0 - 0.5);
            assert_eq!(utterance.labels[0].as_deref(), speech().info(index).labels.as_deref());
        }
    }
}

/// A source whose third utterance fails.
struct Failing(InMemory<Recording>);

impl Source for Failing {
    type Item = Recording;
    fn len(&self) -> usize {
        self.0.len()
    }
    fn info(&self, index: usize) -> &Utterance {
        self.0.info(index)
    }
    fn read(&self, index: usize, part: (usize, &mut [f32])) -> Result<(), Error> {
        assert!(index != 7, "utterance 7 is haunted");
        match index {
            2 => Err(Error::unfit("channels", 1, 2, "two.flac", "mix the file down")),
            _ => self.0.read(index, part),
        }
    }
    fn classes(&self) -> usize {
        self.0.classes()
    }
    fn name(&self) -> &str {
        "failing"
    }
}

#[test]
fn errors_and_panics_of_a_source_end_the_iteration() {
    let mut all = whole_utterances(Failing(speech()), pipeline().scaling, 2).unwrap();
    assert!(all.next().unwrap().is_ok() && all.next().unwrap().is_ok());
    assert!(all.next().unwrap().unwrap_err().to_string().contains("two.flac"));
    assert!(all.next().is_none());

    let config = LoaderConfig { order: Order::Sequential, ..config(2) };
    let from_three: Vec<usize> = (3..12).collect();
    let source = Subset::new(Failing(speech()), from_three).unwrap();
    let loader = Loader::new(source, pipeline(), config).unwrap();
    let error = loader.epoch(6).unwrap().find_map(Result::err).unwrap().to_string();
    assert_eq!(
        error,
        "loader: expected batch 0 of epoch 6, got panic \"utterance 7 is haunted\" in failing; this \
         is a bug of the source"
    );
}
