//! A golden file of a video encoder: set-up, layers, and comparison with what it stores.

use std::{collections::HashMap, path::Path};

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_encoders::{ChannelNorm, LocalConv3d, Stack, Statistics, Uncut, VideoConfig};
use clapp_rules::{AllPairs, Lateral, Predictors, Space, Synapses};
use serde::Deserialize;

/// Set-up, as its metadata state it.
#[derive(Debug, Deserialize)]
pub struct Config {
    /// The authors' `--mode`.
    pub mode: String,
    pub batch: usize,
    pub frames: usize,
    pub size: usize,
    pub temporal: bool,
    pub single_predictor: bool,
    #[serde(default)]
    pub spatial_collapse: bool,
    #[serde(default)]
    pub spatial_segm: bool,
}

/// Bounds of `‖a − b‖ / (‖a‖ + ‖b‖)`. Biases are sums that cancel in single precision.
#[derive(Clone, Copy)]
pub struct Bounds {
    pub name: &'static str,
    pub dtype: DType,
    tensors: f64,
    losses: f64,
    biases: f64,
}

pub const BOUNDS: [Bounds; 2] = [
    Bounds { name: "f64", dtype: DType::F64, tensors: 1e-9, losses: 1e-6, biases: 1e-9 },
    Bounds { name: "f32", dtype: DType::F32, tensors: 1e-5, losses: 1e-5, biases: 1e-3 },
];

/// A golden file in memory.
pub struct Golden {
    pub name: String,
    pub config: Config,
    tensors: HashMap<String, (Vec<usize>, Vec<f64>)>,
}

impl Golden {
    /// Reads a file; `None` if it is not of a video encoder.
    pub fn read(path: &Path, name: &str) -> Option<Self> {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("golden {name}: {e}"));
        let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)
            .unwrap_or_else(|e| panic!("golden {name}: {e}"));
        let config = metadata.metadata().as_ref()?.get("config")?;
        let config: Config = serde_json::from_str(config).ok()?;
        let file = safetensors::SafeTensors::deserialize(&bytes)
            .unwrap_or_else(|e| panic!("golden {name}: {e}"));
        let tensors = file
            .tensors()
            .into_iter()
            .map(|(name, view)| (name, (view.shape().to_vec(), numbers(&view))))
            .collect();
        Some(Self { name: name.to_owned(), config, tensors })
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn data(&self, name: &str) -> &(Vec<usize>, Vec<f64>) {
        self.tensors.get(name).unwrap_or_else(|| panic!("{}: no tensor {name}", self.name))
    }

    fn tensor<const D: usize>(&self, name: &str, on: (&Device, DType)) -> Tensor<D> {
        let (shape, values) = self.data(name);
        let data = TensorData::new(values.clone(), shape.clone()).convert_dtype(on.1);
        Tensor::from_data(data, on)
    }

    /// x = u8/127.5 − 1, `[b, colour, t, y, x]`.
    pub fn clips(&self, on: (&Device, DType)) -> Tensor<5> {
        let clips = self.tensor::<5>("input_u8", on) / 127.5 - 1.0;
        let Config { batch, frames, size, .. } = self.config;
        assert_eq!(clips.dims(), [batch, 3, frames, size, size], "{}: input", self.name);
        clips
    }

    pub fn rule(&self) -> AllPairs {
        let rule = match self.config.mode.as_str() {
            "CLAPP" | "HingeCPC" => AllPairs::clapp_s(),
            "GIM" | "CPC" => AllPairs::gim(),
            other => panic!("{}: unknown mode {other}", self.name),
        };
        let space = match (self.config.spatial_collapse, self.config.spatial_segm) {
            (false, false) => Space::Flattened,
            (true, false) => Space::Collapsed,
            (false, true) => Space::Segmented,
            (true, true) => panic!("{}: collapsed maps have nothing to segment", self.name),
        };
        let lateral =
            if self.config.single_predictor { Lateral::Repeated } else { Lateral::PerStep };
        AllPairs { space, lateral, ..rule }
    }

    /// Blocks that the file holds.
    pub fn blocks(&self) -> usize {
        (0..).take_while(|l| self.has(&format!("layer{l}.conv.weight"))).count()
    }

    /// Losses that the file holds: one per block, or one at the end.
    pub fn losses(&self) -> usize {
        (0..).take_while(|l| self.has(&format!("loss{l}.w_pred.k1"))).count()
    }

    pub fn layer(&self, l: usize, on: (&Device, DType)) -> LocalConv3d {
        let plan = if self.config.temporal { VideoConfig::vgg5 } else { VideoConfig::vgg5_still };
        let plan = plan(1.0).expect("the paper's width is a width");
        let weight: Tensor<5> = self.tensor(&format!("layer{l}.conv.weight"), on);
        let ([channels, _, kernel @ ..], spec) = (weight.dims(), plan.spec(l));
        assert_eq!(kernel, spec.kernel, "{}: kernel of block {l}", self.name);
        let vector = |part: &str| self.tensor::<1>(&format!("layer{l}.{part}"), on);
        let norm = ChannelNorm {
            gain: Synapses::new(vector("norm.weight")),
            shift: Synapses::new(vector("norm.bias")),
            mean: Tensor::zeros([channels], on),
            variance: Tensor::ones([channels], on),
        };
        LocalConv3d {
            weight: Synapses::new(weight),
            bias: Synapses::new(vector("conv.bias")),
            norm,
            spec,
            statistics: Statistics::Batch,
        }
    }

    /// Lateral weights of one loss; one matrix that is repeated may be stored once or for every step.
    pub fn predictors(&self, loss: usize, on: (&Device, DType)) -> Predictors {
        let rule = self.rule();
        let matrix = |k| self.tensor::<2>(&format!("loss{loss}.w_pred.k{k}"), on);
        let matrices = (1..=rule.lateral.matrices(rule.prediction_steps)).map(matrix);
        Predictors { w_pred: Synapses::new(Tensor::stack(matrices.collect(), 0)), w_retro: None }
    }

    pub fn stack(&self, on: (&Device, DType)) -> Stack<LocalConv3d, Uncut<5>> {
        Stack {
            cut: Uncut,
            layers: (0..self.blocks()).map(|l| self.layer(l, on)).collect(),
            predictors: (0..self.losses()).map(|l| self.predictors(l, on)).collect(),
            context: clapp_encoders::Context::SameLayer,
        }
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
        other => panic!("golden files of video hold u8, f32, f64 and i64, not {other:?}"),
    }
}

