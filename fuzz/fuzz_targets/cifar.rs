#![no_main]
#![doc = "Batches of CIFAR-10."]

use std::sync::LazyLock;

use clapp_datasets::{
    Cifar, Sizes, Source,
    cifar::{Kind, Split},
};
use clapp_fuzz::{folder, put, read};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static ROOT: LazyLock<TempDir> = LazyLock::new(folder);

fuzz_target!(|bytes: &[u8]| {
    put(&ROOT.path().join("test_batch.bin"), bytes);
    let opened = Cifar::open(ROOT.path(), Kind::Cifar10, Split::Test, Sizes::Any);
    let Some(images) = read(opened, ROOT.path()) else { return };
    for image in 0..images.len() {
        images.get(image).expect("what was opened is read");
    }
});
