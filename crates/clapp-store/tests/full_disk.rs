//! A disk runs full: the error says what was to be written and where, and what was there stays.
//!
//! Linux only: `/dev/full` for everyone, a tiny disk in memory where mounting is allowed.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::Path;

use clapp_store::{Checkpoints, MetricsLog, RunFolder, TensorFile, read_metrics, write_atomically};
use clapp_testing::{TinyDisk, names};
use serde_json::{Value, json};

fn tensors(values: usize) -> std::collections::BTreeMap<String, TensorFile> {
    [("w".to_owned(), TensorFile::from_values([values], &vec![1.0_f32; values]))].into()
}

#[test]
fn a_full_device_leaves_the_old_file_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    write_atomically(&path, |file| file.write_all(b"old")).unwrap();
    let error = write_atomically(&path, |file| {
        file.write_all(b"new")?;
        fs::File::options().write(true).open("/dev/full")?.write_all(b"rest")
    });
    let text = error.unwrap_err().to_string();
    assert!(
        text.starts_with("write file: expected room for at least 3 bytes, got \"No "),
        "{text}"
    );
    assert!(text.contains(&*path.to_string_lossy()), "{text}");
    assert!(text.ends_with("free some space and repeat, the previous file is untouched"), "{text}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(folder.path()), ["config.json"]);
}

#[test]
fn a_full_disk_keeps_every_earlier_checkpoint_file_and_line() {
    let Some(disk) = TinyDisk::mount("256k") else { return };
    let run = RunFolder::create(disk.path(), "run").unwrap();
    let checkpoints = Checkpoints::open(&run).unwrap();
    checkpoints.save(1, &tensors(8), &Value::Null, &Value::Null).unwrap();
    let file = run.write_text("notes.txt", "old").unwrap();

    let error = checkpoints.save(2, &tensors(100_000), &Value::Null, &Value::Null).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("save checkpoint: expected room for at least 400"), "{text}");
    assert!(text.contains("step-000000002"), "{text}");
    assert!(text.ends_with("every earlier checkpoint is untouched"), "{text}");
    assert_eq!(names(&run.path().join("checkpoints")), ["step-000000001"]);
    assert_eq!(checkpoints.load_newest().unwrap().unwrap().tensors, tensors(8));

    let text = run.write_text("notes.txt", &"x".repeat(400_000)).unwrap_err().to_string();
    assert!(text.contains("400000 bytes") && text.contains("notes.txt"), "{text}");
    assert_eq!(fs::read_to_string(file).unwrap(), "old");

    append_until_full(&run.path().join("metrics.jsonl"));
    assert!(names(run.path()).iter().all(|name| !name.ends_with(".tmp")));
    checkpoints.save(2, &tensors(8), &Value::Null, &Value::Null).unwrap();
}

fn append_until_full(path: &Path) {
    let mut log = MetricsLog::open(path, None).unwrap();
    let text = (0..)
        .find_map(|step| log.append(&json!({"step": step, "pad": "x".repeat(999)})).err())
        .unwrap()
        .to_string();
    assert!(text.ends_with("every earlier line is untouched"), "{text}");
    let bytes = fs::read(path).unwrap();
    assert!(bytes.len() > 100_000 && bytes.ends_with(b"}\n"), "half a line remains");
    let lines = read_metrics::<Value>(path).unwrap().len();
    // Freeing some space is enough to go on with the same log.
    fs::File::options().write(true).open(path).unwrap().set_len(0).unwrap();
    log.append(&json!({"step": lines})).unwrap();
}
