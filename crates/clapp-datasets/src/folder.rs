//! Photographs of one's own: a folder of images of any format, any size, in any order.
//!
//! | in the folder | what it means |
//! |---|---|
//! | `cats/1.jpg`, `dogs/a/b/2.png`, … | every image in a folder, and two of these at least: the first folder is the class |
//! | `train/cats/1.jpg`, `test/cats/2.jpg`, … | the same, and read-outs are tested on `test`; `validation`, `valid` or `val` is for choosing settings. Nothing else may lie beside these |
//! | `labels.csv` of lines `name,class` or `name,class,part`, also with semicolons or tabs | classes of the images named, and the parts of the same names |
//! | anything else | images without labels |
//!
//! JPEG, PNG, WebP, BMP, GIF (its first picture), TIFF and PNM are read, as their orientation says, and become RGB: the
//! largest square in the middle, scaled. Of a file with several pictures, as phones write them, it is the first. Hidden files and those that systems leave behind are passed over; other files, and
//! images that cannot be decoded, are listed with the reason.

mod labels;
mod listing;
mod picture;
mod tiff;

use std::path::Path;

use crate::source::Source;
use crate::split::of_every_class;
use crate::{Error, Image, ImageInfo, InMemory, Skipped};

pub use listing::Listing;

/// The part that an image was put into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// For learning, and for fitting read-outs.
    Train,
    /// For choosing settings.
    Validation,
    /// For reporting.
    Test,
}

/// Share of every class that is held out where the folder does not say what is.
const HELD_OUT: f64 = 0.2;
/// First index of the streams of `Purpose::Split` used here: for testing, for choosing settings.
const KINDS: [u64; 2] = [3, 4];

/// The images of a folder, decoded once and held in memory.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Folder, Source, folder::Part};
///
/// # let root = tempfile::tempdir().unwrap();
/// // Two grey pictures of 2×1 pixels in a format that is easily written, and a note.
/// for (class, value) in [("cats", 7), ("dogs", 9)] {
///     std::fs::create_dir(root.path().join(class)).unwrap();
///     let picture = format!("P2 2 1 255 {value} {value}");
///     std::fs::write(root.path().join(class).join("1.pgm"), picture).unwrap();
/// }
/// std::fs::write(root.path().join("note.txt"), "mine").unwrap();
///
/// let folder = Folder::open(root.path(), 4)?;
/// assert_eq!(folder.names(), ["cats/1.pgm", "dogs/1.pgm"]);
/// assert_eq!((folder.info(1).dims, folder.info(1).label), ([3, 4, 4], Some(1)));
/// assert_eq!(folder.get(1)?.pixels[0], 9);
/// assert_eq!(folder.skipped().len(), 1);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Debug)]
pub struct Folder {
    images: InMemory<Image>,
    names: Vec<String>,
    parts: Vec<Option<Part>>,
    class_names: Vec<String>,
    unlabelled: Option<&'static str>,
    skipped: Skipped,
}

impl Folder {
    /// Lists a folder and decodes all its images into squares of `side` pixels.
    ///
    /// # Errors
    /// Those of [`Listing::of`] and [`Listing::read`].
    pub fn open(root: impl AsRef<Path>, side: usize) -> Result<Self, Error> {
        Listing::of(root)?.read(side)
    }

    /// Names from the folder on, with `/` between them, in the order of the images.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Names of the classes, indexed by label; empty without labels.
    #[must_use]
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Why there are no labels.
    #[must_use]
    pub fn unlabelled(&self) -> Option<&'static str> {
        self.unlabelled
    }

    /// Files that are no images or cannot be decoded.
    #[must_use]
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Divides the images into `[learning, fitting, testing]`, all ascending: read-outs are fitted on the second, which
    /// is the labelled part of the first, and tested on the third.
    ///
    /// `held` is [`Part::Test`] for reporting, or [`Part::Validation`] for choosing settings, which sees no image of the
    /// test. Where the folder does not say which those are, a fifth of every class is drawn from the seed. Without labels
    /// all that is not put into another part is learnt from.
    ///
    /// # Panics
    /// `held` is [`Part::Train`].
    #[must_use]
    pub fn parts(&self, held: Part, seed: u64) -> [Vec<usize>; 3] {
        assert_ne!(held, Part::Train, "photographs: expected a part that is held out");
        let labelled = |wanted: Part| {
            let of = |index: usize| self.parts[index].unwrap_or(Part::Train) == wanted;
            let images = (0..self.len()).filter(move |&index| of(index));
            images.filter_map(|index| Some((index, self.info(index).label?))).collect::<Vec<_>>()
        };
        let indices = |of: Vec<(usize, u32)>| -> Vec<usize> {
            of.into_iter().map(|(index, _)| index).collect()
        };
        let [mut train, validation, test] =
            [Part::Train, Part::Validation, Part::Test].map(labelled);
        let mut hold_out = |given: Vec<(usize, u32)>, kind| -> Vec<usize> {
            if !given.is_empty() {
                return indices(given);
            }
            let (_, drawn) = of_every_class(train.iter().copied(), HELD_OUT, seed, kind);
            train.retain(|(index, _)| drawn.binary_search(index).is_err());
            drawn
        };
        let test = hold_out(test, KINDS[0]);
        let (tested, unseen) = match held {
            Part::Validation => (hold_out(validation, KINDS[1]), test),
            _ => (test, Vec::new()),
        };
        let free = |index: &usize| {
            self.parts[*index].unwrap_or(Part::Train) == Part::Train
                && [&tested, &unseen].iter().all(|part| part.binary_search(index).is_err())
        };
        let learning = (0..self.len()).filter(free).collect();
        [learning, indices(train), tested]
    }
}

impl Source for Folder {
    type Item = Image;

    fn len(&self) -> usize {
        self.images.len()
    }

    fn info(&self, index: usize) -> ImageInfo {
        self.images.info(index)
    }

    fn read(&self, index: usize, into: &mut [u8]) -> Result<(), Error> {
        self.images.read(index, into)
    }

    fn name(&self) -> &str {
        self.images.name()
    }

    fn classes(&self) -> usize {
        self.images.classes()
    }

    fn class_name(&self, class: usize) -> Option<&str> {
        self.class_names.get(class).map(String::as_str)
    }

    fn item_name(&self, index: usize) -> Option<&str> {
        self.names.get(index).map(String::as_str)
    }
}

const WHAT: &str = "photographs";
