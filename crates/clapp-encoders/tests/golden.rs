//! Losses, representations and updates against the values of the authors' code.
//!
//! One line per tensor and precision: `golden FILE TENSOR RELATIVE_DIFFERENCE ok|FAIL`; files of methods
//! that are not built are named with the reason. A line `precision FILE f64|f32|f32-fast` stands before
//! the tensors of each precision.

mod golden_sound;
mod golden_video;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_backend::{Arithmetic, ConvSpec, Pool};
use clapp_encoders::{Context, LocalActivity, LocalConv2d, PatchGrid, Stack};
use clapp_rules::{
    Draws, Feedback, Negatives, Objective, Outcome, Pairs, Predictors, Rule, Scope, SelfHits,
    Synapses, Timing,
};
use serde::Deserialize;

/// Bounds of `‖a − b‖ / (‖a‖ + ‖b‖)`.
///
/// Losses are stored as f32, whatever the arithmetic they came from. In f32 the sums over a batch
/// cancel, most of all in biases, where the authors' own f32 gradients differ from f64 by 2e-4.
/// Approximate kernels (Winograd) cost about one digit.
#[derive(Clone, Copy)]
struct Bounds {
    name: &'static str,
    dtype: DType,
    arithmetic: Arithmetic,
    tensors: f64,
    losses: f64,
    biases: f64,
}

const BOUNDS: [Bounds; 3] = [
    Bounds {
        name: "f64",
        dtype: DType::F64,
        arithmetic: Arithmetic::Exact,
        tensors: 1e-9,
        losses: 1e-6,
        biases: 1e-9,
    },
    Bounds {
        name: "f32",
        dtype: DType::F32,
        arithmetic: Arithmetic::Exact,
        tensors: 1e-5,
        losses: 1e-5,
        biases: 1e-3,
    },
    Bounds {
        name: "f32-fast",
        dtype: DType::F32,
        arithmetic: Arithmetic::Fast,
        tensors: 1e-4,
        losses: 1e-4,
        biases: 1e-2,
    },
];

#[derive(Debug, Deserialize)]
struct Config {
    batch: usize,
    crop: usize,
    arch: Vec<serde_json::Value>,
    modules: usize,
    prediction_steps: usize,
    skip_step: usize,
    contrast: String,
    negatives: usize,
    sampling: String,
    time_local: bool,
    w_retro: bool,
    block_context: bool,
    predict: String,
    patch_size: usize,
    supervised: bool,
}

/// A golden file in memory.
struct Golden {
    name: String,
    config: Config,
    tensors: HashMap<String, (Vec<usize>, Vec<f64>)>,
}

