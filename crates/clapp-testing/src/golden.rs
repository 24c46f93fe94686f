//! Golden files: values of the authors' code, and what is compared with them.
//!
//! One line per tensor and precision: `golden FILE TENSOR RELATIVE_DIFFERENCE ok|FAIL`; a line
//! `precision FILE f64|f32|f32-fast` stands before the tensors of each precision, and files that a test does
//! not compare are named with the reason.

mod hebb;
mod lpl;
mod sound;
mod video;
mod views;
mod vision;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::de::DeserializeOwned;

pub use hebb::Hebb;
pub use lpl::LplPairs;
pub use sound::{EncoderSetUp, GRU_NAMES, GruSetUp, Sound, SoundSetUp, module_gru_names};
pub use video::Video;
pub use views::Views;
pub use vision::Vision;

use crate::distance::{distance, host};

/// Where values lie, and in which precision.
pub type On<'a> = (&'a Device, DType);

/// Bounds of `‖a − b‖ / (‖a‖ + ‖b‖)`.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    name: &'static str,
    /// Precision of the computation.
    pub dtype: DType,
    tensors: f64,
    losses: f64,
    biases: f64,
}

/// Double precision. Losses are stored in single precision.
pub const F64: Bounds =
    Bounds { name: "f64", dtype: DType::F64, tensors: 1e-9, losses: 1e-6, biases: 1e-9 };
/// Single precision. Sums over a batch cancel, most of all in biases, where the authors' own single-precision
/// gradients differ from double precision by 2e-4.
pub const F32: Bounds =
    Bounds { name: "f32", dtype: DType::F32, tensors: 1e-5, losses: 1e-5, biases: 1e-3 };
/// Single precision with approximate kernels (Winograd), which cost about one digit.
pub const F32_FAST: Bounds =
    Bounds { name: "f32-fast", dtype: DType::F32, tensors: 1e-4, losses: 1e-4, biases: 1e-2 };

/// A golden file in memory.
#[derive(Debug)]
pub struct Golden {
    name: String,
    config: String,
    tensors: HashMap<String, (Vec<usize>, Vec<f64>)>,
}

impl Golden {
    fn read(path: &Path, name: String) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("golden {name}: {e}"));
        let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)
            .unwrap_or_else(|e| panic!("golden {name}: {e}"));
        let config = metadata.metadata().as_ref().and_then(|metadata| metadata.get("config"));
        let config = config.cloned().unwrap_or_default();
        let file = safetensors::SafeTensors::deserialize(&bytes)
            .unwrap_or_else(|e| panic!("golden {name}: {e}"));
        let tensors = file.tensors().into_iter();
        let tensors = tensors.map(|(name, view)| (name, (view.shape().to_vec(), numbers(&view))));
        Self { name, config, tensors: tensors.collect() }
    }

    /// Its set-up, if it is one of this kind.
    fn config<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.config).ok()
    }

    /// Whether it holds a tensor of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Shape and values of a tensor.
    ///
    /// # Panics
    ///
    /// If there is none of this name.
    #[must_use]
    pub fn data(&self, name: &str) -> &(Vec<usize>, Vec<f64>) {
        self.tensors.get(name).unwrap_or_else(|| panic!("golden {}: no tensor {name}", self.name))
    }

    /// A tensor.
    ///
    /// # Panics
    ///
    /// If there is none of this name and number of axes.
    #[must_use]
    pub fn tensor<const D: usize>(&self, name: &str, on: On<'_>) -> Tensor<D> {
        let (shape, values) = self.data(name);
        let data = TensorData::new(values.clone(), shape.clone()).convert_dtype(on.1);
        Tensor::from_data(data, on)
    }

    /// Matrices of all prediction steps, `[K, ·, ·]`.
    fn matrices(&self, steps: usize, name: impl Fn(usize) -> String, on: On<'_>) -> Tensor<3> {
        Tensor::stack((1..=steps).map(|k| self.tensor::<2>(&name(k), on)).collect(), 0)
    }

    /// Tensors in a row from `first` on that it holds.
    fn count(&self, first: usize, name: impl Fn(usize) -> String) -> usize {
        (first..).take_while(|&index| self.has(&name(index))).count()
    }
}

fn numbers(view: &safetensors::tensor::TensorView<'_>) -> Vec<f64> {
    use safetensors::Dtype;
    let bytes = view.data();
    match view.dtype() {
        Dtype::U8 => bytes.iter().map(|&b| f64::from(b)).collect(),
        Dtype::F32 => {
            bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect()
        }
        Dtype::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
        Dtype::I64 => bytes.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b) as f64).collect(),
        other => panic!("golden files hold u8, f32, f64 and i64, not {other:?}"),
    }
}

