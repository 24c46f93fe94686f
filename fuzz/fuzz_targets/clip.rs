#![no_main]
#![doc = "Prepared clips."]

use std::{path::PathBuf, sync::LazyLock};

use clapp_datasets::{
    OnBad, Source,
    video::{ClipList, Preparation, PreparedClips, prepare},
};
use clapp_fuzz::{folder, put, read};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static CLIPS: LazyLock<(TempDir, PreparedClips, PathBuf)> = LazyLock::new(|| {
    let root = folder();
    let frames = root.path().join("videos/red/one");
    std::fs::create_dir_all(&frames).expect("a folder for frames");
    let red = include_bytes!("../../crates/clapp-datasets/tests/data/red_3x2.jpg");
    put(&frames.join("image_00001.jpg"), red);
    let small = Preparation { short_side: 2, on_bad: OnBad::Refuse, ..Preparation::default() };
    let list = ClipList::folders(root.path().join("videos"), OnBad::Refuse).expect("one clip");
    let folder = root.path().join("prepared");
    let clips = prepare(list, &folder, &small, |_| {}).expect("a frame that is whole");
    let clip = folder.join("red/one.clip");
    (root, clips, clip)
});

fuzz_target!(|bytes: &[u8]| {
    let (_, clips, clip) = &*CLIPS;
    put(clip, bytes);
    read(clips.get(0), clip);
});
