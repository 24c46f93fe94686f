//! The loader of clips: the same batches whatever the threads do, and one clip a worker.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clapp_datasets::video::{
    Clip, ClipBatch, ClipInfo, ClipList, ClipPipeline, Filter, Frame, Preparation, Sampling, Scope,
    Short, Start, Step, moving, prepare,
};
use clapp_datasets::{Error, LastBatch, Loader, LoaderConfig, OnBad, Order, Source};

type Views = (Sampling, ClipPipeline);

/// Clips of one gray value a frame: clip c of c + 5 frames, whose frame t is 10·c + t everywhere.
struct Steps {
    count: usize,
    frames_read: Arc<AtomicUsize>,
    bad: Option<(usize, Trouble)>,
}

#[derive(Clone, Copy)]
enum Trouble {
    Error,
    Panic,
}

fn steps(count: usize) -> Steps {
    Steps { count, frames_read: Arc::default(), bad: None }
}

impl Source for Steps {
    type Item = Clip;
    fn len(&self) -> usize {
        self.count
    }
    fn info(&self, clip: usize) -> ClipInfo {
        ClipInfo { frames: clip + 5, dims: [4, 6, 3], label: Some((clip % 3) as u32) }
    }
    fn read(
        &self,
        clip: usize,
        (frames, each): (&[usize], &mut dyn FnMut(usize, &mut Frame)),
    ) -> Result<(), Error> {
        std::thread::sleep(std::time::Duration::from_micros((clip * 613 % 7) as u64 * 100));
        match self.bad {
            Some((bad, Trouble::Panic)) if bad == clip => panic!("clip {clip} is haunted"),
            Some((bad, Trouble::Error)) if bad == clip => {
                return Err(Error::Io {
                    action: "read",
                    path: "haunted.clip".into(),
                    source: std::io::ErrorKind::UnexpectedEof.into(),
                });
            }
            _ => {}
        }
        for (place, frame) in frames.iter().enumerate() {
            self.frames_read.fetch_add(1, Ordering::SeqCst);
            each(place, &mut Frame::new([4, 6], vec![(10 * clip + frame) as u8; 72]));
        }
        Ok(())
    }
    fn name(&self) -> &str {
        "steps"
    }
    fn classes(&self) -> usize {
        3
    }
}

/// A random crop of 2×2 and values of 0 to 255.
fn pipeline() -> ClipPipeline {
    ClipPipeline {
        steps: vec![
            Step::RandomCrop { side: 2 },
            Step::RandomChannel { probability: 0.5, scope: Scope::Frame },
        ],
        mean: vec![0.0; 3],
        std: vec![1.0 / 255.0; 3],
    }
}

fn sampling() -> Sampling {
    Sampling { downsample: 2, length: 3, start: Start::Random, short: Short::Drop }
}

fn config(workers: usize) -> LoaderConfig {
    LoaderConfig { batch_size: 4, workers, ..LoaderConfig::clips() }
}

fn loader(workers: usize) -> Loader<Views> {
    Loader::new(steps(20), (sampling(), pipeline()), config(workers)).unwrap()
}

