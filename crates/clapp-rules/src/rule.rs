//! One update of one layer from its own activity: CLAPP, CLAPP-s, layer-wise GIM.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{
    Contrast, Draws, GridShape, Hinge, InfoNce, Negatives, Predictors, RuleError, WayBack,
    context_modulation, context_rows, delta_w_pred, dendritic_prediction, fixation_score,
    grid::add_rows,
    online::host_column,
    pairs::{ContrastSampler, Pairs, flip_outcomes},
    predictors::step_matrix,
    saccade_score, target_modulation, target_rows,
    updates::Gamma,
    weighted_targets,
};

/// How the signal of a pair reaches the neurons that predicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feedback {
    /// Through W_predᵀ: needs the weights of another synapse (weight transport).
    #[default]
    Symmetric,
    /// Through W_retro, which has its own draws and its own third factor (the authors' code).
    PredRetro,
    /// Through W_retro, with the draws and the one third factor of the prediction (the paper's
    /// online rule).
    PredRetroShared,
    /// Not at all: only the predicted neurons learn.
    Blocked,
}

impl Feedback {
    /// Whether there are retrodiction weights.
    #[must_use]
    pub fn way_back(self) -> WayBack {
        match self {
            Self::PredRetro | Self::PredRetroShared => WayBack::OwnWeights,
            Self::Symmetric | Self::Blocked => WayBack::Transposed,
        }
    }
}

/// When the two terms of a sample are learnt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    /// Fixation and saccades of every sample in one step: CLAPP-s.
    #[default]
    Synchronous,
    /// One of the two per sample, by a fair coin: CLAPP.
    TimeLocal,
}

/// Which loss turns scores into third factors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Objective {
    /// CLAPP's hinge.
    #[default]
    Hinge,
    /// InfoNCE (layer-wise GIM).
    InfoNce {
        /// ε inside the logarithm.
        epsilon: f64,
    },
}

/// A rule of the CLAPP family: sampler, objective, timing and feedback are values that combine
/// freely.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `objective` | hinge | scores → third factors | |
/// | `timing` | synchronous | CLAPP-s or CLAPP | time-local needs the hinge |
/// | `negatives` | 16 everywhere | saccade targets | see [`Negatives`] |
/// | `feedback` | symmetric | signal to the context | |
/// | `prediction_steps` | 5 | K | ≥ 1 |
/// | `skip` | 1 | steps left out between context and nearest target | K + skip < time steps |
///
/// # Example
///
/// Apply the rule to activities of your own; nothing but this crate is needed.
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_rules::{Predictors, Purpose, Rule, stream};
///
/// let device = Device::flex();
/// let rule = Rule::clapp();
/// // [batch, time, site, channel]
/// let z = Tensor::<4>::random([4, 7, 7, 8], Distribution::Uniform(0.0, 1.0), &device);
/// let mut random = stream(2, Purpose::Test, [0; 4]);
/// let predictors =
///     Predictors::init(rule.prediction_steps, 8, 8, rule.feedback.way_back(), &device, &mut random);
///
/// let draws = rule.draw([4, 7, 7].into(), &mut random);
/// let update = rule.update(z.clone(), z, &predictors, &draws);
/// // What every neuron has to multiply with its own ρ′(a)·x:
/// assert_eq!(update.modulation().dims(), [4, 7, 7, 8]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Loss and third factor.
    pub objective: Objective,
    /// Both terms at once, or one per sample.
    pub timing: Timing,
    /// How saccade targets are drawn.
    pub negatives: Negatives,
    /// How the signal reaches the context's neurons.
    pub feedback: Feedback,
    /// Prediction steps K.
    pub prediction_steps: usize,
    /// Time steps left out before the nearest target: step k predicts over `k + skip`.
    pub skip: usize,
}

impl From<[usize; 3]> for GridShape {
    fn from([batch, time, site]: [usize; 3]) -> Self {
        Self { batch, time, site }
    }
}

