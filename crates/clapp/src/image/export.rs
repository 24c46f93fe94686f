//! Weights of an encoder for PyTorch: its names, its layout, and a module that takes them.

use std::{collections::BTreeMap, fmt::Write};

use clapp_encoders::{
    Above, ConvPlan, LayerPlan, MapWindow, PoolAfter, Start, TilePlan, TrianglePlan, WindowOf,
};
use clapp_rules::State;
use clapp_store::TensorFile;

use super::Encoder;
use crate::run::from_state;

impl Encoder {
    /// Weights of all layers by PyTorch's names, in its layout, without anything that only learning needs.
    ///
    /// | layer | names, layers from 0 |
    /// |---|---|
    /// | rectified, tiles | `{layer}.model.0.weight` `[out, in, y, x]`, `{layer}.model.0.bias` |
    /// | competing | `{layer}.model.0.running_mean`, `.running_var`, `.num_batches_tracked`; `{layer}.model.1.weight`, and `.bias` if there is one |
    ///
    /// Behind the number stands what the authors' file of that module has (`model_{layer}_{epoch}.ckpt`).
    ///
    /// # Paper
    /// `FullModel.py`, modules of one layer: convolution, ReLU and max-pool are the places of `model`.
    #[must_use]
    pub fn weights(&self) -> BTreeMap<String, TensorFile> {
        let mut state = State::default();
        self.stack().save(&mut state);
        let mut saved = from_state(state);
        let mut all = BTreeMap::new();
        for (layer, plan) in self.config().setup.encoder.layers.iter().enumerate() {
            let mut take = |ours: &str, theirs: &str| {
                if let Some(tensor) = saved.remove(&format!("layer{}.{ours}", layer + 1)) {
                    all.insert(format!("{layer}.model.{theirs}"), tensor);
                }
            };
            let place = match plan {
                LayerPlan::Competing(_) => {
                    take("norm.mean", "0.running_mean");
                    take("norm.variance", "0.running_var");
                    1
                }
                _ => 0,
            };
            take("weight", &format!("{place}.weight"));
            take("bias", &format!("{place}.bias"));
            if place == 1 {
                let count = TensorFile::from_values([], &[0_i64]);
                all.insert(format!("{layer}.model.0.num_batches_tracked"), count);
            }
        }
        all
    }

    /// A Python file that loads these weights from a safetensors file beside it: `features(images)` yields
    /// what [`features`](Self::features) does of each layer.
    #[must_use]
    pub fn python(&self, weights: &str) -> String {
        let setup = &self.config().setup;
        let (encoder, pipeline) = (&setup.encoder, serde_json::to_value(self.pipeline()));
        let (colours, side) = (encoder.colours, encoder.image);
        let (size, stride) = (encoder.patches.size, encoder.patches.stride);
        let mut layers = String::new();
        let mut pre = colours;
        for plan in &encoder.layers {
            let _ = writeln!(layers, "    [{}],", module(plan, pre)); // a String takes everything
            pre = plan.channels();
        }
        let cells = match self.cells() {
            [] => vec![1; encoder.layers.len()],
            cells => cells.to_vec(),
        };
        format!(
            r#""""Features of every layer of {name}, seed {seed}, step {step} ({digest}).

Images are [image, {colours}, {side}, {side}], prepared by the centre cut of this pipeline:
{pipeline}
"""
import pathlib
import torch
from safetensors.torch import load_file
from torch import nn


class Triangle(nn.Module):
    def __init__(self, power):
        super().__init__()
        self.power = power

    def forward(self, u):
        return (u - u.mean(1, keepdim=True)).relu() ** self.power


layers = nn.ModuleList(nn.ModuleDict({{"model": nn.Sequential(*parts)}}) for parts in [
{layers}]).eval()
layers.load_state_dict(load_file(pathlib.Path(__file__).with_name("{weights}")))


@torch.no_grad()
def features(images):
    """[image, feature] of each layer, from the input up; of cells in the order row, column, channel."""
    x = images.unfold(2, {size}, {stride}).unfold(3, {size}, {stride}).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    for layer, n in zip(layers, {cells:?}):
        x = layer["model"](x)
        means = nn.functional.adaptive_avg_pool2d(x, min(n, x.shape[-1])).movedim(1, -1).flatten(1)
        yield means.reshape(len(images), -1, means.shape[-1]).mean(1)
"#,
            name = self.config().name(),
            seed = self.seed(),
            step = self.step(),
            digest = self.digest(),
            pipeline = pipeline.unwrap_or_default(),
        )
    }
}

/// The modules of a layer.
fn module(plan: &LayerPlan, pre: usize) -> String {
    match *plan {
        LayerPlan::Rectified(ConvPlan { channels, pool }) => {
            let pool = if pool == PoolAfter::Max2 { ", nn.MaxPool2d(2)" } else { "" };
            format!("nn.Conv2d({pre}, {channels}, 3, padding=1), nn.ReLU(){pool}")
        }
        LayerPlan::Tiles(TilePlan { channels, tile }) => {
            format!("nn.Conv2d({pre}, {channels}, {tile}, stride={tile}), nn.ReLU()")
        }
        LayerPlan::Competing(TrianglePlan { channels, kernel, power, window, above, start }) => {
            let MapWindow { of, side, stride, padding } = window;
            let bias = if start == Start::Uniform { "True" } else { "False" };
            let border = format!("padding={}, padding_mode=\"reflect\"", kernel / 2);
            let above = match above {
                Above::Mean => format!("Triangle({power})"),
                Above::Zero => "nn.ReLU()".to_owned(),
            };
            let pool = if of == WindowOf::Max { "Max" } else { "Avg" };
            format!(
                "nn.BatchNorm2d({pre}, affine=False), nn.Conv2d({pre}, {channels}, {kernel}, {border}, bias={bias}), {above}, nn.{pool}Pool2d({side}, {stride}, {padding})"
            )
        }
    }
}
