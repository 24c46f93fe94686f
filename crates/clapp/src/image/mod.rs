//! Runs on images: pictures without labels in, classes read out of every layer.
//!
//! # Methods
//!
//! | method | what it is |
//! |---|---|
//! | `clapp-s` | fixation and saccades of every image in one step, symmetric weights |
//! | `clapp` | one of the two at a time, W_pred and W_retro: the rule that a brain could run |
//! | `clapp-symmetric`, `clapp-s-retro` | the two between them |
//! | `clapp-s-blocked` | only predicted neurons learn |
//! | `clapp-s-above` | the context comes from the layer above |
//! | `gim` | Greedy InfoMax, layer by layer, as a local rule |
//! | `softhebb` | channels compete; no prediction, one pass (Journé et al. 2023) |
//! | `clapp-pp` | CLAPP++: a view of an image predicts the other, layer by layer |
//! | `dfb` | direct feedback: the last layer's view predicts every layer's other view |
//! | `both` | the two losses of `clapp-pp` and `dfb` |
//! | `lpl` | latent predictive learning: views agree, units vary and differ; no negatives |
//! | `scff` | self-contrastive forward-forward: an image added to itself against two added up, layers one after another |
//! | `clapp-s-MxN` | M modules of N layers each, a loss at the end of each, back-propagation inside \* |
//! | `clapp-s-A-B-…` | modules of A, B, … layers, from the input up: any that add up to the layers \* |
//! | `gim-…` and others | the same splits with the loss of `gim`, `clapp`, `clapp-symmetric`, `clapp-s-retro`, `clapp-s-blocked`, `clapp-pp` \* |
//! | `cpc`, `hinge-cpc` | InfoNCE, or the hinge, at the last layer; back-propagation through all \* |
//! | `hinge-cpc-retro`, `hinge-cpc-blocked` | with W_retro; predicted patches alone pass the loss back \* |
//! | `hinge-cpc-time-local` | one of its two terms at a time \* |
//! | `supervised`, `greedy-supervised` | classes from labels, with a read-out on top, or on every layer \* |
//! | `clapp-pp-backprop` | the loss of `clapp-pp` at the last layer; back-propagation through all \* |
//!
//! \* needs the feature `baselines`. The paper's Table 6 writes modules × layers as well: `clapp-s-2x3` is its
//! 2×3, two modules of three layers. `clapp-s-3-1-1-1` is its four modules with the upper layers alone,
//! `clapp-s-1-1-1-3` with the lower ones, and `gim-3x2` the GIM of its Table 4. The split stands in the configuration as
//! `encoder.modules`. Methods with labels learn from the labelled training images, and what their read-outs
//! name of the test images stands in the table under `own`.
//!
//! On random hierarchies (`Images::Hierarchy`) the CLAPP family predicts what stands beside something in a
//! production ([`Siblings`](clapp_rules::Siblings)), a layer for each level; methods of two views are refused.
//!
//! The presets `smoke`, `quick` and `paper` have widths of 1/16, 1/4 (1/8 on embedded scenes and CIFAR-10)
//! and 1.

#[cfg(feature = "baselines")]
mod compared;
mod data;
mod encoder;
mod estimate;
mod hierarchy;
mod look;
mod network;
mod order;
mod photographs;
mod preset;
mod published;
mod readout;
mod rule;
mod scff;
mod scores;
mod torch;

use std::{path::PathBuf, sync::Arc};

use burn::tensor::{Device, Tensor, TensorData};
use clapp_datasets::{Batch, Image, ImagePipeline, Loader};
use clapp_encoders::{Context, EncoderConfig, EncoderError};
use clapp_eval::{Protocol, Report};
use clapp_rules::Optimizer;
use serde::{Deserialize, Serialize};

use crate::{
    Data, Error, RunConfig, Sense, Trainer,
    config::{at_least_one, check_pool},
    estimate::Estimate,
    readout::check_protocols,
    run::{Extra, LayerMetrics},
    sense::Trial,
};

/// Images that several loaders share.
pub type Source = Arc<dyn clapp_datasets::Source<Item = Image>>;

pub use data::{DataConfig, Held, SizesConfig};
pub use encoder::Encoder;
pub use look::Look;
pub use network::ImageNetwork;
pub use order::Order;
pub use preset::METHODS;
pub use published::PUBLISHED;
pub use rule::ImageRule;
pub use scores::{Scores, scores};

