#![no_main]
#![doc = "Lists of labels beside photographs."]

use std::sync::LazyLock;

use clapp_datasets::folder::Listing;
use clapp_fuzz::{folder, put, read};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static ROOT: LazyLock<TempDir> = LazyLock::new(|| {
    let root = folder();
    for name in ["1.png", "2.png", "b.png"] {
        put(&root.path().join(name), b"");
    }
    root
});

fuzz_target!(|bytes: &[u8]| {
    put(&ROOT.path().join("labels.csv"), bytes);
    read(Listing::of(ROOT.path()), ROOT.path());
});
