//! Phones read out of frozen layers, with their controls.

use burn::tensor::Device;
use clapp_encoders::SoundEncoder;
use clapp_eval::{
    Labels, LinearProbe, PhoneFrames, PhoneScore, Probe, Protocol, Readout, Report, Series,
    StandardisedProbe, figure, probe::LinearTraining,
};

use super::{
    SoundData, SoundRunConfig,
    data::Speech,
    features::{self, Encode, Encoded, Part},
    speakers::{SpeakerCrops, SpeakerParts},
};
use crate::{Error, RANDOM_ENCODER, experiment::Extra};

/// Name of the control of logarithmic spectra in mel bands.
pub const LOG_MEL: &str = "log-mel";
/// Name of the control of cepstral coefficients with Δ and ΔΔ.
pub const MFCC: &str = "MFCC";

/// Reads phones out of a trained encoder and its controls into `report`.
///
/// Every number is taken with the same utterances, labels and seeds for all encoders. Utterances pass
/// whole, without crops. The random encoder is the trained one before its first step. Without labels
/// nothing is read out.
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
    let mut extra = Extra::new();
    let Some(parts) = &data.labelled else { return Ok(extra) };
    let speakers = speakers(config, data, parts, report);
    let context = ReadOut { config, seed, parts, speakers: speakers.as_ref() };
    let random = config.encoder.init(&config.rule, seed, device)?;
    for (name, encoder) in [(config.method.as_str(), encoder), (RANDOM_ENCODER, &random)] {
        let encode = |samples: &[f32]| Ok(features::layers(encoder, samples, device));
        let last = context.record(name, 1, &encode, report)?;
        if name == config.method {
            let about = format!("{name}, standardised, seed {seed}");
            draw(&last, &data.names[1], &about, seed, &mut extra);
        }
    }
    let framing = parts[1].info(0).framing;
    let log_mel = |samples: &[f32]| Ok(vec![features::log_mel(samples, framing)?]);
    context.record(LOG_MEL, 0, &log_mel, report)?;
    let mfcc = |samples: &[f32]| Ok(vec![features::mfcc(samples, framing)?]);
    context.record(MFCC, 0, &mfcc, report)?;
    Ok(extra)
}

/// Whom to learn from and to test on; what a reader has to know of it goes below the table.
fn speakers(
    config: &SoundRunConfig,
    data: &SoundData,
    parts: &[Speech; 2],
    report: &mut Report,
) -> Option<SpeakerParts> {
    config.readout.speaker_epochs?;
    let speakers = SpeakerParts::of(config.pipeline.crop, parts);
    report.note(speakers.as_ref().map_or_else(String::clone, |speakers| speakers.note(data)));
    speakers.ok()
}

/// Which phones the last layer takes for which.
fn draw(last: &PhoneScore, data: &str, about: &str, seed: u64, extra: &mut Extra) {
    let svg = figure::confusion(&last.confusion, data, about);
    extra.insert(format!("confusion-seed-{seed}.svg"), svg);
    extra.insert(format!("confusion-seed-{seed}.csv"), last.confusion.to_csv());
}

/// What all read-outs of one seed have in common.
struct ReadOut<'a> {
    config: &'a SoundRunConfig,
    seed: u64,
    parts: &'a [Speech; 2],
    speakers: Option<&'a SpeakerParts>,
}

/// The protocols of phones, in the order of read-outs and scores.
const PROTOCOLS: [Protocol; 2] = [Protocol::Paper, Protocol::Standardised];

/// The read-outs of one layer, by [`PROTOCOLS`].
type Readouts = [Box<dyn Readout>; 2];

