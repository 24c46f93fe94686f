//! What read-outs of frozen layers share, whatever the sense.

use std::borrow::Cow;

use burn::tensor::Tensor;
use clapp_eval::{Features, Knn, Labels, Probe, Protocol, StandardisedProbe, probe};
use ndarray::Array2;

use crate::{Error, config::at_least_one};

/// Name of the trained encoder's control: the same weights before any learning.
pub const RANDOM_ENCODER: &str = "random encoder";
/// Name of the control without any encoder.
pub const RAW_PIXELS: &str = "raw pixels";

/// The probe of a protocol that fits all features at once and needs no settings; every sense has these.
#[must_use]
pub fn probe_of(protocol: Protocol) -> Option<Box<dyn Probe>> {
    match protocol {
        Protocol::Standardised => Some(Box::new(StandardisedProbe::default())),
        Protocol::Knn => Some(Box::new(Knn::default())),
        _ => None,
    }
}

/// Accuracy of such a probe on every layer.
///
/// # Errors
///
/// As [`probe::accuracy`].
pub fn accuracies(
    probe: &dyn Probe,
    fit: &[Features],
    test: &[Features],
    seed: u64,
) -> Result<Vec<f64>, Error> {
    let accuracy = |(fit, test)| Ok(probe::accuracy(probe, fit, test, seed)?);
    fit.iter().zip(test).map(accuracy).collect()
}

/// Checks that a sense has the protocols that are asked for.
pub(crate) fn check_protocols(
    sense: &str,
    asked: &[Protocol],
    known: &[Protocol],
) -> Result<(), Error> {
    at_least_one(&[("readout.protocols", asked.len() as u64)])?;
    let Some(got) = asked.iter().find(|protocol| !known.contains(protocol)) else { return Ok(()) };
    // As they are written in a configuration.
    let name = |protocol: &Protocol| {
        let name = serde_json::to_value(protocol).ok();
        name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let names: Vec<String> = known.iter().map(name).collect();
    let [others @ .., last] = &names[..] else { return Ok(()) };
    let expected = format!("the protocols {} or {last} for {sense}", others.join(", "));
    Err(Error::misfit(expected, format!("{got:?}"), "correct the setting"))
}

/// `[sample, dim]` on the host.
///
/// # Panics
///
/// If the features are not computed in `f32`.
#[must_use]
pub fn rows(features: Tensor<2>) -> Array2<f32> {
    let shape = features.dims();
    let values = features.into_data().try_to_vec::<f32>().expect("features are computed in f32");
    Array2::from_shape_vec(shape, values).expect("a tensor has as many values as its shape says")
}

/// The class of every sample of a batch; read-outs see labelled samples only.
pub(crate) fn classes(labels: &[Option<u32>]) -> Vec<u32> {
    labels.iter().map(|label| label.unwrap_or_default()).collect()
}

/// Features of all layers, batch by batch.
#[derive(Default)]
pub(crate) struct Gathered {
    layers: Vec<Vec<f32>>,
    labels: Vec<u32>,
}

impl Gathered {
    /// Adds a batch: the label of every sample, `[sample, dim]` of every layer.
    pub(crate) fn push(&mut self, labels: Vec<u32>, layers: Vec<Array2<f32>>) {
        self.labels.extend(labels);
        self.layers.resize_with(layers.len(), Vec::new);
        for (all, chunk) in self.layers.iter_mut().zip(layers) {
            all.extend(chunk.iter());
        }
    }

    /// One set of features a layer.
    pub(crate) fn features(self, classes: usize) -> Result<Vec<Features>, Error> {
        let Self { layers, labels } = self;
        let gather = |values: Vec<f32>| {
            let shape = (labels.len(), values.len() / labels.len().max(1));
            let values =
                Array2::from_shape_vec(shape, values).expect("every sample has all features");
            Ok(Features::new(values, labels.clone())?.with_classes(classes)?)
        };
        layers.into_iter().map(gather).collect()
    }
}

/// All features, or those of a few samples per class.
pub(crate) fn chosen(
    features: &Features,
    labels: Labels,
    draw: u64,
) -> Result<Cow<'_, Features>, Error> {
    Ok(match labels {
        Labels::PerClass(count) => Cow::Owned(features.few_labels(count, draw)?),
        _ => Cow::Borrowed(features),
    })
}
