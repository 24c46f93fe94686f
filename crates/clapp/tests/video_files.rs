//! Runs on video files that are not as they should be: each is named, and the rest is used if asked for.
//!
//! Without ffmpeg, which makes the videos of these tests, they are skipped.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use clapp::{
    Run, RunConfig, Video,
    datasets::{OnBad, video::Ffmpeg},
    eval::Report,
    preset,
    video::{ClipsConfig, Place},
};
use clapp_testing::{make_video, skip};
use common::finished;

/// Frames of every video: a few more than a sequence of 36.
const FRAMES: usize = 40;
const CLASSES: [&str; 2] = ["Fading", "Rising"];

/// Two classes of twelve videos in the layout of UCF-101.
struct Videos {
    root: tempfile::TempDir,
}

impl Videos {
    /// A skip where there is no ffmpeg.
    fn new() -> Option<Self> {
        Ffmpeg::find().map_err(skip).ok()?;
        let videos = Self { root: tempfile::tempdir().unwrap() };
        for (class, name) in CLASSES.iter().enumerate() {
            let first = videos.path(class, 1);
            // A gray ramp that grows lighter or darker.
            let luma = format!("120+X/2+{}*(N-20)", [4, -3][class]);
            make_video(&first, FRAMES, "96x72", &luma, &["-c:v", "mjpeg", "-q:v", "2"]);
            for clip in 2..=12 {
                fs::copy(&first, videos.path(class, clip)).unwrap();
            }
            assert!(first.parent().unwrap().ends_with(name));
        }
        let lines = |clips: std::ops::RangeInclusive<usize>| -> String {
            let line = |clip| {
                CLASSES.map(|name| format!("{name}/v_{name}_g01_c{clip:02}.avi 1\r\n")).concat()
            };
            clips.map(line).collect()
        };
        videos.write("classInd.txt", "1 Fading\r\n2 Rising\r\n");
        videos.write("trainlist01.txt", &lines(1..=8));
        videos.write("testlist01.txt", &lines(9..=12));
        Some(videos)
    }

    fn path(&self, class: usize, clip: usize) -> PathBuf {
        let name = CLASSES[class];
        self.root.path().join(format!("UCF-101/{name}/v_{name}_g01_c{clip:02}.avi"))
    }

    fn write(&self, list: &str, text: &str) {
        let folder = self.root.path().join("ucfTrainTestlist");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(list), text).unwrap();
    }

    fn place(&self) -> Place {
        Place::Ucf101 { root: self.root.path().to_owned(), split: 1 }
    }

    fn folders(&self) -> Place {
        Place::Folders { root: self.root.path().join("UCF-101"), test_share: 0.3 }
    }
}

fn config(place: Place, on_bad: OnBad, prepared: &Path) -> RunConfig<Video> {
    let prepared = prepared.to_owned();
    let clips = ClipsConfig { prepared, on_bad, ..ClipsConfig::new(place) };
    let mut config = preset("smoke", "clapp-s", &Video::Clips(clips), &[2]).unwrap();
    (config.setup.sampling.downsample, config.setup.readout.sampling.downsample) = (1, 1);
    (config.batch, config.setup.clips, config.setup.readout.batch) = (2, 4, 4);
    config
}

/// The error of a run that cannot begin, and begins nothing.
fn refused(place: Place) -> String {
    let runs = tempfile::tempdir().unwrap();
    let config = config(place, OnBad::Refuse, &runs.path().join("prepared"));
    let error = Run::create(runs.path().join("runs"), config).unwrap_err();
    assert!(!runs.path().join("runs").exists(), "no run folder for data that cannot be used");
    error.to_string()
}

/// Table and reasons of a run that leaves out what cannot be used.
fn skipping(place: Place) -> (Report, String) {
    let runs = tempfile::tempdir().unwrap();
    let config = config(place, OnBad::Skip, &runs.path().join("prepared"));
    let folder = finished(runs.path(), &config);
    let report = Report::load(&folder.join("table.json")).unwrap();
    let notes = report.notes.join("\n");
    let text = fs::read_to_string(folder.join("table.txt")).unwrap();
    assert!(text.contains(&report.notes[0]), "{text}");
    (report, notes)
}

#[test]
fn videos_with_lists_of_windows_run_to_their_table() {
    let Some(videos) = Videos::new() else { return };
    let runs = tempfile::tempdir().unwrap();
    let config = config(videos.place(), OnBad::Refuse, &runs.path().join("prepared"));
    let folder = finished(runs.path(), &config);
    let report = Report::load(&folder.join("table.json")).unwrap();
    assert_eq!(report.trained_on, "16 clips of ucf101/train1");
    let evaluated = "16 clips of ucf101/train1, tested on 8 of ucf101/test1";
    assert_eq!((report.evaluated_on.as_str(), report.classes), (evaluated, 2));
    assert!(report.notes.is_empty(), "{:?}", report.notes);
}

#[test]
fn bad_videos_are_named_and_the_rest_is_used_if_asked_for() {
    let Some(videos) = Videos::new() else { return };
    let whole = fs::read(videos.path(0, 2)).unwrap();
    fs::write(videos.path(0, 2), &whole[..whole.len() / 2]).unwrap();
    assert!(
        refused(videos.place()).contains("v_Fading_g01_c02.avi"),
        "{}",
        refused(videos.place())
    );
    fs::write(videos.path(1, 3), b"").unwrap();
    fs::remove_file(videos.path(1, 9)).unwrap();
    let (report, reasons) = skipping(videos.place());
    assert_eq!(report.trained_on, "14 clips of ucf101/train1");
    assert!(report.evaluated_on.ends_with("tested on 7 of ucf101/test1"));
    for reason in [
        "Fading/v_Fading_g01_c02: video: expected the 40 frames of its header, got ",
        "Rising/v_Rising_g01_c03: video: expected a video, got \"an empty file\" in ",
        "Rising/v_Rising_g01_c09: ",
    ] {
        assert!(reasons.contains(reason), "{reason}\n{reasons}");
    }
}

#[test]
fn folders_with_holes_and_without_videos_are_named_and_the_rest_is_used_if_asked_for() {
    let Some(videos) = Videos::new() else { return };
    let folder = videos.root.path().join("UCF-101");
    fs::create_dir(folder.join("Waiting")).unwrap();
    let text = refused(videos.folders());
    assert!(text.starts_with("class folder: ") && text.contains("Waiting"), "{text}");
    let frames = folder.join("Rising/frames");
    fs::create_dir(&frames).unwrap();
    for number in [1, 2, 4] {
        fs::write(frames.join(format!("image_{number:05}.jpg")), b"").unwrap();
    }
    let (report, reasons) = skipping(videos.folders());
    assert_eq!(report.classes, 3);
    assert!(reasons.contains("Waiting: class folder: "), "{reasons}");
    let hole = "Rising/frames: frame folder: expected image_00003.jpg, got image_00004.jpg in ";
    assert!(reasons.contains(hole), "{reasons}");
}

#[test]
fn clips_too_short_for_a_sequence_are_counted() {
    let Some(videos) = Videos::new() else { return };
    let runs = tempfile::tempdir().unwrap();
    let mut config = config(videos.place(), OnBad::Refuse, &runs.path().join("prepared"));
    config.setup.sampling.downsample = 2;
    let text = Run::create(runs.path(), config).unwrap_err().to_string();
    assert!(text.contains("0 of 16 clips are longer than 72 frames"), "{text}");
}
