//! Everything that decides what a run computes.

use std::path::PathBuf;

use burn::tensor::Device;
use clapp_datasets::ImagePipeline;
use clapp_encoders::{Context, EncoderConfig};
use clapp_eval::Report;
use clapp_rules::{Optimizer, Rule};
use serde::{Deserialize, Serialize};

use crate::{Data, Error, Experiment, Schedule, Trainer, data, experiment::check_settings};

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
        /// What read-outs are tested on.
        tested_on: Held,
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
    /// Chooses what read-outs are tested on, where the data have a part for choosing settings.
    pub fn test_on(&mut self, held: Held) {
        if let Self::Cifar10 { tested_on, .. } = self {
            *tested_on = held;
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
        }
    }
}

/// How features are read out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadoutConfig {
    /// Labels a class of the few-label columns.
    pub few: usize,
    /// Draws of the few labels whose accuracies are averaged.
    pub few_draws: usize,
    /// Epochs of the paper's read-out.
    pub paper_epochs: usize,
    /// Different random views of the training images that the paper's read-out sees; epoch e sees
    /// view e mod views. With `paper_epochs` views every epoch has its own, as in the paper.
    pub paper_views: usize,
}

/// A run: data, encoder, rule, optimizer, length.
///
/// Two runs with equal configurations give equal results, bit for bit on one machine's CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// Name of the preset it began as.
    pub preset: String,
    /// Method, as it stands in reports.
    pub method: String,
    /// Data.
    pub data: DataConfig,
    /// Crop, flip, colour, normalisation.
    pub pipeline: ImagePipeline,
    /// Encoder.
    pub encoder: EncoderConfig,
    /// Plasticity rule.
    pub rule: Rule,
    /// Where contexts come from.
    pub context: Context,
    /// Optimizer of every module.
    pub optimizer: Optimizer,
    /// Images in a batch.
    pub batch: usize,
    /// Images to see without labels; a multiple of what fits into whole batches is seen.
    pub images: u64,
    /// Steps between lines of the metrics.
    pub metrics_every: u64,
    /// Steps between checkpoints; one more is written at the end.
    pub checkpoint_every: u64,
    /// Checkpoints kept.
    pub checkpoints_kept: usize,
    /// Read-outs at the end.
    pub readout: ReadoutConfig,
    /// Seeds: the run is repeated for each of them, from data to read-outs.
    pub seeds: Vec<u64>,
}

impl RunConfig {
    /// Checks that the parts fit together, before any data is read.
    ///
    /// # Errors
    ///
    /// If a number is out of range or the parts do not fit.
    pub fn validate(&self) -> Result<(), Error> {
        self.encoder.validate()?;
        self.rule.validate(self.encoder.time()).map_err(clapp_encoders::EncoderError::from)?;
        let [colours, side, _] = self.pipeline.output_dims();
        if [colours, side] != [self.encoder.colours, self.encoder.image] {
            return Err(Error::Pipeline {
                expected: [self.encoder.colours, self.encoder.image],
                found: [colours, side],
            });
        }
        let numbers = [
            ("batch", self.batch as u64),
            ("images", self.images),
            ("few", self.readout.few as u64),
            ("few_draws", self.readout.few_draws as u64),
            ("paper_epochs", self.readout.paper_epochs as u64),
            ("paper_views", self.readout.paper_views as u64),
        ];
        check_settings(&self.schedule(), &numbers)?;
        let pool = self.rule.negatives.pool.unwrap_or(self.batch);
        if pool == 0 || !self.batch.is_multiple_of(pool) {
            return Err(Error::Pool { batch: self.batch, pool });
        }
        Ok(())
    }
}

/// Classes of every image set so far.
const CLASSES: usize = 10;

impl Experiment for RunConfig {
    type Learner = Trainer;

    fn validate(&self) -> Result<(), Error> {
        Self::validate(self)
    }

    fn check_data(&self) -> Result<(), Error> {
        data::check(self)
    }

    fn name(&self) -> String {
        format!("{}-{}", self.preset, self.method)
    }

    fn schedule(&self) -> Schedule<'_> {
        let Self { seeds, metrics_every, checkpoint_every, checkpoints_kept, .. } = self;
        Schedule {
            seeds,
            metrics_every: *metrics_every,
            checkpoint_every: *checkpoint_every,
            checkpoints_kept: *checkpoints_kept,
        }
    }

    fn report(&self) -> Report {
        let name = self.data.name();
        Report::new(name, name, CLASSES)
    }

    fn open(&self, seed: u64, device: &Device) -> Result<Trainer, Error> {
        Trainer::new(self, seed, &Data::open(&self.data, seed)?, device)
    }
}
