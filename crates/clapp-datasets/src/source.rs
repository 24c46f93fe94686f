//! What a data set is to the rest of the workspace.

use std::sync::Arc;

use crate::Error;

/// Images that can be read in any order, from any thread.
///
/// An image is planar and row-major: `[colour, height, width]` bytes, all of one size. Implementers
/// are [`Stl10`](crate::stl10::Stl10), which reads a file on demand, and [`InMemory`], which does
/// not; [`Loader`](crate::Loader) is deliberately none: it yields batches in an order of its own.
///
/// The trait has six required methods where three are the habit: they are all plain facts about a
/// data set, and none has a default that would be right for most.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Error, ImageSource};
///
/// /// 256 images of one grey pixel.
/// struct Greys;
/// impl ImageSource for Greys {
///     fn len(&self) -> usize { 256 }
///     fn dims(&self) -> [usize; 3] { [1, 1, 1] }
///     fn read(&self, index: usize, into: &mut [u8]) -> Result<(), Error> {
///         into[0] = u8::try_from(index).expect("the trait's contract: index < len");
///         Ok(())
///     }
///     fn label(&self, _: usize) -> Option<u8> { None }
///     fn name(&self) -> &str { "greys" }
///     fn classes(&self) -> usize { 0 }
/// }
///
/// let mut pixel = [0];
/// Greys.read(7, &mut pixel)?;
/// assert_eq!(pixel, [7]);
/// # Ok::<(), Error>(())
/// ```
pub trait ImageSource: Send + Sync {
    /// The number of images.
    fn len(&self) -> usize;

    /// The size of every image: colour planes, rows, columns.
    fn dims(&self) -> [usize; 3];

    /// Writes image `index` as `[colour, height, width]` bytes, 0 to 255.
    ///
    /// # Errors
    /// The storage fails on an index that exists.
    ///
    /// # Panics
    /// `index` is not below [`len`](Self::len), or `into` is not of the image's size.
    fn read(&self, index: usize, into: &mut [u8]) -> Result<(), Error>;

    /// The class of image `index`, counted from 0; `None` if it has none.
    ///
    /// # Panics
    /// `index` is not below [`len`](Self::len) and the source has labels.
    fn label(&self, index: usize) -> Option<u8>;

    /// A short name for messages and logs, such as `stl10/train`.
    fn name(&self) -> &str;

    /// The number of classes that labels count; 0 without labels.
    fn classes(&self) -> usize;

    /// True if there is no image.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of one image: the product of [`dims`](Self::dims).
    fn image_bytes(&self) -> usize {
        self.dims().iter().product()
    }
}

macro_rules! delegate {
    ($($pointer:ty),*) => {$(
        impl<S: ImageSource + ?Sized> ImageSource for $pointer {
            fn len(&self) -> usize {
                (**self).len()
            }
            fn dims(&self) -> [usize; 3] {
                (**self).dims()
            }
            fn read(&self, index: usize, into: &mut [u8]) -> Result<(), Error> {
                (**self).read(index, into)
            }
            fn label(&self, index: usize) -> Option<u8> {
                (**self).label(index)
            }
            fn name(&self) -> &str {
                (**self).name()
            }
            fn classes(&self) -> usize {
                (**self).classes()
            }
        }
    )*};
}
delegate!(&S, Box<S>, Arc<S>);

/// Panics unless `index` and `into` keep the contract of [`ImageSource::read`].
pub(crate) fn assert_read(source: &dyn ImageSource, index: usize, into: &[u8]) {
    let (name, len, bytes) = (source.name(), source.len(), source.image_bytes());
    assert!(index < len, "{name}: expected an index below {len}, got {index}");
    assert!(into.len() == bytes, "{name}: expected a buffer of {bytes} bytes, got {}", into.len());
}

/// Images held in memory: for tests, small data sets, and data that comes from elsewhere.
///
/// # Example
///
/// ```
/// use clapp_datasets::{ImageSource, InMemory};
///
/// // Two grey images of 2×2 pixels, of classes 1 and 0.
/// let two = InMemory::new("two", [1, 2, 2], vec![0, 1, 2, 3, 4, 5, 6, 7])?.with_labels(vec![1, 0], 2)?;
/// assert_eq!((two.len(), two.label(0), two.classes()), (2, Some(1), 2));
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct InMemory {
    name: String,
    dims: [usize; 3],
    pixels: Vec<u8>,
    labels: Option<Vec<u8>>,
    classes: usize,
}

