#![no_main]
#![doc = "JPEG frames of a video."]

use std::sync::LazyLock;

use clapp_datasets::{
    OnBad, Source,
    video::{ClipList, Preparation, prepare},
};
use clapp_fuzz::{folder, put, read};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static ROOT: LazyLock<TempDir> = LazyLock::new(|| {
    let root = folder();
    std::fs::create_dir_all(root.path().join("videos/red/one")).expect("a folder for frames");
    root
});

fuzz_target!(|bytes: &[u8]| {
    let videos = ROOT.path().join("videos");
    put(&videos.join("red/one/image_00001.jpg"), bytes);
    let small = Preparation { short_side: 2, on_bad: OnBad::Refuse, ..Preparation::default() };
    let list = ClipList::folders(&videos, OnBad::Refuse).expect("a folder with one clip");
    let prepared = prepare(list, ROOT.path().join("prepared"), &small, |_| {});
    if let Some(clips) = read(prepared, ROOT.path()) {
        clips.get(0).expect("what was prepared is read");
    }
});
