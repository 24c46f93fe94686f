//! Batch norm and dropout before the linear layer.

use clapp_random::{Purpose, stream};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use rand::RngExt;
use rayon::prelude::*;

use super::adam::Moments;

/// First index of the streams of [`Purpose::Probe`] used here.
const DROPOUT: u64 = 4;
/// Features of one task: fixed, so that no sum depends on the number of threads.
pub(super) const COLUMNS: usize = 1_024;
/// Batch norm's guard against division by 0, and the weight of a batch in the running moments.
const EPSILON: f32 = 1e-5;
const MOMENTUM: f32 = 0.1;

/// Batch norm while it learns.
#[derive(Clone, Debug)]
pub(super) struct Norm {
    pub gain: Moments<Array1<f32>>,   // [dim]: γ
    pub offset: Moments<Array1<f32>>, // [dim]: β
    pub mean: Array1<f32>,            // [dim]: running
    pub variance: Array1<f32>,        // [dim]: running
}

impl Norm {
    pub(super) fn new(dim: usize) -> Self {
        Self {
            gain: Moments::new(Array1::ones(dim)),
            offset: Moments::new(Array1::zeros(dim)),
            mean: Array1::zeros(dim),
            variance: Array1::ones(dim),
        }
    }

    /// `(x − μ)/√(σ² + ε)` with the moments of the batch, which also move the running moments.
    pub(super) fn normalise(&mut self, x: ArrayView2<'_, f32>) -> Array2<f32> {
        let samples = x.nrows() as f32;
        let mut normal = x.to_owned();
        let parts: Vec<_> = normal
            .axis_chunks_iter_mut(Axis(1), COLUMNS)
            .zip(self.mean.axis_chunks_iter_mut(Axis(0), COLUMNS))
            .zip(self.variance.axis_chunks_iter_mut(Axis(0), COLUMNS))
            .collect();
        parts.into_par_iter().for_each(|((mut part, mut means), mut variances)| {
            let mean: Array1<f32> = part.sum_axis(Axis(0)) / samples;
            part -= &mean;
            let squares = part.map_axis(Axis(0), |column| column.dot(&column));
            for (column, square) in squares.iter().enumerate() {
                let running = (&mut means[column], &mut variances[column]);
                *running.0 += MOMENTUM * (mean[column] - *running.0);
                // The running variance is the unbiased one.
                *running.1 += MOMENTUM * (square / (samples - 1.0) - *running.1);
            }
            part *= &squares.mapv(|square| (square / samples + EPSILON).sqrt().recip());
        });
        normal
    }

    /// `mask ⊙ (γ x̂ + β)`.
    pub(super) fn shown(&self, normal: &Array2<f32>, mask: &Array2<f32>) -> Array2<f32> {
        let mut shown = normal.clone();
        let rows: Vec<_> = shown.outer_iter_mut().zip(mask.outer_iter()).collect();
        rows.into_par_iter().for_each(|(mut row, mask)| {
            let parameters = self.gain.value.iter().zip(&self.offset.value).zip(mask);
            for (value, ((gain, offset), mask)) in row.iter_mut().zip(parameters) {
                *value = mask * (gain * *value + offset);
            }
        });
        shown
    }

    /// Folds the running moments, γ and β into a linear layer.
    ///
    /// ```text
    /// W' = W · diag(γ/√(σ² + ε))        b' = b + W β − W' μ
    /// ```
    pub(super) fn fold(
        &self,
        weight: Array2<f64>,
        bias: Array1<f64>,
    ) -> (Array2<f64>, Array1<f64>) {
        let deviation = self.variance.mapv(|v| (f64::from(v) + f64::from(EPSILON)).sqrt());
        let scale = self.gain.value.mapv(f64::from) / deviation;
        let bias = bias + weight.dot(&self.offset.value.mapv(f64::from));
        let weight = weight * scale.insert_axis(Axis(0)); // [classes, dim]
        let bias = bias - weight.dot(&self.mean.mapv(f64::from));
        (weight, bias)
    }
}

/// 0 for a feature that is dropped, 1/(1 − p) for one that stays, `[samples, dim]`; a stream for each
/// step and sample.
pub(super) fn mask(dropout: f32, shape: (usize, usize), seed: u64, step: u32) -> Array2<f32> {
    let keep = 1.0 - dropout;
    let threshold = f64::from(dropout) * 4_294_967_296.0; // 2³²
    let mut mask = Array2::from_elem(shape, keep.recip());
    if threshold > 0.0 {
        let rows: Vec<_> = mask.axis_iter_mut(Axis(0)).enumerate().collect();
        rows.into_par_iter().for_each(|(sample, mut row)| {
            let address = [DROPOUT, u64::from(step), sample as u64, 0];
            let mut random = stream(seed, Purpose::Probe, address);
            for value in &mut row {
                if f64::from(random.random::<u32>()) < threshold {
                    *value = 0.0;
                }
            }
        });
    }
    mask
}

/// Drops every other feature by the bits of a stream for each step and sample, and doubles the rest.
pub(super) fn halve(mut x: Array2<f32>, seed: u64, step: u32) -> Array2<f32> {
    let rows: Vec<_> = x.axis_iter_mut(Axis(0)).enumerate().collect();
    rows.into_par_iter().for_each(|(sample, mut row)| {
        let address = [DROPOUT, u64::from(step), sample as u64, 1];
        let mut random = stream(seed, Purpose::Probe, address);
        for mut part in row.axis_chunks_iter_mut(Axis(0), 64) {
            let mut bits = random.random::<u64>();
            for value in &mut part {
                *value *= (2 * (bits & 1)) as f32;
                bits >>= 1;
            }
        }
    });
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_drop_half_of_the_features_anew_in_every_step() {
        let ones = || Array2::ones((3, 5_000));
        let first = halve(ones(), 1, 0);
        let doubled = |&v: &f32| v.abs() <= 0.0 || (v - 2.0).abs() <= 0.0;
        assert!(first.iter().all(doubled));
        // Five standard deviations of 15,000 coins.
        assert!((first.mean().unwrap() - 1.0).abs() < 0.041);
        assert!(first != halve(ones(), 1, 1) && first.row(0) != first.row(1));
        assert_eq!(first, halve(ones(), 1, 0));
    }

    #[test]
    fn half_of_the_features_are_dropped_and_the_rest_counts_double() {
        let mask = mask(0.5, (4, 5_000), 1, 0);
        let dropped = mask.iter().filter(|value| **value < 1.0).count();
        // Binomial(20000, ½): standard deviation 71.
        assert!((9_700..10_300).contains(&dropped), "{dropped}");
        assert!(mask.iter().all(|value| [0.0, 2.0].contains(value)));
        assert_ne!(mask.row(0), mask.row(1));
    }

    #[test]
    fn every_step_drops_others() {
        assert_ne!(mask(0.5, (1, 64), 1, 0), mask(0.5, (1, 64), 1, 1));
    }
}
