//! STL-10 (Coates, Ng & Lee 2011): 96×96 colour photographs, 100 000 of them without labels.
//!
//! | file | images | bytes | labels |
//! |---|---|---|---|
//! | `train_X.bin`, `train_y.bin` | 5 000 | 138 240 000 | 1 to 10, read as 0 to 9 |
//! | `test_X.bin`, `test_y.bin` | 8 000 | 221 184 000 | 1 to 10, read as 0 to 9 |
//! | `unlabeled_X.bin` | 100 000 | 2 764 800 000 | none |
//!
//! The files hold planes red, green, blue, each **column by column**. A reader that forgets this
//! turns every image on its diagonal, and a rule that predicts downwards then predicts sideways.

use std::path::{Path, PathBuf};

use crate::files::{RecordFile, class_names, lines, locate, optional_text};
use crate::source::{Item, Source, check_labels};
use crate::{Error, Image, ImageInfo, Sizes};

/// The side of an image in pixels.
const SIDE: usize = 96;
const IMAGE_BYTES: usize = 3 * SIDE * SIDE;
const NAMES: [&str; 10] =
    ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"];
/// Where the files may lie below the root; the authors of CLAPP double the folder's name.
const FOLDERS: [&str; 3] = ["", "stl10_binary", "stl10_binary/stl10_binary"];

/// The part of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// 5 000 labelled images, for read-outs.
    Train,
    /// 8 000 labelled images, for accuracy.
    Test,
    /// 100 000 images without labels, for learning.
    Unlabeled,
}

impl Split {
    fn file_stem(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
            Self::Unlabeled => "unlabeled",
        }
    }

    fn official_images(self) -> usize {
        match self {
            Self::Train => 5_000,
            Self::Test => 8_000,
            Self::Unlabeled => 100_000,
        }
    }
}

/// One split of STL-10, read from its files on demand.
///
/// Opening checks sizes, all labels and all folds; after that only the disk can fail.
/// An image is `[3, 96, 96]`: planar RGB, row by row.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Sizes, Source, stl10::{Split, Stl10}};
///
/// # let root = tempfile::tempdir().unwrap();
/// // A file of one image: its first *column* is bright red.
/// let mut image = vec![0; 3 * 96 * 96];
/// image[..96].fill(255);
/// std::fs::write(root.path().join("unlabeled_X.bin"), &image).unwrap();
///
/// let stl10 = Stl10::open(root.path(), Split::Unlabeled, Sizes::Any)?;
/// stl10.read(0, &mut image)?;
/// assert_eq!((image[0], image[1], image[96]), (255, 0, 255));
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Debug)]
pub struct Stl10 {
    name: String,
    images: RecordFile,
    len: usize,
    labels: Option<Vec<u32>>,
    class_names: Vec<String>,
    folds: Option<Vec<Vec<usize>>>,
}

impl Stl10 {
    /// Opens a split below `root`, which holds the files itself, in `stl10_binary/` or in
    /// `stl10_binary/stl10_binary/`.
    ///
    /// # Errors
    /// [`Error::Missing`] if there are no such files; [`Error::Damaged`] if a size is wrong, labels and
    /// images differ in number, a label is not in 1..=10, or `fold_indices.txt` exists and is damaged;
    /// [`Error::Io`] if the system refuses.
    pub fn open(root: impl AsRef<Path>, split: Split, sizes: Sizes) -> Result<Self, Error> {
        let stem = split.file_stem();
        let folder = locate("stl10", root.as_ref(), &FOLDERS, &format!("{stem}_X.bin"))?;
        let images = RecordFile::open(folder.join(format!("{stem}_X.bin")))?;
        let what = format!("stl10 {stem} images");
        let len = images.count(&what, IMAGE_BYTES, split.official_images(), sizes)?;
        let labels = match split {
            Split::Unlabeled => None,
            Split::Train | Split::Test => Some(read_labels(&folder, split, len, sizes)?),
        };
        let folds = match split {
            Split::Train => read_folds(folder.join("fold_indices.txt"), len, sizes)?,
            Split::Test | Split::Unlabeled => None,
        };
        let class_names = class_names(&folder.join("class_names.txt"), &NAMES)?;
        let name = format!("stl10/{stem}");
        Ok(Self { name, images, len, labels, class_names, folds })
    }

