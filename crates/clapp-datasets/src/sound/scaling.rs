//! From amplitudes to the numbers a network sees.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Steps of a 32-bit sample in full scale.
const FULL_SCALE: f32 = 2_147_483_648.0; // 2³¹

/// Shifts and scales amplitudes to about zero mean and unit variance, with constants of a data set.
///
/// ```text
/// x = (2³¹ f − mean) / std        f: amplitude, full scale ±1
/// ```
/// Mean and deviation are in steps of a 32-bit sample, the unit in which the constants of
/// LibriSpeech were published: one step of a 16-bit file is 65,536.
///
/// # Paper
/// [`librispeech`](Self::librispeech): Löwe et al. 2019, whose data pipeline Illing et al. 2021 use;
/// `librispeech.py`. Deviations: none, down to the last bit of f32.
///
/// # Example
///
/// ```
/// use clapp_datasets::sound::Scaling;
///
/// let mut samples = [-1.0 / 32_768.0, 0.0]; // −1 and 0 in a 16-bit file
/// Scaling::librispeech().apply(&mut samples);
/// let (s, std) = (-65_536.0, 135_303_504.0);
/// assert_eq!(samples, [(s + 1_456_218.75) / std, 1_456_218.75 / std]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// What is subtracted, in steps of a 32-bit sample.
    pub mean: f32,
    /// What the rest is divided by, in steps of a 32-bit sample; above 0.
    pub std: f32,
}

impl Scaling {
    /// The constants of train-clean-100: mean −1,456,218.75, deviation 135,303,504.
    #[must_use]
    #[expect(
        clippy::excessive_precision,
        reason = "the authors' number, exact in single precision"
    )]
    pub fn librispeech() -> Self {
        Self { mean: -1_456_218.75, std: 135_303_504.0 }
    }

    /// Checks the constants.
    ///
    /// # Errors
    /// [`Error::Config`] if the mean is not finite or the deviation not finite and above 0.
    pub fn validate(&self) -> Result<(), Error> {
        let wrong =
            |setting, expected, got: f32| Err(Error::setting(setting, expected, f64::from(got)));
        match self {
            Self { mean, .. } if !mean.is_finite() => wrong("mean", "a finite number", *mean),
            Self { std, .. } if !(std.is_finite() && *std > 0.0) => {
                wrong("std", "a finite number above 0", *std)
            }
            _ => Ok(()),
        }
    }

    /// Replaces amplitudes by what the network sees.
    pub fn apply(&self, samples: &mut [f32]) {
        // 2³¹ f is exact; one rounding each follows for the difference and the quotient.
        samples.iter_mut().for_each(|f| *f = (*f * FULL_SCALE - self.mean) / self.std);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_those_of_other_units() {
        // Spec: (s + 22.22013)/2064.5676 in 16-bit steps, (f + 6.781047e−4)/0.06300560 in full scale.
        for step in [-32_768_i16, -1_000, 0, 17, 32_767] {
            let (s, f) = (f64::from(step), f64::from(step) / 32_768.0);
            let mut x = [f as f32];
            Scaling::librispeech().apply(&mut x);
            for expected in [(s + 22.220_13) / 2_064.567_6, (f + 6.781_047e-4) / 0.063_005_60] {
                // The published constants have seven digits.
                assert!((f64::from(x[0]) - expected).abs() <= 2e-7 * expected.abs().max(1.0));
            }
        }
    }

    #[test]
    fn constants_without_meaning_are_refused() {
        let error = |mean, std| Scaling { mean, std }.validate().unwrap_err().to_string();
        assert_eq!(
            error(0.0, 0.0),
            "std: expected a finite number above 0, got 0 in the configuration; correct the setting"
        );
        assert!(error(f32::NAN, 1.0).starts_with("mean: expected a finite number, got NaN"));
    }
}
