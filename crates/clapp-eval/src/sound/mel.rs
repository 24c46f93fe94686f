//! Power in mel bands, which are as wide as those of hearing.

use ndarray::Array2;

use super::frames::{Edges, RATE, SPECTRUM, Spectra};
use crate::Error;
use crate::probe::at_least_one;

/// The smallest power that is told from silence; keeps the logarithm finite.
const FLOOR: f32 = f32::EPSILON;

/// Logarithms of the power in mel bands.
///
/// ```text
/// mel(f) = 1127 ln(1 + f/700)        m_b = ln max(Σ_k Λ_b(f_k) |X(f_k)|², 2⁻²³)
/// ```
/// Λ_b are triangles of height 1 whose feet and tops lie at equal distances in mel, from 20 Hz to
/// 8 kHz; X is the transform of a frame without its mean, pre-emphasised by 0.97, in Povey's window.
/// No dither is added.
///
/// Samples may have any scale, which adds a constant to all features unless they are so faint that the
/// floor is reached: bring speech to a deviation of about 1, as learned encoders see it.
///
/// # Paper
/// The filter banks of Kaldi (Povey et al. 2011). Deviations: no dither; see [`Edges`].
///
/// # Example
///
/// ```
/// use clapp_eval::sound::LogMel;
///
/// let tone: Vec<f32> = (0..16_000).map(|i| (i as f32 * 0.3927).sin()).collect(); // 1 kHz
/// let features = LogMel::default().features(&tone)?; // [frames, bands]
/// assert_eq!(features.dim(), (98, 40));
/// # Ok::<(), clapp_eval::Error>(())
/// ```
///
/// # Cost
/// About a millisecond for a second of sound on one core; all are used.
#[derive(Clone, Debug, PartialEq)]
pub struct LogMel {
    /// Number of bands.
    pub bands: usize,
    /// Which frames there are at the ends.
    pub edges: Edges,
}

impl Default for LogMel {
    /// 40 bands, frames within the sound.
    fn default() -> Self {
        Self { bands: 40, edges: Edges::Cut }
    }
}

impl LogMel {
    /// One row per frame, `[frames, bands]`; no row if the sound is shorter than a frame.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are no bands, or more than the spectrum has room for (128).
    pub fn features(&self, samples: &[f32]) -> Result<Array2<f32>, Error> {
        let bank = Bank::new(self.bands)?;
        Ok(Spectra::new(self.edges).rows(samples, self.bands, |power, row| bank.log(power, row)))
    }

    /// The band, from 0, whose triangle has its top at a frequency in Hz; fractions lie between two.
    ///
    /// ```
    /// let band = clapp_eval::sound::LogMel::default().band(1_000.0);
    /// assert!((band - 13.1).abs() < 0.05);
    /// ```
    #[must_use]
    pub fn band(&self, frequency: f64) -> f64 {
        let (low, step) = scale(self.bands);
        (mel(frequency) - low) / step - 1.0
    }
}

fn mel(frequency: f64) -> f64 {
    1_127.0 * (1.0 + frequency / 700.0).ln()
}

/// The lowest frequency in mel, and the distance between the tops of neighbouring bands.
fn scale(bands: usize) -> (f64, f64) {
    let (low, high) = (mel(20.0), mel(RATE / 2.0));
    (low, (high - low) / (bands + 1) as f64)
}

/// Triangular filters, each from its first value of the spectrum on.
pub(super) struct Bank(Vec<(usize, Vec<f32>)>);

impl Bank {
    pub fn new(bands: usize) -> Result<Self, Error> {
        at_least_one("bands", bands)?;
        if bands > 128 {
            let expected = "at most 128";
            return Err(Error::Setting { setting: "bands", expected, got: bands as f64 });
        }
        let (low, step) = scale(bands);
        let filter = |band: usize| {
            let left = low + band as f64 * step;
            let weight = |bin: usize| {
                let place = mel(bin as f64 * RATE / 2.0 / (SPECTRUM - 1) as f64);
                (1.0 - ((place - left) / step - 1.0).abs()).max(0.0) as f32
            };
            let weights: Vec<f32> = (0..SPECTRUM).map(weight).collect();
            let first = weights.iter().position(|&w| w > 0.0).unwrap_or(0);
            let last = weights.iter().rposition(|&w| w > 0.0).unwrap_or(0);
            (first, weights[first..=last].to_vec())
        };
        Ok(Self((0..bands).map(filter).collect()))
    }

