//! Run folders that survive a crash: checkpoints, metrics, small files. No tensor library.
//!
//! | what | promise | type |
//! |---|---|---|
//! | run folder | never reuses an old one, one writer at a time | [`RunFolder`], [`RunLock`] |
//! | checkpoint | exists complete or not at all; every byte is under a SHA-256 | [`Checkpoints`], [`Checkpoint`] |
//! | metrics | a resumed file equals the uninterrupted one, byte for byte | [`MetricsLog`], [`read_metrics`] |
//! | any file | the old content or the new, never half of each | [`write_atomically`] |
//! | any folder | the same; killed while one replaces another, the old one may lie beside its place | [`write_folder`] |
//!
//! These hold when the process is killed at any moment, and when the power fails as far as the
//! disk keeps its word on fsync. Damage is never passed over: the newest checkpoint is loaded, or
//! the error names its damaged file and the newest intact checkpoint, and the user decides.
//!
//! ```text
//! runs/vgg6-2/
//!   .lock
//!   config.json
//!   metrics.jsonl
//!   checkpoints/step-000000123/{state.safetensors, manifest.json}
//! ```
//!
//! # Quick start
//!
//! A run that can be killed anywhere and started again:
//!
//! ```
//! use clapp_store::{Checkpoints, Error, MetricsLog, RunFolder, TensorFile};
//! use serde_json::json;
//! use std::path::Path;
//!
//! fn train(run: &Path, until: u64) -> Result<f64, Error> {
//!     let run = RunFolder::open(run)?; // locks; removes what was left unfinished
//!     let checkpoints = Checkpoints::open(&run)?;
//!     let newest = checkpoints.load_newest()?;
//!     let mut log = MetricsLog::open(
//!         run.path().join("metrics.jsonl"),
//!         newest.as_ref().map(|checkpoint| checkpoint.step),
//!     )?;
//!     let (first, mut w) = match newest {
//!         Some(checkpoint) => (checkpoint.step + 1, checkpoint.values::<f64>("w", &[1])?[0]),
//!         None => (1, 0.0),
//!     };
//!     for step in first..=until {
//!         w += 0.5; // one step of learning
//!         log.append(&json!({"step": step, "w": w}))?;
//!         log.sync()?;
//!         let tensors = [("w".to_owned(), TensorFile::from_values([1], &[w]))].into();
//!         checkpoints.save(step, &tensors, &json!({}), &json!({"seed": 2}))?;
//!     }
//!     Ok(w)
//! }
//!
//! # let root = std::env::temp_dir().join(format!("clapp-store-start-{}", std::process::id()));
//! let run = RunFolder::create(&root, "vgg6")?.path().to_owned();
//! assert_eq!(train(&run, 2)?, 1.0);
//! assert_eq!(train(&run, 4)?, 2.0); // resumed after step 2
//! # std::fs::remove_dir_all(&root)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How to extend
//!
//! A new element type is a variant of [`Dtype`], a line of `element!` and two matches in
//! `tensor.rs`. A new field of the manifest is a new format version if old programs must not ignore
//! it; the last line, the manifest's own digest, stays in every version.
//!
//! # Features
//!
//! None.
//!
//! # Citation
//!
//! Illing, Ventura, Bellec & Gerstner (2021), *Local plasticity rules can learn deep representations
//! using self-supervised contrastive predictions*, NeurIPS 34.

mod atomic;
mod checkpoint;
mod checkpoints;
mod error;
mod lock;
mod manifest;
mod metrics;
mod names;
mod run_folder;
mod tensor;
mod whole_folder;

pub use atomic::write_atomically;
pub use checkpoint::Checkpoint;
pub use checkpoints::Checkpoints;
pub use error::Error;
pub use lock::RunLock;
pub use metrics::{MetricsLog, read_metrics};
pub use run_folder::RunFolder;
pub use tensor::{Dtype, Element, TensorFile};
pub use whole_folder::write_folder;