impl ReadOut<'_> {
    /// Both protocols for every layer of one encoder; the standardised score of the last.
    fn record(
        &self,
        encoder: &str,
        first_layer: usize,
        encode: &Encode<'_>,
        report: &mut Report,
    ) -> Result<PhoneScore, Error> {
        let (scaling, readout) = (self.config.pipeline.scaling, &self.config.readout);
        let [train, test] = self.parts;
        let keep = readout.kept.unwrap_or(train.len()).min(train.len());
        let mut train = Part::new(train, scaling, keep, encode);
        let mut crops = self.speakers.map(SpeakerCrops::new);
        let readouts = self.fit(&mut train, &mut crops)?;
        let mut test = Part::new(test, scaling, 0, encode);
        let scores = self.score(&mut test, &readouts, &mut crops)?;
        let fitted_on = [self.parts[0].len(), keep];
        for (layer, scores) in scores.iter().enumerate() {
            let places = PROTOCOLS.iter().zip(scores).zip(fitted_on);
            for ((&protocol, score), utterances) in places {
                let spoken = self.config.data.silence();
                let spoken = spoken.and_then(|silence| score.accuracy_without(silence.into()));
                let columns = [
                    (Labels::Utterances(utterances), Some(score.accuracy())),
                    (Labels::UtterancesSpoken(utterances), spoken),
                    (self.labels(), self.tell(crops.as_ref(), layer, protocol)?),
                ];
                for (labels, accuracy) in columns {
                    let Some(accuracy) = accuracy else { continue };
                    let series = Series { protocol, labels };
                    report.record(encoder, first_layer + layer, series, self.seed, accuracy)?;
                }
            }
        }
        let last = scores.into_iter().next_back().map(|[_, standardised]| standardised);
        Ok(last.unwrap_or_else(|| PhoneScore::new(self.config.data.classes())))
    }

    /// Fits both read-outs of every layer.
    ///
    /// The paper's hears all utterances in every epoch, and none need stay in memory; the standardised
    /// one needs all its features at once, and is fitted on those that do.
    fn fit(
        &self,
        train: &mut Part<'_>,
        crops: &mut Option<SpeakerCrops<'_>>,
    ) -> Result<Vec<Readouts>, Error> {
        let (classes, epochs) = (self.config.data.classes(), self.config.readout.paper_epochs);
        let probe = LinearProbe { epochs, ..LinearProbe::phones() };
        let mut learning: Vec<LinearTraining> = Vec::new();
        for epoch in 0..epochs {
            train.each(&mut |utterance| {
                for (layer, frames) in utterance.layers.iter().enumerate() {
                    if layer == learning.len() {
                        learning.push(probe.begin(frames.ncols(), classes, self.seed)?);
                    }
                    learning[layer].step(frames.view(), &utterance.labels, epoch);
                }
                if let (0, Some(crops)) = (epoch, crops.as_mut()) {
                    crops.hear(0, utterance);
                }
                Ok(())
            })?;
        }
        let both = |(layer, paper): (usize, LinearTraining)| {
            let mut frames = PhoneFrames::new(classes);
            for utterance in train.kept() {
                let Encoded { speaker, labels, layers, .. } = utterance;
                frames.push("", *speaker, layers[layer].view(), labels)?;
            }
            let standardised = StandardisedProbe::default().fit(&frames.features()?, self.seed)?;
            let paper: Box<dyn Readout> = Box::new(paper.readout());
            Ok([paper, standardised])
        };
        learning.into_iter().enumerate().map(both).collect()
    }

    /// Scores all read-outs on utterances that nobody keeps.
    fn score(
        &self,
        test: &mut Part<'_>,
        readouts: &[Readouts],
        crops: &mut Option<SpeakerCrops<'_>>,
    ) -> Result<Vec<[PhoneScore; 2]>, Error> {
        let none = || PROTOCOLS.map(|_| PhoneScore::new(self.config.data.classes()));
        let mut scores: Vec<[PhoneScore; 2]> = readouts.iter().map(|_| none()).collect();
        test.each(&mut |utterance| {
            let layers = utterance.layers.iter().zip(readouts).zip(&mut scores);
            for ((frames, readouts), scores) in layers {
                for (readout, score) in readouts.iter().zip(scores) {
                    let Encoded { speaker, labels, .. } = utterance;
                    score.add(readout.as_ref(), *speaker, frames.view(), labels)?;
                }
            }
            if let Some(crops) = crops {
                crops.hear(1, utterance);
            }
            Ok(())
        })?;
        Ok(scores)
    }

    fn labels(&self) -> Labels {
        Labels::Speakers(self.speakers.map_or(0, SpeakerParts::speakers))
    }

    /// How often a layer tells who speaks.
    fn tell(
        &self,
        crops: Option<&SpeakerCrops<'_>>,
        layer: usize,
        protocol: Protocol,
    ) -> Result<Option<f64>, Error> {
        let epochs = self.config.readout.speaker_epochs;
        let both = crops.zip(epochs);
        both.map(|(crops, epochs)| crops.accuracy(layer, protocol, epochs, self.seed)).transpose()
    }
}
