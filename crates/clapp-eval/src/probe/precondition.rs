//! An approximate inverse Hessian of the logistic regression, from the second moments of the features.

use ndarray::{
    Array1, Array2, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis, Slice, linalg::general_mat_mul,
};
use rayon::prelude::*;

/// Columns of the second moments computed by one task.
const COLUMNS: usize = 128;
/// Above this dimension the factorisation of the features' second moments costs more than the iterations that
/// it saves; that of the samples' then serves, up to so many of them.
const MAX_DIM: usize = 4096;
const MAX_SAMPLES: usize = 8192;
/// Classes solved together by one task.
const AT_ONCE: usize = 5;
/// Why rows are slices.
const CONTIGUOUS: &str = "rows of a matrix in standard layout are contiguous";

/// Solves with the Hessian at W = 0, up to the coupling between classes.
///
/// ```text
/// P = (1/C) XᵀX/n + λI = L Lᵀ        W ← W P⁻¹, b ← C b
/// ```
/// Features of trained networks are strongly correlated; in the coordinates that P undoes they are
/// not, and L-BFGS needs several times fewer passes over the features. The solution is the same.
///
/// Of more features than [`MAX_DIM`] the samples' products are factorised instead (Woodbury):
///
/// ```text
/// P⁻¹ = (1/λ) (I − Xᵀ (nCλ I + X Xᵀ)⁻¹ X)
/// ```
#[derive(Debug)]
pub(super) struct Preconditioner<'a> {
    factor: Array2<f64>, // [dim, dim] or [samples, samples], lower triangle
    classes: usize,
    wide: Option<Wide<'a>>,
}

/// What solving with the samples' products takes.
#[derive(Debug)]
struct Wide<'a> {
    x: ArrayView2<'a, f64>,
    lambda: f64,
}

impl<'a> Preconditioner<'a> {
    /// Factorises P; none where that does not pay: far fewer samples than features unless these are
    /// very many, or very many of both.
    pub fn new(x: ArrayView2<'a, f64>, classes: usize, lambda: f64) -> Option<Self> {
        let (samples, dim) = x.dim();
        let wide = dim > MAX_DIM;
        let pays = if wide { samples <= MAX_SAMPLES.min(dim) } else { 4 * samples >= dim };
        if !pays {
            return None;
        }
        let scale = (samples * classes) as f64;
        let (mut matrix, penalty) = match wide {
            true => (second_moments(x.t()), lambda * scale),
            false => (second_moments(x) / scale, lambda),
        };
        matrix.diag_mut().map_inplace(|value| *value += penalty);
        let wide = wide.then_some(Wide { x, lambda });
        cholesky(&mut matrix).then_some(Self { factor: matrix, classes, wide })
    }

    /// P⁻¹ times a vector of parameters: W row by row, then b.
    pub fn apply(&self, mut vector: Array1<f64>) -> Array1<f64> {
        let dim = vector.len() / self.classes - 1;
        let values = vector.as_slice_mut().expect("an owned vector is contiguous");
        let (weight, bias) = values.split_at_mut(self.classes * dim);
        bias.iter_mut().for_each(|b| *b *= self.classes as f64);
        let size = self.factor.nrows();
        let Some(Wide { x, lambda }) = self.wide else {
            weight.par_chunks_mut(size * AT_ONCE).for_each(|vectors| self.solve(vectors));
            return vector;
        };
        weight.par_chunks_mut(dim * AT_ONCE).for_each(|weight| {
            let mut weight =
                ArrayViewMut2::from_shape((weight.len() / dim, dim), weight).expect("whole rows");
            let mut seen = weight.dot(&x.t());
            self.solve(seen.as_slice_mut().expect(CONTIGUOUS));
            general_mat_mul(-lambda.recip(), &seen, &x, lambda.recip(), &mut weight);
        });
        vector
    }

    /// Forward and backward substitution in several vectors, so that the factor is read once for all.
    fn solve(&self, vectors: &mut [f64]) {
        let dim = self.factor.nrows();
        for (i, factor) in self.factor.outer_iter().enumerate() {
            let factor = factor.to_slice().expect(CONTIGUOUS);
            for row in vectors.chunks_exact_mut(dim) {
                row[i] = (row[i] - dot(factor, row, i)) / factor[i];
            }
        }
        for (i, factor) in self.factor.outer_iter().enumerate().rev() {
            let factor = factor.to_slice().expect(CONTIGUOUS);
            for row in vectors.chunks_exact_mut(dim) {
                let value = row[i] / factor[i];
                row[i] = value;
                row[..i].iter_mut().zip(factor).for_each(|(r, f)| *r -= value * f);
            }
        }
    }
}

/// The lower triangle of `XᵀX` (and blocks above it), by blocks of columns.
fn second_moments(x: ArrayView2<'_, f64>) -> Array2<f64> {
    let dim = x.ncols();
    let blocks: Vec<Array2<f64>> = (0..dim.div_ceil(COLUMNS))
        .into_par_iter()
        .map(|block| {
            let (first, last) = (block * COLUMNS, dim.min((block + 1) * COLUMNS));
            let below = x.slice_axis(Axis(1), Slice::from(first..));
            below.t().dot(&x.slice_axis(Axis(1), Slice::from(first..last)))
        })
        .collect();
    let mut moments = Array2::zeros((dim, dim));
    for (mut columns, block) in moments.axis_chunks_iter_mut(Axis(1), COLUMNS).zip(&blocks) {
        let first = dim - block.nrows();
        columns.slice_axis_mut(Axis(0), Slice::from(first..)).assign(block);
    }
    moments
}

