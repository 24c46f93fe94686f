//! What happens to a checkpoint on a bad disk, and what the user is told.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use clapp_store::{Checkpoint, Checkpoints, Error, RunFolder, TensorFile};
use serde_json::json;

const FILES: [&str; 2] = ["manifest.json", "state.safetensors"];

struct Run {
    _root: tempfile::TempDir,
    _run: RunFolder,
    checkpoints: Checkpoints,
}

/// A run with checkpoints of steps 1 to 3.
fn run() -> Run {
    let root = tempfile::tempdir().unwrap();
    let run = RunFolder::create(root.path(), "run").unwrap();
    let checkpoints = Checkpoints::open(&run).unwrap();
    for step in 1..=3 {
        checkpoints.save(step, &tensors(step), &json!({"epoch": step}), &json!({})).unwrap();
    }
    Run { _root: root, _run: run, checkpoints }
}

fn tensors(step: u64) -> BTreeMap<String, TensorFile> {
    let x = step as f64;
    BTreeMap::from([
        (
            "layer1.weight".to_owned(),
            TensorFile::from_values([2, 2], &[x as f32, 2.0, -0.0, 1e-40]),
        ),
        ("adam.moment".to_owned(), TensorFile::from_values([1], &[x / 3.0])),
        ("adam.step".to_owned(), TensorFile::from_values([], &[step as i64])),
        ("mask".to_owned(), TensorFile::from_values([3, 0], &[0_u8; 0])),
    ])
}

fn newest(run: &Run) -> PathBuf {
    run.checkpoints.newest().unwrap().unwrap()
}

#[test]
fn a_checkpoint_returns_bit_for_bit() {
    let run = run();
    let checkpoint = run.checkpoints.load_newest().unwrap().unwrap();
    assert_eq!(checkpoint.step, 3);
    assert_eq!(checkpoint.tensors, tensors(3));
    assert_eq!(checkpoint.progress, json!({"epoch": 3}));
    assert_eq!(checkpoint.path, newest(&run));
    assert!(checkpoint.program.starts_with("clapp "));
}

#[test]
fn a_tensor_of_another_name_type_or_shape_is_an_error_with_both() {
    let run = run();
    let checkpoint = Checkpoint::load(newest(&run)).unwrap();
    let error = checkpoint.values::<f32>("layer9.weight", &[1]).unwrap_err().to_string();
    assert!(error.starts_with("read tensor: expected \"layer9.weight\", got "), "{error}");
    for error in [
        checkpoint.values::<f32>("layer1.weight", &[4]).unwrap_err().to_string(),
        checkpoint.values::<f64>("layer1.weight", &[2, 2]).unwrap_err().to_string(),
    ] {
        assert!(error.contains("got F32 [2, 2] in "), "{error}");
    }
}

#[test]
fn a_flipped_byte_in_any_file_is_detected_and_the_file_named() {
    let run = run();
    let path = newest(&run);
    for file in FILES {
        let file_path = path.join(file);
        let intact = fs::read(&file_path).unwrap();
        for i in 0..intact.len() {
            let mut damaged = intact.clone();
            damaged[i] ^= 0x10;
            fs::write(&file_path, damaged).unwrap();
            let error = Checkpoint::load(&path).unwrap_err().to_string();
            assert!(error.contains(&*file_path.to_string_lossy()), "{file} byte {i}: {error}");
        }
        fs::write(&file_path, intact).unwrap();
    }
    assert!(Checkpoint::load(&path).is_ok());
}

#[test]
fn the_error_of_a_flipped_byte_holds_both_digests() {
    let run = run();
    let path = newest(&run);
    for file in FILES {
        let mut bytes = fs::read(path.join(file)).unwrap();
        bytes[20] ^= 1;
        fs::write(path.join(file), bytes).unwrap();
        match Checkpoint::load(&path).unwrap_err() {
            Error::Damaged { expected, got, path: named } => {
                assert_eq!(named, path.join(file));
                let expected = expected.strip_prefix("sha-256 ").unwrap();
                assert_eq!((expected.len(), got.len()), (64, 64));
                assert_ne!(expected, got);
            }
            other => panic!("{other}"),
        }
        let mut bytes = fs::read(path.join(file)).unwrap();
        bytes[20] ^= 1;
        fs::write(path.join(file), bytes).unwrap();
    }
}

