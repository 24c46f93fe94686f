//! Features of clips: maps of every block, averaged over time.

use burn::tensor::{Device, Tensor, TensorData};
use clapp_datasets::video::ClipBatch;
use clapp_encoders::{LocalConv3d, Stack, Uncut};
use clapp_eval::Features;
use clapp_eval::probe::temporal_mean;
use ndarray::Array2;

use super::ClipLoader;
use crate::{
    Error,
    readout::{Gathered, classes, rows},
};

/// An encoder of videos.
pub type Film = Stack<LocalConv3d, Uncut<5>>;

/// Features of every block for a batch, `[clip, dim]` each.
pub(super) type Encode<'a> = dyn Fn(&ClipBatch) -> Vec<Array2<f32>> + 'a;

/// Moves a batch to a device.
pub(super) fn films(batch: ClipBatch, device: &Device) -> Tensor<5> {
    Tensor::from_data(TensorData::new(batch.values, batch.shape), device)
}

/// The mean over time of every block's map, channels first, as PyTorch flattens.
pub(super) fn blocks(encoder: &Film, batch: &ClipBatch, device: &Device) -> Vec<Array2<f32>> {
    let mut blocks = Vec::with_capacity(encoder.layers.len());
    encoder.look(films(batch.clone(), device), &mut |_, grid| {
        let [clips, _, site, channel] = grid.dims();
        let mean = grid.mean_dim(1).reshape([clips, site, channel]).swap_dims(1, 2);
        blocks.push(rows(mean.reshape([clips, channel * site])));
    });
    blocks
}

/// The mean over time of the pixels.
pub(super) fn pixels(batch: &ClipBatch) -> Array2<f32> {
    temporal_mean(&batch.values, batch.shape)
}

/// Features of all clips of a loader in one epoch, one set a block.
pub(super) fn features(
    loader: &ClipLoader,
    epoch: u64,
    encode: &Encode<'_>,
) -> Result<Vec<Features>, Error> {
    let mut gathered = Gathered::default();
    for batch in loader.epoch(epoch)? {
        let batch = batch?;
        gathered.push(classes(&batch.labels), encode(&batch));
    }
    gathered.features(loader.source().classes())
}
