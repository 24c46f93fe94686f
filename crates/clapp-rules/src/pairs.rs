//! Which pairs a step contrasts: saccade targets, and fixation or saccade per sample.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use rand::RngExt;

use crate::third_factor::Outcome;

/// Rows of saccade targets, `[rows, n]`, on a device.
pub type Index = Tensor<2, Int>;

/// Extent of a grid without its channels.
///
/// ```
/// use clapp_rules::GridShape;
/// let grid = GridShape::from([32, 7, 7]);
/// assert_eq!(grid.rows(2), 32 * 5 * 7);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridShape {
    /// Samples, or parallel streams.
    pub batch: usize,
    /// Steps of time: patch rows, frames.
    pub time: usize,
    /// Sites that never interact: patch columns, 1 for sound.
    pub site: usize,
}

impl GridShape {
    /// Rows of a prediction over `shift` steps: `batch · (time − shift) · site`, in that order.
    #[must_use]
    pub fn rows(&self, shift: usize) -> usize {
        self.batch * self.time.saturating_sub(shift) * self.site
    }
}

/// A stretch of time from which contexts and their true targets come, in one update.
///
/// A long recording has more steps of time than one update needs. Saccades still land anywhere on the
/// grid.
///
/// # Paper
/// Löwe et al. 2019, `loss_InfoNCE.py` `subsample_win`. Deviations: none.
///
/// ```
/// use clapp_rules::Window;
/// assert_eq!(Window { start: 3, steps: 128 }.end(), 131);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First step of time.
    pub start: usize,
    /// Number of steps.
    pub steps: usize,
}

impl Window {
    /// The step after the last one.
    #[must_use]
    pub fn end(&self) -> usize {
        self.start + self.steps
    }
}

/// Saccade targets of one prediction step.
///
/// Rows are those of [`target_rows`](crate::target_rows) at the same shift: sample, time, site. In
/// [`Draws`] with a window they are rows of the whole grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    /// Distance in time between context and target.
    pub shift: usize,
    /// Saccades per context row.
    pub count: usize,
    /// Target rows, `[rows · count]`, each an index into the rows of this shift, or of the grid.
    pub index: Vec<u32>,
}

impl Pairs {
    /// Moves the index to a device.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use clapp_rules::Pairs;
    /// let pairs = Pairs { shift: 1, count: 2, index: vec![1, 0, 0, 1] };
    /// assert_eq!(pairs.to_device(&Device::flex()).dims(), [2, 2]);
    /// ```
    ///
    /// # Panics
    ///
    /// If the number of targets is not a multiple of `count`.
    #[must_use]
    pub fn to_device(&self, device: &Device) -> Index {
        let index: Vec<i32> = self.index.iter().map(|&row| row as i32).collect();
        let rows = index.len() / self.count;
        Tensor::from_data(TensorData::new(index, [rows, self.count]), (device, DType::I32))
    }
}

/// Everything random about one update of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draws {
    /// Saccade targets of every prediction step, nearest first.
    pub pairs: Vec<Pairs>,
    /// What each sample contributes. `None`: both terms (synchronous).
    pub outcomes: Option<Vec<Outcome>>,
    /// Where contexts and true targets come from; an index then names rows of the whole grid,
    /// `(sample · time + step) · site + site`. `None`: all of the grid, and an index into the rows of
    /// each shift.
    pub window: Option<Window>,
}

impl Draws {
    /// Draws of a rule that takes all pairs ([`AllPairs`](crate::AllPairs)): a coin for every sample, or none.
    ///
    /// ```
    /// use clapp_rules::{Draws, Outcome};
    /// assert!(Draws::coins(None).pairs.is_empty());
    /// let coins = vec![Outcome::Fixation, Outcome::Saccade];
    /// assert_eq!(Draws::coins(Some(coins.clone())).outcomes, Some(coins));
    /// ```
    #[must_use]
    pub fn coins(outcomes: Option<Vec<Outcome>>) -> Self {
        Self { pairs: Vec::new(), outcomes, window: None }
    }