impl InMemory {
    /// Unlabelled images of size `dims` = `[colour, height, width]`, one after another.
    ///
    /// # Errors
    /// [`Error::PartialRecord`] if `pixels` is empty or not a whole number of images.
    ///
    /// # Panics
    /// A side of `dims` is 0.
    pub fn new(name: impl Into<String>, dims: [usize; 3], pixels: Vec<u8>) -> Result<Self, Error> {
        let name = name.into();
        let record: usize = dims.iter().product();
        assert!(record > 0, "{name}: expected sides of at least 1, got {dims:?}");
        if pixels.is_empty() || !pixels.len().is_multiple_of(record) {
            return Err(Error::PartialRecord {
                what: format!("{name} pixels"),
                record: record as u64,
                got: pixels.len() as u64,
                path: "memory".into(),
            });
        }
        Ok(Self { name, dims, pixels, labels: None, classes: 0 })
    }

    /// The same images with one label each, counted from 0 and below `classes`.
    ///
    /// # Errors
    /// [`Error::Count`] if the numbers of labels and images differ, [`Error::Label`] if a label is
    /// not below `classes`.
    ///
    /// # Panics
    /// `classes` is not in 1..=256.
    pub fn with_labels(mut self, labels: Vec<u8>, classes: usize) -> Result<Self, Error> {
        let what = format!("{} labels", self.name);
        assert!((1..=256).contains(&classes), "{what}: expected 1..=256 classes, got {classes}");
        if labels.len() != self.len() {
            let (expected, got) = (self.len(), labels.len());
            return Err(Error::Count { what, expected, got, place: "memory".into() });
        }
        let last = u8::try_from(classes - 1).expect("classes was checked to be at most 256");
        check_labels(&labels, 0..=last, &what, "memory")?;
        self.labels = Some(labels);
        self.classes = classes;
        Ok(self)
    }

    /// A copy of all images and labels of another source, so that later reads touch no disk.
    ///
    /// # Errors
    /// Those of the source, and those of [`new`](Self::new) and [`with_labels`](Self::with_labels).
    pub fn copy_of(source: &dyn ImageSource) -> Result<Self, Error> {
        let mut pixels = vec![0; source.len() * source.image_bytes()];
        for (index, image) in pixels.chunks_exact_mut(source.image_bytes()).enumerate() {
            source.read(index, image)?;
        }
        let copy = Self::new(source.name(), source.dims(), pixels)?;
        match (0..source.len()).map(|i| source.label(i)).collect::<Option<Vec<u8>>>() {
            Some(labels) => copy.with_labels(labels, source.classes()),
            None => Ok(copy),
        }
    }
}

impl ImageSource for InMemory {
    fn len(&self) -> usize {
        self.pixels.len() / self.image_bytes()
    }

    fn dims(&self) -> [usize; 3] {
        self.dims
    }

    fn read(&self, index: usize, into: &mut [u8]) -> Result<(), Error> {
        assert_read(self, index, into);
        let bytes = into.len();
        into.copy_from_slice(&self.pixels[index * bytes..][..bytes]);
        Ok(())
    }

    fn label(&self, index: usize) -> Option<u8> {
        self.labels.as_ref().map(|labels| labels[index])
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn classes(&self) -> usize {
        self.classes
    }
}

/// Checks that every label lies in `range`.
pub(crate) fn check_labels(
    labels: &[u8],
    range: std::ops::RangeInclusive<u8>,
    what: &str,
    place: &str,
) -> Result<(), Error> {
    match labels.iter().position(|label| !range.contains(label)) {
        None => Ok(()),
        Some(index) => Err(Error::Label {
            what: what.to_owned(),
            expected: range,
            got: labels[index],
            index,
            place: place.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> InMemory {
        InMemory::new("two", [1, 1, 2], vec![1, 2, 3, 4]).unwrap()
    }

    #[test]
    fn an_image_is_read_back_as_it_was_given() {
        let mut image = [0; 2];
        two().read(1, &mut image).unwrap();
        assert_eq!(image, [3, 4]);
    }

    #[test]
    fn a_copy_equals_its_source() {
        let source = two().with_labels(vec![2, 0], 3).unwrap();
        let copy = InMemory::copy_of(&source).unwrap();
        assert_eq!(
            (copy.pixels, copy.labels, copy.classes),
            (vec![1, 2, 3, 4], Some(vec![2, 0]), 3)
        );
    }

    #[test]
    fn half_an_image_is_refused() {
        let error = InMemory::new("odd", [1, 1, 2], vec![1, 2, 3]).unwrap_err().to_string();
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
}
