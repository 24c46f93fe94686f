//! All pairs of one update as rows of one grid, so that every step of it is one operation.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::{Draws, GridShape, Window, pairs::Index};

/// Every context of an update with every prediction step: what it is compared with, and how much that
/// counts.
///
/// Contexts run over sample, time, site; rows over contexts and then prediction steps. A context at the
/// end of the stretch has no target at far steps: such rows exist, point at row 0 of the grid and have
/// weight 0, because one product over all steps costs less than many of fitting sizes.
pub(crate) struct Links {
    grid: GridShape,
    window: Window,
    /// Time steps that have a context.
    contexts: usize,
    steps: usize,
    saccades: usize,
    index: Vec<i32>,
    weights: Vec<RowWeights>,
}

/// Weights of one row.
#[derive(Clone, Copy, Default)]
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
        let nearest = draws.pairs.iter().map(|pairs| pairs.shift).min().unwrap_or(0);
        let contexts = window.steps.saturating_sub(nearest);
        let saccades = draws.pairs.first().map_or(0, |pairs| pairs.count);
        let steps = draws.pairs.len();
        let rows = grid.batch * contexts * grid.site * steps;
        let (index, weights) = (vec![0; rows * (1 + saccades)], vec![RowWeights::default(); rows]);
        let mut links = Self { grid, window, contexts, steps, saccades, index, weights };
        for k in 0..steps {
            links.fill(draws, k);
        }
        links
    }

    /// Index and weights of one prediction step.
    fn fill(&mut self, draws: &Draws, k: usize) {
        let pairs = &draws.pairs[k];
        let stretch = GridShape { time: self.window.steps, ..self.grid };
        let (rows, n) = (stretch.rows(pairs.shift), self.saccades);
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
        let (row_weight, pair) =
            (1.0 / (self.steps * rows) as f64, 1.0 / (self.steps * used.max(1)) as f64);
        let GridShape { time, site, .. } = self.grid;
        let valid = (self.window.steps - pairs.shift) * site;
        for (row, (fixation, saccade)) in fixation.into_iter().zip(saccade).enumerate() {
            let (sample, position) = (row / valid, row % valid);
            let link = (sample * self.contexts * site + position) * self.steps + k;
            let own = sample * time * site + (self.window.start + pairs.shift) * site + position;
            let index = &mut self.index[link * (1 + n)..][..1 + n];
            index[0] = own as i32;
            for (index, &target) in index[1..].iter_mut().zip(&pairs.index[row * n..]) {
                *index = match draws.window {
                    Some(_) => target as i32,
                    None => whole(target as usize, pairs.shift, self.grid) as i32,
                };
            }
            self.weights[link] = RowWeights { fixation, saccade, row: row_weight, pair };
        }
    }

    /// Grid rows of every row's true target and its saccades, `[rows, 1 + n]`.
    pub(crate) fn index(&self, device: &Device) -> Index {
        let shape = [self.weights.len(), 1 + self.saccades];
        let data = TensorData::new(self.index.clone(), shape);
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

    /// Rows of the grid that predict, `[batch · time · site, channel]`.
    pub(crate) fn contexts(&self, grid: &Tensor<4>) -> Tensor<2> {
        let [batch, _, site, channels] = grid.dims();
        let part = grid.clone().narrow(1, self.window.start, self.contexts);
        part.reshape([batch * self.contexts * site, channels])
    }

    /// The counterpart of [`contexts`](Self::contexts): rows back in their grid, 0 elsewhere.
    pub(crate) fn scattered(&self, rows: Tensor<2>) -> Tensor<4> {
        let GridShape { batch, time, site } = self.grid;
        let [_, channels] = rows.dims();
        let rows = rows.reshape([batch, self.contexts, site, channels]);
        let (start, end) = (self.window.start, self.window.start + self.contexts);
        let silent =
            |steps| Tensor::zeros([batch, steps, site, channels], (&rows.device(), rows.dtype()));
        let parts = [(start > 0).then(|| silent(start)), (end < time).then(|| silent(time - end))];
        let [before, after] = parts;
        Tensor::cat(before.into_iter().chain([rows]).chain(after).collect(), 1)
    }
}

/// Row of the whole grid that row `row` of the targets over `shift` steps is.
pub(crate) fn whole(row: usize, shift: usize, grid: GridShape) -> usize {
    let positions = (grid.time - shift) * grid.site;
    let (sample, position) = (row / positions, row % positions);
    (sample * grid.time + shift) * grid.site + position
}
