//! The standardised protocol: what a linear read-out can get at all.

use ndarray::ArrayView2;

use super::logistic::Logistic;
use super::{LinearReadout, Probe, Protocol, Readout, at_least_one, positive};
use crate::features::folds;
use crate::{Error, Features, Standardiser, metrics};

/// Default penalty strength: the sum of the losses plus ½‖W‖², which is the default of the
/// widely used scikit-learn (`C = 1`), so numbers can be compared with those of others.
const DEFAULT_STRENGTH: f64 = 1.0;

/// How strongly weights are penalised.
///
/// A strength s weighs the penalty against the *sum* of the losses; against their mean it is λ = s/n.
#[derive(Clone, Debug, PartialEq)]
pub enum Strength {
    /// This strength.
    Fixed(f64),
    /// The strength of `grid` with the best mean accuracy over `folds` held-out parts of the training
    /// part (stratified, drawn by the seed of the fit); of equals the larger.
    Selected {
        /// Strengths to try.
        grid: Vec<f64>,
        /// Number of held-out parts, at least 2.
        folds: usize,
    },
}

/// Standardise, then L2-regularised multinomial logistic regression to convergence.
///
/// ```text
/// min (1/n) Σ_n −ln softmax(W x'_n + b)_{y_n} + (λ/2) ‖W‖²        x' = (x − μ)/σ, λ = s/n
/// ```
/// The bias is not penalised. The problem is convex and has one solution, so the number depends on
/// the features alone: no learning rate, no epochs, no initial weights. Solved in f64 on the full
/// batch by L-BFGS; on one machine the result is the same bit for bit on any number of threads.
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `strength` | `Fixed(1)` | penalty |
/// | `tolerance` | 1e-5 | largest component of the gradient at which to stop |
/// | `max_iterations` | 5000 | when to give up |
///
/// # Example
///
/// ```
/// use clapp_eval::{Features, StandardisedProbe};
/// use ndarray::array;
///
/// let train = Features::new(array![[1.0], [2.0], [7.0], [9.0]], vec![0, 0, 1, 1])?;
/// let solution = StandardisedProbe::default().solve(&train, 1)?;
/// assert!(solution.converged && solution.gradient_norm <= 1e-5);
/// assert_eq!(solution.lambda, 0.25);
/// # Ok::<(), clapp_eval::Error>(())
/// ```
///
/// # Cost
///
/// O(n·d·classes) an iteration and some tens of iterations, after O(n·d² + d³) for a preconditioner
/// (from n ≥ d/4 to d ≤ 4096, or O(n²·d + n³) of up to 8192 samples with more features; it changes the way,
/// not the solution). Keeps the features in f64 and one d × d or n × n matrix. 5,000 samples of 1,024 features and 10 classes take about a second on two cores.
#[derive(Clone, Debug, PartialEq)]
pub struct StandardisedProbe {
    /// How strongly weights are penalised.
    pub strength: Strength,
    /// Largest absolute component of the gradient at which the solver stops.
    pub tolerance: f64,
    /// Iterations after which the solver gives up.
    pub max_iterations: usize,
}

impl Default for StandardisedProbe {
    fn default() -> Self {
        let strength = Strength::Fixed(DEFAULT_STRENGTH);
        Self { strength, tolerance: 1e-5, max_iterations: 5000 }
    }
}

/// A solved logistic regression and how well it was solved.
#[derive(Clone, Debug)]
pub struct Solution {
    /// The read-out, for raw features.
    pub readout: LinearReadout,
    /// The penalty λ against the mean loss.
    pub lambda: f64,
    /// The objective at the end: mean cross-entropy plus penalty, in nats.
    pub objective: f64,
    /// Iterations used.
    pub iterations: usize,
    /// Largest absolute component of the gradient at the end.
    pub gradient_norm: f64,
    /// Whether it fell to the tolerance.
    pub converged: bool,
}

impl StandardisedProbe {
    /// Solves the regression and says how well; `seed` draws the folds of [`Strength::Selected`].
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if a strength or the tolerance is not finite and above 0, the grid is empty
    /// or there are fewer than 2 folds or more folds than samples. A solution that is not converged
    /// is returned as such.
    pub fn solve(&self, train: &Features, seed: u64) -> Result<Solution, Error> {
        let train = &*train.loaded()?;
        positive("tolerance", self.tolerance)?;
        at_least_one("max_iterations", self.max_iterations)?;
        let strength = match &self.strength {
            Strength::Fixed(strength) => *strength,
            Strength::Selected { grid, folds } => self.select(train, grid, *folds, seed)?,
        };
        positive("penalty strength", strength)?;
        Ok(self.solve_at(train, strength))
    }

    fn solve_at(&self, train: &Features, strength: f64) -> Solution {
        let standardiser = Standardiser::fit(train.values());
        let x = standardiser.apply(train.values());
        let lambda = strength / train.len() as f64;
        let (labels, classes) = (train.labels(), train.classes());
        let problem = Logistic { x: x.view(), labels, classes, lambda };
        let minimum = problem.solve(self.tolerance, self.max_iterations);
        let (weight, bias) = problem.unpack(&minimum.point);
        Solution {
            readout: LinearReadout::new(weight, bias).of_standardised(&standardiser),
            lambda,
            objective: minimum.value,
            iterations: minimum.iterations,
            gradient_norm: minimum.gradient_norm,
            converged: minimum.converged,
        }
    }

    /// The strength of `grid` with the best mean accuracy on held-out parts.
    fn select(&self, train: &Features, grid: &[f64], n: usize, seed: u64) -> Result<f64, Error> {
        at_least_one("size of the strength grid", grid.len())?;
        grid.iter().try_for_each(|&strength| positive("penalty strength", strength))?;
        if n < 2 || n > train.len() {
            let expected = "2 to the number of samples";
            return Err(Error::Setting { setting: "folds", expected, got: n as f64 });
        }
        let fold_of = folds(train.labels(), train.classes(), n, seed);
        let held_out = |fold, strength| {
            let part = |inside: bool| -> Vec<usize> {
                (0..train.len()).filter(|&i| (fold_of[i] == fold) == inside).collect()
            };
            let test = train.subset(&part(true));
            let solution = self.solve_at(&train.subset(&part(false)), strength);
            metrics::top1(solution.readout.scores(test.values()).view(), test.labels())
        };
        let score = |strength| (0..n).map(|fold| held_out(fold, strength)).sum::<f64>() / n as f64;
        let mut candidates: Vec<(f64, f64)> = grid.iter().map(|&s| (score(s), s)).collect();
        candidates.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Ok(candidates[candidates.len() - 1].1)
    }
}

impl Probe for StandardisedProbe {
    fn protocol(&self) -> Protocol {
        Protocol::Standardised
    }

    fn fit(&self, train: &Features, seed: u64) -> Result<Box<dyn Readout>, Error> {
        let Solution { readout, iterations, gradient_norm, converged, .. } =
            self.solve(train, seed)?;
        match converged {
            true => Ok(Box::new(readout)),
            false => {
                let tolerance = self.tolerance;
                Err(Error::NotConverged { iterations, gradient_norm, tolerance })
            }
        }
    }
}

impl Readout for Solution {
    fn scores(&self, values: ArrayView2<'_, f32>) -> ndarray::Array2<f64> {
        self.readout.scores(values)
    }
}
