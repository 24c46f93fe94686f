//! Linear probes that learn in epochs: one trainer, whose settings are the published classifiers.

mod adam;
mod norm;
mod start;
mod train;
mod training;

use super::{Protocol, at_least_one, positive};
use crate::Error;

pub use start::Start;
pub use train::Trained;
pub use training::LinearTraining;

/// What a step learns from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Batches {
    /// This many samples in an order that each epoch draws anew; the last, smaller batch is kept.
    Shuffled(usize),
    /// The same, but an incomplete last batch is dropped.
    Whole(usize),
    /// A whole sequence, such as an utterance, in the order given: see
    /// [`Features::sequences`](crate::Features::sequences).
    Sequences,
}

/// What the linear layer sees.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Input {
    /// The features as they are.
    Raw,
    /// The features, of which each step drops every other by chance and doubles the rest: dropout ½.
    Halved,
    /// The features of a batch at zero mean and unit variance, scaled and shifted by learnt γ and β,
    /// each dropped with probability `dropout`.
    BatchNorm {
        /// Probability with which a feature is dropped.
        dropout: f32,
    },
}

/// Which test samples count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scoring {
    /// All, alike.
    Samples,
    /// Those in whole batches: the mean over batches.
    WholeBatches,
}

/// A linear classifier trained by Adam.
///
/// ```text
/// s = W x' + b        L = mean over a batch of −ln softmax(s_n)_{y_n}        Δθ = Adam(∂L/∂θ + λθ)
/// x' = x, or dropout(x), or dropout(γ ⊙ (x − μ_batch)/√(σ²_batch + ε) + β)        θ = W, b (γ, β)
/// ```
/// The published protocols are settings of it:
///
/// | Name | [`paper`](Self::paper) | [`phones`](Self::phones) | [`speakers`](Self::speakers) | [`block`](Self::block) | [`dropout`](Self::dropout) |
/// |---|---|---|---|---|---|
/// | `epochs`: passes over the training part | 300 | 20 | 50 | 200 | 50 |
/// | `batches` | `Shuffled(32)` | `Sequences` | `Whole(64)` | `Whole(8)` | `Shuffled(64)` |
/// | `start`: of W and b | `Uniform` | `XavierNormal` | `Uniform` | `Orthonormal` | `Uniform` |
/// | `input`: x' | `Raw` | `Raw` | `Raw` | `BatchNorm`, dropout ½ | `Halved` |
/// | `learning_rate` | 1e-3 | 1e-4 | 1e-3 | 1e-4 | 1e-3 |
/// | `schedule`: factors of it | 1 | 1 | 1 | 1 to epoch 60, 0.1 to 80, then 0.01 | halved after 20, 35, 50, 60, 70, 80 and 90 % |
/// | `weight_decay`: λ | 0 | 0 | 0 | 1e-5 | 0 |
/// | `scoring` | `Samples` | `Samples` | `WholeBatches` | `Samples` | `Samples` |
///
/// The last epoch counts, none is selected. Epochs and learning rate are part of a protocol: raw
/// features of small scale are read out worse than the same ones scaled up, which
/// [`StandardisedProbe`](super::StandardisedProbe) does not do; report both. In a test, batch moments
/// are replaced by their running means (momentum 0.1) and nothing is dropped, so that every one of
/// these is linear in x: see [`LinearTraining::readout`].
///
/// # Example
///
/// ```
/// use clapp_eval::{Features, LinearProbe, Probe, Readout};
/// use ndarray::array;
///
/// let train = Features::new(array![[-1.0], [1.0]], vec![0, 1])?;
/// let probe = LinearProbe { epochs: 3000, ..LinearProbe::paper() }; // one step each
/// let readout = probe.fit(&train, 2)?;
/// let scores = readout.scores(array![[5.0]].view());
/// assert!(scores[[0, 1]] > scores[[0, 0]]);
/// # Ok::<(), clapp_eval::Error>(())
/// ```
///
/// # Cost
///
/// O(samples · dim · classes) an epoch: about 0.2 s for 20,000 frames of 512 features and 41 classes.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearProbe {
    /// What its numbers are called.
    pub protocol: Protocol,
    /// Passes over the training part.
    pub epochs: usize,
    /// What a step learns from.
    pub batches: Batches,
    /// Weights and biases before the first step.
    pub start: Start,
    /// What the linear layer sees.
    pub input: Input,
    /// Adam's learning rate before the schedule.
    pub learning_rate: f32,
    /// Factors of the learning rate and the epoch from which each holds no more, in order; the factor
    /// of the last entry stays.
    pub schedule: Vec<(usize, f32)>,
    /// Weight decay, added to the gradient.
    pub weight_decay: f32,
    /// Which test samples count.
    pub scoring: Scoring,
}

