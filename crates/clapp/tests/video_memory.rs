//! Real videos: every frame is found, and learning from them keeps to a bounded memory.
//!
//! `CLAPP_UCF101_CLIPS_DIR` names a folder of AVI files, such as clips of UCF-101 with B-frames; without
//! it, or without ffmpeg, the test is skipped. It is alone in its program, whose memory it measures.

#![allow(clippy::unwrap_used)]

use std::{fs, sync::Arc};

use clapp::{
    Data, Trainer, Video,
    datasets::{
        OnBad, Source,
        video::{Clip, ClipList, Ffmpeg, Preparation, Short, prepare},
    },
    encoders::VideoConfig,
    preset,
    run::StepMetrics,
    video::{ClipsConfig, Place},
};
use clapp_testing::{copy_real_videos, count_frames, skip};

/// The largest resident memory so far, in bytes; Linux only.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// 20 steps at the paper's size of film, 54 frames of 128², an eighth of its width.
#[test]
fn twenty_steps_on_real_videos_keep_to_a_bounded_memory() {
    if let Err(reason) = Ffmpeg::find() {
        return skip(reason);
    }
    let root = tempfile::tempdir().unwrap();
    let Some(videos) = copy_real_videos(&root.path().join("videos/real")) else { return };
    let prepared = root.path().join("prepared");
    let list = ClipList::folders(root.path().join("videos"), OnBad::Refuse).unwrap();
    let clips = prepare(list, &prepared, &Preparation::default(), |_| {}).unwrap();
    assert!(clips.skipped().is_empty(), "{}", clips.skipped());
    assert_eq!(clips.len(), videos.len());
    for (clip, video) in videos.iter().enumerate() {
        assert_eq!(clips.info(clip).frames, count_frames(video), "{}", video.display());
    }

    let place = Place::Folders { root: root.path().join("videos"), test_share: 0.3 };
    let clips: Arc<dyn Source<Item = Clip>> = Arc::new(clips);
    let config = ClipsConfig { prepared, ..ClipsConfig::new(place) };
    let mut config = preset("paper", "clapp-s", &Video::Clips(config), &[2]).unwrap();
    config.setup.encoder = VideoConfig::vgg5(0.125).unwrap();
    (config.batch, config.setup.clips, config.setup.sampling.short) = (2, 40, Short::HoldLast);
    let data = Data {
        learn: clips.clone(),
        classes: clips.classes(),
        labelled: Some([clips.clone(), clips]),
        names: ["real videos".into(), "real videos".into()],
        notes: Vec::new(),
    };
    let device = clapp::device("flex").unwrap();
    let mut trainer = Trainer::<Video>::new(&config, 2, data, &device).unwrap();
    let (before, mut peaks) = (peak(), Vec::new());
    let mut look = |_: &Trainer<Video>, metrics: &StepMetrics| {
        assert!(metrics.loss.iter().all(|loss| loss.is_finite()));
        peaks.push(peak());
        Ok(true)
    };
    trainer.run(&mut look).unwrap();
    assert_eq!((trainer.step(), peaks.len()), (20, 20));
    let [Some(before), Some(fifth), Some(last)] = [before, peaks[4], peaks[19]] else {
        return skip("memory is not measured: no VmHWM in /proc/self/status");
    };
    let mebibytes = |bytes: u64| bytes >> 20;
    println!(
        "peak: {} MiB before, {} after step 5, {} after step 20",
        mebibytes(before),
        mebibytes(fifth),
        mebibytes(last)
    );
    // Clips that wait: 2 workers × 5 clips × 10.6 MB may come late; nothing else may grow.
    assert!(last < fifth + (128 << 20), "{} and {}", mebibytes(fifth), mebibytes(last));
}
