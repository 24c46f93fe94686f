//! A gradient-isolated module: convolutions and the lateral weights of its loss.

use burn::tensor::{
    FloatDType, Gradients, Tensor,
    activation::relu,
    module::{conv2d, max_pool2d},
    ops::{ConvOptions, MaxPoolOptions},
};
use clapp_backend::{ConvSpec, Pool};

/// Weights and geometry of one convolution with ReLU and optional 2×2 max-pool.
#[derive(Clone, Debug)]
pub struct Convolution {
    /// W, `[j, i, ky, kx]`.
    pub weight: Tensor<4>,
    /// b, `[j]`.
    pub bias: Tensor<1>,
    /// Geometry.
    pub spec: ConvSpec,
}

impl Convolution {
    /// `maxpool(ρ(W ∗ x + b))` with burn's operations.
    ///
    /// # Shapes
    /// - `input`: `[n, i, y, x]`; returns `[n, j, y', x']`
    #[must_use]
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new(self.spec.stride, self.spec.padding, [1, 1], 1);
        let map = conv2d(input, self.weight.clone(), Some(self.bias.clone()), options);
        match self.spec.pool {
            Pool::None => relu(map),
            Pool::Max2 => max_pool2d(relu(map), MaxPoolOptions::new([2, 2])),
        }
    }
}

/// Layers between two gradient stops, with the lateral weights of their one loss.
#[derive(Clone, Debug)]
pub struct Module {
    /// Convolutions in order; one for a layer that learns locally.
    pub layers: Vec<Convolution>,
    /// W_pred, `[K, target channel, context channel]`.
    pub w_pred: Tensor<3>,
    /// W_retro, `[K, context channel, target channel]`.
    pub w_retro: Option<Tensor<3>>,
}

/// ∂L/∂W and ∂L/∂b of one convolution.
#[derive(Clone, Debug)]
pub struct ConvGradients {
    /// ∂L/∂W.
    pub weight: Tensor<4>,
    /// ∂L/∂b.
    pub bias: Tensor<1>,
}

/// Loss and gradients of one module.
#[derive(Clone, Debug)]
pub struct ModuleGradients {
    /// The loss.
    pub loss: f64,
    /// Gradients of its convolutions, in order.
    pub layers: Vec<ConvGradients>,
    /// ∂L/∂W_pred.
    pub w_pred: Tensor<3>,
    /// ∂L/∂W_retro.
    pub w_retro: Option<Tensor<3>>,
}

impl Module {
    /// All layers in order.
    #[must_use]
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.layers.iter().fold(input, |x, layer| layer.forward(x))
    }

    /// The same weights as leaves of a graph.
    pub(super) fn tracked(&self) -> Self {
        let layers = self.layers.iter().map(|layer| Convolution {
            weight: leaf(&layer.weight),
            bias: leaf(&layer.bias),
            spec: layer.spec,
        });
        Self {
            layers: layers.collect(),
            w_pred: leaf(&self.w_pred),
            w_retro: self.w_retro.as_ref().map(leaf),
        }
    }

    pub(super) fn cast(&self, dtype: FloatDType) -> Self {
        let layers = self.layers.iter().map(|layer| Convolution {
            weight: layer.weight.clone().cast(dtype),
            bias: layer.bias.clone().cast(dtype),
            spec: layer.spec,
        });
        Self {
            layers: layers.collect(),
            w_pred: self.w_pred.clone().cast(dtype),
            w_retro: self.w_retro.clone().map(|w_retro| w_retro.cast(dtype)),
        }
    }

    pub(super) fn gradients(&self, loss: f64, gradients: &Gradients) -> ModuleGradients {
        let layers = self.layers.iter().map(|layer| ConvGradients {
            weight: gradient(&layer.weight, gradients),
            bias: gradient(&layer.bias, gradients),
        });
        ModuleGradients {
            loss,
            layers: layers.collect(),
            w_pred: gradient(&self.w_pred, gradients),
            w_retro: self.w_retro.as_ref().map(|w_retro| gradient(w_retro, gradients)),
        }
    }
}

/// The values of a tensor, at the start of a graph of their own.
pub(crate) fn leaf<const D: usize>(tensor: &Tensor<D>) -> Tensor<D> {
    tensor.clone().inner().autodiff().require_grad()
}

pub(crate) fn gradient<const D: usize>(leaf: &Tensor<D>, gradients: &Gradients) -> Tensor<D> {
    leaf.grad(gradients).expect("every weight of a module takes part in its loss")
}
