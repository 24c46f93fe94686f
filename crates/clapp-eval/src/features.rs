//! Labelled features, and the parts of them that a protocol may look at.

use std::borrow::Cow;
use std::iter::once;
use std::ops::Range;

use clapp_random::{Purpose, stream};
use ndarray::{Array2, ArrayView2, Axis};
use rand::{Rng, RngExt};

use crate::{Error, Readout, kept::Stored, probe::at_least_one};

/// First index of the streams of [`Purpose::Split`] used here.
const FEW_LABELS: u64 = 0;
const FOLDS: u64 = 1;

/// What a frozen encoder says about labelled samples: one row of features and one label a sample.
///
/// The labels are seen by the read-out only; nothing here knows the encoder that made the values.
///
/// # Example
///
/// ```
/// use clapp_eval::Features;
/// use ndarray::array;
///
/// let features = Features::new(array![[0.1, 2.0], [0.3, 1.0], [0.2, 0.5]], vec![0, 1, 1])?;
/// assert_eq!((features.len(), features.dim(), features.classes()), (3, 2, 2));
/// # Ok::<(), clapp_eval::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    values: Values,
    labels: Vec<u32>, // [samples]
    classes: usize,
    sequences: Vec<Range<usize>>,
}

/// `[samples, dim]`, here or in a file.
#[derive(Clone, Debug, PartialEq)]
enum Values {
    Here(Array2<f32>),
    Stored(Stored),
}

/// Samples of streamed features that are scored at a time: a multiple of all blocks in which read-outs work,
/// so that they give the same bits.
const SCORED: usize = 2_048;

/// That all values are finite; row `first` comes first.
pub(crate) fn finite(values: ArrayView2<'_, f32>, first: usize) -> Result<(), Error> {
    let Some(((row, column), value)) = values.indexed_iter().find(|(_, v)| !v.is_finite()) else {
        return Ok(());
    };
    let got = format!("{value} in row {}, column {column}", first + row);
    Err(Error::invalid("features", "finite values", got, "has the encoder diverged?"))
}