/// Prints and counts comparisons.
pub struct Report<'a> {
    golden: &'a Golden,
    bounds: Bounds,
    pub failures: Vec<String>,
}

impl<'a> Report<'a> {
    pub fn new(golden: &'a Golden, bounds: Bounds) -> Self {
        println!("precision {} {}", golden.name, bounds.name);
        Self { golden, bounds, failures: Vec::new() }
    }

    /// Compares `tensor · sign` with what is stored under `name`.
    pub fn compare<const D: usize>(&mut self, name: &str, tensor: Tensor<D>, sign: f64) {
        self.compare_within(name, tensor, sign, 1.0);
    }

    /// Compares within a bound that is `wider` times as wide.
    pub fn compare_within<const D: usize>(
        &mut self,
        name: &str,
        tensor: Tensor<D>,
        sign: f64,
        wider: f64,
    ) {
        let values = tensor.into_data().convert::<f64>();
        let values: Vec<f64> = values.try_to_vec().expect("just converted to f64");
        let bound =
            if name.ends_with("bias.grad") { self.bounds.biases } else { self.bounds.tensors };
        self.values(name, &values, sign, bound * wider);
    }

    pub fn losses(&mut self, losses: &[f64]) {
        self.values("losses", losses, 1.0, self.bounds.losses);
    }

    /// Compares ΔW of the lateral weights with every matrix that is stored.
    pub fn w_pred(&mut self, loss: usize, delta: &Tensor<3>, sign: f64) {
        let [matrices, ..] = delta.dims();
        for k in (1..).take_while(|k| self.golden.has(&format!("loss{loss}.w_pred.k{k}.grad"))) {
            let matrix = delta.clone().narrow(0, (k - 1).min(matrices - 1), 1);
            self.compare(&format!("loss{loss}.w_pred.k{k}.grad"), matrix, sign);
        }
    }

    fn values(&mut self, tensor: &str, values: &[f64], sign: f64, bound: f64) {
        let (_, stored) = self.golden.data(tensor);
        assert_eq!(values.len(), stored.len(), "{tensor}: number of values");
        let norm =
            |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        let difference = norm(&mut values.iter().zip(stored).map(|(a, b)| sign * a - b));
        let scale = norm(&mut values.iter().copied()) + norm(&mut stored.iter().copied());
        // Two zero tensors agree; NaN never does.
        let relative = if scale > 0.0 { difference / scale } else { difference };
        let (file, precision) = (&self.golden.name, self.bounds.name);
        let verdict = if relative <= bound { "ok" } else { "FAIL" };
        println!("golden {file} {tensor} {relative:.2e} {verdict}");
        if verdict == "FAIL" {
            let line = format!("{file} {tensor} in {precision}: {relative:.2e} > {bound:.0e}");
            self.failures.push(line);
        }
    }
}
