//! A golden file of sound: set-up, weights, draws, and comparison with what it stores.
//!
//! `gim` and `cpc` files hold encoders, `gru` files one recurrent layer over a given input.

use std::{collections::HashMap, path::Path};

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_encoders::{Conv1dSpec, LocalConv1d, LocalGru, Recurrence};
use clapp_rules::{
    Draws, Feedback, Negatives, Objective, Pairs, Predictors, Rule, Scope, Synapses, Window,
};
use serde::Deserialize;

/// Set-up of an encoder.
#[derive(Debug, Deserialize)]
pub struct EncoderSetUp {
    pub method: String,
    pub batch: usize,
    pub samples: usize,
    pub prediction_steps: usize,
    pub negatives: usize,
    pub kernel: Vec<usize>,
    pub stride: Vec<usize>,
    pub padding: Vec<usize>,
    pub bptt: bool,
}

/// Set-up of a recurrent layer.
#[derive(Debug, Deserialize)]
pub struct GruSetUp {
    pub what: String,
    pub eprop: bool,
    pub retro: bool,
}

/// What a file is about.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum SetUp {
    Encoder(EncoderSetUp),
    Gru(GruSetUp),
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
    pub set_up: SetUp,
    tensors: HashMap<String, (Vec<usize>, Vec<f64>)>,
}

impl Golden {
    /// Reads a file; `None` if it is not about sound.
    pub fn read(path: &Path, name: &str) -> Option<Self> {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("golden {name}: {e}"));
        let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)
            .unwrap_or_else(|e| panic!("golden {name}: {e}"));
        let config = metadata.metadata().as_ref()?.get("config")?;
        let set_up: SetUp = serde_json::from_str(config).ok()?;
        let file = safetensors::SafeTensors::deserialize(&bytes)
            .unwrap_or_else(|e| panic!("golden {name}: {e}"));
        let tensors = file.tensors().into_iter();
        let tensors =
            tensors.map(|(name, view)| (name, (view.shape().to_vec(), numbers(&view)))).collect();
        Some(Self { name: name.to_owned(), set_up, tensors })
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub fn data(&self, name: &str) -> &(Vec<usize>, Vec<f64>) {
        self.tensors.get(name).unwrap_or_else(|| panic!("{}: no tensor {name}", self.name))
    }

    pub fn tensor<const D: usize>(&self, name: &str, on: (&Device, DType)) -> Tensor<D> {
        let (shape, values) = self.data(name);
        let data = TensorData::new(values.clone(), shape.clone()).convert_dtype(on.1);
        Tensor::from_data(data, on)
    }

    /// Geometry of convolution `l` of the encoder.
    pub fn spec(&self, l: usize) -> Conv1dSpec {
        let SetUp::Encoder(set_up) = &self.set_up else { panic!("{}: no encoder", self.name) };
        let (kernel, stride) = (set_up.kernel[l], set_up.stride[l]);
        Conv1dSpec { kernel, stride, padding: set_up.padding[l] }
    }

    /// Convolution `conv` of module `m`, which is layer `l` of the encoder.
    pub fn convolution(
        &self,
        m: usize,
        conv: usize,
        l: usize,
        on: (&Device, DType),
    ) -> LocalConv1d {
        let weight = Synapses::new(self.tensor(&format!("module{m}.conv{conv}.weight"), on));
        let bias = Synapses::new(self.tensor(&format!("module{m}.conv{conv}.bias"), on));
        LocalConv1d { weight, bias, spec: self.spec(l) }
    }

    /// A recurrent layer from the four tensors of these names.
    pub fn gru(&self, names: [&str; 4], recurrence: Recurrence, on: (&Device, DType)) -> LocalGru {
        LocalGru {
            input: Synapses::new(self.tensor(names[0], on)),
            recurrent: Synapses::new(self.tensor(names[1], on)),
            input_bias: Synapses::new(self.tensor(names[2], on)),
            recurrent_bias: Synapses::new(self.tensor(names[3], on)),
            recurrence,
        }
    }

    /// The recurrent layer of module `m`.
    pub fn module_gru(&self, m: usize, recurrence: Recurrence, on: (&Device, DType)) -> LocalGru {
        let names = module_gru_names(m);
        self.gru(names.each_ref().map(String::as_str), recurrence, on)
    }

    /// Prediction weights of module `m`, whose rows are those of all steps.
    pub fn module_predictors(&self, m: usize, steps: usize, on: (&Device, DType)) -> Predictors {
        let weight: Tensor<2> = self.tensor(&format!("module{m}.predictor.weight"), on);
        let [rows, context] = weight.dims();
        let w_pred = weight.reshape([steps, rows / steps, context]);
        Predictors { w_pred: Synapses::new(w_pred), w_retro: None }
    }

    /// Pairs of module `m`: the last rows of every permutation.
    pub fn module_draws(&self, m: usize) -> Vec<Draws> {
        let SetUp::Encoder(set_up) = &self.set_up else { panic!("{}: no encoder", self.name) };
        let n = set_up.negatives;
        let permutation = |j: usize| &self.data(&format!("module{m}.permutation{j}")).1;
        let permutations: Vec<&Vec<f64>> = (0..n).map(permutation).collect();
        let time = permutations[0].len() / set_up.batch;
        let step = |k: usize| {
            let rows = set_up.batch * (time - k);
            let of = |row: usize| {
                let at = set_up.batch * time - rows + row;
                permutations.iter().map(move |permutation| permutation[at] as u32)
            };
            Pairs { shift: k, count: n, index: (0..rows).flat_map(of).collect() }
        };
        let window = Some(Window { start: 0, steps: time });
        vec![Draws {
            pairs: (1..=set_up.prediction_steps).map(step).collect(),
            outcomes: None,
            window,
        }]
    }

    /// Prediction steps of a recurrent layer's file.
    pub fn gru_steps(&self) -> usize {
        (1..).take_while(|k| self.has(&format!("w_pred.k{k}"))).count()
    }

    /// Lateral weights of a recurrent layer's file.
    pub fn gru_predictors(&self, on: (&Device, DType)) -> Predictors {
        let stack = |half: &str| {
            let steps = 1..=self.gru_steps();
            let matrices = steps.map(|k| self.tensor::<2>(&format!("{half}.k{k}"), on));
            Tensor::stack::<3>(matrices.collect(), 0)
        };
        // Stored like W_pred, [z, c]; here [c, z].
        let w_retro = self.has("w_retro.k1").then(|| {
            let stored = stack("w_retro");
            let [steps, z, c] = stored.dims();
            Synapses::new(stored.swap_dims(1, 2).reshape([steps, c, z]))
        });
        Predictors { w_pred: Synapses::new(stack("w_pred")), w_retro }
    }

    /// Pairs of a recurrent layer's file; both halves of W_retro share them.
    pub fn gru_draws(&self, rule: &Rule) -> Vec<Draws> {
        let step = |k: usize| {
            let (shape, stored) = self.data(&format!("negative.k{k}"));
            let index = stored.iter().map(|&row| row as u32).collect();
            Pairs { shift: k, count: shape[2], index }
        };
        let pairs = (1..=self.gru_steps()).map(step).collect();
        let draws = Draws { pairs, outcomes: None, window: None };
        vec![draws; if rule.feedback == Feedback::PredRetro { 2 } else { 1 }]
    }

    pub fn rule(&self) -> Rule {
        let (steps, count, objective, feedback) = match &self.set_up {
            SetUp::Encoder(set_up) => {
                let hinge = ["hinge", "clapp"].iter().any(|name| set_up.method.contains(name));
                let objective =
                    if hinge { Objective::Hinge } else { Objective::InfoNce { epsilon: 0.0 } };
                (set_up.prediction_steps, set_up.negatives, objective, Feedback::Symmetric)
            }
            SetUp::Gru(set_up) => {
                assert!(set_up.what.contains("hinge"), "{}: {}", self.name, set_up.what);
                let feedback = if set_up.retro { Feedback::PredRetro } else { Feedback::Symmetric };
                (self.gru_steps(), self.data("negative.k1").0[2], Objective::Hinge, feedback)
            }
        };
        Rule {
            objective,
            feedback,
            negatives: Negatives { count, scope: Scope::Permuted, ..Negatives::default() },
            prediction_steps: steps,
            window: None,
            ..Rule::clapp_s_sound()
        }
    }
}

