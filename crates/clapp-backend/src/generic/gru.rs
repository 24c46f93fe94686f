//! A gated recurrent layer in burn's own operations.

use burn::backend::{Backend, Shape, TensorMetadata, tensor::FloatTensor};

use super::{dims, reshape};
use crate::ops::{GruCreditOutput, GruOutput, Reach};

/// Columns `part · width ..` of the last axis of `[stream, time, ·]`.
fn columns<B: Backend>(tensor: &FloatTensor<B>, part: usize, width: usize) -> FloatTensor<B> {
    let [streams, time, _] = dims::<3, B>(tensor);
    let range = part * width..(part + 1) * width;
    B::float_slice(tensor.clone(), &[(0..streams).into(), (0..time).into(), range.into()])
}

/// One step of time of `[stream, time, ·]`, as `[stream, 1, ·]`.
fn at<B: Backend>(tensor: &FloatTensor<B>, t: usize) -> FloatTensor<B> {
    let [streams, _, width] = dims::<3, B>(tensor);
    B::float_slice(tensor.clone(), &[(0..streams).into(), (t..t + 1).into(), (0..width).into()])
}

fn silence<B: Backend>(like: &FloatTensor<B>, shape: [usize; 3]) -> FloatTensor<B> {
    B::float_zeros(Shape::from(shape), &like.device(), like.dtype().into())
}

/// `1 − x`.
fn rest<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_add_scalar(B::float_neg(x), 1.0.into())
}

pub(crate) fn gru_states<B: Backend>(
    driven: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
) -> GruOutput<B> {
    let ([streams, time, _], [rows, units]) = (dims::<3, B>(&driven), dims::<2, B>(&weight));
    let weight = B::float_transpose(weight);
    let bias = reshape::<B, 2>(bias, [1, rows]);
    let mut state = silence::<B>(&driven, [streams, 1, units]);
    let mut parts: [Vec<FloatTensor<B>>; 4] = Default::default();
    for t in 0..time {
        let before = reshape::<B, 2>(state.clone(), [streams, units]);
        let past = B::float_add(B::float_matmul(before, weight.clone()), bias.clone());
        let past = reshape::<B, 3>(past, [streams, 1, rows]);
        let now = at::<B>(&driven, t);
        let gate = |part: usize| {
            let sum =
                B::float_add(columns::<B>(&now, part, units), columns::<B>(&past, part, units));
            B::sigmoid(sum)
        };
        let (reset, update, recalled) = (gate(0), gate(1), columns::<B>(&past, 2, units));
        let heard = B::float_mul(reset.clone(), recalled.clone());
        let candidate = B::float_tanh(B::float_add(columns::<B>(&now, 2, units), heard));
        let kept = B::float_mul(update.clone(), B::float_sub(state, candidate.clone()));
        state = B::float_add(candidate.clone(), kept);
        let gates = B::float_cat(vec![reset, update], 2);
        for (all, part) in parts.iter_mut().zip([gates, candidate, recalled, state.clone()]) {
            all.push(part);
        }
    }
    let [gates, candidates, recalled, states] = parts.map(|steps| B::float_cat(steps, 1));
    GruOutput { gates, candidates, recalled, states }
}

pub(crate) fn gru_credit<B: Backend>(
    seen: GruOutput<B>,
    modulation: FloatTensor<B>,
    reach: Reach,
) -> GruCreditOutput<B> {
    let [streams, time, units] = dims::<3, B>(&seen.states);
    let (reset, update) =
        (columns::<B>(&seen.gates, 0, units), columns::<B>(&seen.gates, 1, units));
    let credit = match reach {
        Reach::Present => modulation,
        Reach::Memory => filtered::<B>(&modulation, &update),
    };
    let first = silence::<B>(&seen.states, [streams, 1, units]);
    let before = B::float_cat(vec![first, seen.states], 1);
    let before =
        B::float_slice(before, &[(0..streams).into(), (0..time).into(), (0..units).into()]);
    let (mul, n) = (B::float_mul, seen.candidates);
    let open = rest::<B>(update.clone());
    let steep = rest::<B>(mul(n.clone(), n.clone()));
    let delta_n = mul(credit.clone(), mul(open.clone(), steep));
    let delta_z = mul(credit, mul(mul(B::float_sub(before, n), update), open));
    let slope_r = mul(reset.clone(), rest::<B>(reset.clone()));
    let delta_r = mul(mul(delta_n.clone(), seen.recalled), slope_r);
    let recalled_n = mul(delta_n.clone(), reset);
    GruCreditOutput {
        driven: B::float_cat(vec![delta_r.clone(), delta_z.clone(), delta_n], 2),
        recalled: B::float_cat(vec![delta_r, delta_z, recalled_n], 2),
    }
}

/// λ_t = m_t + ζ_{t+1} ⊙ λ_{t+1}: what all later modulations owe to a state through its own memory.
fn filtered<B: Backend>(modulation: &FloatTensor<B>, update: &FloatTensor<B>) -> FloatTensor<B> {
    let [_, time, _] = dims::<3, B>(modulation);
    let mut credit: Vec<FloatTensor<B>> = Vec::with_capacity(time);
    for t in (0..time).rev() {
        let told = at::<B>(modulation, t);
        credit.push(match credit.last() {
            Some(later) => B::float_add(told, B::float_mul(at::<B>(update, t + 1), later.clone())),
            None => told,
        });
    }
    credit.reverse();
    B::float_cat(credit, 1)
}
