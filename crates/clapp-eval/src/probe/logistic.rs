//! Regularised multinomial logistic regression as one objective: value and gradient.

use ndarray::{Array1, Array2, ArrayView2, Axis, Slice, linalg::general_mat_mul};
use rayon::prelude::*;

use super::lbfgs::{Minimum, Stop, minimise};
use super::precondition::Preconditioner;
use super::readout::{ROWS, cross_entropy};

/// Rows multiplied at once; a block of 4096 features then stays in the cache for both products.
const BLOCK: usize = 64;

/// A convex problem: standardised features, labels and a penalty.
///
/// ```text
/// f(W, b) = (1/n) Σ_n −ln softmax(W x_n + b)_{y_n} + (λ/2) ‖W‖²
/// ```
/// Parameters are one vector: W row by row, then b.
#[derive(Debug)]
pub(super) struct Logistic<'a> {
    pub x: ArrayView2<'a, f64>, // [samples, dim]
    pub labels: &'a [u32],
    pub classes: usize,
    pub lambda: f64,
}

impl Logistic<'_> {
    /// Minimises from W = 0, b = 0.
    pub fn solve(&self, tolerance: f64, max_iterations: usize) -> Minimum {
        let start = Array1::zeros(self.classes * (self.x.ncols() + 1));
        let preconditioner = Preconditioner::new(self.x, self.classes, self.lambda);
        let precondition = |vector| match &preconditioner {
            Some(preconditioner) => preconditioner.apply(vector),
            None => vector,
        };
        let stop = Stop { tolerance, max_iterations };
        minimise(start, stop, precondition, |point| self.value_and_gradient(point))
    }

    /// W `[classes, dim]` and b `[classes]` of a parameter vector.
    pub fn unpack(&self, point: &Array1<f64>) -> (Array2<f64>, Array1<f64>) {
        let dim = self.x.ncols();
        let weight = Array2::from_shape_fn((self.classes, dim), |(c, i)| point[c * dim + i]);
        (weight, point.iter().skip(self.classes * dim).copied().collect())
    }

    /// `∂f/∂W = (1/n) (p − onehot(y))ᵀ X + λW`, `∂f/∂b = (1/n) Σ_n (p − onehot(y))`.
    ///
    /// Rows are summed in tasks of fixed size and the tasks in order: the result is the same bit for
    /// bit on any number of threads.
    pub fn value_and_gradient(&self, point: &Array1<f64>) -> (f64, Array1<f64>) {
        let (weight, bias) = self.unpack(point);
        let tasks: Vec<_> = (0..self.x.nrows().div_ceil(ROWS))
            .into_par_iter()
            .map(|task| self.rows(task * ROWS, (task + 1) * ROWS, &weight, &bias))
            .collect();
        let samples = self.x.nrows() as f64;
        let mut value = 0.5 * self.lambda * weight.iter().map(|w| w * w).sum::<f64>();
        let mut grad_weight = weight * self.lambda;
        let mut grad_bias = Array1::zeros(self.classes);
        for (task_loss, task_weight, task_bias) in &tasks {
            value += task_loss / samples;
            grad_weight.scaled_add(samples.recip(), task_weight);
            grad_bias.scaled_add(samples.recip(), task_bias);
        }
        (value, grad_weight.into_iter().chain(grad_bias).collect())
    }

    /// Loss and gradient summed over rows `first..last`, block by block.
    fn rows(
        &self,
        first: usize,
        last: usize,
        weight: &Array2<f64>,
        bias: &Array1<f64>,
    ) -> (f64, Array2<f64>, Array1<f64>) {
        let last = last.min(self.x.nrows());
        let mut loss = 0.0;
        let mut grad_weight = Array2::zeros(weight.dim());
        let mut grad_bias = Array1::zeros(bias.len());
        for start in (first..last).step_by(BLOCK) {
            let end = last.min(start + BLOCK);
            let x = self.x.slice_axis(Axis(0), Slice::from(start..end));
            let mut residual = x.dot(&weight.t()) + bias; // [rows, classes]
            loss += cross_entropy(residual.view_mut(), &self.labels[start..end]);
            general_mat_mul(1.0, &residual.t(), &x, 1.0, &mut grad_weight);
            grad_bias += &residual.sum_axis(Axis(0));
        }
        (loss, grad_weight, grad_bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clapp_random::{Purpose, stream};
    use ndarray::array;
    use rand::RngExt;

    fn noise(shape: (usize, usize), index: u64) -> Array2<f64> {
        let mut rng = stream(3, Purpose::Test, [index, 0, 0, 0]);
        Array2::from_shape_simple_fn(shape, || rng.random_range(-1.0..1.0))
    }

    #[test]
    fn gradient_agrees_with_finite_differences() {
        let x = noise((300, 7), 0);
        let labels: Vec<u32> = (0..300).map(|i| i * i % 3).collect();
        let problem = Logistic { x: x.view(), labels: &labels, classes: 3, lambda: 0.1 };
        let point = noise((1, 24), 1).row(0).to_owned();
        let (_, gradient) = problem.value_and_gradient(&point);
        let step = 1e-5; // central difference: error ∝ step² plus rounding / step, about 1e-10
        for (i, &expected) in gradient.indexed_iter() {
            let value_at = |offset: f64| {
                let mut moved = point.clone();
                moved[i] += offset;
                problem.value_and_gradient(&moved).0
            };
            let slope = (value_at(step) - value_at(-step)) / (2.0 * step);
            assert!((slope - expected).abs() < 1e-8, "{i}: {slope} {expected}");
        }
    }

    #[test]
    fn two_points_have_the_solution_found_by_hand() {
        // x = ∓1, y = 0, 1, λ = ½: by symmetry W = (−w, w), b = 0 and f = ln(1 + e^(−2w)) + w²/2,
        // so w solves w = 2/(1 + e^(2w)).
        let x = array![[-1.0], [1.0]];
        let problem = Logistic { x: x.view(), labels: &[0, 1], classes: 2, lambda: 0.5 };
        let minimum = problem.solve(1e-10, 100);
        let (mut low, mut high) = (0.0_f64, 1.0);
        for _ in 0..60 {
            let w = 0.5 * (low + high);
            if w < 2.0 / (1.0 + (2.0 * w).exp()) { low = w } else { high = w }
        }
        let expected = array![-low, low, 0.0, 0.0];
        assert!((low - 0.5213).abs() < 1e-4, "{low}");
        assert!((minimum.point - expected).iter().all(|d| d.abs() < 1e-9));
    }

    #[test]
    fn at_the_solution_the_bias_explains_the_class_frequencies() {
        // Optimality in b: the mean predicted probability of a class is its frequency.
        let x = noise((90, 4), 2);
        let labels: Vec<u32> =
            (0..90).map(|i| u32::from(i % 3 == 0) + u32::from(i % 9 == 0)).collect();
        let problem = Logistic { x: x.view(), labels: &labels, classes: 3, lambda: 0.01 };
        let minimum = problem.solve(1e-9, 500);
        assert!(minimum.converged && minimum.gradient_norm <= 1e-9);
        let (weight, bias) = problem.unpack(&minimum.point);
        let mut residual = x.dot(&weight.t()) + &bias;
        cross_entropy(residual.view_mut(), &labels);
        assert!(residual.mean_axis(Axis(0)).unwrap().iter().all(|r| r.abs() < 1e-8));
        // Optimality in W: λW = −(1/n) Rᵀ X.
        let pull = residual.t().dot(&x) / -90.0;
        assert!((weight * 0.01 - pull).iter().all(|d| d.abs() < 1e-8));
    }
}
