#![no_main]
#![doc = "Lines of metrics."]

use std::sync::LazyLock;

use clapp_fuzz::{folder, put, read};
use clapp_store::{MetricsLog, read_metrics};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static ROOT: LazyLock<TempDir> = LazyLock::new(folder);

fuzz_target!(|bytes: &[u8]| {
    let path = ROOT.path().join("metrics.jsonl");
    put(&path, bytes);
    read(read_metrics::<serde_json::Value>(&path), &path);
    read(MetricsLog::open(&path, Some(3)), &path);
});