/// Images: the sense of runs on them, and the pictures that a preset is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Images {
    /// The embedded scenes.
    Synthetic,
    /// STL-10 in this folder.
    Stl10(PathBuf, SizesConfig),
    /// CIFAR-10 in this folder.
    Cifar10(PathBuf, SizesConfig),
    /// Photographs of one's own in this folder, with CIFAR-10's presets. Making one decodes them, and remembers
    /// their names and sizes.
    Folder(PathBuf),
    /// Embedded strings of a random hierarchy, drawn as images; each seed has a grammar of its own.
    Hierarchy(clapp_datasets::hierarchy::Config),
}

/// How features are read out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadoutConfig {
    /// Which protocols: any of `standardised`, `paper`, `dropout` and `knn`.
    #[serde(default = "protocols")]
    pub protocols: Vec<Protocol>,
    /// Labels a class of the few-label columns.
    pub few: usize,
    /// Draws of the few labels whose accuracies are averaged.
    pub few_draws: usize,
    /// Epochs of the paper's read-out.
    pub paper_epochs: usize,
    /// Different random views of the training images that the paper's read-out sees; epoch e sees
    /// view e mod views. With `paper_epochs` views every epoch has its own, as in the paper.
    pub paper_views: usize,
    /// Cells a side whose means are the features of each layer; empty for one mean over map and patches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<usize>,
    /// Labels, if not all, that the probes which need all features at once are fitted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<usize>,
    /// Whether the features of all layers side by side are read out as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub concatenated: bool,
    /// MiB that the features of one layer, of one part or view, may take in memory; larger ones go to a file
    /// without a name in the run's folder and are read row by row, with the same results. Protocols that
    /// need all features at once read them back.
    #[serde(default = "memory", skip_serializing_if = "is_memory")]
    pub memory: u64,
}

/// MiB of features in memory: less than those of SoftHebb's last layer of 50,000 images.
fn memory() -> u64 {
    4096
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_memory(mebibytes: &u64) -> bool {
    *mebibytes == memory()
}

/// The protocols of runs that were made before they could be chosen.
fn protocols() -> Vec<Protocol> {
    vec![Protocol::Standardised, Protocol::Paper]
}

/// The part of a run's configuration that is about images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Data.
    pub data: DataConfig,
    /// Crop, flip, colour, normalisation.
    pub pipeline: ImagePipeline,
    /// Encoder.
    pub encoder: EncoderConfig,
    /// Plasticity rule.
    pub rule: ImageRule,
    /// Learning rate of every layer, in place of the optimizer's; empty where all take that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<f64>,
    /// How learning rates change until the last image.
    #[serde(default, skip_serializing_if = "Schedule::is_constant")]
    pub schedule: Schedule,
    /// Where contexts come from.
    pub context: Context,
    /// Which layers learn when.
    #[serde(default, skip_serializing_if = "Order::is_all_at_once")]
    pub order: Order,
    /// Images to see without labels, by all layers together; a multiple of what fits into whole batches is seen.
    pub images: u64,
    /// Read-outs at the end.
    pub readout: ReadoutConfig,
}

impl Sense for Images {
    type Setup = Setup;
    type Source = Source;
    type Loader = Loader;
    type Network = ImageNetwork;

    const UNIT: &'static str = "images";
    const PREFIX: &'static str = "";
    const LOOKS: bool = true;

    fn validate(config: &RunConfig<Self>) -> Result<(), Error> {
        let Setup { encoder, rule, rates, pipeline, readout, .. } = &config.setup;
        let negatives = rule.over_time().and_then(|rule| rule.negatives.pool);
        encoder.validate()?;
        network::check(config)?;
        let rule = config.rule(rule.rule());
        rule.check(encoder.time()).map_err(EncoderError::from)?;
        rule.check_layers(encoder.layers.len()).map_err(EncoderError::from)?;
        let (views, samples) =
            (config.setup.rule.views(), config.setup.rule.views() * config.batch);
        rule.check_batch(samples).map_err(EncoderError::from)?;
        encoder.extents_for(rule)?;
        if views > 1 && pipeline.views.is_none() {
            return Err(Error::misfit_of(
                "pipeline",
                "random views for a rule that compares two of them",
                "none",
                "say views in the pipeline, or choose another method",
            ));
        }
        for (of, given) in [("rates", rates.len()), ("readout.cells", readout.cells.len())] {
            per_layer(of, given, encoder.layers.len())?;
        }
        for (&cells, &side) in readout.cells.iter().zip(&encoder.map_sizes()?) {
            if cells == 0 || (cells < side && side % cells != 0) {
                let expected = format!("a number that divides a map of {side} × {side}");
                return Err(Error::misfit_of(
                    "readout.cells",
                    expected,
                    cells,
                    "correct the setting",
                ));
            }
        }
        config.setup.order.check(encoder.layers.len(), config.steps(), config.setup.context)?;
        let [colours, side, _] = pipeline.output_dims();
        Error::unless_same_pixels([encoder.colours, encoder.image], [colours, side])?;
        check_protocols("images", &readout.protocols, &readout::PROTOCOLS)?;
        at_least_one(&[
            ("few", readout.few as u64),
            ("few_draws", readout.few_draws as u64),
            ("paper_epochs", readout.paper_epochs as u64),
            ("paper_views", readout.paper_views as u64),
        ])?;
        check_pool(negatives, config.batch)
    }

