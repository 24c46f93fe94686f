//! The authors' classifier of videos: one for each block of a frozen encoder.

mod adam;
mod classifier;
mod orthogonal;
mod part;
mod pool;

use std::borrow::Cow;

use clapp_random::{Purpose, stream};

use super::{LinearReadout, Probe, Protocol, Readout, at_least_one, positive};
use crate::features::shuffle;
use crate::{Error, Features};

pub use classifier::{BlockClassifier, StepOutcome};
pub use part::TestClips;
pub use pool::temporal_mean;

/// First indices of the streams of [`Purpose::Probe`] used here; 0 and 1 belong to the paper's probe.
const WEIGHTS: u64 = 2;
const ORDER: u64 = 3;
const DROPOUT: u64 = 4;

/// The classifier that reads a block of the video encoder.
///
/// ```text
/// x = flatten(mean_t map)        x' = dropout(γ ⊙ (x − μ_batch)/√(σ²_batch + ε) + β)
/// s = W x' + b                   L = mean_n −ln softmax(s_n)_{y_n}
/// Δθ = Adam(∂L/∂θ + λθ)          for θ in W, b, γ, β
/// ```
/// W starts with orthonormal rows, b and β at 0, γ at 1. In a test, batch moments are replaced by their
/// running means (momentum 0.1) and nothing is dropped, so the classifier is linear in x: see
/// [`BlockClassifier::readout`].
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `epochs` | 200 | passes over the training part |
/// | `batch` | 8 | samples a step; an incomplete last batch is dropped |
/// | `learning_rate` | 1e-4 | Adam's |
/// | `weight_decay` | 1e-5 | λ, of all parameters |
/// | `dropout` | 0.5 | share of features that a step does not see |
/// | `schedule` | 1 to epoch 60, 0.1 to 80, then 0.01 | factors of the learning rate |
///
/// [`StandardisedProbe`](super::StandardisedProbe) reads the same [`Features`] without a learning rate,
/// epochs or a seed; report both.
///
/// # Paper
///
/// Illing et al. 2021, appendix; `test.py` of the video code. Deviations: none in the rule; random draws
/// are keyed streams instead of PyTorch's generator.
///
/// # Example
///
/// ```
/// use clapp_eval::probe::{BlockProbe, Probe, Readout};
/// use clapp_eval::Features;
/// use ndarray::Array2;
///
/// let values = Array2::from_shape_fn((16, 3), |(i, j)| (i % 2 * j) as f32 + (i * j % 5) as f32 / 50.0);
/// let train = Features::new(values, (0..16).map(|i| (i % 2) as u8).collect())?;
/// let probe = BlockProbe { learning_rate: 1e-2, ..BlockProbe::default() };
/// let readout = probe.fit(&train, 2)?;
/// assert_eq!(clapp_eval::metrics::top1(readout.scores(train.values()).view(), train.labels()), 100.0);
/// # Ok::<(), clapp_eval::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BlockProbe {
    /// Passes over the training part.
    pub epochs: usize,
    /// Samples a step.
    pub batch: usize,
    /// Adam's learning rate before the schedule.
    pub learning_rate: f32,
    /// Weight decay, added to the gradient.
    pub weight_decay: f32,
    /// Probability with which a feature is dropped.
    pub dropout: f32,
    /// Factors of the learning rate and the epoch from which each holds no more, in order; the factor
    /// of the last entry stays.
    pub schedule: Vec<(usize, f32)>,
}

impl Default for BlockProbe {
    fn default() -> Self {
        Self {
            epochs: 200,
            batch: 8,
            learning_rate: 1e-4,
            weight_decay: 1e-5,
            dropout: 0.5,
            schedule: vec![(60, 1.0), (80, 0.1), (100, 0.01)],
        }
    }
}

/// A read-out trained by [`BlockProbe::train`].
#[derive(Clone, Debug)]
pub struct TrainedBlock {
    /// The read-out after the last epoch; none is selected.
    pub readout: LinearReadout,
    /// Of each epoch: mean loss and accuracies of its batches, measured while training.
    pub epochs: Vec<StepOutcome>,
}

