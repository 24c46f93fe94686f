//! Phones: features and labels at every frame of whole utterances.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis};

use crate::{Confusion, Error, Features, Readout, probe::same};

/// The most outputs without a label that an utterance may have.
pub const MOST_SURPLUS: usize = 3;

/// The frames of an utterance that have a label, `[labels, dim]` of `[outputs, dim]`: the last ones. `id` is
/// for messages.
///
/// # Errors
///
/// [`Error::Invalid`] if there are fewer outputs than labels, or more than [`MOST_SURPLUS`] more: such
/// labels belong to something else.
///
/// # Paper
///
/// Löwe et al. 2019, `logistic_regression_phones.py`: the first T_enc − T_lab outputs are dropped, 2 or 3.
/// Deviations: none.
///
/// # Example
///
/// ```
/// use clapp_eval::phones::labelled;
/// use ndarray::array;
/// let outputs = array![[0.0], [1.0], [2.0]];
/// assert_eq!(labelled("a", outputs.view(), &[4])?, array![[2.0]]);
/// # Ok::<(), clapp_eval::Error>(())
/// ```
pub fn labelled<'a>(
    id: &str,
    outputs: ArrayView2<'a, f32>,
    labels: &[u32],
) -> Result<ArrayView2<'a, f32>, Error> {
    let (count, labels) = (outputs.nrows(), labels.len());
    match count.checked_sub(labels) {
        Some(surplus) if surplus <= MOST_SURPLUS => Ok(outputs.split_at(Axis(0), surplus).1),
        _ => {
            let most = labels + MOST_SURPLUS;
            let expected = format!("{labels} to {most} outputs for {labels} labels");
            let got = format!("{count} in utterance {id}");
            let advice = "are encoder and labels of the same recording, one per 10 ms?";
            Err(Error::invalid("phone frames", expected, got, advice))
        }
    }
}

/// Features and labels of all frames, utterance by utterance.
///
/// # Example
///
/// ```
/// use clapp_eval::PhoneFrames;
/// use ndarray::Array2;
///
/// let mut frames = PhoneFrames::new(41);
/// frames.push("2911-12359-0007", Array2::zeros((510, 256)).view(), &[0; 508])?;
/// let features = frames.features()?;
/// assert_eq!((features.len(), features.dim(), features.classes()), (508, 256, 41));
/// # Ok::<(), clapp_eval::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PhoneFrames {
    classes: usize,
    dim: usize,
    values: Vec<f32>, // [frames, dim]
    labels: Vec<u32>, // [frames]
    utterances: Vec<Range<usize>>,
}

impl PhoneFrames {
    /// No utterance yet; labels are below `classes`.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        let (values, labels, utterances) = (Vec::new(), Vec::new(), Vec::new());
        Self { classes, dim: 0, values, labels, utterances }
    }

    /// Adds an utterance, aligned as by [`labelled`]. `id` is for messages.
    ///
    /// # Shapes
    ///
    /// - `outputs`: `[outputs, dim]`, the same `dim` for all utterances
    /// - `labels`: `[labels]`
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if outputs and labels cannot belong together, [`Error::Disagreement`] if `dim`
    /// differs from that of the first utterance.
    pub fn push(
        &mut self,
        id: &str,
        outputs: ArrayView2<'_, f32>,
        labels: &[u32],
    ) -> Result<(), Error> {
        let frames = labelled(id, outputs, labels)?;
        if self.utterances.is_empty() {
            self.dim = outputs.ncols();
        }
        same("feature dimension of an utterance", self.dim, outputs.ncols())?;
        self.values.extend(frames);
        self.utterances.push(self.len()..self.len() + labels.len());
        self.labels.extend_from_slice(labels);
        Ok(())
    }

    /// All frames as labelled features, an utterance a sequence, for any [`Probe`](crate::Probe).
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] without a frame, if a feature is not a number, or if a label is not below the
    /// number of classes.
    pub fn features(&self) -> Result<Features, Error> {
        let values = Array2::from_shape_vec((self.len(), self.dim), self.values.clone())
            .expect("every frame has a label and `dim` features");
        let features = Features::new(values, self.labels.clone())?.with_classes(self.classes)?;
        Ok(features.with_sequences(self.utterances.iter().map(Range::len)))
    }

    /// The utterances at `indices`, in that order.
    ///
    /// # Panics
    ///
    /// If an index is not below the number of utterances.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut selected = Self { dim: self.dim, ..Self::new(self.classes) };
        for range in indices.iter().map(|&index| self.utterances[index].clone()) {
            let values = range.start * self.dim..range.end * self.dim;
            selected.values.extend_from_slice(&self.values[values]);
            selected.utterances.push(selected.len()..selected.len() + range.len());
            selected.labels.extend_from_slice(&self.labels[range]);
        }
        selected
    }

    /// The number of utterances.
    #[must_use]
    pub fn utterances(&self) -> usize {
        self.utterances.len()
    }

    /// The labels of all frames.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The number of frames.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True if there is no frame.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }
}

