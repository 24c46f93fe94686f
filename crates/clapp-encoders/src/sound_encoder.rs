//! Convolutions over time and a recurrent layer, each with a loss of its own.

use burn::tensor::Tensor;
use clapp_rules::{
    Contrast, GridShape, Optimizer, Predictors, Rule, State, StateError, Update, Watched,
};
use serde::{Deserialize, Serialize};

use crate::{
    Context, DrawPairs, GruActivity, Learnt, LocalActivity, LocalConv1d, LocalGru, LocalLayer,
    Persist, Seen, Stack, Wave, WaveActivity,
};

/// Whether the last convolution learns from the loss in which the recurrent layer predicts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetSide {
    /// It does not: the recurrent layer's input is a constant (Greedy InfoMax).
    #[default]
    Stopped,
    /// It does, on the predicted side: the paper's text.
    Learns,
}

/// A recurrent layer that predicts the last convolution.
#[derive(Clone, Debug)]
pub struct Recurrent {
    /// The layer.
    pub gru: LocalGru,
    /// From its units to the channels of the last convolution.
    pub predictors: Predictors,
    /// What the last convolution learns from it.
    pub target: TargetSide,
}

/// A stack of convolutions over time, each predicting itself, and a recurrent layer that predicts the
/// last of them.
///
/// ```text
/// layers 1 … L:        L_l = L(z = h_l, c = h_l)
/// recurrent layer:     L_{L+1} = L(z = h_L, c = gru(h_L))
/// ```
///
/// # Paper
/// Illing et al. 2021, Sec. 4 and appendix B.2; Löwe et al. 2019, `full_model.py` with six modules.
/// Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_encoders::SoundConfig;
/// use clapp_random::{Purpose, stream};
/// use clapp_rules::{Optimizer, Rule};
///
/// let (device, rule) = (Device::flex(), Rule::clapp_s_sound());
/// let config = SoundConfig { samples: 5120, ..SoundConfig::paper(1.0 / 64.0).unwrap() };
/// let mut encoder = config.init(&rule, 2, &device).unwrap();
/// let waves = Tensor::random([2, 1, 5120], Distribution::Normal(0.0, 1.0), &device);
/// let watched = encoder.step(waves.clone(), &rule, &Optimizer::default(), &mut |layer, shape| {
///     rule.draw(shape, &mut stream(2, Purpose::Negatives, [0, layer as u64, 0, 0]))
/// });
/// assert_eq!(watched.len(), 6);
/// // 32 frames of 10 ms, in every layer at its own rate.
/// let mut frames = Vec::new();
/// encoder.look(waves, &mut |_, grid| frames.push(grid.dims()[1]));
/// assert_eq!(frames, [1023, 255, 128, 65, 32, 32]);
/// ```
#[derive(Clone, Debug)]
pub struct SoundEncoder {
    /// The convolutions with their lateral weights.
    pub convolutions: Stack<LocalConv1d, Wave>,
    /// The recurrent layer.
    pub recurrent: Option<Recurrent>,
}

/// A layer of a [`SoundEncoder`] with what it has to learn.
#[derive(Debug)]
pub enum SoundLearner<'a> {
    /// A convolution.
    Convolution(&'a mut LocalConv1d, Box<Learnt<WaveActivity>>),
    /// The recurrent layer.
    Recurrent(&'a mut LocalGru, Box<Learnt<GruActivity>>),
}

impl SoundLearner<'_> {
    /// Applies the change; returns the rule's update.
    pub fn learn(self, optimizer: &Optimizer) -> Update {
        match self {
            Self::Convolution(layer, learnt) => {
                layer.learn(learnt.activity, learnt.modulation, optimizer);
                learnt.update
            }
            Self::Recurrent(layer, learnt) => {
                layer.learn(learnt.activity, learnt.modulation, optimizer);
                learnt.update
            }
        }
    }
}

