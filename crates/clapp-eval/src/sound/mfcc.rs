//! Mel-frequency cepstral coefficients.

use std::f64::consts::PI;

use ndarray::Array2;

use super::deltas::with_deltas;
use super::frames::{Edges, Spectra};
use super::mel::Bank;
use crate::Error;
use crate::probe::at_least_one;

/// Strength of the lifter, which brings high coefficients to the size of low ones.
const LIFTER: f64 = 22.0;

/// The shape of a spectrum in few numbers that hardly depend on each other.
///
/// ```text
/// c_k = (1 + 11 sin(π k/22)) √(2/B) Σ_b m_b cos(π k (b + ½)/B)        c_0 with √(1/B)
/// ```
/// m_b are the logarithms of [`LogMel`](super::LogMel) in B = 23 bands; k = 0 … 12. With the default
/// settings a frame has 13 coefficients, their differences Δ and those of the differences, ΔΔ: 39.
///
/// # Paper
/// The control of van den Oord et al. 2018 and Illing et al. 2021, who print a value from the literature;
/// the constants are those of Kaldi. Deviations: c_0 stays and is not replaced by the energy; no dither.
///
/// # Example
///
/// ```
/// use clapp_eval::sound::Mfcc;
///
/// let tone: Vec<f32> = (0..16_000).map(|i| (i as f32 * 0.3927).sin()).collect();
/// let features = Mfcc::default().features(&tone)?; // [frames, 39]
/// assert_eq!(features.dim(), (98, 39));
/// # Ok::<(), clapp_eval::Error>(())
/// ```
///
/// # Cost
/// As [`LogMel`](super::LogMel).
#[derive(Clone, Debug, PartialEq)]
pub struct Mfcc {
    /// Number of mel bands.
    pub bands: usize,
    /// Number of coefficients, at most that of bands.
    pub coefficients: usize,
    /// How often differences are appended: 2 gives Δ and ΔΔ.
    pub deltas: usize,
    /// Which frames there are at the ends.
    pub edges: Edges,
}

impl Default for Mfcc {
    /// 13 coefficients of 23 bands, Δ and ΔΔ, frames within the sound.
    fn default() -> Self {
        Self { bands: 23, coefficients: 13, deltas: 2, edges: Edges::Cut }
    }
}

impl Mfcc {
    /// One row per frame, `[frames, coefficients · (1 + deltas)]`; no row if the sound is shorter than
    /// a frame.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are no bands or more than 128, no coefficients, or more than bands.
    pub fn features(&self, samples: &[f32]) -> Result<Array2<f32>, Error> {
        at_least_one("coefficients", self.coefficients)?;
        let bank = Bank::new(self.bands)?;
        if self.coefficients > self.bands {
            let (setting, expected) = ("coefficients", "at most the number of bands");
            return Err(Error::Setting { setting, expected, got: self.coefficients as f64 });
        }
        let cosines = cosines(self.coefficients, self.bands);
        let finish = |power: &[f32], row: &mut [f32]| {
            let mut log = [0.0; 128];
            let log = &mut log[..self.bands];
            bank.log(power, log);
            for (value, cosines) in row.iter_mut().zip(cosines.outer_iter()) {
                *value = cosines.iter().zip(&*log).map(|(cosine, log)| cosine * log).sum();
            }
        };
        let cepstra = Spectra::new(self.edges).rows(samples, self.coefficients, finish);
        Ok(with_deltas(cepstra.view(), self.deltas))
    }
}

/// The cosine transform and the lifter in one matrix, `[coefficients, bands]`.
fn cosines(coefficients: usize, bands: usize) -> Array2<f32> {
    Array2::from_shape_fn((coefficients, bands), |(k, band)| {
        let (k, bands) = (k as f64, bands as f64);
        let lifter = 1.0 + 0.5 * LIFTER * (PI * k / LIFTER).sin();
        let norm = if k > 0.0 { (2.0 / bands).sqrt() } else { bands.recip().sqrt() };
        (lifter * norm * (PI * k * (band as f64 + 0.5) / bands).cos()) as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::LogMel;

    fn sound() -> Vec<f32> {
        (0..4_000).map(|i| ((i * i * 31 + i * 7) % 211) as f32 / 105.0 - 1.0).collect()
    }

    #[test]
    fn the_cosine_transform_is_orthonormal() {
        let lifter = |k: usize| 1.0 + 11.0 * (PI * k as f64 / 22.0).sin();
        let matrix = cosines(23, 23);
        let product = matrix.dot(&matrix.t());
        for ((i, j), &found) in product.indexed_iter() {
            let expected = if i == j { lifter(i) * lifter(i) } else { 0.0 };
            // Single precision; the largest entry is 144.
            assert!((f64::from(found) - expected).abs() < 1e-3, "{i} {j}: {found}");
        }
    }

    #[test]
    fn coefficients_are_the_transform_of_the_log_spectrum() {
        let mfcc = Mfcc { deltas: 0, ..Mfcc::default() };
        let log = LogMel { bands: 23, ..LogMel::default() }.features(&sound()).unwrap();
        let found = mfcc.features(&sound()).unwrap();
        assert_eq!(found.dim(), (log.nrows(), 13));
        for (found, log) in found.outer_iter().zip(log.outer_iter()) {
            let mean = log.sum() / 23.0_f32.sqrt();
            assert!((found[0] - mean).abs() < 1e-3);
            let third: f64 = (0..23)
                .map(|b| f64::from(log[b]) * (3.0 * PI * (b as f64 + 0.5) / 23.0).cos())
                .sum::<f64>()
                * (2.0_f64 / 23.0).sqrt()
                * (1.0 + 11.0 * (3.0 * PI / 22.0).sin());
            assert!((f64::from(found[3]) - third).abs() < 1e-3);
        }
    }

    #[test]
    fn loudness_changes_the_first_coefficient_only() {
        let mfcc = Mfcc { deltas: 0, ..Mfcc::default() };
        let loud: Vec<f32> = sound().iter().map(|s| 4.0 * s).collect();
        let difference = mfcc.features(&loud).unwrap() - mfcc.features(&sound()).unwrap();
        for row in difference.outer_iter() {
            assert!((row[0] - 16.0_f32.ln() * 23.0_f32.sqrt()).abs() < 1e-3);
            assert!(row.iter().skip(1).all(|d| d.abs() < 1e-3));
        }
    }

    #[test]
    fn more_coefficients_than_bands_are_refused() {
        let error = Mfcc { coefficients: 24, ..Mfcc::default() }.features(&[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "coefficients: expected at most the number of bands, got 24; correct the setting"
        );
    }
}