impl LinearProbe {
    /// The classifier of images.
    ///
    /// # Paper
    ///
    /// Illing et al. 2021, appendix; `downstream_classification.py`, `ClassificationModel.py`.
    /// Deviations: none in the rule; random draws are keyed streams instead of PyTorch's generator.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            protocol: Protocol::Paper,
            epochs: 300,
            batches: Batches::Shuffled(32),
            start: Start::Uniform,
            input: Input::Raw,
            learning_rate: 1e-3,
            schedule: Vec::new(),
            weight_decay: 0.0,
            scoring: Scoring::Samples,
        }
    }

    /// The classifier of phones, on every frame of an utterance: the features are those of
    /// [`PhoneFrames::features`](crate::PhoneFrames::features).
    ///
    /// # Paper
    ///
    /// Löwe et al. 2019, whose read-out Illing et al. 2021 use; `logistic_regression_phones.py`.
    /// Deviations: none in the rule; initial weights come from a keyed stream.
    ///
    /// # Example
    ///
    /// ```
    /// use clapp_eval::{LinearProbe, PhoneFrames, Probe, phones};
    /// use ndarray::array;
    ///
    /// let mut frames = PhoneFrames::new(2);
    /// frames.push("a", array![[-1.0], [-1.0], [1.0]].view(), &[0, 0, 1])?;
    /// frames.push("b", array![[1.0], [1.0], [-1.0]].view(), &[1, 1, 0])?;
    /// let probe = LinearProbe { epochs: 4000, learning_rate: 1e-3, ..LinearProbe::phones() };
    /// let readout = probe.fit(&frames.features()?, 2)?;
    /// assert_eq!(phones::score(&*readout, &frames)?.accuracy(), 100.0);
    /// # Ok::<(), clapp_eval::Error>(())
    /// ```
    #[must_use]
    pub fn phones() -> Self {
        Self {
            epochs: 20,
            batches: Batches::Sequences,
            start: Start::XavierNormal,
            learning_rate: 1e-4,
            ..Self::paper()
        }
    }

    /// The classifier of speakers of Greedy InfoMax. Samples are random crops, features their
    /// [`mean_over_time`](super::mean_over_time). A part smaller than a batch is one batch.
    ///
    /// # Paper
    ///
    /// Löwe et al. 2019, `logistic_regression_speaker.py`; Illing et al. 2021 do not print it.
    /// Deviations: a part smaller than a batch is used and not dropped; draws are keyed streams.
    #[must_use]
    pub fn speakers() -> Self {
        let (batches, scoring) = (Batches::Whole(64), Scoring::WholeBatches);
        Self { epochs: 50, batches, scoring, ..Self::paper() }
    }

    /// The classifier of a block of the video encoder.
    ///
    /// # Paper
    ///
    /// Illing et al. 2021, appendix; `test.py` of the video code. Deviations: none in the rule; random
    /// draws are keyed streams instead of PyTorch's generator.
    #[must_use]
    pub fn block() -> Self {
        Self {
            protocol: Protocol::Block,
            epochs: 200,
            batches: Batches::Whole(8),
            start: Start::Orthonormal,
            input: Input::BatchNorm { dropout: 0.5 },
            learning_rate: 1e-4,
            schedule: vec![(60, 1.0), (80, 0.1), (100, 0.01)],
            weight_decay: 1e-5,
            scoring: Scoring::Samples,
        }
    }

    /// The classifier of SoftHebb, for a number of epochs (50 for CIFAR-10).
    ///
    /// # Paper
    ///
    /// Journé et al. (2023), ICLR, appendix. Deviations: draws are keyed streams.
    ///
    /// ```
    /// use clapp_eval::LinearProbe;
    /// let rates = [0, 9, 10, 49].map(|epoch| LinearProbe::dropout(50).rate(epoch));
    /// assert_eq!(rates, [1e-3, 1e-3, 5e-4, 1e-3 / 128.0]);
    /// ```
    #[must_use]
    pub fn dropout(epochs: usize) -> Self {
        let after = |percent: usize| (epochs * percent).div_ceil(100);
        let halves = [20, 35, 50, 60, 70, 80, 90, 100].into_iter().enumerate();
        let schedule = halves.map(|(times, percent)| (after(percent), 0.5_f32.powi(times as i32)));
        Self {
            protocol: Protocol::Dropout,
            epochs,
            batches: Batches::Shuffled(64),
            input: Input::Halved,
            schedule: schedule.collect(),
            ..Self::paper()
        }
    }

    /// The learning rate of an epoch.
    ///
    /// ```
    /// use clapp_eval::LinearProbe;
    /// let rates = [0, 59, 60, 80, 150].map(|epoch| LinearProbe::block().rate(epoch));
    /// assert_eq!(rates, [1e-4, 1e-4, 1e-5, 1e-6, 1e-6]);
    /// ```
    #[must_use]
    pub fn rate(&self, epoch: usize) -> f32 {
        let now = self.schedule.iter().find(|(until, _)| epoch < *until);
        let factor = now.or(self.schedule.last()).map_or(1.0, |(_, factor)| *factor);
        self.learning_rate * factor
    }

    /// The classifier before its first step, to be trained batch by batch where the features of an
    /// epoch are not kept. Classifiers of several layers with one seed drop features of the same
    /// places.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless epochs and batch are at least 1 (a batch that is normalised: 2), the
    /// learning rate is above 0, the weight decay and every factor at least 0, and dropout in 0..1.
    pub fn begin(&self, dim: usize, classes: usize, seed: u64) -> Result<LinearTraining, Error> {
        self.validate()?;
        Ok(LinearTraining::new(self.clone(), dim, classes, seed))
    }

    fn validate(&self) -> Result<(), Error> {
        at_least_one("epochs", self.epochs)?;
        positive("learning rate", f64::from(self.learning_rate))?;
        let refuse = |setting, expected, got| Err(Error::Setting { setting, expected, got });
        if let Batches::Shuffled(size) | Batches::Whole(size) = self.batches {
            if matches!(self.input, Input::BatchNorm { .. }) && size < 2 {
                let expected = "at least 2 (a batch of one has no variance)";
                return refuse("batch", expected, size as f64);
            }
            at_least_one("batch", size)?;
        }
        if let Input::BatchNorm { dropout } = self.input
            && !(0.0..1.0).contains(&dropout)
        {
            return refuse("dropout", "a number in 0..1", f64::from(dropout));
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
}
