//! Phones read out of frozen layers, with their controls.

use burn::tensor::Device;
use clapp_encoders::SoundEncoder;
use clapp_eval::{
    Labels, PhoneFrames, PhoneProbe, PhoneScore, Probe, Protocol, Report, Series,
    StandardisedProbe, figure, phones,
};

use super::{
    SoundData, SoundRunConfig,
    features::{self, Encode},
};
use crate::{Error, RANDOM_ENCODER, experiment::Extra};

/// Name of the control of logarithmic spectra in mel bands.
pub const LOG_MEL: &str = "log-mel";
/// Name of the control of cepstral coefficients with Δ and ΔΔ.
pub const MFCC: &str = "MFCC";

/// Reads phones out of a trained encoder and its controls into `report`.
///
/// Every number is taken with the same utterances, labels and seeds for all encoders. Utterances pass
/// whole, without crops. The random encoder is the trained one before its first step.
///
/// # Errors
///
/// If sound cannot be read or a read-out does not converge.
pub(super) fn read_out(
    config: &SoundRunConfig,
    seed: u64,
    data: &SoundData,
    encoder: &SoundEncoder,
    device: &Device,
    report: &mut Report,
) -> Result<Extra, Error> {
    let [trained_on, evaluated_on] = data.names.clone();
    (report.trained_on, report.evaluated_on) = (trained_on, evaluated_on);
    let context = ReadOut { config, seed, data };
    let random = config.encoder.init(&config.rule, seed, device)?;
    let mut extra = Extra::new();
    for (name, encoder) in [(config.method.as_str(), encoder), (RANDOM_ENCODER, &random)] {
        let encode = |samples: &[f32]| Ok(features::layers(encoder, samples, device));
        let last = context.record(name, 1, &encode, report)?;
        if name == config.method {
            context.draw(&last, &mut extra);
        }
    }
    let framing = data.test.framing();
    let log_mel = |samples: &[f32]| Ok(vec![features::log_mel(samples, framing)?]);
    context.record(LOG_MEL, 0, &log_mel, report)?;
    let mfcc = |samples: &[f32]| Ok(vec![features::mfcc(samples, framing)?]);
    context.record(MFCC, 0, &mfcc, report)?;
    Ok(extra)
}

/// What all read-outs of one seed have in common.
struct ReadOut<'a> {
    config: &'a SoundRunConfig,
    seed: u64,
    data: &'a SoundData,
}

impl ReadOut<'_> {
    /// Both protocols for every layer of one encoder; the standardised score of the last.
    fn record(
        &self,
        encoder: &str,
        first_layer: usize,
        encode: &Encode<'_>,
        report: &mut Report,
    ) -> Result<Option<PhoneScore>, Error> {
        let scaling = self.config.pipeline.scaling;
        let train = features::frames(&self.data.train, scaling, encode)?;
        let test = features::frames(&self.data.test, scaling, encode)?;
        let utterances = self.data.train.len();
        let mut last = None;
        for (layer, (train, test)) in train.iter().zip(&test).enumerate() {
            for protocol in [Protocol::Paper, Protocol::Standardised] {
                let score = self.score(protocol, train, test)?;
                let spoken = self.config.data.silence();
                let spoken = spoken.and_then(|silence| score.accuracy_without(silence.into()));
                let columns = [
                    (Labels::Utterances(utterances), Some(score.accuracy())),
                    (Labels::UtterancesSpoken(utterances), spoken),
                ];
                for (labels, accuracy) in columns {
                    let Some(accuracy) = accuracy else { continue };
                    let series = Series { protocol, labels };
                    report.record(encoder, first_layer + layer, series, self.seed, accuracy)?;
                }
                last = Some(score);
            }
        }
        Ok(last)
    }

    fn score(
        &self,
        protocol: Protocol,
        train: &PhoneFrames,
        test: &PhoneFrames,
    ) -> Result<PhoneScore, Error> {
        Ok(match protocol {
            Protocol::Paper => {
                let epochs = self.config.readout.paper_epochs;
                let probe = PhoneProbe { epochs, ..PhoneProbe::default() };
                phones::score(&probe.train(train, self.seed)?.readout, test)?
            }
            _ => {
                let readout = StandardisedProbe::default().fit(&train.features()?, self.seed)?;
                phones::score(readout.as_ref(), test)?
            }
        })
    }

    /// Which phones the last layer takes for which.
    fn draw(&self, last: &Option<PhoneScore>, extra: &mut Extra) {
        let Some(PhoneScore { confusion, .. }) = last else { return };
        let about = format!("{}, standardised, seed {}", self.config.method, self.seed);
        let svg = figure::confusion(confusion, &self.data.names[1], &about);
        extra.insert(format!("confusion-seed-{}.svg", self.seed), svg);
        extra.insert(format!("confusion-seed-{}.csv", self.seed), confusion.to_csv());
    }
}
