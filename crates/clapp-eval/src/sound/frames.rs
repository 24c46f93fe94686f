//! Sound cut into windows, and their power spectra.

use std::f32::consts::PI;
use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;
use realfft::{RealFftPlanner, RealToComplex};
use serde::{Deserialize, Serialize};

/// Samples in a second.
pub(crate) const RATE: f64 = 16_000.0;
/// Samples from one frame to the next: 10 ms.
pub const HOP: usize = 160;
/// Samples of a frame: 25 ms.
pub const WINDOW: usize = 400;
/// Length of the Fourier transform: the next power of two, the rest is filled with zeros.
const LENGTH: usize = 512;
/// Values of a power spectrum.
pub(super) const SPECTRUM: usize = LENGTH / 2 + 1;
/// How much of the previous sample is subtracted: lifts high frequencies, which speech has less of.
const PRE_EMPHASIS: f32 = 0.97;

/// Which frames there are at the ends of a sound.
///
/// | | frame i is | frames of N samples |
/// |---|---|---|
/// | `Cut` | samples `160 i .. 160 i + 400` | ⌊(N − 400)/160⌋ + 1 |
/// | `Reflect` | 400 samples around `160 i + 80` | ⌊N/160⌋ |
///
/// `Cut` is for labels of windows of 25 ms, `Reflect` for labels of 10 ms side by side. Samples beyond
/// an end are those before it, mirrored. Kaldi calls the two `snip-edges` true and false; of its
/// second, the number of frames is rounded here downwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edges {
    /// Frames lie within the sound.
    #[default]
    Cut,
    /// There is a frame around every whole hop.
    Reflect,
}

impl Edges {
    /// How many frames a sound of `samples` has.
    ///
    /// # Example
    ///
    /// ```
    /// use clapp_eval::sound::Edges;
    /// assert_eq!((Edges::Cut.frames(81_520), Edges::Reflect.frames(81_520)), (508, 509));
    /// assert_eq!((Edges::Cut.frames(399), Edges::Reflect.frames(399)), (0, 2));
    /// ```
    #[must_use]
    pub const fn frames(self, samples: usize) -> usize {
        match self {
            Self::Cut if samples < WINDOW => 0,
            Self::Cut => (samples - WINDOW) / HOP + 1,
            Self::Reflect => samples / HOP,
        }
    }

    /// Copies frame `index` of `samples`.
    fn copy(self, samples: &[f32], index: usize, frame: &mut [f32]) {
        match self {
            Self::Cut => frame.copy_from_slice(&samples[index * HOP..][..WINDOW]),
            Self::Reflect => {
                let first = (index * HOP + HOP / 2) as isize - (WINDOW / 2) as isize;
                for (place, value) in (first..).zip(frame) {
                    *value = samples[mirror(place, samples.len())];
                }
            }
        }
    }
}

/// The place within `0..len` that `place` is a mirror image of; the end samples occur twice.
fn mirror(place: isize, len: usize) -> usize {
    let period = 2 * len as isize;
    let place = place.rem_euclid(period);
    (if place < len as isize { place } else { period - 1 - place }) as usize
}

/// Turns windows into power spectra.
pub(super) struct Spectra {
    fourier: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    edges: Edges,
}

impl Spectra {
    pub fn new(edges: Edges) -> Self {
        // Povey's window: Hann's to the power 0.85, which does not quite reach 0.
        let hann = |i: usize| 0.5 - 0.5 * (2.0 * PI * i as f32 / (WINDOW - 1) as f32).cos();
        let window = (0..WINDOW).map(|i| hann(i).powf(0.85)).collect();
        Self { fourier: RealFftPlanner::new().plan_fft_forward(LENGTH), window, edges }
    }

