//! A trained encoder of sound.

use clapp_datasets::{BatchOf, Loader, LoaderConfig, Source as _, sound::WholeUtterances};
use clapp_encoders::{Conv1dSpec, SoundEncoder};
use ndarray::Array2;

use super::{Sound, Source, features::layers};
use crate::{
    Error,
    encoder::{Encodes, NoRule},
    sense::Trial,
    torch::{Torch, TorchLayer},
};

/// The layers of a run on sound by themselves.
pub type Encoder = crate::Encoder<Sound>;

impl Encodes for Sound {
    type Stack = SoundEncoder;
    type Batcher = WholeUtterances;

    fn stack(trial: &Trial<Self>) -> Result<SoundEncoder, Error> {
        Ok(trial.config.setup.encoder.init(&NoRule, trial.seed, &trial.device)?)
    }

    fn in_order(trial: &Trial<Self>, source: Source) -> Result<Loader<WholeUtterances>, Error> {
        let short = |&index: &usize| Self::rows(trial, &source, index) == 0;
        if let Some(index) = (0..source.len()).find(short) {
            let (place, utterance) = (source.name(), source.info(index));
            let got = format!("{} of {} in {place}", utterance.samples, utterance.id);
            let expected = "samples enough for one frame";
            return Err(Error::misfit_of("recording", expected, got, "leave the file out"));
        }
        let whole = WholeUtterances::new(trial.config.setup.pipeline.scaling);
        // One waits for each worker: utterances are large.
        let (batch_size, workers, prefetch) = (1, 1, 1);
        let config = LoaderConfig { batch_size, workers, prefetch, ..LoaderConfig::evaluation() };
        Ok(Loader::new(source, whole, config)?)
    }

    fn features(
        trial: &Trial<Self>,
        stack: &SoundEncoder,
        batch: &BatchOf<WholeUtterances>,
    ) -> Vec<Array2<f32>> {
        layers(stack, &batch.values, &trial.device)
    }

    fn rows(trial: &Trial<Self>, source: &Source, sample: usize) -> usize {
        let frames = trial.config.setup.encoder.frames(source.info(sample).samples);
        frames.last().copied().unwrap_or_default()
    }

    fn torch(trial: &Trial<Self>) -> Torch {
        let setup = &trial.config.setup;
        let (mut all, mut pre) = (Vec::new(), 1);
        for (layer, plan) in setup.encoder.layers.iter().enumerate() {
            let Conv1dSpec { kernel, stride, padding } = plan.spec;
            let post = plan.channels;
            let modules = format!(
                "nn.Conv1d({pre}, {post}, {kernel}, stride={stride}, padding={padding}), nn.ReLU()"
            );
            all.push(TorchLayer::sequential(layer, 0, &modules));
            pre = post;
        }
        if let Some(plan) = setup.encoder.recurrent {
            let theirs = [
                ("input", "weight_ih"),
                ("recurrent", "weight_hh"),
                ("input_bias", "bias_ih"),
                ("recurrent_bias", "bias_hh"),
            ];
            all.push(TorchLayer {
                name: "recurrent".to_owned(),
                modules: format!("\"gru\": nn.GRU({pre}, {}, batch_first=True)", plan.units),
                tensors: theirs.map(|(ours, name)| (ours, format!("gru.{name}_l0"))).into(),
            });
        }
        let scaling = setup.pipeline.scaling;
        let input = format!(
            "Waves are [recording, 1, sample] at 16 kHz: (2**31 * amplitude - {}) / {}, amplitudes within -1 and 1.",
            scaling.mean, scaling.std
        );
        Torch { input, helpers: "", layers: all, features: FEATURES.to_owned() }
    }
}

const FEATURES: &str = r#"def features(waves):
    """[recording, frame, feature] of each layer, from the input up, all at the rate of the last convolution."""
    x, grids = waves, []
    for layer in layers:
        x = layer["model"](x) if "model" in layer else layer["gru"](x.mT)[0].mT
        grids.append(x)
    for grid in grids:
        yield nn.functional.adaptive_avg_pool1d(grid, x.shape[-1]).mT
"#;
