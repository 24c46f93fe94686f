//! Other sampling rates to 16 kHz.

use std::path::Path;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

use super::decode;
use super::frames::RATE;
use crate::Error;

/// Samples that the resampler takes at a time.
const CHUNK: usize = 1_024;

/// Rates that are resampled, of sound that there is. Work and memory grow with a rate, and with how often it fits into [`RATE`].
pub(super) const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// How many samples `samples` at `rate` are at [`RATE`]: those that begin before the end.
pub(super) fn resampled_len(samples: u64, rate: u32) -> u64 {
    (samples * u64::from(RATE)).div_ceil(u64::from(rate))
}

/// The same sound at [`RATE`], without what the lower of the two rates cannot hold.
pub(super) fn resample(samples: &[f32], rate: u32, path: &Path) -> Result<Vec<f32>, Error> {
    let failed = |error: &dyn std::fmt::Display| decode::failed("resampling", path, error);
    let mut resampler = Fft::<f32>::new(rate as usize, RATE as usize, CHUNK, 1, FixedSync::Both)
        .map_err(|error| failed(&error))?;
    let input = InterleavedSlice::new(samples, 1, samples.len()).map_err(|error| failed(&error))?;
    let output = resampler.process_all(&input, samples.len(), None);
    let mut resampled = output.map_err(|error| failed(&error))?.take_data();
    // The library rounds the length in floating point; ours is in integers.
    resampled.resize(resampled_len(samples.len() as u64, rate) as usize, 0.0);
    Ok(resampled)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the filter, about −60 dB.
    const RIPPLE: f32 = 1e-3;

    fn tone(frequency: f64, rate: u32, seconds: f64) -> Vec<f32> {
        let step = std::f64::consts::TAU * frequency / f64::from(rate);
        (0..(seconds * f64::from(rate)) as usize).map(|i| (step * i as f64).sin() as f32).collect()
    }

    #[test]
    fn a_tone_stays_where_it_is_in_time() {
        for rate in [8_000, 22_050, 44_100, 48_000] {
            let resampled = resample(&tone(440.0, rate, 0.5), rate, Path::new("tone")).unwrap();
            let expected = tone(440.0, RATE, 0.5);
            assert_eq!(resampled.len(), expected.len(), "{rate} Hz");
            // The library removes its delay in whole samples: half a sample of the input may be left.
            let bound = std::f32::consts::TAU * 440.0 * 0.5 / rate as f32 + RIPPLE;
            // Away from the ends, where the filter reaches beyond the tone.
            let inner = 1_000..expected.len() - 1_000;
            let largest = resampled[inner.clone()].iter().zip(&expected[inner]);
            let largest = largest.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(largest < bound, "{rate} Hz: {largest}");
        }
    }

    #[test]
    fn what_16_khz_cannot_hold_is_removed() {
        let resampled = resample(&tone(12_000.0, 48_000, 0.5), 48_000, Path::new("tone")).unwrap();
        let inner = &resampled[1_000..resampled.len() - 1_000];
        assert!(inner.iter().all(|a| a.abs() < RIPPLE));
    }

    #[test]
    fn lengths_are_rounded_up() {
        assert_eq!(resampled_len(44_100, 44_100), 16_000);
        assert_eq!(resampled_len(44_101, 44_100), 16_001);
        assert_eq!(resampled_len(1, 48_000), 1);
    }
}
