//! What a checkpoint holds, and the digests that prove it.
//!
//! ```text
//! {
//!   "format_version": 1, "step": 123, "program": "clapp 0.1.0",
//!   "files": { "state.safetensors": { "bytes": 4096, "sha256": "…" } },
//!   "tensors": { "layer1.weight": { "dtype": "F32", "shape": [128, 1, 3, 3] } },
//!   "progress": …, "config": …,
//!   "sha256_above": "…"
//! }
//! ```
//!
//! The last line is the digest of every byte before that line, so the manifest vouches for its
//! files and for itself. That line is part of every format version to come.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Dtype, Error, TensorFile};

/// The manifest's file name.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The newest format that this program writes and reads.
pub(crate) const FORMAT_VERSION: u64 = 1;

const SEAL_BEGIN: &str = "  \"sha256_above\": \"";
const SEAL_END: &str = "\"\n}\n";
const SEAL_BYTES: usize = SEAL_BEGIN.len() + 64 + SEAL_END.len();

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format_version: u64,
    pub(crate) step: u64,
    pub(crate) program: String,
    pub(crate) files: BTreeMap<String, FileRecord>,
    pub(crate) tensors: BTreeMap<String, TensorRecord>,
    pub(crate) progress: Value,
    pub(crate) config: Value,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FileRecord {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TensorRecord {
    dtype: Dtype,
    shape: Vec<usize>,
}

impl FileRecord {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: sha256(bytes) }
    }
}

impl TensorRecord {
    /// What a manifest says about tensors, by name.
    pub(crate) fn of_all(tensors: &BTreeMap<String, TensorFile>) -> BTreeMap<String, Self> {
        let record =
            |tensor: &TensorFile| Self { dtype: tensor.dtype(), shape: tensor.shape().to_vec() };
        tensors.iter().map(|(name, tensor)| (name.clone(), record(tensor))).collect()
    }
}

impl Manifest {
    /// The manifest as it is written: JSON, sealed.
    pub(crate) fn to_text(&self) -> serde_json::Result<String> {
        Ok(seal(&serde_json::to_string_pretty(self)?))
    }

    /// Reads a manifest in the order that makes every answer true: whole, known, understood.
    pub(crate) fn parse(bytes: &[u8], folder: &Path) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Version {
            format_version: u64,
        }
        let path = folder.join(MANIFEST);
        let malformed = |error: serde_json::Error| {
            let expected = format!("a manifest of version {FORMAT_VERSION}");
            Error::damaged(&path, expected, error.to_string())
        };
        check_seal(bytes, &path)?;
        let version: Version = serde_json::from_slice(bytes).map_err(malformed)?;
        let got = version.format_version;
        if got > FORMAT_VERSION {
            let (expected, path) = (FORMAT_VERSION, folder.to_owned());
            return Err(Error::FutureFormat { expected, got, path });
        }
        serde_json::from_slice(bytes).map_err(malformed)
    }
}

/// SHA-256 in 64 hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// That bytes have the digest under which they were saved.
pub(crate) fn check_digest(bytes: &[u8], recorded: &str, path: &Path) -> Result<(), Error> {
    match sha256(bytes) {
        got if got == recorded => Ok(()),
        got => Err(Error::damaged(path, format!("sha-256 {recorded}"), got)),
    }
}

fn seal(object: &str) -> String {
    let fields = object.strip_suffix("\n}").expect("pretty JSON of a struct ends in a closed line");
    let body = format!("{fields},\n");
    let digest = sha256(body.as_bytes());
    format!("{body}{SEAL_BEGIN}{digest}{SEAL_END}")
}

fn check_seal(bytes: &[u8], path: &Path) -> Result<(), Error> {
    let (body, seal) = bytes.split_at(bytes.len().saturating_sub(SEAL_BYTES));
    let recorded = seal
        .strip_prefix(SEAL_BEGIN.as_bytes())
        .and_then(|rest| rest.strip_suffix(SEAL_END.as_bytes()));
    let Some(recorded) = recorded else {
        let got = format!("{} bytes that do not", bytes.len());
        return Err(Error::damaged(path, "a file that ends in its own sha-256", got));
    };
    check_digest(body, &String::from_utf8_lossy(recorded), path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(format_version: u64) -> String {
        let manifest = Manifest {
            format_version,
            step: 5,
            program: "clapp".to_owned(),
            files: BTreeMap::new(),
            tensors: BTreeMap::new(),
            progress: serde_json::json!({"epoch": 0.1, "huge": u64::MAX}),
            config: Value::Null,
        };
        manifest.to_text().unwrap()
    }

    #[test]
    fn a_sealed_manifest_is_json_and_returns() {
        let text = text(1);
        assert!(serde_json::from_str::<Value>(&text).unwrap()["sha256_above"].is_string());
        let manifest = Manifest::parse(text.as_bytes(), Path::new("x")).unwrap();
        assert_eq!(manifest.progress["epoch"], 0.1);
        assert_eq!(manifest.progress["huge"], u64::MAX);
    }

    #[test]
    fn every_single_flipped_bit_is_detected() {
        let text = text(1).into_bytes();
        for i in 0..text.len() {
            let mut damaged = text.clone();
            damaged[i] ^= 1 << (i % 8);
            let error = Manifest::parse(&damaged, Path::new("x")).unwrap_err();
            assert!(error.to_string().contains("manifest.json"), "byte {i}: {error}");
            assert!(!matches!(error, Error::FutureFormat { .. }), "byte {i}: {error}");
        }
    }

    #[test]
    fn every_truncation_is_detected() {
        let text = text(1).into_bytes();
        for n in 0..text.len() {
            assert!(Manifest::parse(&text[..n], Path::new("x")).is_err(), "{n} bytes");
        }
    }

    #[test]
    fn a_version_from_the_future_is_refused_as_such() {
        let text = text(2);
        let error = Manifest::parse(text.as_bytes(), Path::new("x")).unwrap_err().to_string();
        let expected = "load checkpoint: expected format version 1 or older, got 2 in x; use a newer \
                        version of this program";
        assert_eq!(error, expected);
    }

    #[test]
    fn sha256_of_nothing_is_the_published_one() {
        let published = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), published);
    }
}
