//! Post × pre of any layer.

use burn::backend::{Backend, Dispatch, TensorMetadata, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

use crate::operation::{Own, on_backend, options, reshape};

/// ΔW and Δb of one layer.
#[derive(Clone, Debug)]
pub struct Hebbian<const D: usize> {
    /// ΔW, in the layout of the weights.
    pub weight: Tensor<D>,
    /// Δb, one value per postsynaptic channel.
    pub bias: Tensor<1>,
}

impl<const D: usize> Hebbian<D> {
    pub(crate) fn new((weight, bias): (FloatTensor<Dispatch>, FloatTensor<Dispatch>)) -> Self {
        Self { weight: Tensor::from_dispatch(weight), bias: Tensor::from_dispatch(bias) }
    }
}

/// Post × pre, as backends compute it.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait HebbianOps<P = Own>: Backend {
    /// [`conv1d_hebbian`]: ΔW and Δb.
    fn conv1d_hebbian(
        pre: FloatTensor<Self>,
        post: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let bias = channel_sums::<Self>(post.clone());
        (Self::conv1d_weight_backward(pre, weight, post, options([stride], [padding])), bias)
    }

    /// [`conv2d_hebbian`]: ΔW and Δb.
    fn conv2d_hebbian(
        pre: FloatTensor<Self>,
        post: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let bias = channel_sums::<Self>(post.clone());
        (Self::conv2d_weight_backward(pre, weight, post, options(stride, padding)), bias)
    }

    /// [`conv3d_hebbian`]: ΔW and Δb.
    fn conv3d_hebbian(
        pre: FloatTensor<Self>,
        post: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: [usize; 3],
        padding: [usize; 3],
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let bias = channel_sums::<Self>(post.clone());
        (Self::conv3d_weight_backward(pre, weight, post, options(stride, padding)), bias)
    }
}

/// Sum of `post` over everything but its channel: Δb.
fn channel_sums<B: Backend>(post: FloatTensor<B>) -> FloatTensor<B> {
    let shape = post.shape();
    let (n, c) = (shape[0], shape[1]);
    let pixels = shape.num_elements() / (n * c).max(1);
    let summed = B::float_sum_dim(reshape::<B, 3>(post, [n, c, pixels]), 2);
    reshape::<B, 1>(B::float_sum_dim(reshape::<B, 2>(summed, [n, c]), 0), [c])
}

/// Post × pre of a 1-d convolution.
///
/// ```text
/// ΔW_ji(τ) = Σ_{n,p} post_nj(p) pre_ni(s·p + τ)        Δb_j = Σ_{n,p} post_nj(p)
/// ```
///
/// # Shapes
/// - `pre`: `[n, i, l]`; `post`: `[n, j, l']` (modulation × ρ′); `weight`: `[j, i, k]` for its shape
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::conv1d_hebbian;
/// let device = Device::flex();
/// let pre = Tensor::<3>::from_floats([[[1.0, 2.0, 3.0]]], &device);
/// let post = Tensor::<3>::from_floats([[[1.0, 0.0]]], &device);
/// let update = conv1d_hebbian(pre, post, Tensor::zeros([1, 1, 2], &device), 1, 0);
/// assert_eq!(update.weight.into_data().try_to_vec::<f32>().unwrap(), [1.0, 2.0]);
/// ```
#[must_use]
pub fn conv1d_hebbian(
    pre: Tensor<3>,
    post: Tensor<3>,
    weight: Tensor<3>,
    stride: usize,
    padding: usize,
) -> Hebbian<3> {
    Hebbian::new(on_backend!(HebbianOps::conv1d_hebbian(pre, post, weight), stride, padding))
}

/// Post × pre of a 2-d convolution, for a modulation of its own at every pixel.
///
/// # Shapes
/// - `pre`: `[n, i, y, x]`; `post`: `[n, j, y', x']` (modulation × ρ′); `weight`: `[j, i, ky, kx]`
///   for its shape
#[must_use]
pub fn conv2d_hebbian(
    pre: Tensor<4>,
    post: Tensor<4>,
    weight: Tensor<4>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> Hebbian<4> {
    Hebbian::new(on_backend!(HebbianOps::conv2d_hebbian(pre, post, weight), stride, padding))
}

/// Post × pre of a 3-d convolution.
///
/// # Shapes
/// - `pre`: `[n, i, t, y, x]`; `post`: `[n, j, t', y', x']`; `weight`: `[j, i, kt, ky, kx]` for its
///   shape
#[must_use]
pub fn conv3d_hebbian(
    pre: Tensor<5>,
    post: Tensor<5>,
    weight: Tensor<5>,
    stride: [usize; 3],
    padding: [usize; 3],
) -> Hebbian<5> {
    Hebbian::new(on_backend!(HebbianOps::conv3d_hebbian(pre, post, weight), stride, padding))
}

/// Post × pre of a fully connected layer.
///
/// ```text
/// ΔW_ji = Σ_n post_nj pre_ni        Δb_j = Σ_n post_nj
/// ```
///
/// # Shapes
/// - `pre`: `[n, i]`; `post`: `[n, j]` (modulation × ρ′); returns `[j, i]` and `[j]`
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::linear_hebbian;
/// let device = Device::flex();
/// let pre = Tensor::<2>::from_floats([[1.0, 2.0]], &device);
/// let post = Tensor::<2>::from_floats([[3.0]], &device);
/// let update = linear_hebbian(pre, post);
/// assert_eq!(update.weight.into_data().try_to_vec::<f32>().unwrap(), [3.0, 6.0]);
/// assert_eq!(update.bias.into_scalar::<f32>(), 3.0);
/// ```
#[must_use]
pub fn linear_hebbian(pre: Tensor<2>, post: Tensor<2>) -> Hebbian<2> {
    let [_, channels] = post.dims();
    let bias = post.clone().sum_dim(0).reshape([channels]);
    Hebbian { weight: post.transpose().matmul(pre), bias }
}
