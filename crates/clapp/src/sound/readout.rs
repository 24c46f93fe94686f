//! Phones read out of frozen layers, with their controls.

use clapp_datasets::Source as _;
use clapp_eval::{
    Confusion, Labels, LinearProbe, PhoneFrames, Protocol, Readout, Report, Series,
    probe::LinearTraining,
};

use super::{
    Setup, Sound, Source,
    features::{self, Encode, Part},
    speakers::{SpeakerCrops, SpeakerParts},
};
use crate::{
    Data, Error, RunConfig, Trainer,
    readout::{RANDOM_ENCODER, draw},
    run::Extra,
    sense::Trial,
};

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
pub(super) fn read_out(trainer: &Trainer<Sound>, report: &mut Report) -> Result<Extra, Error> {
    let (Trial { config, seed, device }, data) = (trainer.trial(), trainer.data());
    let seed = *seed;
    let mut extra = Extra::new();
    let Some(parts) = &data.labelled else { return Ok(extra) };
    let speakers = speakers(config, data, parts, report);
    let context = ReadOut { config, seed, parts, speakers: speakers.as_ref() };
    let random = config.setup.encoder.init(config.rule(&config.setup.rule), seed, device)?;
    for (name, encoder) in
        [(&*config.method, trainer.network().encoder()), (RANDOM_ENCODER, &random)]
    {
        let encode = |samples: &[f32]| Ok(features::layers(encoder, samples, device));
        let last = context.record(name, 1, &encode, report)?;
        if let (true, Some((protocol, score))) = (name == config.method, last) {
            let about = format!("{name}, {protocol}, seed {seed}");
            draw(&score, &data.names[1], &about, seed, &mut extra);
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
    config: &RunConfig<Sound>,
    data: &Data<Sound>,
    parts: &[Source; 2],
    report: &mut Report,
) -> Option<SpeakerParts> {
    config.setup.readout.speaker_epochs?;
    let speakers = SpeakerParts::of(config.setup.pipeline.crop, parts);
    report.note(speakers.as_ref().map_or_else(String::clone, |speakers| speakers.note(data)));
    speakers.ok()
}

/// What all read-outs of one seed have in common.
struct ReadOut<'a> {
    config: &'a RunConfig<Sound>,
    seed: u64,
    parts: &'a [Source; 2],
    speakers: Option<&'a SpeakerParts>,
}

/// The protocols that phones are read out with.
pub(super) const PROTOCOLS: [Protocol; 3] =
    [Protocol::Standardised, Protocol::Paper, Protocol::Knn];

/// The read-outs of one layer, by protocol.
type Readouts = Vec<Box<dyn Readout>>;

impl ReadOut<'_> {
    /// All protocols for every layer of one encoder; a score of the last layer, standardised if there is
    /// such a one.
    fn record(
        &self,
        encoder: &str,
        first_layer: usize,
        encode: &Encode<'_>,
        report: &mut Report,
    ) -> Result<Option<(Protocol, Confusion)>, Error> {
        let Setup { data, pipeline, readout, .. } = &self.config.setup;
        let ([train, test], scaling) = (self.parts, pipeline.scaling);
        let keep = readout.kept.unwrap_or(train.len()).min(train.len());
        let mut train = Part::new(train, scaling, keep, encode);
        let mut crops = self.speakers.map(SpeakerCrops::new);
        let readouts = self.fit(&mut train, &mut crops)?;
        let mut test = Part::new(test, scaling, 0, encode);
        let scores = self.score(&mut test, &readouts, &mut crops)?;
        for (layer, scores) in scores.iter().enumerate() {
            for (&protocol, score) in readout.protocols.iter().zip(scores) {
                let utterances = match protocol {
                    Protocol::Paper => self.parts[0].len(),
                    _ => keep,
                };
                let spoken = data.silence();
                let spoken = spoken.and_then(|silence| score.accuracy_without(silence as usize));
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
        let last = scores.into_iter().next_back().unwrap_or_default();
        let last = readout.protocols.iter().copied().zip(last);
        Ok(last.min_by_key(|&(protocol, _)| protocol != Protocol::Standardised))
    }

    /// Fits all read-outs of every layer.
    ///
    /// The paper's is trained on all utterances in every epoch, and none need stay in memory; the others need
    /// all their features at once, and are fitted on those that do.
    fn fit(
        &self,
        train: &mut Part<'_>,
        crops: &mut Option<SpeakerCrops<'_>>,
    ) -> Result<Vec<Readouts>, Error> {
        let Setup { data, readout, .. } = &self.config.setup;
        let paper = readout.protocols.contains(&Protocol::Paper);
        let epochs = if paper { readout.paper_epochs } else { 1 };
        let probe = LinearProbe { epochs, ..LinearProbe::phones() };
        let mut learning: Vec<LinearTraining> = Vec::new();
        for epoch in 0..epochs {
            train.each(&mut |utterance| {
                for (layer, frames) in utterance.layers.iter().enumerate().filter(|_| paper) {
                    if layer == learning.len() {
                        learning.push(probe.begin(frames.ncols(), data.classes(), self.seed)?);
                    }
                    learning[layer].step(frames.view(), &utterance.labels, epoch);
                }
                if let (0, Some(crops)) = (epoch, crops.as_mut()) {
                    crops.hear(0, utterance);
                }
                Ok(())
            })?;
        }
        let layers = train.kept().first().map_or(0, |utterance| utterance.layers.len());
        let fit = |layer: usize| {
            let mut frames = PhoneFrames::new(data.classes());
            for utterance in train.kept() {
                frames.push("", utterance.layers[layer].view(), &utterance.labels)?;
            }
            let frames = frames.features()?;
            let fit = |&protocol: &Protocol| -> Result<Box<dyn Readout>, Error> {
                Ok(match protocol.probe().filter(|_| protocol != Protocol::Paper) {
                    Some(probe) => probe.fit(&frames, self.seed)?,
                    None => Box::new(learning[layer].readout()),
                })
            };
            readout.protocols.iter().map(fit).collect()
        };
        (0..layers).map(fit).collect()
    }

    /// Scores all read-outs on utterances that nobody keeps.
    fn score(
        &self,
        test: &mut Part<'_>,
        readouts: &[Readouts],
        crops: &mut Option<SpeakerCrops<'_>>,
    ) -> Result<Vec<Vec<Confusion>>, Error> {
        let classes = self.config.setup.data.classes();
        let none = |layer: &Readouts| layer.iter().map(|_| Confusion::empty(classes)).collect();
        let mut scores: Vec<Vec<Confusion>> = readouts.iter().map(none).collect();
        test.each(&mut |utterance| {
            let layers = utterance.layers.iter().zip(readouts).zip(&mut scores);
            for ((frames, readouts), scores) in layers {
                for (readout, score) in readouts.iter().zip(scores) {
                    score.count(readout.scores(frames.view()).view(), &utterance.labels)?;
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
        let epochs = self.config.setup.readout.speaker_epochs;
        let both = crops.zip(epochs);
        both.map(|(crops, epochs)| crops.accuracy(layer, protocol, epochs, self.seed)).transpose()
    }
}
