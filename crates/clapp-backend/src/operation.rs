//! How an operation is declared: once, as a method of a trait, with a body of burn's own operations.
//!
//! `PairOps`, short for `PairOps<Own>`, is what a backend does: kernels of its own where it has some,
//! else the body. `PairOps<Composed>` is the body, on every backend: what kernels fall back on.

use burn::backend::{Backend, Shape, TensorMetadata, ops::ConvOptions, tensor::FloatTensor};
use burn::tensor::IntDType;

use crate::{
    BlockOps, CompetitionOps, ConvolutionOps, FilmOps, GruOps, HebbianOps, OptimizerOps, PairOps,
};

/// Operations as a backend does them.
#[derive(Debug)]
pub enum Own {}

/// Operations composed of burn's own, on every backend.
#[derive(Debug)]
pub enum Composed {}

macro_rules! composed {
    ($($Ops:ident)*) => {$(
        impl<B: Backend> $Ops<Composed> for B {}
        #[cfg(feature = "ndarray")]
        impl $Ops for burn::backend::NdArray {}
        #[cfg(any(feature = "wgpu", feature = "cuda"))]
        impl $Ops for burn::backend::Cube {}
    )*};
}
composed!(BlockOps CompetitionOps ConvolutionOps FilmOps GruOps HebbianOps OptimizerOps PairOps);

/// Calls an operation on the backend of its tensors; arguments that are no tensors follow.
macro_rules! on_backend {
    ($Ops:ident::$operation:ident($($tensor:expr),* $(,)?) $(, $other:expr)* $(,)?) => {
        <burn::backend::Dispatch as $Ops>::$operation($($tensor.into_dispatch(),)* $($other),*)
    };
}
pub(crate) use on_backend;

/// Type of the positions of maxima in burn's own pool.
pub(crate) const WINNER_TYPE: IntDType = IntDType::I32;

pub(crate) fn dims<const D: usize, B: Backend>(tensor: &FloatTensor<B>) -> [usize; D] {
    tensor.shape().dims()
}

pub(crate) fn reshape<B: Backend, const D: usize>(
    tensor: FloatTensor<B>,
    dims: [usize; D],
) -> FloatTensor<B> {
    B::float_reshape(tensor, Shape::from(dims))
}

pub(crate) fn options<const N: usize>(stride: [usize; N], padding: [usize; N]) -> ConvOptions<N> {
    ConvOptions::new(stride, padding, [1; N], 1)
}
