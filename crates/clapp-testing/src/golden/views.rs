//! A golden file of two views of each image: set-up, layers, predictions and draws.

use burn::tensor::Tensor;
use clapp_backend::{Arithmetic, ConvSpec, Pool};
use clapp_encoders::{Context, LocalConv2d, PatchGrid, Prediction, Stack};
use clapp_rules::{
    GridShape, Lateral, LateralUpdate, Rows, Synapses, TwoViews, ViewNegatives, ViewObjective,
    equations::view_rows,
};
use serde::Deserialize;

use super::{Golden, On};

/// CLAPP++, DFB or both.
#[derive(Debug)]
pub struct Views<'a> {
    file: &'a Golden,
    config: Config,
    /// Channels, and whether a pool follows.
    layers: Vec<(usize, bool)>,
}

#[derive(Debug, Deserialize)]
struct Config {
    rule: String,
    contrast: String,
    theta: Option<f64>,
    sampling: String,
    windows: Option<Vec<usize>>,
    rank: usize,
    size: usize,
    layers: Vec<serde_json::Value>,
}

impl<'a> Views<'a> {
    /// The set-up of a file, if it is one of this kind.
    ///
    /// # Panics
    ///
    /// If a layer has no channels.
    #[must_use]
    pub fn of(file: &'a Golden) -> Option<Self> {
        let config: Config = file.config()?;
        let mut layers: Vec<(usize, bool)> = Vec::new();
        for plan in &config.layers {
            match plan.as_u64() {
                Some(channels) => layers.push((channels as usize, false)),
                None => layers.last_mut().expect("a pool follows a convolution").1 = true,
            }
        }
        Some(Self { file, config, layers })
    }

    /// Number of layers.
    #[must_use]
    pub fn modules(&self) -> usize {
        self.layers.len()
    }

    /// Whether losses are differences of two means.
    #[must_use]
    pub fn linear(&self) -> bool {
        self.config.contrast == "linear"
    }

    /// Its rule.
    #[must_use]
    pub fn rule(&self) -> TwoViews {
        let Config { contrast, theta, sampling, windows, rank, size, .. } = &self.config;
        let negatives = match sampling.as_str() {
            "cyclic" => ViewNegatives::Cyclic,
            "random" => ViewNegatives::Random,
            "random_shared" => ViewNegatives::RandomShared,
            other => panic!("golden {}: unknown sampling {other}", self.file.name),
        };
        let objective = match contrast.as_str() {
            "hinge" => ViewObjective::Hinge,
            "soft_hinge" => ViewObjective::SoftHinge,
            "linear" => ViewObjective::Linear,
            "softplus" => ViewObjective::Softplus { theta: theta.unwrap_or(1.0) },
            other => panic!("golden {}: unknown contrast {other}", self.file.name),
        };
        let mut map = *size;
        let mut cells = Vec::with_capacity(self.modules());
        for (l, &(_, pooled)) in self.layers.iter().enumerate() {
            map /= if pooled { 2 } else { 1 };
            cells.push(windows.as_ref().map_or(1, |windows| map / windows[l]));
        }
        TwoViews { negatives, objective, grids: cells, rank: (*rank > 0).then_some(*rank) }
    }

    /// Its layers and predictions.
    #[must_use]
    pub fn stack(&self, on: On<'_>) -> Stack {
        let layer = |(m, &(_, pooled)): (usize, &(usize, bool))| {
            let pool = if pooled { Pool::Max2 } else { Pool::None };
            LocalConv2d {
                weight: Synapses::new(self.file.tensor(&format!("module{m}.conv0.weight"), on)),
                bias: Synapses::new(self.file.tensor(&format!("module{m}.conv0.bias"), on)),
                spec: ConvSpec::same_3x3(pool).with_arithmetic(Arithmetic::Exact),
            }
        };
        let layers = self.layers.iter().enumerate().map(layer).collect();
        let context = match self.config.rule.as_str() {
            "lateral" => Context::SameLayer,
            "dfb" => Context::Top,
            "both" => Context::TopAndSameLayer,
            other => panic!("golden {}: unknown rule {other}", self.file.name),
        };
        let predictions = context.predictions(self.modules()).into_iter().enumerate();
        let prediction = |(p, [target, context]): (usize, [usize; 2])| {
            let lateral = self.lateral(p, [target, context], on);
            Prediction { context, ..Prediction::of_itself(target, lateral) }
        };
        let cut = PatchGrid { size: self.config.size, stride: self.config.size };
        Stack { predictions: predictions.map(prediction).collect(), ..Stack::new(cut, layers) }
    }

