//! What an update is made of: its values, its two halves, its numbers to watch.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{
    Contrast, Draws, GridShape, context_modulation, context_rows, delta_w_pred,
    dendritic_prediction, fixation_score, grid::add_rows, online::host_column, pairs::Pairs,
    predictors::step_matrix, saccade_score, target_modulation, target_rows, updates::Gamma,
    weighted_targets,
};

/// ΔW_pred and ΔW_retro of all prediction steps.
#[derive(Clone, Debug)]
pub struct PredictorUpdate {
    /// ΔW_pred, `[K, target channel, context channel]`.
    pub w_pred: Tensor<3>,
    /// ΔW_retro, `[K, context channel, target channel]`.
    pub w_retro: Option<Tensor<3>>,
}

/// What one update gives: signals for the neurons, changes for the lateral weights, numbers to
/// watch. [`Rule::update`](crate::Rule::update) has an example.
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
    /// Loss of the layer; about 2 for an untrained one under [`Feedback::Symmetric`](crate::Feedback::Symmetric).
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
pub(crate) struct Half {
    /// γ-weighted targets per step.
    pub(crate) weighted: Vec<Tensor<2>>,
    /// ΔW of the scoring weights per step.
    pub(crate) deltas: Vec<Tensor<2>>,
    /// Modulation of the score's target side.
    pub(crate) target: Tensor<4>,
    pub(crate) monitor: Tensor<1>,
}

/// Scores, gates and the target side of all prediction steps.
pub(crate) fn half(
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
pub(crate) fn merge_monitors(forward: Tensor<1>, reverse: Tensor<1>) -> Tensor<1> {
    let sum = forward + reverse;
    Tensor::cat(vec![sum.clone().narrow(0, 0, 1), sum.narrow(0, 1, 2) / 2.0], 0)
}

/// Context side of all prediction steps: `W_retro g`, added up over steps.
pub(crate) fn back(
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
pub(crate) fn transposed(deltas: &[Tensor<2>]) -> Tensor<3> {
    Tensor::stack::<3>(deltas.to_vec(), 0).swap_dims(1, 2)
}

pub(crate) fn finish(
    forward: Half,
    modulation: Option<Tensor<4>>,
    w_retro: Option<Tensor<3>>,
) -> Update {
    Update {
        target: forward.target,
        context: modulation,
        predictors: PredictorUpdate { w_pred: Tensor::stack(forward.deltas, 0), w_retro },
        monitor: forward.monitor,
    }
}
