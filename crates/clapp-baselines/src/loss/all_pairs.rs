//! All pairs of a batch: score matrices with the fixations on the diagonal.
//!
//! Means are products with 1/n: burn's derivative of a division by a number rounds that number to single precision.

use burn::tensor::{Tensor, activation::relu};
use clapp_rules::{AllPairs, Matrices, Space};

use crate::labels::{log_probabilities, one_hot};

/// Score matrices of all prediction steps, `[N, N]`: row i is the context that predicts.
pub(super) fn scores(
    target: &Tensor<4>,
    context: &Tensor<4>,
    w_pred: &Tensor<3>,
    rule: &AllPairs,
) -> Vec<Tensor<2>> {
    let (steps, [_, time, ..]) = (rule.prediction_steps, target.dims());
    let (target, context) = (collapsed(target, rule.space), collapsed(context, rule.space));
    let state = context.narrow(1, 0, time - steps);
    let mut predicted = state.clone();
    (1..=steps)
        .map(|k| {
            let [matrices, z, c] = w_pred.dims();
            let matrix = w_pred.clone().narrow(0, (k - 1).min(matrices - 1), 1).reshape([z, c]);
            predicted = match rule.lateral {
                Matrices::PerStep => convolved(&state, matrix),
                Matrices::Repeated => convolved(&predicted, matrix),
            };
            let target = target.clone().narrow(1, k, time - steps);
            rows(&predicted, rule.space).matmul(rows(&target, rule.space).transpose())
        })
        .collect()
}

fn collapsed(grid: &Tensor<4>, space: Space) -> Tensor<4> {
    match space {
        Space::Collapsed => grid.clone().mean_dim(2),
        Space::Flattened | Space::Segmented => grid.clone(),
    }
}

/// A 1×1×1 convolution: a product over channels, with channels first as the authors' code has them.
fn convolved(grid: &Tensor<4>, matrix: Tensor<2>) -> Tensor<4> {
    let ([batch, time, sites, channels], [post, _]) = (grid.dims(), matrix.dims());
    let lines = grid.clone().permute([0, 3, 1, 2]).reshape([batch, channels, time * sites]);
    let lines = matrix.unsqueeze::<3>().matmul(lines);
    lines.reshape([batch, post, time, sites]).permute([0, 2, 3, 1])
}

/// Rows (clip, time) of features (channel, position), or rows (clip, time, position) of channels.
fn rows(grid: &Tensor<4>, space: Space) -> Tensor<2> {
    let [batch, time, sites, channels] = grid.dims();
    match space {
        Space::Flattened | Space::Collapsed => {
            grid.clone().swap_dims(2, 3).reshape([batch * time, channels * sites])
        }
        Space::Segmented => grid.clone().reshape([batch * time * sites, channels]),
    }
}

/// max(0, 1 − S_ii) and the mean over j ≠ i of max(0, 1 + S_ij), `[N, 1]` each.
pub(super) fn hinge(scores: &Tensor<2>) -> [Tensor<2>; 2] {
    let [n, _] = scores.dims();
    let own = one_hot(scores, &diagonal(n));
    // The sign of y on the matrix: the diagonal should come true, the rest should fail.
    let losses = relu(scores.clone().mask_where(own.clone(), scores.clone().neg()) + 1.0);
    let fixation = losses.clone().mask_fill(own.clone().bool_not(), 0.0).sum_dim(1);
    [fixation, losses.mask_fill(own, 0.0).sum_dim(1) * (1.0 / (n - 1) as f64)]
}

pub(super) fn info_nce(scores: &Tensor<2>, epsilon: f64) -> Tensor<1> {
    let [n, _] = scores.dims();
    let log = log_probabilities(scores.clone(), &diagonal(n)).sum_dim(1);
    let log = if epsilon > 0.0 { (log.exp() + epsilon).log() } else { log };
    log.sum() * (-1.0 / n as f64)
}

/// The column in which every context meets its own target.
fn diagonal(n: usize) -> Vec<usize> {
    (0..n).collect()
}
