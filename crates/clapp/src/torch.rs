//! Weights of an encoder for PyTorch: its names, its layout, and a module that takes them.

use std::{collections::BTreeMap, fmt::Write};

use clapp_rules::State;
use clapp_store::TensorFile;

use crate::{
    encoder::{Encoder, Encodes},
    run::from_state,
    sense::Network as _,
};

/// An encoder in PyTorch's words.
#[derive(Clone, Debug)]
pub struct Torch {
    /// What goes in, for people.
    pub input: String,
    /// Classes and functions that the layers need.
    pub helpers: &'static str,
    /// Layers from the input up.
    pub layers: Vec<TorchLayer>,
    /// The function `features`, which uses `layers`.
    pub features: String,
}

/// A layer in PyTorch's words.
#[derive(Clone, Debug)]
pub struct TorchLayer {
    /// Name in a checkpoint.
    pub name: String,
    /// Items of a `ModuleDict`.
    pub modules: String,
    /// Tensors: the end of the name in a checkpoint, that in PyTorch.
    pub tensors: Vec<(&'static str, String)>,
}

impl TorchLayer {
    /// Modules in a row, `model`, the first of which has a weight, and a bias if it has one.
    pub(crate) fn sequential(layer: usize, place: usize, modules: &str) -> Self {
        Self {
            name: format!("layer{}", layer + 1),
            modules: format!("\"model\": nn.Sequential({modules})"),
            tensors: ["weight", "bias"].map(|part| (part, format!("model.{place}.{part}"))).into(),
        }
    }

    /// Adds the running statistics of a batch normalisation at a place.
    pub(crate) fn with_statistics(mut self, place: usize) -> Self {
        for (ours, theirs) in [("norm.mean", "running_mean"), ("norm.variance", "running_var")] {
            self.tensors.push((ours, format!("model.{place}.{theirs}")));
        }
        self
    }
}

impl<S: Encodes> Encoder<S> {
    /// Weights of all layers by PyTorch's names, in its layout, without anything that only learning needs.
    ///
    /// | layer | names, layers from 0 |
    /// |---|---|
    /// | rectified, tiles; over time | `{layer}.model.0.weight` `[out, in, y, x]`, `[out, in, t]`; `{layer}.model.0.bias` |
    /// | competing | `{layer}.model.0.running_mean`, `.running_var`, `.num_batches_tracked`; `{layer}.model.1.weight`, and `.bias` if there is one |
    /// | recurrent | `{layer}.gru.weight_ih_l0`, `.weight_hh_l0`, `.bias_ih_l0`, `.bias_hh_l0`; gates in the order reset, update, new |
    /// | of films | `{layer}.model.0.weight` `[out, in, t, y, x]`, `.bias`; `{layer}.model.2` (1, if it normalises first), the normalisation |
    ///
    /// Behind the number stands, on images, what the authors' file of that module has (`model_{layer}_{epoch}.ckpt`).
    ///
    /// # Paper
    /// `FullModel.py`, modules of one layer: convolution, ReLU and max-pool are the places of `model`.
    #[must_use]
    pub fn weights(&self) -> BTreeMap<String, TensorFile> {
        let mut state = State::default();
        self.stack().save(&mut state);
        let mut saved = from_state(state);
        let mut all = BTreeMap::new();
        for (layer, TorchLayer { name, tensors, .. }) in
            S::torch(&self.trial).layers.into_iter().enumerate()
        {
            for (ours, theirs) in tensors {
                let Some(tensor) = saved.remove(&format!("{name}.{ours}")) else { continue };
                if let Some(norm) = theirs.strip_suffix("running_var") {
                    let count = TensorFile::from_values([], &[0_i64]);
                    all.insert(format!("{layer}.{norm}num_batches_tracked"), count);
                }
                all.insert(format!("{layer}.{theirs}"), tensor);
            }
        }
        all
    }

    /// A Python file that loads these weights from a safetensors file beside it: `features(…)` yields
    /// what [`features`](Self::features) does of each layer.
    #[must_use]
    pub fn python(&self, weights: &str) -> String {
        let Torch { input, helpers, layers, features } = S::torch(&self.trial);
        let mut modules = String::new();
        for layer in layers {
            let _ = writeln!(modules, "    {{{}}},", layer.modules); // a String takes everything
        }
        format!(
            r#""""Features of every layer of {name}, seed {seed}, step {step} ({digest}).

{input}
"""
import pathlib
import torch
from safetensors.torch import load_file
from torch import nn

{helpers}
layers = nn.ModuleList(nn.ModuleDict(parts) for parts in [
{modules}]).eval()
layers.load_state_dict(load_file(pathlib.Path(__file__).with_name("{weights}")))


@torch.no_grad()
{features}"#,
            name = self.config().name(),
            seed = self.seed(),
            step = self.step(),
            digest = self.digest(),
        )
    }
}
