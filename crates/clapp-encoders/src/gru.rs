//! A gated recurrent layer that learns forward in time.

use burn::tensor::{
    DType, Device, Tensor,
    activation::{sigmoid, tanh},
};
use clapp_rules::{Optimize, State, StateError, Synapses};
use serde::{Deserialize, Serialize};

use crate::Persist;

/// How far a recurrent layer's credit reaches back in time, without back-propagation.
///
/// Back-propagation through time is a comparison, and lives in `clapp-baselines`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recurrence {
    /// Through each neuron's own memory ζ h, not through other neurons: e-prop.
    #[default]
    EProp,
    /// Not at all: a synapse is credited for the present step alone.
    OneStep,
}

/// A layer of gated recurrent units (GRU) with eligibility traces in the place of back-propagation
/// through time.
///
/// ```text
/// r = σ(W_ir x + b_ir + W_hr h⁻ + b_hr)        h⁻ = h one step before, 0 at first
/// ζ = σ(W_iz x + b_iz + W_hz h⁻ + b_hz)        update gate
/// n = tanh(W_in x + b_in + r ⊙ v)              v = W_hn h⁻ + b_hn
/// h = (1 − ζ) ⊙ n + ζ ⊙ h⁻
///
/// δ_n = (1 − ζ)(1 − n²)        δ_ζ = (h⁻ − n) ζ (1 − ζ)        δ_r = δ_n v r (1 − r)
/// λ_t = m_t + ζ_{t+1} ⊙ λ_{t+1}                modulation m, filtered backward by the update gate
/// ΔW_i• = Σ_t (λ δ_•) xᵀ        ΔW_h• = Σ_t (λ δ_•) h⁻ᵀ, for n with λ δ_n r        Δb likewise
/// ```
///
/// This is the factored form for a recording that is there as a whole. [`OnlineGru`](crate::OnlineGru)
/// computes the same sum forward in time, with traces. `docs/eprop.md` derives both.
///
/// # Shapes
/// - input `[batch, time, input]`, output `[batch, time, unit]`; gates in the order r, ζ, n
///
/// # Paper
/// Illing et al. 2021, Eqs. 20–23 (the newer version's); Bellec et al. 2020. Deviations: none; no public
/// code has this form.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_encoders::{LocalActivity, LocalGru, LocalLayer, Recurrence};
/// use clapp_random::{Purpose, stream};
/// let device = Device::flex();
/// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
/// let gru = LocalGru::init(512, 256, Recurrence::EProp, &device, &mut random);
/// assert_eq!(gru.weights(), 591_360);
/// let frames = Tensor::<3>::random([2, 5, 512], Distribution::Default, &device);
/// let activity = gru.forward(&frames);
/// let update = gru.delta(&activity, activity.representation());
/// assert_eq!(update.input.dims(), [3 * 256, 512]);
/// ```
#[derive(Clone, Debug)]
pub struct LocalGru {
    /// W_i, `[3 · unit, input]`.
    pub input: Synapses<2>,
    /// W_h, `[3 · unit, unit]`.
    pub recurrent: Synapses<2>,
    /// b_i, `[3 · unit]`.
    pub input_bias: Synapses<1>,
    /// b_h, `[3 · unit]`.
    pub recurrent_bias: Synapses<1>,
    /// How far credit reaches back.
    pub recurrence: Recurrence,
}

/// Changes of a recurrent layer's weights.
#[derive(Clone, Debug)]
pub struct GruUpdate {
    /// ΔW_i, `[3 · unit, input]`.
    pub input: Tensor<2>,
    /// ΔW_h, `[3 · unit, unit]`.
    pub recurrent: Tensor<2>,
    /// Δb_i, `[3 · unit]`.
    pub input_bias: Tensor<1>,
    /// Δb_h, `[3 · unit]`.
    pub recurrent_bias: Tensor<1>,
}

/// One step of time: gates and state of every stream, `[stream, unit]`.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// r and ζ beside each other, `[stream, 2 · unit]`.
    pub(crate) gates: Tensor<2>,
    pub(crate) candidate: Tensor<2>,
    /// v = W_hn h⁻ + b_hn.
    pub(crate) recalled: Tensor<2>,
    pub(crate) state: Tensor<2>,
}

impl LocalGru {
    /// Draws all weights and biases from U(±1/√units).
    #[must_use]
    pub fn init(
        inputs: usize,
        units: usize,
        recurrence: Recurrence,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let bound = 1.0 / (units as f64).sqrt();
        Self {
            input: Synapses::uniform([3 * units, inputs], bound, device, random),
            recurrent: Synapses::uniform([3 * units, units], bound, device, random),
            input_bias: Synapses::uniform([3 * units], bound, device, random),
            recurrent_bias: Synapses::uniform([3 * units], bound, device, random),
            recurrence,
        }
    }

