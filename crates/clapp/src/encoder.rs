//! A trained encoder by itself: samples in, features of every layer out.

use std::path::Path;

use burn::tensor::Device;
use clapp_datasets::{BatchOf, Batcher, Loader};
use clapp_rules::{Plasticity, Seen, Update};
use clapp_store::Checkpoint;
use ndarray::{Array2, Axis};

use crate::{
    Error, RunConfig, Sense,
    run::{newest, to_state},
    sense::{Network, Trial},
    torch::Torch,
};

/// A sense whose encoders do something for others without a run around them.
///
/// Everything follows from configuration, seed and layers: nothing is random, and no layer learns.
pub trait Encodes: Sense {
    /// The layers, which normalise by running statistics.
    type Stack: Network;
    /// What makes batches of samples as an encoder takes them.
    type Batcher: Batcher;

    /// The layers before their first step.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together.
    fn stack(trial: &Trial<Self>) -> Result<Self::Stack, Error>;

    /// Batches of samples in their order.
    ///
    /// # Errors
    ///
    /// If the samples do not fit the configuration.
    fn in_order(trial: &Trial<Self>, source: Self::Source) -> Result<Loader<Self::Batcher>, Error>;

    /// Features of every layer from the input up, `[row, feature]`: a row a sample, or many of one.
    ///
    /// # Panics
    ///
    /// If the batch was made for another configuration.
    fn features(
        trial: &Trial<Self>,
        stack: &Self::Stack,
        batch: &BatchOf<Self::Batcher>,
    ) -> Vec<Array2<f32>>;

    /// How many rows of features a sample has; where it is more than one, a batch is one sample.
    fn rows(trial: &Trial<Self>, source: &Self::Source, sample: usize) -> usize {
        let _ = (trial, source, sample);
        1
    }

    /// Activity of each unit of a layer, from 0, averaged over the map: `[sample, unit]` of the features of samples.
    fn units(trial: &Trial<Self>, layer: usize, features: Array2<f32>) -> Array2<f32> {
        let _ = (trial, layer);
        features
    }

    /// The layers in PyTorch's words.
    fn torch(trial: &Trial<Self>) -> Torch;
}

/// The layers of a run, frozen: what they make of a sample depends on nothing else.
///
/// Features are those that the run's own read-outs see, behind running statistics where layers normalise. On one machine's
/// processor they are the same bits in any batch and with any number of threads.
///
/// | sense | a batch | features of a layer |
/// |---|---|---|
/// | [`image::Encoder`](crate::image::Encoder) | images | `[image, feature]`: means over map and patches, or over the cells of `readout.cells` in the order row, column, channel |
/// | [`sound::Encoder`](crate::sound::Encoder) | one recording, whole | `[frame, feature]`: frames of 10 ms, to which faster layers are averaged |
/// | [`video::Encoder`](crate::video::Encoder) | clips, their middle | `[clip, feature]`: means over time of the map in the order channel, row, column |
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
pub struct Encoder<S: Encodes> {
    pub(crate) trial: Trial<S>,
    stack: S::Stack,
    checkpoint: Option<(u64, String)>,
}

/// An encoder that has learnt needs no rule: nothing is kept in any layer.
#[derive(Debug)]
pub(crate) struct NoRule;

impl Plasticity for NoRule {
    fn changes(&self, _: Seen<'_>) -> Update {
        unreachable!("a frozen encoder takes no step")
    }
}

impl<S: Encodes> Encoder<S> {
    /// The encoder of a run's newest checkpoint; the run may go on meanwhile.
    ///
    /// # Errors
    ///
    /// If the folder holds no run on this sense that this version understands, no checkpoint, a damaged one, or
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
        let config = RunConfig::<S>::load(run)?;
        let (Checkpoint { step, digest, tensors, .. }, position) = newest(run, &config, seed)?;
        let seed = config.seeds.get(position.seed_index).copied().unwrap_or_default();
        let trial = Trial { config, seed, device: device.clone() };
        let mut stack = S::stack(&trial)?;
        stack.load(&to_state(tensors))?;
        Ok(Self { checkpoint: Some((step, digest)), ..Self::of(&trial, stack) })
    }

    /// That of a network as it stands.
    pub(crate) fn of(trial: &Trial<S>, stack: S::Stack) -> Self {
        Self { trial: trial.clone(), stack, checkpoint: None }
    }

    /// The run's configuration.
    #[must_use]
    pub fn config(&self) -> &RunConfig<S> {
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
    pub fn stack(&self) -> &S::Stack {
        &self.stack
    }

    /// Batches as the encoder takes them, in their order, nothing random.
    ///
    /// # Errors
    ///
    /// If the samples do not fit what the run learnt from: too small or too short, or without its colours.
    pub fn loader(&self, source: S::Source) -> Result<Loader<S::Batcher>, Error> {
        S::in_order(&self.trial, source)
    }

    /// How many rows of features a sample has: one, but for the frames of recordings.
    #[must_use]
    pub fn rows(&self, source: &S::Source, sample: usize) -> usize {
        S::rows(&self.trial, source, sample)
    }

    /// Features of every layer from the input up, `[row, feature]`, as the table above says.
    ///
    /// # Panics
    ///
    /// If the batch was not made by [`loader`](Self::loader).
    #[must_use]
    pub fn features(&self, batch: &BatchOf<S::Batcher>) -> Vec<Array2<f32>> {
        S::features(&self.trial, &self.stack, batch)
    }

    /// The same with a row a sample: of recordings the mean of all frames.
    ///
    /// # Panics
    ///
    /// As [`features`](Self::features).
    #[must_use]
    pub fn means(&self, batch: &BatchOf<S::Batcher>) -> Vec<Array2<f32>> {
        let mean = |rows: Array2<f32>| match rows.mean_axis(Axis(0)) {
            Some(mean) if rows.nrows() != batch.indices.len() => mean.insert_axis(Axis(0)),
            _ => rows,
        };
        self.features(batch).into_iter().map(mean).collect()
    }
}
