//! Weights together with what their optimizer remembers of each of them.

use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::RngExt;

use crate::{Memory, Optimize};

/// Plastic weights: values, and the optimizer's memory once there is any.
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
    memory: Memory,
}

impl<const D: usize> Synapses<D> {
    /// Weights that have not learnt yet.
    #[must_use]
    pub fn new(weight: Tensor<D>) -> Self {
        Self { weight: Some(weight), memory: Memory::default() }
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

    /// Optimizer steps taken so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.memory.steps
    }

    /// What the optimizer remembers, `[row, synapse]`, by name: Adam's moments are `first` and `second`.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Other weights, and what an optimizer remembers of them.
    ///
    /// # Panics
    ///
    /// If the shapes differ from the present ones.
    pub fn restore(&mut self, weight: Tensor<D>, memory: Memory) {
        let expected = self.weight().dims();
        let got = weight.dims();
        assert_eq!(got, expected, "synapses: expected a shape of {expected:?}, got {got:?}");
        for tensor in memory.tensors.values() {
            let (got, expected) = (tensor.dims(), rows(expected));
            assert_eq!(got, expected, "synapses: expected a memory of {expected:?}, got {got:?}");
        }
        *self = Self { weight: Some(weight), memory };
    }

    /// Applies one update, in place where the backend can.
    ///
    /// # Panics
    ///
    /// If `delta` has another shape than the weights.
    pub fn learn(&mut self, delta: Tensor<D>, optimizer: &dyn Optimize) {
        self.learn_decaying(delta, None, optimizer);
    }

    /// Applies ΔW − d ⊙ W, with d one value for each of the first index of W.
    ///
    /// # Panics
    ///
    /// If `delta` has another shape than the weights, or `decay` is not one value a row.
    pub fn learn_decaying(
        &mut self,
        delta: Tensor<D>,
        decay: Option<Tensor<1>>,
        optimizer: &dyn Optimize,
    ) {
        let weight = self.weight.take().expect("weights are put back at the end of every update");
        let shape = weight.dims();
        assert_eq!(
            delta.dims(),
            shape,
            "update: expected a shape of {shape:?}, got {:?}",
            delta.dims()
        );
        self.memory.steps += 1;
        let rows = rows(shape);
        let (weight, delta, memory) = (weight.reshape(rows), delta.reshape(rows), &mut self.memory);
        let weight = match decay {
            None => optimizer.step(weight, delta, memory),
            Some(decay) => {
                assert_eq!(decay.dims(), [rows[0]], "update: expected a decay for each row");
                optimizer.step_decaying(weight, delta, decay, memory)
            }
        };
        self.weight = Some(weight.reshape(shape));
    }
}

/// Weights as rows, one for each value of their first index.
pub(crate) fn rows<const D: usize>(shape: [usize; D]) -> [usize; 2] {
    [shape[0], shape[1..].iter().product()]
}
