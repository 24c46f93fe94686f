//! How an update becomes a change of weights.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use clapp_backend::AdamCoefficients;
use serde::{Deserialize, Serialize};

/// How an update ΔW becomes a change of W.
///
/// Implemented by [`Optimizer`]; implement it for steps of your own, such as one that depends on a neuron's
/// own weights. It sees one neuron's synapses in a row and nothing of other layers, so it stays as local as
/// the rule.
///
/// # Example
///
/// Weights that a neuron keeps at length 1 (Oja, in the limit of small steps):
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Memory, Optimize, Synapses};
///
/// #[derive(Debug)]
/// struct Normalised(f64);
///
/// impl Optimize for Normalised {
///     fn step(&self, weight: Tensor<2>, delta: Tensor<2>, _: &mut Memory) -> Tensor<2> {
///         let weight = weight + delta * self.0;
///         weight.clone() / weight.square().sum_dim(1).sqrt()
///     }
/// }
///
/// let mut w = Synapses::new(Tensor::<2>::from_floats([[1.0, 0.0]], &Device::flex()));
/// w.learn(Tensor::from_floats([[3.0, 3.0]], &Device::flex()), &Normalised(1.0));
/// assert_eq!(w.weight().into_data().try_to_vec::<f32>().unwrap(), [0.8, 0.6]);
/// ```
pub trait Optimize: std::fmt::Debug + Send + Sync {
    /// The weights after a step.
    ///
    /// # Shapes
    /// - `weight`, `delta`: `[row, synapse]`, a row for the first index of the weights, in layers the
    ///   neuron; returns the same
    fn step(&self, weight: Tensor<2>, delta: Tensor<2>, memory: &mut Memory) -> Tensor<2>;

    /// The weights after a step along ΔW − d ⊙ W, with d `[row]`: for backends that do both in one pass.
    fn step_decaying(
        &self,
        weight: Tensor<2>,
        delta: Tensor<2>,
        decay: Tensor<1>,
        memory: &mut Memory,
    ) -> Tensor<2> {
        let delta = decayed(delta, &weight, decay);
        self.step(weight, delta, memory)
    }
}

/// What an optimizer remembers of one set of weights: tensors of their shape, by name, and the steps taken.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Tensors by the name under which they are saved.
    pub tensors: BTreeMap<String, Tensor<2>>,
    /// Steps taken, with the present one.
    pub steps: u64,
}

impl Memory {
    /// Takes a tensor out; zeros like `like` if it is not there yet.
    #[must_use]
    pub fn take(&mut self, name: &str, like: &Tensor<2>) -> Tensor<2> {
        self.tensors.remove(name).unwrap_or_else(|| like.zeros_like())
    }

    /// Puts a tensor back.
    pub fn put(&mut self, name: &str, tensor: Tensor<2>) {
        self.tensors.insert(name.to_owned(), tensor);
    }
}

/// The optimizers of this crate.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `rate` | 2e-4 | learning rate η | > 0 |
/// | `beta_1`, `beta_2` | 0.9, 0.999 | decay of the moments | 0 … 1 |
/// | `epsilon` | 1e-8 | added to the root of the second moment | > 0 |
/// | `momentum` | 0.9 | share of the step before | 0 … 1 |
/// | `decay` | 0 | weight decay | ≥ 0 |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Optimizer {
    /// `W ← W + η ΔW`: the rule as written.
    Plain {
        /// Learning rate η.
        rate: f64,
    },
    /// Adam, one pair of moments per synapse.
    Adam {
        /// Learning rate η.
        rate: f64,
        /// Decay of the first moment.
        beta_1: f64,
        /// Decay of the second moment.
        beta_2: f64,
        /// ε.
        epsilon: f64,
        /// Coupled weight decay.
        decay: f64,
    },
    /// Adam with decoupled decay: `W ← (1 − η d) W + Adam(ΔW)`.
    AdamW {
        /// Learning rate η.
        rate: f64,
        /// Decay of the first moment.
        beta_1: f64,
        /// Decay of the second moment.
        beta_2: f64,
        /// ε.
        epsilon: f64,
        /// Decoupled weight decay d.
        decay: f64,
    },
    /// Momentum: `V ← μ V + ΔW − d W`, `W ← W + η V`.
    Sgd {
        /// Learning rate η.
        rate: f64,
        /// Momentum μ.
        momentum: f64,
        /// Coupled weight decay d.
        decay: f64,
    },
    /// [`Sgd`](Self::Sgd) with a rate for each tensor: `V ← μ V + η λ (ΔW − d W)`, `W ← W + V`, with
    /// λ = τ ‖W‖ / (‖ΔW‖ + d ‖W‖), or 1 where a norm is 0 (You, Gitman & Ginsburg 2017).
    Lars {
        /// Learning rate η.
        rate: f64,
        /// Momentum μ.
        momentum: f64,
        /// Coupled weight decay d.
        decay: f64,
        /// Trust coefficient τ.
        trust: f64,
    },
    /// A rate for each neuron that falls as its weights reach length 1:
    /// `W_o ← W_o + η (|‖W_o‖ − 1| + 1e-10)^p ΔW_o / (max|ΔW| + 1e-30)`, the maximum over the layer
    /// ([`SoftHebb`](crate::SoftHebb)).
    UnitNorm {
        /// Learning rate η.
        rate: f64,
        /// Power p.
        power: f64,
    },
}

