//! All pairs of one update, said explicitly: who predicts, what comes true, where a saccade lands.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::{Draws, GridShape, Outcome, Window, pairs::Index};

/// Every pair of one update, as rows of a grid `[batch, time, site]`.
///
/// A row is one context with one prediction step. Its number names a place of the grid,
/// `(sample · time + step) · site + site`. Nothing says that a target lies later than its context: pairs over
/// time, patches, views of one image, permutations and windows are all rows, and a rule does not know
/// which of them it was given.
///
/// # Example
///
/// Two views of each of three images, ordered `[view 1; view 2]`: each predicts the other, and a saccade
/// lands on the next image.
///
/// ```
/// use clapp_rules::{GridShape, Rows, Saccades};
/// let grid = GridShape { batch: 6, time: 1, site: 1 };
/// let other = |i: u32| (i + 3) % 6;
/// let rows = Rows {
///     grid,
///     blocks: vec![6],
///     contexts: (0..6).collect(),
///     fixations: (0..6).map(other).collect(),
///     saccades: Saccades::Drawn { count: 1, rows: (0..6).map(|i| other((i + 1) % 6)).collect() },
///     outcomes: None,
/// };
/// assert_eq!(rows.len(), 6);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The grid that rows are places of.
    pub grid: GridShape,
    /// Rows of each prediction step; every step has lateral weights of its own.
    pub blocks: Vec<usize>,
    /// Place of each row's context.
    pub contexts: Vec<u32>,
    /// Place of the target that each row's prediction should come true for.
    pub fixations: Vec<u32>,
    /// Places of the targets for which it should fail.
    pub saccades: Saccades,
    /// What each sample contributes. `None`: both terms (synchronous).
    pub outcomes: Option<Vec<Outcome>>,
}

/// Saccade targets of all rows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Saccades {
    /// As many for each row, by place.
    Drawn {
        /// Saccades of a row, n.
        count: usize,
        /// Their places, `[rows, n]`.
        rows: Vec<u32>,
    },
    /// The fixations of all other rows of the same prediction step.
    Others,
}

/// Draws the rows of one update: which pairs of a grid are contrasted.
///
/// Implemented by every closure of this shape; deliberately not by anything that looks at activities or
/// scores (hard negatives): a saccade does not know what it will see. [`Contrastive`](crate::Contrastive)
/// takes one, and has an example.
pub trait Pairing: Send + Sync {
    /// The rows of one set of lateral weights.
    fn rows(&self, grid: GridShape, random: &mut dyn rand::Rng) -> Rows;
}

impl<F: Fn(GridShape, &mut dyn rand::Rng) -> Rows + Send + Sync> Pairing for F {
    fn rows(&self, grid: GridShape, random: &mut dyn rand::Rng) -> Rows {
        self(grid, random)
    }
}

/// Weights of one row.
#[derive(Clone, Copy)]
pub(crate) struct RowWeights {
    /// Of its fixation in the loss.
    pub(crate) fixation: f64,
    /// Of its saccades in the loss.
    pub(crate) saccade: f64,
    /// In the mean over rows, every prediction step counting alike.
    pub(crate) row: f64,
    /// Of one pair in the fraction of open gates.
    pub(crate) pair: f64,
}

impl Rows {
    /// Pairs over time, with contexts from a window if there is one.
    pub(crate) fn over_time(draws: &Draws, grid: GridShape) -> Self {
        let window = draws.window.unwrap_or(Window { start: 0, steps: grid.time });
        let count = draws.pairs.first().map_or(0, |pairs| pairs.count);
        let part = GridShape { time: window.steps, ..grid };
        let blocks: Vec<usize> = draws.pairs.iter().map(|pairs| part.rows(pairs.shift)).collect();
        let rows: usize = blocks.iter().sum();
        let mut contexts = Vec::with_capacity(rows);
        let mut fixations = Vec::with_capacity(rows);
        let mut saccades = Vec::with_capacity(rows * count);
        for (pairs, &rows) in draws.pairs.iter().zip(&blocks) {
            assert!(
                pairs.shift < window.steps && pairs.index.len() == rows * count,
                "update: expected {count} saccades for each of {rows} rows of step {} in {} steps of time, got {}",
                pairs.shift,
                window.steps,
                pairs.index.len()
            );
            let valid = (window.steps - pairs.shift) * grid.site;
            for row in 0..rows {
                let (sample, position) = (row / valid, row % valid);
                let context = (sample * grid.time + window.start) * grid.site + position;
                contexts.push(context as u32);
                fixations.push((context + pairs.shift * grid.site) as u32);
            }
            saccades.extend(pairs.index.iter().map(|&target| match draws.window {
                Some(_) => target,
                None => whole(target as usize, pairs.shift, grid) as u32,
            }));
        }
        let saccades = Saccades::Drawn { count, rows: saccades };
        Self { grid, blocks, contexts, fixations, saccades, outcomes: draws.outcomes.clone() }
    }

