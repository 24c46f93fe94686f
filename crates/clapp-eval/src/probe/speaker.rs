//! Who speaks: a linear classifier of means over time.

use std::borrow::Cow;

use clapp_random::{Purpose, stream};
use ndarray::{Array1, ArrayView2, Axis};

use super::layer::Layer;
use super::paper::{ORDER, Trained};
use super::{Readout, at_least_one, positive};
use crate::features::shuffle;
use crate::{Error, Features, metrics};

/// What an encoder says about a whole crop: the mean of its outputs over time.
///
/// # Shapes
///
/// - `outputs`: `[time, dim]`
/// - returns `[dim]`
///
/// # Panics
///
/// If there is no output.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// let mean = clapp_eval::probe::mean_over_time(array![[0.0, 2.0], [1.0, 4.0]].view());
/// assert_eq!(mean, array![0.5, 3.0]);
/// ```
#[must_use]
pub fn mean_over_time(outputs: ArrayView2<'_, f32>) -> Array1<f32> {
    outputs.mean_axis(Axis(0)).expect("there is at least one output")
}

/// The linear speaker classifier of Greedy InfoMax.
///
/// ```text
/// s = W mean_t(x_t) + b        L = mean over a batch of −ln softmax(s)_speaker        W, b ← Adam
/// ```
/// Samples are random crops, features their [`mean_over_time`]. Batches that are not full are dropped,
/// in training and in the accuracy, which is the mean over batches. A part smaller than a batch is
/// one batch.
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `epochs` | 50 | passes over the training part |
/// | `batch` | 64 | crops a step |
/// | `learning_rate` | 1e-3 | Adam's |
///
/// # Paper
///
/// Löwe et al. 2019, `logistic_regression_speaker.py`; Illing et al. 2021 do not print it. Deviations: a part
/// smaller than a batch is used and not dropped; draws are keyed streams.
///
/// # Example
///
/// ```
/// use std::borrow::Cow;
/// use clapp_eval::{Features, SpeakerProbe};
/// use ndarray::Array2;
///
/// let crops = Features::new(Array2::from_shape_fn((8, 1), |(i, _)| (i % 2) as f32), vec![0, 1, 0, 1, 0, 1, 0, 1])?;
/// let probe = SpeakerProbe { epochs: 2000, ..SpeakerProbe::default() };
/// let trained = probe.train(2, |_epoch| Cow::Borrowed(&crops))?;
/// assert_eq!(probe.accuracy(&trained.readout, &crops), 100.0);
/// # Ok::<(), clapp_eval::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SpeakerProbe {
    /// Passes over the training part.
    pub epochs: usize,
    /// Crops a step.
    pub batch: usize,
    /// Adam's learning rate.
    pub learning_rate: f32,
}

impl Default for SpeakerProbe {
    fn default() -> Self {
        Self { epochs: 50, batch: 64, learning_rate: 1e-3 }
    }
}

impl SpeakerProbe {
    /// Trains on what `epoch_features` returns for epoch 0, 1, …: new crops each epoch, as the authors
    /// draw them, or the same ones again.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for 0 epochs, a batch of 0 or a learning rate not finite and above 0;
    /// [`Error::Disagreement`] if an epoch differs from the first in dimension or classes.
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
            let size = self.batch.min(features.len());
            let batches = order.chunks_exact(size);
            let seen = batches.len() * size;
            let step = |batch| layer.step(&features, batch, self.learning_rate);
            losses.push(batches.map(step).sum::<f64>() / seen as f64);
        }
        Ok(Trained { readout: layer.readout(), losses })
    }

    /// Mean over full batches of the percentage of crops whose speaker is found.
    ///
    /// # Panics
    ///
    /// If the test part has another dimension or more classes than the training part.
    #[must_use]
    pub fn accuracy(&self, readout: &dyn Readout, test: &Features) -> f64 {
        let size = self.batch.min(test.len());
        let used = test.len() / size * size;
        let scores = readout.scores(test.values());
        let (scores, _) = scores.view().split_at(Axis(0), used);
        metrics::batch_mean_accuracy(scores, &test.labels()[..used], 1, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::LinearReadout;
    use ndarray::{Array2, array};

    fn crops(count: usize) -> Features {
        let values = Array2::from_shape_fn((count, 3), |(i, j)| f32::from(u8::from(i % 3 == j)));
        Features::new(values, (0..count).map(|i| (i % 3) as u8).collect()).unwrap()
    }

    #[test]
    fn speakers_that_can_be_told_apart_are() {
        let probe = SpeakerProbe { epochs: 300, batch: 8, ..SpeakerProbe::default() };
        let trained = probe.train(1, |_| Cow::Owned(crops(30))).unwrap();
        assert!((probe.accuracy(&trained.readout, &crops(31)) - 100.0).abs() < 1e-9);
        assert!(trained.losses[299] < trained.losses[0]);
    }

    #[test]
    fn the_last_incomplete_batch_counts_neither_way() {
        // Always speaker 0: right for 2 of the first 4 crops; the fifth and sixth would be right too.
        let readout = LinearReadout::new(Array2::zeros((2, 1)), array![1.0, 0.0]);
        let test = Features::new(Array2::zeros((6, 1)), vec![0, 1, 0, 1, 0, 0]).unwrap();
        let probe = SpeakerProbe { batch: 4, ..SpeakerProbe::default() };
        assert!((probe.accuracy(&readout, &test) - 50.0).abs() < 1e-9);
    }
}
