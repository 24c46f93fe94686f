//! How often phones are found, with and without silence, and by whom they were spoken.

use std::collections::BTreeMap;

use ndarray::ArrayView2;

use crate::phones::PhoneFrames;
use crate::{Confusion, Error, Readout, metrics, probe::same};

/// What a read-out got right, frame by frame.
#[derive(Clone, Debug, PartialEq)]
pub struct PhoneScore {
    /// Labels against guesses.
    pub confusion: Confusion,
    /// Per speaker: frames, and how many of them are right.
    pub speakers: BTreeMap<usize, (u64, u64)>,
}

/// Scores a read-out on every frame of `test`.
///
/// # Errors
///
/// Those of [`PhoneFrames::features`]; [`Error::Disagreement`] if the read-out has other classes.
///
/// # Panics
///
/// If the read-out was fitted on another dimension.
///
/// # Example
///
/// ```
/// use clapp_eval::probe::LinearReadout;
/// use clapp_eval::{PhoneFrames, phones};
/// use ndarray::array;
///
/// let mut test = PhoneFrames::new(2);
/// test.push("a", 7, array![[-1.0], [1.0], [1.0], [1.0]].view(), &[0, 1, 1, 0])?;
/// let sign = LinearReadout::new(array![[-1.0], [1.0]], array![0.0, 0.0]);
/// let score = phones::score(&sign, &test)?;
/// assert_eq!((score.accuracy(), score.accuracy_without(0)), (75.0, Some(100.0)));
/// # Ok::<(), clapp_eval::Error>(())
/// ```
pub fn score(readout: &dyn Readout, test: &PhoneFrames) -> Result<PhoneScore, Error> {
    test.features()?;
    let mut score = PhoneScore::new(test.classes());
    for ((frames, labels), speaker) in test.utterances().zip(test.speakers()) {
        score.add(readout, speaker, frames, labels)?;
    }
    Ok(score)
}

impl PhoneScore {
    /// Nothing heard yet.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self { confusion: Confusion::empty(classes), speakers: BTreeMap::new() }
    }

    /// Scores one more utterance, whose features need not be kept.
    ///
    /// # Shapes
    ///
    /// - `frames`: `[frames, dim]`, those with a label, see [`labelled`](super::labelled)
    /// - `labels`: `[frames]`
    ///
    /// # Errors
    ///
    /// [`Error::Disagreement`] if the read-out has other classes.
    ///
    /// # Panics
    ///
    /// If the read-out was fitted on another dimension, or a label is not below the number of classes.
    pub fn add(
        &mut self,
        readout: &dyn Readout,
        speaker: usize,
        frames: ArrayView2<'_, f32>,
        labels: &[u32],
    ) -> Result<(), Error> {
        self.count(speaker, readout.scores(frames).view(), labels)
    }

    /// Counts one more utterance that was scored elsewhere.
    ///
    /// # Shapes
    ///
    /// - `scores`: `[frames, classes]`; `labels`: `[frames]`
    ///
    /// # Errors
    ///
    /// [`Error::Disagreement`] if there are other classes.
    ///
    /// # Panics
    ///
    /// If there are not as many labels as frames, or one is not below the number of classes.
    pub fn count(
        &mut self,
        speaker: usize,
        scores: ArrayView2<'_, f64>,
        labels: &[u32],
    ) -> Result<(), Error> {
        same("number of classes", scores.ncols(), self.confusion.classes())?;
        self.confusion.count(scores, labels);
        let (heard, right) = self.speakers.entry(speaker).or_insert((0, 0));
        *heard += labels.len() as u64;
        let guesses = scores.rows().into_iter().map(metrics::guess);
        *right += guesses.zip(labels).filter(|&(guess, &l)| guess == l as usize).count() as u64;
        Ok(())
    }

    /// Percentage of frames whose phone is found.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.confusion.accuracy()
    }

    /// The same over frames of other classes than `class`; `None` if there are none. Frames of silence,
    /// class 0, are many and easily found: without them the number says more about phones.
    #[must_use]
    pub fn accuracy_without(&self, class: usize) -> Option<f64> {
        self.confusion.accuracy_without(class)
    }

    /// The mean over speakers of the percentage of their frames that is right: nobody counts more for
    /// having said more.
    #[must_use]
    pub fn speaker_mean(&self) -> f64 {
        let share = |&(frames, right): &(u64, u64)| 100.0 * right as f64 / frames.max(1) as f64;
        self.speakers.values().map(share).sum::<f64>() / self.speakers.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::LinearReadout;
    use ndarray::array;

    #[test]
    fn speakers_count_alike_whatever_they_said() {
        let mut test = PhoneFrames::new(2);
        test.push("a", 3, array![[1.0]].view(), &[1]).unwrap();
        test.push("b", 9, array![[1.0], [1.0]].view(), &[0, 0]).unwrap();
        test.push("c", 9, array![[1.0], [1.0]].view(), &[0, 1]).unwrap();
        let sign = LinearReadout::new(array![[-1.0], [1.0]], array![0.0, 0.0]);
        let score = score(&sign, &test).unwrap();
        assert_eq!(score.speakers, [(3, (1, 1)), (9, (4, 1))].into());
        assert!((score.accuracy() - 40.0).abs() < 1e-12);
        assert!((score.speaker_mean() - 62.5).abs() < 1e-12); // (100 + 25)/2
    }

    #[test]
    fn a_readout_of_other_classes_is_refused() {
        let mut test = PhoneFrames::new(3);
        test.push("a", 3, array![[1.0]].view(), &[1]).unwrap();
        let sign = LinearReadout::new(array![[-1.0], [1.0]], array![0.0, 0.0]);
        assert!(matches!(
            score(&sign, &test),
            Err(Error::Disagreement { expected: 2, got: 3, .. })
        ));
    }
}
