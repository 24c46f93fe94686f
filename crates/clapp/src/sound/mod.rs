//! Runs on sound: talkers without labels in, phones read out of every layer.
//!
//! # Methods
//!
//! | method | what it is |
//! |---|---|
//! | `clapp-s` | every convolution predicts itself; a recurrent layer, which learns by e-prop, predicts the last |
//! | `gim` | the same with InfoNCE in place of the hinge: Greedy InfoMax layer by layer |
//! | …`-one-step` | the recurrent layer's traces forget at once |
//! | …`-no-gru` | no recurrent layer |
//! | …`-bptt` | the recurrent layer learns by back-propagation through time \* |
//! | `cpc`, `hinge-cpc` | one loss at the recurrent layer, back-propagated through all layers \* |
//! | `supervised`, `greedy-supervised` | phones from labels, with a read-out on top, or on every layer \* |
//!
//! \* needs the feature `baselines`. Two more rows of the paper's table are controls of every run: the
//! random encoder and MFCC. The presets `smoke`, `quick` and `paper` have widths of 1/64, 1/8 (1/4 on
//! files) and 1.

#[cfg(feature = "baselines")]
mod compared;
mod data;
mod encoder;
mod features;
mod files;
mod look;
mod network;
#[cfg(feature = "baselines")]
mod own;
mod preset;
mod published;
mod readout;
mod setup;
mod speakers;

use std::sync::Arc;

use clapp_datasets::{
    Loader,
    sound::{HOP, Recording, SpeechBatch, SpeechPipeline},
};
use clapp_eval::Report;

use crate::{
    Data, Error, Learning, RunConfig, Sense, Trainer,
    config::{at_least_one, check_pool},
    readout::check_protocols,
    run::{Extra, LayerMetrics},
    sense::Trial,
};

pub use encoder::Encoder;
pub use files::{FilesConfig, LabelsConfig, Place, RatesConfig};
pub use look::{Look, Posteriors};
pub use network::SoundNetwork;
pub use preset::METHODS;
pub use published::PUBLISHED;
pub use readout::{LOG_MEL, MFCC};
use setup::protocols;
pub use setup::{DataConfig, ReadoutConfig, Setup};

/// Utterances that several readers share.
pub type Source = Arc<dyn clapp_datasets::Source<Item = Recording>>;

/// Sound: the sense of runs on it, and the sound that a preset is made for.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one in a program, and it is taken apart at once"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sound {
    /// The embedded talkers.
    Synthetic,
    /// LibriSpeech, or any folder of sound files.
    Files(FilesConfig),
}

impl Sense for Sound {
    type Setup = Setup;
    type Source = Source;
    type Loader = Loader<SpeechPipeline>;
    type Network = SoundNetwork;

    const UNIT: &'static str = "crops";
    const PREFIX: &'static str = "sound-";

    fn validate(config: &RunConfig<Self>) -> Result<(), Error> {
        let Setup { data, pipeline, encoder, rule, readout, .. } = &config.setup;
        encoder.validate(config.rule(rule))?;
        config.rule(rule).check_batch(config.batch).map_err(clapp_encoders::EncoderError::from)?;
        let (samples, crop) = (encoder.samples, pipeline.crop);
        if samples != crop {
            return Err(Error::misfit(
                format!("crops of {samples} samples for the encoder"),
                format!("{crop} from the pipeline"),
                "change one of them",
            ));
        }
        if encoder.hop() != HOP {
            return Err(Error::misfit(
                format!("an encoder of one output per {HOP} samples, as labels have it"),
                format!("one per {}", encoder.hop()),
                "change the strides",
            ));
        }
        let (classes, silence) =
            (data.classes(), data.silence().map_or(0, |silence| silence as usize));
        if data.labelled() && silence >= classes {
            return Err(Error::misfit(
                "at least one class of labels, with silence among them",
                format!("{classes} and silence {silence}"),
                "correct the labels",
            ));
        }
        if config.learning == Learning::Modules {
            let expected = "local rules, or one loss for all layers of sound";
            return Err(Error::misfit(expected, config.learning, "choose another method"));
        }
        if config.learning.needs_labels() && !data.labelled() {
            return Err(Error::misfit_of(
                "labels",
                format!("labels to learn from for {}", config.learning),
                "none in the configuration",
                "give them, or choose another method",
            ));
        }
        check_protocols("sound", &readout.protocols, &readout::PROTOCOLS)?;
        at_least_one(&[
            ("paper_epochs", readout.paper_epochs as u64),
            ("readout.train", readout.train.unwrap_or(1) as u64),
            ("readout.kept", readout.kept.unwrap_or(1) as u64),
            ("speaker_epochs", readout.speaker_epochs.unwrap_or(1) as u64),
            ("readout.test", readout.test.unwrap_or(1) as u64),
        ])?;
        check_pool(rule.negatives.pool, config.batch)
    }

    fn data_name(setup: &Setup) -> String {
        setup.data.name()
    }

    fn amount(setup: &Setup) -> u64 {
        setup.crops
    }

    fn amount_mut(setup: &mut Setup) -> &mut u64 {
        &mut setup.crops
    }

    fn open(config: &RunConfig<Self>, seed: u64) -> Result<Data<Self>, Error> {
        data::open(config, seed)
    }

    fn loader(
        config: &RunConfig<Self>,
        seed: u64,
        data: &mut Data<Self>,
    ) -> Result<Loader<SpeechPipeline>, Error> {
        data::loader(config, seed, data)
    }

    fn check(config: &RunConfig<Self>) -> Result<(), Error> {
        data::check(config)
    }

    fn digests(config: &RunConfig<Self>, data: &Data<Self>) -> Result<Vec<String>, Error> {
        match matches!(config.setup.data, DataConfig::Files(_)) {
            true => crate::data::digests(&data.learn, data.labelled.as_ref()),
            false => Ok(Vec::new()),
        }
    }

    fn network(trial: &Trial<Self>, _: &Data<Self>) -> Result<SoundNetwork, Error> {
        SoundNetwork::open(trial)
    }

    fn step(
        trial: &Trial<Self>,
        step: u64,
        network: &mut SoundNetwork,
        batch: SpeechBatch,
    ) -> LayerMetrics {
        network.step(trial, step, batch)
    }

    fn read_out(trainer: &Trainer<Self>, report: &mut Report) -> Result<Extra, Error> {
        let extra = readout::read_out(trainer, report)?;
        #[cfg(feature = "baselines")]
        if let SoundNetwork::Phones(learner) = trainer.network() {
            own::read_out(trainer, learner, report)?;
        }
        Ok(extra)
    }
}
