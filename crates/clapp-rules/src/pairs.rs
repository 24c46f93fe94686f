//! Which pairs a step contrasts: saccade targets, and fixation or saccade per sample.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use rand::RngExt;

use crate::{Rows, third_factor::Outcome};

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
/// Rows run over sample, time, site: those of the contexts, `batch · (time − shift) · site`, and the targets
/// `shift` steps later in the same order. In [`Draws`] with a window they are rows of the whole grid.
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

impl From<[usize; 3]> for GridShape {
    fn from([batch, time, site]: [usize; 3]) -> Self {
        Self { batch, time, site }
    }
}

/// Everything random about one update of one layer that predicts over time.
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
    /// The same pairs as rows of the grid.
    ///
    /// # Panics
    ///
    /// If a step does not have saccades for each of its rows, or leaves grid or window.
    ///
    /// ```
    /// use clapp_rules::{Draws, Pairs};
    /// let pairs = vec![Pairs { shift: 1, count: 1, index: vec![1, 0] }];
    /// let rows = Draws { pairs, outcomes: None, window: None }.rows([2, 2, 1].into());
    /// // Sample 0 has the places 0 and 1, sample 1 has 2 and 3.
    /// assert_eq!((rows.contexts, rows.fixations), (vec![0, 2], vec![1, 3]));
    /// ```
    #[must_use]
    pub fn rows(&self, grid: GridShape) -> Rows {
        Rows::over_time(self, grid)
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
