//! The paper's protocol: one linear layer on raw features, trained for a fixed number of epochs.

use std::borrow::Cow;

use clapp_random::{Purpose, stream};

use super::layer::Layer;
use super::{LinearReadout, Probe, Protocol, Readout, at_least_one, positive};
use crate::features::shuffle;
use crate::{Error, Features};

/// First index of the streams of [`Purpose::Probe`] that orders are drawn from.
pub(super) const ORDER: u64 = 1;

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
        let mut layer = Layer::uniform(features.dim(), features.classes(), seed);
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
        let readout = layer.readout();
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
