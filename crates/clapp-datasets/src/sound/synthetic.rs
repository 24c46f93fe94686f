//! An embedded set of speech-like sound: talkers with voices of their own, from a seed.
//!
//! ```text
//! source:  pulses at f0 (voiced), noise (unvoiced), both, or nothing (silence, closure of a stop)
//! filter:  resonances at F1, F2, F3 of the class × the talker's scale, gliding over some 10 ms
//! ```
//!
//! **What carries the class.** Resonances and the kind of source. Both stay for 50 to 200 ms, many
//! frames of 10 ms, so the near future can be predicted from the present.
//!
//! **What does not.** The talker. Pitch, scale of all resonances (0.8 to 1.25) and tilt of the
//! spectrum differ between talkers by more than neighbouring vowels do: what is "heed" from one
//! throat may be "hid" from another. A single frame is therefore not enough, and no talker is in two
//! parts. Nor does the background noise, which is new at every sample; how loud it is is chosen
//! ([`utterances_in`]).
//!
//! **Classes**, in the manner of phones; 0 is silence, as in the labels of LibriSpeech. Vowels have the
//! mean resonances of men in Peterson & Barney (1952).
//!
//! | class | kind | F1, F2, F3 or noise in Hz |
//! |---|---|---|
//! | 0 | silence | |
//! | 1 to 10 | vowels of heed, hid, head, had, hud, hod, hawed, hood, who'd, heard | 270 2290 3010 … |
//! | 11, 12 | nasals m, n | 260 1100 2100, 260 1500 2500 |
//! | 13 | voiced noise z | noise at 4800 |
//! | 14, 15 | noise s, sh | noise at 5200, 2800 |
//! | 16 | stop: closure and burst | burst at 1700 |

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use clapp_random::{Purpose, Stream, stream};

use super::frames::{HOP, RATE, WINDOW, label_count};
use super::speech::{Recording, Utterance};
use super::voice::{Target, Voice};
use crate::InMemory;

pub use crate::synthetic::Part;

/// Classes of segments, silence included.
pub const CLASSES: usize = 17;
/// The classes' names, indexed by label: words with the vowels, the sounds themselves, silence in short.
pub const CLASS_NAMES: [&str; CLASSES] = [
    "sil", "heed", "hid", "head", "had", "hud", "hod", "hawed", "hood", "who'd", "heard", "m", "n",
    "z", "s", "sh", "stop",
];
/// The class of silence.
pub const SILENCE: u32 = 0;
const PAUSE: u8 = SILENCE as u8;
const VOWELS: std::ops::RangeInclusive<u8> = 1..=10;
const STOP: u8 = 16;
const CONSONANTS: std::ops::RangeInclusive<u8> = 11..=STOP;

/// F1, F2 and F3 of vowels, in Hz: class 1 first.
const FORMANTS: [[f64; 3]; 10] = [
    [270.0, 2_290.0, 3_010.0],
    [390.0, 1_990.0, 2_550.0],
    [530.0, 1_840.0, 2_480.0],
    [660.0, 1_720.0, 2_410.0],
    [640.0, 1_190.0, 2_390.0],
    [730.0, 1_090.0, 2_440.0],
    [570.0, 840.0, 2_410.0],
    [440.0, 1_020.0, 2_240.0],
    [300.0, 870.0, 2_240.0],
    [490.0, 1_350.0, 1_690.0],
];

/// Deviation of the amplitudes of an utterance: LibriSpeech's, so that its
/// [`Scaling`](super::Scaling) fits.
const LOUDNESS: f64 = 0.063;
/// Deviation of the background noise of [`utterances`], in units of the speech's: a quiet room.
pub const BACKGROUND: f64 = 0.15;
/// Third index of the streams of [`Purpose::Synthesis`] used here; that of images is 0.
const TALKERS: u64 = 1;
const UTTERANCES: u64 = 2;

/// The number of talkers of a part; utterance i is spoken by talker i modulo this.
const fn talkers(part: Part) -> usize {
    match part {
        Part::Unlabelled => 24,
        Part::Train | Part::Test => 12,
    }
}

/// Generates the first `count` utterances of a part, of 2 to 3.5 seconds each, talkers in turn.
///
/// Utterance `i` depends on the seed, the part and `i` alone, not on how many are asked for. The
/// unlabelled part has no labels and 24 talkers, the others have 12 each, and nobody talks in two parts.
/// Amplitudes are those of 16-bit files.
///
/// # Panics
/// Never; labels fit by construction.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Source, sound::synthetic};
///
/// let speech = synthetic::utterances(2, synthetic::Part::Test, 13);
/// assert_eq!(speech.info(0).speaker, speech.info(12).speaker);
/// assert!(speech.info(5).labels.as_ref().is_some_and(|labels| labels.iter().all(|&class| class < 17)));
/// ```
///
/// # Cost
/// Some milliseconds and 180 KB an utterance; all cores are used.
#[must_use]
pub fn utterances(seed: u64, part: Part, count: usize) -> InMemory<Recording> {
    utterances_in(BACKGROUND, seed, part, count)
}

