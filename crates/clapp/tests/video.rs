//! Runs on video: from moving scenes to tables, stopped and resumed.

#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, path::Path};

use clapp::{
    ClipPlace, ClipsConfig, Error, Experiment, Learner, Learning, Outcome, PRESETS, RANDOM_ENCODER,
    RAW_PIXELS, RunOf, Seen, Silent, StepMetrics, VIDEO_METHODS, Video, VideoDataConfig, VideoRun,
    VideoRunConfig,
    datasets::video::Step,
    eval::{Protocol, Report},
    rules::Timing,
    store::read_metrics,
    video_preset,
};
use common::{
    STEPS, assert_same, assert_says, assert_stops, execute, files, finished, results, stopped,
    tiny_video,
};

fn root() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn resume(folder: &Path) -> Result<Outcome, clapp::Error> {
    execute(&mut VideoRun::resume(folder)?, &mut Silent)
}

#[test]
fn the_smoke_preset_runs_to_a_table_of_every_block_and_control() {
    let root = root();
    let config = video_preset("smoke", "clapp-s", &Video::MovingScenes, &[2]).unwrap();
    let folder = finished(root.path(), &config);
    assert!(folder.ends_with("video-smoke-clapp-s"), "{}", folder.display());
    let report = Report::load(&folder.join("table.json")).unwrap();
    assert_eq!(report.encoders(), ["clapp-s", RANDOM_ENCODER, RAW_PIXELS]);
    assert_eq!((report.trained_on.as_str(), report.classes), ("moving scenes", 10));
    let protocols: Vec<Protocol> = report.series().iter().map(|series| series.protocol).collect();
    assert_eq!(protocols, [Protocol::Standardised, Protocol::Block, Protocol::BlockAuthors]);
    for series in report.series() {
        let layers = |encoder| report.layers(encoder, series).len();
        assert_eq!([layers("clapp-s"), layers(RANDOM_ENCODER), layers(RAW_PIXELS)], [5, 5, 1]);
    }
    let metrics: Vec<StepMetrics> = read_metrics(folder.join("metrics.jsonl")).unwrap();
    assert_eq!((metrics.len(), metrics[9].seen), (10, Seen::Clips(40)));
    assert_eq!(metrics[9].loss.len(), 5);
}

/// A view for every epoch, or one that is kept: with one epoch they are the same view, and steps come in
/// the same batches or in others.
#[test]
fn read_outs_with_a_view_an_epoch_run_to_the_same_places() {
    let root = root();
    let mut config = tiny_video("clapp-s", &[2]);
    config.clips = 4;
    config.readout.protocols = vec![Protocol::Block];
    config.readout.views = None;
    let report = Report::load(&finished(root.path(), &config).join("table.json")).unwrap();
    assert_eq!(report.cells.len(), 11, "five blocks of two encoders, and pixels");
}

fn assert_stops_leave_no_trace(method: &str) {
    let root = root();
    let config = tiny_video(method, &[2, 3]);
    let expected = results(&finished(root.path(), &config));
    let folder = stopped(root.path(), &config, 1);
    for step in [6, 7, STEPS, STEPS + 1, 2 * STEPS] {
        assert_stops(&mut VideoRun::resume(&folder).unwrap(), step);
    }
    resume(&folder).unwrap();
    assert_same(&results(&folder), &expected, method);
}

#[test]
fn clapp_s_resumes_bit_for_bit() {
    assert_stops_leave_no_trace("clapp-s");
}

#[test]
fn time_local_clapp_of_still_frames_resumes_bit_for_bit() {
    assert_stops_leave_no_trace("clapp-still");
}

/// A run that begins with the encoder of another has its weights before the first step, and no moments.
#[test]
fn a_run_begins_where_another_ended() {
    let root = root();
    let mut config = tiny_video("clapp-s", &[2]);
    let first = finished(root.path(), &config);
    config.start = Some(first.clone());
    let device = clapp::device("flex").unwrap();
    let state = |learner: &clapp::VideoTrainer| {
        let mut state = clapp::rules::State::default();
        learner.save(&mut state);
        state.tensors
    };
    let ended = clapp::store::Checkpoint::load_newest(&first).unwrap().unwrap();
    let begun = state(&config.open(3, &device).unwrap());
    let weight = &begun["layer5.weight"];
    let values = ended.values::<f32>("layer5.weight", &weight.shape().to_vec()).unwrap();
    assert_eq!(weight.try_to_vec::<f32>().unwrap(), values);
    assert!(ended.tensors.len() > begun.len(), "moments are at rest");
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let root = root();
    let folders = [1, 2].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| finished(root.path(), &tiny_video("gim", &[2])))
    });
    assert_same(&results(&folders[1]), &results(&folders[0]), "2 threads against 1");
}

