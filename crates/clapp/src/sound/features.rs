//! Features of whole utterances at the rate of their labels.

use burn::tensor::{Device, Tensor, TensorData};
use clapp_datasets::sound::{Framing, Scaling, SpeechBatch, whole_utterances};
use clapp_encoders::SoundEncoder;
use clapp_eval::{
    phones,
    sound::{Edges, LogMel, Mfcc},
};
use ndarray::{Array2, ArrayView2, Axis, Slice};

use super::Source;
use crate::Error;

/// Features of every layer for the samples of an utterance, `[output, dim]` each.
pub(super) type Encode<'a> = dyn Fn(&[f32]) -> Result<Vec<Array2<f32>>, Error> + 'a;

/// Every layer of an encoder, from the lowest to the recurrent one, as many outputs as the last
/// convolution has.
pub(super) fn layers(encoder: &SoundEncoder, samples: &[f32], device: &Device) -> Vec<Array2<f32>> {
    let shape = [1, 1, samples.len()];
    let wave = Tensor::from_data(TensorData::new(samples.to_vec(), shape), device);
    let mut layers = Vec::new();
    encoder.look(wave, &mut |_, grid| layers.push(host(grid)));
    let outputs = layers.last().map_or(0, Array2::nrows);
    layers.iter().map(|layer| averaged(layer.view(), outputs)).collect()
}

/// `[1, time, 1, channel]` → `[time, channel]` on the host.
fn host(grid: Tensor<4>) -> Array2<f32> {
    let [_, time, _, channels] = grid.dims();
    let values = grid.into_data().try_to_vec::<f32>().expect("features are computed in f32");
    Array2::from_shape_vec((time, channels), values)
        .expect("a tensor has as many values as its shape says")
}

/// Brings a layer to another rate: output i is the mean of rows ⌊i L/T⌋ .. ⌈(i + 1) L/T⌉.
///
/// # Paper
/// Adaptive average pooling, as the supervised baseline of Löwe et al. 2019 brings all layers to one
/// rate.
fn averaged(rows: ArrayView2<'_, f32>, outputs: usize) -> Array2<f32> {
    let (length, dim) = rows.dim();
    if length == outputs {
        return rows.to_owned();
    }
    let mut means = Array2::zeros((outputs, dim));
    for (i, mut mean) in means.rows_mut().into_iter().enumerate() {
        let range = i * length / outputs..((i + 1) * length).div_ceil(outputs);
        let part = rows.slice_axis(Axis(0), Slice::from(range));
        mean.assign(&part.mean_axis(Axis(0)).expect("every output has a row"));
    }
    means
}

/// Log-mel spectra, one row per label.
pub(super) fn log_mel(samples: &[f32], framing: Framing) -> Result<Array2<f32>, Error> {
    Ok(LogMel { edges: edges(framing), ..LogMel::default() }.features(samples)?)
}

/// MFCC with Δ and ΔΔ, one row per label.
pub(super) fn mfcc(samples: &[f32], framing: Framing) -> Result<Array2<f32>, Error> {
    Ok(Mfcc { edges: edges(framing), ..Mfcc::default() }.features(samples)?)
}

fn edges(framing: Framing) -> Edges {
    match framing {
        Framing::Windows => Edges::Cut,
        Framing::Hops => Edges::Reflect,
    }
}

/// An utterance as the layers of an encoder show it.
pub(super) struct Encoded {
    /// Its index in its part.
    pub(super) index: usize,
    /// One class a frame.
    pub(super) labels: Vec<u32>,
    /// Frames of every layer that have a label, `[frame, dim]`.
    pub(super) layers: Vec<Array2<f32>>,
}

/// Labelled utterances, encoded one after the other.
pub(super) struct Part<'a> {
    source: Source,
    scaling: Scaling,
    encode: &'a Encode<'a>,
    /// How many of the first utterances stay in memory.
    keep: usize,
    kept: Vec<Encoded>,
}

impl<'a> Part<'a> {
    /// `keep` of its first utterances will stay in memory.
    pub(super) fn new(
        source: &Source,
        scaling: Scaling,
        keep: usize,
        encode: &'a Encode<'a>,
    ) -> Self {
        Self { source: source.clone(), scaling, encode, keep, kept: Vec::new() }
    }

    /// Those that stayed in memory in the passes so far.
    pub(super) fn kept(&self) -> &[Encoded] {
        &self.kept
    }

    /// Hands out all utterances in order. They are encoded anew in every pass unless all stay in memory.
    pub(super) fn each(
        &mut self,
        see: &mut dyn FnMut(&Encoded) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.kept.len() == self.source.len() {
            return self.kept.iter().try_for_each(see);
        }
        for utterance in whole_utterances(self.source.clone(), self.scaling, 1)? {
            let encoded = self.encoded(utterance?)?;
            see(&encoded)?;
            if encoded.index < self.keep && encoded.index == self.kept.len() {
                self.kept.push(encoded);
            }
        }
        Ok(())
    }

    fn encoded(&self, mut utterance: SpeechBatch) -> Result<Encoded, Error> {
        let index = utterance.indices[0];
        let id = &self.source.info(index).id;
        let labels = utterance.labels.pop().flatten().unwrap_or_default().to_vec();
        let layers = (self.encode)(&utterance.values)?;
        let aligned =
            |outputs: &Array2<f32>| Ok(phones::labelled(id, outputs.view(), &labels)?.to_owned());
        let layers = layers.iter().map(aligned).collect::<Result<_, Error>>()?;
        Ok(Encoded { index, labels, layers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn layers_of_a_higher_rate_are_averaged() {
        let rows = array![[1.0, 0.0], [3.0, 0.0], [5.0, 2.0], [7.0, 4.0]];
        assert_eq!(averaged(rows.view(), 2), array![[2.0, 0.0], [6.0, 3.0]]);
        assert_eq!(averaged(rows.view(), 4), rows);
        // Means that overlap: rows 0..2, 1..3, 2..4.
        assert_eq!(averaged(rows.view(), 3), array![[2.0, 0.0], [4.0, 1.0], [6.0, 3.0]]);
    }
}
