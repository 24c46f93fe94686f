#![no_main]
#![doc = "WAV files."]

use std::sync::LazyLock;

use clapp_fuzz::{folder, sound};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static ROOT: LazyLock<TempDir> = LazyLock::new(folder);

fuzz_target!(|bytes: &[u8]| sound(ROOT.path(), "a.wav", bytes));