#[test]
fn every_method_is_another_network_or_rule() {
    let mut seen: Vec<VideoRunConfig> = Vec::new();
    for method in VIDEO_METHODS.split(", ") {
        let config = match video_preset("quick", method, &Video::MovingScenes, &[2]) {
            // A build without automatic differentiation says what it lacks.
            Err(Error::Differentiation { learning }) if !cfg!(feature = "baselines") => {
                assert!(learning.differentiates());
                continue;
            }
            config => config.unwrap(),
        };
        let same = |other: &VideoRunConfig| {
            (&other.rule, &other.encoder, other.learning)
                == (&config.rule, &config.encoder, config.learning)
        };
        assert!(!seen.iter().any(same), "{method}");
        let text = serde_json::to_string_pretty(&config).unwrap();
        assert_eq!(serde_json::from_str::<VideoRunConfig>(&text).unwrap(), config);
        seen.push(config);
    }
    assert_eq!(seen.len(), if cfg!(feature = "baselines") { 12 } else { 6 });
}

#[test]
fn the_paper_preset_has_the_settings_of_the_paper() {
    let place = ClipPlace::Ucf101 { root: "/data/UCF101".into(), split: 1 };
    let clips = Video::Clips(ClipsConfig::new(place));
    let config = video_preset("paper", "clapp-s", &clips, &[2]).unwrap();
    assert_eq!((config.batch, config.clips), (8, 1_504_800));
    assert_eq!((config.sampling.downsample, config.sampling.length), (3, 54));
    assert_eq!(config.encoder.weights(), 15_969_600);
    assert_eq!((config.rule.prediction_steps, config.rule.scale), (3, 0.5));
    let readout = &config.readout;
    assert_eq!((readout.epochs, readout.views, readout.sampling.length), (200, None, 72));
    assert_eq!(readout.protocols, [Protocol::Block, Protocol::BlockAuthors]);
    let still = video_preset("paper", "gim-still", &clips, &[2]).unwrap();
    assert_eq!((still.batch, still.encoder.frames, still.sampling.length), (16, 8, 8));
    let local = video_preset("paper", "clapp", &clips, &[2]).unwrap();
    assert_eq!(local.rule.timing, Timing::TimeLocal);
}

#[test]
fn unknown_names_are_answered_with_the_known_ones() {
    let ask = |name, method| {
        video_preset(name, method, &Video::MovingScenes, &[2]).unwrap_err().to_string()
    };
    assert_says(&ask("qick", "clapp-s"), "preset", PRESETS);
    for method in ["clapp-s-moving", "-still", ""] {
        assert_says(&ask("quick", method), "method", VIDEO_METHODS);
    }
    assert_says(&ask("paper", "clapp-s"), "preset paper", "videos");
}

#[test]
fn settings_that_would_fail_after_hours_fail_at_once() {
    let root = root();
    let refused = |change: &dyn Fn(&mut VideoRunConfig)| {
        let mut config = tiny_video("clapp-s", &[2]);
        change(&mut config);
        RunOf::create(root.path(), config).unwrap_err().to_string()
    };
    assert!(refused(&|c| c.sampling.length = 35).contains("expected sequences of 36 frames"));
    assert!(refused(&|c| c.encoder.size = 75).contains("3 channels and 75 pixels a side"));
    let crop = |c: &mut VideoRunConfig| c.readout.plain.steps = vec![Step::CentreCrop { side: 60 }];
    assert!(refused(&crop).contains("60 from the pipeline"));
    assert!(refused(&|c| c.readout.sampling.length = 50).contains("0 of 20 clips are longer"));
    assert!(refused(&|c| c.readout.protocols.clear()).contains("readout.protocols of at least 1"));
    let knn = |c: &mut VideoRunConfig| c.readout.protocols = vec![Protocol::Knn];
    assert!(refused(&knn).contains("block or block_authors for video, got Knn; "));
    let through_time = |c: &mut VideoRunConfig| c.learning = Learning::ThroughTime;
    assert!(refused(&through_time).contains("back-propagation through time; choose another"));
    let nowhere = |c: &mut VideoRunConfig| c.start = Some(root.path().join("nowhere"));
    assert!(refused(&nowhere).contains("nowhere"));
    assert!(refused(&|c| c.batch = 13).contains("expected at least 13 clips, got 12"));
    assert!(refused(&|c| c.clips = 0).contains("expected clips of at least 1, got 0; "));
    let few = |c: &mut VideoRunConfig| {
        let VideoDataConfig::MovingScenes { train, .. } = &mut c.data else { panic!("scenes") };
        *train = 7;
    };
    assert!(refused(&few).contains("expected at least 8 clips, got 7"), "{}", refused(&few));
    assert!(files(root.path()).is_empty(), "no folder for a run that cannot be");
}

#[test]
fn a_run_on_images_is_not_resumed_as_one_on_video() {
    let root = root();
    let folder = stopped(root.path(), &common::tiny("clapp-s", &[2]), 3);
    let text = VideoRun::resume(&folder).unwrap_err().to_string();
    assert_says(&text, "configuration", &folder.join("config.json").to_string_lossy());
    assert!(fs::read_to_string(folder.join("config.json")).unwrap().contains("smoke"));
}
