//! A golden file of an image encoder: set-up, layers and draws.

use clapp_backend::{Arithmetic, ConvSpec, Pool};
use clapp_encoders::{Context, LocalConv2d, PatchGrid, Prediction, Stack};
use clapp_rules::{
    Draws, Feedback, Lateral, Negatives, Objective, Outcome, Pairs, Rule, Scope, SelfHits,
    Synapses, Timing,
};
use serde::Deserialize;

use super::{Golden, On};

/// An image encoder of the authors.
#[derive(Debug)]
pub struct Vision<'a> {
    file: &'a Golden,
    config: Config,
}

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

impl<'a> Vision<'a> {
    /// The encoder of a file whose layers learn locally.
    ///
    /// # Errors
    ///
    /// Why the file is another.
    pub fn of(file: &'a Golden) -> Result<Self, String> {
        let vision = Self::compared(file)?;
        if vision.differentiates() {
            return Err(
                "goes through several layers, or learns from labels; clapp-baselines has it".into(),
            );
        }
        Ok(vision)
    }

    /// The encoder of any file of images.
    ///
    /// # Errors
    ///
    /// If it is of something else.
    pub fn compared(file: &'a Golden) -> Result<Self, String> {
        let config = file.config().ok_or("no encoder here has such a set-up")?;
        Ok(Self { file, config })
    }

    /// Whether modules have several layers, or learn from labels.
    #[must_use]
    pub fn differentiates(&self) -> bool {
        self.config.supervised || self.sizes().iter().any(|&size| size > 1)
    }

    /// Whether modules learn from labels.
    #[must_use]
    pub fn supervised(&self) -> bool {
        self.config.supervised
    }

    /// Layers of each module.
    #[must_use]
    pub fn sizes(&self) -> Vec<usize> {
        let layers = |m| self.file.count(0, |l| format!("module{m}.conv{l}.weight"));
        (0..self.config.modules).map(layers).collect()
    }

    /// Prediction steps K.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.config.prediction_steps
    }

    fn rows(&self) -> usize {
        (self.config.crop - self.config.patch_size) / (self.config.patch_size / 2) + 1
    }

    /// Its rule.
    #[must_use]
    pub fn rule(&self) -> Rule {
        let config = &self.config;
        let scope = match config.sampling.as_str() {
            "everywhere" => Scope::Everywhere,
            "same_position" => Scope::SamePosition,
            "same_position_shared" => Scope::SamePositionShared,
            other => panic!("golden {}: unknown sampling {other}", self.file.name),
        };
        let objective = match config.contrast.as_str() {
            "hinge" => Objective::Hinge,
            "multiclass" => Objective::InfoNce { epsilon: 1e-11 },
            other => panic!("golden {}: unknown contrast {other}", self.file.name),
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

    /// Its layers, and a prediction for each module that learns without labels.
    #[must_use]
    pub fn stack(&self, on: On<'_>, arithmetic: Arithmetic) -> Stack {
        let arch = &self.config.arch;
        let mut positions = arch.iter().enumerate().filter(|(_, layer)| layer.is_number());
        let context = match self.config.predict.as_str() {
            "same" => Context::SameLayer,
            "-1b" => Context::LayerAbove,
            other => panic!("golden {}: unknown context {other}", self.file.name),
        };
        let (mut layers, mut predictions) = (Vec::new(), Vec::new());
        for (m, size) in self.sizes().into_iter().enumerate() {
            for (l, (position, _)) in positions.by_ref().take(size).enumerate() {
                let pooled = arch.get(position + 1).is_some_and(|next| next == "M");
                let pool = if pooled { Pool::Max2 } else { Pool::None };
                let name = format!("module{m}.conv{l}");
                layers.push(LocalConv2d {
                    weight: Synapses::new(self.file.tensor(&format!("{name}.weight"), on)),
                    bias: Synapses::new(self.file.tensor(&format!("{name}.bias"), on)),
                    spec: ConvSpec::same_3x3(pool).with_arithmetic(arithmetic),
                });
            }
            if self.config.supervised {
                continue;
            }
            let matrices = |half: &str| {
                let name = |k| format!("module{m}.{half}.k{k}.weight");
                self.file.matrices(self.steps(), name, on)
            };
            // The authors' W_k is W_predᵀ, and W_retro as it stands.
            let w_pred = Synapses::new(matrices("w_z").swap_dims(1, 2));
            let mut lateral = Lateral::default().with("w_pred", w_pred);
            if self.config.w_retro {
                lateral = lateral.with("w_retro", Synapses::new(matrices("w_c")));
            }
            let context = context.of(m, self.config.modules);
            predictions.push(Prediction { context, ..Prediction::of_itself(m, lateral) });
        }
        let cut = PatchGrid { size: self.config.patch_size, stride: self.config.patch_size / 2 };
        Stack { predictions, ..Stack::new(cut, layers) }
    }

    /// The draws of one module, in the row order (sample, row, column) of our grids.
    #[must_use]
    pub fn draws(&self, module: usize) -> Vec<Draws> {
        let halves: &[&str] = if self.config.w_retro { &["w_z", "w_c"] } else { &["w_z"] };
        halves.iter().map(|half| self.half(&format!("module{module}.{half}"))).collect()
    }

    fn half(&self, prefix: &str) -> Draws {
        let outcomes = self.config.time_local.then(|| {
            let (_, flips) = self.file.data(&format!("{prefix}.saccade"));
            let outcome =
                |&flip: &f64| if flip > 0.5 { Outcome::Saccade } else { Outcome::Fixation };
            flips.iter().map(outcome).collect()
        });
        let pairs = (1..=self.steps()).map(|k| self.pairs(prefix, k)).collect();
        Draws { pairs, outcomes, window: None }
    }

    fn pairs(&self, prefix: &str, k: usize) -> Pairs {
        let (batch, columns) = (self.config.batch, self.rows());
        let shift = k + self.config.skip_step;
        let rows = self.rows() - shift;
        let (shape, stored) = self.file.data(&format!("{prefix}.k{k}.negative"));
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
    }
}
