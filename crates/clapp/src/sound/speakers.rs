//! Who speaks: crops of labelled utterances as samples, speakers as classes.
//!
//! Löwe et al. 2019 draw a new crop of every utterance in every epoch and encode it alone. Here an
//! utterance is encoded once, whole, for phones and speakers alike, and its crops lie side by side.

use std::collections::BTreeMap;

use clapp_datasets::{
    Source,
    sound::{HOP, Recording},
};
use clapp_eval::{
    Features, LinearProbe, Probe, Protocol,
    phones::MOST_SURPLUS,
    probe::{self, mean_over_time},
};
use ndarray::Array2;

use super::{Sound, features::Encoded};
use crate::{Data, Error};

/// Which utterances speakers are learnt from, and which they are told apart on.
///
/// If two speakers or more are in both labelled parts, they are learnt from one and told apart on the
/// other, as in the published lists. Parts that share no speaker are taken together, and the utterances
/// of every speaker taken in turns for either.
pub(super) struct SpeakerParts {
    speakers: usize,
    /// Of every utterance of the two parts: its speaker, and whether it is one to fit on (0) or to
    /// test on (1).
    places: [Vec<Option<(u32, usize)>>; 2],
    /// Outputs of a crop.
    crop: usize,
}

impl SpeakerParts {
    /// Divides the utterances that have `crop` samples; or says why speakers cannot be read out.
    pub(super) fn of(
        crop: usize,
        parts: &[impl Source<Item = Recording>; 2],
    ) -> Result<Self, String> {
        // Frames at the rate of labels are up to three fewer than outputs.
        let enough = crop + MOST_SURPLUS * HOP;
        // By name: utterances of both parts, in order.
        let mut spoken: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
        for (part, source) in parts.iter().enumerate() {
            for index in 0..source.len() {
                let utterance = source.info(index);
                let Some(speaker) = &utterance.speaker else { continue };
                if utterance.samples >= enough {
                    spoken.entry(speaker).or_default().push((part, index));
                }
            }
        }
        let in_part = |utterances: &[(usize, usize)], part| utterances.iter().any(|u| u.0 == part);
        let in_both = |u: &Vec<(usize, usize)>| in_part(u, 0) && in_part(u, 1);
        let shared = spoken.values().filter(|u| in_both(u)).count() >= 2;
        spoken.retain(
            |_, utterances| if shared { in_both(utterances) } else { utterances.len() >= 2 },
        );
        let speakers = spoken.len();
        if speakers < 2 {
            return Err(format!(
                "speakers were not read out: expected at least 2 who have two labelled utterances of a crop or more, got {speakers}"
            ));
        }
        let mut places = parts.each_ref().map(|part| vec![None; part.len()]);
        for (speaker, utterances) in spoken.values().enumerate() {
            for (turn, &(part, index)) in utterances.iter().enumerate() {
                let role = if shared { part } else { turn % 2 };
                places[part][index] = Some((speaker as u32, role));
            }
        }
        Ok(Self { speakers, places, crop: crop / HOP })
    }

    pub(super) fn speakers(&self) -> usize {
        self.speakers
    }

    /// What a reader has to know beside the numbers.
    pub(super) fn note(&self, data: &Data<Sound>) -> String {
        let count = |role| {
            let places = self.places.iter().flatten().flatten();
            places.filter(|place| place.1 == role).count()
        };
        format!(
            "{} speakers of {} are read out of means over {:.2} s, from {} utterances of theirs and on {} others",
            self.speakers,
            data.names[1],
            (self.crop * HOP) as f64 / 16_000.0,
            count(0),
            count(1),
        )
    }
}

/// Means over the crops of some utterances, side by side and without a rest, of every layer.
pub(super) struct SpeakerCrops<'a> {
    parts: &'a SpeakerParts,
    /// By role: speakers of all crops.
    labels: [Vec<u32>; 2],
    /// By layer and role: means one after the other.
    layers: Vec<[Vec<f32>; 2]>,
}

impl<'a> SpeakerCrops<'a> {
    pub(super) fn new(parts: &'a SpeakerParts) -> Self {
        Self { parts, labels: Default::default(), layers: Vec::new() }
    }

    /// Adds the crops of an utterance of a part (0 or 1).
    pub(super) fn hear(&mut self, part: usize, utterance: &Encoded) {
        let Some((speaker, role)) = self.parts.places[part][utterance.index] else { return };
        self.layers.resize_with(utterance.layers.len(), Default::default);
        for (means, frames) in self.layers.iter_mut().zip(&utterance.layers) {
            for crop in frames.exact_chunks((self.parts.crop, frames.ncols())) {
                means[role].extend(mean_over_time(crop));
            }
        }
        let crops = utterance.labels.len() / self.parts.crop;
        self.labels[role].extend(std::iter::repeat_n(speaker, crops));
    }

