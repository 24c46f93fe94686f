//! CIFAR-10 and CIFAR-100 (Krizhevsky 2009): 32×32 colour photographs, all labelled.
//!
//! | kind | folder | training | test | record |
//! |---|---|---|---|---|
//! | CIFAR-10 | `cifar-10-batches-bin` | `data_batch_1.bin` … `_5.bin`, 10 000 each | `test_batch.bin`, 10 000 | label, 3072 pixels |
//! | CIFAR-100 | `cifar-100-binary` | `train.bin`, 50 000 | `test.bin`, 10 000 | coarse, fine, 3072 pixels |
//!
//! Pixels are planar RGB, row by row; labels count from 0.

use std::path::Path;

use crate::files::{RecordFile, class_names, locate};
use crate::names;
use crate::source::{Item, Source, check_labels};
use crate::{Error, Image, ImageInfo, Sizes};

const SIDE: usize = 32;
const IMAGE_BYTES: usize = 3 * SIDE * SIDE;

/// Which data set, and for CIFAR-100 which of its two labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// CIFAR-10: ten classes.
    Cifar10,
    /// CIFAR-100 with its 100 fine classes.
    Cifar100Fine,
    /// CIFAR-100 with its 20 coarse classes.
    Cifar100Coarse,
}

/// The part of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// 50 000 images.
    Train,
    /// 10 000 images.
    Test,
}

/// What differs between the kinds.
struct Layout {
    name: &'static str,
    folder: &'static str,
    /// Classes of each label byte at the start of a record.
    label_bytes: &'static [u8],
    /// The label byte in use.
    label: usize,
    names_file: &'static str,
    names: &'static [&'static str],
    /// The files of the training part and the images that each officially holds; those of the test part
    /// hold 10 000.
    train: (&'static [&'static str], usize),
    test: &'static str,
}

const CIFAR_100: Layout = Layout {
    name: "cifar100-fine",
    folder: "cifar-100-binary",
    label_bytes: &[20, 100],
    label: 1,
    names_file: "fine_label_names.txt",
    names: &names::CIFAR_100_FINE,
    train: (&["train.bin"], 50_000),
    test: "test.bin",
};
const CIFAR_10_TRAIN: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];

impl Kind {
    fn layout(self) -> Layout {
        match self {
            Self::Cifar10 => Layout {
                name: "cifar10",
                folder: "cifar-10-batches-bin",
                label_bytes: &[10],
                label: 0,
                names_file: "batches.meta.txt",
                names: &names::CIFAR_10,
                train: (&CIFAR_10_TRAIN, 10_000),
                test: "test_batch.bin",
            },
            Self::Cifar100Fine => CIFAR_100,
            Self::Cifar100Coarse => Layout {
                name: "cifar100-coarse",
                label: 0,
                names_file: "coarse_label_names.txt",
                names: &names::CIFAR_100_COARSE,
                ..CIFAR_100
            },
        }
    }
}

/// One split of CIFAR-10 or CIFAR-100, read from its files on demand.
///
/// Opening checks sizes and all labels; after that only the disk can fail.
/// An image is `[3, 32, 32]`.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Sizes, Source, cifar::{Cifar, Kind, Split}};
///
/// # let root = tempfile::tempdir().unwrap();
/// // A file of one white frog.
/// let mut record = vec![255; 1 + 3 * 32 * 32];
/// record[0] = 6;
/// std::fs::write(root.path().join("test_batch.bin"), &record).unwrap();
///
/// let test = Cifar::open(root.path(), Kind::Cifar10, Split::Test, Sizes::Any)?;
/// assert_eq!(test.info(0).label, Some(6));
/// assert_eq!(test.class_names()[6], "frog");
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Debug)]
pub struct Cifar {
    name: String,
    /// Each file with the index of its first image.
    files: Vec<(usize, RecordFile)>,
    label_bytes: usize,
    labels: Vec<u32>,
    class_names: Vec<String>,
}

impl Cifar {
    /// Opens a split below `root`, which holds the files itself or in the official folder.
    ///
    /// # Errors
    /// [`Error::Missing`] if there are no such files; [`Error::Damaged`] if a size is wrong, a label is
    /// out of range, or a file of class names has the wrong number; [`Error::Io`] if the system refuses.
    pub fn open(
        root: impl AsRef<Path>,
        kind: Kind,
        split: Split,
        sizes: Sizes,
    ) -> Result<Self, Error> {
        let layout = kind.layout();
        let (stem, file_names, official) = match split {
            Split::Train => ("train", layout.train.0, layout.train.1),
            Split::Test => ("test", std::slice::from_ref(&layout.test), 10_000),
        };
        let folder = locate(layout.name, root.as_ref(), &["", layout.folder], file_names[0])?;
        let label_bytes = layout.label_bytes.len();
        let (mut files, mut labels) = (Vec::new(), Vec::new());
        for file_name in file_names {
            locate(layout.name, &folder, &[""], file_name)?;
            let file = RecordFile::open(folder.join(file_name))?;
            let what = format!("{} images", layout.name);
            let len = file.count(&what, label_bytes + IMAGE_BYTES, official, sizes)?;
            let first = labels.len();
            labels.extend(read_labels(&file, len, &layout)?);
            files.push((first, file));
        }
        let class_names = class_names(&folder.join(layout.names_file), layout.names)?;
        let name = format!("{}/{stem}", layout.name);
        Ok(Self { name, files, label_bytes, labels, class_names })
    }

    /// The classes' names, indexed by label.
    #[must_use]
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }
}

/// Reads the label bytes of all records, checks each, and returns the ones in use.
fn read_labels(file: &RecordFile, len: usize, layout: &Layout) -> Result<Vec<u32>, Error> {
    let width = layout.label_bytes.len();
    let mut columns = vec![Vec::with_capacity(len); width];
    let mut bytes = vec![0; width];
    for index in 0..len {
        file.read(index as u64 * (width + IMAGE_BYTES) as u64, &mut bytes)?;
        for (column, byte) in columns.iter_mut().zip(&bytes) {
            column.push(u32::from(*byte));
        }
    }
    let (what, place) = (format!("{} labels", layout.name), file.path().display().to_string());
    for (column, classes) in columns.iter().zip(layout.label_bytes) {
        check_labels(column.iter().copied(), 0..=u32::from(classes - 1), &what, &place)?;
    }
    Ok(columns.swap_remove(layout.label))
}

impl Source for Cifar {
    type Item = Image;

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn info(&self, index: usize) -> ImageInfo {
        ImageInfo { dims: [3, SIDE, SIDE], label: Some(self.labels[index]) }
    }

    fn read(&self, index: usize, into: &mut [u8]) -> Result<(), Error> {
        Image::assert_part(self, index, &into);
        let holder = self.files.partition_point(|(first, _)| *first <= index) - 1;
        let (first, file) = &self.files[holder];
        let record = (self.label_bytes + IMAGE_BYTES) as u64;
        file.read((index - first) as u64 * record + self.label_bytes as u64, into)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn classes(&self) -> usize {
        self.class_names.len()
    }

    fn class_name(&self, class: usize) -> Option<&str> {
        self.class_names.get(class).map(String::as_str)
    }
}
