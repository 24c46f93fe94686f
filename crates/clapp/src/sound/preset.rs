//! Named configurations of runs on sound.

use clapp_datasets::sound::SpeechPipeline;
use clapp_encoders::{Recurrence, SoundConfig};
use clapp_rules::{Optimizer, Rule};

use super::{FilesConfig, SoundDataConfig, SoundReadoutConfig, SoundRunConfig};
use crate::{Error, Experiment, Learning, PRESETS};

/// Names of the methods for sound, for messages.
pub const SOUND_METHODS: &str = "clapp-s, clapp-s-one-step, clapp-s-no-gru, clapp-s-bptt, gim, \
    gim-one-step, gim-no-gru, gim-bptt, cpc, hinge-cpc, supervised, greedy-supervised";

/// Sound a preset is made for.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one in a program, and it is taken apart at once"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sound {
    /// The embedded talkers.
    Synthetic,
    /// LibriSpeech, or any folder of sound files.
    Files(FilesConfig),
}

/// Builds a configuration from a preset, a method, sound and seeds.
///
/// | preset | what it is for |
/// |---|---|
/// | `smoke` | seconds; whether everything runs |
/// | `quick` | minutes on two cores; what the method does |
/// | `paper` | the published settings; days |
///
/// | method | what it is |
/// |---|---|
/// | `clapp-s` | every convolution predicts itself; a recurrent layer, which learns by e-prop, predicts the last |
/// | `gim` | the same with InfoNCE in place of the hinge: Greedy InfoMax layer by layer |
/// | …`-one-step` | the recurrent layer's traces forget at once |
/// | …`-no-gru` | no recurrent layer |
/// | …`-bptt` | the recurrent layer learns by back-propagation through time \* |
/// | `cpc`, `hinge-cpc` | one loss at the recurrent layer, back-propagated through all layers \* |
/// | `supervised`, `greedy-supervised` | phones from labels, with a read-out on top, or on every layer \* |
///
/// \* needs the feature `baselines`. Two more rows of the paper's table are controls of every run: the
/// random encoder and MFCC.
///
/// # Errors
///
/// If preset or method is unknown, the build lacks what the method needs, or `paper` is asked for with
/// the embedded talkers.
///
/// # Example
///
/// ```
/// use clapp::{Sound, sound_preset};
/// let run = sound_preset("quick", "clapp-s", &Sound::Synthetic, &[2]).unwrap();
/// assert_eq!(run.rule.prediction_steps, 12);
/// let none = sound_preset("quick", "clapp-s-no-gru", &Sound::Synthetic, &[2]).unwrap();
/// assert_eq!(none.encoder.recurrent, None);
/// ```
pub fn sound_preset(
    name: &str,
    method: &str,
    sound: &Sound,
    seeds: &[u64],
) -> Result<SoundRunConfig, Error> {
    let mut config = match name {
        "smoke" => smoke(sound)?,
        "quick" => quick(sound)?,
        "paper" => paper(sound)?,
        _ => return Err(Error::Preset { name: name.to_owned(), known: PRESETS }),
    };
    method_of(&mut config, method)?;
    config.seeds = seeds.to_vec();
    config.validate()?;
    Ok(config)
}

/// Sets what a method decides: rule, recurrent layer, and how signals reach the weights.
fn method_of(config: &mut SoundRunConfig, method: &str) -> Result<(), Error> {
    config.method = method.to_owned();
    let recurrent = &mut config.encoder.recurrent;
    let rule = if let Some(rule) = method.strip_suffix("-one-step") {
        recurrent.iter_mut().for_each(|layer| layer.recurrence = Recurrence::OneStep);
        rule
    } else if let Some(rule) = method.strip_suffix("-no-gru") {
        *recurrent = None;
        rule
    } else if let Some(rule) = method.strip_suffix("-bptt") {
        config.learning = Learning::ThroughTime;
        rule
    } else {
        method
    };
    config.learning = match (rule, config.learning) {
        ("clapp-s" | "gim", learning) => learning,
        ("cpc" | "hinge-cpc", _) if rule == method => Learning::EndToEnd,
        ("supervised", _) if rule == method => Learning::Supervised,
        ("greedy-supervised", _) if rule == method => Learning::GreedySupervised,
        _ => return Err(Error::Method { name: method.to_owned(), known: SOUND_METHODS }),
    };
    if matches!(rule, "gim" | "cpc") {
        config.rule.objective = Rule::gim_sound().objective;
    }
    Ok(())
}

/// The published read-outs, of all labelled utterances.
const READOUT: SoundReadoutConfig = SoundReadoutConfig {
    train: None,
    test: None,
    kept: None,
    paper_epochs: 20,
    speaker_epochs: Some(50),
};

/// The published settings (Illing et al. 2021, appendix; `audio_traineval.sh` of Löwe et al. 2019).
fn paper(sound: &Sound) -> Result<SoundRunConfig, Error> {
    let Sound::Files(files) = sound else {
        return Err(Error::PaperSound);
    };
    Ok(SoundRunConfig {
        preset: "paper".into(),
        method: String::new(),
        data: SoundDataConfig::Files(files.clone()),
        pipeline: SpeechPipeline::librispeech(),
        encoder: SoundConfig::paper(1.0)?,
        rule: Rule::clapp_s_sound(),
        learning: Learning::Local,
        optimizer: Optimizer::adam(2e-4),
        batch: 8,
        // 1,000 epochs of 22,830 utterances, what is left of a batch of 8 dropped.
        crops: 1_000 * 2_853 * 8,
        metrics_every: 100,
        checkpoint_every: 2_853,
        checkpoints_kept: 2,
        // All utterances would take 400 GB as features of all layers; 500 take 7 GB.
        readout: SoundReadoutConfig { kept: Some(500), ..READOUT },
        seeds: vec![2],
    })
}

fn quick(sound: &Sound) -> Result<SoundRunConfig, Error> {
    // Real speech has more to tell apart: at a quarter of the width the last layer read 2 points more on
    // speakers held out of the training ones than at an eighth, after as many crops.
    let (data, width, crops) = match sound {
        Sound::Synthetic => {
            (SoundDataConfig::Synthetic { unlabelled: 480, train: 48, test: 48 }, 0.125, 8_000)
        }
        Sound::Files(files) => (SoundDataConfig::Files(files.clone()), 0.25, 16_000),
    };
    Ok(SoundRunConfig {
        preset: "quick".into(),
        method: String::new(),
        data,
        pipeline: SpeechPipeline::librispeech(),
        encoder: SoundConfig::paper(width)?,
        rule: Rule::clapp_s_sound(),
        learning: Learning::Local,
        optimizer: Optimizer::adam(1e-3),
        batch: 8,
        crops,
        metrics_every: 10,
        checkpoint_every: 250,
        checkpoints_kept: 2,
        readout: READOUT,
        seeds: vec![2],
    })
}

fn smoke(sound: &Sound) -> Result<SoundRunConfig, Error> {
    let mut config = quick(sound)?;
    config.preset = "smoke".into();
    config.encoder = SoundConfig::paper(1.0 / 64.0)?;
    if let SoundDataConfig::Synthetic { unlabelled, train, test } = &mut config.data {
        (*unlabelled, *train, *test) = (32, 12, 12);
    }
    config.crops = 80;
    (config.checkpoint_every, config.metrics_every) = (5, 1);
    (config.readout.paper_epochs, config.readout.speaker_epochs) = (2, Some(2));
    Ok(config)
}
