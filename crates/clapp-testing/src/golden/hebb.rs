//! Files of SoftHebb: a few steps of all layers.

use burn::tensor::Tensor;
use clapp_backend::{Arithmetic, MapWindow, WindowOf};
use clapp_encoders::{PatchGrid, Prediction, Stack, TriangleConv2d, TrianglePlan};
use clapp_rules::{Lateral, Optimizer, Purpose, SoftHebb, Synapses, stream};
use serde::Deserialize;

use super::{Golden, On};

/// Set-up of one layer.
#[derive(Debug, Deserialize)]
struct HebbLayer {
    inputs: usize,
    channels: usize,
    kernel: usize,
    t: f64,
    eta: f64,
    power: f64,
    pool: PyTorchPool,
    pool_kernel: usize,
    pool_stride: usize,
    pool_padding: usize,
}

/// Pools by PyTorch's names.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PyTorchPool {
    Max,
    Avg,
}

#[derive(Debug, Deserialize)]
struct HebbSetUp {
    rule: String,
    layers: Vec<HebbLayer>,
    size: usize,
    steps: usize,
    rate_power: f64,
}

/// A file of SoftHebb.
#[derive(Debug)]
pub struct Hebb<'a> {
    golden: &'a Golden,
    set_up: HebbSetUp,
}

impl<'a> Hebb<'a> {
    /// The file, if it is one of SoftHebb.
    #[must_use]
    pub fn of(golden: &'a Golden) -> Option<Self> {
        let set_up: HebbSetUp = golden.config()?;
        (set_up.rule == "softhebb").then_some(Self { golden, set_up })
    }

    /// Number of layers.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.set_up.layers.len()
    }

    /// Number of steps.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.set_up.steps
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> SoftHebb {
        SoftHebb { temperatures: self.set_up.layers.iter().map(|layer| layer.t).collect() }
    }

    /// The step of a layer.
    #[must_use]
    pub fn optimizer(&self, layer: usize) -> Optimizer {
        Optimizer::UnitNorm { rate: self.set_up.layers[layer].eta, power: self.set_up.rate_power }
    }

    /// The network before its first step.
    #[must_use]
    pub fn stack(&self, on: On<'_>, arithmetic: Arithmetic) -> Stack<TriangleConv2d> {
        let layer = |(l, of): (usize, &HebbLayer)| {
            let window = MapWindow {
                of: match of.pool {
                    PyTorchPool::Max => WindowOf::Max,
                    PyTorchPool::Avg => WindowOf::Mean,
                },
                side: of.pool_kernel,
                stride: of.pool_stride,
                padding: of.pool_padding,
            };
            let (channels, kernel, power) = (of.channels, of.kernel, of.power);
            let plan = TrianglePlan::new(channels, kernel, power, window);
            let mut random = stream(0, Purpose::Test, [0; 4]);
            let mut layer = TriangleConv2d::init(of.inputs, plan, on.0, &mut random);
            let weight = self.golden.tensor(&format!("layer{l}.weight.initial"), on);
            layer.weight = Synapses::new(weight);
            layer.running.mean = Tensor::zeros([of.inputs], on);
            layer.running.variance = Tensor::ones([of.inputs], on);
            layer.arithmetic = arithmetic;
            layer
        };
        let layers: Vec<_> = self.set_up.layers.iter().enumerate().map(layer).collect();
        let grid = PatchGrid { size: self.set_up.size, stride: self.set_up.size };
        let mut stack = Stack::new(grid, layers);
        let itself = |layer| Prediction::of_itself(layer, Lateral::default());
        stack.predictions = (0..self.layers()).map(itself).collect();
        stack
    }
}
