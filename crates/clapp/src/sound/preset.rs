//! Named configurations of runs on sound.

use clapp_datasets::sound::SpeechPipeline;
use clapp_encoders::{Recurrence, SoundConfig};
use clapp_rules::{Optimizer, Rule};

use super::{DataConfig, Place, ReadoutConfig, Setup, Sound, protocols, setup::quiet};
use crate::{
    Error, RunConfig,
    preset::{Method, Presets, Published, Size},
};

/// Names of the methods, for messages.
pub const METHODS: &str = "clapp-s, clapp-s-one-step, clapp-s-no-gru, clapp-s-bptt, gim, \
    gim-one-step, gim-no-gru, gim-bptt, cpc, hinge-cpc, supervised, greedy-supervised";

impl Presets for Sound {
    const METHODS: &'static str = METHODS;
    const ENDINGS: &'static [&'static str] = &["-one-step", "-no-gru", "-bptt"];
    const PUBLISHED: &'static [Published] = super::PUBLISHED;

    fn published_as(&self) -> Option<&'static str> {
        let Self::Files(files) = self else { return None };
        matches!(files.unlabelled, Place::Librispeech { .. }).then_some("librispeech")
    }

    fn preset(&self, size: Size, method: &Method<'_>) -> Result<RunConfig<Self>, Error> {
        let mut config = match size {
            Size::Paper => paper(self, method)?,
            Size::Quick => quick(self, size, method)?,
            Size::Smoke => smoke(self, method)?,
        };
        let Setup { rule, encoder, .. } = &mut config.setup;
        if method.rule == "gim" {
            rule.objective = Rule::gim_sound().objective;
        }
        match method.ending {
            "-one-step" => {
                let recurrent = &mut encoder.recurrent;
                recurrent.iter_mut().for_each(|layer| layer.recurrence = Recurrence::OneStep);
            }
            "-no-gru" => encoder.recurrent = None,
            _ => {}
        }
        Ok(config)
    }
}

/// The published read-outs, of all labelled utterances.
fn readout() -> ReadoutConfig {
    ReadoutConfig {
        protocols: protocols(),
        train: None,
        test: None,
        kept: None,
        paper_epochs: 20,
        speaker_epochs: Some(50),
    }
}

/// The published settings (Illing et al. 2021, appendix; `audio_traineval.sh` of Löwe et al. 2019).
fn paper(sound: &Sound, method: &Method<'_>) -> Result<RunConfig<Sound>, Error> {
    let Sound::Files(files) = sound else {
        return Err(Error::misfit_of(
            "preset paper",
            "sound files",
            "the embedded talkers in the configuration",
            "give a folder, or use the preset quick",
        ));
    };
    let setup = Setup {
        data: DataConfig::Files(files.clone()),
        pipeline: SpeechPipeline::librispeech(),
        encoder: SoundConfig::paper(1.0)?,
        rule: Rule::clapp_s_sound(),
        // 1,000 epochs of 22,830 utterances, what is left of a batch of 8 dropped.
        crops: 1_000 * 2_853 * 8,
        // All utterances would take 400 GB as features of all layers; 500 take 7 GB.
        readout: ReadoutConfig { kept: Some(500), ..readout() },
    };
    Ok(RunConfig::new(Size::Paper, method, setup, Optimizer::adam(2e-4), 8, 2_853))
}

fn quick(sound: &Sound, size: Size, method: &Method<'_>) -> Result<RunConfig<Sound>, Error> {
    // Real speech has more to tell apart: at a quarter of the width the last layer read 2 points more on
    // speakers held out of the training ones than at an eighth, after as many crops.
    let (data, width, crops) = match sound {
        Sound::Synthetic => {
            // In a quiet room an untrained filter bank reads the classes at once; in noise as loud as the
            // speech it has to be heard through, by what lasts.
            let (unlabelled, train, test, noise) = (480, 48, 48, 100);
            (DataConfig::Synthetic { unlabelled, train, test, noise }, 0.125, 16_000)
        }
        Sound::Files(files) => (DataConfig::Files(files.clone()), 0.25, 16_000),
    };
    let setup = Setup {
        data,
        pipeline: SpeechPipeline::librispeech(),
        encoder: SoundConfig::paper(width)?,
        rule: Rule::clapp_s_sound(),
        crops,
        readout: readout(),
    };
    Ok(RunConfig::new(size, method, setup, Optimizer::adam(1e-3), 8, 250))
}

fn smoke(sound: &Sound, method: &Method<'_>) -> Result<RunConfig<Sound>, Error> {
    let mut config = quick(sound, Size::Smoke, method)?;
    config.checkpoint_every = 5;
    let Setup { data, encoder, crops, readout, .. } = &mut config.setup;
    *encoder = SoundConfig::paper(1.0 / 64.0)?;
    if let DataConfig::Synthetic { unlabelled, train, test, noise } = data {
        (*unlabelled, *train, *test, *noise) = (32, 12, 12, quiet());
    }
    *crops = 80;
    (readout.paper_epochs, readout.speaker_epochs) = (2, Some(2));
    Ok(config)
}
