//! Encoders of sound, module by module, with gradients by automatic differentiation.

use burn::tensor::{Gradients, Tensor};
use clapp_encoders::{GruUpdate, LocalConv1d, LocalGru, SoundEncoder, TargetSide};
use clapp_rules::{Draws, Feedback, Objective, Optimizer, PredictorUpdate, Predictors, Rule};

use super::{
    layers::Stop,
    weights::{LayerGradients, Weights, descend, number},
};
use crate::oracle::{contrastive_loss, gradient, leaf};

/// Layers between two gradient stops, with the lateral weights of their one loss.
///
/// A module without convolutions predicts what comes into it; one without recurrence predicts itself.
#[derive(Clone, Debug)]
pub struct SoundModule {
    /// Convolutions in order.
    pub convolutions: Vec<LocalConv1d>,
    /// Recurrent layer on top, whose states are the context.
    pub recurrent: Option<LocalGru>,
    /// W_pred, and W_retro if there is one.
    pub predictors: Predictors,
}

/// Modules above modules, each with a loss of its own and a stopped gradient between them.
///
/// ```text
/// h^m = conv_m(stop(h^{m−1}))        L^m = L(z = h^m, c = gru_m(h^m) or h^m)
/// ```
///
/// Inside a module the gradient passes all layers, and all of time under [`Stop::Nowhere`].
///
/// # Paper
/// Illing et al. 2021, Table 1 (LibriSpeech); Löwe et al. 2019, `full_model.py`. Deviations: none.
///
/// # Example
///
/// CPC for sound, three steps:
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_baselines::sound::SoundNetwork;
/// use clapp_encoders::SoundConfig;
/// use clapp_rules::{Optimizer, Purpose, Rule, stream};
/// let (device, rule) = (Device::flex(), Rule { prediction_steps: 4, ..Rule::gim_sound() });
/// let config = SoundConfig { samples: 2560, ..SoundConfig::paper(1.0 / 64.0).unwrap() };
/// let mut cpc = SoundNetwork::end_to_end(&config.init(&rule, 2, &device).unwrap(), &rule);
/// for step in 0..3 {
///     let waves = Tensor::random([2, 1, 2560], Distribution::Normal(0.0, 1.0), &device);
///     let draws = rule.draw([2, 16, 1].into(), &mut stream(2, Purpose::Negatives, [step, 0, 0, 0]));
///     let losses = cpc.step(&waves, &[draws], &Optimizer::default());
///     assert_eq!(losses.len(), 1);
/// }
/// ```
#[derive(Clone, Debug)]
pub struct SoundNetwork {
    /// The modules, from the input up.
    pub modules: Vec<SoundModule>,
    /// Where the gradient of recurrent states is stopped.
    pub stop: Stop,
    /// Whether the loss of a module without convolutions reaches the module below, on its predicted side.
    pub target: TargetSide,
    /// Scores → loss.
    pub objective: Objective,
    /// How the loss reaches the context.
    pub feedback: Feedback,
}

/// Loss and gradients of one module.
#[derive(Clone, Debug)]
pub struct SoundGradients {
    /// The loss.
    pub loss: f64,
    /// ∂L/∂W `[j, i, τ]` and ∂L/∂b of the convolutions, in order.
    pub convolutions: Vec<(Tensor<3>, Tensor<1>)>,
    /// Gradients of the recurrent layer.
    pub recurrent: Option<GruUpdate>,
    /// ∂L/∂W_pred, ∂L/∂W_retro.
    pub predictors: PredictorUpdate,
}

/// A module whose weights are leaves of a graph.
struct Tracked {
    layers: Weights,
    w_pred: Tensor<3>,
    w_retro: Option<Tensor<3>>,
}

impl SoundNetwork {
    /// The losses that the layers of an encoder claim to descend: one module a layer, the recurrent one
    /// last.
    #[must_use]
    pub fn layer_wise(encoder: &SoundEncoder, rule: &Rule, stop: Stop) -> Self {
        let stack = &encoder.convolutions;
        let layers = stack.layers.iter().zip(&stack.predictors);
        let convolutions = layers.map(|(layer, predictors)| SoundModule {
            convolutions: vec![layer.clone()],
            recurrent: None,
            predictors: predictors.clone(),
        });
        let recurrent = encoder.recurrent.as_ref();
        let top = recurrent.map(|top| SoundModule {
            convolutions: Vec::new(),
            recurrent: Some(top.gru.clone()),
            predictors: top.predictors.clone(),
        });
        let target = recurrent.map_or(TargetSide::Stopped, |top| top.target);
        let modules = convolutions.chain(top).collect();
        Self { modules, stop, target, objective: rule.objective, feedback: rule.feedback }
    }

    /// CPC or Hinge Loss CPC: all layers in one module, one loss at the recurrent layer (or at the last
    /// convolution if there is none), back-propagation through everything.
    #[must_use]
    pub fn end_to_end(encoder: &SoundEncoder, rule: &Rule) -> Self {
        let top = encoder.recurrent.as_ref();
        let last = encoder.convolutions.predictors.last();
        let predictors = top.map(|top| &top.predictors).or(last);
        let module = SoundModule {
            convolutions: encoder.convolutions.layers.clone(),
            recurrent: top.map(|top| top.gru.clone()),
            predictors: predictors.expect("an encoder has layers").clone(),
        };
        Self {
            modules: vec![module],
            stop: Stop::Nowhere,
            target: TargetSide::Stopped,
            objective: rule.objective,
            feedback: rule.feedback,
        }
    }

