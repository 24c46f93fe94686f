//! A golden file of sound: set-up, weights and draws.
//!
//! `gim` and `cpc` files hold encoders, `gru` files one recurrent layer over a given input.

use burn::tensor::Tensor;
use clapp_encoders::{Conv1dSpec, LocalConv1d, LocalGru, Recurrence};
use clapp_rules::{
    Draws, Feedback, Lateral, Negatives, Objective, Pairs, Rule, Scope, Synapses, Window,
};
use serde::Deserialize;

use super::{Golden, On};

/// Layers of sound.
#[derive(Debug)]
pub struct Sound<'a> {
    file: &'a Golden,
    /// What the file is about.
    pub set_up: SoundSetUp,
}

/// What a file is about.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum SoundSetUp {
    /// An encoder.
    Encoder(EncoderSetUp),
    /// One recurrent layer.
    Gru(GruSetUp),
}

/// Set-up of an encoder.
#[derive(Debug, Deserialize)]
pub struct EncoderSetUp {
    /// The authors' name of the method.
    pub method: String,
    batch: usize,
    samples: usize,
    prediction_steps: usize,
    negatives: usize,
    /// Kernels of the convolutions.
    pub kernel: Vec<usize>,
    stride: Vec<usize>,
    padding: Vec<usize>,
    /// Whether gradients pass through time.
    pub bptt: bool,
}

/// Set-up of a recurrent layer.
#[derive(Debug, Deserialize)]
pub struct GruSetUp {
    what: String,
    /// Whether gradients stop in the gates.
    pub eprop: bool,
    retro: bool,
}

/// W_i, W_h, b_i, b_h of a module's recurrent layer.
#[must_use]
pub fn module_gru_names(m: usize) -> [String; 4] {
    ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map(|part| format!("module{m}.gru.{part}_l0"))
}

/// W_i, W_h, b_i, b_h of a recurrent layer's file.
pub const GRU_NAMES: [&str; 4] = ["w_ih", "w_hh", "b_ih", "b_hh"];

impl<'a> Sound<'a> {
    /// The layers of a file, if it is about sound.
    #[must_use]
    pub fn of(file: &'a Golden) -> Option<Self> {
        file.config().map(|set_up| Self { file, set_up })
    }

    fn encoder(&self) -> &EncoderSetUp {
        match &self.set_up {
            SoundSetUp::Encoder(set_up) => set_up,
            SoundSetUp::Gru(_) => panic!("golden {}: no encoder", self.file.name),
        }
    }

    /// The recordings, `[batch, 1, samples]`.
    #[must_use]
    pub fn waves(&self, on: On<'_>) -> Tensor<3> {
        let (waves, set_up) = (self.file.tensor("input", on), self.encoder());
        let expected = [set_up.batch, 1, set_up.samples];
        assert_eq!(waves.dims(), expected, "golden {}: input", self.file.name);
        waves
    }

    /// Modules of an encoder.
    #[must_use]
    pub fn modules(&self) -> usize {
        self.file.count(0, |m| format!("module{m}.predictor.weight"))
    }

    /// Convolutions of module `m` of an encoder.
    #[must_use]
    pub fn convolutions(&self, m: usize, on: On<'_>) -> Vec<LocalConv1d> {
        let layers = |m: usize| self.file.count(0, |i| format!("module{m}.conv{i}.weight"));
        let below: usize = (0..m).map(layers).sum();
        let convolution = |i: usize| {
            let part = |part: &str| format!("module{m}.conv{i}.{part}");
            let (set_up, l) = (self.encoder(), below + i);
            LocalConv1d {
                weight: Synapses::new(self.file.tensor(&part("weight"), on)),
                bias: Synapses::new(self.file.tensor(&part("bias"), on)),
                spec: Conv1dSpec {
                    kernel: set_up.kernel[l],
                    stride: set_up.stride[l],
                    padding: set_up.padding[l],
                },
            }
        };
        (0..layers(m)).map(convolution).collect()
    }

    /// A recurrent layer from the four tensors of these names.
    #[must_use]
    pub fn gru(&self, names: [&str; 4], recurrence: Recurrence, on: On<'_>) -> LocalGru {
        LocalGru {
            input: Synapses::new(self.file.tensor(names[0], on)),
            recurrent: Synapses::new(self.file.tensor(names[1], on)),
            input_bias: Synapses::new(self.file.tensor(names[2], on)),
            recurrent_bias: Synapses::new(self.file.tensor(names[3], on)),
            recurrence,
        }
    }

