//! Weights together with what their optimizer remembers of each of them.

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_backend::AdamCoefficients;
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// How an update ΔW becomes a change of W.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `rate` | 2e-4 | learning rate η | > 0 |
/// | `beta_1`, `beta_2` | 0.9, 0.999 | decay of the moments | 0 … 1 |
/// | `epsilon` | 1e-8 | added to the root of the second moment | > 0 |
/// | `decay` | 0 | coupled weight decay (L2) | ≥ 0 |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
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
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::adam(2e-4)
    }
}

/// Plastic weights: values, and the optimizer's moments once there are any.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Optimizer, Synapses};
/// let device = Device::flex();
/// let mut w = Synapses::new(Tensor::<1>::zeros([2], &device));
/// w.learn(Tensor::from_floats([1.0, -2.0], &device), &Optimizer::Plain { rate: 0.5 });
/// assert_eq!(w.weight().into_data().try_to_vec::<f32>().unwrap(), [0.5, -1.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Synapses<const D: usize> {
    weight: Option<Tensor<D>>,
    moments: Option<[Tensor<D>; 2]>,
    steps: u64,
}

impl<const D: usize> Synapses<D> {
    /// Weights that have not learnt yet.
    #[must_use]
    pub fn new(weight: Tensor<D>) -> Self {
        Self { weight: Some(weight), moments: None, steps: 0 }
    }

    /// Weights drawn from U(−bound, bound).
    ///
    /// The draws are made on the host, so every device starts alike.
    #[must_use]
    pub fn uniform(
        shape: [usize; D],
        bound: f64,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| random.random_range(-bound..bound) as f32)
            .collect();
        Self::new(Tensor::from_data(TensorData::new(values, shape), (device, DType::F32)))
    }

    /// Weights drawn from a normal distribution of mean 0.
    ///
    /// The draws are made on the host, so every device starts alike.
    ///
    /// # Panics
    ///
    /// If the deviation is negative or not a number.
    #[must_use]
    pub fn normal(
        shape: [usize; D],
        deviation: f64,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let normal = rand_distr::Normal::new(0.0, deviation).unwrap_or_else(|_| {
            panic!("initial weights: expected a deviation of 0 or more, got {deviation}")
        });
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|_| random.sample(normal) as f32).collect();
        Self::new(Tensor::from_data(TensorData::new(values, shape), (device, DType::F32)))
    }

    /// The weights. Shares storage with the synapses; cheap.
    #[must_use]
    pub fn weight(&self) -> Tensor<D> {
        self.weight.clone().expect("weights are only taken out while they are being updated")
    }

    /// First and second moment, if an optimizer with moments has stepped.
    #[must_use]
    pub fn moments(&self) -> Option<[Tensor<D>; 2]> {
        self.moments.clone()
    }

    /// Optimizer steps taken so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Restores a saved state.
    ///
    /// # Panics
    ///
    /// If the shapes differ from the present ones.
    pub fn restore(&mut self, weight: Tensor<D>, moments: Option<[Tensor<D>; 2]>, steps: u64) {
        let expected = self.weight().dims();
        for tensor in std::iter::once(&weight).chain(moments.iter().flatten()) {
            assert_eq!(
                tensor.dims(),
                expected,
                "synapses: expected a shape of {expected:?}, got {:?}",
                tensor.dims()
            );
        }
        *self = Self { weight: Some(weight), moments, steps };
    }

    /// Applies one update, in place where the backend can.
    ///
    /// # Panics
    ///
    /// If `delta` has another shape than the weights.
    pub fn learn(&mut self, delta: Tensor<D>, optimizer: &Optimizer) {
        let weight = self.weight.take().expect("weights are put back at the end of every update");
        assert_eq!(
            delta.dims(),
            weight.dims(),
            "update: expected a shape of {:?}, got {:?}",
            weight.dims(),
            delta.dims()
        );
        self.steps += 1;
        self.weight = Some(match *optimizer {
            Optimizer::Plain { rate } => clapp_backend::sgd(weight, delta, rate),
            Optimizer::Adam { rate, beta_1, beta_2, epsilon, decay } => {
                let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
                let coefficients = AdamCoefficients {
                    rate,
                    beta_1,
                    beta_2,
                    epsilon,
                    decay,
                    correction_1: 1.0 - beta_1.powi(steps),
                    correction_2: 1.0 - beta_2.powi(steps),
                };
                let [first, second] = self
                    .moments
                    .take()
                    .unwrap_or_else(|| [weight.zeros_like(), weight.zeros_like()]);
                let (weight, first, second) =
                    clapp_backend::adam(weight, first, second, delta, coefficients);
                self.moments = Some([first, second]);
                weight
            }
        });
    }
}