    /// Losses and gradients of all modules.
    ///
    /// # Shapes
    /// - `waves`: `[batch, 1, samples]`; `draws`: for every module one set of pairs, or two under
    ///   [`Feedback::PredRetro`]
    ///
    /// # Panics
    ///
    /// If a shape or the number of sets does not fit, W_retro is missing, or feedback is
    /// [`Feedback::PredRetroShared`], which is not the gradient of a loss.
    #[must_use]
    pub fn gradients(&self, waves: &Tensor<3>, draws: &[Vec<Draws>]) -> Vec<SoundGradients> {
        let modules: Vec<Tracked> = self.modules.iter().map(Tracked::new).collect();
        assert_eq!(
            draws.len(),
            modules.len(),
            "sound: expected draws for {} modules, got {}",
            modules.len(),
            draws.len()
        );
        let mut below = waves.clone().inner().autodiff().swap_dims(1, 2);
        let mut losses = Vec::with_capacity(modules.len());
        for ((module, tracked), draws) in self.modules.iter().zip(&modules).zip(draws) {
            let (output, context) = tracked.layers.forward(below.clone().detach(), self.stop);
            let predicts_input = module.convolutions.is_empty();
            let target = if predicts_input && self.target == TargetSide::Learns {
                below
            } else {
                output.clone()
            };
            losses.push(self.loss(tracked, &grid(target), &grid(context), draws));
            below = output;
        }
        let gradients = Tensor::cat(losses.clone(), 0).sum().backward();
        let modules = modules.iter().zip(&losses);
        modules.map(|(module, loss)| module.gradients(number(loss), &gradients)).collect()
    }

    fn loss(&self, module: &Tracked, z: &Tensor<4>, c: &Tensor<4>, draws: &[Draws]) -> Tensor<1> {
        let loss = |z: &_, c: &_, w: &_, draws| contrastive_loss(z, c, w, draws, self.objective);
        let stopped = |grid: &Tensor<4>| grid.clone().detach();
        match self.feedback {
            Feedback::Symmetric => loss(z, c, &module.w_pred, &draws[0]),
            Feedback::Blocked => loss(z, &stopped(c), &module.w_pred, &draws[0]),
            Feedback::PredRetro => {
                let w_retro = module.w_retro.as_ref();
                let w_retro = w_retro.expect("sound: expected retrodiction weights, got none");
                loss(z, &stopped(c), &module.w_pred, &draws[0])
                    + loss(&stopped(z), c, &w_retro.clone().swap_dims(1, 2), &draws[1])
            }
            Feedback::PredRetroShared => {
                panic!("sound: expected feedback that is the gradient of a loss, got a shared one")
            }
        }
    }

    /// One step of learning; returns the losses of all modules.
    ///
    /// # Panics
    ///
    /// As [`gradients`](Self::gradients).
    pub fn step(
        &mut self,
        waves: &Tensor<3>,
        draws: &[Vec<Draws>],
        optimizer: &Optimizer,
    ) -> Vec<f64> {
        let gradients = self.gradients(waves, draws);
        let losses = gradients.iter().map(|gradients| gradients.loss).collect();
        for (module, gradients) in self.modules.iter_mut().zip(gradients) {
            module.descend(gradients, optimizer);
        }
        losses
    }

    /// Representation of every module, `[batch, time, channel]`: states of its recurrent layer if it has
    /// one.
    ///
    /// # Shapes
    /// - `waves`: `[batch, 1, samples]`
    #[must_use]
    pub fn representations(&self, waves: &Tensor<3>) -> Vec<Tensor<3>> {
        let mut below = waves.clone().swap_dims(1, 2);
        let mut representations = Vec::with_capacity(self.modules.len());
        for module in &self.modules {
            let weights = Weights::of(&module.convolutions, module.recurrent.as_ref());
            let (output, seen) = weights.forward(below, self.stop);
            representations.push(seen);
            below = output;
        }
        representations
    }
}

impl SoundModule {
    /// One step down the gradients.
    fn descend(&mut self, gradients: SoundGradients, optimizer: &Optimizer) {
        let SoundGradients { convolutions, recurrent, predictors, .. } = gradients;
        let layers = LayerGradients { convolutions, recurrent };
        descend(&mut self.convolutions, self.recurrent.as_mut(), layers, optimizer);
        let PredictorUpdate { w_pred, w_retro } = predictors;
        let update = PredictorUpdate { w_pred: -w_pred, w_retro: w_retro.map(|delta| -delta) };
        self.predictors.learn(update, optimizer);
    }
}

impl Tracked {
    fn new(module: &SoundModule) -> Self {
        Self {
            layers: Weights::tracked(&module.convolutions, module.recurrent.as_ref()),
            w_pred: leaf(&module.predictors.w_pred.weight()),
            w_retro: module.predictors.w_retro.as_ref().map(|w_retro| leaf(&w_retro.weight())),
        }
    }

    fn gradients(&self, loss: f64, gradients: &Gradients) -> SoundGradients {
        let LayerGradients { convolutions, recurrent } = self.layers.gradients(gradients);
        let predictors = PredictorUpdate {
            w_pred: gradient(&self.w_pred, gradients),
            w_retro: self.w_retro.as_ref().map(|w_retro| gradient(w_retro, gradients)),
        };
        SoundGradients { loss, convolutions, recurrent, predictors }
    }
}

/// `[batch, time, channel]` → `[batch, time, 1, channel]`.
fn grid(frames: Tensor<3>) -> Tensor<4> {
    frames.unsqueeze_dim(2)
}
