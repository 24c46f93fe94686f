//! The official archives: addresses, sizes, sums, contents.

/// What an archive is, where it lies and what it holds.
///
/// The fields are public so that a mirror can be named:
///
/// ```
/// use clapp_datasets::download::Archive;
///
/// let mirrored = Archive { url: "https://example.org/stl10.tar.gz".into(), ..Archive::stl10() };
/// assert_eq!(mirrored.bytes, 2_640_397_119);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// Address of the `.tar.gz` file, `http` or `https`.
    pub url: String,
    /// Name of the file on disk.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// MD5 sum, 32 lower-case hexadecimal digits.
    pub md5: String,
    /// The folder that the archive unpacks to, with `/` between names.
    pub folder: String,
    /// What is taken from that folder; the rest is left in the archive.
    pub contents: Contents,
}

/// What is taken from an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// These files, by name.
    Files(Vec<String>),
    /// All files below the folder, at any depth, whose names end so.
    Tree {
        /// The ending, such as `.flac`.
        ending: String,
        /// How many there are.
        files: usize,
    },
}

/// What [`Archive::named`] knows.
pub const NAMES: &str = "stl10, cifar10, cifar100, librispeech";

impl Archive {
    /// One of [`NAMES`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "stl10" => Self::stl10(),
            "cifar10" => Self::cifar10(),
            "cifar100" => Self::cifar100(),
            "librispeech" => Self::librispeech(),
            _ => return None,
        })
    }

    /// STL-10, 2.6 GB.
    #[must_use]
    pub fn stl10() -> Self {
        Self::new(
            "http://ai.stanford.edu/~acoates/stl10/",
            "stl10_binary.tar.gz",
            2_640_397_119,
            "91f7769df0f17e558f3565bffb0c7dfb",
            "stl10_binary",
            "train_X.bin train_y.bin test_X.bin test_y.bin unlabeled_X.bin class_names.txt \
             fold_indices.txt",
        )
    }

    /// CIFAR-10, 170 MB.
    #[must_use]
    pub fn cifar10() -> Self {
        Self::new(
            "https://www.cs.toronto.edu/~kriz/",
            "cifar-10-binary.tar.gz",
            170_052_171,
            "c32a1d4ab5d03f1284b67883e8d87530",
            "cifar-10-batches-bin",
            "data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin data_batch_5.bin \
             test_batch.bin batches.meta.txt",
        )
    }

    /// CIFAR-100, 169 MB.
    #[must_use]
    pub fn cifar100() -> Self {
        Self::new(
            "https://www.cs.toronto.edu/~kriz/",
            "cifar-100-binary.tar.gz",
            168_513_733,
            "03b5dce01913d631647c71ecec9e9cb8",
            "cifar-100-binary",
            "train.bin test.bin fine_label_names.txt coarse_label_names.txt",
        )
    }

    /// LibriSpeech train-clean-100, 6.4 GB: 28,539 utterances.
    #[must_use]
    pub fn librispeech() -> Self {
        let contents = Contents::Tree { ending: ".flac".to_owned(), files: 28_539 };
        let archive = Self::new(
            "https://www.openslr.org/resources/12/",
            "train-clean-100.tar.gz",
            6_387_309_499,
            "2a93770f6d5c6c964bc36631d331a522",
            "LibriSpeech/train-clean-100",
            "",
        );
        Self { contents, ..archive }
    }

    fn new(site: &str, name: &str, bytes: u64, md5: &str, folder: &str, files: &str) -> Self {
        Self {
            url: format!("{site}{name}"),
            name: name.to_owned(),
            bytes,
            md5: md5.to_owned(),
            folder: folder.to_owned(),
            contents: Contents::Files(files.split_whitespace().map(str::to_owned).collect()),
        }
    }
}