/// W_i, W_h, b_i, b_h of a module's recurrent layer.
pub fn module_gru_names(m: usize) -> [String; 4] {
    ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map(|part| format!("module{m}.gru.{part}_l0"))
}

/// W_i, W_h, b_i, b_h of a recurrent layer's file.
pub const GRU_NAMES: [&str; 4] = ["w_ih", "w_hh", "b_ih", "b_hh"];

fn numbers(view: &safetensors::tensor::TensorView<'_>) -> Vec<f64> {
    use safetensors::Dtype;
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => {
            bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect()
        }
        Dtype::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
        Dtype::I64 => bytes.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b) as f64).collect(),
        other => panic!("golden files of sound hold f32, f64 and i64, not {other:?}"),
    }
}

pub fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().convert::<f64>().try_to_vec::<f64>().expect("just converted to f64")
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

    /// Compares values of the network, or losses.
    pub fn values(&mut self, tensor: &str, values: &[f64]) {
        let losses = tensor.starts_with("loss");
        let bound = if losses { self.bounds.losses } else { self.bounds.tensors };
        self.compare(tensor, values, 1.0, bound);
    }

    /// Compares a change with a stored gradient: `sign` is −1 for a change, 1 for a gradient.
    pub fn gradient<const D: usize>(&mut self, tensor: &str, found: Tensor<D>, sign: f64) {
        let bound = if D == 1 { self.bounds.biases } else { self.bounds.tensors };
        self.compare(&format!("{tensor}.grad"), &host(found), sign, bound);
    }

    fn compare(&mut self, tensor: &str, values: &[f64], sign: f64, bound: f64) {
        let (_, stored) = self.golden.data(tensor);
        assert_eq!(values.len(), stored.len(), "{}: {tensor}: number of values", self.golden.name);
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