/// ΔW_pred and ΔW_retro of all prediction steps.
#[derive(Clone, Debug)]
pub struct PredictorUpdate {
    /// ΔW_pred, `[K, target channel, context channel]`.
    pub w_pred: Tensor<3>,
    /// ΔW_retro, `[K, context channel, target channel]`.
    pub w_retro: Option<Tensor<3>>,
}

/// What one update gives: signals for the neurons, changes for the lateral weights, numbers to
/// watch. [`Rule::update`] has an example.
#[derive(Clone, Debug)]
pub struct Update {
    /// Modulation of the predicted neurons, `[batch, time, site, target channel]`.
    pub target: Tensor<4>,
    /// Modulation of the predicting neurons, `[batch, time, site, context channel]`, unless blocked.
    pub context: Option<Tensor<4>>,
    /// Changes of the lateral weights.
    pub predictors: PredictorUpdate,
    /// Loss, fraction of open gates and contrastive accuracy, `[3]`; see [`Monitor`].
    pub monitor: Tensor<1>,
}

impl Update {
    /// Sum of both modulations, for a layer that predicts itself.
    ///
    /// # Panics
    ///
    /// If context and target have different channel counts.
    #[must_use]
    pub fn modulation(&self) -> Tensor<4> {
        match &self.context {
            Some(context) => self.target.clone() + context.clone(),
            None => self.target.clone(),
        }
    }

    /// Reads the numbers to watch from the device.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor::read(&self.monitor)
    }
}

/// Numbers to watch while a layer learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    /// Loss of the layer; about 2 for an untrained one under [`Feedback::Symmetric`].
    pub loss: f64,
    /// Fraction of pairs whose third factor is not 0.
    pub open_gates: f64,
    /// Fraction of contexts whose own target scores above all their saccades.
    pub accuracy: f64,
}

impl Monitor {
    pub(crate) fn read(numbers: &Tensor<1>) -> Self {
        let values = numbers.to_data().convert::<f64>().try_to_vec::<f64>().unwrap_or_default();
        let [loss, open_gates, accuracy] = values[..] else {
            panic!("monitor: expected 3 numbers, got {}", values.len())
        };
        Self { loss, open_gates, accuracy }
    }
}

/// One half of an update: scores from one set of lateral weights.
struct Half {
    /// γ-weighted targets per step.
    weighted: Vec<Tensor<2>>,
    /// ΔW of the scoring weights per step.
    deltas: Vec<Tensor<2>>,
    /// Modulation of the score's target side.
    target: Tensor<4>,
    monitor: Tensor<1>,
}

impl Rule {
    /// CLAPP: time-local, W_pred and W_retro, one saccade of the whole map.
    ///
    /// # Paper
    /// Illing et al. 2021, Table 1, CLAPP; `vision_traineval_CLAPP.sh`. Deviations: none.
    ///
    /// ```
    /// use clapp_rules::{Feedback, Rule, Scope, Timing};
    /// let rule = Rule::clapp();
    /// assert_eq!((rule.timing, rule.feedback), (Timing::TimeLocal, Feedback::PredRetro));
    /// assert_eq!(rule.negatives.scope, Scope::SamePositionShared);
    /// ```
    #[must_use]
    pub fn clapp() -> Self {
        Self {
            objective: Objective::Hinge,
            timing: Timing::TimeLocal,
            negatives: Negatives {
                count: 1,
                scope: crate::Scope::SamePositionShared,
                ..Negatives::default()
            },
            feedback: Feedback::PredRetro,
            prediction_steps: 5,
            skip: 1,
        }
    }