    /// Percentage of crops whose speaker a read-out of a layer finds.
    pub(super) fn accuracy(
        &self,
        layer: usize,
        protocol: Protocol,
        epochs: usize,
        seed: u64,
    ) -> Result<f64, Error> {
        let [fit, test] = [self.features(layer, 0)?, self.features(layer, 1)?];
        let probe: Box<dyn Probe> = match protocol.probe().filter(|_| protocol != Protocol::Paper) {
            Some(probe) => probe,
            None => Box::new(LinearProbe { epochs, ..LinearProbe::speakers() }),
        };
        Ok(probe::accuracy(probe.as_ref(), &fit, &test, seed)?)
    }

    fn features(&self, layer: usize, role: usize) -> Result<Features, Error> {
        let (means, labels) = (&self.layers[layer][role], self.labels[role].clone());
        let dim = means.len() / labels.len().max(1);
        let values = Array2::from_shape_vec((labels.len(), dim), means.clone())
            .expect("every crop has one mean of a layer's dimension");
        Ok(Features::new(values, labels)?.with_classes(self.parts.speakers)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clapp_datasets::{InMemory, sound::Utterance};
    use ndarray::Array2;

    const CROP: usize = 4 * HOP;

    /// Utterances by speaker; those in capitals are a sample too short.
    fn part(speakers: &str) -> InMemory<Recording> {
        let recording = |(index, speaker): (usize, char)| {
            let samples = CROP + 3 * HOP - usize::from(speaker.is_uppercase());
            let speaker = Some(speaker.to_lowercase().to_string());
            let utterance = Utterance { speaker, ..Utterance::named(index.to_string()) };
            Recording { utterance, samples: vec![0.1; samples] }
        };
        let recordings = speakers.chars().enumerate().map(recording).collect();
        InMemory::new("speakers", recordings, 0).unwrap()
    }

    fn parts(train: &str, test: &str) -> Result<SpeakerParts, String> {
        SpeakerParts::of(CROP, &[part(train), part(test)])
    }

    #[test]
    fn speakers_of_both_parts_are_learnt_from_one_and_told_apart_on_the_other() {
        let parts = parts("bcaaD", "adb").unwrap();
        assert_eq!(parts.speakers, 2);
        let [a, b] = [0, 1];
        assert_eq!(parts.places[0], [Some((b, 0)), None, Some((a, 0)), Some((a, 0)), None]);
        assert_eq!(parts.places[1], [Some((a, 1)), None, Some((b, 1))]);
    }

    #[test]
    fn without_common_speakers_the_utterances_of_each_are_taken_in_turns() {
        let parts = parts("aabaCc", "dd").unwrap();
        assert_eq!(parts.speakers, 2);
        let [a, d] = [0, 1];
        let train = [Some((a, 0)), Some((a, 1)), None, Some((a, 0)), None, None];
        assert_eq!(parts.places[0], train);
        assert_eq!(parts.places[1], [Some((d, 0)), Some((d, 1))]);
    }

    #[test]
    fn fewer_than_two_speakers_are_not_told_apart() {
        for (train, test) in [("abc", "def"), ("aab", "c"), ("AABB", "ab")] {
            let note = parts(train, test).err().expect("there is nobody to tell apart");
            assert!(note.contains("expected at least 2 who have two"), "{note}");
        }
    }

    #[test]
    fn a_sample_is_the_mean_over_a_crop_and_the_rest_is_left() {
        let parts = parts("ab", "ab").unwrap();
        let mut crops = SpeakerCrops::new(&parts);
        for (part, utterance) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            // Nine frames of a ramp: two crops of four, and one frame.
            let ramp = Array2::from_shape_fn((9, 1), |(t, _)| (10 * utterance + t) as f32);
            let (labels, layers) = (vec![0; 9], vec![ramp]);
            crops.hear(part, &Encoded { index: utterance, labels, layers });
        }
        let features = crops.features(0, 1).unwrap();
        assert_eq!(features.values().iter().copied().collect::<Vec<_>>(), [1.5, 5.5, 11.5, 15.5]);
        assert_eq!(features.labels(), [0, 0, 1, 1]);
        let accuracy = crops.accuracy(0, Protocol::Standardised, 1, 2).unwrap();
        assert!((accuracy - 100.0).abs() < 1e-9);
    }
}