    /// All pairs: the first `time − steps` steps of time predict `1 … steps` further, and every other
    /// row's target is a saccade.
    ///
    /// ```
    /// use clapp_rules::Rows;
    /// let rows = Rows::all_pairs([8, 54, 1].into(), 3, None);
    /// assert_eq!((rows.blocks[0], rows.saccades_per_row()), (408, 407));
    /// ```
    #[must_use]
    pub fn all_pairs(grid: GridShape, steps: usize, outcomes: Option<Vec<Outcome>>) -> Self {
        let rows = grid.rows(steps);
        let span = grid.time.saturating_sub(steps) * grid.site;
        let place = |row: usize| row / span * grid.time * grid.site + row % span;
        let context = |row: usize| place(row) as u32;
        let contexts = (0..steps).flat_map(|_| (0..rows).map(context)).collect();
        let fixations = (1..=steps)
            .flat_map(|k| (0..rows).map(move |row| (place(row) + k * grid.site) as u32))
            .collect();
        let blocks = vec![rows; steps];
        Self { grid, blocks, contexts, fixations, saccades: Saccades::Others, outcomes }
    }

    /// Number of rows, over all prediction steps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.contexts.len()
    }

    /// Whether nothing is predicted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contexts.is_empty()
    }

    /// Saccades of each row, n.
    #[must_use]
    pub fn saccades_per_row(&self) -> usize {
        match self.saccades {
            Saccades::Drawn { count, .. } => count,
            Saccades::Others => self.blocks.first().map_or(0, |rows| rows.saturating_sub(1)),
        }
    }

    /// Checks that rows are whole and lie on the grid.
    ///
    /// # Panics
    ///
    /// If they do not.
    pub(crate) fn check(&self) {
        let (rows, places) = (self.blocks.iter().sum::<usize>(), self.grid.rows(0));
        let drawn = match &self.saccades {
            Saccades::Drawn { count, rows: drawn } => {
                assert_eq!(
                    drawn.len(),
                    rows * count,
                    "rows: expected {count} saccades for each of {rows} rows, got {}",
                    drawn.len()
                );
                drawn.as_slice()
            }
            Saccades::Others => &[],
        };
        assert_eq!(
            [self.contexts.len(), self.fixations.len()],
            [rows; 2],
            "rows: expected {rows} contexts and fixations, got {} and {}",
            self.contexts.len(),
            self.fixations.len()
        );
        let all = self.contexts.iter().chain(&self.fixations).chain(drawn);
        let furthest = all.copied().max().unwrap_or_default();
        assert!(
            rows == 0 || (furthest as usize) < places,
            "rows: expected places below {places}, got {furthest}"
        );
    }

    /// Weights of every row: each term is a mean over the rows of the samples that contribute it, and
    /// all prediction steps count alike.
    ///
    /// ```text
    /// synchronous:  w = 1 / (K · rows)
    /// time-local:   w⁺ = 1[fixation] / (K · rows of fixations), w⁻ likewise
    /// ```
    ///
    /// An outcome that no sample had has no term at all. `ContrastiveLoss.py` `_add_losses`.
    pub(crate) fn weights(&self) -> Vec<RowWeights> {
        let (steps, n) = (self.blocks.len(), self.saccades_per_row());
        if let Some(outcomes) = &self.outcomes {
            assert_eq!(
                outcomes.len(),
                self.grid.batch,
                "time-local update: expected an outcome for each of {} samples, got {}",
                self.grid.batch,
                outcomes.len()
            );
        }
        let places = self.grid.time * self.grid.site;
        let mut first = 0;
        let mut weights = Vec::with_capacity(self.len());
        for &rows in &self.blocks {
            let contexts = &self.contexts[first..first + rows];
            first += rows;
            let takes = |context: u32, term: Outcome| match &self.outcomes {
                Some(outcomes) => outcomes[context as usize / places] == term,
                None => true,
            };
            let share = |term: Outcome| {
                let chosen = contexts.iter().filter(|&&context| takes(context, term)).count();
                // An empty set contributes nothing, not NaN.
                (chosen, 1.0 / (steps as f64 * chosen.max(1) as f64))
            };
            let [(fixations, plus), (saccades, minus)] =
                [Outcome::Fixation, Outcome::Saccade].map(share);
            // Terms that a sample does not contribute have no gate to count.
            let used = fixations + n * saccades;
            let (row, pair) = (1.0 / (steps * rows) as f64, 1.0 / (steps * used.max(1)) as f64);
            let weight = |context, term, weight| if takes(context, term) { weight } else { 0.0 };
            weights.extend(contexts.iter().map(|&context| RowWeights {
                fixation: weight(context, Outcome::Fixation, plus),
                saccade: weight(context, Outcome::Saccade, minus),
                row,
                pair,
            }));
        }
        weights
    }

    /// Place of every context, `[rows]`.
    pub(crate) fn contexts_on(&self, device: &Device) -> Tensor<1, Int> {
        let contexts: Vec<i32> = self.contexts.iter().map(|&row| row as i32).collect();
        let data = TensorData::new(contexts, [self.len()]);
        Tensor::from_data(data, (device, DType::I32))
    }

    /// Places of every row's true target and its saccades, `[rows, 1 + n]`.
    ///
    /// # Panics
    ///
    /// If saccades are not drawn.
    pub(crate) fn targets_on(&self, device: &Device) -> Index {
        let Saccades::Drawn { count, rows } = &self.saccades else {
            panic!("update: expected saccades that are drawn, got all other rows; use AllPairs")
        };
        let mut targets = Vec::with_capacity(self.len() * (1 + count));
        for (row, &fixation) in self.fixations.iter().enumerate() {
            targets.push(fixation as i32);
            targets.extend(rows[row * count..][..*count].iter().map(|&target| target as i32));
        }
        let data = TensorData::new(targets, [self.len(), 1 + count]);
        Tensor::from_data(data, (device, DType::I32))
    }
}