    /// CLAPP-s: synchronous, symmetric weights, 16 saccades everywhere.
    ///
    /// # Paper
    /// Illing et al. 2021, Table 1, CLAPP-s; `vision_traineval_CLAPP_s_sym_W_pred.sh`. Deviations:
    /// none.
    ///
    /// ```
    /// use clapp_rules::{Feedback, Rule, Timing};
    /// let rule = Rule::clapp_s();
    /// assert_eq!((rule.timing, rule.feedback), (Timing::Synchronous, Feedback::Symmetric));
    /// assert_eq!(rule.negatives.count, 16);
    /// ```
    #[must_use]
    pub fn clapp_s() -> Self {
        Self {
            objective: Objective::Hinge,
            timing: Timing::Synchronous,
            negatives: Negatives::default(),
            feedback: Feedback::Symmetric,
            prediction_steps: 5,
            skip: 1,
        }
    }

    /// Layer-wise Greedy InfoMax: CLAPP-s with InfoNCE in the place of the hinge.
    ///
    /// # Paper
    /// Löwe et al. 2019; Illing et al. 2021, Table 1, layer-wise GIM. Deviations: none.
    ///
    /// ```
    /// use clapp_rules::{Objective, Rule};
    /// assert_eq!(Rule::gim().objective, Objective::InfoNce { epsilon: 1e-11 });
    /// ```
    #[must_use]
    pub fn gim() -> Self {
        let epsilon = InfoNce::default().epsilon;
        Self { objective: Objective::InfoNce { epsilon }, ..Self::clapp_s() }
    }

    /// Distance in time of prediction step `k` (from 1).
    ///
    /// ```
    /// assert_eq!(clapp_rules::Rule::clapp().shift(1), 2);
    /// ```
    #[must_use]
    pub fn shift(&self, k: usize) -> usize {
        k + self.skip
    }

    /// Checks the configuration against a number of time steps.
    ///
    /// # Errors
    ///
    /// - [`RuleError::NoPredictionSteps`]: `prediction_steps` is 0
    /// - [`RuleError::TooFewTimeSteps`]: the furthest prediction leaves the `time` steps
    /// - [`RuleError::NoNegatives`]: `negatives.count` is 0
    /// - [`RuleError::NotSeparable`]: time-local with an objective that needs all scores at once
    ///
    /// ```
    /// use clapp_rules::{Rule, RuleError, Timing};
    /// assert_eq!(Rule::clapp().validate(7), Ok(()));
    /// let error = Rule::clapp().validate(6).unwrap_err();
    /// assert_eq!(error, RuleError::TooFewTimeSteps { furthest: 6, time: 6 });
    /// let rule = Rule { timing: Timing::TimeLocal, ..Rule::gim() };
    /// assert_eq!(rule.validate(7), Err(RuleError::NotSeparable));
    /// ```
    pub fn validate(&self, time: usize) -> Result<(), RuleError> {
        if self.prediction_steps == 0 {
            return Err(RuleError::NoPredictionSteps);
        }
        if self.shift(self.prediction_steps) >= time {
            let furthest = self.shift(self.prediction_steps);
            return Err(RuleError::TooFewTimeSteps { furthest, time });
        }
        if self.negatives.count == 0 {
            return Err(RuleError::NoNegatives);
        }
        let time_local = self.timing == Timing::TimeLocal;
        if time_local && !self.contrast().separable() {
            return Err(RuleError::NotSeparable);
        }
        Ok(())
    }

    /// The objective as a trait object.
    #[must_use]
    pub fn contrast(&self) -> Box<dyn Contrast> {
        match self.objective {
            Objective::Hinge => Box::new(Hinge),
            Objective::InfoNce { epsilon } => Box::new(InfoNce { epsilon }),
        }
    }