    /// The file that images are read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.images.path()
    }

    /// The ten names, indexed by label.
    #[must_use]
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The predefined folds of the training split: indices of 1 000 images each, for
    /// [`Subset`](crate::Subset). `None` in other splits and without `fold_indices.txt`.
    #[must_use]
    pub fn folds(&self) -> Option<&[Vec<usize>]> {
        self.folds.as_deref()
    }
}

impl Source for Stl10 {
    type Item = Image;

    fn len(&self) -> usize {
        self.len
    }

    fn info(&self, index: usize) -> ImageInfo {
        let label = self.labels.as_ref().map(|labels| labels[index]);
        ImageInfo { dims: [3, SIDE, SIDE], label }
    }

    fn read(&self, index: usize, into: &mut [u8]) -> Result<(), Error> {
        Image::assert_part(self, index, &into);
        self.images.read(index as u64 * IMAGE_BYTES as u64, into)?; // [colour, x, y]
        into.chunks_exact_mut(SIDE * SIDE).for_each(transpose); // [colour, y, x]
        Ok(())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn classes(&self) -> usize {
        if self.labels.is_some() { NAMES.len() } else { 0 }
    }

    fn class_name(&self, class: usize) -> Option<&str> {
        self.class_names.get(class).map(String::as_str)
    }
}

/// Turns a plane stored column by column into one stored row by row, in place.
fn transpose(plane: &mut [u8]) {
    for y in 1..SIDE {
        for x in 0..y {
            plane.swap(y * SIDE + x, x * SIDE + y);
        }
    }
}

fn read_labels(
    folder: &Path,
    split: Split,
    images: usize,
    sizes: Sizes,
) -> Result<Vec<u32>, Error> {
    let stem = split.file_stem();
    let what = format!("stl10 {stem} labels");
    locate("stl10", folder, &[""], &format!("{stem}_y.bin"))?;
    let file = RecordFile::open(folder.join(format!("{stem}_y.bin")))?;
    let got = file.count(&what, 1, split.official_images(), sizes)?;
    let place = file.path().display().to_string();
    if got != images {
        return Err(Error::count(what, images, got, place));
    }
    let mut labels = vec![0; images];
    file.read(0, &mut labels)?;
    check_labels(labels.iter().copied().map(u32::from), 1..=10, &what, &place)?;
    Ok(labels.into_iter().map(|label: u8| u32::from(label) - 1).collect())
}

/// Lines of indices, separated by blanks; officially ten lines of 1 000.
fn read_folds(
    path: PathBuf,
    images: usize,
    sizes: Sizes,
) -> Result<Option<Vec<Vec<usize>>>, Error> {
    let Some(text) = optional_text(&path)? else { return Ok(None) };
    let place = path.display().to_string();
    let mut folds = Vec::new();
    for (line, words) in lines(&text) {
        let index = |word: &str| match word.parse() {
            Ok(index) if index < images => Ok(index),
            _ => Err(Error::damaged(
                "fold indices",
                format!("an index below {images}"),
                format!("{word:?} at line {line}"),
                &place,
                "restore the file or remove it (it is optional)",
            )),
        };
        let fold: Vec<usize> = words.split_whitespace().map(index).collect::<Result<_, _>>()?;
        official(format!("indices of fold {line}"), 1_000, fold.len(), sizes, &place)?;
        folds.push(fold);
    }
    official("folds".to_owned(), 10, folds.len(), sizes, &place)?;
    Ok(Some(folds))
}

fn official(
    what: String,
    expected: usize,
    got: usize,
    sizes: Sizes,
    place: &str,
) -> Result<(), Error> {
    if sizes == Sizes::Official && got != expected {
        return Err(Error::count(what, expected, got, place));
    }
    Ok(())
}