/// The same utterances in noise of another deviation, in units of the speech's; at 1 it is as loud as the speech.
///
/// The noise is white and new at every sample, so nothing predicts it, while a class stays for many frames: who
/// predicts has to hear through it, and a single window of a few milliseconds says little.
///
/// # Panics
/// If `background` is not a number of at least 0.
///
/// ```
/// use clapp_datasets::{Source, sound::synthetic::{BACKGROUND, Part, utterances, utterances_in}};
/// let [quiet, loud] = [BACKGROUND, 1.0].map(|noise| utterances_in(noise, 2, Part::Test, 1));
/// assert_eq!(quiet.get(0)?, utterances(2, Part::Test, 1).get(0)?);
/// assert_eq!(loud.info(0), quiet.info(0));
/// assert_ne!(loud.get(0)?.samples, quiet.get(0)?.samples);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[must_use]
pub fn utterances_in(background: f64, seed: u64, part: Part, count: usize) -> InMemory<Recording> {
    let loud = background.is_finite() && background >= 0.0;
    assert!(loud, "talkers: expected a background of at least 0, got {background}");
    let one = |index| utterance(background, seed, part, index);
    let recordings = (0..count).into_par_iter().map(one).collect();
    let name = format!("synthetic speech/{}", part.name());
    let classes = if part == Part::Unlabelled { 0 } else { CLASSES };
    InMemory::new(name, recordings, classes).expect("one label is made per label that is due")
}

fn utterance(background: f64, seed: u64, part: Part, index: usize) -> Recording {
    let talker = index % talkers(part);
    let mut of_talker = stream(seed, Purpose::Synthesis, [part as u64, talker as u64, TALKERS, 0]);
    let mut random = stream(seed, Purpose::Synthesis, [part as u64, index as u64, UTTERANCES, 0]);
    let voice = Voice::draw(&mut of_talker);
    let segments = segments(&mut random);
    let sound = voice.speak(&segments.iter().map(Segment::target).collect::<Vec<_>>(), &mut random);
    let speaker = format!("{}{talker:02}", part.name());
    let utterance = Utterance {
        id: format!("{speaker}-0-{index:04}"),
        speaker: Some(speaker),
        chapter: Some("0".to_owned()),
        samples: sound.len(),
        labels: (part != Part::Unlabelled).then(|| labels(&segments, sound.len()).into()),
        ..Utterance::default()
    };
    Recording { utterance, samples: finish(sound, background, &mut random) }
}

/// One class for some time.
#[derive(Clone, Copy, Debug)]
struct Segment {
    class: u8,
    /// The last part of a stop.
    burst: bool,
    samples: usize,
}

impl Segment {
    fn draw(class: u8, milliseconds: std::ops::Range<u32>, random: &mut Stream) -> Self {
        let samples = random.random_range(milliseconds) * RATE / 1_000;
        Self { class, burst: false, samples: samples as usize }
    }

    fn target(&self) -> (Target, usize) {
        let target = match self.class {
            class if VOWELS.contains(&class) => Target::vowel(FORMANTS[usize::from(class) - 1]),
            11 => Target { voicing: 0.35, ..Target::vowel([260.0, 1_100.0, 2_100.0]) },
            12 => Target { voicing: 0.35, ..Target::vowel([260.0, 1_500.0, 2_500.0]) },
            13 => Target { voicing: 0.25, ..Target::noise(4_800.0, 0.25) },
            14 => Target::noise(5_200.0, 0.45),
            15 => Target::noise(2_800.0, 0.45),
            STOP if self.burst => Target::noise(1_700.0, 0.6),
            _ => Target::SILENCE,
        };
        (target, self.samples)
    }
}

/// Words of syllables with pauses between them, 2 to 3.5 seconds.
fn segments(random: &mut Stream) -> Vec<Segment> {
    let length = random.random_range(32_000..56_000);
    let mut segments = vec![Segment::draw(PAUSE, 80..200, random)];
    let spoken = |segments: &[Segment]| segments.iter().map(|s| s.samples).sum::<usize>();
    while spoken(&segments) < length {
        for _ in 0..random.random_range(2..5_u32) {
            consonant(random, &mut segments);
            let vowel = random.random_range(VOWELS);
            segments.push(Segment::draw(vowel, 80..200, random));
        }
        segments.push(Segment::draw(PAUSE, 60..160, random));
    }
    segments
}

fn consonant(random: &mut Stream, segments: &mut Vec<Segment>) {
    let class = random.random_range(CONSONANTS);
    segments.push(Segment::draw(class, 50..120, random));
    if class == STOP {
        segments.push(Segment { burst: true, ..Segment::draw(class, 15..30, random) });
    }
}

/// The class at the middle of each window of 25 ms.
fn labels(segments: &[Segment], samples: usize) -> Vec<u32> {
    let mut ends = segments.iter().scan(0, |end, segment| {
        *end += segment.samples;
        Some((*end, segment.class))
    });
    let mut current = ends.next();
    let middle = |label: usize| label * HOP + WINDOW / 2;
    let class = |label: usize| {
        while current.is_some_and(|(end, _)| end <= middle(label)) {
            current = ends.next();
        }
        current.map_or(SILENCE, |(_, class)| u32::from(class))
    };
    (0..label_count(samples)).map(class).collect()
}

