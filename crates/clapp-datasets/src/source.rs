//! What a data set is to the rest of the workspace.

use std::fmt;
use std::sync::Arc;

use crate::Error;

/// One of the things that a [`Source`] holds many of: an image, a recording, a clip.
///
/// A kind of data says here what is known of an item before it is read, and which part of it is read
/// at a time. All of [`Source`], [`Subset`](crate::Subset), [`InMemory`](crate::InMemory) and
/// [`Loader`](crate::Loader) then serve it. Implementers are [`Image`](crate::Image),
/// [`Recording`](crate::sound::Recording) and [`Clip`](crate::video::Clip).
pub trait Item: Clone + fmt::Debug + Send + Sync + 'static {
    /// What is known of an item before it is read: its size, its label.
    type Info<'a>;
    /// The part that is wanted, and where it goes.
    type Part<'a>;
    /// What a batch knows of the item's class.
    type Label: Clone + fmt::Debug + PartialEq + Send + 'static;
    /// Several of them, for messages.
    const PLURAL: &'static str;

    /// What is known of this one.
    fn info(&self) -> Self::Info<'_>;

    /// Copies a part of this one.
    fn copy(&self, part: Self::Part<'_>);

    /// Reads item `index` of a source as a whole.
    ///
    /// # Errors
    /// The source fails.
    fn whole(source: &dyn Source<Item = Self>, index: usize) -> Result<Self, Error>;

    /// The class of an item as a whole, counted from 0; none unless a kind of data says so.
    fn class(info: &Self::Info<'_>) -> Option<u32> {
        let _ = info;
        None
    }

    /// How large an item is, in the order in which it is said: for [`Survey`](crate::Survey).
    fn extent(info: &Self::Info<'_>) -> Vec<usize> {
        let _ = info;
        Vec::new()
    }

    /// Label and content of item `index`, or of enough of it to tell it from others: for [`digest`](crate::digest). Nothing unless a
    /// kind of data says what.
    ///
    /// # Errors
    /// The source fails.
    fn sample(source: &dyn Source<Item = Self>, index: usize) -> Result<Vec<u8>, Error> {
        let _ = (source, index);
        Ok(Vec::new())
    }

    /// Panics, with the numbers, unless item `index` of a source has this part.
    fn assert_part(source: &dyn Source<Item = Self>, index: usize, part: &Self::Part<'_>);

    /// Checks that the label fits the item and counts `classes` classes; `place` and `number` are for
    /// messages.
    ///
    /// # Errors
    /// It does not.
    fn check(&mut self, classes: usize, place: &str, number: usize) -> Result<(), Error>;
}

/// What is known of an item of the source `S` before it is read.
pub type Info<'a, S> = <<S as Source>::Item as Item>::Info<'a>;

/// The part of an item of the source `S` that is wanted, and where it goes.
pub type Part<'a, S> = <<S as Source>::Item as Item>::Part<'a>;

/// Items that can be read in any order, from any thread.
///
/// | item | known before it is read | read at a time |
/// |---|---|---|
/// | [`Image`](crate::Image) | [`ImageInfo`](crate::ImageInfo) | the whole of it, into `&mut [u8]` |
/// | [`Recording`](crate::sound::Recording) | [`&Utterance`](crate::sound::Utterance) | `(start, &mut [f32])`: samples from one on |
/// | [`Clip`](crate::video::Clip) | [`ClipInfo`](crate::video::ClipInfo) | `(frames, each)`: some frames, one after the other |
///
/// Implementers are readers of files, such as [`Stl10`](crate::Stl10), and
/// [`InMemory`](crate::InMemory); [`Loader`](crate::Loader) is deliberately none: it yields batches in
/// an order of its own.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Error, Image, ImageInfo, Source};
///
/// /// 256 images of one grey pixel.
/// struct Greys;
/// impl Source for Greys {
///     type Item = Image;
///     fn len(&self) -> usize { 256 }
///     fn info(&self, _: usize) -> ImageInfo { ImageInfo { dims: [1, 1, 1], label: None } }
///     fn read(&self, index: usize, into: &mut [u8]) -> Result<(), Error> {
///         into[0] = u8::try_from(index).expect("the trait's contract: index < len");
///         Ok(())
///     }
///     fn name(&self) -> &str { "greys" }
/// }
///
/// let mut pixel = [0];
/// Greys.read(7, &mut pixel)?;
/// assert_eq!(pixel, [7]);
/// assert_eq!(Greys.get(8)?.pixels, [8]);
/// # Ok::<(), Error>(())
/// ```
pub trait Source: Send + Sync {
    /// What it holds.
    type Item: Item;

    /// The number of items.
    fn len(&self) -> usize;

    /// What is known of item `index` before it is read.
    ///
    /// # Panics
    /// `index` is not below [`len`](Self::len).
    fn info(&self, index: usize) -> Info<'_, Self>;

    /// Reads a part of item `index`.
    ///
    /// # Errors
    /// The storage fails, or what is stored does not decode.
    ///
    /// # Panics
    /// The item or the part does not exist.
    fn read(&self, index: usize, part: Part<'_, Self>) -> Result<(), Error>;

    /// A short name for messages and logs, such as `stl10/train`.
    fn name(&self) -> &str;

    /// The number of classes that labels count; 0 without labels.
    fn classes(&self) -> usize {
        0
    }

    /// The name of a class, where classes have names.
    fn class_name(&self, class: usize) -> Option<&str> {
        let _ = class;
        None
    }

    /// The name of item `index`, where items have names: that of a file from the folder on.
    fn item_name(&self, index: usize) -> Option<&str> {
        let _ = index;
        None
    }

    /// True if there is no item.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads item `index` as a whole.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    ///
    /// # Panics
    /// `index` is not below [`len`](Self::len).
    fn get(&self, index: usize) -> Result<Self::Item, Error>
    where
        Self: Sized,
    {
        Self::Item::whole(self, index)
    }
}

macro_rules! delegate {
    ($($pointer:ty),*) => {$(
        impl<S: Source + ?Sized> Source for $pointer {
            type Item = S::Item;
            fn len(&self) -> usize {
                (**self).len()
            }
            fn info(&self, index: usize) -> Info<'_, Self> {
                (**self).info(index)
            }
            fn read(&self, index: usize, part: Part<'_, Self>) -> Result<(), Error> {
                (**self).read(index, part)
            }
            fn name(&self) -> &str {
                (**self).name()
            }
            fn classes(&self) -> usize {
                (**self).classes()
            }

            fn class_name(&self, class: usize) -> Option<&str> {
                (**self).class_name(class)
            }

            fn item_name(&self, index: usize) -> Option<&str> {
                (**self).item_name(index)
            }
        }
    )*};
}
delegate!(&S, Box<S>, Arc<S>);

/// Panics unless item `index` exists.
pub(crate) fn assert_index<I: Item>(source: &dyn Source<Item = I>, index: usize) {
    let (name, len) = (source.name(), source.len());
    assert!(index < len, "{name}: expected an index below {len}, got {index}");
}

/// Checks that every label lies in `range`.
pub(crate) fn check_labels(
    labels: impl IntoIterator<Item = u32>,
    range: std::ops::RangeInclusive<u32>,
    what: &str,
    place: &str,
) -> Result<(), Error> {
    match labels.into_iter().enumerate().find(|(_, label)| !range.contains(label)) {
        None => Ok(()),
        Some((index, label)) => {
            let expected = format!("a label in {}..={}", range.start(), range.end());
            let got = format!("{label} at image {index}");
            Err(Error::damaged(what, expected, got, place, "is this the right file?"))
        }
    }
}