    /// The recurrent layer of module `m`, if it has one.
    #[must_use]
    pub fn module_gru(&self, m: usize, recurrence: Recurrence, on: On<'_>) -> Option<LocalGru> {
        let names = module_gru_names(m);
        let names = names.each_ref().map(String::as_str);
        self.file.has(names[0]).then(|| self.gru(names, recurrence, on))
    }

    /// Prediction weights of module `m`, whose rows are those of all steps.
    #[must_use]
    pub fn module_lateral(&self, m: usize, on: On<'_>) -> Lateral {
        let weight: Tensor<2> = self.file.tensor(&format!("module{m}.predictor.weight"), on);
        let ([rows, context], steps) = (weight.dims(), self.encoder().prediction_steps);
        let w_pred = weight.reshape([steps, rows / steps, context]);
        Lateral::default().with("w_pred", Synapses::new(w_pred))
    }

    /// Pairs of module `m`: the last rows of every permutation.
    #[must_use]
    pub fn module_draws(&self, m: usize) -> Vec<Draws> {
        let &EncoderSetUp { batch, prediction_steps, negatives: count, .. } = self.encoder();
        let permutation = |j: usize| &self.file.data(&format!("module{m}.permutation{j}")).1;
        let permutations: Vec<&Vec<f64>> = (0..count).map(permutation).collect();
        let time = permutations[0].len() / batch;
        let step = |shift: usize| {
            let rows = batch * (time - shift);
            let of = |row: usize| {
                let at = batch * time - rows + row;
                permutations.iter().map(move |permutation| permutation[at] as u32)
            };
            Pairs { shift, count, index: (0..rows).flat_map(of).collect() }
        };
        let pairs = (1..=prediction_steps).map(step).collect();
        vec![Draws { pairs, outcomes: None, window: Some(Window { start: 0, steps: time }) }]
    }

    /// Prediction steps of a recurrent layer's file.
    #[must_use]
    pub fn gru_steps(&self) -> usize {
        self.file.count(1, |k| format!("w_pred.k{k}"))
    }

    /// Lateral weights of a recurrent layer's file.
    #[must_use]
    pub fn gru_lateral(&self, on: On<'_>) -> Lateral {
        let stack =
            |half: &str| self.file.matrices(self.gru_steps(), |k| format!("{half}.k{k}"), on);
        // Stored like W_pred, [z, c]; here [c, z].
        let lateral = Lateral::default().with("w_pred", Synapses::new(stack("w_pred")));
        if !self.file.has("w_retro.k1") {
            return lateral;
        }
        lateral.with("w_retro", Synapses::new(stack("w_retro").swap_dims(1, 2)))
    }

    /// Pairs of a recurrent layer's file; both halves of W_retro share them.
    #[must_use]
    pub fn gru_draws(&self) -> Vec<Draws> {
        let step = |shift: usize| {
            let (shape, stored) = self.file.data(&format!("negative.k{shift}"));
            let index = stored.iter().map(|&row| row as u32).collect();
            Pairs { shift, count: shape[2], index }
        };
        let pairs = (1..=self.gru_steps()).map(step).collect();
        let draws = Draws { pairs, outcomes: None, window: None };
        vec![draws; if self.rule().feedback == Feedback::PredRetro { 2 } else { 1 }]
    }

    /// Its rule.
    #[must_use]
    pub fn rule(&self) -> Rule {
        let (prediction_steps, count, objective, feedback) = match &self.set_up {
            SoundSetUp::Encoder(set_up) => {
                let hinge = ["hinge", "clapp"].iter().any(|name| set_up.method.contains(name));
                let objective =
                    if hinge { Objective::Hinge } else { Objective::InfoNce { epsilon: 0.0 } };
                (set_up.prediction_steps, set_up.negatives, objective, Feedback::Symmetric)
            }
            SoundSetUp::Gru(GruSetUp { what, retro, .. }) => {
                assert!(what.contains("hinge"), "golden {}: {what}", self.file.name);
                let feedback = if *retro { Feedback::PredRetro } else { Feedback::Symmetric };
                (self.gru_steps(), self.file.data("negative.k1").0[2], Objective::Hinge, feedback)
            }
        };
        Rule {
            objective,
            feedback,
            negatives: Negatives { count, scope: Scope::Permuted, ..Negatives::default() },
            prediction_steps,
            window: None,
            ..Rule::clapp_s_sound()
        }
    }
}
