//! A golden file of a video encoder: set-up and layers.

use burn::tensor::Tensor;
use clapp_encoders::{
    ChannelNorm, LocalConv3d, Prediction, RunningMoments, Stack, Statistics, Uncut, VideoConfig,
};
use clapp_rules::{AllPairs, Lateral, Matrices, Space, Synapses};
use serde::Deserialize;

use super::{Golden, On};

/// A video encoder of the authors.
#[derive(Debug)]
pub struct Video<'a> {
    file: &'a Golden,
    config: Config,
}

/// Set-up, as its metadata state it.
#[derive(Debug, Deserialize)]
struct Config {
    /// The authors' `--mode`.
    mode: String,
    batch: usize,
    frames: usize,
    size: usize,
    temporal: bool,
    single_predictor: bool,
    #[serde(default)]
    spatial_collapse: bool,
    #[serde(default)]
    spatial_segm: bool,
    /// The lowest block of a file that was cut: `input` is then what this block sees.
    #[serde(default)]
    first: usize,
}

impl<'a> Video<'a> {
    /// The encoder of a file, if it is about video.
    #[must_use]
    pub fn of(file: &'a Golden) -> Option<Self> {
        file.config().map(|config| Self { file, config })
    }

    /// The authors' name of the method.
    #[must_use]
    pub fn mode(&self) -> &str {
        &self.config.mode
    }

    /// What the lowest block sees: x = u8/127.5 − 1, `[b, colour, t, y, x]`.
    #[must_use]
    pub fn clips(&self, on: On<'_>) -> Tensor<5> {
        if self.config.first > 0 {
            return self.file.tensor("input", on);
        }
        let clips = self.file.tensor::<5>("input_u8", on) / 127.5 - 1.0;
        let Config { batch, frames, size, .. } = self.config;
        assert_eq!(clips.dims(), [batch, 3, frames, size, size], "golden {}", self.file.name);
        clips
    }

    /// Its rule.
    #[must_use]
    pub fn rule(&self) -> AllPairs {
        let rule = match self.mode() {
            "CLAPP" | "HingeCPC" => AllPairs::clapp_s(),
            "GIM" | "CPC" => AllPairs::gim(),
            other => panic!("golden {}: unknown mode {other}", self.file.name),
        };
        let space = match (self.config.spatial_collapse, self.config.spatial_segm) {
            (false, false) => Space::Flattened,
            (true, false) => Space::Collapsed,
            (false, true) => Space::Segmented,
            (true, true) => {
                panic!("golden {}: collapsed maps have nothing to segment", self.file.name)
            }
        };
        let lateral =
            if self.config.single_predictor { Matrices::Repeated } else { Matrices::PerStep };
        AllPairs { space, lateral, ..rule }
    }

    /// Numbers of the blocks that the file holds.
    #[must_use]
    pub fn blocks(&self) -> std::ops::Range<usize> {
        let first = self.config.first;
        first..first + self.file.count(first, |l| format!("layer{l}.conv.weight"))
    }

    /// Numbers of the losses that the file holds: one per block, or one at the end.
    #[must_use]
    pub fn losses(&self) -> std::ops::Range<usize> {
        let first = if self.end_to_end() { 0 } else { self.config.first };
        first..first + self.file.count(first, |l| format!("loss{l}.w_pred.k1"))
    }

    /// Whether there is one loss, back-propagated through all blocks.
    #[must_use]
    pub fn end_to_end(&self) -> bool {
        matches!(self.mode(), "CPC" | "HingeCPC")
    }

    fn layer(&self, l: usize, on: On<'_>) -> LocalConv3d {
        let plan = if self.config.temporal { VideoConfig::vgg5 } else { VideoConfig::vgg5_still };
        let plan = plan(1.0).expect("the paper's width is a width");
        let weight: Tensor<5> = self.file.tensor(&format!("layer{l}.conv.weight"), on);
        let ([channels, _, kernel @ ..], spec) = (weight.dims(), plan.spec(l));
        assert_eq!(kernel, spec.kernel, "golden {}: kernel of block {l}", self.file.name);
        let vector = |part: &str| self.file.tensor::<1>(&format!("layer{l}.{part}"), on);
        let norm = ChannelNorm {
            gain: Synapses::new(vector("norm.weight")),
            shift: Synapses::new(vector("norm.bias")),
            running: RunningMoments {
                mean: Tensor::zeros([channels], on),
                variance: Tensor::ones([channels], on),
            },
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
    fn lateral(&self, loss: usize, on: On<'_>) -> Lateral {
        let (rule, name) = (self.rule(), |k| format!("loss{loss}.w_pred.k{k}"));
        let w_pred = self.file.matrices(rule.lateral.matrices(rule.prediction_steps), name, on);
        Lateral::default().with("w_pred", Synapses::new(w_pred))
    }

    /// Its blocks, and lateral weights for every loss.
    #[must_use]
    pub fn stack(&self, on: On<'_>) -> Stack<LocalConv3d, Uncut<5>> {
        let layers = self.blocks().map(|l| self.layer(l, on)).collect();
        let lateral = self.losses().map(|l| self.lateral(l, on)).enumerate();
        let predictions = lateral.map(|(l, lateral)| Prediction::of_itself(l, lateral)).collect();
        Stack { predictions, ..Stack::new(Uncut, layers) }
    }

    /// Gradients of one loss for every matrix that is stored, with their names.
    #[must_use]
    pub fn matrices(&self, loss: usize, w_pred: &Tensor<3>) -> Vec<(String, Tensor<3>)> {
        let name = |k: usize| format!("loss{loss}.w_pred.k{k}");
        let [matrices, ..] = w_pred.dims();
        let stored = (1..).take_while(|&k| self.file.has(&format!("{}.grad", name(k))));
        let matrix = |k: usize| w_pred.clone().narrow(0, (k - 1).min(matrices - 1), 1);
        stored.map(|k| (name(k), matrix(k))).collect()
    }
}