/// Brings speech to its loudness, adds background noise, and rounds to 16 bits.
fn finish(mut sound: Vec<f64>, background: f64, random: &mut Stream) -> Vec<f32> {
    let power = sound.iter().map(|s| s * s).sum::<f64>() / sound.len() as f64;
    let gain = LOUDNESS / power.sqrt();
    for sample in &mut sound {
        let noise: f64 = StandardNormal.sample(random);
        *sample = *sample * gain + LOUDNESS * background * noise;
    }
    let round = |sample: f64| (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as f32;
    sound.into_iter().map(|sample| round(sample) / 32_768.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;
    use std::collections::BTreeSet;

    #[test]
    fn an_utterance_depends_on_its_own_index_only() {
        let (few, many) = (utterances(2, Part::Train, 2), utterances(2, Part::Train, 14));
        assert_eq!(few.get(1).unwrap(), many.get(1).unwrap());
    }

    #[test]
    fn parts_share_neither_talkers_nor_sound() {
        let speakers = |part| -> BTreeSet<String> {
            let speech = utterances(2, part, talkers(part));
            (0..speech.len()).filter_map(|i| speech.info(i).speaker.clone()).collect()
        };
        let (train, test) = (speakers(Part::Train), speakers(Part::Test));
        assert_eq!((train.len(), test.len()), (12, 12));
        assert!(train.is_disjoint(&test));
        let first = |part| utterances(2, part, 1).get(0).unwrap().samples;
        assert_ne!(first(Part::Train), first(Part::Test));
        assert_ne!(first(Part::Train), utterances(3, Part::Train, 1).get(0).unwrap().samples);
    }

    #[test]
    fn utterances_are_as_loud_as_librispeech_and_never_cut_off() {
        let speech = utterances(2, Part::Unlabelled, 12);
        for index in 0..speech.len() {
            let samples = speech.get(index).unwrap().samples;
            let power = samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32;
            // Background noise adds 0.15² to the power, 1.1 % to its root; rounding far less.
            assert!((power.sqrt() / 0.063 - 1.0).abs() < 0.02, "{index}: {}", power.sqrt());
            assert!(samples.iter().all(|s| s.abs() < 1.0), "utterance {index} is cut off");
            assert!((32_000..75_000).contains(&samples.len()), "{}", samples.len());
        }
    }

    #[test]
    fn every_class_occurs_and_lasts_for_several_frames() {
        let speech = utterances(2, Part::Test, 12);
        let mut counts = [0; CLASSES];
        let mut changes = 0;
        for index in 0..speech.len() {
            let labels = speech.info(index).labels.as_ref().unwrap();
            labels.iter().for_each(|&class| counts[class as usize] += 1);
            changes += labels.windows(2).filter(|pair| pair[0] != pair[1]).count();
        }
        let frames: usize = counts.iter().sum();
        assert!(counts.iter().all(|&count| count > 20), "{counts:?}");
        assert!(frames / changes >= 6, "{frames} frames, {changes} changes");
    }

    #[test]
    fn silent_frames_are_quiet_and_vowels_are_loud() {
        let speech = utterances(2, Part::Test, 12);
        let mut power = [(0.0, 0); 2]; // silence, vowels
        for index in 0..speech.len() {
            let samples = speech.get(index).unwrap().samples;
            for (frame, &class) in speech.info(index).labels.as_ref().unwrap().iter().enumerate() {
                let kind = match class {
                    SILENCE => 0,
                    1..=10 => 1,
                    _ => continue,
                };
                // The middle 100 samples: the whole window may reach into a neighbour.
                let window = &samples[frame * HOP + 150..frame * HOP + 250];
                power[kind].0 += window.iter().map(|s| s * s).sum::<f32>();
                power[kind].1 += 1;
            }
        }
        let [silence, vowels] = power.map(|(sum, count)| sum / count as f32);
        // Ten decibels: a pause has a floor of noise, and the tails of its neighbours.
        assert!(vowels > 10.0 * silence, "vowels {vowels}, silence {silence}");
    }

    #[test]
    fn labels_are_the_classes_in_the_middle_of_their_windows() {
        let segment = |class, samples| Segment { class, burst: false, samples };
        let segments = [segment(0, 360), segment(3, 161), segment(8, 479)];
        // Windows of 1,000 samples begin at 0, 160, 320, 480; their middles are 200, 360, 520, 680.
        assert_eq!(labels(&segments, 1_000), [0, 3, 3, 8]);
    }

    #[test]
    fn samples_are_frozen() {
        // A change here changes every number learnt from this speech: value-breaking.
        let samples = utterances(2, Part::Test, 1).get(0).unwrap().samples;
        let steps: Vec<i32> = samples[8_000..8_006].iter().map(|s| (s * 32_768.0) as i32).collect();
        assert_eq!(steps, FROZEN);
    }

    const FROZEN: [i32; 6] = [705, -42, 866, 890, 541, 517];
}
