//! Pairs that were drawn: fixation in the first column, saccades in the others.

use burn::tensor::{
    DType, Int, Tensor, TensorData,
    activation::{relu, softmax},
};
use clapp_rules::{Draws, Pairs, Window};

/// Scores of all prediction steps, `[rows, 1 + n]`.
pub(super) fn scores(
    target: &Tensor<4>,
    context: &Tensor<4>,
    w_pred: &Tensor<3>,
    draws: &Draws,
) -> Vec<Tensor<2>> {
    let [steps, z, c] = w_pred.dims();
    assert_eq!(
        draws.pairs.len(),
        steps,
        "oracle: expected pairs for {steps} prediction steps, got {}",
        draws.pairs.len()
    );
    let matrix = |k| w_pred.clone().narrow(0, k, 1).reshape([z, c]);
    let step = |(k, pairs)| step(target, context, matrix(k), pairs, draws.window);
    draws.pairs.iter().enumerate().map(step).collect()
}

/// `window` says where contexts and true targets come from; an index then names rows of the whole grid.
fn step(
    target: &Tensor<4>,
    context: &Tensor<4>,
    w_pred: Tensor<2>,
    pairs: &Pairs,
    window: Option<Window>,
) -> Tensor<2> {
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
    Tensor::cat(vec![(expected * context).sum_dim(1), saccade.reshape([rows, n])], 1)
}

/// max(0, 1 − u⁺) `[rows, 1]` and max(0, 1 + u⁻) `[rows, n]`.
pub(super) fn hinge(scores: &Tensor<2>) -> [Tensor<2>; 2] {
    let [_, pairs] = scores.dims();
    let fixation = relu(scores.clone().narrow(1, 0, 1).neg() + 1.0);
    [fixation, relu(scores.clone().narrow(1, 1, pairs - 1) + 1.0)]
}

pub(super) fn info_nce(scores: &Tensor<2>, epsilon: f64) -> Tensor<1> {
    (softmax(scores.clone(), 1).narrow(1, 0, 1) + epsilon).log().mean().neg()
}
