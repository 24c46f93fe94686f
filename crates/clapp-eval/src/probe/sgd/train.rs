//! Epochs: what a linear probe learns from, and how it is scored.

use std::borrow::Cow;

use clapp_random::{Purpose, stream};
use ndarray::{Axis, Slice};

use super::{Batches, Input, LinearProbe, LinearTraining, Scoring};
use crate::features::shuffle;
use crate::probe::{LinearReadout, Probe, Protocol, Readout, same};
use crate::{Error, Features, metrics};

/// A read-out trained by [`LinearProbe::train`].
#[derive(Clone, Debug)]
pub struct Trained {
    /// The read-out after the last epoch.
    pub readout: LinearReadout,
    /// Of each epoch, measured while training: the mean loss of a sample in nats.
    pub epochs: Vec<f64>,
}

impl LinearProbe {
    /// Trains on what `epoch_features` returns for epoch 0, 1, …: the authors cut, flip and colour
    /// anew each epoch, and encode again. Features that stay as they are may be borrowed.
    ///
    /// # Errors
    ///
    /// Those of [`begin`](Self::begin); [`Error::Setting`] if there are fewer samples than a whole
    /// batch that is normalised; [`Error::Disagreement`] if an epoch differs from the first in
    /// dimension or classes; [`Error::File`] if streamed features cannot be read.
    ///
    /// # Panics
    ///
    /// If a batch that is normalised has one sample only.
    ///
    /// # Example
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use clapp_eval::{Features, LinearProbe};
    /// use ndarray::array;
    ///
    /// let crops = |epoch: usize| {
    ///     let shift = (epoch % 3) as f32 * 0.1;
    ///     Features::new(array![[shift - 1.0], [shift + 1.0]], vec![0, 1])
    /// };
    /// let (first, probe) = (crops(0)?, LinearProbe { epochs: 6, ..LinearProbe::paper() });
    /// let trained = probe.train(2, |epoch| match epoch {
    ///     0 => Cow::Borrowed(&first),
    ///     later => Cow::Owned(crops(later).expect("finite")),
    /// })?;
    /// assert_eq!(trained.epochs.len(), 6);
    /// # Ok::<(), clapp_eval::Error>(())
    /// ```
    pub fn train<'a>(
        &self,
        seed: u64,
        mut epoch_features: impl FnMut(usize) -> Cow<'a, Features>,
    ) -> Result<Trained, Error> {
        self.validate()?; // before the first epoch is encoded
        let mut features = epoch_features(0);
        let mut training = self.begin(features.dim(), features.classes(), seed)?;
        let mut epochs = Vec::with_capacity(self.epochs);
        for epoch in 0..self.epochs {
            if epoch > 0 {
                features = epoch_features(epoch);
            }
            self.check(&training, &features)?;
            epochs.push(self.pass(&mut training, &features, epoch, seed)?);
        }
        Ok(Trained { readout: training.readout(), epochs })
    }

    /// That an epoch's features are of the same kind as the first, and enough.
    fn check(&self, training: &LinearTraining, features: &Features) -> Result<(), Error> {
        let (classes, dim) = training.dims();
        same("feature dimension of an epoch", dim, features.dim())?;
        same("number of classes of an epoch", classes, features.classes())?;
        match (self.batches, self.input) {
            (Batches::Whole(size), Input::BatchNorm { .. }) if features.len() < size => {
                let (setting, expected) = ("batch", "at most the number of samples");
                Err(Error::Setting { setting, expected, got: size as f64 })
            }
            _ => Ok(()),
        }
    }

    /// One epoch.
    fn pass(
        &self,
        training: &mut LinearTraining,
        features: &Features,
        epoch: usize,
        seed: u64,
    ) -> Result<f64, Error> {
        let (mut loss, mut samples) = (0.0, 0);
        let (size, least) = match self.batches {
            Batches::Shuffled(size) => (size, 1),
            Batches::Whole(size) => (size.min(features.len()), size.min(features.len())),
            Batches::Sequences => {
                for range in features.sequences() {
                    let (x, labels) = (features.values(), &features.labels()[range.clone()]);
                    let x = x.slice_axis(Axis(0), Slice::from(range.clone()));
                    loss += training.learn(x.into(), labels, epoch);
                }
                return Ok(loss / features.len() as f64);
            }
        };
        // Keys of two generations of classifiers, kept for their numbers.
        let key = if matches!(self.input, Input::BatchNorm { .. }) { 3 } else { 1 };
        let mut order: Vec<usize> = (0..features.len()).collect();
        shuffle(&mut order, &mut stream(seed, Purpose::Probe, [key, epoch as u64, 0, 0]));
        for batch in order.chunks(size).filter(|batch| batch.len() >= least) {
            let (part, labels) = features.select(batch)?.into_parts()?;
            loss += training.learn(part.into(), &labels, epoch);
            samples += labels.len();
        }
        Ok(loss / samples as f64)
    }
}

impl Probe for LinearProbe {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn fit(&self, train: &Features, seed: u64) -> Result<Box<dyn Readout>, Error> {
        Ok(Box::new(self.train(seed, |_| Cow::Borrowed(train))?.readout))
    }

    fn in_epochs(&self) -> Option<&LinearProbe> {
        Some(self)
    }

    fn accuracy(&self, readout: &dyn Readout, test: &Features) -> f64 {
        let scores = test.scored_by(readout);
        let (Batches::Whole(size), Scoring::WholeBatches) = (self.batches, self.scoring) else {
            return metrics::top1(scores.view(), test.labels());
        };
        let size = size.min(test.len());
        let used = test.len() / size * size;
        let (scores, _) = scores.view().split_at(Axis(0), used);
        metrics::batch_mean_accuracy(scores, &test.labels()[..used], 1, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    fn crops(count: usize) -> Features {
        let values = Array2::from_shape_fn((count, 3), |(i, j)| f32::from(u8::from(i % 3 == j)));
        Features::new(values, (0..count).map(|i| (i % 3) as u32).collect()).unwrap()
    }

    #[test]
    fn speakers_that_can_be_told_apart_are() {
        let batches = Batches::Whole(8);
        let probe = LinearProbe { epochs: 300, batches, ..LinearProbe::speakers() };
        let trained = probe.train(1, |_| Cow::Owned(crops(30))).unwrap();
        assert!((probe.accuracy(&trained.readout, &crops(31)) - 100.0).abs() < 1e-9);
        assert!(trained.epochs[299] < trained.epochs[0]);
    }

    #[test]
    fn the_last_incomplete_batch_counts_neither_way() {
        // Always speaker 0: right for 2 of the first 4 crops; the fifth and sixth would be right too.
        let readout = LinearReadout::new(Array2::zeros((2, 1)), array![1.0, 0.0]);
        let test = Features::new(Array2::zeros((6, 1)), vec![0, 1, 0, 1, 0, 0]).unwrap();
        let probe = LinearProbe { batches: Batches::Whole(4), ..LinearProbe::speakers() };
        assert!((probe.accuracy(&readout, &test) - 50.0).abs() < 1e-9);
    }
}