    /// Where the tensors of prediction `p` of layer `target` are.
    #[must_use]
    pub fn name(&self, p: usize, target: usize) -> String {
        let feedback = self.config.rule != "lateral" && p < self.modules();
        format!("module{target}.{}", if feedback { "feedback" } else { "lateral" })
    }

    fn lateral(&self, p: usize, [target, context]: [usize; 2], on: On<'_>) -> Lateral {
        let name = self.name(p, target);
        let matrix = |part: &str| self.file.tensor::<2>(&format!("{name}.{part}"), on);
        let ours = |matrix: Tensor<2>, sides: [Option<usize>; 2]| {
            let matrix = self.reorder(matrix, sides, [false, false]);
            Synapses::new(matrix.unsqueeze_dim(0))
        };
        if self.config.rank == 0 {
            let b = ours(matrix("b.weight"), [Some(target), Some(context)]);
            return Lateral::default().with("b", b);
        }
        let down = ours(matrix("b.down.weight"), [None, Some(context)]);
        let up = ours(matrix("b.up.weight"), [Some(target), None]);
        Lateral::default().with("b_down", down).with("b_up", up)
    }

    /// Changes of lateral weights in the authors' order, by the names of the weights.
    #[must_use]
    pub fn lateral_changes(
        &self,
        p: usize,
        [target, context]: [usize; 2],
        update: &LateralUpdate,
    ) -> Vec<(String, Tensor<2>)> {
        let name = self.name(p, target);
        let theirs = |part: &str, own: &str, sides: [Option<usize>; 2]| {
            let delta = update.delta(own);
            let [_, post, pre] = delta.dims();
            let delta = self.reorder(delta.reshape([post, pre]), sides, [true, true]);
            (format!("{name}.{part}"), delta)
        };
        if self.config.rank == 0 {
            return vec![theirs("b.weight", "b", [Some(target), Some(context)])];
        }
        vec![
            theirs("b.down.weight", "b_down", [None, Some(context)]),
            theirs("b.up.weight", "b_up", [Some(target), None]),
        ]
    }

    /// Rows and columns in another order, where they are those of a layer: (channel, cell) to (cell, channel),
    /// or back.
    fn reorder(&self, matrix: Tensor<2>, of: [Option<usize>; 2], back: [bool; 2]) -> Tensor<2> {
        let shape = matrix.dims();
        let axes: [[usize; 2]; 2] = std::array::from_fn(|axis| {
            let channels = of[axis].map_or(shape[axis], |layer| self.layers[layer].0);
            let cells = shape[axis] / channels;
            if back[axis] { [cells, channels] } else { [channels, cells] }
        });
        let [[a, b], [c, d]] = axes;
        matrix.reshape([a, b, c, d]).permute([1, 0, 3, 2]).reshape(shape)
    }

    /// Both views, `[view 1; view 2]`.
    #[must_use]
    pub fn images(&self, on: On<'_>) -> Tensor<4> {
        Tensor::cat(["view1", "view2"].map(|view| self.file.tensor::<4>(view, on)).to_vec(), 0)
    }

    /// The draw of prediction `p` of layer `target`.
    #[must_use]
    pub fn draws(&self, p: usize, target: usize, grid: GridShape) -> Vec<Rows> {
        let (_, stored) = self.file.data(&format!("{}.negative", self.name(p, target)));
        let negatives: Vec<(u32, u32)> = stored.iter().map(|&row| (row as u32, 0)).collect();
        vec![view_rows(grid, &negatives)]
    }
}