    /// One row per frame, `[frames, dim]`: what `finish` writes, given a power spectrum.
    pub fn rows(
        &self,
        samples: &[f32],
        dim: usize,
        finish: impl Fn(&[f32], &mut [f32]) + Sync,
    ) -> Array2<f32> {
        let frames = self.edges.frames(samples.len());
        let mut values = vec![0.0; frames * dim];
        values.par_chunks_exact_mut(dim).enumerate().for_each_init(
            || (self.fourier.make_input_vec(), self.fourier.make_output_vec(), vec![0.0; SPECTRUM]),
            |(frame, spectrum, power), (index, row)| {
                self.edges.copy(samples, index, &mut frame[..WINDOW]);
                self.shape(&mut frame[..WINDOW]);
                frame[WINDOW..].fill(0.0);
                self.fourier
                    .process(frame, spectrum)
                    .expect("the vectors were made by the plan, so their lengths fit");
                power.iter_mut().zip(spectrum.iter()).for_each(|(p, s)| *p = s.norm_sqr());
                finish(power, row);
            },
        );
        Array2::from_shape_vec((frames, dim), values).expect("one row per frame was made")
    }

    /// Removes the mean, lifts high frequencies, fades at both ends.
    fn shape(&self, frame: &mut [f32]) {
        let mean = frame.iter().sum::<f32>() / frame.len() as f32;
        frame.iter_mut().for_each(|sample| *sample -= mean);
        for i in (1..frame.len()).rev() {
            frame[i] -= PRE_EMPHASIS * frame[i - 1];
        }
        frame[0] -= PRE_EMPHASIS * frame[0];
        frame.iter_mut().zip(&self.window).for_each(|(sample, fade)| *sample *= fade);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_repeat_the_end_samples() {
        let places: Vec<usize> = (-3..8).map(|place| mirror(place, 4)).collect();
        assert_eq!(places, [2, 1, 0, 0, 1, 2, 3, 3, 2, 1, 0]);
    }

    #[test]
    fn frames_are_where_they_should_be() {
        let samples: Vec<f32> = (0..1_000).map(|i| i as f32).collect();
        let mut frame = [0.0; WINDOW];
        Edges::Cut.copy(&samples, 3, &mut frame);
        assert_eq!((frame[0], frame[399]), (480.0, 879.0));
        Edges::Reflect.copy(&samples, 3, &mut frame);
        assert_eq!((frame[0], frame[399]), (360.0, 759.0)); // around 3 · 160 + 80
        Edges::Reflect.copy(&samples, 0, &mut frame);
        assert_eq!((frame[0], frame[119], frame[120]), (119.0, 0.0, 0.0));
    }

    #[test]
    fn spectra_are_those_of_the_definition() {
        let samples: Vec<f32> = (0..WINDOW).map(|i| ((i * i * 7 + i) % 97) as f32 / 97.0).collect();
        let spectra = Spectra::new(Edges::Cut);
        let rows = spectra.rows(&samples, SPECTRUM, |power, row| row.copy_from_slice(power));
        let mean = samples.iter().map(|&s| f64::from(s)).sum::<f64>() / WINDOW as f64;
        let centred: Vec<f64> = samples.iter().map(|&s| f64::from(s) - mean).collect();
        let shaped = |i: usize| {
            let hann = 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / 399.0).cos();
            (centred[i] - 0.97 * centred[i.max(1) - 1]) * hann.powf(0.85)
        };
        let largest = rows.iter().copied().fold(0.0, f32::max);
        for (k, &found) in rows.iter().enumerate().step_by(13) {
            let angle = |i: usize| std::f64::consts::TAU * (k * i) as f64 / 512.0;
            let real: f64 = (0..WINDOW).map(|i| shaped(i) * angle(i).cos()).sum();
            let imaginary: f64 = (0..WINDOW).map(|i| shaped(i) * angle(i).sin()).sum();
            let expected = real * real + imaginary * imaginary;
            // Single precision, relative to the largest value of the spectrum.
            assert!((f64::from(found) - expected).abs() < 1e-5 * f64::from(largest), "bin {k}");
        }
    }
}
