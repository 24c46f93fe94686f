//! Layers of sound as tensor operations that can be differentiated.

use burn::tensor::{
    Gradients, Tensor,
    activation::{relu, sigmoid, tanh},
    module::conv1d,
    ops::ConvOptions,
};
use clapp_encoders::{Conv1dSpec, GruUpdate, LocalGru};

use crate::oracle::{gradient, leaf};

/// ρ(W ∗ x + b) over time.
///
/// # Shapes
/// - `input`: `[batch, time, i]`; `weight`: `[j, i, τ]`; `bias`: `[j]`; returns `[batch, time', j]`
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_baselines::sound::convolve;
/// use clapp_encoders::Conv1dSpec;
/// let device = Device::flex();
/// let wave = Tensor::<3>::from_floats([[[0.0], [2.0], [1.0]]], &device);
/// let rise = Tensor::<3>::from_floats([[[-1.0, 1.0]]], &device);
/// let spec = Conv1dSpec { kernel: 2, stride: 1, padding: 0 };
/// let output = convolve(wave, rise, Tensor::zeros([1], &device), spec);
/// assert_eq!(output.into_data().try_to_vec::<f32>().unwrap(), [2.0, 0.0]);
/// ```
#[must_use]
pub fn convolve(
    input: Tensor<3>,
    weight: Tensor<3>,
    bias: Tensor<1>,
    spec: Conv1dSpec,
) -> Tensor<3> {
    let options = ConvOptions::new([spec.stride], [spec.padding], [1], 1);
    let map = conv1d(input.swap_dims(1, 2), weight, Some(bias), options);
    relu(map).swap_dims(1, 2)
}

/// Where the gradient of the state before, h⁻, is stopped.
///
/// ```text
/// r, ζ, n from x and s(h⁻)        h = (1 − ζ) n + ζ s'(h⁻)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nowhere: back-propagation through time.
    Nowhere,
    /// In the gates: e-prop. s stops, s' does not.
    InGates,
    /// Everywhere: the gradient of one step. Greedy InfoMax's option `remove_BPTT`.
    Everywhere,
}

/// Weights of a recurrent layer, gates in the order r, ζ, n.
#[derive(Clone, Debug)]
pub struct GruWeights {
    /// W_i, `[3 · unit, input]`.
    pub input: Tensor<2>,
    /// W_h, `[3 · unit, unit]`.
    pub recurrent: Tensor<2>,
    /// b_i, `[3 · unit]`.
    pub input_bias: Tensor<1>,
    /// b_h, `[3 · unit]`.
    pub recurrent_bias: Tensor<1>,
}

impl GruWeights {
    /// The weights of a layer.
    #[must_use]
    pub fn of(layer: &LocalGru) -> Self {
        Self {
            input: layer.input.weight(),
            recurrent: layer.recurrent.weight(),
            input_bias: layer.input_bias.weight(),
            recurrent_bias: layer.recurrent_bias.weight(),
        }
    }

    /// The same weights as leaves of a graph.
    #[must_use]
    pub fn tracked(&self) -> Self {
        Self {
            input: leaf(&self.input),
            recurrent: leaf(&self.recurrent),
            input_bias: leaf(&self.input_bias),
            recurrent_bias: leaf(&self.recurrent_bias),
        }
    }

    /// Gradients of tracked weights.
    ///
    /// # Panics
    ///
    /// If a weight took no part in what was differentiated.
    #[must_use]
    pub fn gradients(&self, gradients: &Gradients) -> GruUpdate {
        GruUpdate {
            input: gradient(&self.input, gradients),
            recurrent: gradient(&self.recurrent, gradients),
            input_bias: gradient(&self.input_bias, gradients),
            recurrent_bias: gradient(&self.recurrent_bias, gradients),
        }
    }
}

/// States of a recurrent layer.
///
/// # Shapes
/// - `input`: `[batch, time, input]`; returns `[batch, time, unit]`
///
/// # Paper
/// Illing et al. 2021, Eqs. 20–23 (newer numbers) for [`Stop::InGates`]. Deviations: none.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_baselines::sound::{GruWeights, Stop, gru};
/// let device = Device::flex();
/// let weights = GruWeights {
///     input: Tensor::zeros([3, 1], &device),
///     recurrent: Tensor::zeros([3, 1], &device),
///     input_bias: Tensor::from_floats([0.0, 0.0, 100.0], &device),
///     recurrent_bias: Tensor::zeros([3], &device),
/// };
/// // Half of the old state, half of a candidate of 1.
/// let states = gru(&Tensor::ones([1, 2, 1], &device), &weights, Stop::Nowhere);
/// assert_eq!(states.into_data().try_to_vec::<f32>().unwrap(), [0.5, 0.75]);
/// ```
#[must_use]
pub fn gru(input: &Tensor<3>, weights: &GruWeights, stop: Stop) -> Tensor<3> {
    let [batch, time, inputs] = input.dims();
    let [_, units] = weights.recurrent.dims();
    let gate = |index: usize| Gate::new(weights, index);
    let [reset, update, candidate] = [gate(0), gate(1), gate(2)];
    let options = (&input.device(), input.dtype());
    let mut state = Tensor::<2>::zeros([batch, units], options);
    let mut states = Vec::with_capacity(time);
    for t in 0..time {
        let x = input.clone().narrow(1, t, 1).reshape([batch, inputs]);
        let seen = if stop == Stop::Nowhere { state.clone() } else { state.clone().detach() };
        let kept = if stop == Stop::Everywhere { state.detach() } else { state };
        let r = sigmoid(reset.driven(&x) + reset.recalled(&seen));
        let z = sigmoid(update.driven(&x) + update.recalled(&seen));
        let n = tanh(candidate.driven(&x) + r * candidate.recalled(&seen));
        state = (-z.clone() + 1.0) * n + z * kept;
        states.push(state.clone());
    }
    Tensor::stack(states, 1)
}

/// Weights of one gate, `[unit, ·]`.
struct Gate {
    input: Tensor<2>,
    recurrent: Tensor<2>,
    input_bias: Tensor<2>,
    recurrent_bias: Tensor<2>,
}

impl Gate {
    fn new(weights: &GruWeights, index: usize) -> Self {
        let [_, units] = weights.recurrent.dims();
        let matrix = |of: &Tensor<2>| of.clone().narrow(0, index * units, units);
        let bias = |of: &Tensor<1>| of.clone().narrow(0, index * units, units).reshape([1, units]);
        Self {
            input: matrix(&weights.input),
            recurrent: matrix(&weights.recurrent),
            input_bias: bias(&weights.input_bias),
            recurrent_bias: bias(&weights.recurrent_bias),
        }
    }

    fn driven(&self, x: &Tensor<2>) -> Tensor<2> {
        x.clone().matmul(self.input.clone().transpose()) + self.input_bias.clone()
    }

    fn recalled(&self, h: &Tensor<2>) -> Tensor<2> {
        h.clone().matmul(self.recurrent.clone().transpose()) + self.recurrent_bias.clone()
    }
}
