//! Sums over pairs, without a copy of what the pairs name.

use burn::backend::{Shape, TensorMetadata, flex::FlexTensor};

use super::{memory::Buffer, slice};
use crate::kernels::{self, Pairs};

/// `u[r, n] = prediction[r] · targets[index[r, n]]`.
pub(super) fn scores(prediction: FlexTensor, targets: FlexTensor, index: FlexTensor) -> FlexTensor {
    let pairs = pairs(&targets, &index);
    let mut scores = Buffer::<f32>::new(pairs.index.len());
    kernels::pair_scores(pairs, slice(&prediction), slice(&targets), scores.as_mut());
    scores.into_tensor(index.shape())
}

/// `g[r] = Σ_n γ[r, n] targets[index[r, n]]`.
pub(super) fn gather(gamma: FlexTensor, targets: FlexTensor, index: FlexTensor) -> FlexTensor {
    let pairs = pairs(&targets, &index);
    let [rows, _]: [usize; 2] = index.shape().dims();
    let mut sums = Buffer::<f32>::new(rows * pairs.channels);
    kernels::pair_gather(pairs, slice(&gamma), slice(&targets), sums.as_mut());
    sums.into_tensor(Shape::from([rows, pairs.channels]))
}

/// `m[j] = Σ_{r,n: index[r,n] = j} γ[r, n] prediction[r]`.
pub(super) fn scatter(
    gamma: FlexTensor,
    prediction: FlexTensor,
    index: FlexTensor,
    rows: usize,
) -> FlexTensor {
    let pairs = pairs(&prediction, &index);
    let mut sums = Buffer::<f32>::new(rows * pairs.channels);
    kernels::pair_scatter(pairs, slice(&gamma), slice(&prediction), sums.as_mut());
    sums.into_tensor(Shape::from([rows, pairs.channels]))
}

fn pairs<'a>(rows: &FlexTensor, index: &'a FlexTensor) -> Pairs<'a> {
    let [_, n]: [usize; 2] = index.shape().dims();
    let [_, channels]: [usize; 2] = rows.shape().dims();
    Pairs { channels, n, index: index.as_slice().expect("made contiguous before") }
}