/// Row of the whole grid that row `row` of the targets over `shift` steps is.
pub(crate) fn whole(row: usize, shift: usize, grid: GridShape) -> usize {
    let positions = (grid.time - shift) * grid.site;
    let (sample, position) = (row / positions, row % positions);
    (sample * grid.time + shift) * grid.site + position
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pairs;

    const SHAPE: GridShape = GridShape { batch: 4, time: 7, site: 7 };

    /// Sums of the fixations' and the saccades' weights.
    fn sums(pairs: Vec<Pairs>, outcomes: Option<Vec<Outcome>>) -> ([f64; 2], Vec<RowWeights>) {
        let weights = Draws { pairs, outcomes, window: None }.rows(SHAPE).weights();
        let sum = |of: fn(&RowWeights) -> f64| weights.iter().map(of).sum();
        ([sum(|row| row.fixation), sum(|row| row.saccade)], weights)
    }

    #[test]
    fn weights_of_each_term_sum_to_one() {
        use Outcome::{Fixation, Saccade};
        let pairs = vec![Pairs { shift: 2, count: 1, index: vec![0; 140] }; 5];
        let (both, _) = sums(pairs.clone(), None);
        assert!(both.iter().all(|sum| (sum - 1.0).abs() < 1e-12));
        let (each, weights) = sums(pairs, Some(vec![Fixation, Saccade, Fixation, Fixation]));
        assert!(each.iter().all(|sum| (sum - 1.0).abs() < 1e-12));
        assert!(weights.iter().all(|row| row.fixation * row.saccade <= 0.0), "one term per sample");
    }

    #[test]
    fn a_batch_of_fixations_alone_has_no_saccade_term() {
        let pairs = vec![Pairs { shift: 2, count: 1, index: vec![0; 140] }];
        let ([_, saccades], _) = sums(pairs, Some(vec![Outcome::Fixation; 4]));
        assert!(saccades.abs() <= 0.0);
    }

    #[test]
    #[should_panic(expected = "rows: expected places below 4, got 4")]
    fn a_row_outside_the_grid_is_refused() {
        let grid = GridShape { batch: 4, time: 1, site: 1 };
        let saccades = Saccades::Drawn { count: 1, rows: vec![4] };
        let rows = Rows {
            grid,
            blocks: vec![1],
            contexts: vec![0],
            fixations: vec![1],
            saccades,
            outcomes: None,
        };
        rows.check();
    }
}
