//! Zero mean and unit variance, as measured on the training part.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

/// Puts every feature on one scale, with the moments of the training part.
///
/// ```text
/// x' = (x − μ) / σ        μ = mean of the training part, σ² = its biased variance
/// ```
/// A linear read-out of raw activities mostly measures how the activities are scaled; standardised
/// features make layers, encoders and pixels comparable. The moments are taken from the training
/// part alone, so the test part stays unseen.
///
/// A feature whose training values differ by no more than rounding (σ ≤ 2⁻²³·|μ|), such as a unit
/// that is never active, carries no information and becomes 0 everywhere.
///
/// # Example
///
/// ```
/// use clapp_eval::Standardiser;
/// use ndarray::array;
///
/// let standardiser = Standardiser::fit(array![[1.0, 7.0], [3.0, 7.0]].view());
/// assert_eq!(standardiser.apply(array![[3.0, 8.0]].view()), array![[1.0, 0.0]]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Standardiser {
    mean: Array1<f64>,    // [dim]
    inverse: Array1<f64>, // [dim]: 1/σ, or 0 of a constant feature
}

impl Standardiser {
    /// Measures mean and variance of each feature, in f64 and in two passes.
    ///
    /// # Shapes
    ///
    /// - `train`: `[samples, dim]`
    ///
    /// # Panics
    ///
    /// If `train` has no row.
    #[must_use]
    pub fn fit(train: ArrayView2<'_, f32>) -> Self {
        assert!(train.nrows() > 0, "standardiser: expected at least one row, got none");
        let samples = train.nrows() as f64;
        let mut mean = Array1::<f64>::zeros(train.ncols());
        for row in train.axis_iter(Axis(0)) {
            mean.zip_mut_with(&row, |sum, &x| *sum += f64::from(x));
        }
        mean /= samples;
        let mut variance = Array1::<f64>::zeros(train.ncols());
        for row in train.axis_iter(Axis(0)) {
            ndarray::Zip::from(&mut variance)
                .and(&row)
                .and(&mean)
                .for_each(|sum, &x, &m| *sum += (f64::from(x) - m).powi(2));
        }
        let inverse = ndarray::Zip::from(&variance).and(&mean).map_collect(|&sum, &m| {
            let deviation = (sum / samples).sqrt();
            let noise = f64::from(f32::EPSILON) * m.abs();
            if deviation > noise { deviation.recip() } else { 0.0 }
        });
        Self { mean, inverse }
    }

    /// Standardises `values`.
    ///
    /// # Shapes
    ///
    /// - `values`, returns: `[samples, dim]`
    ///
    /// # Panics
    ///
    /// If `values` has another number of features than the training part.
    #[must_use]
    pub fn apply(&self, values: ArrayView2<'_, f32>) -> Array2<f64> {
        let (dim, expected) = (values.ncols(), self.mean.len());
        assert!(dim == expected, "standardiser: expected {expected} features, got {dim}");
        let mut standard = values.mapv(f64::from);
        for mut row in standard.axis_iter_mut(Axis(0)) {
            ndarray::Zip::from(&mut row)
                .and(&self.mean)
                .and(&self.inverse)
                .for_each(|x, &mean, &inverse| *x = (*x - mean) * inverse);
        }
        standard // [samples, dim]
    }

    /// μ, `[dim]`.
    #[must_use]
    pub fn mean(&self) -> ArrayView1<'_, f64> {
        self.mean.view()
    }

    /// 1/σ, or 0 of a constant feature, `[dim]`.
    #[must_use]
    pub fn inverse(&self) -> ArrayView1<'_, f64> {
        self.inverse.view()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clapp_random::{Purpose, stream};
    use rand::RngExt;

    /// Rounding of f32 inputs, summed in f64.
    const TOLERANCE: f64 = 1e-9;

    #[test]
    fn training_part_gets_zero_mean_and_unit_variance() {
        let mut rng = stream(1, Purpose::Test, [0; 4]);
        let train = Array2::from_shape_fn((200, 5), |(_, j)| {
            100.0 * j as f32 + (j as f32 + 1.0) * rng.random::<f32>()
        });
        let standard = Standardiser::fit(train.view()).apply(train.view());
        for column in standard.axis_iter(Axis(1)) {
            let mean = column.mean().unwrap();
            let variance = column.mapv(|x| (x - mean).powi(2)).mean().unwrap();
            assert!(mean.abs() < TOLERANCE && (variance - 1.0).abs() < TOLERANCE);
        }
    }

    #[test]
    fn constant_features_become_zero_even_where_the_test_part_varies() {
        let standardiser = Standardiser::fit(Array2::from_elem((33, 2), 0.1).view());
        let test = standardiser.apply(ndarray::array![[0.1, 5.0]].view());
        assert_eq!(test, ndarray::array![[0.0, 0.0]]);
    }
}
