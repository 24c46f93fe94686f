//! Weights that keep lengths: orthonormal rows, or columns if there are fewer of them.

use ndarray::{Array1, Array2, Axis};
use rand::RngExt;
use rayon::prelude::*;

use clapp_random::Stream;

/// A random matrix with orthonormal rows (columns, if it is higher than wide), uniform among them.
///
/// Gaussian vectors made orthogonal by Gram and Schmidt, twice for accuracy: the distribution of the QR
/// decomposition with positive diagonal, as in PyTorch's `orthogonal_`.
pub(super) fn orthogonal(rows: usize, columns: usize, random: &mut Stream) -> Array2<f32> {
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

/// A normal number by Box and Muller. `1 − u` keeps the logarithm finite.
fn normal(random: &mut Stream) -> f64 {
    let (u, turn) = (random.random::<f64>(), random.random::<f64>());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * turn).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clapp_random::{Purpose, stream};

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