    /// Number of units.
    #[must_use]
    pub fn units(&self) -> usize {
        self.recurrent.weight().dims()[1]
    }

    /// Number of weights and biases.
    #[must_use]
    pub fn weights(&self) -> usize {
        let [rows, inputs] = self.input.weight().dims();
        rows * (inputs + self.units() + 2)
    }

    /// W_i x + b_i for any number of rows.
    pub(crate) fn driven(&self, input: Tensor<2>) -> Tensor<2> {
        let ([_, inputs], [rows, expected]) = (input.dims(), self.input.weight().dims());
        assert_eq!(inputs, expected, "recurrent layer: expected {expected} inputs, got {inputs}");
        let bias = self.input_bias.weight().reshape([1, rows]);
        input.matmul(self.input.weight().transpose()) + bias
    }

    /// One step from `driven` input `[stream, 3 · unit]` and the state before.
    pub(crate) fn advance(&self, driven: Tensor<2>, before: Tensor<2>) -> Step {
        let units = self.units();
        let bias = self.recurrent_bias.weight().reshape([1, 3 * units]);
        let recalled = before.clone().matmul(self.recurrent.weight().transpose()) + bias;
        let both = |from: usize, count: usize| {
            let part = |tensor: &Tensor<2>| tensor.clone().narrow(1, from * units, count * units);
            (part(&driven), part(&recalled))
        };
        let (driven_gates, recalled_gates) = both(0, 2);
        let (driven_candidate, recalled) = both(2, 1);
        let gates = sigmoid(driven_gates + recalled_gates);
        let [reset, update] = halves(&gates);
        let candidate = tanh(driven_candidate + reset * recalled.clone());
        let state = candidate.clone() + update * (before - candidate.clone());
        Step { gates, candidate, recalled, state }
    }

    /// Applies changes.
    ///
    /// # Panics
    ///
    /// If a shape differs from that of the weights.
    pub fn apply(&mut self, update: GruUpdate, optimizer: &dyn Optimize) {
        self.input.learn(update.input, optimizer);
        self.recurrent.learn(update.recurrent, optimizer);
        self.input_bias.learn(update.input_bias, optimizer);
        self.recurrent_bias.learn(update.recurrent_bias, optimizer);
    }

    /// A silent state of `streams` streams.
    pub(crate) fn silence(&self, streams: usize, dtype: DType) -> Tensor<2> {
        Tensor::zeros([streams, self.units()], (&self.recurrent.weight().device(), dtype))
    }
}

impl Step {
    /// δ_r, δ_ζ, δ_n beside each other, `[stream, 3 · unit]`: ∂h/∂ of what arrives at each gate from the
    /// input, and of what arrives from the layer's own past (where δ_n passes the reset gate).
    pub(crate) fn slopes(&self, before: &Tensor<2>) -> [Tensor<2>; 2] {
        let [reset, update] = halves(&self.gates);
        let open = |gate: &Tensor<2>| -gate.clone() + 1.0;
        let n = &self.candidate;
        let delta_n = open(&update) * (-n.clone().square() + 1.0);
        let delta_z = (before.clone() - n.clone()) * update.clone() * open(&update);
        let delta_r = delta_n.clone() * self.recalled.clone() * reset.clone() * open(&reset);
        let driven = vec![delta_r.clone(), delta_z.clone(), delta_n.clone()];
        let recalled = vec![delta_r, delta_z, delta_n * reset];
        [Tensor::cat(driven, 1), Tensor::cat(recalled, 1)]
    }
}

/// r and ζ.
pub(crate) fn halves(gates: &Tensor<2>) -> [Tensor<2>; 2] {
    let units = gates.dims()[1] / 2;
    [0, 1].map(|half| gates.clone().narrow(1, half * units, units))
}

impl Persist for LocalGru {
    fn save(&self, name: &str, state: &mut State) {
        self.input.save(&format!("{name}.input"), state);
        self.recurrent.save(&format!("{name}.recurrent"), state);
        self.input_bias.save(&format!("{name}.input_bias"), state);
        self.recurrent_bias.save(&format!("{name}.recurrent_bias"), state);
    }

    fn load(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        self.input.load(&format!("{name}.input"), state)?;
        self.recurrent.load(&format!("{name}.recurrent"), state)?;
        self.input_bias.load(&format!("{name}.input_bias"), state)?;
        self.recurrent_bias.load(&format!("{name}.recurrent_bias"), state)
    }
}
