//! Two views of each image: whole samples that predict each other.

use burn::tensor::{DType, Int, Tensor, TensorData, activation::relu};
use clapp_rules::{Draws, Lateral, ViewObjective};

/// B, `[1, z, c]`; of a low rank the product of its two matrices.
pub(super) fn matrix(lateral: &Lateral) -> Tensor<3> {
    match lateral.has("b") {
        true => lateral.weight("b"),
        false => lateral.weight("b_up").matmul(lateral.weight("b_down")),
    }
}

/// u⁺ and u⁻ of every sample, `[N, 2]`.
pub(super) fn scores(
    target: &Tensor<4>,
    context: &Tensor<4>,
    b: &Tensor<3>,
    draws: &Draws,
) -> Vec<Tensor<2>> {
    let ([samples, time, site, channels], [_, z, c]) = (target.dims(), b.dims());
    let [pairs] = draws.pairs.as_slice() else {
        panic!("oracle: expected pairs for one prediction step, got {}", draws.pairs.len());
    };
    let half = samples / 2;
    let [first, second] = [0, half].map(|start| target.clone().narrow(0, start, half));
    let other = Tensor::cat(vec![second, first], 0).reshape([samples, z]);
    let places: Vec<i32> = pairs.index.iter().map(|&place| place as i32).collect();
    let places = TensorData::new(places, [samples * time * site]);
    let places = Tensor::<1, Int>::from_data(places, (&target.device(), DType::I32));
    let cells = target.clone().reshape([samples * time * site, channels]);
    let negative = cells.select(0, places).reshape([samples, z]);
    let context = context.clone().reshape([samples, c]);
    let predicted = context.matmul(b.clone().reshape([z, c]).transpose());
    let score = |seen: Tensor<2>| (seen * predicted.clone()).sum_dim(1);
    vec![Tensor::cat(vec![score(other), score(negative)], 1)]
}

/// Mean over samples, `[1]`.
pub(super) fn loss(scores: &Tensor<2>, objective: ViewObjective) -> Tensor<1> {
    let [positive, negative] = [0, 1].map(|column| scores.clone().narrow(1, column, 1));
    let losses = match objective {
        ViewObjective::Hinge => relu(-positive + 1.0) + relu(negative + 1.0),
        ViewObjective::SoftHinge => softplus(-positive + 1.0) + softplus(negative + 1.0),
        ViewObjective::Linear => negative - positive,
        ViewObjective::Softplus { theta } => softplus((negative - positive) * theta),
        other => panic!("oracle: expected an objective that it knows, got {other:?}"),
    };
    losses.mean()
}

/// log(1 + exp x) without an overflow.
fn softplus(x: Tensor<2>) -> Tensor<2> {
    relu(x.clone()) + (x.abs().neg().exp() + 1.0).log()
}
