//! A talker: pulses and noise through gliding resonances.

use std::f64::consts::{PI, TAU};

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use clapp_random::Stream;

use super::frames::RATE;

/// Samples between two settings of the resonances: 1 ms.
const BLOCK: usize = 16;
/// Part of the way to a target that is covered in a block: a time constant of 12 ms.
const GLIDE: f64 = 0.08;
/// Bandwidths of the three resonances, in Hz.
const BANDWIDTHS: [f64; 3] = [70.0, 100.0, 150.0];
/// Bandwidth of noise, in Hz.
const NOISE_BANDWIDTH: f64 = 900.0;
/// Noise in voiced sound, in units of the voicing.
const BREATH: f64 = 0.02;
/// Random change from one pulse to the next, in parts of the pitch.
const JITTER: f64 = 0.01;

/// What the mouth aims at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Resonances of a talker of scale 1, in Hz.
    pub formants: [f64; 3],
    /// Strength of the pulses.
    pub voicing: f64,
    /// Strength of the noise.
    pub noise: f64,
    /// Centre of the noise for a talker of scale 1, in Hz.
    pub centre: f64,
}

impl Target {
    /// Nothing to hear; the mouth rests.
    pub const SILENCE: Self =
        Self { formants: [500.0, 1_500.0, 2_500.0], voicing: 0.0, noise: 0.0, centre: 3_000.0 };

    /// Pulses through these resonances.
    pub fn vowel(formants: [f64; 3]) -> Self {
        Self { formants, voicing: 1.0, ..Self::SILENCE }
    }

    /// Noise around `centre`.
    pub fn noise(centre: f64, noise: f64) -> Self {
        Self { noise, centre, ..Self::SILENCE }
    }

    /// Moves a part of the way to `goal`.
    fn approach(&mut self, goal: &Self) {
        let step = |from: &mut f64, to: f64| *from += GLIDE * (to - *from);
        self.formants.iter_mut().zip(goal.formants).for_each(|(from, to)| step(from, to));
        step(&mut self.voicing, goal.voicing);
        step(&mut self.noise, goal.noise);
        step(&mut self.centre, goal.centre);
    }
}

/// What tells talkers apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice {
    /// Mean pitch, in Hz.
    pitch: f64,
    /// Factor of all resonances: short throats have high ones.
    scale: f64,
    /// Pole of the pulses' low-pass: the higher, the darker the voice.
    tilt: f64,
}

impl Voice {
    pub fn draw(random: &mut Stream) -> Self {
        let pitch = random.random_range(85.0..240.0);
        let scale = random.random_range(0.8..1.25);
        Self { pitch, scale, tilt: random.random_range(0.8..0.93) }
    }

    /// The sound of targets, each held for some samples.
    pub fn speak(&self, targets: &[(Target, usize)], random: &mut Stream) -> Vec<f64> {
        let total: usize = targets.iter().map(|(_, samples)| samples).sum();
        let mut sound = Vec::with_capacity(total);
        let mut mouth = Mouth::new(self);
        for (goal, samples) in targets {
            let end = sound.len() + samples;
            while sound.len() < end {
                mouth.now.approach(goal);
                let block = BLOCK.min(end - sound.len());
                let progress = sound.len() as f64 / total as f64;
                mouth.speak_block(block, progress, random, &mut sound);
            }
        }
        sound
    }
}

/// A talker while speaking.
struct Mouth<'a> {
    voice: &'a Voice,
    now: Target,
    /// Position within a period, 0 to 1; a pulse begins at 1.
    phase: f64,
    /// Length of this period in parts of the mean.
    jitter: f64,
    glottis: f64,
    resonances: [Resonator; 3],
    friction: Resonator,
}

impl<'a> Mouth<'a> {
    fn new(voice: &'a Voice) -> Self {
        let rest = Resonator::default();
        Self {
            voice,
            now: Target::SILENCE,
            phase: 1.0,
            jitter: 1.0,
            glottis: 0.0,
            resonances: [rest; 3],
            friction: rest,
        }
    }

