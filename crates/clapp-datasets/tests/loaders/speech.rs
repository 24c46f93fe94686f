//! Speech: the right samples with the right labels.

use clapp_datasets::sound::{
    Recording, Scaling, SpeechBatch, SpeechPipeline, Utterance, label_count, whole_utterances,
};
use clapp_datasets::{Augment, InMemory, Loader, LoaderConfig, OnBad, Source};

use super::{Sense, Trouble, Troubled, epoch, indices};

const CROP: usize = 1_600;

/// Utterances of 2,000 to 5,300 samples: sample i of utterance u is (i + 10 u) / 32768; label l is l + u mod 41.
pub struct Speech;

impl Sense for Speech {
    type Batcher = SpeechPipeline;

    fn source() -> InMemory<Recording> {
        let recording = |index: usize| {
            let samples = 2_000 + 300 * index;
            let labels = (0..label_count(samples)).map(|l| ((l + index) % 41) as u32).collect();
            let named = Utterance::named(format!("u{index}"));
            let samples = (0..samples).map(|i| (i + 10 * index) as f32 / 32_768.0).collect();
            Recording { utterance: Utterance { labels: Some(labels), ..named }, samples }
        };
        InMemory::new("speech", (0..12).map(recording).collect(), 41).unwrap()
    }

    fn batcher() -> SpeechPipeline {
        SpeechPipeline { crop: CROP, scaling: Scaling { mean: 65_536.0, std: 131_072.0 } }
    }

    fn config(workers: usize) -> LoaderConfig {
        LoaderConfig { batch_size: 4, workers, ..LoaderConfig::speech() }
    }
}

/// Where the crops of a batch begin.
fn starts(batch: &SpeechBatch, epoch: u64) -> Vec<usize> {
    let seed = Speech::config(0).seed;
    let start = |&index: &usize| {
        let samples = 2_000 + 300 * index;
        Speech::batcher().start(samples, Augment::Training, seed, epoch, index as u64)
    };
    batch.indices.iter().map(start).collect()
}

#[test]
fn epochs_draw_other_crops() {
    let loader = Speech::loader(2);
    // The first sample of a crop tells its utterance and its start.
    let crops = |number: u64| -> std::collections::BTreeMap<usize, f32> {
        let batches = epoch(&loader, number);
        let first = |b: &SpeechBatch| b.values.iter().step_by(CROP).copied().collect::<Vec<_>>();
        batches.iter().flat_map(|b| b.indices.iter().copied().zip(first(b))).collect()
    };
    let (one, two) = (crops(1), crops(2));
    assert!(one.iter().any(|(index, first)| two.get(index).is_some_and(|other| other != first)));
}

#[test]
fn a_crop_is_the_scaled_part_of_its_utterance_with_its_labels() {
    for batch in epoch(&Speech::loader(1), 0) {
        assert_eq!(batch.shape, [4, 1, CROP]);
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
    let loader = Speech::of(Speech::source(), LoaderConfig::evaluation());
    assert_eq!(epoch(&loader, 0), epoch(&loader, 1));
    assert!(epoch(&loader, 0)[0].indices.iter().copied().eq(0..12));
}

#[test]
fn short_utterances_are_refused_or_skipped() {
    let long = |crop, on_bad| {
        let pipeline = SpeechPipeline { crop, ..Speech::batcher() };
        Loader::new(Speech::source(), pipeline, LoaderConfig { on_bad, ..Speech::config(1) })
    };
    assert_eq!(
        long(2_600, OnBad::Refuse).unwrap_err().to_string(),
        "crop: expected at least 2600 samples, got 2000 in utterance u0 of speech; choose a shorter \
         crop, or skip short utterances"
    );
    let loader = long(2_600, OnBad::Skip).unwrap();
    assert_eq!((loader.skipped().len(), loader.batches_per_epoch()), (2, 2));
    assert!(indices(&epoch(&loader, 0)).into_iter().all(|index| index >= 2));
    assert_eq!(
        long(5_000, OnBad::Skip).unwrap_err().to_string(),
        "loader: expected at least 4 utterances, got 2 in speech; add data, or mend what was skipped, 10 in \
         all; the first: crop: expected at least 5000 samples, got 2000 in utterance u0 of speech; choose a \
         shorter crop, or skip short utterances"
    );
}

#[test]
fn whole_utterances_come_in_order_and_uncut() {
    let scaling = Speech::batcher().scaling;
    for workers in [0, 1, 3] {
        let all = whole_utterances(Speech::source(), scaling, workers).unwrap();
        for (index, utterance) in all.enumerate() {
            let utterance = utterance.unwrap();
            assert_eq!(utterance.indices, [index]);
            assert_eq!(utterance.shape, [1, 1, 2_000 + 300 * index]);
            assert_eq!(utterance.values.len(), 2_000 + 300 * index);
            assert_eq!(utterance.values[3], (3 + 10 * index) as f32 / 2.0 - 0.5);
            let labels = Speech::source().info(index).labels.clone();
            assert_eq!(utterance.labels[0].as_deref(), labels.as_deref());
        }
    }
    let failing = Troubled::new(Speech::source(), Some((2, Trouble::Error)));
    let mut all = whole_utterances(failing, scaling, 2).unwrap();
    assert!(all.next().unwrap().is_ok() && all.next().unwrap().is_ok());
    assert!(all.next().unwrap().unwrap_err().to_string().contains("haunted.bin"));
    assert!(all.next().is_none());
}
