//! A checkpoint, one of whose files is another.

use std::{fs, path::PathBuf};

use clapp_store::{Checkpoint, Checkpoints, RunFolder, TensorFile};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{folder, put, read};

/// A checkpoint with its bytes.
#[derive(Debug)]
pub struct Saved {
    path: PathBuf,
    manifest: Vec<u8>,
    state: Vec<u8>,
    _root: TempDir,
}

impl Default for Saved {
    fn default() -> Self {
        Self::new()
    }
}

impl Saved {
    /// Saves one tensor.
    #[must_use]
    pub fn new() -> Self {
        let root = folder();
        let run = RunFolder::create(root.path(), "run").expect("a run's folder");
        let tensor = TensorFile::from_values([2, 2], &[1.0_f32, 2.0, -0.0, 1e-40]);
        let tensors = [("layer1.weight".to_owned(), tensor)].into();
        let checkpoints = Checkpoints::open(&run).expect("a folder for checkpoints");
        let path = checkpoints.save(3, &tensors, &json!({"epoch": 1}), &json!({}));
        let path = path.expect("a checkpoint can be saved");
        let bytes = |name: &str| fs::read(path.join(name)).expect("it was saved");
        let [manifest, state] = [bytes("manifest.json"), bytes("state.safetensors")];
        Self { path, manifest, state, _root: root }
    }

    /// Another manifest.
    pub fn read_manifest(&self, bytes: &[u8]) {
        put(&self.path.join("state.safetensors"), &self.state);
        put(&self.path.join("manifest.json"), bytes);
        read(Checkpoint::load(&self.path), &self.path);
    }

    /// Other tensors; the manifest has their digest, so that the parser of safetensors meets them.
    pub fn read_state(&self, bytes: &[u8]) {
        let mut manifest: Value = serde_json::from_slice(&self.manifest).expect("it was saved");
        let sum: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let record = &mut manifest["files"]["state.safetensors"];
        (record["bytes"], record["sha256"]) = (json!(bytes.len()), json!(sum));
        put(&self.path.join("manifest.json"), manifest.to_string().as_bytes());
        put(&self.path.join("state.safetensors"), bytes);
        read(Checkpoint::load(&self.path), &self.path);
    }
}
