//! The seam between a layer and the rule.

use burn::tensor::Tensor;
use clapp_backend::{Activity, ConvActivity};
use clapp_rules::Optimizer;

/// A layer that turns a modulation per neuron into changes of its own weights.
///
/// Rule and layer meet in two tensors: the representation `[n, channel]` that the layer shows, and the
/// modulation of the same shape that it gets back. Implemented by
/// [`LocalConv2d`](crate::LocalConv2d); deliberately not by anything that needs the signal of a layer
/// above. Implement it for a layer of your own to train it in a [`Stack`](crate::Stack).
pub trait LocalLayer: std::fmt::Debug + Send {
    /// Activity of the layer; keeps what its own update needs.
    fn forward(&self, input: &Activity) -> ConvActivity;

    /// Third factor × dendritic prediction (`modulation`) × post × pre, applied at once.
    fn learn(&mut self, activity: ConvActivity, modulation: Tensor<2>, optimizer: &Optimizer);
}
