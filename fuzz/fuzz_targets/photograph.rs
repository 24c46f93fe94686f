#![no_main]
#![doc = "Photographs of any format."]

use std::sync::LazyLock;

use clapp_datasets::Folder;
use clapp_fuzz::{folder, put, read};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static ROOT: LazyLock<TempDir> = LazyLock::new(folder);

fuzz_target!(|bytes: &[u8]| {
    put(&ROOT.path().join("a.png"), bytes);
    read(Folder::open(ROOT.path(), 4), ROOT.path());
});
