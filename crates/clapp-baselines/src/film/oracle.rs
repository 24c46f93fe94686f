//! Losses of gradient-isolated modules of a video encoder, and their gradients.

use burn::tensor::Tensor;
use clapp_encoders::{LocalConv3d, Moments, Stack, Uncut};
use clapp_rules::{AllPairs, Draws, Feedback, Predictors, Synapses};

use super::{
    block::{BlockGradients, FilmBlock},
    loss::{all_pairs_loss, loss_of_matrices, score_matrices},
};
use crate::oracle::{gradient, leaf};

/// Blocks between two gradient stops, with the lateral weights of their one loss.
#[derive(Clone, Debug)]
pub struct FilmModule {
    /// Blocks in order; one for a layer that learns locally, all of them for CPC.
    pub blocks: Vec<FilmBlock>,
    /// W_pred, `[matrix, target channel, context channel]`.
    pub w_pred: Tensor<3>,
    /// W_retro, `[matrix, context channel, target channel]`.
    pub w_retro: Option<Tensor<3>>,
}

/// Loss and gradients of one module.
#[derive(Clone, Debug)]
pub struct FilmGradients {
    /// The loss.
    pub loss: f64,
    /// Its map, `[b, channel, t, y, x]`.
    pub representation: Tensor<5>,
    /// Gradients of its blocks, in order.
    pub blocks: Vec<BlockGradients>,
    /// What each block was normalised with.
    pub moments: Vec<Moments>,
    /// ∂L/∂W_pred.
    pub w_pred: Tensor<3>,
    /// ∂L/∂W_retro.
    pub w_retro: Option<Tensor<3>>,
}

/// Modules above modules, each with an all-pairs loss of its own and a stopped gradient between them.
///
/// ```text
/// x⁰ = clips        x^m = module_m(stop(x^{m−1}))        L^m = L(z = x^m, c = x^m)
/// ```
///
/// | feedback | loss of a module |
/// |---|---|
/// | symmetric | L(z, c, W_pred) |
/// | blocked | L(z, stop c, W_pred) |
/// | W_retro | L(z, stop c, W_pred) + L(stop z, c, W_retroᵀ), each with coins of its own |
/// | W_retro shared | L(z, stop c, W_pred) + Σ stop(∂L/∂S) · S(stop z, c, W_retroᵀ) |
///
/// Gradients pass through mean and variance of every batch normalisation.
///
/// # Paper
/// Illing et al. 2021, Sec. 4; `VGG_8.py` `VGG_8.forward`. Deviations: none.
#[derive(Clone, Debug)]
pub struct FilmOracle {
    /// The modules, from the input up.
    pub modules: Vec<FilmModule>,
    /// Scores → loss.
    pub rule: AllPairs,
}

impl FilmModule {
    /// Numbers and geometry of layers, and of the lateral weights of the last of them.
    #[must_use]
    pub fn of(layers: &[LocalConv3d], predictors: &Predictors) -> Self {
        Self {
            blocks: layers.iter().map(FilmBlock::of).collect(),
            w_pred: predictors.w_pred.weight(),
            w_retro: predictors.w_retro.as_ref().map(Synapses::weight),
        }
    }

    fn tracked(&self) -> Self {
        Self {
            blocks: self.blocks.iter().map(FilmBlock::tracked).collect(),
            w_pred: leaf(&self.w_pred),
            w_retro: self.w_retro.as_ref().map(leaf),
        }
    }

