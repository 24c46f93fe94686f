//! The loss of every gradient-isolated module as a function of its weights, and its gradients by
//! automatic differentiation: the oracle of the written-out rules.
//!
//! Independent on purpose: from an encoder it takes numbers and geometry only. Inputs are cut, maps
//! convolved and normalised, scores and means taken here once more, with burn's plain operations and in
//! another order than the rules do (the score is c · (W_predᵀ z) here, z · (W_pred c) there).

use burn::tensor::Tensor;
use clapp_encoders::{Context, Moments, Prediction, Stack};
use clapp_rules::{Draws, Lateral, Optimizer, Plasticity, Shown};

use crate::{
    loss::{Loss, ModuleLoss},
    parts::Parts,
};

/// Modules above modules, each with a loss of its own and a stopped gradient between them.
///
/// ```text
/// x⁰ = input        x^m = module_m(stop(x^{m−1}))        h^m = what the module shows of x^m
/// L^m = L(z = h^m, c = h^m)        or c = h^{m+1}, the module above, or h^M, the top; or gru(h^m) on sound
/// ```
///
/// With `stop`, the sum of all losses has the gradients of each: one backward pass gives them all. A
/// module that lends its representation to the one below as context gets the sum of both signals. Inside a
/// module the gradient passes all layers, mean and variance of batch normalisation, and time.
///
/// | feedback | loss of a module |
/// |---|---|
/// | symmetric | L(z, c, W_pred) |
/// | blocked | L(z, stop c, W_pred) |
/// | W_retro | L(z, stop c, W_pred) + L(stop z, c, W_retroᵀ), each with draws of its own |
/// | W_retro shared | L(z, stop c, W_pred) + Σ stop(∂L/∂u) · cᵀ W_retro stop(z) |
/// | two views | L(z, stop c, B) |
///
/// The last one is no loss of the network: its third factor is *defined* as that of the prediction.
/// What can be differentiated is differentiated: −γ = ∂L/∂u, and the retrodicted score that it gates.
///
/// # Paper
/// Illing et al. 2021, Eqs. 2, 5, 15, 16 and Table 1; `ContrastiveLoss.py`, `VGG_like_Encoder.py`,
/// `FullModel.py`, `VGG_8.py`; Löwe et al. 2019, `full_model.py` for sound. Deviations: none.
#[derive(Clone, Debug)]
pub struct Oracle<M: Differentiable> {
    /// How raw data become the input of the first module.
    pub cut: M::Cut,
    /// The modules, from the input up.
    pub modules: Vec<M>,
    /// Where contexts come from.
    pub context: Context,
    /// Scores → loss.
    pub loss: Loss,
}

/// Layers between two gradient stops, with the lateral weights of their one loss.
#[derive(Clone, Debug)]
pub struct Module<L> {
    /// Layers in order; one for a layer that learns locally.
    pub layers: Vec<L>,
    /// W_pred, and W_retro if there is one; or B.
    pub lateral: Lateral,
    /// At which resolution its loss sees its map, where that is a choice.
    pub shown: Shown,
}

impl<L: Parts> Parts for Module<L> {
    fn each<V: crate::parts::Visit>(&mut self, other: &Self, visit: &mut V) {
        self.layers.each(&other.layers, visit);
        self.lateral.each(&other.lateral, visit);
    }
}

/// A module with its operations, written again with burn's own.
pub trait Differentiable: Parts + Clone {
    /// What an encoder sees.
    type Raw;
    /// How it is cut.
    type Cut: Clone + std::fmt::Debug;
    /// What one module hands to the next.
    type Data;

    /// The input of the first module.
    fn enter(raw: &Self::Raw, cut: &Self::Cut) -> Self::Data;

    /// What the module makes of the one below, whose gradient it stops.
    fn forward(&self, below: &Self::Data) -> Seen<Self::Data>;

    /// Lateral weights of its loss.
    fn lateral(&self) -> &Lateral;

    /// Lets running statistics follow what was seen.
    fn follow(&mut self, _moments: &[Moments]) {}
}

/// What a module keeps of a forward pass.
#[derive(Debug)]
pub struct Seen<D> {
    /// Input of the next module.
    pub output: D,
    /// z, `[batch, time, site, channel]`.
    pub target: Tensor<4>,
    /// c, `[batch, time, site, channel]`.
    pub context: Tensor<4>,
    /// What its layers were normalised with, if they are.
    pub moments: Vec<Moments>,
}

/// Loss and gradients of one module.
#[derive(Clone, Debug)]
pub struct Gradients<M> {
    /// The loss.
    pub loss: f64,
    /// ∂L/∂ of every weight, each in the place of the weight.
    pub module: M,
    /// c, `[batch, time, site, channel]`.
    pub representation: Tensor<4>,
    /// What its layers were normalised with, if they are.
    pub moments: Vec<Moments>,
}

