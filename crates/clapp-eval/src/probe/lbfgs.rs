//! Limited-memory BFGS with a weak-Wolfe line search, for smooth convex functions.

use std::collections::VecDeque;

use ndarray::Array1;

/// Pairs (step, change of gradient) that stand for the inverse Hessian. More than the usual 10: a
/// pair costs little beside one pass over the features.
const MEMORY: usize = 20;
/// Sufficient decrease (Armijo) and curvature (Wolfe) constants of Nocedal & Wright.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// Halvings or doublings before a line search is given up.
const MAX_TRIALS: usize = 40;

/// Where a minimisation ended.
#[derive(Clone, Debug)]
pub(super) struct Minimum {
    pub point: Array1<f64>,
    pub value: f64,
    /// Largest absolute component of the gradient.
    pub gradient_norm: f64,
    pub iterations: usize,
    pub converged: bool,
}

/// When a minimisation ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    /// Largest absolute component of the gradient of a solution.
    pub tolerance: f64,
    /// When to give up.
    pub max_iterations: usize,
}

/// Minimises `objective`, which returns value and gradient, until the largest absolute component of
/// the gradient is at most the tolerance. `precondition` is about the inverse Hessian times a vector,
/// up to a factor; the identity will do.
pub(super) fn minimise(
    start: Array1<f64>,
    Stop { tolerance, max_iterations }: Stop,
    precondition: impl Fn(Array1<f64>) -> Array1<f64>,
    mut objective: impl FnMut(&Array1<f64>) -> (f64, Array1<f64>),
) -> Minimum {
    let (mut point, (mut value, mut gradient)) = (start.clone(), objective(&start));
    let mut memory = VecDeque::with_capacity(MEMORY);
    let mut iterations = 0;
    while largest(&gradient) > tolerance && iterations < max_iterations {
        let direction = -inverse_hessian_times(&gradient, &memory, &precondition);
        let Some(step) = line_search(&point, value, &gradient, &direction, &mut objective) else {
            break;
        };
        let moved = &step.point - &point;
        let change = &step.gradient - &gradient;
        let curvature = moved.dot(&change);
        if curvature > 0.0 {
            if memory.len() == MEMORY {
                memory.pop_front();
            }
            let scale = curvature / change.dot(&precondition(change.clone()));
            memory.push_back(Pair { moved, change, curvature, scale });
        }
        (point, value, gradient) = (step.point, step.value, step.gradient);
        iterations += 1;
    }
    let gradient_norm = largest(&gradient);
    Minimum { point, value, gradient_norm, iterations, converged: gradient_norm <= tolerance }
}

/// A step of the past: s, y, sᵀy and sᵀy/yᵀP⁻¹y.
struct Pair {
    moved: Array1<f64>,
    change: Array1<f64>,
    curvature: f64,
    scale: f64,
}

/// `H g` by the two-loop recursion (Nocedal & Wright, algorithm 7.4), H₀ = (sᵀy/yᵀP⁻¹y) P⁻¹.
fn inverse_hessian_times(
    gradient: &Array1<f64>,
    memory: &VecDeque<Pair>,
    precondition: impl Fn(Array1<f64>) -> Array1<f64>,
) -> Array1<f64> {
    let mut q = gradient.clone();
    let mut alphas = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let alpha = pair.moved.dot(&q) / pair.curvature;
        q.scaled_add(-alpha, &pair.change);
        alphas.push(alpha);
    }
    q = precondition(q) * memory.back().map_or(1.0, |pair| pair.scale);
    for (pair, alpha) in memory.iter().zip(alphas.into_iter().rev()) {
        let beta = pair.change.dot(&q) / pair.curvature;
        q.scaled_add(alpha - beta, &pair.moved);
    }
    q
}

struct Step {
    point: Array1<f64>,
    value: f64,
    gradient: Array1<f64>,
}

/// Bisection for the weak Wolfe conditions (Lewis & Overton 2013); none if rounding hides descent.
fn line_search(
    point: &Array1<f64>,
    value: f64,
    gradient: &Array1<f64>,
    direction: &Array1<f64>,
    objective: &mut impl FnMut(&Array1<f64>) -> (f64, Array1<f64>),
) -> Option<Step> {
    let slope = gradient.dot(direction);
    let rounding = 4.0 * f64::EPSILON * value.abs();
    let (mut low, mut high, mut length) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..MAX_TRIALS {
        let mut trial = point.clone();
        trial.scaled_add(length, direction);
        let (trial_value, trial_gradient) = objective(&trial);
        // Written so that a value that is not a number counts as too far.
        let decreased = trial_value <= value + DECREASE * length * slope + rounding;
        if !decreased {
            high = length;
        } else if trial_gradient.dot(direction) < CURVATURE * slope {
            low = length;
        } else {
            return Some(Step { point: trial, value: trial_value, gradient: trial_gradient });
        }
        length = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * low };
    }
    None
}

fn largest(gradient: &Array1<f64>) -> f64 {
    gradient.fold(0.0, |largest, g| largest.max(g.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn stop(tolerance: f64, max_iterations: usize) -> Stop {
        Stop { tolerance, max_iterations }
    }

    #[test]
    fn a_stretched_quadratic_is_solved() {
        // f = ½ Σ a_i (x_i − i)², condition number 10⁴
        let stretch = Array1::from_shape_fn(20, |i| 10_f64.powf(4.0 * i as f64 / 19.0));
        let centre = Array1::from_shape_fn(20, |i| i as f64);
        let minimum = minimise(
            Array1::zeros(20),
            stop(1e-8, 500),
            |v| v,
            |x| {
                let away = x - &centre;
                let gradient = &stretch * &away;
                (0.5 * gradient.dot(&away), gradient)
            },
        );
        assert!(minimum.converged, "{}", minimum.iterations);
        assert!((minimum.point - centre).iter().all(|d| d.abs() < 1e-7));
    }

    #[test]
    fn the_rosenbrock_valley_is_descended() {
        let minimum = minimise(
            array![-1.2, 1.0],
            stop(1e-9, 200),
            |v| v,
            |p| {
                let (x, y) = (p[0], p[1]);
                let value = (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
                let slope = 200.0 * (y - x * x);
                (value, array![-2.0 * (1.0 - x) - 2.0 * x * slope, slope])
            },
        );
        assert!(minimum.converged && (minimum.point - 1.0).iter().all(|d| d.abs() < 1e-8));
    }

    #[test]
    fn too_few_iterations_are_reported() {
        let minimum = minimise(
            array![5.0, 1.0],
            stop(1e-9, 1),
            |v| v,
            |p| (p.mapv(f64::exp).sum(), p.mapv(f64::exp)),
        );
        assert!(!minimum.converged && minimum.iterations == 1);
    }
}
