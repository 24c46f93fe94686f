//! From a configuration to images: without labels, for read-outs, for testing.

use std::{path::PathBuf, sync::Arc};

use clapp_datasets::{
    Cifar, LastBatch, Loader, LoaderConfig, Sizes, Source as _, Stl10, Subset, cifar,
    hierarchy::{self, Drawing, Grammar, Hierarchies},
    split, stl10,
    synthetic::{self, Part},
};
use serde::{Deserialize, Serialize};

use super::{Images, Source, photographs};
use crate::{Data, Error, RunConfig};

/// Where images come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum DataConfig {
    /// The embedded synthetic scenes: nothing to download.
    Synthetic {
        /// Images without labels.
        unlabelled: usize,
        /// Labelled images for read-outs.
        train: usize,
        /// Images for testing them.
        test: usize,
    },
    /// STL-10 in its binary layout.
    Stl10 {
        /// Folder with the `.bin` files, or one above it.
        root: PathBuf,
        /// Whether other than the official numbers of images are accepted.
        sizes: SizesConfig,
    },
    /// CIFAR-10 in its binary layout: the training part serves without labels and with them.
    Cifar10 {
        /// Folder with the `.bin` files, or one above it.
        root: PathBuf,
        /// Whether other than the official numbers of images are accepted.
        sizes: SizesConfig,
        /// Training images used without labels; the rest is for read-outs.
        unlabelled: usize,
        /// Whether read-outs learn from the images used without labels, and not from the rest.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reused: bool,
        /// What read-outs are tested on.
        tested_on: Held,
    },
    /// Photographs of one's own, see [`folder`](clapp_datasets::folder): what is not held out serves without labels and,
    /// where it has some, with them.
    Folder {
        /// The folder.
        root: PathBuf,
        /// Pixels a side of the squares that they are made.
        side: usize,
        /// What read-outs are tested on.
        #[serde(default)]
        tested_on: Held,
        /// Images that were there when the run began.
        files: usize,
        /// SHA-256 of their names and sizes; any images will do if it is empty.
        digest: String,
    },
    /// Strings of a random hierarchy, drawn as images: nothing to download.
    Hierarchy {
        /// The size of the grammar, which is drawn from the run's seed.
        grammar: hierarchy::Config,
        /// Strings without labels.
        unlabelled: usize,
        /// Labelled strings for read-outs.
        train: usize,
        /// Strings for testing them.
        test: usize,
    },
}

/// Whether a data set must have its official size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SizesConfig {
    /// It must.
    #[default]
    Official,
    /// Any whole number of images will do.
    Any,
}

/// Images that read-outs are tested on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// A part of the labelled training images, held out: for choosing settings.
    Validation,
    /// The test images: for reporting.
    #[default]
    Test,
}

impl DataConfig {
    /// Chooses what read-outs are tested on.
    ///
    /// # Errors
    ///
    /// If a part for choosing settings is asked for where the data have none: who takes one for the other tunes on the
    /// test set.
    pub fn test_on(&mut self, held: Held) -> Result<(), Error> {
        match self {
            Self::Cifar10 { tested_on, .. } | Self::Folder { tested_on, .. } => *tested_on = held,
            _ if held == Held::Test => {}
            _ => {
                let expected = "data with a part for choosing settings (CIFAR-10, own photographs)";
                let advice = "leave the validation out, and choose settings on other data";
                return Err(Error::misfit_of("validation", expected, self.name(), advice));
            }
        }
        Ok(())
    }

    /// Has read-outs learn from images of their own, where presets of some methods have them learn from all: reading fifty
    /// thousand images takes longer than learning from them for some minutes.
    pub(crate) fn hold_back(&mut self) {
        if let Self::Cifar10 { unlabelled, reused, .. } = self {
            (*unlabelled, *reused) = (UNLABELLED, false);
        }
    }

    /// Name of the data, as it stands in every report.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Synthetic { .. } => "synthetic scenes",
            Self::Stl10 { sizes: SizesConfig::Official, .. } => "STL-10",
            Self::Stl10 { sizes: SizesConfig::Any, .. } => "images in STL-10's layout",
            Self::Cifar10 { sizes: SizesConfig::Official, .. } => "CIFAR-10",
            Self::Cifar10 { sizes: SizesConfig::Any, .. } => "images in CIFAR-10's layout",
            Self::Folder { .. } => "own photographs",
            Self::Hierarchy { .. } => "random hierarchies",
        }
    }
}

/// CIFAR-10's training images that serve without labels, where read-outs have the others.
pub(super) const UNLABELLED: usize = 40_000;
/// Share of CIFAR-10's labelled training images that is held out for choosing settings.
const VALIDATION: usize = 4;

