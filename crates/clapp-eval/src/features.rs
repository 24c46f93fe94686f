//! Labelled features, and the parts of them that a protocol may look at.

use clapp_random::{Purpose, stream};
use ndarray::{Array2, ArrayView2, Axis};
use rand::{Rng, RngExt};

use crate::Error;

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
    values: Array2<f32>, // [samples, dim]
    labels: Vec<u8>,     // [samples]
    classes: usize,
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
    /// [`Error::Empty`] without a row or a column, [`Error::LabelCount`] unless there is one label a
    /// row, [`Error::NotFinite`] if a value is infinite or not a number.
    pub fn new(values: Array2<f32>, labels: Vec<u8>) -> Result<Self, Error> {
        let (rows, columns) = values.dim();
        if rows == 0 || columns == 0 {
            return Err(Error::Empty { rows, columns });
        }
        if labels.len() != rows {
            return Err(Error::LabelCount { rows, labels: labels.len() });
        }
        if let Some(((row, column), &value)) = values.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return Err(Error::NotFinite { value, row, column });
        }
        let classes = labels.iter().map(|&label| usize::from(label) + 1).max().unwrap_or(0);
        Ok(Self { values: values.as_standard_layout().into_owned(), labels, classes })
    }

    /// Declares the number of classes, for a part in which the last classes do not occur.
    ///
    /// # Errors
    ///
    /// [`Error::LabelRange`] if a label is not below `classes`.
    pub fn with_classes(self, classes: usize) -> Result<Self, Error> {
        match self.labels.iter().position(|&label| usize::from(label) >= classes) {
            Some(row) => Err(Error::LabelRange { label: self.labels[row], classes, row }),
            None => Ok(Self { classes, ..self }),
        }
    }

    /// The features, `[samples, dim]`.
    #[must_use]
    pub fn values(&self) -> ArrayView2<'_, f32> {
        self.values.view()
    }

    /// The labels, `[samples]`.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
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
        self.values.ncols()
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The samples at `indices`, in that order.
    ///
    /// # Panics
    ///
    /// If `indices` is empty or one of them is not below [`Features::len`].
    #[must_use]
    pub fn subset(&self, indices: &[usize]) -> Self {
        assert!(!indices.is_empty(), "subset: expected at least one index, got none");
        Self {
            values: self.values.select(Axis(0), indices),
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
            classes: self.classes,
        }
    }

    /// Exactly `per_class` samples of each class; see [`few_label_indices`].
    ///
    /// # Errors
    ///
    /// [`Error::TooFewSamples`] if a class has fewer; [`Error::Setting`] for `per_class` = 0.
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
        Ok(self.subset(&few_label_indices(&self.labels, self.classes, per_class, seed)?))
    }

    /// The same labels with other values, such as those of a [`Standardiser`](crate::Standardiser).
    pub(crate) fn with_values(&self, values: Array2<f32>) -> Self {
        Self { values, labels: self.labels.clone(), classes: self.classes }
    }
}

/// Indices of `per_class` samples of each class, drawn without replacement from the streams
/// `(seed, Purpose::Split, class)`.
///
/// The draw depends on the labels and the seed only, so that every layer and every encoder is read
/// out from the same images; and the draws are nested: 10 a class are part of 20 a class.
///
/// # Errors
///
/// [`Error::TooFewSamples`] if a class has fewer; [`Error::Setting`] for `per_class` = 0.
///
/// # Example
///
/// ```
/// let indices = clapp_eval::few_label_indices(&[0, 1, 1, 0, 1], 2, 1, 5)?;
/// assert_eq!(indices.len(), 2);
/// # Ok::<(), clapp_eval::Error>(())
/// ```
pub fn few_label_indices(
    labels: &[u8],
    classes: usize,
    per_class: usize,
    seed: u64,
) -> Result<Vec<usize>, Error> {
    if per_class == 0 {
        return Err(Error::Setting { setting: "few labels", expected: "at least 1", got: 0.0 });
    }
    let mut chosen = Vec::with_capacity(per_class * classes);
    for (class, mut members) in members(labels, classes).into_iter().enumerate() {
        let available = members.len();
        if available < per_class {
            return Err(Error::TooFewSamples { class, wanted: per_class, available });
        }
        shuffle(&mut members, &mut stream(seed, Purpose::Split, [FEW_LABELS, class as u64, 0, 0]));
        chosen.extend_from_slice(&members[..per_class]);
    }
    Ok(chosen)
}

/// Stratified folds: fold `f` of sample `i`, for every sample. Classes are spread evenly.
pub(crate) fn folds(labels: &[u8], classes: usize, folds: usize, seed: u64) -> Vec<usize> {
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
fn members(labels: &[u8], classes: usize) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); classes];
    for (sample, &label) in labels.iter().enumerate() {
        members[usize::from(label)].push(sample);
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<u8> {
        (0..120).map(|i| (i * 7 % 3) as u8).collect()
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
        let error = few_label_indices(&[0, 0, 1], 2, 2, 1).unwrap_err();
        assert!(matches!(error, Error::TooFewSamples { class: 1, wanted: 2, available: 1 }));
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
        let bad = |values, labels| Features::new(values, labels).unwrap_err();
        assert!(matches!(bad(Array2::zeros((0, 2)), vec![]), Error::Empty { .. }));
        assert!(matches!(bad(Array2::zeros((2, 2)), vec![0]), Error::LabelCount { .. }));
        let nan = bad(Array2::from_elem((1, 1), f32::NAN), vec![0]);
        assert!(matches!(nan, Error::NotFinite { row: 0, column: 0, .. }));
        let small = Features::new(Array2::zeros((1, 1)), vec![4]).unwrap().with_classes(4);
        assert!(matches!(small, Err(Error::LabelRange { label: 4, classes: 4, row: 0 })));
    }
}
