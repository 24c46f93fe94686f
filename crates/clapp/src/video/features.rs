//! Features of clips: maps of every block, averaged over time.

use burn::tensor::{Device, Tensor, TensorData};
use clapp_datasets::video::ClipBatch;
use clapp_encoders::{LocalConv3d, Stack, Uncut};
use clapp_eval::Features;
use clapp_eval::probe::temporal_mean;
use ndarray::Array2;

use super::data::ClipLoader;
use crate::{Error, evaluate::Gathered};

/// An encoder of videos.
pub(super) type Film = Stack<LocalConv3d, Uncut<5>>;

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
        let values = mean.into_data().try_to_vec::<f32>().expect("features are computed in f32");
        let block = Array2::from_shape_vec((clips, channel * site), values);
        blocks.push(block.expect("a tensor has as many values as its shape says"));
    });
    blocks
}

/// The mean over time of the pixels.
pub(super) fn pixels(batch: &ClipBatch) -> Array2<f32> {
    temporal_mean(&batch.values, batch.shape)
}

/// Classes of a batch; read-outs see labelled clips only.
pub(super) fn labels(batch: &ClipBatch) -> Vec<u8> {
    batch.labels.iter().map(|label| label.unwrap_or_default() as _).collect()
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
        gathered.push(labels(&batch), encode(&batch));
    }
    gathered.features(loader.source().classes())
}
