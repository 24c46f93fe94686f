//! Scores of pairs and the losses over them, on tensors that can be differentiated.

use burn::tensor::{
    DType, Int, Tensor, TensorData,
    activation::{relu, softmax},
};
use clapp_rules::{Draws, Feedback, Objective, Outcome, Pairs, Window};

use super::module::{Module, gradient, leaf};

/// Scores of one prediction step.
#[derive(Clone, Debug)]
pub struct Scores {
    /// u⁺ of every context, `[rows, 1]`.
    pub fixation: Tensor<2>,
    /// u⁻ of every saccade, `[rows, n]`.
    pub saccade: Tensor<2>,
}

/// Scores of all pairs of one prediction step.
///
/// ```text
/// u[r, n] = c_r · (W_predᵀ z)_{index[r, n]}        rows r = (sample, time, site)
/// ```
///
/// The authors' image code scores like this: its 1×1 convolution W_k = W_predᵀ acts on all targets,
/// and pairs are picked afterwards.
///
/// # Shapes
/// - `target`, `context`: `[batch, time, site, channel]`; `w_pred`: `[target channel, context channel]`
/// - `window`: where contexts and true targets come from; an index then names rows of the whole grid
///
/// # Paper
/// Illing et al. 2021, Eq. 5; `ContrastiveLoss.py` `forward`. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_baselines::oracle::scores;
/// use clapp_rules::Pairs;
/// let z = Tensor::<1>::from_floats([2.0, 3.0], &Device::flex()).reshape([1, 2, 1, 1]);
/// let pairs = Pairs { shift: 1, count: 1, index: vec![0] };
/// let u = scores(&z, &z, Tensor::ones([1, 1], &z.device()), &pairs, None);
/// assert_eq!(u.fixation.into_scalar::<f32>(), 6.0);
/// ```
#[must_use]
pub fn scores(
    target: &Tensor<4>,
    context: &Tensor<4>,
    w_pred: Tensor<2>,
    pairs: &Pairs,
    window: Option<Window>,
) -> Scores {
    let [batch, time, site, z] = target.dims();
    let [.., c] = context.dims();
    let Window { start, steps } = window.unwrap_or(Window { start: 0, steps: time });
    let (steps, n) = (steps - pairs.shift, pairs.count);
    let rows = batch * steps * site;
    let context = context.clone().narrow(1, start, steps).reshape([rows, c]);
    let followed = target.clone().narrow(1, start + pairs.shift, steps).reshape([rows, z]);
    let expected = followed.matmul(w_pred.clone()); // [rows, context channel]
    let landings = match window {
        Some(_) => target.clone().reshape([batch * time * site, z]).matmul(w_pred),
        None => expected.clone(),
    };
    let index: Vec<i32> = pairs.index.iter().map(|&row| row as i32).collect();
    let index = TensorData::new(index, [rows * n]);
    let index = Tensor::<1, Int>::from_data(index, (&expected.device(), DType::I32));
    let landed = landings.select(0, index).reshape([rows, n, c]);
    let saccade = (landed * context.clone().reshape([rows, 1, c])).sum_dim(2);
    Scores { fixation: (expected * context).sum_dim(1), saccade: saccade.reshape([rows, n]) }
}

