//! Layers of sound as tensor operations that can be differentiated.

use std::ops::Range;

use burn::tensor::{
    Tensor,
    activation::{relu, sigmoid, tanh},
    module::conv1d,
    ops::ConvOptions,
};
use clapp_encoders::{LocalConv1d, LocalGru, SoundEncoder};
use clapp_rules::Optimizer;

use crate::parts::{Parts, parts};

/// Convolutions in order, and a recurrent layer on top or none.
#[derive(Clone, Debug)]
pub struct SoundLayers {
    /// The convolutions.
    pub convolutions: Vec<LocalConv1d>,
    /// The recurrent layer.
    pub recurrent: Option<LocalGru>,
}

parts! {
    SoundLayers: convolutions, recurrent;
}

impl SoundLayers {
    /// Copies of some layers of an encoder.
    ///
    /// # Panics
    ///
    /// If there is another layer than convolutions and a recurrent one.
    pub(super) fn of(encoder: &SoundEncoder, span: Range<usize>) -> Self {
        let mut layers = Self { convolutions: Vec::new(), recurrent: None };
        for l in span {
            match encoder.layers[l].downcast_ref::<LocalGru>() {
                Some(gru) => layers.recurrent = Some(gru.clone()),
                None => layers.convolutions.push(encoder.layer::<LocalConv1d>(l).clone()),
            }
        }
        layers
    }

    /// One step of layers of an encoder, the first of which is `first`, down these gradients.
    pub(super) fn descend_into(
        &self,
        encoder: &mut SoundEncoder,
        first: usize,
        optimizer: &Optimizer,
    ) {
        for (l, gradients) in self.convolutions.iter().enumerate() {
            encoder.layer_mut::<LocalConv1d>(first + l).descend(gradients, optimizer);
        }
        if let Some(gradients) = &self.recurrent {
            let l = first + self.convolutions.len();
            encoder.layer_mut::<LocalGru>(l).descend(gradients, optimizer);
        }
    }

    /// Output of the last convolution, and what the loss sees: states of the recurrent layer if there is
    /// one.
    ///
    /// # Shapes
    /// - `input`: `[batch, time, channel]`
    pub(super) fn forward(&self, input: Tensor<3>, stop: Stop) -> (Tensor<3>, Tensor<3>) {
        let output = self.convolutions.iter().fold(input, convolved);
        let seen = match &self.recurrent {
            Some(layer) => gru(&output, layer, stop),
            None => output.clone(),
        };
        (output, seen)
    }
}

/// ρ(W ∗ x + b) over time, `[batch, time, channel]`.
fn convolved(input: Tensor<3>, layer: &LocalConv1d) -> Tensor<3> {
    let options = ConvOptions::new([layer.spec.stride], [layer.spec.padding], [1], 1);
    let (weight, bias) = (layer.weight.weight(), layer.bias.weight());
    relu(conv1d(input.swap_dims(1, 2), weight, Some(bias), options)).swap_dims(1, 2)
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

/// States of a recurrent layer, gates in the order r, ζ, n.
///
/// # Shapes
/// - `input`: `[batch, time, input]`; returns `[batch, time, unit]`
///
/// # Paper
/// Illing et al. 2021, Eqs. 20–23 (newer numbers) for [`Stop::InGates`]. Deviations: none.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_baselines::sound::{Stop, gru};
/// use clapp_encoders::{LocalGru, Recurrence};
/// use clapp_rules::Synapses;
/// let device = Device::flex();
/// let layer = LocalGru {
///     input: Synapses::new(Tensor::zeros([3, 1], &device)),
///     recurrent: Synapses::new(Tensor::zeros([3, 1], &device)),
///     input_bias: Synapses::new(Tensor::from_floats([0.0, 0.0, 100.0], &device)),
///     recurrent_bias: Synapses::new(Tensor::zeros([3], &device)),
///     recurrence: Recurrence::EProp,
/// };
/// // Half of the old state, half of a candidate of 1.
/// let states = gru(&Tensor::ones([1, 2, 1], &device), &layer, Stop::Nowhere);
/// assert_eq!(states.into_data().try_to_vec::<f32>().unwrap(), [0.5, 0.75]);
/// ```
#[must_use]
pub fn gru(input: &Tensor<3>, layer: &LocalGru, stop: Stop) -> Tensor<3> {
    let ([batch, time, inputs], units) = (input.dims(), layer.units());
    let gate = |index: usize| Gate::new(layer, index);
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
    fn new(layer: &LocalGru, index: usize) -> Self {
        let units = layer.units();
        let matrix = |of: Tensor<2>| of.narrow(0, index * units, units);
        let bias = |of: Tensor<1>| of.narrow(0, index * units, units).reshape([1, units]);
        Self {
            input: matrix(layer.input.weight()),
            recurrent: matrix(layer.recurrent.weight()),
            input_bias: bias(layer.input_bias.weight()),
            recurrent_bias: bias(layer.recurrent_bias.weight()),
        }
    }

    fn driven(&self, x: &Tensor<2>) -> Tensor<2> {
        x.clone().matmul(self.input.clone().transpose()) + self.input_bias.clone()
    }

    fn recalled(&self, h: &Tensor<2>) -> Tensor<2> {
        h.clone().matmul(self.recurrent.clone().transpose()) + self.recurrent_bias.clone()
    }
}