/// The images of a run: a method that learns from labels sees those that read-outs are fitted on.
pub(super) fn of_run(config: &RunConfig<Images>, seed: u64) -> Result<Data<Images>, Error> {
    let mut data = open(&config.setup.data, seed)?;
    if config.learning.needs_labels() {
        let Some([train, _]) = &data.labelled else {
            let got = format!("none in {}", data.names[0]);
            let advice =
                "put the images into folders of classes, or choose a method that needs none";
            return Err(Error::misfit_of(
                "data",
                "images with labels for this method",
                got,
                advice,
            ));
        };
        data.learn = train.clone();
        data.names[0].push_str(", labelled");
    }
    Ok(data)
}

/// Opens or generates the images.
fn open(config: &DataConfig, seed: u64) -> Result<Data<Images>, Error> {
    let (learn, train, test): (Source, Source, Source) = match config {
        &DataConfig::Synthetic { unlabelled, train, test } => (
            Arc::new(synthetic::scenes(seed, Part::Unlabelled, unlabelled)?),
            Arc::new(synthetic::scenes(seed, Part::Train, train)?),
            Arc::new(synthetic::scenes(seed, Part::Test, test)?),
        ),
        &DataConfig::Hierarchy { grammar, unlabelled, train, test } => {
            let grammar = Grammar::new(seed, grammar)?;
            let open = |part, count| {
                Hierarchies::new(grammar.clone(), part, count, Drawing::Patterns).map(Arc::new)
            };
            (
                open(Part::Unlabelled, unlabelled)?,
                open(Part::Train, train)?,
                open(Part::Test, test)?,
            )
        }
        DataConfig::Stl10 { root, sizes } => {
            let open = |split| Stl10::open(root, split, (*sizes).into());
            (
                Arc::new(open(stl10::Split::Unlabeled)?),
                Arc::new(open(stl10::Split::Train)?),
                Arc::new(open(stl10::Split::Test)?),
            )
        }
        DataConfig::Folder { .. } => return photographs::open(config),
        DataConfig::Cifar10 { root, sizes, unlabelled, reused, tested_on } => {
            let open = |part| Cifar::open(root, cifar::Kind::Cifar10, part, (*sizes).into());
            let all: Source = Arc::new(open(cifar::Split::Train)?);
            if *reused && *tested_on == Held::Test && *unlabelled >= all.len() {
                let test = Arc::new(open(cifar::Split::Test)?);
                return Ok(of_parts(config, all.clone(), [all, test]));
            }
            // A split of the data, not of the run: the same for every seed.
            let fewest = if *reused { all.len() / (VALIDATION + 1) } else { 0 };
            let held = all.len().saturating_sub(*unlabelled).max(fewest);
            let (first, rest) = split::hold_out(&all, held, SPLIT_SEED)?;
            let free: Source = Arc::new(Subset::new(all.clone(), first)?);
            match tested_on {
                Held::Test if *reused => (free.clone(), free, Arc::new(open(cifar::Split::Test)?)),
                Held::Validation if *reused => {
                    (free.clone(), free, Arc::new(Subset::new(all, rest)?))
                }
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
    Ok(of_parts(config, learn, [train, test]))
}

fn of_parts(config: &DataConfig, learn: Source, labelled: [Source; 2]) -> Data<Images> {
    let (name, classes) = (config.name().to_owned(), labelled[1].classes());
    let names = [name.clone(), name];
    Data { learn, labelled: Some(labelled), classes, names, notes: Vec::new() }
}

/// Batches for learning.
pub(super) fn loader(
    config: &RunConfig<Images>,
    seed: u64,
    data: &Data<Images>,
) -> Result<Loader, Error> {
    let (batch_size, images) = (config.batch, data.learn.len());
    if images < batch_size {
        return Err(Error::misfit_of(
            "data",
            format!("at least {batch_size} images for one batch"),
            format!("{images} in {}", data.names[0]),
            "lower the batch or add images",
        ));
    }
    let last_batch = LastBatch::Drop;
    let views = config.setup.rule.views();
    let settings = LoaderConfig {
        batch_size,
        seed,
        last_batch,
        views,
        workers: 1,
        ..LoaderConfig::training()
    };
    Ok(Loader::new(data.learn.clone(), config.setup.pipeline.clone(), settings)?)
}

/// The embedded scenes always suffice and are not generated for this.
pub(super) fn check(config: &RunConfig<Images>) -> Result<(), Error> {
    if matches!(config.setup.data, DataConfig::Synthetic { .. }) {
        return Ok(());
    }
    let seed = config.seeds.first().copied().unwrap_or_default();
    let data = of_run(config, seed)?;
    loader(config, seed, &data)?;
    let Some([train, _]) = &data.labelled else { return Ok(()) };
    Ok(split::enough_labels(train, config.setup.readout.few)?)
}

/// Seed of splits that belong to the data.
pub(super) const SPLIT_SEED: u64 = 0;

impl From<SizesConfig> for Sizes {
    fn from(sizes: SizesConfig) -> Self {
        match sizes {
            SizesConfig::Official => Self::Official,
            SizesConfig::Any => Self::Any,
        }
    }
}