    /// Draws all pairs of one update: one set, or two where W_retro has its own.
    ///
    /// ```
    /// use clapp_rules::{Purpose, Rule, stream};
    /// let mut random = stream(2, Purpose::Negatives, [0; 4]);
    /// let draws = Rule::clapp().draw([32, 7, 7].into(), &mut random);
    /// assert_eq!(draws.len(), 2); // prediction and retrodiction
    /// assert_eq!(draws[0].pairs.len(), 5); // one set of saccades for every prediction step
    /// assert_eq!(draws[0].outcomes.as_ref().unwrap().len(), 32); // one coin for every sample
    /// ```
    ///
    /// # Panics
    ///
    /// As the sampler: if the pool does not divide the batch, or nothing is left to jump to.
    #[must_use]
    pub fn draw(&self, shape: GridShape, random: &mut dyn rand::Rng) -> Vec<Draws> {
        let halves = if self.feedback == Feedback::PredRetro { 2 } else { 1 };
        (0..halves).map(|_| self.draw_half(shape, random)).collect()
    }

    fn draw_half(&self, shape: GridShape, random: &mut dyn rand::Rng) -> Draws {
        let outcomes = match self.timing {
            Timing::Synchronous => None,
            Timing::TimeLocal => Some(flip_outcomes(shape.batch, random)),
        };
        let pairs = (1..=self.prediction_steps)
            .map(|k| self.negatives.pairs(shape, self.shift(k), random))
            .collect();
        Draws { pairs, outcomes }
    }

    /// One update of one layer.
    ///
    /// ```text
    /// L = (1/K) Σ_k [mean max(0, 1 − u⁺) + mean max(0, 1 + u⁻)]        u = zᵀ W_pred c
    /// ΔW_pred = −∂L/∂W_pred        m = −∂L/∂z, −∂L/∂c
    /// ```
    ///
    /// Local: of other layers it sees nothing, of this one only activities and lateral weights. What
    /// a neuron does with its modulation m, usually ΔW_ji = m_j ρ′(a_j) x_i, is the neuron's business.
    ///
    /// # Shapes
    /// - `target`, `context`: `[batch, time, site, channel]`; the same tensor for a layer that
    ///   predicts itself
    /// - `draws`: one set, or two under [`Feedback::PredRetro`] (prediction, retrodiction)
    ///
    /// # Panics
    ///
    /// If the number of sets, or any shape, does not fit.
    ///
    /// # Paper
    /// Illing et al. 2021, Eqs. 5–10 over patches (`ContrastiveLoss.py`, `compare_updates.py`).
    /// Deviations: none.
    ///
    /// # Example
    ///
    /// Two neurons, one fixation: c = (1, 2), z = (½, 1), W_pred = diag(0.1, 0.2), so u = 0.45.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use clapp_rules::{Draws, Feedback, Outcome, Pairs, Predictors, Rule, Synapses};
    ///
    /// let device = Device::flex();
    /// let feedback = Feedback::Symmetric;
    /// let rule = Rule { feedback, prediction_steps: 1, skip: 0, ..Rule::clapp() };
    /// let z = Tensor::<1>::from_floats([1.0, 2.0, 0.5, 1.0], &device).reshape([1, 2, 1, 2]);
    /// let w_pred = Tensor::<3>::from_floats([[[0.1, 0.0], [0.0, 0.2]]], &device);
    /// let predictors = Predictors { w_pred: Synapses::new(w_pred), w_retro: None };
    /// let pairs = vec![Pairs { shift: 1, count: 1, index: vec![0] }];
    /// let draws = [Draws { pairs, outcomes: Some(vec![Outcome::Fixation]) }];
    ///
    /// let update = rule.update(z.clone(), z, &predictors, &draws);
    /// let w_pred = update.predictors.w_pred.clone().into_data();
    /// assert_eq!(w_pred.try_to_vec::<f32>().unwrap(), [0.5, 1.0, 1.0, 2.0]); // γ z cᵀ
    /// assert!((update.monitor().loss - 0.55).abs() < 1e-6);
    /// ```
    ///
    /// # Cost
    /// O(K · rows · channels²) for the products with W_pred, O(K · rows · n · channels) for saccades.
    #[must_use]
    pub fn update(
        &self,
        target: Tensor<4>,
        context: Tensor<4>,
        predictors: &Predictors,
        draws: &[Draws],
    ) -> Update {
        self.update_with(self.contrast().as_ref(), target, context, predictors, draws)
    }