impl Features {
    /// Checks and joins features and labels. The number of classes is the largest label plus one;
    /// see [`Features::with_classes`].
    ///
    /// # Shapes
    ///
    /// - `values`: `[samples, dim]`
    /// - `labels`: `[samples]`, counted from 0
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] without a row or a column, unless there is one label a row, or if a value is
    /// infinite or not a number.
    pub fn new(values: Array2<f32>, labels: Vec<u32>) -> Result<Self, Error> {
        finite(values.view(), 0)?;
        let values = match values.is_standard_layout() {
            true => values,
            false => values.as_standard_layout().into_owned(),
        };
        let dim = values.dim();
        Self::of(Values::Here(values), dim, labels)
    }

    /// Of rows in a file, all of which are finite.
    pub(crate) fn stored(stored: Stored, rows: usize, labels: Vec<u32>) -> Result<Self, Error> {
        let dim = (rows, stored.dim);
        Self::of(Values::Stored(stored), dim, labels)
    }

    fn of(
        values: Values,
        (rows, columns): (usize, usize),
        labels: Vec<u32>,
    ) -> Result<Self, Error> {
        let refuse =
            |expected: &str, got, advice| Err(Error::invalid("features", expected, got, advice));
        if rows == 0 || columns == 0 {
            let expected = "at least one row and one column";
            return refuse(expected, format!("[{rows}, {columns}]"), "is the data set empty?");
        }
        if labels.len() != rows {
            let expected = format!("{rows} labels (one a row)");
            return refuse(&expected, labels.len().to_string(), "were both cut alike?");
        }
        let classes = labels.iter().map(|&label| label as usize + 1).max().unwrap_or(0);
        Ok(Self { values, labels, classes, sequences: once(0..rows).collect() })
    }

    /// Declares the number of classes, for a part in which the last classes do not occur.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if a label is not below `classes`.
    pub fn with_classes(self, classes: usize) -> Result<Self, Error> {
        match self.labels.iter().position(|&label| label as usize >= classes) {
            Some(row) => {
                let (expected, label) = (format!("labels below {classes}"), self.labels[row]);
                let got = format!("{label} in row {row}");
                Err(Error::invalid("features", expected, got, "labels count from 0"))
            }
            None => Ok(Self { classes, ..self }),
        }
    }

    /// Declares which samples follow each other, such as the frames of an utterance, for
    /// [`Batches::Sequences`](crate::probe::Batches::Sequences).
    ///
    /// # Panics
    ///
    /// Unless `lengths` add up to the number of samples.
    #[must_use]
    pub fn with_sequences(self, lengths: impl IntoIterator<Item = usize>) -> Self {
        let (expected, mut end) = (self.len(), 0);
        let range = |length| {
            end += length;
            end - length..end
        };
        let sequences = lengths.into_iter().map(range).collect();
        assert!(expected == end, "sequences: expected {expected} samples, got {end}");
        Self { sequences, ..self }
    }

    /// The samples of each sequence; one of all samples unless declared otherwise.
    #[must_use]
    pub fn sequences(&self) -> &[Range<usize>] {
        &self.sequences
    }

    /// The features, `[samples, dim]`.
    ///
    /// # Panics
    ///
    /// If they are streamed: [`loaded`](Self::loaded) and [`subset`](Self::subset) are not.
    #[must_use]
    pub fn values(&self) -> ArrayView2<'_, f32> {
        match &self.values {
            Values::Here(values) => values.view(),
            Values::Stored(_) => panic!("features: expected values in memory, got a file of them"),
        }
    }

    /// Whether the values are in a file, see [`Gather`](crate::Gather).
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        matches!(self.values, Values::Stored(_))
    }

    /// The same with all values in memory: for what needs them at once.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if streamed ones cannot be read.
    pub fn loaded(&self) -> Result<Cow<'_, Self>, Error> {
        let Values::Stored(stored) = &self.values else { return Ok(Cow::Borrowed(self)) };
        let values = Values::Here(stored.read(&[(0, self.len())])?);
        Ok(Cow::Owned(Self { values, ..self.clone() }))
    }

    /// Values in memory, and labels: for what changes the values.
    pub(crate) fn into_parts(self) -> Result<(Array2<f32>, Vec<u32>), Error> {
        let values = match self.values {
            Values::Here(values) => values,
            Values::Stored(stored) => stored.read(&[(0, self.labels.len())])?,
        };
        Ok((values, self.labels))
    }

    /// Scores of all samples, `[samples, classes]`; streamed ones are read in blocks.
    ///
    /// # Panics
    ///
    /// As [`Readout::scores`], or if streamed features cannot be read.
    #[must_use]
    pub fn scored_by(&self, readout: &dyn Readout) -> Array2<f64> {
        let Values::Stored(stored) = &self.values else { return readout.scores(self.values()) };
        let starts = (0..self.len()).step_by(SCORED);
        let blocks = starts.map(|first| (first, SCORED.min(self.len() - first)));
        let scores = blocks.map(|run| {
            let block = stored.read(&[run]);
            readout.scores(block.unwrap_or_else(|error| panic!("{error}")).view())
        });
        let parts: Vec<Array2<f64>> = scores.collect();
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        ndarray::concatenate(Axis(0), &views).expect("all blocks have all classes")
    }

    /// The labels, `[samples]`.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Number of samples; never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there are no empty features")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Number of features of a sample.
    #[must_use]
    pub fn dim(&self) -> usize {
        match &self.values {
            Values::Here(values) => values.ncols(),
            Values::Stored(stored) => stored.dim,
        }
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The samples at `indices`, in that order, as one sequence, in memory.
    ///
    /// # Panics
    ///
    /// If `indices` is empty or one of them is not below [`Features::len`], or if streamed features cannot
    /// be read.
    #[must_use]
    pub fn subset(&self, indices: &[usize]) -> Self {
        self.select(indices).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same, with an error if streamed features cannot be read.
    pub(crate) fn select(&self, indices: &[usize]) -> Result<Self, Error> {
        assert!(!indices.is_empty(), "subset: expected at least one index, got none");
        let labels = indices.iter().map(|&i| self.labels[i]).collect();
        let values = match &self.values {
            Values::Here(values) => values.select(Axis(0), indices),
            Values::Stored(stored) => {
                stored.read(&indices.iter().map(|&i| (i, 1)).collect::<Vec<_>>())?
            }
        };
        let (values, sequences) = (Values::Here(values), once(0..indices.len()).collect());
        Ok(Self { values, labels, classes: self.classes, sequences })
    }

    /// Exactly `per_class` samples of each class, drawn without replacement from the streams
    /// `(seed, Purpose::Split, class)`.
    ///
    /// The draw depends on the labels and the seed only, so that every layer and every encoder is read
    /// out from the same images; and the draws are nested: 10 a class are part of 20 a class.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if a class has fewer; [`Error::Setting`] for `per_class` = 0.
    ///
    /// # Example
    ///
    /// ```
    /// use clapp_eval::Features;
    /// use ndarray::Array2;
    ///
    /// let all = Features::new(Array2::zeros((6, 4)), vec![0, 1, 0, 1, 0, 1])?;
    /// assert_eq!(all.few_labels(2, 7)?.labels(), [0, 0, 1, 1]);
    /// # Ok::<(), clapp_eval::Error>(())
    /// ```
    pub fn few_labels(&self, per_class: usize, seed: u64) -> Result<Self, Error> {
        self.select(&few_label_indices(&self.labels, self.classes, per_class, seed)?)
    }
}

/// Indices of `per_class` samples of each class.
fn few_label_indices(
    labels: &[u32],
    classes: usize,
    per_class: usize,
    seed: u64,
) -> Result<Vec<usize>, Error> {
    at_least_one("few labels", per_class)?;
    let mut chosen = Vec::with_capacity(per_class * classes);
    for (class, mut members) in members(labels, classes).into_iter().enumerate() {
        let available = members.len();
        if available < per_class {
            let expected = format!("at least {per_class} samples a class");
            let got = format!("{available} in class {class}");
            return Err(Error::invalid(
                "few labels",
                expected,
                got,
                "add data or lower the number",
            ));
        }
        shuffle(&mut members, &mut stream(seed, Purpose::Split, [FEW_LABELS, class as u64, 0, 0]));
        chosen.extend_from_slice(&members[..per_class]);
    }
    Ok(chosen)
}

/// Stratified folds: fold `f` of sample `i`, for every sample. Classes are spread evenly.
pub(crate) fn folds(labels: &[u32], classes: usize, folds: usize, seed: u64) -> Vec<usize> {
    let mut fold_of = vec![0; labels.len()];
    let mut next = 0;
    for (class, mut members) in members(labels, classes).into_iter().enumerate() {
        shuffle(&mut members, &mut stream(seed, Purpose::Split, [FOLDS, class as u64, 0, 0]));
        for sample in members {
            fold_of[sample] = next % folds;
            next += 1;
        }
    }
    fold_of
}

/// Fisher–Yates from the front: the first `n` places do not depend on what follows them.
pub(crate) fn shuffle<T>(items: &mut [T], rng: &mut impl Rng) {
    for place in 0..items.len().saturating_sub(1) {
        let drawn = rng.random_range(place as u64..items.len() as u64) as usize;
        items.swap(place, drawn);
    }
}

/// The samples of each class, in order.
fn members(labels: &[u32], classes: usize) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); classes];
    for (sample, &label) in labels.iter().enumerate() {
        members[label as usize].push(sample);
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<u32> {
        (0..120).map(|i| i * 7 % 3).collect()
    }

    #[test]
    fn a_few_label_subset_has_exactly_n_of_each_class() {
        let all = Features::new(Array2::zeros((120, 2)), labels()).unwrap();
        let few = all.few_labels(11, 3).unwrap();
        for class in 0..3 {
            assert_eq!(few.labels().iter().filter(|&&label| label == class).count(), 11);
        }
    }

    #[test]
    fn few_label_subsets_are_nested_and_without_repetition() {
        let small = few_label_indices(&labels(), 3, 5, 1).unwrap();
        let mut large = few_label_indices(&labels(), 3, 20, 1).unwrap();
        assert!(small.iter().all(|index| large.contains(index)));
        large.sort_unstable();
        large.dedup();
        assert_eq!(large.len(), 60);
    }

    #[test]
    fn another_seed_draws_other_samples() {
        let draw = |seed| few_label_indices(&labels(), 3, 5, seed).unwrap();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn more_samples_than_a_class_has_is_an_error() {
        let error = few_label_indices(&[0, 0, 1], 2, 2, 1).unwrap_err().to_string();
        let expected = "few labels: expected at least 2 samples a class, got 1 in class 1; add data or lower the number";
        assert_eq!(error, expected);
    }

    #[test]
    fn folds_spread_every_class_evenly() {
        let fold_of = folds(&labels(), 3, 4, 1);
        for class in 0..3 {
            for fold in 0..4 {
                let n = (0..120).filter(|&i| labels()[i] == class && fold_of[i] == fold).count();
                assert_eq!(n, 10);
            }
        }
    }

    #[test]
    fn bad_features_are_refused() {
        let bad = |values, labels| Features::new(values, labels).unwrap_err().to_string();
        let empty = "features: expected at least one row and one column, got [0, 2]; is the data set empty?";
        assert_eq!(bad(Array2::zeros((0, 2)), vec![]), empty);
        let count = "features: expected 2 labels (one a row), got 1; were both cut alike?";
        assert_eq!(bad(Array2::zeros((2, 2)), vec![0]), count);
        let nan = "features: expected finite values, got NaN in row 0, column 0; has the encoder diverged?";
        assert_eq!(bad(Array2::from_elem((1, 1), f32::NAN), vec![0]), nan);
        let small = Features::new(Array2::zeros((1, 1)), vec![4]).unwrap().with_classes(4);
        let range = "features: expected labels below 4, got 4 in row 0; labels count from 0";
        assert_eq!(small.unwrap_err().to_string(), range);
    }

    #[test]
    fn more_classes_than_a_byte_counts_are_fine() {
        let all = Features::new(Array2::zeros((301, 1)), (0..301).collect()).unwrap();
        assert_eq!((all.classes(), all.few_labels(1, 1).unwrap().labels()[300]), (301, 300));
    }
}
