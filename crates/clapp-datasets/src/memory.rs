//! Items held in memory.

use crate::source::{Info, Item, Part, Source};
use crate::{Error, Image, source::check_labels};

/// Items held in memory: for tests, small data sets, and data that come from elsewhere.
///
/// # Example
///
/// ```
/// use clapp_datasets::{InMemory, Source};
/// use clapp_datasets::video::{Clip, Frame};
///
/// // Two grey images of 2×2 pixels, of classes 1 and 0.
/// let images = InMemory::images("two", [1, 2, 2], vec![0, 1, 2, 3, 4, 5, 6, 7])?;
/// let images = images.with_labels(vec![1, 0], 2)?;
/// assert_eq!((images.len(), images.info(0).label, images.classes()), (2, Some(1), 2));
///
/// // One clip of three frames.
/// let frames = (0..3).map(|value| Frame::new([1, 2], vec![value; 2])).collect();
/// let clips = InMemory::new("one", vec![Clip { frames, label: None }], 0)?;
/// assert_eq!(clips.info(0).dims, [1, 2, 1]); // rows, columns, planes
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct InMemory<I> {
    name: String,
    items: Vec<I>,
    classes: usize,
}

impl<I: Item> InMemory<I> {
    /// Joins items whose labels count `classes` classes, 0 if there are no labels.
    ///
    /// # Errors
    /// [`Error::Damaged`] if labels do not fit their item.
    pub fn new(name: impl Into<String>, mut items: Vec<I>, classes: usize) -> Result<Self, Error> {
        let name = name.into();
        for (number, item) in items.iter_mut().enumerate() {
            item.check(classes, &name, number)?;
        }
        Ok(Self { name, items, classes })
    }

    /// A copy of all items of another source, so that later reads touch no disk.
    ///
    /// # Errors
    /// Those of the source, and those of [`new`](Self::new).
    ///
    /// # Cost
    /// One byte a value of images and clips, four a sample of sound: 230 MB for an hour.
    pub fn copy_of(source: &dyn Source<Item = I>) -> Result<Self, Error> {
        let items =
            (0..source.len()).map(|index| I::whole(source, index)).collect::<Result<_, _>>()?;
        Self::new(source.name(), items, source.classes())
    }
}

impl InMemory<Image> {
    /// Unlabelled images of size `dims` = `[colour, height, width]`, one after another.
    ///
    /// # Errors
    /// [`Error::Damaged`] if `pixels` is empty or not a whole number of images.
    ///
    /// # Panics
    /// A side of `dims` is 0.
    pub fn images(
        name: impl Into<String>,
        dims: [usize; 3],
        pixels: Vec<u8>,
    ) -> Result<Self, Error> {
        let name = name.into();
        let record: usize = dims.iter().product();
        assert!(record > 0, "{name}: expected sides of at least 1, got {dims:?}");
        if pixels.is_empty() || !pixels.len().is_multiple_of(record) {
            let what = format!("{name} pixels");
            return Err(Error::partial_record(&what, record, pixels.len(), "memory"));
        }
        let image = |pixels: &[u8]| Image { dims, label: None, pixels: pixels.to_vec() };
        Self::new(name, pixels.chunks_exact(record).map(image).collect(), 0)
    }

    /// The same images with one label each, counted from 0 and below `classes`.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the numbers of labels and images differ, or a label is not below
    /// `classes`.
    ///
    /// # Panics
    /// `classes` is 0.
    pub fn with_labels(mut self, labels: Vec<u32>, classes: usize) -> Result<Self, Error> {
        let what = format!("{} labels", self.name);
        assert!(classes > 0, "{what}: expected at least one class, got 0");
        if labels.len() != self.len() {
            return Err(Error::count(what, self.len(), labels.len(), "memory"));
        }
        check_labels(labels.iter().copied(), 0..=classes as u32 - 1, &what, "memory")?;
        for (image, label) in self.items.iter_mut().zip(labels) {
            image.label = Some(label);
        }
        Ok(Self { classes, ..self })
    }
}

impl<I: Item> Source for InMemory<I> {
    type Item = I;

    fn len(&self) -> usize {
        self.items.len()
    }

