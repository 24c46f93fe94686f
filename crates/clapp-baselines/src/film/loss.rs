//! The all-pairs loss on a map, on tensors that can be differentiated.
//!
//! Means are products with 1/n: burn's derivative of a division by a number rounds that number to single precision.

use burn::tensor::{
    Bool, Tensor, TensorData,
    activation::{log_softmax, relu},
};
use clapp_rules::{AllPairs, Draws, Lateral, Objective, Outcome, Space};

/// Score matrices of all prediction steps, `[N, N]`: row i is the context that predicts.
///
/// Channels first, positions flattened behind them; a 1×1×1 convolution is a product over channels.
pub(super) fn score_matrices(
    target: &Tensor<5>,
    context: &Tensor<5>,
    w_pred: &Tensor<3>,
    rule: &AllPairs,
) -> Vec<Tensor<2>> {
    let steps = rule.prediction_steps;
    let [_, _, time, _, _] = target.dims();
    let (target, context) = (collapsed(target, rule.space), collapsed(context, rule.space));
    let state = context.narrow(2, 0, time - steps);
    let mut predicted = state.clone();
    (1..=steps)
        .map(|k| {
            let [matrices, z, c] = w_pred.dims();
            let matrix = w_pred.clone().narrow(0, (k - 1).min(matrices - 1), 1).reshape([z, c]);
            predicted = match rule.lateral {
                Lateral::PerStep => convolved(&state, matrix),
                Lateral::Repeated => convolved(&predicted, matrix),
            };
            let target = target.clone().narrow(2, k, time - steps);
            rows(&predicted, rule.space).matmul(rows(&target, rule.space).transpose())
        })
        .collect()
}

fn collapsed(map: &Tensor<5>, space: Space) -> Tensor<5> {
    match space {
        Space::Collapsed => map.clone().mean_dim(4).mean_dim(3),
        Space::Flattened | Space::Segmented => map.clone(),
    }
}

/// A 1×1×1 convolution.
fn convolved(map: &Tensor<5>, matrix: Tensor<2>) -> Tensor<5> {
    let ([batch, channels, time, height, width], [post, _]) = (map.dims(), matrix.dims());
    let lines = map.clone().reshape([batch, channels, time * height * width]);
    let lines = matrix.unsqueeze::<3>().matmul(lines);
    lines.reshape([batch, post, time, height, width])
}

/// Rows (clip, time) of features (channel, position), or rows (clip, time, position) of channels.
fn rows(map: &Tensor<5>, space: Space) -> Tensor<2> {
    let [batch, channels, time, height, width] = map.dims();
    match space {
        Space::Flattened | Space::Collapsed => {
            map.clone().permute([0, 2, 1, 3, 4]).reshape([batch * time, channels * height * width])
        }
        Space::Segmented => {
            map.clone().permute([0, 2, 3, 4, 1]).reshape([batch * time * height * width, channels])
        }
    }
}

/// Loss of score matrices, `[1]`.
///
/// # Panics
///
/// If InfoNCE is to be time-local: it needs both terms at once.
pub(super) fn loss_of_matrices(
    scores: &[Tensor<2>],
    rule: &AllPairs,
    outcomes: Option<&[Outcome]>,
) -> Tensor<1> {
    let losses = scores.iter().map(|scores| match rule.objective {
        Objective::Hinge => hinge(scores, outcomes),
        Objective::InfoNce { epsilon } => {
            assert!(
                outcomes.is_none(),
                "InfoNCE: expected both terms at once, got fixations or saccades per clip"
            );
            cross_entropy(scores, epsilon)
        }
    });
    Tensor::cat(losses.collect(), 0).mean() * rule.scale
}

fn hinge(scores: &Tensor<2>, outcomes: Option<&[Outcome]>) -> Tensor<1> {
    let [n, _] = scores.dims();
    let own = diagonal(scores);
    // The sign of y on the matrix: the diagonal should come true, the rest should fail.
    let losses = relu(scores.clone().mask_where(own.clone(), scores.clone().neg()) + 1.0);
    let fixation = losses.clone().mask_fill(own.clone().bool_not(), 0.0).sum_dim(1);
    let saccade = losses.mask_fill(own, 0.0).sum_dim(1) * (1.0 / (n - 1) as f64);
    let mean = |losses: Tensor<2>, wanted: Outcome| match outcomes {
        None => losses.mean(),
        Some(outcomes) => {
            let clip = n / outcomes.len();
            let rows = outcomes.iter().flat_map(|&o| std::iter::repeat_n(o == wanted, clip));
            let chosen: Vec<bool> = rows.collect();
            let count = chosen.iter().filter(|&&row| row).count().max(1);
            let chosen = TensorData::new(chosen, [n, 1]);
            let chosen = Tensor::<2, Bool>::from_data(chosen, &losses.device());
            losses.mask_fill(chosen.bool_not(), 0.0).sum() * (1.0 / count as f64)
        }
    };
    mean(fixation, Outcome::Fixation) + mean(saccade, Outcome::Saccade)
}

fn cross_entropy(scores: &Tensor<2>, epsilon: f64) -> Tensor<1> {
    let [n, _] = scores.dims();
    let log = log_softmax(scores.clone(), 1);
    let log = log.mask_fill(diagonal(scores).bool_not(), 0.0).sum_dim(1);
    let log = if epsilon > 0.0 { (log.exp() + epsilon).log() } else { log };
    log.sum() * (-1.0 / n as f64)
}

/// True where a context meets its own target.
fn diagonal(scores: &Tensor<2>) -> Tensor<2, Bool> {
    let [n, _] = scores.dims();
    let values: Vec<bool> = (0..n * n).map(|at| at / n == at % n).collect();
    Tensor::from_data(TensorData::new(values, [n, n]), &scores.device())
}

/// Loss of one set of lateral weights on the map of a block.
///
/// ```text
/// S_k[i, j] = ⟨W_k c_i, z_j⟩
/// L = scale/K Σ_k ( mean_i max(0, 1 − S_ii) + mean_i Σ_{j≠i} max(0, 1 + S_ij)/(N − 1) )    or cross-entropy
/// ```
///
/// Gradients reach `target`, `context` and `w_pred`; `detach` what they must not reach.
///
/// # Shapes
/// - `target`, `context`: `[b, channel, t, y, x]`; `w_pred`: `[K, target channel, context channel]`
/// - returns `[1]`
///
/// # Paper
/// Illing et al. 2021, Eqs. 2 and 5; `VGG_8.py` `Loss`, `HingeLoss`. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_baselines::film::all_pairs_loss;
/// use clapp_rules::{AllPairs, Draws};
/// // The numbers of `AllPairs::update`'s example.
/// let device = Device::flex();
/// let rule = AllPairs { prediction_steps: 1, ..AllPairs::clapp_s() };
/// let z = Tensor::<1>::from_floats([1.0, 3.0, 2.0, -1.0], &device).reshape([2, 1, 2, 1, 1]);
/// let draws = Draws::coins(None);
/// let loss = all_pairs_loss(&z, &z, &Tensor::full([1, 1, 1], 0.5, &device), &rule, &draws);
/// assert_eq!(loss.into_scalar::<f32>(), 1.625);
/// ```
#[must_use]
pub fn all_pairs_loss(
    target: &Tensor<5>,
    context: &Tensor<5>,
    w_pred: &Tensor<3>,
    rule: &AllPairs,
    draws: &Draws,
) -> Tensor<1> {
    let scores = score_matrices(target, context, w_pred, rule);
    loss_of_matrices(&scores, rule, draws.outcomes.as_deref())
}
