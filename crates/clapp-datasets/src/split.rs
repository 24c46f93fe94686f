//! Parts of a data set: permutations and hold-outs.
//!
//! The functions return indices; [`Subset`] makes a source of them. Every draw is keyed by a seed,
//! so the same seed names the same part on every machine.

use std::collections::BTreeMap;

use clapp_random::{Purpose, Stream, stream};
use rand::RngExt;

use crate::source::{Info, Part, Source};
use crate::{Error, Image};

/// The order in which an epoch visits `len` items, a permutation of `0..len`.
///
/// Depends on `(seed, epoch)` only: an epoch can be repeated or resumed without its predecessors.
///
/// # Example
///
/// ```
/// use clapp_datasets::split::epoch_order;
///
/// let mut order = epoch_order(5, 2, 0);
/// assert_ne!(order, epoch_order(5, 2, 1));
/// order.sort();
/// assert_eq!(order, [0, 1, 2, 3, 4]);
/// ```
#[must_use]
pub fn epoch_order(len: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    shuffle(&mut order, &mut stream(seed, Purpose::Shuffle, [epoch, 0, 0, 0]));
    order
}

/// Fisher–Yates: every order is equally likely.
pub(crate) fn shuffle(indices: &mut [usize], stream: &mut Stream) {
    for last in (1..indices.len()).rev() {
        let chosen = stream.random_range(0..=last as u64);
        indices.swap(last, usize::try_from(chosen).expect("chosen is at most last, a usize"));
    }
}

/// Which of the few kinds of split a stream is drawn for; part of value stability. 0 belongs to labels.
const HOLD_OUT: u64 = 1;

/// Checks that every class has `per_class` images with a label.
///
/// # Errors
/// [`Error::TooFew`] if a class has fewer.
pub fn enough_labels(source: &dyn Source<Item = Image>, per_class: usize) -> Result<(), Error> {
    let mut images = vec![0; source.classes()];
    for label in (0..source.len()).filter_map(|index| source.info(index).label) {
        images[label as usize] += 1;
    }
    match images.iter().enumerate().find(|(_, images)| **images < per_class) {
        None => Ok(()),
        Some((class, &images)) => {
            let what = format!("few labels of class {class}");
            Err(too_few_images(&what, per_class, images, source.name()))
        }
    }
}

/// Divides the indices of a source at random into `(training, validation)`, both ascending.
///
/// The authors' `--validate` holds out a fifth of the training images.
///
/// # Errors
/// [`Error::TooFew`] if `validation` exceeds the number of images.
///
/// # Example
///
/// ```
/// use clapp_datasets::{InMemory, Source, split::hold_out};
///
/// let source = InMemory::images("ten", [1, 1, 1], vec![0; 10])?;
/// let (training, validation) = hold_out(&source, source.len() / 5, 2)?;
/// assert_eq!((training.len(), validation.len()), (8, 2));
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
pub fn hold_out(
    source: &dyn Source<Item = Image>,
    validation: usize,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), Error> {
    if validation > source.len() {
        return Err(too_few_images("hold-out", validation, source.len(), source.name()));
    }
    let mut held_out: Vec<usize> = (0..source.len()).collect();
    shuffle(&mut held_out, &mut stream(seed, Purpose::Split, [HOLD_OUT, 0, 0, 0]));
    let mut training = held_out.split_off(validation);
    training.sort_unstable();
    held_out.sort_unstable();
    Ok((training, held_out))
}

/// Divides items, each an index and its class, at random: of every class `share` go to the second part. Both are
/// ascending. `kind` and class name the draw.
pub(crate) fn of_every_class(
    items: impl IntoIterator<Item = (usize, u32)>,
    share: f64,
    seed: u64,
    kind: u64,
) -> (Vec<usize>, Vec<usize>) {
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, class) in items {
        members.entry(class).or_default().push(index);
    }
    let (mut rest, mut held_out) = (Vec::new(), Vec::new());
    for (class, mut indices) in members {
        shuffle(&mut indices, &mut stream(seed, Purpose::Split, [kind, u64::from(class), 0, 0]));
        let border = (share * indices.len() as f64).round() as usize;
        rest.extend_from_slice(&indices[border..]);
        held_out.extend_from_slice(&indices[..border]);
    }
    rest.sort_unstable();
    held_out.sort_unstable();
    (rest, held_out)
}

fn too_few_images(what: &str, expected: usize, got: usize, place: &str) -> Error {
    Error::too_few(
        what,
        format!("at least {expected} images"),
        got,
        place,
        "add images or lower the number",
    )
}

