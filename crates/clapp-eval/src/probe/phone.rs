//! The paper's phone classifier: one utterance a step.

use ndarray::ArrayView2;

use super::layer::Layer;
use super::paper::Trained;
use super::{LinearReadout, Protocol, at_least_one, positive};
use crate::Error;
use crate::phones::PhoneFrames;

/// The linear phone classifier of the paper.
///
/// ```text
/// s_t = W x_t + b        L = mean_t −ln softmax(s_t)_{y_t} over one utterance        W, b ← Adam
/// ```
/// Raw features at every frame, one whole utterance a step, utterances in the order of the training
/// list, not shuffled; W from Xavier's normal distribution. After the last epoch, whatever it is.
/// Features of small scale are read out worse than the same ones scaled up; the convex
/// [`StandardisedProbe`](super::StandardisedProbe) on [`PhoneFrames::features`] does not depend on that.
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `epochs` | 20 | passes over the training part |
/// | `learning_rate` | 1e-4 | Adam's |
///
/// # Paper
///
/// Löwe et al. 2019, whose read-out Illing et al. 2021 use; `logistic_regression_phones.py`.
/// Deviations: none in the rule; initial weights come from a keyed stream.
///
/// # Example
///
/// ```
/// use clapp_eval::{PhoneFrames, PhoneProbe, phones};
/// use ndarray::array;
///
/// let mut frames = PhoneFrames::new(2);
/// frames.push("a", 0, array![[-1.0], [-1.0], [1.0]].view(), &[0, 0, 1])?;
/// frames.push("b", 0, array![[1.0], [1.0], [-1.0]].view(), &[1, 1, 0])?;
/// let probe = PhoneProbe { epochs: 4000, learning_rate: 1e-3 };
/// let trained = probe.train(&frames, 2)?;
/// assert_eq!(phones::score(&trained.readout, &frames)?.accuracy(), 100.0);
/// # Ok::<(), clapp_eval::Error>(())
/// ```
///
/// # Cost
///
/// O(frames · dim · classes) an epoch: about 0.2 s for 20,000 frames of 512 features and 41 classes.
#[derive(Clone, Debug, PartialEq)]
pub struct PhoneProbe {
    /// Passes over the training part.
    pub epochs: usize,
    /// Adam's learning rate.
    pub learning_rate: f32,
}

impl Default for PhoneProbe {
    fn default() -> Self {
        Self { epochs: 20, learning_rate: 1e-4 }
    }
}

impl PhoneProbe {
    /// The protocol that this probe follows: the paper's.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        Protocol::Paper
    }

    /// Trains on the utterances of `train`, in their order; `seed` draws the initial weights. The
    /// losses returned are means over frames.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for 0 epochs or a learning rate not finite and above 0; [`Error::Empty`]
    /// without a frame.
    pub fn train(&self, train: &PhoneFrames, seed: u64) -> Result<Trained, Error> {
        let features = train.features()?;
        let mut learner = self.begin(features.dim(), features.classes(), seed)?;
        let mut losses = Vec::with_capacity(self.epochs);
        for _ in 0..self.epochs {
            let total: f64 = train.utterances().map(|(x, labels)| learner.step(x, labels)).sum();
            losses.push(total / features.len() as f64);
        }
        Ok(Trained { readout: learner.readout(), losses })
    }

    /// The classifier before its first step, for utterances that come one after the other and are not
    /// kept: [`train`](Self::train) is `epochs` passes of [`PhoneTraining::step`] over them.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for 0 epochs or a learning rate not finite and above 0.
    pub fn begin(&self, dim: usize, classes: usize, seed: u64) -> Result<PhoneTraining, Error> {
        at_least_one("epochs", self.epochs)?;
        positive("learning rate", f64::from(self.learning_rate))?;
        let layer = Layer::xavier_normal(dim, classes, seed);
        Ok(PhoneTraining { layer, learning_rate: self.learning_rate })
    }
}

/// A [`PhoneProbe`] while it learns.
///
/// # Example
///
/// ```
/// use clapp_eval::{PhoneFrames, PhoneProbe};
/// use ndarray::array;
///
/// let (x, labels) = (array![[-1.0], [1.0]], [0, 1]);
/// let probe = PhoneProbe { epochs: 3, ..PhoneProbe::default() };
/// let mut learner = probe.begin(1, 2, 7)?;
/// (0..3).for_each(|_| _ = learner.step(x.view(), &labels));
///
/// let mut kept = PhoneFrames::new(2);
/// kept.push("a", 0, x.view(), &labels)?;
/// assert_eq!(learner.readout(), probe.train(&kept, 7)?.readout);
/// # Ok::<(), clapp_eval::Error>(())
/// ```
#[derive(Debug)]
pub struct PhoneTraining {
    layer: Layer,
    learning_rate: f32,
}

impl PhoneTraining {
    /// One step on an utterance; returns its summed loss before the step.
    ///
    /// # Shapes
    ///
    /// - `frames`: `[frames, dim]`, those with a label; `labels`: `[frames]`
    ///
    /// # Panics
    ///
    /// If a shape does not fit, or a label is not below the number of classes.
    pub fn step(&mut self, frames: ArrayView2<'_, f32>, labels: &[u8]) -> f64 {
        self.layer.step_on(frames, labels, self.learning_rate)
    }

    /// The read-out as it is now.
    #[must_use]
    pub fn readout(&self) -> LinearReadout {
        self.layer.readout()
    }
}
