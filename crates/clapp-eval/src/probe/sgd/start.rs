//! Weights before the first step.

use clapp_random::{Purpose, Stream, stream};
use ndarray::{Array1, Array2, Axis};
use rand::RngExt;
use rayon::prelude::*;

/// First indices of the streams of [`Purpose::Probe`] used here; 1 and 3 are orders of samples.
const UNIFORM: u64 = 0;
const NORMAL: u64 = 2;

/// Weights and biases before the first step, d the number of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// Both from U(−1/√d, 1/√d), the default of most frameworks.
    Uniform,
    /// Weights from N(0, 2/(d + classes)) (Xavier), biases from U(−1/√d, 1/√d).
    XavierNormal,
    /// Weights with orthonormal rows, biases 0.
    Orthonormal,
}

impl Start {
    /// W `[classes, dim]` and b `[classes]`.
    pub(super) fn draw(self, classes: usize, dim: usize, seed: u64) -> (Array2<f32>, Array1<f32>) {
        let random = |first| stream(seed, Purpose::Probe, [first, 0, 0, 0]);
        if self == Self::Orthonormal {
            return (orthogonal(classes, dim, &mut random(NORMAL)), Array1::zeros(classes));
        }
        let (bound, mut draws) = ((dim as f32).sqrt().recip(), random(UNIFORM));
        let mut uniform = || draws.random_range(-bound..=bound);
        let mut weight = Array2::from_shape_simple_fn((classes, dim), &mut uniform);
        let bias = Array1::from_shape_simple_fn(classes, &mut uniform);
        if self == Self::XavierNormal {
            let (deviation, mut draws) = ((2.0 / (dim + classes) as f32).sqrt(), random(NORMAL));
            weight.mapv_inplace(|_| deviation * single_normal(&mut draws));
        }
        (weight, bias)
    }
}

/// A draw from the standard normal distribution (Box & Muller).
fn single_normal(random: &mut Stream) -> f32 {
    // 1 − u is above 0, so that its logarithm is finite.
    let radius = (-2.0 * (1.0 - random.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.random::<f32>()).cos()
}

/// A random matrix with orthonormal rows (columns, if it is higher than wide), uniform among them.
///
/// Gaussian vectors made orthogonal by Gram and Schmidt, twice for accuracy: the distribution of the QR
/// decomposition with positive diagonal, as in PyTorch's `orthogonal_`.
fn orthogonal(rows: usize, columns: usize, random: &mut Stream) -> Array2<f32> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Array1<f64>> =
        (0..count).map(|_| Array1::from_shape_simple_fn(length, || normal(random))).collect();
    for _ in 0..2 {
        for done in 0..count {
            let (head, rest) = vectors.split_at_mut(done + 1);
            let unit = &mut head[done];
            let norm = unit.dot(unit).sqrt();
            *unit /= norm;
            let unit = &*unit;
            rest.par_iter_mut().for_each(|vector| {
                let share = vector.dot(unit);
                vector.scaled_add(-share, unit);
            });
        }
    }
    let mut matrix = Array2::zeros((count, length));
    for (mut row, vector) in matrix.axis_iter_mut(Axis(0)).zip(&vectors) {
        row.assign(&vector.mapv(|value| value as f32));
    }
    if rows <= columns { matrix } else { matrix.reversed_axes().as_standard_layout().into_owned() }
}

/// The same in double precision.
fn normal(random: &mut Stream) -> f64 {
    let (u, turn) = (random.random::<f64>(), random.random::<f64>());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * turn).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xavier_weights_have_their_deviation() {
        let (values, bias) = Start::XavierNormal.draw(41, 256, 1);
        let power = values.mapv(|w| w * w).mean().unwrap();
        // √(2/297) = 0.0821; of 10,496 draws the deviation is known to 1/√(2·10,496) = 0.7 %.
        assert!((power.sqrt() / 0.082_1 - 1.0).abs() < 0.03, "{}", power.sqrt());
        assert!(values.mean().unwrap().abs() < 0.003);
        assert!(bias.iter().all(|b| b.abs() <= 1.0 / 16.0));
    }

    #[test]
    fn the_shorter_side_is_orthonormal() {
        for (rows, columns) in [(5, 40), (40, 5), (12, 12), (1, 3)] {
            let matrix = orthogonal(rows, columns, &mut stream(1, Purpose::Test, [0; 4]));
            assert_eq!(matrix.dim(), (rows, columns));
            let product =
                if rows <= columns { matrix.dot(&matrix.t()) } else { matrix.t().dot(&matrix) };
            for ((i, j), value) in product.indexed_iter() {
                let expected = if i == j { 1.0 } else { 0.0 };
                // Rounding to single precision of up to 40 products.
                assert!((value - expected).abs() < 1e-6, "{rows}×{columns}: {value} at {i}, {j}");
            }
        }
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut random = stream(1, Purpose::Test, [1, 0, 0, 0]);
        let draws: Vec<f64> = (0..20_000).map(|_| normal(&mut random)).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        // Four standard deviations: 4/√20000 and 4·√2/√20000.
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
    }
}