    /// Writes the logarithm of each band's power.
    pub fn log(&self, power: &[f32], row: &mut [f32]) {
        for ((first, weights), value) in self.0.iter().zip(row) {
            let sum: f32 = weights.iter().zip(&power[*first..]).map(|(w, p)| w * p).sum();
            *value = sum.max(FLOOR).ln();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frequency: f64) -> Vec<f32> {
        let step = std::f64::consts::TAU * frequency / RATE;
        (0..4_000).map(|i| (step * i as f64).sin() as f32).collect()
    }

    fn loudest(frequency: f64) -> usize {
        let features = LogMel::default().features(&tone(frequency)).unwrap();
        let row = features.row(10);
        (0..40).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap()
    }

    #[test]
    fn a_tone_is_loudest_in_its_band() {
        // Centres lie at 20 Hz + (b + 1)/41 of the way in mel: 2840.0 mel at 8 kHz, 31.7 at 20 Hz.
        for (frequency, band) in [(200.0, 3), (1_000.0, 13), (3_000.0, 26), (6_000.0, 36)] {
            let mel = 1_127.0 * (1.0_f64 + frequency / 700.0).ln();
            let centre = (mel - 31.748) / ((2_840.023 - 31.748) / 41.0) - 1.0;
            assert!((centre - band as f64).abs() < 0.75, "{frequency}: {centre}");
            assert_eq!(loudest(frequency), band, "{frequency} Hz");
        }
    }

    #[test]
    fn louder_sound_adds_a_constant() {
        let quiet = LogMel::default().features(&tone(1_000.0)).unwrap();
        let loud: Vec<f32> = tone(1_000.0).iter().map(|s| 8.0 * s).collect();
        let loud = LogMel::default().features(&loud).unwrap();
        // ln 8² where the power is far above the floor.
        let far = quiet.iter().zip(&loud).filter(|(q, _)| **q > -3.0);
        for (quiet, loud) in far {
            assert!((loud - quiet - 64.0_f32.ln()).abs() < 1e-3);
        }
    }

    #[test]
    fn silence_is_finite_and_a_constant_is_silence() {
        for value in [0.0, 0.7] {
            let features = LogMel::default().features(&[value; 800]).unwrap();
            // Rounding of the mean leaves nothing above the floor.
            assert!(features.iter().all(|&v| (v - FLOOR.ln()).abs() < 1e-6));
        }
    }

    #[test]
    fn frames_are_as_many_as_labels() {
        for samples in [0, 399, 400, 559, 560, 20_480] {
            let sound = vec![0.1; samples];
            for edges in [Edges::Cut, Edges::Reflect] {
                let features = LogMel { edges, ..LogMel::default() }.features(&sound).unwrap();
                assert_eq!(features.nrows(), edges.frames(samples));
            }
        }
    }

    #[test]
    fn filters_cover_the_spectrum_evenly() {
        // Neighbouring triangles add up to 1 between the first and the last top.
        let Bank(filters) = Bank::new(40).unwrap();
        let mut sums = vec![0.0; SPECTRUM];
        for (first, weights) in &filters {
            weights.iter().zip(&mut sums[*first..]).for_each(|(w, sum)| *sum += w);
        }
        assert!(sums[3..240].iter().all(|sum: &f32| (sum - 1.0).abs() < 1e-5), "{sums:?}");
    }

    #[test]
    fn a_number_of_bands_without_meaning_is_refused() {
        for bands in [0, 129] {
            let error = LogMel { bands, ..LogMel::default() }.features(&[0.0; 400]).unwrap_err();
            assert!(error.to_string().starts_with("bands: expected at "), "{error}");
        }
    }
}
