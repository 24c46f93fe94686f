//! Phones as the read-outs of supervised methods name them, which were trained together with the encoder.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use clapp_baselines::sound::PhoneLearner;
use clapp_datasets::{
    Source as _,
    sound::{Framing, outputs, whole_utterances},
};
use clapp_eval::{Confusion, Labels, Protocol, Report, Series};
use ndarray::{ArrayView2, Axis, Slice};

use super::Sound;
use crate::{Error, Trainer, sense::Trial};

/// Scores every read-out of a learner on the labelled utterances that are for testing.
///
/// As in training, output t is compared with label t − 1 where labels describe windows, and with label t
/// where they lie side by side; the probes drop the first outputs instead.
///
/// # Paper
/// Löwe et al. 2019, `loss_supervised_phones.py`. Deviations: whole utterances in the place of crops.
pub(super) fn read_out(
    trainer: &Trainer<Sound>,
    learner: &PhoneLearner,
    report: &mut Report,
) -> Result<(), Error> {
    let (Trial { config, seed, device }, data) = (trainer.trial(), trainer.data());
    let setup = &config.setup;
    let Some([_, test]) = &data.labelled else { return Ok(()) };
    let first = match test.info(0).framing {
        Framing::Windows => 1,
        Framing::Hops => 0,
    };
    let mut scores: Vec<Confusion> = Vec::new();
    for utterance in whole_utterances(Arc::clone(test), setup.pipeline.scaling, 1)? {
        let mut utterance = utterance?;
        let samples = utterance.values;
        let labels = utterance.labels.pop().flatten().unwrap_or_default();
        let frames = outputs(samples.len());
        let waves = Tensor::from_data(TensorData::new(samples, utterance.shape), device);
        let logits = learner.logits(&waves, frames);
        scores.resize_with(logits.len(), || Confusion::empty(data.classes));
        for (score, logits) in scores.iter_mut().zip(logits) {
            let [_, frames, classes] = logits.dims();
            let values: Vec<f64> = logits.into_data().iter::<f64>().collect();
            let rows = ArrayView2::from_shape((frames, classes), &values)
                .expect("a tensor has as many values as its shape says");
            let labelled = rows.slice_axis(Axis(0), Slice::from(first..first + labels.len()));
            score.count(labelled, &labels)?;
        }
    }
    // One read-out is that of the last layer, and more are of all of them.
    let above = setup.encoder.channels().len() - scores.len();
    for (place, score) in scores.iter().enumerate() {
        let spoken = setup.data.silence();
        let spoken = spoken.and_then(|silence| score.accuracy_without(silence as usize));
        let heard = data.learn.len();
        let columns = [
            (Labels::Utterances(heard), Some(score.accuracy())),
            (Labels::UtterancesSpoken(heard), spoken),
        ];
        for (labels, accuracy) in columns {
            let Some(accuracy) = accuracy else { continue };
            let series = Series { protocol: Protocol::Own, labels };
            report.record(&config.method, above + place + 1, series, *seed, accuracy)?;
        }
    }
    Ok(())
}