impl<M: Differentiable> Oracle<M> {
    /// Losses and gradients of all modules.
    ///
    /// # Shapes
    /// - `raw`: images `[b, c, y, x]`, waves `[b, 1, samples]` or clips `[b, c, t, y, x]`
    /// - `draws`: for every module one set of pairs or coins, or two under
    ///   [`Feedback::PredRetro`](clapp_rules::Feedback::PredRetro) (prediction, retrodiction)
    ///
    /// # Panics
    ///
    /// If a shape or the number of sets does not fit, the rule needs W_retro and there is none, or a weight
    /// takes no part in any loss.
    #[must_use]
    pub fn gradients(&self, raw: &M::Raw, draws: &[Vec<Draws>]) -> Vec<Gradients<M>> {
        let (sets, expected) = (draws.len(), self.modules.len());
        assert_eq!(sets, expected, "oracle: expected draws for {expected} modules, got {sets}");
        let modules: Vec<M> = self.modules.iter().map(Parts::tracked).collect();
        let mut below = M::enter(raw, &self.cut);
        let mut all = Vec::with_capacity(modules.len());
        for module in &modules {
            let Seen { output, target, context, moments } = module.forward(&below);
            below = output;
            all.push((target, context, moments));
        }
        let losses: Vec<ModuleLoss> = modules
            .iter()
            .zip(draws)
            .enumerate()
            .map(|(m, (module, draws))| {
                let (target, own, _) = &all[m];
                let context = match self.context.of(m, all.len()) {
                    other if other == m => own,
                    other => &all[other].0,
                };
                self.loss.of_module([target, context], module.lateral(), draws)
            })
            .collect();
        let total = Tensor::cat(losses.iter().map(|loss| loss.descended.clone()).collect(), 0);
        let gradients = total.sum().backward();
        let parts = modules.iter().zip(losses).zip(all);
        parts
            .map(|((module, loss), (_, context, moments))| Gradients {
                loss: loss.value,
                module: module.gradients(&gradients),
                representation: context.inner(),
                moments,
            })
            .collect()
    }

    /// One step of every module down its loss; returns the losses from before.
    ///
    /// # Panics
    ///
    /// As [`gradients`](Self::gradients).
    pub fn step(&mut self, raw: &M::Raw, draws: &[Vec<Draws>], optimizer: &Optimizer) -> Vec<f64> {
        let gradients = self.gradients(raw, draws);
        let modules = self.modules.iter_mut().zip(gradients);
        modules
            .map(|(module, gradients)| {
                module.descend(&gradients.module, optimizer);
                module.follow(&gradients.moments);
                gradients.loss
            })
            .collect()
    }
}

impl<L: Clone> Oracle<Module<L>>
where
    Module<L>: Differentiable,
{
    /// The losses that a stack of local layers claims to descend, one module a layer.
    ///
    /// # Panics
    ///
    /// If there is not one prediction of each layer: by itself, by the layer above or by the top.
    #[must_use]
    pub fn of<'a, R: Plasticity>(
        stack: &Stack<L, <Module<L> as Differentiable>::Cut>,
        rule: &'a R,
    ) -> Self
    where
        Loss: From<&'a R>,
    {
        let layers = stack.layers.iter().zip(&stack.predictions).enumerate();
        let module = |(l, (layer, prediction)): (usize, (&L, &Prediction))| Module {
            layers: vec![layer.clone()],
            lateral: prediction.lateral.clone(),
            shown: rule.shows_layer(l),
        };
        let pairs: Vec<[usize; 2]> =
            stack.predictions.iter().map(|of| [of.target, of.context]).collect();
        let fits = |context: &Context| context.predictions(stack.layers.len()) == pairs;
        let contexts = [Context::SameLayer, Context::LayerAbove, Context::Top];
        let context = contexts.into_iter().find(fits).unwrap_or_else(|| {
            panic!("oracle: expected one prediction of each layer, got [target, context] {pairs:?}")
        });
        Self {
            cut: stack.cut.clone(),
            modules: layers.map(module).collect(),
            context,
            loss: rule.into(),
        }
    }

    /// Puts modules together to larger ones, each with the lateral weights of its last part: layers between
    /// two gradient stops, or all of them for CPC.
    ///
    /// # Panics
    ///
    /// If the sizes do not split the modules in order.
    #[must_use]
    pub fn joined(self, sizes: &[usize]) -> Self {
        let (sum, modules) = (sizes.iter().sum::<usize>(), self.modules.len());
        assert!(
            sum == modules && !sizes.contains(&0),
            "modules: expected sizes that add up to {modules}, got {sizes:?}"
        );
        let mut rest = self.modules.into_iter();
        let join = |&size: &usize| {
            let join = |lower: Module<L>, upper: Module<L>| Module {
                layers: lower.layers.into_iter().chain(upper.layers).collect(),
                ..upper
            };
            rest.by_ref().take(size).reduce(join).expect("a module has a layer")
        };
        Self { modules: sizes.iter().map(join).collect(), ..self }
    }
}
