//! What these tests share: a run of a second, the files of a folder, the words of an error.

#![allow(dead_code, clippy::unwrap_used)] // every test uses a part

pub mod recordings;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use clapp::{
    Error, Images, Run, RunConfig, RunEnd, Sense, Sound, Video,
    image::{DataConfig, SizesConfig},
    preset,
    run::{Observer, Silent, StepMetrics},
    sound,
    store::Checkpoint,
    video,
};
pub use clapp_testing::{assert_same, assert_says, files};

/// Steps of a seed of [`tiny`].
pub const STEPS: u64 = 12;
/// Steps of one pass over the images of [`tiny`].
pub const EPOCH: u64 = 6;

/// The preset `smoke`, smaller: 12 steps a seed, 6 of them an epoch, read-outs on a few images.
pub fn tiny(method: &str, seeds: &[u64]) -> RunConfig<Images> {
    let mut config = preset("smoke", method, &Images::Synthetic, seeds).unwrap();
    config.setup.data = DataConfig::Synthetic { unlabelled: 48, train: 40, test: 20 };
    (config.batch, config.setup.images) = (8, 8 * STEPS);
    (config.metrics_every, config.checkpoint_every) = (2, 5);
    let readout = &mut config.setup.readout;
    (readout.few, readout.few_draws, readout.paper_epochs, readout.paper_views) = (2, 2, 2, 2);
    config
}

/// [`tiny`] on images in STL-10's layout.
pub fn tiny_stl10(root: &Path) -> RunConfig<Images> {
    let images = Images::Stl10(root.to_owned(), SizesConfig::Any);
    let mut config = preset("smoke", "clapp-s", &images, &[2]).unwrap();
    let tiny = tiny("clapp-s", &[2]);
    (config.batch, config.setup.images) = (tiny.batch, tiny.setup.images);
    (config.metrics_every, config.checkpoint_every) = (tiny.metrics_every, tiny.checkpoint_every);
    config.setup.readout = tiny.setup.readout;
    config
}

/// The preset `smoke` for sound, smaller: 12 steps a seed, 6 of them an epoch.
pub fn tiny_sound(method: &str, seeds: &[u64]) -> RunConfig<Sound> {
    let mut config = preset("smoke", method, &Sound::Synthetic, seeds).unwrap();
    config.setup.data =
        sound::DataConfig::Synthetic { unlabelled: 12, train: 3, test: 3, noise: 15 };
    (config.batch, config.setup.crops) = (2, 2 * STEPS);
    (config.metrics_every, config.checkpoint_every) = (2, 5);
    // 320 ms: 32 outputs of the last layers.
    (config.setup.encoder.samples, config.setup.pipeline.crop) = (5_120, 5_120);
    config
}

/// The preset `smoke` for video, smaller: 12 steps a seed, 6 of them an epoch.
pub fn tiny_video(method: &str, seeds: &[u64]) -> RunConfig<Video> {
    let mut config = preset("smoke", method, &Video::MovingScenes, seeds).unwrap();
    if let video::DataConfig::MovingScenes { unlabelled, train, test, .. } = &mut config.setup.data
    {
        (*unlabelled, *train, *test) = (12, 20, 10);
    }
    (config.batch, config.setup.clips) = (2, 2 * STEPS);
    (config.metrics_every, config.checkpoint_every) = (2, 5);
    config
}

/// Bytes of an image of STL-10.
pub const IMAGE: usize = 3 * 96 * 96;

