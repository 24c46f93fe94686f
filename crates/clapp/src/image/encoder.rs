//! A trained encoder by itself: images in, features of every layer out.

use std::path::Path;

use burn::tensor::Device;
use clapp_datasets::{Batch, ImagePipeline, Loader, LoaderConfig, Views};
use clapp_encoders::{Context, EncoderConfig, Layer, Signal, Stack};
use clapp_rules::{Plasticity, Seen, Update};
use clapp_store::Checkpoint;
use ndarray::Array2;

use super::{Images, Setup, Source, readout::CHUNK, tensor};
use crate::{
    Error, RunConfig,
    readout::rows,
    run::{newest, to_state},
    sense::Trial,
};

/// The layers of a run on images, frozen: what they make of an image depends on nothing else.
///
/// Features are those that the run's own read-outs see: means over map and patches, or over the cells of
/// `readout.cells`, behind running statistics where layers normalise. On one machine's processor they are
/// the same bits in any batch and with any number of threads. Runs on sound and video have none of this:
/// what stands for a recording or a clip there is the read-out's choice, not the encoder's.
///
/// # Example
///
/// ```no_run
/// use clapp::{datasets::{Sizes, Stl10, stl10::Split}, image::Encoder};
/// let encoder = Encoder::load("runs/quick-clapp-s", &clapp::device("flex")?)?;
/// let images = Stl10::open("data", Split::Test, Sizes::Official)?;
/// for batch in encoder.loader(std::sync::Arc::new(images))?.epoch(0)? {
///     let layers = encoder.features(&batch?); // of each layer [image, feature]
///     println!("{:?}", layers.last().map(|last| last.dim()));
/// }
/// # Ok::<(), clapp::Error>(())
/// ```
#[derive(Debug)]
pub struct Encoder {
    trial: Trial<Images>,
    stack: Stack<Box<dyn Layer>>,
    cells: Vec<usize>,
    checkpoint: Option<(u64, String)>,
}

/// An encoder that has learnt needs no rule: nothing is kept in any layer.
#[derive(Debug)]
struct NoRule;

impl Plasticity for NoRule {
    fn changes(&self, _: Seen<'_>) -> Update {
        unreachable!("a frozen encoder takes no step")
    }
}

impl Encoder {
    /// The encoder of a run's newest checkpoint; the run may go on meanwhile.
    ///
    /// # Errors
    ///
    /// If the folder holds no run on images that this version understands, no checkpoint, a damaged one, or
    /// one of another configuration.
    pub fn load(run: impl AsRef<Path>, device: &Device) -> Result<Self, Error> {
        Self::open(run.as_ref(), None, device)
    }

    /// That of the newest checkpoint of one of the run's seeds.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load); if there is none of this seed.
    pub fn load_seed(run: impl AsRef<Path>, seed: u64, device: &Device) -> Result<Self, Error> {
        Self::open(run.as_ref(), Some(seed), device)
    }

    fn open(run: &Path, seed: Option<u64>, device: &Device) -> Result<Self, Error> {
        let config = RunConfig::<Images>::load(run)?;
        let (Checkpoint { step, digest, tensors, .. }, position) = newest(run, &config, seed)?;
        let Setup { encoder, .. } = &config.setup;
        let alone = EncoderConfig { modules: vec![1; encoder.layers.len()], ..encoder.clone() };
        let seed = config.seeds.get(position.seed_index).copied().unwrap_or_default();
        let mut stack = Stack::images(&alone, &NoRule, Context::SameLayer, seed, device)?;
        stack.load(&to_state(tensors))?;
        let trial = Trial { config, seed, device: device.clone() };
        Ok(Self { checkpoint: Some((step, digest)), ..Self::of(&trial, &stack) })
    }

    /// That of a network as it stands.
    pub(super) fn of(trial: &Trial<Images>, stack: &Stack<Box<dyn Layer>>) -> Self {
        let Setup { encoder, readout, .. } = &trial.config.setup;
        let mut cells = readout.cells.clone();
        if cells.is_empty() && encoder.keeps_statistics() {
            // Channels that compete show every pixel; the mean is over what they hand up.
            cells = vec![1; encoder.layers.len()];
        }
        Self { trial: trial.clone(), stack: stack.frozen(), cells, checkpoint: None }
    }

    /// The run's configuration.
    #[must_use]
    pub fn config(&self) -> &RunConfig<Images> {
        &self.trial.config
    }

    /// The seed that the encoder learnt with.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.trial.seed
    }

    /// Where it computes.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.trial.device
    }

    /// The step of its checkpoint, as the name of its folder says; 0 without one.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.checkpoint.as_ref().map_or(0, |(step, _)| *step)
    }

    /// SHA-256 of the checkpoint's manifest, which vouches for weights and configuration; empty without one.
    #[must_use]
    pub fn digest(&self) -> &str {
        self.checkpoint.as_ref().map_or("", |(_, digest)| digest)
    }

    /// The layers.
    #[must_use]
    pub fn stack(&self) -> &Stack<Box<dyn Layer>> {
        &self.stack
    }

    /// Cells a side whose means are the features of each layer; empty for one mean over map and patches.
    #[must_use]
    pub fn cells(&self) -> &[usize] {
        &self.cells
    }

    /// How images are prepared, in [`Augment::Evaluation`](clapp_datasets::Augment::Evaluation) always alike.
    #[must_use]
    pub fn pipeline(&self) -> ImagePipeline {
        let mut pipeline = self.trial.config.setup.pipeline.clone();
        // Read-outs learn from cuts, not from what an encoder has to be indifferent to.
        pipeline.views = pipeline.views.map(Views::cuts_only);
        pipeline
    }

    /// Batches of images as the encoder takes them, in their order, nothing random.
    ///
    /// # Errors
    ///
    /// If the images do not fit the run's pipeline: too small, or without its colours.
    pub fn loader(&self, images: Source) -> Result<Loader, Error> {
        let evaluation = LoaderConfig::evaluation();
        let config = LoaderConfig { batch_size: CHUNK, workers: 1, ..evaluation };
        Ok(Loader::new(images, self.pipeline(), config)?)
    }

    /// Features of every layer from the input up, `[image, feature]`; of cells in the order row, column,
    /// channel.
    ///
    /// # Panics
    ///
    /// If the batch was not made by the run's pipeline.
    #[must_use]
    pub fn features(&self, batch: &Batch) -> Vec<Array2<f32>> {
        let images = tensor(batch.clone(), &self.trial.device);
        if self.cells.is_empty() {
            return self.stack.features(images).into_iter().map(rows).collect();
        }
        let mut all = Vec::with_capacity(self.cells.len());
        self.stack.hand_up(images, &mut |layer, signal| match signal {
            Signal::Patches(patches) => all.push(rows(patches.cells(self.cells[layer]))),
            other => panic!("features of images: expected patches, got {other:?}"),
        });
        all
    }
}
