//! A gated recurrent layer.

use burn::backend::{Backend, Shape, TensorMetadata, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

use crate::operation::{Own, dims, on_backend, reshape};

/// How far back a modulation of a recurrent layer reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// To what each neuron's own memory ζ h has kept of its past: e-prop.
    Memory,
    /// Not beyond the present step.
    Present,
}

/// What happens in a recurrent layer while recordings run through it, each `[stream, time, ·]`.
#[derive(Clone, Debug)]
pub struct GruStates<T = Tensor<3>> {
    /// r and ζ beside each other, `2 · unit`.
    pub gates: T,
    /// n.
    pub candidates: T,
    /// v = W_hn h⁻ + b_hn.
    pub recalled: T,
    /// h.
    pub states: T,
}

/// What is learnt at the gates of a recurrent layer, every tensor `[stream, time, 3 · unit]`.
#[derive(Clone, Debug)]
pub struct GruCredit {
    /// For what arrives from the input: λ (δ_r, δ_ζ, δ_n).
    pub driven: Tensor<3>,
    /// For what arrives from the layer's own past: λ (δ_r, δ_ζ, δ_n r).
    pub recalled: Tensor<3>,
}

/// A gated recurrent layer, as backends compute it.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait GruOps<P = Own>: Backend {
    /// [`gru_states`]: gates, candidates, recalled, states.
    fn gru_states(
        driven: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let ([streams, time, _], [rows, units]) =
            (dims::<3, Self>(&driven), dims::<2, Self>(&weight));
        let weight = Self::float_transpose(weight);
        let bias = reshape::<Self, 2>(bias, [1, rows]);
        let mut state = silence::<Self>(&driven, [streams, 1, units]);
        let mut parts: [Vec<FloatTensor<Self>>; 4] = Default::default();
        for t in 0..time {
            let before = reshape::<Self, 2>(state.clone(), [streams, units]);
            let past = Self::float_add(Self::float_matmul(before, weight.clone()), bias.clone());
            let past = reshape::<Self, 3>(past, [streams, 1, rows]);
            let now = at::<Self>(&driven, t);
            let gate = |part: usize| {
                let sum = Self::float_add(
                    columns::<Self>(&now, part, units),
                    columns::<Self>(&past, part, units),
                );
                Self::sigmoid(sum)
            };
            let (reset, update, recalled) = (gate(0), gate(1), columns::<Self>(&past, 2, units));
            let heard = Self::float_mul(reset.clone(), recalled.clone());
            let candidate =
                Self::float_tanh(Self::float_add(columns::<Self>(&now, 2, units), heard));
            let kept = Self::float_mul(update.clone(), Self::float_sub(state, candidate.clone()));
            state = Self::float_add(candidate.clone(), kept);
            let gates = Self::float_cat(vec![reset, update], 2);
            for (all, part) in parts.iter_mut().zip([gates, candidate, recalled, state.clone()]) {
                all.push(part);
            }
        }
        let [gates, candidates, recalled, states] = parts.map(|steps| Self::float_cat(steps, 1));
        (gates, candidates, recalled, states)
    }

    /// [`gru_credit`]: of the input, of the past.
    fn gru_credit(
        gates: FloatTensor<Self>,
        candidates: FloatTensor<Self>,
        recalled: FloatTensor<Self>,
        states: FloatTensor<Self>,
        modulation: FloatTensor<Self>,
        reach: Reach,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [streams, time, units] = dims::<3, Self>(&states);
        let (reset, update) =
            (columns::<Self>(&gates, 0, units), columns::<Self>(&gates, 1, units));
        let credit = match reach {
            Reach::Present => modulation,
            Reach::Memory => filtered::<Self>(&modulation, &update),
        };
        let first = silence::<Self>(&states, [streams, 1, units]);
        let before = Self::float_cat(vec![first, states], 1);
        let before =
            Self::float_slice(before, &[(0..streams).into(), (0..time).into(), (0..units).into()]);
        let (mul, n) = (Self::float_mul, candidates);
        let open = rest::<Self>(update.clone());
        let steep = rest::<Self>(mul(n.clone(), n.clone()));
        let delta_n = mul(credit.clone(), mul(open.clone(), steep));
        let delta_z = mul(credit, mul(mul(Self::float_sub(before, n), update), open));
        let slope_r = mul(reset.clone(), rest::<Self>(reset.clone()));
        let delta_r = mul(mul(delta_n.clone(), recalled), slope_r);
        let recalled_n = mul(delta_n.clone(), reset);
        let driven = Self::float_cat(vec![delta_r.clone(), delta_z.clone(), delta_n], 2);
        let past = Self::float_cat(vec![delta_r, delta_z, recalled_n], 2);
        (driven, past)
    }
}

/// Columns `part · width ..` of the last axis of `[stream, time, ·]`.
fn columns<B: Backend>(tensor: &FloatTensor<B>, part: usize, width: usize) -> FloatTensor<B> {
    let [streams, time, _] = dims::<3, B>(tensor);
    let range = part * width..(part + 1) * width;
    B::float_slice(tensor.clone(), &[(0..streams).into(), (0..time).into(), range.into()])
}

/// One step of time of `[stream, time, ·]`, as `[stream, 1, ·]`.
fn at<B: Backend>(tensor: &FloatTensor<B>, t: usize) -> FloatTensor<B> {
    let [streams, _, width] = dims::<3, B>(tensor);
    B::float_slice(tensor.clone(), &[(0..streams).into(), (t..t + 1).into(), (0..width).into()])
}

fn silence<B: Backend>(like: &FloatTensor<B>, shape: [usize; 3]) -> FloatTensor<B> {
    B::float_zeros(Shape::from(shape), &like.device(), like.dtype().into())
}

/// `1 − x`.
fn rest<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_add_scalar(B::float_neg(x), 1.0.into())
}

/// λ_t = m_t + ζ_{t+1} ⊙ λ_{t+1}: what all later modulations owe to a state through its own memory.
fn filtered<B: Backend>(modulation: &FloatTensor<B>, update: &FloatTensor<B>) -> FloatTensor<B> {
    let [_, time, _] = dims::<3, B>(modulation);
    let mut credit: Vec<FloatTensor<B>> = Vec::with_capacity(time);
    for t in (0..time).rev() {
        let told = at::<B>(modulation, t);
        credit.push(match credit.last() {
            Some(later) => B::float_add(told, B::float_mul(at::<B>(update, t + 1), later.clone())),
            None => told,
        });
    }
    credit.reverse();
    B::float_cat(credit, 1)
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
    let (gates, candidates, recalled, states) =
        on_backend!(GruOps::gru_states(driven, weight, bias));
    GruStates {
        gates: Tensor::from_dispatch(gates),
        candidates: Tensor::from_dispatch(candidates),
        recalled: Tensor::from_dispatch(recalled),
        states: Tensor::from_dispatch(states),
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
    let GruStates { gates, candidates, recalled, states } = seen.clone();
    let (driven, recalled) =
        on_backend!(GruOps::gru_credit(gates, candidates, recalled, states, modulation), reach);
    GruCredit { driven: Tensor::from_dispatch(driven), recalled: Tensor::from_dispatch(recalled) }
}