/// Writes images in STL-10's layout: 16 without labels, 20 and 10 with them.
pub fn write_stl10(root: &Path) {
    let pixels = |count: usize, salt: usize| -> Vec<u8> {
        (0..count * IMAGE).map(|i| ((i + salt).wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    };
    let labels = |count: u8| -> Vec<u8> { (0..count).map(|i| i % 10 + 1).collect() };
    fs::write(root.join("unlabeled_X.bin"), pixels(16, 0)).unwrap();
    fs::write(root.join("train_X.bin"), pixels(20, 1)).unwrap();
    fs::write(root.join("train_y.bin"), labels(20)).unwrap();
    fs::write(root.join("test_X.bin"), pixels(10, 2)).unwrap();
    fs::write(root.join("test_y.bin"), labels(10)).unwrap();
}

/// Stops a run after one of its steps.
pub struct StopAt(pub u64);

impl Observer for StopAt {
    fn step(&mut self, _: u64, metrics: &StepMetrics) -> bool {
        metrics.step != self.0
    }
}

pub fn execute<S: Sense>(run: &mut Run<S>, observer: &mut dyn Observer) -> Result<RunEnd, Error> {
    run.execute(&clapp::device("flex").unwrap(), observer)
}

/// Starts a run and goes on to its end; the folder.
pub fn finished<S: Sense>(parent: &Path, config: &RunConfig<S>) -> PathBuf {
    let mut run = Run::create(parent, config.clone()).unwrap();
    assert!(matches!(execute(&mut run, &mut Silent), Ok(RunEnd::Finished(_))));
    run.path().to_owned()
}

/// Starts a run and stops it after a step; the folder.
pub fn stopped<S: Sense>(parent: &Path, config: &RunConfig<S>, step: u64) -> PathBuf {
    let mut run = Run::create(parent, config.clone()).unwrap();
    assert_stops(&mut run, step);
    run.path().to_owned()
}

pub fn assert_stops<S: Sense>(run: &mut Run<S>, at: u64) {
    match execute(run, &mut StopAt(at)).unwrap() {
        RunEnd::Stopped { step } => assert_eq!(step, at),
        RunEnd::Finished(_) => panic!("expected a stop at step {at}, got the end"),
    }
}

/// Goes on with a run to its end.
pub fn resume<S: Sense>(folder: &Path) -> Result<RunEnd, Error> {
    execute(&mut Run::<S>::resume(folder)?, &mut Silent)
}

/// One run that is stopped after every one of `steps`, then goes on to its end; the folder.
pub fn stopped_at_each<S: Sense>(parent: &Path, config: &RunConfig<S>, steps: &[u64]) -> PathBuf {
    let folder = stopped(parent, config, steps[0]);
    for &step in &steps[1..] {
        assert_stops(&mut Run::<S>::resume(&folder).unwrap(), step);
    }
    resume::<S>(&folder).unwrap();
    folder
}

/// Stops at the borders of two epochs and of two seeds leave no trace.
pub fn assert_stops_leave_no_trace<S: Sense>(config: &RunConfig<S>) {
    let root = tempfile::tempdir().unwrap();
    let expected = results(&finished(root.path(), config));
    let steps = [1, EPOCH, EPOCH + 1, STEPS, STEPS + 1, 2 * STEPS];
    let folder = stopped_at_each(root.path(), config, &steps);
    assert_same(&results(&folder), &expected, &config.method);
}

/// A run on images is refused by another sense.
pub fn assert_images_are_refused_by<S: Sense>() {
    let root = tempfile::tempdir().unwrap();
    let folder = stopped(root.path(), &tiny("clapp-s", &[2]), 3);
    let text = Run::<S>::resume(&folder).unwrap_err().to_string();
    assert_says(&text, "configuration", &folder.join("config.json").to_string_lossy());
    assert!(fs::read_to_string(folder.join("config.json")).unwrap().contains("smoke"));
}

/// What a finished run leaves: its last checkpoint, metrics, tables. Older checkpoints are left out,
/// because every stop adds one.
pub fn results(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (_, newest) = Checkpoint::list(folder).unwrap().pop().expect("a finished run has one");
    let newest = newest.strip_prefix(folder).unwrap().to_owned();
    let mut files = files(folder);
    files.retain(|name, _| !name.starts_with("checkpoints") || name.starts_with(&newest));
    let names: Vec<_> = files.keys().map(|name| name.to_str().unwrap()).collect();
    for expected in ["metrics.jsonl", "table.json", "table.svg", "table.txt"] {
        assert!(names.contains(&expected), "expected {expected}, got {names:?}");
    }
    assert!(names.iter().any(|name| name.ends_with("state.safetensors")), "{names:?}");
    files
}