    /// Weights of the fixation and the saccade term of every row of a shift, normalised so that each
    /// term is a mean over its samples and positions, and all prediction steps count alike.
    ///
    /// ```text
    /// synchronous:  w = 1 / (K · rows)
    /// time-local:   w⁺ = 1[fixation] / (K · |fixations| · positions), w⁻ likewise
    /// ```
    ///
    /// An outcome that no sample had has no term at all. With a window, `shape` is the window's.
    ///
    /// # Panics
    ///
    /// If there are outcomes, but not one for every sample.
    ///
    /// # Paper
    /// `ContrastiveLoss.py` `_add_losses`. Deviations: none.
    ///
    /// # Example
    ///
    /// ```
    /// use clapp_rules::{Draws, Outcome, Pairs};
    /// let pairs = vec![Pairs { shift: 1, count: 1, index: vec![1, 0] }];
    /// let outcomes = Some(vec![Outcome::Fixation, Outcome::Saccade]);
    /// let draws = Draws { pairs, outcomes, window: None };
    /// let (fixation, saccade) = draws.weights([2, 2, 1].into(), 1);
    /// assert_eq!((fixation, saccade), (vec![1.0, 0.0], vec![0.0, 1.0]));
    /// ```
    #[must_use]
    pub fn weights(&self, shape: GridShape, shift: usize) -> (Vec<f64>, Vec<f64>) {
        let rows = shape.rows(shift);
        let steps = self.pairs.len() as f64;
        let Some(outcomes) = &self.outcomes else {
            let weight = 1.0 / (steps * rows as f64);
            return (vec![weight; rows], vec![weight; rows]);
        };
        assert_eq!(
            outcomes.len(),
            shape.batch,
            "time-local update: expected an outcome for each of {} samples, got {}",
            shape.batch,
            outcomes.len()
        );
        let positions = rows / shape.batch;
        let weights = |wanted: Outcome| {
            let chosen = outcomes.iter().filter(|&&o| o == wanted).count();
            // An empty set contributes nothing, not NaN.
            let weight = 1.0 / (steps * (chosen * positions).max(1) as f64);
            let of = |&o: &Outcome| if o == wanted { weight } else { 0.0 };
            outcomes.iter().flat_map(|o| std::iter::repeat_n(of(o), positions)).collect()
        };
        (weights(Outcome::Fixation), weights(Outcome::Saccade))
    }
}

/// Fixation or saccade for every sample, a fair coin each: time-local learning.
///
/// ```text
/// P(y_b = +1) = P(y_b = −1) = ½
/// ```
///
/// One outcome holds for all prediction steps and positions of a sample: the eye either jumped or
/// it did not.
///
/// # Paper
/// Illing et al. 2021, appendix B.1; `ContrastiveLoss.py` `which_update`. Deviations: none.
///
/// # Example
///
/// ```
/// use clapp_rules::{Outcome, Purpose, flip_outcomes, stream};
/// let outcomes = flip_outcomes(1000, &mut stream(2, Purpose::Saccade, [0; 4]));
/// let saccades = outcomes.iter().filter(|&&outcome| outcome == Outcome::Saccade).count();
/// assert!((400..600).contains(&saccades));
/// ```
#[must_use]
pub fn flip_outcomes(batch: usize, random: &mut dyn rand::Rng) -> Vec<Outcome> {
    let flip = |random: &mut dyn rand::Rng| {
        if random.random_bool(0.5) { Outcome::Saccade } else { Outcome::Fixation }
    };
    (0..batch).map(|_| flip(random)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: GridShape = GridShape { batch: 4, time: 7, site: 7 };

    #[test]
    fn weights_of_each_term_sum_to_one_step() {
        let pairs = vec![Pairs { shift: 2, count: 1, index: vec![0; 140] }; 5];
        let synchronous = Draws { pairs: pairs.clone(), outcomes: None, window: None };
        let (fixation, saccade) = synchronous.weights(SHAPE, 2);
        assert!((fixation.iter().sum::<f64>() - 0.2).abs() < 1e-12);
        assert!((saccade.iter().sum::<f64>() - 0.2).abs() < 1e-12);
        use Outcome::{Fixation, Saccade};
        let outcomes = vec![Fixation, Saccade, Fixation, Fixation];
        let (fixation, saccade) =
            Draws { pairs, outcomes: Some(outcomes), window: None }.weights(SHAPE, 2);
        assert!((fixation.iter().sum::<f64>() - 0.2).abs() < 1e-12);
        assert!((saccade.iter().sum::<f64>() - 0.2).abs() < 1e-12);
        assert!(fixation.iter().zip(&saccade).all(|(f, s)| f * s <= 0.0), "one term per sample");
    }

    #[test]
    fn a_batch_of_fixations_alone_has_no_saccade_term() {
        let pairs = vec![Pairs { shift: 2, count: 1, index: vec![0; 140] }];
        let draws = Draws { pairs, outcomes: Some(vec![Outcome::Fixation; 4]), window: None };
        assert!(draws.weights(SHAPE, 2).1.iter().all(|weight| weight.abs() <= 0.0));
    }
}