    /// [`update`](Self::update) with a contrast of your own in place of the objective.
    ///
    /// The crate's root page has a whole rule made this way.
    ///
    /// # Panics
    ///
    /// As [`update`](Self::update).
    #[must_use]
    pub fn update_with(
        &self,
        contrast: &dyn Contrast,
        target: Tensor<4>,
        context: Tensor<4>,
        predictors: &Predictors,
        draws: &[Draws],
    ) -> Update {
        let halves = if self.feedback == Feedback::PredRetro { 2 } else { 1 };
        assert_eq!(
            draws.len(),
            halves,
            "update: expected {halves} sets of draws, got {}",
            draws.len()
        );
        let w_pred = predictors.w_pred.weight();
        let forward = half(contrast, &target, &context, &w_pred, &draws[0]);
        let w_retro = || {
            let synapses = predictors.w_retro.as_ref();
            synapses
                .expect("feedback through W_retro: expected retrodiction weights, got none")
                .weight()
        };
        match self.feedback {
            Feedback::Blocked => finish(forward, None, None),
            Feedback::Symmetric => {
                let way_back = w_pred.swap_dims(1, 2);
                let modulation = back(&forward.weighted, &context, &way_back, &draws[0]);
                finish(forward, Some(modulation), None)
            }
            Feedback::PredRetroShared => {
                let modulation = back(&forward.weighted, &context, &w_retro(), &draws[0]);
                // ΔW_retro = cᵀ g is the transpose of ΔW_pred = gᵀ c: the rules are reciprocal.
                let delta = transposed(&forward.deltas);
                finish(forward, Some(modulation), Some(delta))
            }
            Feedback::PredRetro => {
                // The second half scores with W_retroᵀ in the place of W_pred.
                let w_retro = w_retro();
                let scores = w_retro.clone().swap_dims(1, 2);
                let reverse = half(contrast, &target, &context, &scores, &draws[1]);
                let modulation = back(&reverse.weighted, &context, &w_retro, &draws[1]);
                let delta = transposed(&reverse.deltas);
                let monitor = merge_monitors(forward.monitor.clone(), reverse.monitor);
                let mut update = finish(forward, Some(modulation), Some(delta));
                update.monitor = monitor;
                update
            }
        }
    }
}

/// Scores, gates and the target side of all prediction steps.
fn half(
    contrast: &dyn Contrast,
    target: &Tensor<4>,
    context: &Tensor<4>,
    w_pred: &Tensor<3>,
    draws: &Draws,
) -> Half {
    let [batch, time, site, _] = target.dims();
    let [steps, ..] = w_pred.dims();
    assert_eq!(
        draws.pairs.len(),
        steps,
        "update: expected pairs for {steps} prediction steps, got {}",
        draws.pairs.len()
    );
    let shape = GridShape { batch, time, site };
    let mut modulation = target.zeros_like();
    let mut weighted = Vec::with_capacity(steps);
    let mut deltas = Vec::with_capacity(steps);
    let mut monitors = Vec::with_capacity(steps);
    for (k, pairs) in draws.pairs.iter().enumerate() {
        let z = target_rows(target.clone(), pairs.shift);
        let c = context_rows(context.clone(), pairs.shift);
        let index = pairs.to_device(&z.device());
        let prediction = dendritic_prediction(c.clone(), step_matrix(w_pred, k));
        let fixation = fixation_score(z.clone(), prediction.clone());
        let saccade = saccade_score(z.clone(), prediction.clone(), index.clone());
        let (gamma, monitor) = gates(contrast, fixation, saccade, draws, shape, pairs);
        let g = weighted_targets(&gamma, z, index.clone());
        deltas.push(delta_w_pred(g.clone(), c));
        weighted.push(g);
        let rows = target_modulation(&gamma, prediction, index);
        modulation = add_rows(modulation, rows, pairs.shift, time - pairs.shift);
        monitors.push(monitor);
    }
    let monitor = Tensor::stack::<2>(monitors, 0);
    Half { weighted, deltas, target: modulation, monitor: collapse(monitor, steps) }
}

