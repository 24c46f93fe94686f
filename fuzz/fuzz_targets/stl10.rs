#![no_main]
#![doc = "The small files of STL-10."]

use std::sync::LazyLock;

use clapp_datasets::{Sizes, Stl10, stl10::Split};
use clapp_fuzz::{folder, put, read};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static ROOT: LazyLock<TempDir> = LazyLock::new(|| {
    let root = folder();
    put(&root.path().join("train_X.bin"), &[7; 2 * 3 * 96 * 96]);
    root
});

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let files = ["train_y.bin", "fold_indices.txt", "class_names.txt"];
    let whole = [&[1, 10][..], b"0 1\n", b"airplane\nbird\n"];
    let changed = usize::from(*kind) % files.len();
    for (number, name) in files.iter().enumerate() {
        put(&ROOT.path().join(name), if number == changed { bytes } else { whole[number] });
    }
    read(Stl10::open(ROOT.path(), Split::Train, Sizes::Any), ROOT.path());
});
