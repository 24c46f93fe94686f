//! Sums over pairs of rows, and what γ makes of them.

use burn::backend::{
    Backend, Shape, TensorMetadata, backend_extension,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{IndexingUpdateOp, Int, Tensor};

use crate::operation::{Own, dims, on_backend, reshape};

/// Sums over pairs, as backends compute them.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait PairOps<P = Own>: Backend {
    /// [`pair_scores`].
    fn pair_scores(
        prediction: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        index: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        let [rows, n] = index.shape().dims();
        let [_, channels] = dims::<2, Self>(&prediction);
        let prediction = reshape::<Self, 3>(prediction, [rows, channels, 1]);
        let scores = Self::float_matmul(selected::<Self>(targets, index), prediction);
        reshape::<Self, 2>(scores, [rows, n])
    }

    /// [`pair_gather`].
    fn pair_gather(
        gamma: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        index: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        let [rows, n] = index.shape().dims();
        let [_, channels] = dims::<2, Self>(&targets);
        let gamma = reshape::<Self, 3>(gamma, [rows, 1, n]);
        let sums = Self::float_matmul(gamma, selected::<Self>(targets, index));
        reshape::<Self, 2>(sums, [rows, channels])
    }

    /// [`pair_scatter`] to `rows` rows.
    fn pair_scatter(
        gamma: FloatTensor<Self>,
        prediction: FloatTensor<Self>,
        index: IntTensor<Self>,
        rows: usize,
    ) -> FloatTensor<Self> {
        let [sources, n] = index.shape().dims();
        let [_, channels] = dims::<2, Self>(&prediction);
        let (device, dtype) = (prediction.device(), prediction.dtype().into());
        let gamma = reshape::<Self, 3>(gamma, [sources, n, 1]);
        let prediction = reshape::<Self, 3>(prediction, [sources, 1, channels]);
        let values = Self::float_mul(gamma, prediction);
        let values = reshape::<Self, 2>(values, [sources * n, channels]);
        let index = Self::int_reshape(index, Shape::from([sources * n]));
        let zeros = Self::float_zeros(Shape::from([rows, channels]), &device, dtype);
        Self::float_select_assign(zeros, 0, index, values, IndexingUpdateOp::Add)
    }
}

/// Rows of `targets` named by `index`, as `[rows, n, channel]`.
fn selected<B: Backend>(targets: FloatTensor<B>, index: IntTensor<B>) -> FloatTensor<B> {
    let [rows, n] = index.shape().dims();
    let [_, channels] = dims::<2, B>(&targets);
    let flat = B::int_reshape(index, Shape::from([rows * n]));
    reshape::<B, 3>(B::float_select(targets, 0, flat), [rows, n, channels])
}

/// Scores of every context row with the target rows that `index` names.
///
/// ```text
/// u[r, n] = prediction[r] · targets[index[r, n]]
/// ```
///
/// # Shapes
/// - `prediction`: `[rows, z]`; `targets`: `[target rows, z]`; `index`: `[rows, n]`; returns `[rows, n]`
#[must_use]
pub fn pair_scores(prediction: Tensor<2>, targets: Tensor<2>, index: Tensor<2, Int>) -> Tensor<2> {
    Tensor::from_dispatch(on_backend!(PairOps::pair_scores(prediction, targets, index)))
}

/// Target rows that `index` names, summed with weights γ.
///
/// ```text
/// g[r] = Σ_n γ[r, n] targets[index[r, n]]
/// ```
///
/// # Shapes
/// - `gamma`, `index`: `[rows, n]`; `targets`: `[target rows, z]`; returns `[rows, z]`
#[must_use]
pub fn pair_gather(gamma: Tensor<2>, targets: Tensor<2>, index: Tensor<2, Int>) -> Tensor<2> {
    Tensor::from_dispatch(on_backend!(PairOps::pair_gather(gamma, targets, index)))
}

/// Dendritic predictions delivered to the rows that `index` names, weighted with γ.
///
/// ```text
/// m[j] = Σ_{r,n : index[r,n] = j} γ[r, n] prediction[r]
/// ```
///
/// # Shapes
/// - `gamma`, `index`: `[rows, n]`; `prediction`: `[rows, z]`; returns `[target_rows, z]`
#[must_use]
pub fn pair_scatter(
    gamma: Tensor<2>,
    prediction: Tensor<2>,
    index: Tensor<2, Int>,
    target_rows: usize,
) -> Tensor<2> {
    Tensor::from_dispatch(on_backend!(PairOps::pair_scatter(gamma, prediction, index), target_rows))
}
