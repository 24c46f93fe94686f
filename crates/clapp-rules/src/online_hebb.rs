//! SoftHebb online: one input at a time, weights changed at once.

use burn::tensor::{Device, Tensor};
use clapp_backend::linear_hebbian;

use crate::{Lateral, Optimize, Plasticity, Seen, SoftHebb, Synapses, Update};

/// A fully connected layer that learns by [`SoftHebb`] online: one or many parallel streams, one input at a time.
///
/// ```text
/// u = W x̂        y_o = s_o softmax(t u)_o        ΔW_oi = ⟨y_o (x̂_i − u_o W_oi)⟩ over streams
/// ```
///
/// A pixel of a convolution is a stream whose x̂ is what its kernel covers. Nothing of the past is kept.
///
/// What the mathematics allows: y, the Hebbian term and the decay belong to one input, so changes at the same
/// weights add up to the batch's, exactly. Two things of the published step do not stream. x̂ comes normalised,
/// by statistics of the past, because one input has none. And no change is divided by the largest of the
/// layer, which one neuron cannot know: [`Optimizer::UnitNorm`](crate::Optimizer::UnitNorm) does so input by input,
/// which weighs inputs otherwise than a batch does; other optimizers do not.
///
/// # Paper
/// Journé et al. (2023), ICLR, Sec. 3; the online form is ours.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{OnlineHebb, Optimizer, Purpose, stream};
///
/// let (device, mut random) = (Device::flex(), stream(2, Purpose::Initialisation, [0; 4]));
/// let mut layer = OnlineHebb::init(2, 3, 1.0, &device, &mut random);
/// let rate = Optimizer::Plain { rate: 0.02 };
/// let x = Tensor::<2>::from_floats([[0.6, 0.8]], &device);
/// for _ in 0..1000 {
///     layer.step(x.clone(), &rate);
/// }
/// // The winner's weights have become the input.
/// let (u, _) = layer.observe(x);
/// assert!((u.max().into_scalar::<f32>() - 1.0).abs() < 0.01);
/// ```
#[derive(Clone, Debug)]
pub struct OnlineHebb {
    /// W, `[o, i]`.
    pub weight: Synapses<2>,
    rule: SoftHebb,
}

impl OnlineHebb {
    /// Draws weights from N(0, 1/inputs), neurons of a length of about 1; `temperature` says how sharply they compete.
    ///
    /// # Panics
    ///
    /// If the temperature is not a number above 0.
    #[must_use]
    pub fn init(
        inputs: usize,
        neurons: usize,
        temperature: f64,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let rule = SoftHebb { temperatures: vec![temperature] };
        rule.check(1).unwrap_or_else(|error| panic!("{error}"));
        let deviation = 1.0 / (inputs as f64).sqrt();
        Self { weight: Synapses::normal([neurons, inputs], deviation, device, random), rule }
    }

    /// u `[stream, o]` and ΔW `[o, i]` of one input `[stream, i]`; weights stay as they are.
    ///
    /// # Panics
    ///
    /// If the shape does not fit.
    #[must_use]
    pub fn observe(&self, input: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
        let weight = self.weight.weight();
        let ([streams, inputs], [neurons, expected]) = (input.dims(), weight.dims());
        assert_eq!(inputs, expected, "online layer: expected {expected} inputs, got {inputs}");
        let u = input.clone().matmul(weight.clone().transpose());
        let (target, lateral) = (u.clone().reshape([streams, 1, 1, neurons]), Lateral::default());
        let seen = Seen { layer: 0, target, context: None, lateral: &lateral, rows: &[] };
        let Update { target, decay, .. } = self.rule.changes(seen);
        let decay = decay.expect("channels that compete decay").reshape([neurons, 1]);
        let y = target.reshape([streams, neurons]);
        let change = linear_hebbian(input, y).weight - weight * decay;
        (u, change / streams as f64)
    }

    /// One input with learning; returns u.
    ///
    /// # Panics
    ///
    /// As [`observe`](Self::observe).
    pub fn step(&mut self, input: Tensor<2>, optimizer: &dyn Optimize) -> Tensor<2> {
        let (u, change) = self.observe(input);
        self.weight.learn(change, optimizer);
        u
    }
}