/// `A = L Lᵀ` in the lower triangle, block by block; false if A is not positive definite.
///
/// A block of columns is factorised, then its product is taken from what is right of it.
fn cholesky(matrix: &mut Array2<f64>) -> bool {
    let dim = matrix.nrows();
    for first in (0..dim).step_by(COLUMNS) {
        let last = dim.min(first + COLUMNS);
        let mut right = matrix.slice_axis_mut(Axis(1), Slice::from(first..));
        let (mut corner, mut below) =
            right.slice_axis_mut(Axis(0), Slice::from(first..)).split_at(Axis(0), last - first);
        let mut corner = corner.slice_axis_mut(Axis(1), Slice::from(..last - first));
        if !factorise_rows(&mut corner) {
            return false;
        }
        let (mut panel, mut rest) = below.view_mut().split_at(Axis(1), last - first);
        let rows: Vec<_> = panel.outer_iter_mut().collect();
        rows.into_par_iter().for_each(|row| divide(row, corner.view()));
        let panel = panel.view();
        let parts: Vec<_> = rest.axis_chunks_iter_mut(Axis(0), COLUMNS).enumerate().collect();
        parts.into_par_iter().for_each(|(place, mut part)| {
            // Up to the diagonal of this part.
            let (start, end) = (place * COLUMNS, place * COLUMNS + part.nrows());
            let left = panel.slice_axis(Axis(0), Slice::from(start..end));
            let up = panel.slice_axis(Axis(0), Slice::from(..end));
            let mut part = part.slice_axis_mut(Axis(1), Slice::from(..end));
            general_mat_mul(-1.0, &left, &up.t(), 1.0, &mut part);
        });
    }
    true
}

/// One block row by row (Cholesky–Banachiewicz).
fn factorise_rows(block: &mut ArrayViewMut2<'_, f64>) -> bool {
    for i in 0..block.nrows() {
        let (above, mut rest) = block.view_mut().split_at(Axis(0), i);
        let mut row = rest.row_mut(0);
        divide(row.slice_axis_mut(Axis(0), Slice::from(..i)), above.view());
        let known = row.iter().take(i).map(|l| l * l).sum::<f64>();
        let pivot = row[i] - known;
        if pivot.is_nan() || pivot <= 0.0 {
            return false;
        }
        row[i] = pivot.sqrt();
    }
    true
}

/// `row ← row L⁻ᵀ` for the lower triangle of `factor`, by forward substitution.
fn divide(mut row: ArrayViewMut1<'_, f64>, factor: ArrayView2<'_, f64>) {
    let row = row.as_slice_mut().expect(CONTIGUOUS);
    for (j, factor) in factor.outer_iter().enumerate() {
        row[j] = (row[j] - dot(factor.to_slice().expect(CONTIGUOUS), row, j)) / factor[j];
    }
}

/// Σ of the first `n` products, in eight interleaved sums that a compiler can keep in vectors.
fn dot(a: &[f64], b: &[f64], n: usize) -> f64 {
    let (a, b) = (a[..n].chunks_exact(8), b[..n].chunks_exact(8));
    let tail: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; 8];
    for (a, b) in a.zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use clapp_random::{Purpose, stream};
    use rand::RngExt;

    #[test]
    fn applying_undoes_the_second_moments() {
        let mut rng = stream(4, Purpose::Test, [0; 4]);
        let (samples, dim, classes, lambda) = (400, 300, 2, 0.05);
        let mut noise = |shape| Array2::from_shape_simple_fn(shape, || rng.random_range(-1.0..1.0));
        let (x, weight) = (noise((samples, dim)), noise((classes, dim)));
        let preconditioner = Preconditioner::new(x.view(), classes, lambda).unwrap();
        let product = weight.dot(&x.t()).dot(&x) / (samples * classes) as f64 + lambda * &weight;
        let vector: Array1<f64> = product.into_iter().chain([1.0, 2.0]).collect();
        let expected: Array1<f64> = weight.into_iter().chain([2.0, 4.0]).collect();
        assert!((preconditioner.apply(vector) - expected).iter().all(|d| d.abs() < 1e-10));
    }

    #[test]
    fn of_many_features_the_samples_products_undo_the_same() {
        let mut rng = stream(5, Purpose::Test, [0; 4]);
        let (samples, dim, classes, lambda) = (20, MAX_DIM + 1, 2, 0.05);
        let mut noise = |shape| Array2::from_shape_simple_fn(shape, || rng.random_range(-1.0..1.0));
        let (x, weight) = (noise((samples, dim)), noise((classes, dim)));
        let preconditioner = Preconditioner::new(x.view(), classes, lambda).unwrap();
        let product = weight.dot(&x.t()).dot(&x) / (samples * classes) as f64 + lambda * &weight;
        let vector: Array1<f64> = product.into_iter().chain([1.0, 2.0]).collect();
        let expected: Array1<f64> = weight.into_iter().chain([2.0, 4.0]).collect();
        assert!((preconditioner.apply(vector) - expected).iter().all(|d| d.abs() < 1e-10));
    }

    #[test]
    fn far_fewer_samples_than_features_are_left_alone() {
        assert!(Preconditioner::new(Array2::zeros((3, 13)).view(), 2, 0.1).is_none());
    }
}
