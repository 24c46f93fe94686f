//! A gated recurrent layer on burn's `Tensor`.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::ops::{LocalOps, Reach};

/// What happens in a recurrent layer while recordings run through it, every tensor
/// `[stream, time, ·]`.
#[derive(Clone, Debug)]
pub struct GruStates {
    /// r and ζ beside each other, `2 · unit`.
    pub gates: Tensor<3>,
    /// n.
    pub candidates: Tensor<3>,
    /// v = W_hn h⁻ + b_hn.
    pub recalled: Tensor<3>,
    /// h.
    pub states: Tensor<3>,
}

/// What is learnt at the gates of a recurrent layer, every tensor `[stream, time, 3 · unit]`.
#[derive(Clone, Debug)]
pub struct GruCredit {
    /// For what arrives from the input: λ (δ_r, δ_ζ, δ_n).
    pub driven: Tensor<3>,
    /// For what arrives from the layer's own past: λ (δ_r, δ_ζ, δ_n r).
    pub recalled: Tensor<3>,
}

/// Runs recordings through a recurrent layer; each begins in silence.
///
/// ```text
/// r = σ(x_r + W_hr h⁻ + b_hr)        ζ = σ(x_z + W_hz h⁻ + b_hz)
/// n = tanh(x_n + r ⊙ v)              v = W_hn h⁻ + b_hn
/// h = (1 − ζ) ⊙ n + ζ ⊙ h⁻
/// ```
/// x is what arrives from the input, bias included; h⁻ the state one step before.
///
/// # Shapes
/// - `driven` x: `[stream, time, 3 · unit]` in the order r, ζ, n; `weight` W_h: `[3 · unit, unit]`;
///   `bias`: `[3 · unit]`
///
/// # Panics
///
/// If the shapes do not fit.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::gru_states;
/// let device = Device::flex();
/// // One unit that is driven towards tanh(1) and remembers half of what it was.
/// let driven = Tensor::<3>::from_floats([[[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]], &device);
/// let run = gru_states(driven, Tensor::zeros([3, 1], &device), Tensor::zeros([3], &device));
/// let states = run.states.into_data().try_to_vec::<f32>().unwrap();
/// assert!((states[0] - 0.5 * 0.76159).abs() < 1e-5 && (states[1] - 0.75 * 0.76159).abs() < 1e-5);
/// ```
#[must_use]
pub fn gru_states(driven: Tensor<3>, weight: Tensor<2>, bias: Tensor<1>) -> GruStates {
    let ([streams, time, arriving], [rows, units]) = (driven.dims(), weight.dims());
    let (found, expected) = ([arriving, rows, bias.dims()[0]], [3 * units; 3]);
    assert_eq!(
        found, expected,
        "gru: expected input, weights and biases for 3 gates of {units} units {expected:?}, got {found:?}"
    );
    assert!(
        streams * time > 0,
        "gru: expected at least one stream and step, got [{streams}, {time}]"
    );
    let result = <Dispatch as LocalOps>::gru_states(
        driven.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
    );
    GruStates {
        gates: Tensor::from_dispatch(result.gates),
        candidates: Tensor::from_dispatch(result.candidates),
        recalled: Tensor::from_dispatch(result.recalled),
        states: Tensor::from_dispatch(result.states),
    }
}

/// What a modulation of a recurrent layer's states is worth at its gates.
///
/// ```text
/// λ_t = m_t + ζ_{t+1} ⊙ λ_{t+1}        or m_t alone: Reach::Present
/// δ_n = (1 − ζ)(1 − n²)        δ_ζ = (h⁻ − n) ζ (1 − ζ)        δ_r = δ_n v r (1 − r)
/// ```
/// Local: every unit looks at its own gates, state and modulation.
///
/// # Shapes
/// - `modulation` m: `[stream, time, unit]`
///
/// # Panics
///
/// If `modulation` has another shape.
///
/// # Paper
/// Illing et al. 2021, Eqs. 20–23 (the newer version's); Bellec et al. 2020. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::{Reach, gru_credit, gru_states};
/// let device = Device::flex();
/// let weight = Tensor::zeros([3, 1], &device);
/// let run = gru_states(Tensor::zeros([1, 2, 3], &device), weight, Tensor::zeros([3], &device));
/// // Told at the second step: half of it belongs to the first, by the memory ζ = ½.
/// let told = Tensor::<3>::from_floats([[[0.0], [1.0]]], &device);
/// let credit = gru_credit(&run, told, Reach::Memory);
/// let candidate = credit.driven.narrow(2, 2, 1).into_data().try_to_vec::<f32>().unwrap();
/// assert_eq!(candidate, [0.25, 0.5]);
/// ```
#[must_use]
pub fn gru_credit(seen: &GruStates, modulation: Tensor<3>, reach: Reach) -> GruCredit {
    let (found, expected) = (modulation.dims(), seen.states.dims());
    assert_eq!(found, expected, "gru: expected a modulation of {expected:?}, got {found:?}");
    let result = <Dispatch as LocalOps>::gru_credit(
        seen.gates.clone().into_dispatch(),
        seen.candidates.clone().into_dispatch(),
        seen.recalled.clone().into_dispatch(),
        seen.states.clone().into_dispatch(),
        modulation.into_dispatch(),
        reach,
    );
    GruCredit {
        driven: Tensor::from_dispatch(result.driven),
        recalled: Tensor::from_dispatch(result.recalled),
    }
}
