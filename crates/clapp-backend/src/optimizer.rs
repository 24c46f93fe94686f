//! Steps along an update.

use burn::backend::{Backend, TensorMetadata, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

use crate::operation::{Own, dims, on_backend, reshape};

/// Coefficients of one Adam step, bias corrections included.
///
/// ```text
/// m ← β₁ m + (1−β₁) g      v ← β₂ v + (1−β₂) g²      g = λ W − ΔW
/// W ← W − η/(1−β₁ᵗ) · m / (√v / √(1−β₂ᵗ) + ε)
/// ```
///
/// The step is taken *along* ΔW, because a plasticity update is the negative of a gradient; the
/// moments are those of the gradient, as in other libraries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamCoefficients {
    /// Learning rate η.
    pub rate: f64,
    /// Decay β₁ of the first moment.
    pub beta_1: f64,
    /// Decay β₂ of the second moment.
    pub beta_2: f64,
    /// ε, added to the root of the corrected second moment.
    pub epsilon: f64,
    /// λ, coupled weight decay (L2).
    pub decay: f64,
    /// `1 − β₁ᵗ` at this step.
    pub correction_1: f64,
    /// `1 − β₂ᵗ` at this step.
    pub correction_2: f64,
}

/// Steps along an update, as backends compute them.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait OptimizerOps<P = Own>: Backend {
    /// [`adam`]: weights, first and second moments.
    fn adam(
        weight: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        delta: FloatTensor<Self>,
        coefficients: AdamCoefficients,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let k = coefficients;
        let scale = |tensor, factor: f64| Self::float_mul_scalar(tensor, factor.into());
        let gradient = if k.decay > 0.0 {
            Self::float_sub(scale(weight.clone(), k.decay), delta)
        } else {
            scale(delta, -1.0)
        };
        let square = Self::float_mul(gradient.clone(), gradient.clone());
        let first = Self::float_add(scale(first, k.beta_1), scale(gradient, 1.0 - k.beta_1));
        let second = Self::float_add(scale(second, k.beta_2), scale(square, 1.0 - k.beta_2));
        let root = scale(Self::float_sqrt(second.clone()), 1.0 / k.correction_2.sqrt());
        let root = Self::float_add_scalar(root, k.epsilon.into());
        let step = scale(Self::float_div(first.clone(), root), k.rate / k.correction_1);
        (Self::float_sub(weight, step), first, second)
    }

    /// [`sgd`].
    fn sgd(weight: FloatTensor<Self>, delta: FloatTensor<Self>, rate: f64) -> FloatTensor<Self> {
        Self::float_add(weight, Self::float_mul_scalar(delta, rate.into()))
    }

    /// [`unit_norm`]; an empty `decay` is none.
    fn unit_norm(
        weight: FloatTensor<Self>,
        delta: FloatTensor<Self>,
        decay: FloatTensor<Self>,
        rate: f64,
        power: f64,
    ) -> FloatTensor<Self> {
        let [rows, columns] = dims::<2, Self>(&weight);
        let delta = if decay.shape().num_elements() == 0 {
            delta
        } else {
            let decay = reshape::<Self, 2>(decay, [rows, 1]);
            Self::float_sub(delta, Self::float_mul(weight.clone(), decay))
        };
        let square = Self::float_mul(weight.clone(), weight.clone());
        let length = Self::float_sqrt(Self::float_sum_dim(square, 1)); // [row, 1]
        let away = Self::float_abs(Self::float_sub_scalar(length, 1.0.into()));
        let away =
            Self::float_powf_scalar(Self::float_add_scalar(away, 1e-10.into()), power.into());
        let flat = reshape::<Self, 2>(Self::float_abs(delta.clone()), [1, rows * columns]);
        let largest = Self::float_add_scalar(Self::float_max_dim(flat, 1), 1e-30.into());
        let step = Self::float_mul(Self::float_div(delta, largest), away);
        Self::float_add(weight, Self::float_mul_scalar(step, rate.into()))
    }
}

/// One Adam step along `delta`: returns weights, first and second moments.
///
/// All four tensors have one shape. Hand them over by value: a backend that owns them alone updates
/// them in place.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::{AdamCoefficients, adam};
/// let device = Device::flex();
/// let zero = || Tensor::<1>::zeros([1], &device);
/// let k = AdamCoefficients {
///     rate: 0.1, beta_1: 0.9, beta_2: 0.999, epsilon: 0.0, decay: 0.0,
///     correction_1: 1.0 - 0.9, correction_2: 1.0 - 0.999,
/// };
/// // The first step has the length of the learning rate, whatever the size of the update.
/// let (weight, _, _) = adam(zero(), zero(), zero(), Tensor::ones([1], &device), k);
/// assert!((weight.into_scalar::<f32>() - 0.1).abs() < 1e-6);
/// ```
#[must_use]
pub fn adam<const D: usize>(
    weight: Tensor<D>,
    first: Tensor<D>,
    second: Tensor<D>,
    delta: Tensor<D>,
    coefficients: AdamCoefficients,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let (weight, first, second) =
        on_backend!(OptimizerOps::adam(weight, first, second, delta), coefficients);
    (Tensor::from_dispatch(weight), Tensor::from_dispatch(first), Tensor::from_dispatch(second))
}

/// One plain step: `W ← W + η ΔW`.
#[must_use]
pub fn sgd<const D: usize>(weight: Tensor<D>, delta: Tensor<D>, rate: f64) -> Tensor<D> {
    Tensor::from_dispatch(on_backend!(OptimizerOps::sgd(weight, delta), rate))
}

/// A step for each row that falls as the row's length comes near 1.
///
/// ```text
/// Δ_o = ΔW_o − d_o W_o        W_o ← W_o + η (|‖W_o‖ − 1| + 1e-10)ᵖ Δ_o / (max|Δ| + 1e-30)
/// ```
/// The maximum is over the whole of Δ.
///
/// # Shapes
/// - `weight`, `delta`: `[row, synapse]`; `decay`: `[row]`
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::unit_norm;
/// let device = Device::flex();
/// let weight = Tensor::<2>::from_floats([[3.0, 4.0]], &device); // of length 5
/// let delta = Tensor::from_floats([[0.0, -7.0]], &device);
/// let moved = unit_norm(weight, delta, None, 0.1, 0.5);
/// assert_eq!(moved.into_data().try_to_vec::<f32>().unwrap(), [3.0, 4.0 - 0.1 * 2.0]);
/// ```
#[must_use]
pub fn unit_norm(
    weight: Tensor<2>,
    delta: Tensor<2>,
    decay: Option<Tensor<1>>,
    rate: f64,
    power: f64,
) -> Tensor<2> {
    let none = || Tensor::empty([0], (&weight.device(), weight.dtype()));
    let decay = decay.unwrap_or_else(none);
    Tensor::from_dispatch(on_backend!(OptimizerOps::unit_norm(weight, delta, decay), rate, power))
}
