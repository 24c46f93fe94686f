//! Checkpoints meet thousands of damaged files: a checkpoint, or an error that names it; no panic.

#![allow(clippy::unwrap_used)]

use std::fs;

use clapp_store::{Checkpoint, Checkpoints, RunFolder, TensorFile};
use clapp_testing::mutations;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

#[test]
fn a_manifest_or_a_state_that_is_damaged_is_read_or_refused() {
    let root = tempfile::tempdir().unwrap();
    let run = RunFolder::create(root.path(), "run").unwrap();
    let tensor = TensorFile::from_values([2, 2], &[1.0_f32, 2.0, -0.0, 1e-40]);
    let tensors = [("layer1.weight".to_owned(), tensor)].into();
    let path = Checkpoints::open(&run)
        .unwrap()
        .save(3, &tensors, &json!({"epoch": 1}), &json!({}))
        .unwrap();
    let files = ["manifest.json", "state.safetensors"].map(|name| path.join(name));
    let [manifest, state] = files.each_ref().map(|file| fs::read(file).unwrap());
    let refused = |error: clapp_store::Error| {
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
    };
    mutations("manifest", std::slice::from_ref(&manifest), |_, bytes| {
        fs::write(&files[0], bytes).unwrap();
        let _ = Checkpoint::load(&path).map_err(refused);
    });
    // A state whose digest fits, so that the parser of safetensors meets it.
    mutations("state", &[state], |_, bytes| {
        let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let sum: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let record = &mut manifest["files"]["state.safetensors"];
        (record["bytes"], record["sha256"]) = (json!(bytes.len()), json!(sum));
        fs::write(&files[0], manifest.to_string()).unwrap();
        fs::write(&files[1], bytes).unwrap();
        let _ = Checkpoint::load(&path).map_err(refused);
    });
}
