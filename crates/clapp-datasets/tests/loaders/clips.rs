//! Clips.

use std::path::Path;

use clapp_datasets::video::{
    Clip, ClipList, ClipPipeline, Filter, Frame, Preparation, Sampling, Scope, Short, Start, Step,
    moving, prepare,
};
use clapp_datasets::{Error, InMemory, Loader, LoaderConfig, OnBad, Order};
use clapp_testing::assert_says;

use super::common::make_frames;
use super::{Sense, epoch, indices};

/// Clips of one gray value a frame: clip c of c + 5 frames, whose frame t is 10·c + t everywhere.
pub struct Clips;

impl Sense for Clips {
    type Batcher = (Sampling, ClipPipeline);

    fn source() -> InMemory<Clip> {
        let clip = |clip: usize| {
            let frame = |t: usize| Frame::new([4, 6], vec![(10 * clip + t) as u8; 72]);
            Clip { frames: (0..clip + 5).map(frame).collect(), label: Some((clip % 3) as u32) }
        };
        InMemory::new("steps", (0..20).map(clip).collect(), 3).unwrap()
    }

    /// A random crop of 2×2 and values of 0 to 255.
    fn batcher() -> (Sampling, ClipPipeline) {
        let steps = vec![
            Step::RandomCrop { side: 2 },
            Step::RandomChannel { probability: 0.5, scope: Scope::Frame },
        ];
        (sampling(), ClipPipeline { steps, mean: vec![0.0; 3], std: vec![1.0 / 255.0; 3] })
    }

    fn config(workers: usize) -> LoaderConfig {
        LoaderConfig { batch_size: 4, workers, ..LoaderConfig::clips() }
    }
}

fn sampling() -> Sampling {
    Sampling { downsample: 2, length: 3, start: Start::Random, short: Short::Drop }
}

#[test]
fn short_clips_are_left_out_and_counted() {
    // Clips 0 and 1 have 5 and 6 frames; more than 6 are wanted.
    let loader = Clips::loader(2);
    let selection = sampling().select(&Clips::source());
    assert_eq!(selection.short, [0, 1]);
    assert_eq!(selection.to_string(), "18 of 20 clips are longer than 6 frames");
    assert!(loader.kept().iter().copied().eq(2..20));
    assert_eq!(
        loader.skipped().to_string(),
        "2 skipped\n  sampling: expected more than 6 frames, got 5 in clip 0 of steps; shorten the \
         sequence or hold the last frame\n  sampling: expected more than 6 frames, got 6 in clip 1 of \
         steps; shorten the sequence or hold the last frame"
    );
    assert!(indices(&epoch(&loader, 0)).iter().all(|&clip| clip >= 2));

    let held = Sampling { short: Short::HoldLast, ..sampling() };
    assert_eq!(held.select(&Clips::source()).to_string(), "all 20 clips are used");
    let loader = Loader::new(Clips::source(), (held, Clips::batcher().1), Clips::config(0));
    assert!(loader.unwrap().skipped().is_empty());
}

#[test]
fn a_batch_holds_the_frames_of_its_clips_in_order() {
    for batch in epoch(&Clips::loader(2), 1) {
        assert_eq!(batch.shape, [4, 3, 3, 2, 2]);
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
fn evaluation_is_in_order_and_complete() {
    let config = LoaderConfig { batch_size: 4, ..LoaderConfig::clips_in_order() };
    assert_eq!(config.order, Order::Sequential);
    let batches = epoch(&Clips::of(Clips::source(), config), 0);
    assert_eq!(batches.iter().map(|batch| batch.len()).collect::<Vec<_>>(), [4, 4, 4, 4, 2]);
    assert!(indices(&batches).into_iter().eq(2..20));
}

fn refused(sampling: Sampling, pipeline: ClipPipeline, config: LoaderConfig) -> Error {
    Loader::new(Clips::source(), (sampling, pipeline), config).unwrap_err()
}

#[test]
fn a_filter_that_leaves_nothing_says_so() {
    let long = Sampling { length: 54, ..sampling() };
    assert_eq!(
        refused(long, Clips::batcher().1, Clips::config(0)).to_string(),
        "clip loader: expected at least one usable clip, got none of 20 in steps; 0 of 20 clips are \
         longer than 108 frames; shorten the sequence or hold the last frame"
    );
    let config = LoaderConfig { batch_size: 19, ..Clips::config(0) };
    let error = refused(sampling(), Clips::batcher().1, config);
    assert!(matches!(error, Error::TooFew(_)), "{error}");
    assert_says(&error, "clip loader: expected at least 19 clips, got 18 in steps", "steps");
}

#[test]
fn settings_without_meaning_are_refused() {
    let never = Sampling { downsample: 0, ..sampling() };
    let error = refused(never, Clips::batcher().1, Clips::config(0));
    assert_says(&error, "downsample: expected at least 1", "the configuration");
    let error = refused(sampling(), ClipPipeline::self_supervised(), Clips::config(0));
    assert_says(&error, "crop: expected 1..=4 pixels, got 224", "an image of 4×6");
}

#[test]
fn a_prepared_tree_is_loaded_from_end_to_end() {
    let root = tempfile::tempdir().unwrap();
    for (class, clip, frames) in [("a", "1", 8), ("a", "2", 9), ("b", "3", 12), ("b", "4", 3)] {
        make_frames(&root.path().join("videos").join(class).join(clip), frames);
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
    let config = LoaderConfig { batch_size: 10, order: Order::Sequential, ..Clips::config(2) };
    let pipeline = ClipPipeline::new(vec![Step::CentreCrop { side: 56 }]);
    let loader = Loader::new(scenes, (sampling(), pipeline), config).unwrap();
    for batch in epoch(&loader, 0) {
        assert!(batch.labels.iter().copied().eq((0..10).map(Some)));
        assert_eq!(batch.shape, [10, 3, 3, 56, 56]);
    }
}