#[test]
fn a_truncated_or_grown_file_is_reported_with_both_sizes() {
    let run = run();
    let path = newest(&run);
    let state = path.join("state.safetensors");
    let size = fs::metadata(&state).unwrap().len();
    for got in [0, size - 1, size + 1] {
        fs::File::options().write(true).open(&state).unwrap().set_len(got).unwrap();
        let error = Checkpoint::load(&path).unwrap_err().to_string();
        let expected = format!("expected {size} bytes, got {got} in {}", state.display());
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    for file in FILES {
        let run = run();
        fs::remove_file(newest(&run).join(file)).unwrap();
        let error = Checkpoint::load(newest(&run)).unwrap_err().to_string();
        assert!(error.contains(&format!("expected file {file}, got no such file in ")), "{error}");
    }
}

#[test]
fn a_damaged_newest_is_never_replaced_silently_and_the_error_says_how_to_go_back() {
    let run = run();
    let broken = newest(&run);
    fs::remove_file(broken.join("manifest.json")).unwrap();
    let older = broken.with_file_name("step-000000002");
    fs::write(older.join("state.safetensors"), "x").unwrap();
    let intact = broken.with_file_name("step-000000001");

    let text = run.checkpoints.load_newest().unwrap_err().to_string();
    assert!(text.starts_with("resume: expected an intact newest checkpoint, got "), "{text}");
    assert!(text.contains(&format!("damage in {} (load", broken.display())), "{text}");
    assert!(text.contains(&format!("{} is intact: to continue", intact.display())), "{text}");

    // Following the advice works, step by step.
    fs::rename(&broken, broken.parent().unwrap().with_file_name("broken-3")).unwrap();
    assert!(run.checkpoints.load_newest().is_err());
    fs::rename(&older, broken.parent().unwrap().with_file_name("broken-2")).unwrap();
    assert_eq!(run.checkpoints.load_newest().unwrap().unwrap().step, 1);

    fs::remove_file(intact.join("state.safetensors")).unwrap();
    let text = run.checkpoints.load_newest().unwrap_err().to_string();
    assert!(text.contains("no older one is intact"), "{text}");
}

#[test]
fn a_step_saved_again_is_fine_if_equal_and_refused_if_not() {
    let run = run();
    let save = |tensors, progress, config| run.checkpoints.save(3, &tensors, &progress, &config);
    let path = save(tensors(3), json!({"epoch": 3}), json!({})).unwrap();
    assert_eq!(path, newest(&run));
    for (error, differs) in [
        (save(tensors(4), json!({"epoch": 3}), json!({})), "tensors"),
        (save(tensors(3), json!({"epoch": 4}), json!({})), "progress"),
        (save(tensors(3), json!({"epoch": 3}), json!({"seed": 1})), "config"),
    ] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains(&format!("expected the {differs} that step 3")), "{error}");
    }
    assert_eq!(run.checkpoints.load_newest().unwrap().unwrap().tensors, tensors(3));
}

#[test]
fn prune_keeps_the_newest_and_the_listed() {
    let run = run();
    let removed = run.checkpoints.prune(1.try_into().unwrap(), &[1]).unwrap();
    assert_eq!(removed, [newest(&run).with_file_name("step-000000002")]);
    let folder = newest(&run).parent().unwrap().to_owned();
    let mut left: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["step-000000001", "step-000000003"]);
    assert!(run.checkpoints.prune(5.try_into().unwrap(), &[]).unwrap().is_empty());
}

#[test]
fn prune_removes_nothing_if_the_newest_is_damaged() {
    let run = run();
    fs::write(newest(&run).join("state.safetensors"), "x").unwrap();
    assert!(run.checkpoints.prune(1.try_into().unwrap(), &[]).is_err());
    assert_eq!(Checkpoint::list(run._run.path()).unwrap().len(), 3);
}

#[test]
fn checkpoints_keep_the_run_locked_after_the_run_folder_is_dropped() {
    let Run { _root, _run, checkpoints } = run();
    let path = _run.path().to_owned();
    drop(_run);
    assert!(matches!(RunFolder::open(&path), Err(Error::Locked { .. })));
    drop(checkpoints);
    assert!(RunFolder::open(&path).is_ok());
}
