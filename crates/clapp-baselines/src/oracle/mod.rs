//! The loss of every gradient-isolated module as a function of its weights, and its gradients by
//! automatic differentiation: the oracle of the written-out rules.
//!
//! Independent on purpose: from an encoder it takes numbers and geometry only. Patches are cut, maps
//! convolved, scores and means taken here once more, with burn's plain operations and in another
//! order than the rules do (the score is c · (W_predᵀ z) here, z · (W_pred c) there).

mod loss;
mod module;

use burn::tensor::{FloatDType, Tensor};
use clapp_encoders::{Context, LocalConv2d, PatchGrid, Stack};
use clapp_rules::{Draws, Feedback, Objective, Rule};

pub use loss::{Scores, contrastive_loss, loss_of_scores, scores};
pub use module::{ConvGradients, Convolution, Module, ModuleGradients};

pub(crate) use module::{gradient, leaf};

use loss::{ModuleLoss, module_loss};

/// Modules above modules, each with a loss of its own and a stopped gradient between them.
///
/// ```text
/// x⁰ = patches        x^m = module_m(stop(x^{m−1}))        h^m = mean over the map of x^m
/// L^m = L(z = h^m, c = h^m)                    or c = h^{m+1}: context from the module above
/// ```
///
/// With `stop`, the sum of all losses has the gradients of each: one backward pass gives them all. A
/// module that lends its representation to the one below as context gets the sum of both signals.
///
/// | feedback | loss of a module |
/// |---|---|
/// | symmetric | L(z, c, W_pred) |
/// | blocked | L(z, stop c, W_pred) |
/// | W_retro | L(z, stop c, W_pred) + L(stop z, c, W_retroᵀ), each with draws of its own |
/// | W_retro shared | L(z, stop c, W_pred) + Σ stop(∂L/∂u) · cᵀ W_retro stop(z) |
///
/// The last one is no loss of the network: its third factor is *defined* as that of the prediction.
/// What can be differentiated is differentiated: −γ = ∂L/∂u, and the retrodicted score that it gates.
///
/// # Paper
/// Illing et al. 2021, Eqs. 2, 5, 15, 16 over patches; `ContrastiveLoss.py`, `VGG_like_Encoder.py`,
/// `FullModel.py`. Deviations: none.
#[derive(Clone, Debug)]
pub struct Oracle {
    /// How images are cut.
    pub patches: PatchGrid,
    /// The modules, from the input up.
    pub modules: Vec<Module>,
    /// Where contexts come from.
    pub context: Context,
    /// Scores → loss.
    pub objective: Objective,
    /// How the loss reaches the context.
    pub feedback: Feedback,
}

impl Oracle {
    /// The losses that a stack of local layers claims to descend, one module a layer.
    #[must_use]
    pub fn of(stack: &Stack<LocalConv2d>, rule: &Rule) -> Self {
        let module = |(layer, predictors): (&LocalConv2d, &clapp_rules::Predictors)| Module {
            layers: vec![Convolution {
                weight: layer.weight.weight(),
                bias: layer.bias.weight(),
                spec: layer.spec,
            }],
            w_pred: predictors.w_pred.weight(),
            w_retro: predictors.w_retro.as_ref().map(clapp_rules::Synapses::weight),
        };
        Self {
            patches: stack.cut,
            modules: stack.layers.iter().zip(&stack.predictors).map(module).collect(),
            context: stack.context,
            objective: rule.objective,
            feedback: rule.feedback,
        }
    }

    /// The same weights in another precision.
    #[must_use]
    pub fn cast(&self, dtype: FloatDType) -> Self {
        let modules = self.modules.iter().map(|module| module.cast(dtype)).collect();
        Self { modules, ..self.clone() }
    }

    /// Losses and gradients of all modules.
    ///
    /// # Shapes
    /// - `images`: `[b, c, y, x]`; `draws`: for every module one set of pairs, or two under
    ///   [`Feedback::PredRetro`] (prediction, retrodiction)
    ///
    /// # Panics
    ///
    /// If a shape or the number of sets does not fit, or the rule needs W_retro and there is none.
    #[must_use]
    pub fn gradients(&self, images: &Tensor<4>, draws: &[Vec<Draws>]) -> Vec<ModuleGradients> {
        assert_eq!(
            draws.len(),
            self.modules.len(),
            "oracle: expected draws for {} modules, got {}",
            self.modules.len(),
            draws.len()
        );
        let modules: Vec<Module> = self.modules.iter().map(Module::tracked).collect();
        let representations = self.representations(&modules, images);
        let losses: Vec<ModuleLoss> = modules
            .iter()
            .zip(draws)
            .enumerate()
            .map(|(m, (module, draws))| {
                let target = &representations[m];
                let above = representations.get(m + 1);
                let context = match self.context {
                    Context::LayerAbove => above.unwrap_or(target),
                    Context::SameLayer => target,
                };
                module_loss(module, target, context, draws, (self.objective, self.feedback))
            })
            .collect();
        let total = Tensor::cat(losses.iter().map(|loss| loss.descended.clone()).collect(), 0);
        let gradients = total.sum().backward();
        modules
            .iter()
            .zip(losses)
            .map(|(module, loss)| module.gradients(loss.value, &gradients))
            .collect()
    }

    /// Representation of every module as a grid `[b, row, column, channel]`.
    fn representations(&self, modules: &[Module], images: &Tensor<4>) -> Vec<Tensor<4>> {
        let [batch, ..] = images.dims();
        let (mut input, [rows, columns]) = cut(images, self.patches);
        let mut representations = Vec::with_capacity(modules.len());
        for module in modules {
            let output = module.forward(input.detach());
            let [_, channels, ..] = output.dims();
            let mean = output.clone().mean_dim(3).mean_dim(2); // [n, channel, 1, 1]
            representations.push(mean.reshape([batch, rows, columns, channels]));
            input = output;
        }
        representations
    }
}

/// Patches `[b·rows·columns, c, size, size]` one by one, and the rows and columns of the grid.
fn cut(images: &Tensor<4>, patches: PatchGrid) -> (Tensor<4>, [usize; 2]) {
    let [batch, colours, height, width] = images.dims();
    let PatchGrid { size, stride } = patches;
    let starts = |pixels: usize| (0..=pixels - size).step_by(stride);
    let grid = [starts(height).count(), starts(width).count()];
    let patch = |(y, x): (usize, usize)| {
        images.clone().slice([0..batch, 0..colours, y..y + size, x..x + size])
    };
    let corners = starts(height).flat_map(|y| starts(width).map(move |x| (y, x)));
    let patches: Tensor<5> = Tensor::stack(corners.map(patch).collect(), 1); // [b, patch, c, y, x]
    (patches.reshape([batch * grid[0] * grid[1], colours, size, size]), grid)
}
