//! Weights of a module in one graph.

use burn::tensor::{Gradients, Tensor};
use clapp_encoders::{Conv1dSpec, GruUpdate, LocalConv1d, LocalGru};
use clapp_rules::Optimizer;

use super::layers::{GruWeights, Stop, convolve, gru};
use crate::oracle::{gradient, leaf};

/// Convolutions, and a recurrent layer on top or none.
pub(super) struct Weights {
    convolutions: Vec<(Tensor<3>, Tensor<1>, Conv1dSpec)>,
    recurrent: Option<GruWeights>,
}

/// Gradients of a module's layers.
pub(super) struct LayerGradients {
    pub(super) convolutions: Vec<(Tensor<3>, Tensor<1>)>,
    pub(super) recurrent: Option<GruUpdate>,
}

impl Weights {
    /// The weights as they are.
    pub(super) fn of(convolutions: &[LocalConv1d], recurrent: Option<&LocalGru>) -> Self {
        let weights =
            |layer: &LocalConv1d| (layer.weight.weight(), layer.bias.weight(), layer.spec);
        Self {
            convolutions: convolutions.iter().map(weights).collect(),
            recurrent: recurrent.map(GruWeights::of),
        }
    }

    /// The weights as leaves of a graph.
    pub(super) fn tracked(convolutions: &[LocalConv1d], recurrent: Option<&LocalGru>) -> Self {
        let plain = Self::of(convolutions, recurrent);
        let leaves = plain.convolutions.iter().map(|(w, b, spec)| (leaf(w), leaf(b), *spec));
        Self {
            convolutions: leaves.collect(),
            recurrent: plain.recurrent.as_ref().map(GruWeights::tracked),
        }
    }

    /// Output of the last convolution, and what the loss sees: states of the recurrent layer if there is
    /// one.
    ///
    /// # Shapes
    /// - `input`: `[batch, time, channel]`
    pub(super) fn forward(&self, input: Tensor<3>, stop: Stop) -> (Tensor<3>, Tensor<3>) {
        let output = self.convolutions.iter().fold(input, |x, (weight, bias, spec)| {
            convolve(x, weight.clone(), bias.clone(), *spec)
        });
        let seen = match &self.recurrent {
            Some(weights) => gru(&output, weights, stop),
            None => output.clone(),
        };
        (output, seen)
    }

    pub(super) fn gradients(&self, gradients: &Gradients) -> LayerGradients {
        let convolution = |(weight, bias, _): &(Tensor<3>, Tensor<1>, Conv1dSpec)| {
            (gradient(weight, gradients), gradient(bias, gradients))
        };
        LayerGradients {
            convolutions: self.convolutions.iter().map(convolution).collect(),
            recurrent: self.recurrent.as_ref().map(|weights| weights.gradients(gradients)),
        }
    }
}

/// One step of all layers down their gradients.
pub(super) fn descend(
    convolutions: &mut [LocalConv1d],
    recurrent: Option<&mut LocalGru>,
    gradients: LayerGradients,
    optimizer: &Optimizer,
) {
    for (layer, (weight, bias)) in convolutions.iter_mut().zip(gradients.convolutions) {
        layer.weight.learn(-weight, optimizer);
        layer.bias.learn(-bias, optimizer);
    }
    if let (Some(layer), Some(gradients)) = (recurrent, gradients.recurrent) {
        let update = GruUpdate {
            input: -gradients.input,
            recurrent: -gradients.recurrent,
            input_bias: -gradients.input_bias,
            recurrent_bias: -gradients.recurrent_bias,
        };
        layer.apply(update, optimizer);
    }
}

/// The value of a loss.
pub(super) fn number(loss: &Tensor<1>) -> f64 {
    let data = loss.clone().inner().to_data().convert::<f64>();
    data.iter::<f64>().next().unwrap_or(f64::NAN)
}
