//! The paper's protocol: one linear layer on raw features, trained for a fixed number of epochs.

use std::borrow::Cow;

use clapp_random::{Purpose, stream};
use ndarray::{Array1, Array2, Axis, Zip, linalg::general_mat_mul};
use rand::RngExt;

use super::linear::cross_entropy;
use super::{LinearReadout, Probe, Protocol, Readout, at_least_one, positive};
use crate::features::shuffle;
use crate::{Error, Features};

/// First index of the streams of [`Purpose::Probe`] used here.
const WEIGHTS: u64 = 0;
const ORDER: u64 = 1;

/// Adam's decay of the first and second moment and its guard against division by 0.
const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// The linear classifier of the paper.
///
/// ```text
/// s = W x + b        L = mean_n −ln softmax(s_n)_{y_n}        ΔW = Adam(∂L/∂W), Δb = Adam(∂L/∂b)
/// ```
/// Raw features, W and b from U(−1/√d, 1/√d), a fresh order of the samples each epoch, the last,
/// smaller batch kept. Epochs and learning rate are part of the protocol: a representation of small
/// activities is read out worse than the same one scaled up, which
/// [`StandardisedProbe`](super::StandardisedProbe) does not do.
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `epochs` | 300 | passes over the training part |
/// | `batch` | 32 | samples a step |
/// | `learning_rate` | 1e-3 | Adam's |
///
/// # Paper
///
/// Illing et al. 2021, appendix; `downstream_classification.py`, `ClassificationModel.py`.
/// Deviations: none in the rule; random draws are keyed streams instead of PyTorch's generator.
///
/// # Example
///
/// ```
/// use clapp_eval::{Features, PaperProbe, Probe, Readout};
/// use ndarray::array;
///
/// let train = Features::new(array![[-1.0], [1.0]], vec![0, 1])?;
/// let probe = PaperProbe { epochs: 3000, ..PaperProbe::default() }; // one step each
/// let readout = probe.fit(&train, 2)?;
/// let scores = readout.scores(array![[5.0]].view());
/// assert!(scores[[0, 1]] > scores[[0, 0]]);
/// # Ok::<(), clapp_eval::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PaperProbe {
    /// Passes over the training part.
    pub epochs: usize,
    /// Samples a step.
    pub batch: usize,
    /// Adam's learning rate.
    pub learning_rate: f32,
}

impl Default for PaperProbe {
    fn default() -> Self {
        Self { epochs: 300, batch: 32, learning_rate: 1e-3 }
    }
}

/// A read-out trained by [`PaperProbe::train`].
#[derive(Clone, Debug)]
pub struct Trained {
    /// The read-out after the last epoch; none is selected.
    pub readout: LinearReadout,
    /// Mean cross-entropy of each epoch in nats, measured while training.
    pub losses: Vec<f64>,
}

impl PaperProbe {
    /// Trains on what `epoch_features` returns for epoch 0, 1, …: the paper re-draws crops and flips
    /// each epoch and encodes them anew. Features that stay as they are may be borrowed.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for 0 epochs, a batch of 0 or a learning rate not finite and above 0;
    /// [`Error::Disagreement`] if an epoch differs from the first in dimension or classes.
    ///
    /// # Example
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use clapp_eval::{Features, PaperProbe};
    /// use ndarray::array;
    ///
    /// let crops = |epoch: usize| {
    ///     let shift = (epoch % 3) as f32 * 0.1;
    ///     Features::new(array![[shift - 1.0], [shift + 1.0]], vec![0, 1])
    /// };
    /// let (first, probe) = (crops(0)?, PaperProbe { epochs: 6, ..PaperProbe::default() });
    /// let trained = probe.train(2, |epoch| match epoch {
    ///     0 => Cow::Borrowed(&first),
    ///     later => Cow::Owned(crops(later).expect("finite")),
    /// })?;
    /// assert_eq!(trained.losses.len(), 6);
    /// # Ok::<(), clapp_eval::Error>(())
    /// ```
    pub fn train<'a>(
        &self,
        seed: u64,
        mut epoch_features: impl FnMut(usize) -> Cow<'a, Features>,
    ) -> Result<Trained, Error> {
        at_least_one("epochs", self.epochs)?;
        at_least_one("batch", self.batch)?;
        positive("learning rate", f64::from(self.learning_rate))?;
        let mut features = epoch_features(0);
        let mut layer = Layer::new(features.dim(), features.classes(), seed);
        let mut losses = Vec::with_capacity(self.epochs);
        for epoch in 0..self.epochs {
            if epoch > 0 {
                features = epoch_features(epoch);
                layer.check(&features)?;
            }
            let mut order: Vec<usize> = (0..features.len()).collect();
            shuffle(&mut order, &mut stream(seed, Purpose::Probe, [ORDER, epoch as u64, 0, 0]));
            let total: f64 = order
                .chunks(self.batch)
                .map(|b| layer.step(&features, b, self.learning_rate))
                .sum();
            losses.push(total / features.len() as f64);
        }
        let readout = LinearReadout::new(
            layer.weight.value.mapv(f64::from),
            layer.bias.value.index_axis(Axis(0), 0).mapv(f64::from),
        );
        Ok(Trained { readout, losses })
    }
}