/// What a read-out takes for what, frame by frame.
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
/// test.push("a", array![[-1.0], [1.0], [1.0], [1.0]].view(), &[0, 1, 1, 0])?;
/// let sign = LinearReadout::new(array![[-1.0], [1.0]], array![0.0, 0.0]);
/// let confusion = phones::score(&sign, &test)?;
/// assert_eq!((confusion.accuracy(), confusion.accuracy_without(0)), (75.0, Some(100.0)));
/// # Ok::<(), clapp_eval::Error>(())
/// ```
pub fn score(readout: &dyn Readout, test: &PhoneFrames) -> Result<Confusion, Error> {
    let (features, mut confusion) = (test.features()?, Confusion::empty(test.classes()));
    confusion.count(readout.scores(features.values()).view(), features.labels())?;
    Ok(confusion)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::LinearReadout;
    use ndarray::array;

    /// Output t of an utterance is `[first + t]`.
    fn outputs(first: usize, count: usize) -> Array2<f32> {
        Array2::from_shape_fn((count, 1), |(t, _)| (first + t) as f32)
    }

    #[test]
    fn the_first_surplus_outputs_are_dropped() {
        let mut frames = PhoneFrames::new(3);
        frames.push("a", outputs(0, 5).view(), &[0, 1, 2]).unwrap();
        frames.push("b", outputs(100, 2).view(), &[1, 1]).unwrap();
        frames.push("c", outputs(200, 4).view(), &[2]).unwrap();
        let features = frames.features().unwrap();
        let values: Vec<f32> = features.values().iter().copied().collect();
        assert_eq!(values, [2.0, 3.0, 4.0, 100.0, 101.0, 203.0]);
        assert_eq!(features.labels(), [0, 1, 2, 1, 1, 2]);
        assert_eq!((features.sequences(), frames.utterances()), (&[0..3, 3..5, 5..6][..], 3));
        let part = frames.select(&[2, 0]);
        assert_eq!((part.labels(), part.utterances()), (&[2, 0, 1, 2][..], 2));
        assert_eq!(part.features().unwrap().sequences(), [0..1, 1..4]);
        let first = part.features().unwrap().values()[[0, 0]];
        assert_eq!(first.to_bits(), 203.0_f32.to_bits());
    }

    #[test]
    fn outputs_that_do_not_belong_to_the_labels_are_refused() {
        let mut frames = PhoneFrames::new(3);
        for count in [2, 7] {
            let error = frames.push("19-198-0000", outputs(0, count).view(), &[0; 3]);
            assert_eq!(
                error.unwrap_err().to_string(),
                format!(
                    "phone frames: expected 3 to 6 outputs for 3 labels, got {count} in utterance \
                     19-198-0000; are encoder and labels of the same recording, one per 10 ms?"
                )
            );
        }
        assert!(frames.features().unwrap_err().to_string().contains("got [0, 0]"));
    }

    #[test]
    fn labels_beyond_the_classes_and_other_dimensions_are_refused() {
        let mut frames = PhoneFrames::new(3);
        frames.push("a", outputs(0, 2).view(), &[0, 3]).unwrap();
        let error = frames.features().unwrap_err().to_string();
        assert!(error.contains("expected labels below 3, got 3 in row 1"), "{error}");
        let wide = frames.push("b", Array2::zeros((2, 4)).view(), &[0, 0]);
        assert!(matches!(wide, Err(Error::Disagreement { expected: 1, got: 4, .. })));
    }

    #[test]
    fn a_readout_of_other_classes_is_refused() {
        let mut test = PhoneFrames::new(3);
        test.push("a", array![[1.0]].view(), &[1]).unwrap();
        let sign = LinearReadout::new(array![[-1.0], [1.0]], array![0.0, 0.0]);
        assert!(matches!(
            score(&sign, &test),
            Err(Error::Disagreement { expected: 2, got: 3, .. })
        ));
    }
}
