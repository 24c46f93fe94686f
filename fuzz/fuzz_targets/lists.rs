#![no_main]
#![doc = "Lists of recordings, of videos and of phones."]

use std::sync::LazyLock;

use clapp_datasets::{
    OnBad,
    sound::{PhoneLabels, SplitList},
    video::{ClipList, Part},
};
use clapp_fuzz::{folder, put, read};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static ROOT: LazyLock<TempDir> = LazyLock::new(|| {
    let root = folder();
    put(&root.path().join("classInd.txt"), b"1 A\n2 B\n");
    root
});

fuzz_target!(|bytes: &[u8]| {
    let path = ROOT.path().join("trainlist01.txt");
    put(&path, bytes);
    for on_bad in [OnBad::Refuse, OnBad::Skip] {
        read(PhoneLabels::read(&path, 41, on_bad), &path);
        read(ClipList::ucf101(ROOT.path(), 1, Part::Train, on_bad), ROOT.path());
    }
    read(SplitList::read(&path), &path);
});