/// Compares with one file, prints, and counts.
#[derive(Debug)]
pub struct Report<'a> {
    golden: &'a Golden,
    bounds: Bounds,
    failures: Vec<String>,
    compared: usize,
}

impl<'a> Report<'a> {
    fn new(golden: &'a Golden) -> Self {
        Self { golden, bounds: F64, failures: Vec::new(), compared: 0 }
    }

    /// Begins the comparisons of one precision.
    pub fn precision(&mut self, bounds: Bounds) {
        println!("precision {} {}", self.golden.name, bounds.name);
        self.bounds = bounds;
    }

    /// Says that a part is not compared.
    pub fn skip(&self, what: &str, reason: &str) {
        println!("golden {} {what} skipped: {reason}", self.golden.name);
    }

    /// Compares a value of the network.
    pub fn value<const D: usize>(&mut self, name: &str, found: Tensor<D>) {
        self.compare(name, &host(found), self.bounds.tensors);
    }

    /// Compares a value within a bound that is `wider` times as wide.
    pub fn value_within<const D: usize>(&mut self, name: &str, found: Tensor<D>, wider: f64) {
        self.compare(name, &host(found), self.bounds.tensors * wider);
    }

    /// Compares losses.
    pub fn losses(&mut self, name: &str, found: &[f64]) {
        self.compare(name, found, self.bounds.losses);
    }

    /// Compares a gradient.
    pub fn gradient<const D: usize>(&mut self, name: &str, found: Tensor<D>) {
        self.gradient_within(name, found, 1.0);
    }

    /// Compares an update, the negative of a gradient.
    pub fn update<const D: usize>(&mut self, name: &str, found: Tensor<D>) {
        self.gradient(name, -found);
    }

    /// Compares a gradient within a bound that is `wider` times as wide.
    pub fn gradient_within<const D: usize>(&mut self, name: &str, found: Tensor<D>, wider: f64) {
        let bias = name.contains("bias") || name.starts_with("b_");
        let bound = if bias { self.bounds.biases } else { self.bounds.tensors };
        self.compare(&format!("{name}.grad"), &host(found), bound * wider);
    }

    /// A file may hold the first rows of a tensor only.
    fn compare(&mut self, tensor: &str, found: &[f64], bound: f64) {
        let (file, precision) = (&self.golden.name, self.bounds.name);
        let (shape, stored) = self.golden.data(tensor);
        let first = match self.golden.config::<Cut>() {
            Some(Cut { rows }) if shape[0] == rows && found.len() > stored.len() => stored.len(),
            _ => found.len(),
        };
        assert_eq!(first, stored.len(), "golden {file} {tensor}: number of values");
        let relative = distance(&found[..first], stored);
        let verdict = if relative <= bound { "ok" } else { "FAIL" };
        println!("golden {file} {tensor} {relative:.2e} {verdict}");
        if verdict == "FAIL" {
            let line = format!("{file} {tensor} in {precision}: {relative:.2e} > {bound:.0e}");
            self.failures.push(line);
        }
        self.compared += 1;
    }
}

/// A file that was cut to lie in the repository.
#[derive(Debug, serde::Deserialize)]
struct Cut {
    /// Rows that are left of gradients which have more.
    rows: usize,
}

/// Compares with every golden file of the repository, and of the folder that `CLAPP_GOLDEN_DIR` names.
///
/// `check` compares with one file, or says why it does not.
///
/// # Panics
///
/// If values differ, or other than `expected` tensors of the repository were compared (in any precision).
pub fn compare_files(
    expected: usize,
    check: impl Fn(&Golden, &mut Report<'_>) -> Result<(), String>,
) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clapp-encoders/tests/golden");
    let given = std::env::var_os("CLAPP_GOLDEN_DIR").map(PathBuf::from);
    let (mut failures, mut counts) = (Vec::new(), Vec::new());
    for folder in std::iter::once(&own).chain(&given) {
        let mut compared = 0;
        for path in files(folder) {
            // Files of one name may lie in several folders.
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            let golden = Golden::read(&path, name);
            let mut report = Report::new(&golden);
            if let Err(reason) = check(&golden, &mut report) {
                println!("golden {} skipped: {reason}", golden.name);
            }
            failures.append(&mut report.failures);
            compared += report.compared;
        }
        println!("golden: {compared} comparisons with files of {}", folder.display());
        counts.push(compared);
    }
    assert!(failures.is_empty(), "{} tensors differ:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(counts[0], expected, "golden: comparisons with files of the repository");
}

/// All golden files under a folder, in order of their paths.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("golden: cannot read {}: {e}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder that opened can be listed").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "safetensors") {
            found.push(path);
        }
    }
    found.sort();
    found
}