impl BlockProbe {
    /// The learning rate of an epoch.
    ///
    /// ```
    /// use clapp_eval::probe::BlockProbe;
    /// let rates = [0, 59, 60, 80, 150].map(|epoch| BlockProbe::default().rate(epoch));
    /// assert_eq!(rates, [1e-4, 1e-4, 1e-5, 1e-6, 1e-6]);
    /// ```
    #[must_use]
    pub fn rate(&self, epoch: usize) -> f32 {
        let now = self.schedule.iter().find(|(until, _)| epoch < *until);
        let factor = now.or(self.schedule.last()).map_or(1.0, |(_, factor)| *factor);
        self.learning_rate * factor
    }

    /// An untrained classifier of `dim` features, to be trained batch by batch when the features of an
    /// epoch do not fit into memory. Classifiers of several blocks with one seed drop features of the
    /// same places.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless epochs and batch are at least 1 and 2, the learning rate is above 0,
    /// the weight decay at least 0, dropout in 0..1 and every factor at least 0.
    pub fn classifier(
        &self,
        dim: usize,
        classes: usize,
        seed: u64,
    ) -> Result<BlockClassifier, Error> {
        self.validate()?;
        Ok(BlockClassifier::new(self.clone(), dim, classes, seed))
    }

    fn validate(&self) -> Result<(), Error> {
        at_least_one("epochs", self.epochs)?;
        positive("learning rate", f64::from(self.learning_rate))?;
        let refuse = |setting, expected, got| Err(Error::Setting { setting, expected, got });
        if self.batch < 2 {
            return refuse(
                "batch",
                "at least 2 (a batch of one has no variance)",
                self.batch as f64,
            );
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return refuse("dropout", "a number in 0..1", f64::from(self.dropout));
        }
        let decay = [("weight decay", self.weight_decay)].into_iter();
        let factors = self.schedule.iter().map(|(_, factor)| ("schedule", *factor));
        for (setting, got) in decay.chain(factors) {
            if !(got.is_finite() && got >= 0.0) {
                return refuse(setting, "a finite number of at least 0", f64::from(got));
            }
        }
        Ok(())
    }

    /// Trains on what `epoch_features` returns for epoch 0, 1, …: the authors cut and colour clips
    /// anew each epoch. Features that stay as they are may be borrowed.
    ///
    /// # Errors
    ///
    /// Those of [`classifier`](Self::classifier); [`Error::Setting`] if there are fewer samples than a
    /// batch; [`Error::Disagreement`] if an epoch differs from the first in dimension or classes.
    pub fn train<'a>(
        &self,
        seed: u64,
        mut epoch_features: impl FnMut(usize) -> Cow<'a, Features>,
    ) -> Result<TrainedBlock, Error> {
        self.validate()?; // before the first epoch is encoded
        let mut features = epoch_features(0);
        let mut classifier = self.classifier(features.dim(), features.classes(), seed)?;
        let mut epochs = Vec::with_capacity(self.epochs);
        for epoch in 0..self.epochs {
            if epoch > 0 {
                features = epoch_features(epoch);
            }
            self.check(&classifier, &features)?;
            let mut order: Vec<usize> = (0..features.len()).collect();
            shuffle(&mut order, &mut stream(seed, Purpose::Probe, [ORDER, epoch as u64, 0, 0]));
            let steps: Vec<StepOutcome> = order
                .chunks_exact(self.batch)
                .map(|batch| {
                    let part = features.subset(batch);
                    classifier.step(part.values(), part.labels(), epoch)
                })
                .collect();
            epochs.push(StepOutcome::mean(&steps));
        }
        Ok(TrainedBlock { readout: classifier.readout(), epochs })
    }

    fn check(&self, classifier: &BlockClassifier, features: &Features) -> Result<(), Error> {
        let (classes, dim) = classifier.dims();
        for (what, expected, got) in [
            ("feature dimension of an epoch", dim, features.dim()),
            ("number of classes of an epoch", classes, features.classes()),
        ] {
            if expected != got {
                return Err(Error::Disagreement { what, expected, got });
            }
        }
        if features.len() < self.batch {
            let (setting, expected) = ("batch", "at most the number of samples");
            return Err(Error::Setting { setting, expected, got: self.batch as f64 });
        }
        Ok(())
    }
}

impl Probe for BlockProbe {
    fn protocol(&self) -> Protocol {
        Protocol::Block
    }

    fn fit(&self, train: &Features, seed: u64) -> Result<Box<dyn Readout>, Error> {
        Ok(Box::new(self.train(seed, |_| Cow::Borrowed(train))?.readout))
    }
}