impl Optimizer {
    /// Adam with the usual constants.
    ///
    /// ```
    /// use clapp_rules::Optimizer;
    /// assert_eq!(Optimizer::adam(2e-4), Optimizer::default());
    /// ```
    #[must_use]
    pub fn adam(rate: f64) -> Self {
        Self::Adam { rate, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, decay: 0.0 }
    }

    /// The learning rate, to change it.
    ///
    /// ```
    /// use clapp_rules::Optimizer;
    /// let mut slower = Optimizer::Plain { rate: 0.5 };
    /// *slower.rate_mut() /= 2.0;
    /// assert_eq!(slower, Optimizer::Plain { rate: 0.25 });
    /// ```
    #[must_use]
    pub fn rate_mut(&mut self) -> &mut f64 {
        match self {
            Self::Plain { rate }
            | Self::Adam { rate, .. }
            | Self::AdamW { rate, .. }
            | Self::Sgd { rate, .. }
            | Self::Lars { rate, .. }
            | Self::UnitNorm { rate, .. } => rate,
        }
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::adam(2e-4)
    }
}

impl Optimize for Optimizer {
    fn step(&self, weight: Tensor<2>, delta: Tensor<2>, memory: &mut Memory) -> Tensor<2> {
        match *self {
            Self::Plain { rate } => clapp_backend::sgd(weight, delta, rate),
            Self::Adam { rate, beta_1, beta_2, epsilon, decay } => {
                adam(weight, delta, memory, [rate, beta_1, beta_2, epsilon, decay])
            }
            Self::AdamW { rate, beta_1, beta_2, epsilon, decay } => {
                let weight = if decay > 0.0 { weight * (1.0 - rate * decay) } else { weight };
                adam(weight, delta, memory, [rate, beta_1, beta_2, epsilon, 0.0])
            }
            Self::Sgd { rate, momentum, decay } => {
                let descent = delta - weight.clone() * decay;
                let velocity = memory.take("velocity", &weight) * momentum + descent;
                memory.put("velocity", velocity.clone());
                clapp_backend::sgd(weight, velocity, rate)
            }
            Self::Lars { rate, momentum, decay, trust } => {
                let norm = |of: &Tensor<2>| of.clone().square().sum().sqrt().reshape([1, 1]);
                let (length, update) = (norm(&weight), norm(&delta));
                let own = length.clone() * trust / (update.clone() + length.clone() * decay);
                let own = own.mask_fill((length * update).lower_equal_elem(0.0), 1.0);
                let descent = (delta - weight.clone() * decay) * own * rate;
                let velocity = memory.take("velocity", &weight) * momentum + descent;
                memory.put("velocity", velocity.clone());
                weight + velocity
            }
            Self::UnitNorm { rate, power } => {
                clapp_backend::unit_norm(weight, delta, None, rate, power)
            }
        }
    }

    fn step_decaying(
        &self,
        weight: Tensor<2>,
        delta: Tensor<2>,
        decay: Tensor<1>,
        memory: &mut Memory,
    ) -> Tensor<2> {
        if let Self::UnitNorm { rate, power } = *self {
            return clapp_backend::unit_norm(weight, delta, Some(decay), rate, power);
        }
        let delta = decayed(delta, &weight, decay);
        self.step(weight, delta, memory)
    }
}

fn adam(
    weight: Tensor<2>,
    delta: Tensor<2>,
    memory: &mut Memory,
    [rate, beta_1, beta_2, epsilon, decay]: [f64; 5],
) -> Tensor<2> {
    let steps = i32::try_from(memory.steps).unwrap_or(i32::MAX);
    let coefficients = AdamCoefficients {
        rate,
        beta_1,
        beta_2,
        epsilon,
        decay,
        correction_1: 1.0 - beta_1.powi(steps),
        correction_2: 1.0 - beta_2.powi(steps),
    };
    let (first, second) = (memory.take("first", &weight), memory.take("second", &weight));
    let (weight, first, second) = clapp_backend::adam(weight, first, second, delta, coefficients);
    memory.put("first", first);
    memory.put("second", second);
    weight
}

/// ΔW − d ⊙ W.
fn decayed(delta: Tensor<2>, weight: &Tensor<2>, decay: Tensor<1>) -> Tensor<2> {
    delta - weight.clone() * decay.unsqueeze_dim(1)
}