impl Golden {
    /// Reads a file, or says why its method is not here.
    fn read(path: &Path, name: &str) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
        let (_, metadata) =
            safetensors::SafeTensors::read_metadata(&bytes).map_err(|e| e.to_string())?;
        let config = metadata.metadata().as_ref().and_then(|m| m.get("config"));
        let config = config.ok_or("no config in its metadata")?;
        let value: serde_json::Value = serde_json::from_str(config).map_err(|e| e.to_string())?;
        if value.get("arch").is_none() || value.get("patch_size").is_none() {
            return Err("no encoder here has such a set-up".into());
        }
        let config: Config = serde_json::from_value(value).map_err(|e| e.to_string())?;
        let convolutions = config.arch.iter().filter(|layer| layer.is_number()).count();
        if config.supervised {
            return Err("supervised baselines are not built yet".into());
        }
        if config.modules != convolutions {
            let modules = config.modules;
            return Err(format!(
                "{modules} modules of several layers need back-propagation inside; baselines are not built yet"
            ));
        }
        let file = safetensors::SafeTensors::deserialize(&bytes).map_err(|e| e.to_string())?;
        let tensors = file
            .tensors()
            .into_iter()
            .map(|(name, view)| (name, (view.shape().to_vec(), numbers(&view))))
            .collect();
        Ok(Self { name: name.to_owned(), config, tensors })
    }

    fn data(&self, name: &str) -> &(Vec<usize>, Vec<f64>) {
        self.tensors.get(name).unwrap_or_else(|| panic!("{}: no tensor {name}", self.name))
    }

    fn tensor<const D: usize>(&self, name: &str, on: (&Device, DType)) -> Tensor<D> {
        let (shape, values) = self.data(name);
        let data = TensorData::new(values.clone(), shape.clone()).convert_dtype(on.1);
        Tensor::from_data(data, on)
    }

    fn rows(&self) -> usize {
        (self.config.crop - self.config.patch_size) / (self.config.patch_size / 2) + 1
    }

    fn rule(&self) -> Rule {
        let config = &self.config;
        let scope = match config.sampling.as_str() {
            "everywhere" => Scope::Everywhere,
            "same_position" => Scope::SamePosition,
            "same_position_shared" => Scope::SamePositionShared,
            other => panic!("{}: unknown sampling {other}", self.name),
        };
        let objective = match config.contrast.as_str() {
            "hinge" => Objective::Hinge,
            "multiclass" => Objective::InfoNce { epsilon: 1e-11 },
            other => panic!("{}: unknown contrast {other}", self.name),
        };
        let feedback = match (config.w_retro, config.block_context) {
            (true, _) => Feedback::PredRetro,
            (false, true) => Feedback::Blocked,
            (false, false) => Feedback::Symmetric,
        };
        Rule {
            objective,
            timing: if config.time_local { Timing::TimeLocal } else { Timing::Synchronous },
            negatives: Negatives {
                count: config.negatives,
                scope,
                self_hits: SelfHits::Allowed,
                pool: None,
            },
            feedback,
            prediction_steps: config.prediction_steps,
            skip: config.skip_step,
            window: None,
        }
    }

    fn stack(&self, on: (&Device, DType), arithmetic: Arithmetic) -> Stack {
        let config = &self.config;
        let arch = &config.arch;
        let positions = arch.iter().enumerate().filter(|(_, layer)| layer.is_number());
        let (mut layers, mut predictors) = (Vec::new(), Vec::new());
        for (m, (position, _)) in positions.enumerate() {
            let pooled = arch.get(position + 1).is_some_and(|next| next == "M");
            let pool = if pooled { Pool::Max2 } else { Pool::None };
            layers.push(LocalConv2d {
                weight: Synapses::new(self.tensor(&format!("module{m}.conv0.weight"), on)),
                bias: Synapses::new(self.tensor(&format!("module{m}.conv0.bias"), on)),
                spec: ConvSpec::same_3x3(pool).with_arithmetic(arithmetic),
            });
            let matrices = |half: &str| {
                let step = |k| self.tensor::<2>(&format!("module{m}.{half}.k{k}.weight"), on);
                Tensor::stack::<3>((1..=config.prediction_steps).map(step).collect(), 0)
            };
            predictors.push(Predictors {
                // The authors' W_k is W_predᵀ, and W_retro as it stands.
                w_pred: Synapses::new(matrices("w_z").swap_dims(1, 2)),
                w_retro: config.w_retro.then(|| Synapses::new(matrices("w_c"))),
            });
        }
        let cut = PatchGrid { size: config.patch_size, stride: config.patch_size / 2 };
        let context = match config.predict.as_str() {
            "same" => Context::SameLayer,
            "-1b" => Context::LayerAbove,
            other => panic!("{}: unknown context {other}", self.name),
        };
        Stack { cut, layers, predictors, context }
    }

    /// The draws of one module, in the row order (sample, row, column) of our grids.
    fn draws(&self, module: usize) -> Vec<Draws> {
        let halves: &[&str] = if self.config.w_retro { &["w_z", "w_c"] } else { &["w_z"] };
        halves.iter().map(|half| self.half(&format!("module{module}.{half}"))).collect()
    }

    fn half(&self, prefix: &str) -> Draws {
        let (batch, columns) = (self.config.batch, self.rows());
        let outcomes = self.config.time_local.then(|| {
            let (_, flips) = self.data(&format!("{prefix}.saccade"));
            let outcome =
                |&flip: &f64| if flip > 0.5 { Outcome::Saccade } else { Outcome::Fixation };
            flips.iter().map(outcome).collect()
        });
        let pairs = (1..=self.config.prediction_steps)
            .map(|k| {
                let shift = k + self.config.skip_step;
                let rows = self.rows() - shift;
                let (shape, stored) = self.data(&format!("{prefix}.k{k}.negative"));
                let count = if shape.len() == 4 { shape[3] } else { 1 };
                let mut index = Vec::with_capacity(batch * rows * columns * count);
                for b in 0..batch {
                    for y in 0..rows {
                        for x in 0..columns {
                            for n in 0..count {
                                let at = ((y * columns + x) * batch + b) * count + n;
                                let (sample, y, x) = match shape.len() {
                                    1 => (stored[b] as usize, y, x),
                                    3 => (stored[at] as usize, y, x),
                                    _ => {
                                        let flat = stored[at] as usize;
                                        let position = flat / batch;
                                        (flat % batch, position / columns, position % columns)
                                    }
                                };
                                index.push(((sample * rows + y) * columns + x) as u32);
                            }
                        }
                    }
                }
                Pairs { shift, count, index }
            })
            .collect();
        Draws { pairs, outcomes, window: None }
    }
}

fn numbers(view: &safetensors::tensor::TensorView<'_>) -> Vec<f64> {
    use safetensors::Dtype;
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => {
            bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect()
        }
        Dtype::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
        Dtype::I64 => bytes.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b) as f64).collect(),
        other => panic!("golden files hold f32, f64 and i64, not {other:?}"),
    }
}