/// Third factors with the weight of their rows, and the step's numbers to watch.
fn gates(
    contrast: &dyn Contrast,
    fixation: Tensor<2>,
    saccade: Tensor<2>,
    draws: &Draws,
    shape: GridShape,
    pairs: &Pairs,
) -> (Gamma, Tensor<1>) {
    let [_, n] = saccade.dims();
    let best = saccade.clone().max_dim(1);
    let accuracy = fixation.clone().greater(best).float().cast(fixation.dtype()).mean();
    let (fixation_weight, saccade_weight) = draws.weights(shape, pairs.shift);
    // Terms that a sample does not contribute have no gate to count.
    let used = |weights: &[f64]| weights.iter().filter(|&&weight| weight > 0.0).count();
    let pairs_used = used(&fixation_weight) + n * used(&saccade_weight);
    let column = |weights| host_column(weights, &fixation);
    let (fixation_weight, saccade_weight) = (column(fixation_weight), column(saccade_weight));
    let third = contrast.third_factor(fixation, saccade);
    let loss = (third.fixation_loss * fixation_weight.clone()
        + third.saccade_loss * saccade_weight.clone())
    .sum();
    let gamma = Gamma {
        fixation: third.fixation * fixation_weight,
        saccade: third.saccade * saccade_weight,
    };
    let open = gamma.fixation.clone().abs().sign().sum() + gamma.saccade.clone().abs().sign().sum();
    let monitor = Tensor::cat(vec![loss, open / pairs_used.max(1) as f64, accuracy], 0);
    (gamma, monitor)
}

/// Sum of losses, mean of the rest, over prediction steps.
fn collapse(monitors: Tensor<2>, steps: usize) -> Tensor<1> {
    let sums = monitors.sum_dim(0).reshape([3]);
    let loss = sums.clone().narrow(0, 0, 1);
    Tensor::cat(vec![loss, sums.narrow(0, 1, 2) / steps as f64], 0)
}

/// Losses add up, fractions are averaged.
fn merge_monitors(forward: Tensor<1>, reverse: Tensor<1>) -> Tensor<1> {
    let sum = forward + reverse;
    Tensor::cat(vec![sum.clone().narrow(0, 0, 1), sum.narrow(0, 1, 2) / 2.0], 0)
}

/// Context side of all prediction steps: `W_retro g`, added up over steps.
fn back(
    weighted: &[Tensor<2>],
    context: &Tensor<4>,
    w_retro: &Tensor<3>,
    draws: &Draws,
) -> Tensor<4> {
    let [_, time, ..] = context.dims();
    let mut modulation = context.zeros_like();
    for (k, (g, pairs)) in weighted.iter().zip(&draws.pairs).enumerate() {
        let rows = context_modulation(g.clone(), step_matrix(w_retro, k));
        modulation = add_rows(modulation, rows, 0, time - pairs.shift);
    }
    modulation
}

/// ΔW_retro of all prediction steps from the deltas `gᵀ c` of the scores that it gates.
fn transposed(deltas: &[Tensor<2>]) -> Tensor<3> {
    Tensor::stack::<3>(deltas.to_vec(), 0).swap_dims(1, 2)
}

fn finish(forward: Half, modulation: Option<Tensor<4>>, w_retro: Option<Tensor<3>>) -> Update {
    Update {
        target: forward.target,
        context: modulation,
        predictors: PredictorUpdate { w_pred: Tensor::stack(forward.deltas, 0), w_retro },
        monitor: forward.monitor,
    }
}