impl SoundEncoder {
    /// One step of learning: every layer hears the waves, predicts, and changes its own weights.
    ///
    /// # Shapes
    /// - `waves`: `[batch, 1, samples]`; returns the numbers to watch of every layer, the recurrent one
    ///   last
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn step(
        &mut self,
        waves: Tensor<3>,
        rule: &Rule,
        optimizer: &Optimizer,
        draw: &mut DrawPairs<'_>,
    ) -> Vec<Watched> {
        let mut watched = Vec::with_capacity(self.convolutions.layers.len() + 1);
        let contrast = rule.contrast();
        self.visit(contrast.as_ref(), waves, rule, draw, &mut |layer, predictors| {
            let update = layer.learn(optimizer);
            predictors.learn(update.predictors.clone(), optimizer);
            watched.push(update.watched());
        });
        watched
    }

    /// Walks up the encoder and hands every layer what it has to learn, without deciding what to do
    /// with it.
    ///
    /// # Panics
    ///
    /// As [`step`](Self::step).
    pub fn visit(
        &mut self,
        contrast: &dyn Contrast,
        waves: Tensor<3>,
        rule: &Rule,
        draw: &mut DrawPairs<'_>,
        learn: &mut dyn FnMut(SoundLearner<'_>, &mut Predictors),
    ) {
        let (last, own_context) = (self.convolutions.layers.len() - 1, self.convolutions.context);
        let (recurrent, mut heard) = (&mut self.recurrent, None);
        let mut draws_of = |l: usize, grid: &Tensor<4>| {
            let [batch, time, site, _] = grid.dims();
            draw(l, GridShape { batch, time, site })
        };
        let mut update = |l: usize, Seen { target, context, predictors }: Seen<'_>| {
            let draws = draws_of(l, &target);
            let top = recurrent.as_ref().filter(|_| l == last);
            let hearing = top.map(|top| (top, target.clone()));
            let mut update = match own_context {
                Context::SameLayer => rule.update_self_with(contrast, target, predictors, &draws),
                Context::LayerAbove => {
                    rule.update_with(contrast, target, context, predictors, &draws)
                }
            };
            if let Some((top, target)) = hearing {
                let activity = top.gru.forward(&frames(target.clone()));
                let (context, draws) = (activity.representation(), draws_of(l + 1, &target));
                let upper = rule.update_with(contrast, target, context, &top.predictors, &draws);
                if top.target == TargetSide::Learns {
                    update.target = update.target + upper.target.clone();
                }
                heard = Some((activity, upper));
            }
            update
        };
        self.convolutions.walk(waves, &mut update, &mut |layer, predictors, learnt| {
            learn(SoundLearner::Convolution(layer, Box::new(learnt)), predictors);
        });
        if let (Some(top), Some((activity, update))) = (recurrent.as_mut(), heard) {
            let silent = || activity.representation().zeros_like();
            let modulation = update.context.clone().unwrap_or_else(silent);
            let learnt = Box::new(Learnt { activity, modulation, update });
            learn(SoundLearner::Recurrent(&mut top.gru, learnt), &mut top.predictors);
        }
    }

    /// Shows the representation `[batch, time, 1, channel]` of every layer, the recurrent one last.
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn look(&self, waves: Tensor<3>, see: &mut dyn FnMut(usize, Tensor<4>)) {
        let last = self.convolutions.layers.len() - 1;
        let mut top = None;
        self.convolutions.look(waves, &mut |l, grid| {
            if l == last {
                top = Some(grid.clone());
            }
            see(l, grid);
        });
        if let (Some(recurrent), Some(grid)) = (&self.recurrent, top) {
            see(last + 1, recurrent.gru.forward(&frames(grid)).representation());
        }
    }

    /// Adds everything that learns to `state`.
    pub fn save(&self, state: &mut State) {
        self.convolutions.save(state);
        if let Some(recurrent) = &self.recurrent {
            recurrent.gru.save("recurrent", state);
            recurrent.predictors.save("recurrent", state);
        }
    }

    /// Restores what [`save`](Self::save) added.
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape.
    pub fn load(&mut self, state: &State) -> Result<(), StateError> {
        self.convolutions.load(state)?;
        if let Some(recurrent) = &mut self.recurrent {
            recurrent.gru.load("recurrent", state)?;
            recurrent.predictors.load("recurrent", state)?;
        }
        Ok(())
    }
}

/// `[batch, time, 1, channel]` → `[batch, time, channel]`.
fn frames(grid: Tensor<4>) -> Tensor<3> {
    let [batch, time, _, channels] = grid.dims();
    grid.reshape([batch, time, channels])
}