    /// What is reported, and what is differentiated.
    fn loss(&self, map: &Tensor<5>, rule: &AllPairs, draws: &[Draws]) -> (f64, Tensor<1>) {
        let sets = if rule.feedback == Feedback::PredRetro { 2 } else { 1 };
        assert_eq!(draws.len(), sets, "oracle: expected {sets} sets of draws, got {}", draws.len());
        let stopped = map.clone().detach();
        let loss = |z: &_, c: &_, w: &_, draws| all_pairs_loss(z, c, w, rule, draws);
        let way_back = || {
            let w_retro = self.w_retro.clone();
            w_retro.expect("oracle: expected retrodiction weights, got none").swap_dims(1, 2)
        };
        let descended = match rule.feedback {
            Feedback::Symmetric => loss(map, map, &self.w_pred, &draws[0]),
            Feedback::Blocked => loss(map, &stopped, &self.w_pred, &draws[0]),
            Feedback::PredRetro => {
                loss(map, &stopped, &self.w_pred, &draws[0])
                    + loss(&stopped, map, &way_back(), &draws[1])
            }
            Feedback::PredRetroShared => {
                let forward = loss(map, &stopped, &self.w_pred, &draws[0]);
                let value = number(&forward);
                let scores = score_matrices(&stopped, &stopped, &self.w_pred, rule);
                let leaves: Vec<Tensor<2>> = scores.iter().map(leaf).collect();
                let outcomes = draws[0].outcomes.as_deref();
                let signals = loss_of_matrices(&leaves, rule, outcomes).backward();
                let retrodicted = score_matrices(&stopped, map, &way_back(), rule);
                let gated = leaves.iter().zip(retrodicted).map(|(scores, retrodicted)| {
                    (gradient(scores, &signals).autodiff() * retrodicted).sum()
                });
                return (value, gated.fold(forward, |sum, term| sum + term));
            }
        };
        (number(&descended), descended)
    }
}

impl FilmOracle {
    /// The losses that a stack of local layers claims to descend, one module a layer.
    #[must_use]
    pub fn of(stack: &Stack<LocalConv3d, Uncut<5>>, rule: &AllPairs) -> Self {
        let modules = stack.layers.iter().zip(&stack.predictors);
        let module = |(layer, predictors)| FilmModule::of(std::slice::from_ref(layer), predictors);
        Self { modules: modules.map(module).collect(), rule: *rule }
    }

    /// Losses and gradients of all modules.
    ///
    /// # Shapes
    /// - `clips`: `[b, colour, t, y, x]`; `draws`: for every module one set of coins, or two under
    ///   [`Feedback::PredRetro`] (prediction, retrodiction)
    ///
    /// # Panics
    ///
    /// If a shape or the number of sets does not fit, or the rule needs W_retro and there is none.
    #[must_use]
    pub fn gradients(&self, clips: &Tensor<5>, draws: &[Vec<Draws>]) -> Vec<FilmGradients> {
        assert_eq!(
            draws.len(),
            self.modules.len(),
            "oracle: expected draws for {} modules, got {}",
            self.modules.len(),
            draws.len()
        );
        let mut input = clips.clone();
        let mut all = Vec::with_capacity(self.modules.len());
        for (module, draws) in self.modules.iter().zip(draws) {
            let module = module.tracked();
            // A graph of its own for every module: nothing can reach the one below.
            let mut map = input.autodiff();
            let mut moments = Vec::with_capacity(module.blocks.len());
            for block in &module.blocks {
                let (output, seen) = block.forward(map);
                map = output;
                moments.push(seen);
            }
            let (loss, descended) = module.loss(&map, &self.rule, draws);
            let gradients = descended.backward();
            input = map.inner();
            all.push(FilmGradients {
                loss,
                representation: input.clone(),
                blocks: module.blocks.iter().map(|block| block.gradients(&gradients)).collect(),
                moments,
                w_pred: gradient(&module.w_pred, &gradients),
                w_retro: module.w_retro.as_ref().map(|w_retro| {
                    // Weights that a rule does not use have no gradient.
                    w_retro.grad(&gradients).unwrap_or_else(|| w_retro.clone().inner().zeros_like())
                }),
            });
        }
        all
    }
}

fn number(tensor: &Tensor<1>) -> f64 {
    let value = tensor.clone().inner().to_data().convert::<f64>();
    value.iter::<f64>().next().unwrap_or(f64::NAN)
}
