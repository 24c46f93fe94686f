//! Read-outs of frozen layers: encoders × layers × protocols, whatever the sense.

use std::borrow::Cow;

use burn::tensor::Tensor;
use clapp_datasets::{BatchOf, Batcher, Item, Loader};
use clapp_eval::{
    Confusion, Features, Gather, Keep, Labels, Probe, Protocol, Readout, Report, Series, figure,
    probe,
};
use ndarray::Array2;

use crate::{Error, config::at_least_one, run::Extra};

/// Name of the trained encoder's control: the same weights before any learning.
pub const RANDOM_ENCODER: &str = "random encoder";
/// Name of the control without any encoder.
pub const RAW_PIXELS: &str = "raw pixels";

/// Features of the layers of an encoder, or of several that are read out together.
#[derive(Debug)]
pub struct Layers {
    /// Of the labelled samples that read-outs are fitted on, by layer.
    pub fit: Vec<Features>,
    /// Random views of the same samples, each by layer: probes that learn in epochs see them in turn.
    /// Without any they see `fit`.
    pub views: Vec<Vec<Features>>,
    /// Of the samples that they are tested on, by layer.
    pub test: Vec<Features>,
}

impl Layers {
    /// The last layer, apart from the others.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub(crate) fn split_last(&mut self) -> Self {
        let last = |of: &mut Vec<Features>| of.pop().into_iter().collect::<Vec<_>>();
        let part = Self {
            fit: last(&mut self.fit),
            views: self.views.iter_mut().map(last).collect(),
            test: last(&mut self.test),
        };
        assert!(part.test.len() == 1, "layers: expected a last one, got none");
        part
    }

    /// Accuracy of a probe on one layer in percent: the mean over `draws` where few labels of each class
    /// are drawn.
    ///
    /// # Errors
    ///
    /// If the probe's settings are out of range, or it does not converge.
    pub fn accuracy(
        &self,
        probe: &dyn Probe,
        layer: usize,
        (labels, draws): (Labels, u64),
        seed: u64,
    ) -> Result<f64, Error> {
        self.read(probe, layer, (labels, draws), seed, &mut |_| ())
    }

    /// [`accuracy`](Self::accuracy), and every read-out on its way.
    fn read(
        &self,
        probe: &dyn Probe,
        layer: usize,
        (labels, draws): (Labels, u64),
        seed: u64,
        each: &mut dyn FnMut(&dyn Readout),
    ) -> Result<f64, Error> {
        let test = &self.test[layer];
        let mut accuracy = |draw| -> Result<f64, Error> {
            let Some(linear) = probe.in_epochs().filter(|_| !self.views.is_empty()) else {
                let fit = chosen(&self.fit[layer], labels, draw)?;
                probe::check(&fit, test)?;
                let readout = probe.fit(&fit, seed)?;
                each(&*readout);
                return Ok(probe.accuracy(&*readout, test));
            };
            let views = self.views.iter();
            let views = views.map(|view| chosen(&view[layer], labels, draw));
            let views = views.collect::<Result<Vec<_>, _>>()?;
            let view = |epoch: usize| Cow::Borrowed(&*views[epoch % views.len()]);
            let readout = linear.train(seed, view)?.readout;
            each(&readout);
            Ok(probe.accuracy(&readout, test))
        };
        let accuracies = (0..draws).map(&mut accuracy).collect::<Result<Vec<f64>, Error>>()?;
        Ok(accuracies.iter().sum::<f64>() / accuracies.len() as f64)
    }

    /// Records the accuracies of every probe on every layer, the first of which is number `first` of the
    /// encoder; `labels` say of how many classes' labels, and of how many draws. `each` is handed every read-out, with
    /// its place among these layers.
    ///
    /// # Errors
    ///
    /// As [`accuracy`](Self::accuracy).
    pub fn record(
        &self,
        (encoder, first): (&str, usize),
        probes: &[Box<dyn Probe>],
        labels: &[(Labels, u64)],
        seed: u64,
        each: &mut dyn FnMut(usize, Series, &dyn Readout),
        report: &mut Report,
    ) -> Result<(), Error> {
        for layer in 0..self.test.len() {
            for &(labels, draws) in labels {
                for probe in probes {
                    let series = Series { protocol: probe.protocol(), labels };
                    let each = &mut |readout: &dyn Readout| each(layer, series, readout);
                    let accuracy = self.read(&**probe, layer, (labels, draws), seed, each)?;
                    report.record(encoder, first + layer, series, seed, accuracy)?;
                }
            }
        }
        Ok(())
    }
}

/// All features, or those of a few samples per class.
fn chosen(features: &Features, labels: Labels, draw: u64) -> Result<Cow<'_, Features>, Error> {
    Ok(match labels {
        Labels::PerClass(count) => Cow::Owned(features.few_labels(count, draw)?),
        _ => Cow::Borrowed(features),
    })
}

/// Draws what the last layer takes for what, and adds it to the files of a run.
pub(crate) fn draw(last: &Confusion, data: &str, about: &str, seed: u64, extra: &mut Extra) {
    let svg = figure::confusion(last, data, about);
    extra.insert(format!("confusion-seed-{seed}.svg"), svg);
    extra.insert(format!("confusion-seed-{seed}.csv"), last.to_csv());
}

/// Features of all samples of a loader in one epoch, by layer; `encode` makes those of a batch, `keep` says
/// where they are kept.
pub(crate) fn features<B>(
    loader: &Loader<B>,
    epoch: u64,
    encode: &dyn Fn(&BatchOf<B>) -> Vec<Array2<f32>>,
    keep: &Keep,
) -> Result<Vec<Features>, Error>
where
    B: Batcher,
    B::Item: Item<Label = u32>,
{
    let (mut layers, mut labels): (Vec<Gather>, Vec<u32>) = Default::default();
    for batch in loader.epoch(epoch)? {
        let batch = batch?;
        labels.extend(classes(&batch.labels));
        let encoded = encode(&batch);
        if layers.is_empty() {
            let gather = |of: &Array2<f32>| Gather::new([loader.source().len(), of.ncols()], keep);
            layers = encoded.iter().map(gather).collect::<Result<_, _>>()?;
        }
        for (all, chunk) in layers.iter_mut().zip(encoded) {
            all.push(chunk.view())?;
        }
    }
    let classes = loader.source().classes();
    let gather = |all: Gather| Ok(all.features(labels.clone())?.with_classes(classes)?);
    layers.into_iter().map(gather).collect()
}

/// The class of every sample of a batch; read-outs see labelled samples only.
pub(crate) fn classes(labels: &[Option<u32>]) -> Vec<u32> {
    labels.iter().map(|label| label.unwrap_or_default()).collect()
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

/// Checks that a sense has the protocols that are asked for; `known` are their names in a configuration.
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