    fn info(&self, index: usize) -> Info<'_, Self> {
        self.items[index].info()
    }

    fn read(&self, index: usize, part: Part<'_, Self>) -> Result<(), Error> {
        I::assert_part(self, index, &part);
        self.items[index].copy(part);
        Ok(())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn classes(&self) -> usize {
        self.classes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::{Recording, Utterance};

    fn two() -> InMemory<Image> {
        InMemory::images("two", [1, 1, 2], vec![1, 2, 3, 4]).unwrap()
    }

    #[test]
    fn an_image_is_read_back_as_it_was_given() {
        let mut image = [0; 2];
        two().read(1, &mut image).unwrap();
        assert_eq!(image, [3, 4]);
    }

    #[test]
    fn a_copy_of_images_equals_its_source() {
        let source = two().with_labels(vec![2, 0], 3).unwrap();
        let copy = InMemory::copy_of(&source).unwrap();
        let pixels: Vec<u8> = copy.items.iter().flat_map(|image| image.pixels.clone()).collect();
        let labels: Vec<_> = copy.items.iter().map(|image| image.label).collect();
        assert_eq!((pixels, labels, copy.classes), (vec![1, 2, 3, 4], vec![Some(2), Some(0)], 3));
    }

    #[test]
    fn half_an_image_is_refused() {
        let error = InMemory::images("odd", [1, 1, 2], vec![1, 2, 3]).unwrap_err().to_string();
        assert_eq!(
            error,
            "odd pixels: expected a positive multiple of 2 bytes, got 3 in memory; is the file \
             complete?"
        );
    }

    #[test]
    fn a_missing_label_is_refused() {
        let error = two().with_labels(vec![0], 3).unwrap_err().to_string();
        assert_eq!(error, "two labels: expected 2, got 1 in memory; do the files belong together?");
    }

    #[test]
    fn a_label_out_of_range_is_refused() {
        let error = two().with_labels(vec![0, 3], 3).unwrap_err().to_string();
        assert_eq!(
            error,
            "two labels: expected a label in 0..=2, got 3 at image 1 in memory; is this the right \
             file?"
        );
    }

    #[test]
    #[should_panic(expected = "two: expected an index below 2, got 2")]
    fn an_index_beyond_the_end_panics_with_the_numbers() {
        let _ = two().read(2, &mut [0; 2]);
    }

    #[test]
    #[should_panic(expected = "two: expected a buffer of 2 bytes, got 3")]
    fn a_buffer_of_the_wrong_length_panics_with_the_numbers() {
        let _ = two().read(0, &mut [0; 3]);
    }

    fn recording(samples: usize, labels: Option<Vec<u32>>) -> Recording {
        let labels = labels.map(Into::into);
        let samples = (0..samples).map(|i| i as f32 / 1e4).collect();
        Recording { utterance: Utterance { labels, ..Utterance::named("u") }, samples }
    }

    #[test]
    fn a_part_of_an_utterance_is_read_from_its_start() {
        let source = InMemory::new("one", vec![recording(1_000, None)], 0).unwrap();
        let mut part = [0.0; 2];
        source.read(0, (998, &mut part)).unwrap();
        assert_eq!(part.map(f32::to_bits), [0.0998_f32, 0.0999].map(f32::to_bits));
    }

    #[test]
    fn a_copy_of_recordings_equals_its_source() {
        let recordings = vec![recording(560, Some(vec![1, 0])), recording(90, None)];
        let source = InMemory::new("two", recordings, 2).unwrap();
        assert_eq!(InMemory::copy_of(&source).unwrap().items, source.items);
    }

    #[test]
    fn labels_that_do_not_fit_their_recording_are_refused() {
        let error = |labels| InMemory::new("a", vec![recording(560, Some(labels))], 2).unwrap_err();
        assert_eq!(
            error(vec![0]).to_string(),
            "phone labels: expected 2 for utterance u (560 samples), got 1 at line 1 in a; is \
             this the right file and Framing?"
        );
        assert!(
            error(vec![0, 2]).to_string().starts_with("phone labels: expected a label in 0..=1")
        );
    }

    #[test]
    #[should_panic(expected = "one, u: expected samples within 0..1000, got 999..1001")]
    fn samples_beyond_the_end_panic_with_the_numbers() {
        let source = InMemory::new("one", vec![recording(1_000, None)], 0).unwrap();
        let _ = source.read(0, (999, &mut [0.0; 2]));
    }
}