/// Loss of a layer from the scores of its K prediction steps.
///
/// ```text
/// hinge:    L = (1/K) Σ_k ( mean max(0, 1 − u⁺) + mean max(0, 1 + u⁻) )
/// InfoNCE:  L = (1/K) Σ_k mean −log(softmax(u⁺, u⁻_1 … u⁻_n)₀ + ε)
/// ```
///
/// Means run over samples, positions and saccades. Time-local: the first mean over the samples that
/// fixate, the second over those that jump; a mean over no samples is 0.
///
/// # Shapes
/// - `scores`: K steps, rows in the order sample, time, site; returns `[1]`
///
/// # Panics
///
/// If InfoNCE is to be time-local: it needs both terms at once.
///
/// # Paper
/// Illing et al. 2021, Eqs. 2 and 5; `ContrastiveLoss.py` `_add_losses`, `ExpNLLLoss`. Deviations:
/// none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_baselines::oracle::{Scores, loss_of_scores};
/// use clapp_rules::{Draws, Objective, Outcome};
/// let device = Device::flex();
/// let column = |u: [f32; 2]| Tensor::<1>::from_floats(u, &device).reshape([2, 1]);
/// let u = [Scores { fixation: column([0.5, 3.0]), saccade: column([0.0, 1.0]) }];
/// let loss = |outcomes| {
///     let draws = Draws { pairs: Vec::new(), outcomes, window: None };
///     loss_of_scores(&u, &draws, 2, Objective::Hinge).into_scalar::<f32>()
/// };
/// assert_eq!(loss(None), 0.25 + 1.5);
/// assert_eq!(loss(Some(vec![Outcome::Fixation, Outcome::Saccade])), 0.5 + 2.0);
/// assert_eq!(loss(Some(vec![Outcome::Fixation; 2])), 0.25);
/// ```
#[must_use]
pub fn loss_of_scores(
    scores: &[Scores],
    draws: &Draws,
    batch: usize,
    objective: Objective,
) -> Tensor<1> {
    let steps = scores.iter().map(|scores| match objective {
        Objective::Hinge => hinge(scores, draws.outcomes.as_deref(), batch),
        Objective::InfoNce { epsilon } => {
            assert!(
                draws.outcomes.is_none(),
                "InfoNCE: expected both terms at once, got fixations or saccades per sample"
            );
            info_nce(scores, epsilon)
        }
    });
    Tensor::cat(steps.collect(), 0).mean()
}

fn hinge(scores: &Scores, outcomes: Option<&[Outcome]>, batch: usize) -> Tensor<1> {
    let fixation = relu(scores.fixation.clone().neg() + 1.0);
    let saccade = relu(scores.saccade.clone() + 1.0);
    match outcomes {
        None => fixation.mean() + saccade.mean(),
        Some(outcomes) => {
            mean_of(fixation, outcomes, Outcome::Fixation, batch)
                + mean_of(saccade, outcomes, Outcome::Saccade, batch)
        }
    }
}

/// Mean over the samples with this outcome; 0 if there are none.
fn mean_of(losses: Tensor<2>, outcomes: &[Outcome], wanted: Outcome, batch: usize) -> Tensor<1> {
    let [rows, n] = losses.dims();
    let losses = losses.reshape([batch, rows / batch * n]);
    let chosen = (0..batch).filter(|&sample| outcomes[sample] == wanted);
    let chosen: Vec<Tensor<2>> = chosen.map(|b| losses.clone().narrow(0, b, 1)).collect();
    if chosen.is_empty() { losses.sum() * 0.0 } else { Tensor::cat(chosen, 0).mean() }
}

fn info_nce(scores: &Scores, epsilon: f64) -> Tensor<1> {
    let all = Tensor::cat(vec![scores.fixation.clone(), scores.saccade.clone()], 1);
    (softmax(all, 1).narrow(1, 0, 1) + epsilon).log().mean().neg()
}

/// Loss of one set of lateral weights on one grid of activities.
///
/// Gradients reach `target`, `context` and `w_pred`; `detach` what they must not reach.
///
/// # Shapes
/// - `target`, `context`: `[batch, time, site, channel]`
/// - `w_pred`: `[K, target channel, context channel]`; returns `[1]`
#[must_use]
pub fn contrastive_loss(
    target: &Tensor<4>,
    context: &Tensor<4>,
    w_pred: &Tensor<3>,
    draws: &Draws,
    objective: Objective,
) -> Tensor<1> {
    let [batch, ..] = target.dims();
    loss_of_scores(&all_scores(target, context, w_pred, draws), draws, batch, objective)
}