/// Some items of a source, in a given order; an item may occur more than once.
///
/// # Example
///
/// ```
/// use clapp_datasets::{InMemory, Source, Subset};
///
/// let source = InMemory::images("three", [1, 1, 1], vec![10, 11, 12])?;
/// let last_first = Subset::new(source, vec![2, 0])?;
/// let mut pixel = [0];
/// last_first.read(0, &mut pixel)?;
/// assert_eq!(pixel, [12]);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Subset<S> {
    source: S,
    indices: Vec<usize>,
}

impl<S: Source> Subset<S> {
    /// The items of `source` at `indices`.
    ///
    /// # Errors
    /// [`Error::Config`] if the source has no item of that index.
    pub fn new(source: S, indices: Vec<usize>) -> Result<Self, Error> {
        let expected = source.len();
        match indices.iter().find(|index| **index >= expected) {
            None => Ok(Self { source, indices }),
            Some(&got) => {
                let expected = format!("indices below {expected}");
                Err(Error::config("subset", expected, got, source.name(), "correct the indices"))
            }
        }
    }

    /// The indices into the source.
    #[must_use]
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl<S: Source> Source for Subset<S> {
    type Item = S::Item;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn info(&self, index: usize) -> Info<'_, Self> {
        self.source.info(self.indices[index])
    }

    fn read(&self, index: usize, part: Part<'_, Self>) -> Result<(), Error> {
        self.source.read(self.indices[index], part)
    }

    fn name(&self) -> &str {
        self.source.name()
    }

    fn classes(&self) -> usize {
        self.source.classes()
    }

    fn class_name(&self, class: usize) -> Option<&str> {
        self.source.class_name(class)
    }

    fn item_name(&self, index: usize) -> Option<&str> {
        self.source.item_name(self.indices[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InMemory;

    /// 40 images of classes 0, 1, 2, 3, 0, 1, …
    fn forty() -> InMemory<Image> {
        let labels = (0..40).map(|i| i % 4).collect();
        InMemory::images("forty", [1, 1, 1], (0..40).collect())
            .unwrap()
            .with_labels(labels, 4)
            .unwrap()
    }

    #[test]
    fn every_epoch_visits_every_image_once() {
        for epoch in 0..3 {
            let mut order = epoch_order(100, 2, epoch);
            order.sort_unstable();
            assert!(order.into_iter().eq(0..100));
        }
    }

    #[test]
    fn orders_are_frozen() {
        // A change here changes every trained number: list it in the changelog as value-breaking.
        assert_eq!(epoch_order(8, 2, 1), FROZEN);
    }
    const FROZEN: [usize; 8] = [1, 2, 3, 4, 0, 7, 6, 5];

    #[test]
    fn orders_of_three_are_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for epoch in 0..6_000 {
            *counts.entry(epoch_order(3, 2, epoch)).or_insert(0) += 1;
        }
        // Six orders, 1000 times each; the standard deviation of a count is 29.
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|count| (880..1_120).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_class_with_too_few_images_is_named() {
        enough_labels(&forty(), 10).unwrap();
        let error = enough_labels(&forty(), 11).unwrap_err().to_string();
        assert_eq!(
            error,
            "few labels of class 0: expected at least 11 images, got 10 in forty; add images or lower the number"
        );
    }

    #[test]
    fn a_hold_out_shares_no_image_with_the_rest() {
        let (mut training, validation) = hold_out(&forty(), 8, 2).unwrap();
        assert_eq!(validation.len(), 8);
        training.extend(validation);
        training.sort_unstable();
        assert!(training.into_iter().eq(0..40));
    }

    #[test]
    fn a_hold_out_larger_than_the_source_is_refused() {
        let error = hold_out(&forty(), 41, 2).unwrap_err().to_string();
        assert_eq!(
            error,
            "hold-out: expected at least 41 images, got 40 in forty; add images or lower the number"
        );
    }

    #[test]
    fn a_subset_keeps_image_and_label_together() {
        let subset = Subset::new(forty(), vec![7, 38]).unwrap();
        let mut pixel = [0];
        subset.read(1, &mut pixel).unwrap();
        assert_eq!((pixel, subset.info(1).label, subset.len()), ([38], Some(2), 2));
    }

    #[test]
    fn a_subset_of_images_that_do_not_exist_is_refused() {
        let error = Subset::new(forty(), vec![0, 40]).unwrap_err().to_string();
        assert_eq!(
            error,
            "subset: expected indices below 40, got 40 in forty; correct the indices"
        );
    }
}
