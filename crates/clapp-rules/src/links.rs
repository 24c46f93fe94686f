//! All pairs of one update as rows of one grid, so that every step of it is one operation.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::{Draws, GridShape, Window, pairs::Index};

/// Every pair of an update: who predicts, what it is compared with, and how much that counts.
///
/// A row is one context with one prediction step; rows run over prediction steps, and within a step
/// over sample, time, site.
pub(crate) struct Links {
    grid: GridShape,
    window: Window,
    saccades: usize,
    /// Rows of every prediction step.
    blocks: Vec<usize>,
    /// Grid row of every context.
    contexts: Vec<i32>,
    /// Grid rows of every true target and its saccades, `[rows, 1 + n]`.
    targets: Vec<i32>,
    weights: Vec<RowWeights>,
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

impl Links {
    pub(crate) fn new(draws: &Draws, grid: GridShape) -> Self {
        let window = draws.window.unwrap_or(Window { start: 0, steps: grid.time });
        let saccades = draws.pairs.first().map_or(0, |pairs| pairs.count);
        let stretch = GridShape { time: window.steps, ..grid };
        let blocks: Vec<usize> =
            draws.pairs.iter().map(|pairs| stretch.rows(pairs.shift)).collect();
        let rows: usize = blocks.iter().sum();
        let mut links = Self {
            grid,
            window,
            saccades,
            blocks,
            contexts: Vec::with_capacity(rows),
            targets: Vec::with_capacity(rows * (1 + saccades)),
            weights: Vec::with_capacity(rows),
        };
        for k in 0..draws.pairs.len() {
            links.add(draws, k);
        }
        links
    }

    /// Rows of one prediction step.
    fn add(&mut self, draws: &Draws, k: usize) {
        let pairs = &draws.pairs[k];
        let stretch = GridShape { time: self.window.steps, ..self.grid };
        let (rows, n) = (self.blocks[k], self.saccades);
        assert!(
            pairs.shift < self.window.steps && pairs.index.len() == rows * n,
            "update: expected {n} saccades for each of {rows} rows of step {} in {} steps of time, got {}",
            pairs.shift,
            self.window.steps,
            pairs.index.len()
        );
        let (fixation, saccade) = draws.weights(stretch, pairs.shift);
        // Terms that a sample does not contribute have no gate to count.
        let used = |weights: &[f64]| weights.iter().filter(|&&weight| weight > 0.0).count();
        let used = used(&fixation) + n * used(&saccade);
        let steps = draws.pairs.len();
        let (row_weight, pair) = (1.0 / (steps * rows) as f64, 1.0 / (steps * used.max(1)) as f64);
        let GridShape { time, site, .. } = self.grid;
        let valid = (self.window.steps - pairs.shift) * site;
        for (row, (fixation, saccade)) in fixation.into_iter().zip(saccade).enumerate() {
            let (sample, position) = (row / valid, row % valid);
            let context = (sample * time + self.window.start) * site + position;
            self.contexts.push(context as i32);
            self.targets.push((context + pairs.shift * site) as i32);
            for &target in &pairs.index[row * n..][..n] {
                self.targets.push(match draws.window {
                    Some(_) => target as i32,
                    None => whole(target as usize, pairs.shift, self.grid) as i32,
                });
            }
            self.weights.push(RowWeights { fixation, saccade, row: row_weight, pair });
        }
    }

    /// Rows of every prediction step.
    pub(crate) fn blocks(&self) -> &[usize] {
        &self.blocks
    }

    /// Grid row of every context, `[rows]`.
    pub(crate) fn contexts(&self, device: &Device) -> Tensor<1, Int> {
        let data = TensorData::new(self.contexts.clone(), [self.contexts.len()]);
        Tensor::from_data(data, (device, DType::I32))
    }

    /// Grid rows of every row's true target and its saccades, `[rows, 1 + n]`.
    pub(crate) fn targets(&self, device: &Device) -> Index {
        let shape = [self.weights.len(), 1 + self.saccades];
        let data = TensorData::new(self.targets.clone(), shape);
        Tensor::from_data(data, (device, DType::I32))
    }

    /// A weight of every row.
    pub(crate) fn weights(&self, of: impl Fn(&RowWeights) -> f64) -> Vec<f64> {
        self.weights.iter().map(of).collect()
    }

    /// Number of saccades n.
    pub(crate) fn saccades(&self) -> usize {
        self.saccades
    }
}

/// Row of the whole grid that row `row` of the targets over `shift` steps is.
pub(crate) fn whole(row: usize, shift: usize, grid: GridShape) -> usize {
    let positions = (grid.time - shift) * grid.site;
    let (sample, position) = (row / positions, row % positions);
    (sample * grid.time + shift) * grid.site + position
}