    fn speak_block(
        &mut self,
        samples: usize,
        progress: f64,
        random: &mut Stream,
        sound: &mut Vec<f64>,
    ) {
        let scale = self.voice.scale;
        for (i, resonance) in self.resonances.iter_mut().enumerate() {
            resonance.tune(self.now.formants[i] * scale, BANDWIDTHS[i]);
        }
        self.friction.tune(self.now.centre * scale, NOISE_BANDWIDTH);
        // The pitch falls while one speaks.
        let step = self.voice.pitch * (1.1 - 0.2 * progress) / f64::from(RATE);
        for _ in 0..samples {
            let noise: f64 = StandardNormal.sample(random);
            let pulse = self.pulse(step, random);
            self.glottis += (1.0 - self.voice.tilt) * (pulse - self.glottis);
            let voiced = self.now.voicing * (self.glottis + BREATH * noise);
            let throat = self.resonances.iter_mut().fold(voiced, |x, r| r.low_pass(x));
            sound.push(throat + self.now.noise * self.friction.band_pass(noise));
        }
    }

    /// One pulse per period, of an energy that does not depend on the pitch.
    fn pulse(&mut self, step: f64, random: &mut Stream) -> f64 {
        self.phase += step * self.jitter;
        if self.phase < 1.0 {
            return 0.0;
        }
        self.phase -= 1.0;
        let change: f64 = StandardNormal.sample(random);
        self.jitter = 1.0 + JITTER * change;
        step.recip().sqrt()
    }
}

/// A resonance of second order (Klatt 1980).
#[derive(Clone, Copy, Debug, Default)]
struct Resonator {
    b: f64,
    c: f64,
    past: [f64; 2],
    input: [f64; 2],
}

impl Resonator {
    /// Sets frequency and bandwidth, in Hz; frequencies near half the rate are held below it.
    fn tune(&mut self, frequency: f64, bandwidth: f64) {
        let rate = f64::from(RATE);
        let frequency = frequency.min(0.46 * rate);
        self.c = -(-TAU * bandwidth / rate).exp();
        self.b = 2.0 * (-PI * bandwidth / rate).exp() * (TAU * frequency / rate).cos();
    }

    /// Gain 1 at 0 Hz: for resonances one after another.
    fn low_pass(&mut self, x: f64) -> f64 {
        self.step((1.0 - self.b - self.c) * x)
    }

    /// Gain 1 at the centre, 0 at 0 Hz and at half the rate: for noise.
    fn band_pass(&mut self, x: f64) -> f64 {
        let [last, before] = self.input;
        self.input = [x, last];
        self.step(0.5 * (1.0 + self.c) * (x - before))
    }

    fn step(&mut self, x: f64) -> f64 {
        let y = x + self.b * self.past[0] + self.c * self.past[1];
        self.past = [y, self.past[0]];
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Amplitude of the response to a tone, once it is steady.
    fn gain(frequency: f64, respond: impl Fn(&mut Resonator, f64) -> f64) -> f64 {
        let mut resonator = Resonator::default();
        resonator.tune(1_000.0, 100.0);
        let tone = |i: usize| (TAU * frequency * i as f64 / f64::from(RATE)).sin();
        let response: Vec<f64> = (0..16_000).map(|i| respond(&mut resonator, tone(i))).collect();
        response[8_000..].iter().fold(0.0, |largest, y| largest.max(y.abs()))
    }

    #[test]
    fn a_resonance_is_loudest_at_its_frequency() {
        let low_pass = |f| gain(f, Resonator::low_pass);
        assert!(low_pass(1_000.0) > 5.0 * low_pass(500.0));
        assert!(low_pass(1_000.0) > 5.0 * low_pass(2_000.0));
        assert!((low_pass(20.0) - 1.0).abs() < 0.01);
    }

    #[test]
    fn noise_passes_around_its_centre() {
        let band_pass = |f| gain(f, Resonator::band_pass);
        assert!((band_pass(1_000.0) - 1.0).abs() < 0.01);
        assert!(band_pass(200.0) < 0.05 && band_pass(6_000.0) < 0.05);
    }
}