impl Probe for PaperProbe {
    fn protocol(&self) -> Protocol {
        Protocol::Paper
    }

    fn fit(&self, train: &Features, seed: u64) -> Result<Box<dyn Readout>, Error> {
        let trained = self.train(seed, |_| Cow::Borrowed(train))?;
        Ok(Box::new(trained.readout))
    }
}

/// The linear layer while it learns.
struct Layer {
    weight: Parameter, // [classes, dim]
    bias: Parameter,   // [1, classes]
    step: i32,
}

impl Layer {
    fn new(dim: usize, classes: usize, seed: u64) -> Self {
        let bound = (dim as f32).sqrt().recip();
        let mut rng = stream(seed, Purpose::Probe, [WEIGHTS, 0, 0, 0]);
        let mut uniform =
            |shape| Array2::from_shape_simple_fn(shape, || rng.random_range(-bound..=bound));
        let weight = Parameter::new(uniform((classes, dim)));
        Self { weight, bias: Parameter::new(uniform((1, classes))), step: 0 }
    }

    /// That later epochs are features of the same kind.
    fn check(&self, features: &Features) -> Result<(), Error> {
        let (classes, dim) = self.weight.value.dim();
        for (what, expected, got) in [
            ("feature dimension of an epoch", dim, features.dim()),
            ("number of classes of an epoch", classes, features.classes()),
        ] {
            if expected != got {
                return Err(Error::Disagreement { what, expected, got });
            }
        }
        Ok(())
    }

    /// One step on the samples `batch`; returns their summed loss before the step.
    fn step(&mut self, features: &Features, batch: &[usize], learning_rate: f32) -> f64 {
        let x = features.values().select(Axis(0), batch); // [batch, dim]
        let labels: Vec<u8> = batch.iter().map(|&i| features.labels()[i]).collect();
        let mut residual = x.dot(&self.weight.value.t()) + &self.bias.value; // [batch, classes]
        let loss = cross_entropy(residual.view_mut(), &labels);
        let mean = (batch.len() as f32).recip();
        general_mat_mul(mean, &residual.t(), &x, 0.0, &mut self.weight.gradient);
        let bias_gradient: Array1<f32> = residual.sum_axis(Axis(0)) * mean;
        self.bias.gradient.row_mut(0).assign(&bias_gradient);
        self.step += 1;
        self.weight.adam(self.step, learning_rate);
        self.bias.adam(self.step, learning_rate);
        f64::from(loss)
    }
}

/// Values with gradient and Adam's moments.
struct Parameter {
    value: Array2<f32>,
    gradient: Array2<f32>,
    first: Array2<f32>,
    second: Array2<f32>,
}

impl Parameter {
    fn new(value: Array2<f32>) -> Self {
        let zeros = || Array2::zeros(value.dim());
        Self { gradient: zeros(), first: zeros(), second: zeros(), value }
    }

    /// `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`, `w ← w − η m̂/(√v̂ + ε)`, with m̂ = m/(1−β₁ᵗ) and
    /// v̂ = v/(1−β₂ᵗ).
    fn adam(&mut self, step: i32, learning_rate: f32) {
        let rate = (f64::from(learning_rate) / (1.0 - f64::from(BETA_1).powi(step))) as f32;
        let root = (1.0 - f64::from(BETA_2).powi(step)).sqrt().recip() as f32;
        Zip::from(&mut self.value)
            .and(&mut self.first)
            .and(&mut self.second)
            .and(&self.gradient)
            .for_each(|w, m, v, &g| {
                *m = BETA_1 * *m + (1.0 - BETA_1) * g;
                *v = BETA_2 * *v + (1.0 - BETA_2) * g * g;
                *w -= rate * *m / (v.sqrt() * root + EPSILON);
            });
    }
}