    fn data_name(setup: &Setup) -> String {
        setup.data.name().to_owned()
    }

    fn amount(setup: &Setup) -> u64 {
        setup.images
    }

    fn amount_mut(setup: &mut Setup) -> &mut u64 {
        &mut setup.images
    }

    fn open(config: &RunConfig<Self>, seed: u64) -> Result<Data<Self>, Error> {
        data::of_run(config, seed)
    }

    fn loader(config: &RunConfig<Self>, seed: u64, data: &mut Data<Self>) -> Result<Loader, Error> {
        data::loader(config, seed, data)
    }

    fn check(config: &RunConfig<Self>) -> Result<(), Error> {
        data::check(config)
    }

    fn digests(config: &RunConfig<Self>, data: &Data<Self>) -> Result<Vec<String>, Error> {
        match config.setup.data {
            DataConfig::Synthetic { .. } | DataConfig::Hierarchy { .. } => Ok(Vec::new()),
            _ => crate::data::digests(&data.learn, data.labelled.as_ref()),
        }
    }

    fn network(trial: &Trial<Self>, data: &Data<Self>) -> Result<Self::Network, Error> {
        ImageNetwork::open(trial, data)
    }

    fn step(
        trial: &Trial<Self>,
        step: u64,
        network: &mut Self::Network,
        batch: Batch,
    ) -> LayerMetrics {
        network.step(trial, step, batch)
    }

    fn read_out(trainer: &Trainer<Self>, report: &mut Report) -> Result<Extra, Error> {
        readout::read_out(trainer, report)
    }

    fn look(trainer: &Trainer<Self>) -> Result<Vec<f64>, Error> {
        readout::look(trainer)
    }

    fn estimate(config: &RunConfig<Self>, _: &Device) -> Result<Estimate, Error> {
        estimate::estimate(config)
    }

    fn seconds_per_step(config: &RunConfig<Self>, device: &Device) -> Result<f64, Error> {
        estimate::seconds_per_step(config, device)
    }
}

/// How learning rates change while a run lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Not at all.
    #[default]
    Constant,
    /// From the whole to nothing: ½ (1 + cos πt), t the share of the time in which a layer learns.
    Cosine,
}

impl Schedule {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    fn is_constant(&self) -> bool {
        *self == Self::Constant
    }

    /// Factor of learning rates after a share of the time in which a layer learns.
    ///
    /// ```
    /// use clapp::image::Schedule;
    /// assert_eq!([0.0, 1.0].map(|share| Schedule::Cosine.factor(share)), [1.0, 0.0]);
    /// ```
    #[must_use]
    pub fn factor(self, share: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * share).cos()),
        }
    }
}

impl Setup {
    /// The optimizer of every layer after a share of the time in which it learns.
    fn optimizers(&self, all: &Optimizer, share: f64) -> Vec<Optimizer> {
        let of = |layer: usize| {
            let mut own = *all;
            if let Some(rate) = self.rates.get(layer) {
                *own.rate_mut() = *rate;
            }
            *own.rate_mut() *= self.schedule.factor(share);
            own
        };
        (0..self.encoder.layers.len()).map(of).collect()
    }
}

/// Checks that a setting is empty or says something about each layer.
fn per_layer(setting: &'static str, given: usize, layers: usize) -> Result<(), Error> {
    if given == 0 || given == layers {
        return Ok(());
    }
    let expected = format!("a value for each of {layers} layers, or none");
    Err(Error::misfit_of(setting, expected, given, "correct the setting"))
}

/// Moves a batch to a device.
fn tensor(batch: Batch, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(batch.values, batch.shape), device)
}