/// Scores of all prediction steps.
fn all_scores(
    target: &Tensor<4>,
    context: &Tensor<4>,
    w_pred: &Tensor<3>,
    draws: &Draws,
) -> Vec<Scores> {
    let [steps, z, c] = w_pred.dims();
    assert_eq!(
        draws.pairs.len(),
        steps,
        "oracle: expected pairs for {steps} prediction steps, got {}",
        draws.pairs.len()
    );
    let matrix = |k| w_pred.clone().narrow(0, k, 1).reshape([z, c]);
    let step = |(k, pairs)| scores(target, context, matrix(k), pairs, draws.window);
    draws.pairs.iter().enumerate().map(step).collect()
}

/// The loss of a module, and what has its gradients.
pub(super) struct ModuleLoss {
    /// The loss as it is reported.
    pub(super) value: f64,
    /// What is differentiated, `[1]`.
    pub(super) descended: Tensor<1>,
}

/// Loss of a module: the table in the documentation of [`Oracle`](super::Oracle).
pub(super) fn module_loss(
    module: &Module,
    z: &Tensor<4>,
    c: &Tensor<4>,
    draws: &[Draws],
    (objective, feedback): (Objective, Feedback),
) -> ModuleLoss {
    let sets = if feedback == Feedback::PredRetro { 2 } else { 1 };
    assert_eq!(draws.len(), sets, "oracle: expected {sets} sets of draws, got {}", draws.len());
    let loss = |z, c, w: &_, draws| contrastive_loss(z, c, w, draws, objective);
    let (stopped_z, stopped_c) = (z.clone().detach(), c.clone().detach());
    // W_retro in the place of W_pred: [K, z, c].
    let way_back = || {
        let w_retro = module.w_retro.clone();
        w_retro.expect("oracle: expected retrodiction weights, got none").swap_dims(1, 2)
    };
    let descended = match feedback {
        Feedback::Symmetric => loss(z, c, &module.w_pred, &draws[0]),
        Feedback::Blocked => loss(z, &stopped_c, &module.w_pred, &draws[0]),
        Feedback::PredRetro => {
            loss(z, &stopped_c, &module.w_pred, &draws[0])
                + loss(&stopped_z, c, &way_back(), &draws[1])
        }
        Feedback::PredRetroShared => {
            let forward = loss(z, &stopped_c, &module.w_pred, &draws[0]);
            let value = number(&forward);
            let signals = signals(&stopped_z, &stopped_c, &module.w_pred, &draws[0], objective);
            let retrodicted = all_scores(&stopped_z, c, &way_back(), &draws[0]);
            let gated = signals.into_iter().zip(retrodicted).map(|(signal, score)| {
                (signal.fixation * score.fixation).sum() + (signal.saccade * score.saccade).sum()
            });
            let descended = gated.fold(forward, |sum, term| sum + term);
            return ModuleLoss { value, descended };
        }
    };
    ModuleLoss { value: number(&descended), descended }
}

/// ∂L/∂u of every pair: third factors (negative, with the weights of their means) by
/// differentiation.
fn signals(
    z: &Tensor<4>,
    c: &Tensor<4>,
    w_pred: &Tensor<3>,
    draws: &Draws,
    objective: Objective,
) -> Vec<Scores> {
    let leaves: Vec<Scores> = all_scores(z, c, w_pred, draws)
        .iter()
        .map(|u| Scores { fixation: leaf(&u.fixation), saccade: leaf(&u.saccade) })
        .collect();
    let [batch, ..] = z.dims();
    let gradients = loss_of_scores(&leaves, draws, batch, objective).backward();
    let of = |u: &Scores| Scores {
        fixation: gradient(&u.fixation, &gradients),
        saccade: gradient(&u.saccade, &gradients),
    };
    leaves.iter().map(of).collect()
}

fn number(tensor: &Tensor<1>) -> f64 {
    let value = tensor.clone().inner().to_data().convert::<f64>();
    value.iter::<f64>().next().unwrap_or(f64::NAN)
}