/// Prints and counts comparisons.
struct Report<'a> {
    golden: &'a Golden,
    bounds: Bounds,
    failures: Vec<String>,
}

impl Report<'_> {
    /// Compares `values · sign` with a stored tensor.
    fn compare(&mut self, tensor: &str, values: &[f64], sign: f64, bound: f64) {
        let (_, stored) = self.golden.data(tensor);
        assert_eq!(values.len(), stored.len(), "{tensor}: number of values");
        let norm =
            |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        let difference = norm(&mut values.iter().zip(stored).map(|(a, b)| sign * a - b));
        let scale = norm(&mut values.iter().copied()) + norm(&mut stored.iter().copied());
        // Two zero tensors agree; NaN never does.
        let relative = if scale > 0.0 { difference / scale } else { difference };
        let verdict = if relative <= bound { "ok" } else { "FAIL" };
        let file = &self.golden.name;
        println!("golden {file} {tensor} {relative:.2e} {verdict}");
        if verdict == "FAIL" {
            let precision = self.bounds.name;
            self.failures
                .push(format!("{file} {tensor} in {precision}: {relative:.2e} > {bound:.0e}"));
        }
    }
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().convert::<f64>().try_to_vec::<f64>().expect("just converted to f64")
}

fn check(golden: &Golden, bounds: Bounds, device: &Device) -> Vec<String> {
    println!("precision {} {}", golden.name, bounds.name);
    let on = (device, bounds.dtype);
    let rule = golden.rule();
    let mut stack = golden.stack(on, bounds.arithmetic);
    let images = golden.tensor::<4>("input", on);
    let mut report = Report { golden, bounds, failures: Vec::new() };
    let mut module = 0;
    let mut losses = Vec::new();
    let contrast = rule.contrast();
    let mut draw = |module: usize, _| golden.draws(module);
    stack.visit(contrast.as_ref(), images, &rule, &mut draw, &mut |layer, _, learnt| {
        let m = format!("module{module}");
        let z = learnt.activity.representation().permute([0, 3, 1, 2]);
        report.compare(&format!("{m}.representation"), &host(z), 1.0, bounds.tensors);
        let delta = layer.delta(&learnt.activity, learnt.modulation);
        let (weight, bias) = (host(delta.weight), host(delta.bias));
        report.compare(&format!("{m}.conv0.weight.grad"), &weight, -1.0, bounds.tensors);
        report.compare(&format!("{m}.conv0.bias.grad"), &bias, -1.0, bounds.biases);
        losses.push(host(learnt.update.monitor.clone())[0]);
        let predictors = learnt.update.predictors;
        let halves =
            [("w_z", Some(predictors.w_pred.swap_dims(1, 2))), ("w_c", predictors.w_retro)];
        for (half, deltas) in halves {
            let Some(deltas) = deltas else { continue };
            for k in 1..=golden.config.prediction_steps {
                let delta = host(deltas.clone().narrow(0, k - 1, 1));
                report.compare(&format!("{m}.{half}.k{k}.grad"), &delta, -1.0, bounds.tensors);
            }
        }
        module += 1;
    });
    report.compare("losses", &losses, 1.0, bounds.losses);
    report.failures
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

#[test]
fn updates_equal_the_authors_gradients() {
    let folder = std::env::var_os("CLAPP_GOLDEN_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"), PathBuf::from);
    let files = files(&folder);
    assert!(
        !files.is_empty(),
        "golden: expected safetensors files in {}, got none",
        folder.display()
    );
    let device = Device::flex();
    let mut failures = Vec::new();
    for path in &files {
        // Files of one name may lie in several folders.
        let name = path.strip_prefix(&folder).unwrap_or(path).to_string_lossy();
        if let Some(golden) = golden_sound::file::Golden::read(path, &name) {
            match golden_sound::check(&golden, &device) {
                Ok(differ) => failures.extend(differ),
                Err(reason) => println!("golden {name} skipped: {reason}"),
            }
            continue;
        }
        if let Some(golden) = golden_video::file::Golden::read(path, &name) {
            match golden_video::check(&golden, &device) {
                Ok(differ) => failures.extend(differ),
                Err(reason) => println!("golden {name} skipped: {reason}"),
            }
            continue;
        }
        match Golden::read(path, &name) {
            Ok(golden) => {
                for bounds in BOUNDS {
                    failures.extend(check(&golden, bounds, &device));
                }
            }
            Err(reason) => println!("golden {name} skipped: {reason}"),
        }
    }
    assert!(failures.is_empty(), "{} tensors differ:\n{}", failures.len(), failures.join("\n"));
}
