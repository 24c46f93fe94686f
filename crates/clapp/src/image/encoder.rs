//! A trained encoder of images.

use clapp_datasets::{Batch, ImagePipeline, Loader, LoaderConfig, Views};
use clapp_encoders::{Context, EncoderConfig, Layer, Signal, Stack};
use ndarray::{Array2, Axis};

use super::{Images, Setup, Source, readout::CHUNK, tensor, torch::torch};
use crate::{
    Error,
    encoder::{Encodes, NoRule},
    look::over_places,
    readout::rows,
    sense::Trial,
    torch::Torch,
};

/// The layers of a run on images by themselves.
pub type Encoder = crate::Encoder<Images>;

impl Encodes for Images {
    type Stack = Stack<Box<dyn Layer>>;
    type Batcher = ImagePipeline;

    fn stack(trial: &Trial<Self>) -> Result<Self::Stack, Error> {
        let Setup { encoder, .. } = &trial.config.setup;
        let alone = EncoderConfig { modules: vec![1; encoder.layers.len()], ..encoder.clone() };
        let (seed, context) = (trial.seed, Context::SameLayer);
        Ok(Stack::images(&alone, &NoRule, context, seed, &trial.device)?.frozen())
    }

    fn in_order(trial: &Trial<Self>, images: Source) -> Result<Loader, Error> {
        let evaluation = LoaderConfig::evaluation();
        let config = LoaderConfig { batch_size: CHUNK, workers: 1, ..evaluation };
        Ok(Loader::new(images, pipeline(trial), config)?)
    }

    fn features(trial: &Trial<Self>, stack: &Self::Stack, batch: &Batch) -> Vec<Array2<f32>> {
        let images = tensor(batch.clone(), &trial.device);
        let cells = cells(trial);
        if cells.is_empty() {
            return stack.features(images).into_iter().map(rows).collect();
        }
        let mut all = Vec::with_capacity(cells.len());
        stack.hand_up(images, &mut |layer, signal| match signal {
            Signal::Patches(patches) => all.push(rows(patches.cells(cells[layer]))),
            other => panic!("features of images: expected patches, got {other:?}"),
        });
        all
    }

    fn units(trial: &Trial<Self>, layer: usize, features: Array2<f32>) -> Array2<f32> {
        // A map may have fewer pixels than cells are asked for.
        over_places(&features, trial.config.setup.encoder.channels()[layer], Axis(1))
    }

    fn torch(trial: &Trial<Self>) -> Torch {
        torch(trial)
    }
}

impl Encoder {
    /// Cells a side whose means are the features of each layer; empty for one mean over map and patches.
    #[must_use]
    pub fn cells(&self) -> Vec<usize> {
        cells(&self.trial)
    }

    /// How images are prepared, in [`Augment::Evaluation`](clapp_datasets::Augment::Evaluation) always alike.
    #[must_use]
    pub fn pipeline(&self) -> ImagePipeline {
        pipeline(&self.trial)
    }
}

pub(super) fn cells(trial: &Trial<Images>) -> Vec<usize> {
    let Setup { encoder, readout, .. } = &trial.config.setup;
    match readout.cells.is_empty() && encoder.keeps_statistics() {
        // Channels that compete show every pixel; the mean is over what they hand up.
        true => vec![1; encoder.layers.len()],
        false => readout.cells.clone(),
    }
}

pub(super) fn pipeline(trial: &Trial<Images>) -> ImagePipeline {
    let mut pipeline = trial.config.setup.pipeline.clone();
    // Read-outs learn from cuts, not from what an encoder has to be indifferent to.
    pipeline.views = pipeline.views.map(Views::cuts_only);
    pipeline
}
