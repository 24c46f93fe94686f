//! From a configuration to images: without labels, for read-outs, for testing.

use std::sync::Arc;

use clapp_datasets::{
    Cifar, Image, Sizes, Stl10, Subset, cifar, split, stl10,
    synthetic::{self, Part},
};

use crate::{
    Error, RunConfig,
    config::{DataConfig, Held, SizesConfig},
};

/// A source that several loaders share.
pub type Source = Arc<dyn clapp_datasets::Source<Item = Image>>;

/// The three parts of a data set.
#[derive(Clone)]
pub struct Data {
    /// Images to learn from; their labels, if any, are never read.
    pub unlabelled: Source,
    /// Labelled images for read-outs.
    pub train: Source,
    /// Labelled images for testing them.
    pub test: Source,
    /// Name of the data that stands in every report.
    pub name: String,
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Data")
            .field("name", &self.name)
            .field("unlabelled", &self.unlabelled.len())
            .field("train", &self.train.len())
            .field("test", &self.test.len())
            .finish()
    }
}

/// Share of CIFAR-10's labelled training images that is held out for choosing settings.
const VALIDATION: usize = 4;

impl Data {
    /// Opens or generates the images.
    ///
    /// # Errors
    ///
    /// If a file is missing, damaged, or of an unexpected size.
    pub fn open(config: &DataConfig, seed: u64) -> Result<Self, Error> {
        let name = config.name().to_owned();
        let (unlabelled, train, test): (Source, Source, Source) = match config {
            &DataConfig::Synthetic { unlabelled, train, test } => (
                Arc::new(synthetic::scenes(seed, Part::Unlabelled, unlabelled)?),
                Arc::new(synthetic::scenes(seed, Part::Train, train)?),
                Arc::new(synthetic::scenes(seed, Part::Test, test)?),
            ),
            DataConfig::Stl10 { root, sizes } => {
                let open = |split| Stl10::open(root, split, (*sizes).into());
                (
                    Arc::new(open(stl10::Split::Unlabeled)?),
                    Arc::new(open(stl10::Split::Train)?),
                    Arc::new(open(stl10::Split::Test)?),
                )
            }
            DataConfig::Cifar10 { root, sizes, unlabelled, tested_on } => {
                let open = |part| Cifar::open(root, cifar::Kind::Cifar10, part, (*sizes).into());
                let all: Source = Arc::new(open(cifar::Split::Train)?);
                // A split of the data, not of the run: the same for every seed.
                let held = all.len().saturating_sub(*unlabelled);
                let (first, rest) = split::hold_out(&all, held, SPLIT_SEED)?;
                let free: Source = Arc::new(Subset::new(all.clone(), first)?);
                match tested_on {
                    Held::Test => {
                        let labelled = Arc::new(Subset::new(all, rest)?);
                        (free, labelled, Arc::new(open(cifar::Split::Test)?))
                    }
                    Held::Validation => {
                        let border = rest.len() - rest.len() / VALIDATION;
                        let (train, test) = rest.split_at(border);
                        let train = Subset::new(all.clone(), train.to_vec())?;
                        let test = Subset::new(all, test.to_vec())?;
                        (free, Arc::new(train), Arc::new(test))
                    }
                }
            }
        };
        Ok(Self { unlabelled, train, test, name })
    }
}

/// Opens the data of a run and checks that they suffice for it, before anything is written.
///
/// The embedded scenes always do and are not generated for this.
///
/// # Errors
///
/// If a file is missing, damaged, or of an unexpected size, or if there are too few images for a batch
/// or for the read-outs with few labels.
pub fn check(config: &RunConfig) -> Result<(), Error> {
    if matches!(config.data, DataConfig::Synthetic { .. }) {
        return Ok(());
    }
    let data = Data::open(&config.data, config.seeds.first().copied().unwrap_or_default())?;
    let images = data.unlabelled.len();
    if images < config.batch {
        return Err(Error::TooFewImages { batch: config.batch, images, name: data.name });
    }
    split::few_labels(&data.train, config.readout.few, 0)?;
    Ok(())
}

/// Seed of splits that belong to the data.
const SPLIT_SEED: u64 = 0;

impl From<SizesConfig> for Sizes {
    fn from(sizes: SizesConfig) -> Self {
        match sizes {
            SizesConfig::Official => Self::Official,
            SizesConfig::Any => Self::Any,
        }
    }
}