fn epoch(loader: &Loader<Views>, epoch: u64) -> Vec<ClipBatch> {
    loader.epoch(epoch).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn workers_do_not_change_what_is_delivered() {
    let inline = epoch(&loader(0), 3);
    for workers in [1, 2, 3, 50] {
        assert_eq!(epoch(&loader(workers), 3), inline, "{workers} workers");
    }
}

#[test]
fn short_clips_are_left_out_and_counted() {
    // Clips 0 and 1 have 5 and 6 frames; more than 6 are wanted.
    let loader = loader(2);
    let selection = sampling().select(&steps(20));
    assert_eq!(selection.short, [0, 1]);
    assert_eq!(selection.to_string(), "18 of 20 clips are longer than 6 frames");
    assert!(loader.kept().iter().copied().eq(2..20));
    assert_eq!(
        loader.skipped().to_string(),
        "2 skipped\n  sampling: expected more than 6 frames, got 5 in clip 0 of steps; shorten the \
         sequence or hold the last frame\n  sampling: expected more than 6 frames, got 6 in clip 1 of \
         steps; shorten the sequence or hold the last frame"
    );
    assert_eq!(loader.batches_per_epoch(), 4);
    let batches = epoch(&loader, 0);
    let mut indices: Vec<usize> = batches.iter().flat_map(|b| b.indices.clone()).collect();
    indices.sort_unstable();
    indices.dedup();
    assert_eq!(indices.len(), 16);
    assert!(indices[0] >= 2);

    let held = Sampling { short: Short::HoldLast, ..sampling() };
    assert_eq!(held.select(&steps(20)).to_string(), "all 20 clips are used");
    let loader = Loader::new(steps(20), (held, pipeline()), config(0)).unwrap();
    assert!(loader.skipped().is_empty());
}

#[test]
fn a_batch_holds_the_frames_of_its_clips_in_order() {
    for batch in epoch(&loader(2), 1) {
        assert_eq!(batch.shape, [4, 3, 3, 2, 2]);
        assert_eq!(batch.values.len(), 4 * 3 * 3 * 4);
        for (place, clip) in batch.values.chunks_exact(36).enumerate() {
            let index = batch.indices[place];
            assert_eq!(batch.labels[place], Some((index % 3) as u32));
            // [colour, time, y, x]; all colours are alike.
            let level = |t: usize| (clip[4 * t] - 10.0 * index as f32).round() as usize;
            let start = level(0);
            assert!(start < index + 5 - 6, "clip {index} from {start}");
            assert_eq!([level(1), level(2)], [start + 2, start + 4]);
            assert_eq!(clip[..12], clip[12..24]);
        }
    }
}

#[test]
fn epochs_differ_and_repeat() {
    let loader = loader(2);
    assert_eq!(epoch(&loader, 1), epoch(&loader, 1));
    assert_ne!(epoch(&loader, 1), epoch(&loader, 2));
}

#[test]
fn a_resumed_epoch_repeats_the_uninterrupted_one() {
    for last_batch in [LastBatch::Keep, LastBatch::Drop] {
        for workers in [0, 3] {
            let config = LoaderConfig { last_batch, ..config(workers) };
            let loader = Loader::new(steps(20), (sampling(), pipeline()), config).unwrap();
            let whole = epoch(&loader, 2);
            assert_eq!(whole.len(), loader.batches_per_epoch());
            for first in 0..=whole.len() {
                let mut rest = loader.resume(2, first).unwrap();
                for (position, expected) in whole.iter().enumerate().skip(first) {
                    assert_eq!(rest.position(), position);
                    assert_eq!(&rest.next().unwrap().unwrap(), expected);
                }
                assert_eq!((rest.position(), rest.next().is_none()), (whole.len(), true));
            }
        }
    }
    let error = loader(0).resume(4, 5).unwrap_err().to_string();
    assert!(error.starts_with("resume: expected a batch in 0..=4, got 5 in epoch 4"), "{error}");
}

#[test]
fn evaluation_is_in_order_and_complete() {
    let config = LoaderConfig { batch_size: 4, ..LoaderConfig::clips_in_order() };
    assert_eq!(config.order, Order::Sequential);
    let loader = Loader::new(steps(20), (sampling(), pipeline()), config).unwrap();
    let batches = epoch(&loader, 0);
    assert_eq!(batches.iter().map(ClipBatch::len).collect::<Vec<_>>(), [4, 4, 4, 4, 2]);
    assert!(batches.iter().flat_map(|b| b.indices.clone()).eq(2..20));
}

#[test]
fn an_error_or_a_panic_ends_the_epoch_at_its_batch() {
    for workers in [0, 2] {
        for trouble in [Trouble::Error, Trouble::Panic] {
            let source = Steps { bad: Some((11, trouble)), ..steps(20) };
            let config = LoaderConfig { order: Order::Sequential, ..config(workers) };
            let loader = Loader::new(source, (sampling(), pipeline()), config).unwrap();
            let mut batches = loader.epoch(7).unwrap();
            assert!(batches.next().unwrap().is_ok());
            assert!(batches.next().unwrap().is_ok());
            let error = batches.next().unwrap().unwrap_err().to_string();
            match trouble {
                Trouble::Error => assert!(error.contains("haunted.clip"), "{error}"),
                // Clip 11 is the tenth that is used.
                Trouble::Panic => assert!(
                    error.starts_with("loader: expected batch 2 of epoch 7, got panic \"clip 11"),
                    "{error}"
                ),
            }
            assert!(batches.next().is_none());
            assert_eq!(batches.position(), 2);
        }
    }
}

#[test]
fn no_more_is_read_ahead_than_prefetch_allows() {
    let source = steps(40);
    let read = Arc::clone(&source.frames_read);
    let config = LoaderConfig { batch_size: 1, prefetch: 2, ..config(2) };
    let loader = Loader::new(source, (sampling(), pipeline()), config).unwrap();
    let mut batches = loader.epoch(0).unwrap();
    batches.next().unwrap().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    // One clip was taken; each of 2 workers has 2 waiting and holds 1 more. A clip has 3 frames.
    assert!(read.load(Ordering::SeqCst) <= 3 * (1 + 2 * (2 + 1)));
}

#[test]
fn dropping_an_epoch_joins_its_threads() {
    let source = Arc::new(steps(40));
    let loader = Loader::new(Arc::clone(&source), (sampling(), pipeline()), config(3)).unwrap();
    let mut batches = loader.epoch(0).unwrap();
    batches.next().unwrap().unwrap();
    drop(batches);
    drop(loader);
    assert_eq!(Arc::strong_count(&source), 1);
}

#[test]
fn a_filter_that_leaves_nothing_says_so() {
    let long = Sampling { length: 54, ..sampling() };
    let error = Loader::new(steps(20), (long, pipeline()), config(0)).unwrap_err().to_string();
    assert_eq!(
        error,
        "clip loader: expected at least one usable clip, got none of 20 in steps; 0 of 20 clips are \
         longer than 108 frames; shorten the sequence or hold the last frame"
    );
    let config = LoaderConfig { batch_size: 19, ..config(0) };
    let error = Loader::new(steps(20), (sampling(), pipeline()), config).unwrap_err();
    assert!(matches!(error, Error::TooFew(_)), "{error}");
    assert!(error.to_string().contains("expected at least 19 clips, got 18 in steps"), "{error}");
}

#[test]
fn settings_without_meaning_are_refused() {
    let refused = |sampling, pipeline, config| {
        Loader::new(steps(20), (sampling, pipeline), config).unwrap_err().to_string()
    };
    let none = LoaderConfig { batch_size: 0, ..config(0) };
    assert!(refused(sampling(), pipeline(), none).starts_with("batch_size: expected at least 1"));
    let never = Sampling { downsample: 0, ..sampling() };
    assert!(refused(never, pipeline(), config(0)).starts_with("downsample: expected at least 1"));
    let large = ClipPipeline::self_supervised();
    assert!(
        refused(sampling(), large, config(0)).starts_with("crop: expected 1..=4 pixels, got 224")
    );
}

#[test]
fn a_prepared_tree_is_loaded_from_end_to_end() {
    let root = tempfile::tempdir().unwrap();
    for (class, clip, frames) in [("a", "1", 8), ("a", "2", 9), ("b", "3", 12), ("b", "4", 3)] {
        common::make_frames(&root.path().join("videos").join(class).join(clip), frames);
    }
    let prepared = |root: &Path| {
        let list = ClipList::folders(root.join("videos"), OnBad::Refuse).unwrap();
        let preparation = Preparation { short_side: 2, ..Preparation::default() };
        prepare(list, root.join("prepared"), &preparation, |_| {}).unwrap()
    };
    let pipeline = ClipPipeline::new(vec![
        Step::Mirror { probability: 0.5 },
        Step::RandomCrop { side: 2 },
        Step::Resize { side: 4, filter: Filter::Nearest },
    ]);
    let config = LoaderConfig { batch_size: 3, ..LoaderConfig::clips() };
    let loader = Loader::new(prepared(root.path()), (sampling(), pipeline), config).unwrap();
    assert_eq!(loader.kept().len(), 3);
    let batches = epoch(&loader, 0);
    assert_eq!((batches.len(), batches[0].shape), (1, [3, 3, 3, 4, 4]));
    // Red is 200 of 255: (200/255 − 0.485)/0.229.
    assert!((batches[0].values[0] - 1.307).abs() < 0.1, "{}", batches[0].values[0]);
}

#[test]
fn moving_scenes_are_loaded_with_their_classes() {
    let scenes = moving::MovingScenes::new(2, moving::Part::Train, 30);
    let config = LoaderConfig { batch_size: 10, order: Order::Sequential, ..config(2) };
    let views = (moving::sampling(), moving::plain_pipeline());
    let loader = Loader::new(scenes, views, config).unwrap();
    for batch in epoch(&loader, 0) {
        assert!(batch.labels.iter().copied().eq((0..10).map(Some)));
        assert_eq!(batch.shape, [10, 3, 16, 56, 56]);
    }
}

#[test]
fn a_configuration_survives_serialization() {
    let text = serde_json::to_string(&config(3)).unwrap();
    assert_eq!(serde_json::from_str::<LoaderConfig>(&text).unwrap(), config(3));
}
