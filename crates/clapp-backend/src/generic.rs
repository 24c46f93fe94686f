//! Bodies of [`LocalOps`](crate::LocalOps) composed of burn's own operations: what every backend
//! has, and the second opinion on every fast path.

use burn::backend::{
    Backend, Shape, TensorMetadata,
    ops::ConvOptions,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{IndexingUpdateOp, IntDType};

use crate::ops::{
    AdamCoefficients, AdamOutput, Contract, ConvOutput, ConvSpec, HebbianOutput, Pool,
};

mod gru;

pub(crate) use gru::{gru_credit, gru_states};

/// Position of the maximum inside a pooled block, in burn's own encoding.
const WINNER_TYPE: IntDType = IntDType::I32;

pub(crate) fn dims<const D: usize, B: Backend>(tensor: &FloatTensor<B>) -> [usize; D] {
    tensor.shape().dims()
}

pub(crate) fn reshape<B: Backend, const D: usize>(
    tensor: FloatTensor<B>,
    dims: [usize; D],
) -> FloatTensor<B> {
    B::float_reshape(tensor, Shape::from(dims))
}

/// `[n, c, h, w, 1]` → `[n, c, h, w]`.
fn plain<B: Backend>(activity: FloatTensor<B>) -> FloatTensor<B> {
    let [n, c, h, w, lanes] = dims::<5, B>(&activity);
    assert_eq!(
        lanes, 1,
        "generic path: expected a plain activity [n, c, h, w, 1], got {lanes} lanes"
    );
    reshape::<B, 4>(activity, [n, c, h, w])
}

pub(crate) fn options<const N: usize>(stride: [usize; N], padding: [usize; N]) -> ConvOptions<N> {
    ConvOptions::new(stride, padding, [1; N], 1)
}

pub(crate) fn conv2d_local<B: Backend>(
    input: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    spec: ConvSpec,
) -> ConvOutput<B> {
    let map = B::conv2d(plain::<B>(input), weight, Some(bias), options(spec.stride, spec.padding));
    let map = B::relu(map);
    let (output, winners) = match spec.pool {
        Pool::None => {
            let device = map.device();
            (map, B::int_zeros(Shape::from([1, 1, 1, 1, 1]), &device, WINNER_TYPE))
        }
        Pool::Max2 => {
            let pooled =
                B::max_pool2d_with_indices(map, [2, 2], [2, 2], [0, 0], [1, 1], false, WINNER_TYPE);
            let [n, c, h, w] = dims::<4, B>(&pooled.output);
            (pooled.output, B::int_reshape(pooled.indices, Shape::from([n, c, h, w, 1])))
        }
    };
    let [n, c, h, w] = dims::<4, B>(&output);
    let pixels = reshape::<B, 3>(output.clone(), [n, c, h * w]);
    let representation = reshape::<B, 2>(B::float_mean_dim(pixels, 2), [n, c]);
    ConvOutput { output: reshape::<B, 5>(output, [n, c, h, w, 1]), representation, winners }
}

pub(crate) fn conv2d_local_hebbian<B: Backend>(
    input: FloatTensor<B>,
    output: FloatTensor<B>,
    winners: IntTensor<B>,
    modulation: FloatTensor<B>,
    weight: FloatTensor<B>,
    spec: ConvSpec,
) -> HebbianOutput<B> {
    let (input, output) = (plain::<B>(input), plain::<B>(output));
    let [n, c, h, w] = dims::<4, B>(&output);
    let modulation = if modulation.shape().num_dims() == 2 {
        let modulation = reshape::<B, 4>(modulation, [n, c, 1, 1]);
        B::float_expand(modulation, Shape::from([n, c, h, w]))
    } else {
        reshape::<B, 4>(B::float_swap_dims(modulation, 1, 2), [n, c, h, w])
    };
    // ρ′ is 1 exactly where the rectified activity is above 0.
    let post = B::relu_backward(output, modulation);
    let post = match spec.pool {
        Pool::None => post,
        Pool::Max2 => unpool::<B>(&input, post, winners, spec),
    };
    conv2d_hebbian::<B>(input, post, weight, spec.stride, spec.padding)
}

pub(crate) fn to_rows<B: Backend>(activity: FloatTensor<B>) -> FloatTensor<B> {
    let activity = plain::<B>(activity);
    let [n, c, h, w] = dims::<4, B>(&activity);
    B::float_swap_dims(reshape::<B, 3>(activity, [n, c, h * w]), 1, 2)
}

/// Routes `post` back to the pixels that won the 2×2 pool.
fn unpool<B: Backend>(
    input: &FloatTensor<B>,
    post: FloatTensor<B>,
    winners: IntTensor<B>,
    spec: ConvSpec,
) -> FloatTensor<B> {
    let [n, c, h, w] = dims::<4, B>(&post);
    let [_, _, input_height, input_width] = dims::<4, B>(input);
    let [height, width] = spec.map_size([input_height, input_width]);
    let winners = B::int_reshape(winners, Shape::from([n, c, h, w]));
    // Only the shape of the unpooled map matters to the routing.
    let dtype = post.dtype().into();
    let map = B::float_zeros(Shape::from([n, c, height, width]), &post.device(), dtype);
    B::max_pool2d_with_indices_backward(map, [2, 2], [2, 2], [0, 0], [1, 1], false, post, winners)
        .x_grad
}

/// Sum of `post` over everything but its channel: Δb.
fn bias<B: Backend>(post: FloatTensor<B>) -> FloatTensor<B> {
    let shape = post.shape();
    let (n, c) = (shape[0], shape[1]);
    let pixels = shape.num_elements() / (n * c).max(1);
    let summed = B::float_sum_dim(reshape::<B, 3>(post, [n, c, pixels]), 2);
    reshape::<B, 1>(B::float_sum_dim(reshape::<B, 2>(summed, [n, c]), 0), [c])
}

pub(crate) fn conv1d_hebbian<B: Backend>(
    pre: FloatTensor<B>,
    post: FloatTensor<B>,
    weight: FloatTensor<B>,
    stride: usize,
    padding: usize,
) -> HebbianOutput<B> {
    let weight = B::conv1d_weight_backward(pre, weight, post.clone(), options([stride], [padding]));
    HebbianOutput { weight, bias: bias::<B>(post) }
}

pub(crate) fn conv2d_hebbian<B: Backend>(
    pre: FloatTensor<B>,
    post: FloatTensor<B>,
    weight: FloatTensor<B>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> HebbianOutput<B> {
    let weight = B::conv2d_weight_backward(pre, weight, post.clone(), options(stride, padding));
    HebbianOutput { weight, bias: bias::<B>(post) }
}

pub(crate) fn conv3d_hebbian<B: Backend>(
    pre: FloatTensor<B>,
    post: FloatTensor<B>,
    weight: FloatTensor<B>,
    stride: [usize; 3],
    padding: [usize; 3],
) -> HebbianOutput<B> {
    let weight = B::conv3d_weight_backward(pre, weight, post.clone(), options(stride, padding));
    HebbianOutput { weight, bias: bias::<B>(post) }
}

/// Rows of `targets` named by `index`, as `[rows, n, channel]`.
fn selected<B: Backend>(targets: FloatTensor<B>, index: IntTensor<B>) -> FloatTensor<B> {
    let [rows, n] = index.shape().dims();
    let [_, channels] = dims::<2, B>(&targets);
    let flat = B::int_reshape(index, Shape::from([rows * n]));
    reshape::<B, 3>(B::float_select(targets, 0, flat), [rows, n, channels])
}

pub(crate) fn pair_scores<B: Backend>(
    prediction: FloatTensor<B>,
    targets: FloatTensor<B>,
    index: IntTensor<B>,
) -> FloatTensor<B> {
    let [rows, n] = index.shape().dims();
    let [_, channels] = dims::<2, B>(&prediction);
    let prediction = reshape::<B, 3>(prediction, [rows, channels, 1]);
    reshape::<B, 2>(B::float_matmul(selected::<B>(targets, index), prediction), [rows, n])
}

pub(crate) fn pair_gather<B: Backend>(
    gamma: FloatTensor<B>,
    targets: FloatTensor<B>,
    index: IntTensor<B>,
) -> FloatTensor<B> {
    let [rows, n] = index.shape().dims();
    let [_, channels] = dims::<2, B>(&targets);
    let gamma = reshape::<B, 3>(gamma, [rows, 1, n]);
    reshape::<B, 2>(B::float_matmul(gamma, selected::<B>(targets, index)), [rows, channels])
}

pub(crate) fn pair_scatter<B: Backend>(
    gamma: FloatTensor<B>,
    prediction: FloatTensor<B>,
    index: IntTensor<B>,
    rows: usize,
) -> FloatTensor<B> {
    let [sources, n] = index.shape().dims();
    let [_, channels] = dims::<2, B>(&prediction);
    let (device, dtype) = (prediction.device(), prediction.dtype().into());
    let gamma = reshape::<B, 3>(gamma, [sources, n, 1]);
    let prediction = reshape::<B, 3>(prediction, [sources, 1, channels]);
    let values = reshape::<B, 2>(B::float_mul(gamma, prediction), [sources * n, channels]);
    let index = B::int_reshape(index, Shape::from([sources * n]));
    let zeros = B::float_zeros(Shape::from([rows, channels]), &device, dtype);
    B::float_select_assign(zeros, 0, index, values, IndexingUpdateOp::Add)
}

/// Rows of every block.
fn split<B: Backend>(rows: &FloatTensor<B>, blocks: &[usize]) -> Vec<FloatTensor<B>> {
    let mut first = 0;
    let part = |&count: &usize| {
        let part = B::float_slice(rows.clone(), &[(first..first + count).into()]);
        first += count;
        part
    };
    blocks.iter().map(part).collect()
}

pub(crate) fn block_product<B: Backend>(
    rows: FloatTensor<B>,
    index: IntTensor<B>,
    weight: FloatTensor<B>,
    blocks: &[usize],
    contract: Contract,
) -> FloatTensor<B> {
    let [_, outer, inner] = dims::<3, B>(&weight);
    let rows = B::float_select(rows, 0, index);
    // Not every backend multiplies matrices without rows.
    let parts = split::<B>(&rows, blocks).into_iter().enumerate();
    let products = parts.filter(|&(k, _)| blocks[k] > 0).map(|(k, rows)| {
        let matrix = B::float_slice(weight.clone(), &[(k..k + 1).into()]);
        let matrix = reshape::<B, 2>(matrix, [outer, inner]);
        let matrix = match contract {
            Contract::Inner => B::float_transpose(matrix),
            Contract::Outer => matrix,
        };
        B::float_matmul(rows, matrix)
    });
    B::float_cat(products.collect(), 0)
}

/// `sums[places r] += rows[r]`.
pub(crate) fn add_rows<B: Backend>(
    sums: FloatTensor<B>,
    rows: FloatTensor<B>,
    places: IntTensor<B>,
) -> FloatTensor<B> {
    B::float_select_assign(sums, 0, places, rows, IndexingUpdateOp::Add)
}

pub(crate) fn block_outer<B: Backend>(
    [a, b]: [FloatTensor<B>; 2],
    [index_a, index_b]: [IntTensor<B>; 2],
    blocks: &[usize],
) -> FloatTensor<B> {
    let ([_, outer], [_, inner]) = (dims::<2, B>(&a), dims::<2, B>(&b));
    let (a, b) = (B::float_select(a, 0, index_a), B::float_select(b, 0, index_b));
    let parts = split::<B>(&a, blocks).into_iter().zip(split::<B>(&b, blocks));
    let (device, dtype) = (a.device(), a.dtype().into());
    let products = parts.zip(blocks).map(|((a, b), &rows)| {
        if rows == 0 {
            return B::float_zeros(Shape::from([1, outer, inner]), &device, dtype);
        }
        reshape::<B, 3>(B::float_matmul(B::float_transpose(a), b), [1, outer, inner])
    });
    B::float_cat(products.collect(), 0)
}

pub(crate) fn adam<B: Backend>(
    weight: FloatTensor<B>,
    first: FloatTensor<B>,
    second: FloatTensor<B>,
    delta: FloatTensor<B>,
    k: AdamCoefficients,
) -> AdamOutput<B> {
    let scale = |tensor, factor: f64| B::float_mul_scalar(tensor, factor.into());
    let gradient = if k.decay > 0.0 {
        B::float_sub(scale(weight.clone(), k.decay), delta)
    } else {
        scale(delta, -1.0)
    };
    let square = B::float_mul(gradient.clone(), gradient.clone());
    let first = B::float_add(scale(first, k.beta_1), scale(gradient, 1.0 - k.beta_1));
    let second = B::float_add(scale(second, k.beta_2), scale(square, 1.0 - k.beta_2));
    let root = scale(B::float_sqrt(second.clone()), 1.0 / k.correction_2.sqrt());
    let root = B::float_add_scalar(root, k.epsilon.into());
    let step = scale(B::float_div(first.clone(), root), k.rate / k.correction_1);
    AdamOutput { weight: B::float_sub(weight, step), first, second }
}

pub(crate) fn sgd<B: Backend>(
    weight: FloatTensor<B>,
    delta: FloatTensor<B>,
    rate: f64,
) -> FloatTensor<B> {
    B::float_add(weight, B::float_mul_scalar(delta, rate.into()))
}
