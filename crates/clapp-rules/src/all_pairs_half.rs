//! The two halves of an all-pairs update: products of score matrices.

use burn::tensor::Tensor;

use crate::{
    AllPairs, Contrast, Feedback, Lateral, LateralUpdate, Rows, Update,
    lateral::{W_PRED, W_RETRO},
    online::host_column,
    rows::RowWeights,
    score_matrix::{join, split},
    update::{Metrics, merge_monitors},
};

/// Scores held at a time. A block of a flattened map's score matrix is all of it; a segmented map's may
/// have 10⁸ numbers, and several matrices of its size live at once.
const BLOCK: usize = 1 << 22;

/// Activities as rows of features, `[b, t, row, feature]`.
pub(crate) struct Halves<'a> {
    rule: &'a AllPairs,
    contrast: &'a dyn Contrast,
    target: Tensor<4>,
    context: Tensor<4>,
    sites: usize,
}

/// What one set of lateral weights gives.
struct Half {
    /// g of all steps, `[rows · positions, target channel]`.
    weighted: Vec<Tensor<2>>,
    /// ΔW of every matrix.
    deltas: Tensor<3>,
    /// Modulation of the targets' features.
    target: Tensor<4>,
    monitor: Tensor<1>,
}

/// Weight of a row in the fixation's and in the saccades' mean, `[rows, 1]`, and pairs with a weight.
struct Weights {
    fixation: Tensor<2>,
    saccade: Tensor<2>,
    pairs: usize,
}

impl<'a> Halves<'a> {
    pub(crate) fn new(
        rule: &'a AllPairs,
        contrast: &'a dyn Contrast,
        target: Tensor<4>,
        context: Tensor<4>,
    ) -> Self {
        let ([batch, time, sites, _], grid) = (target.dims(), context.dims());
        assert_eq!(
            [batch, time, sites],
            [grid[0], grid[1], grid[2]],
            "all pairs: expected contexts on the grid of the targets {:?}, got {:?}",
            target.dims(),
            grid
        );
        let steps = rule.prediction_steps;
        assert!(
            0 < steps && steps < time,
            "all pairs: expected 1 to {} prediction steps for {time} steps of time, got {steps}",
            time.saturating_sub(1)
        );
        let rows = rule.rows([batch, time, sites].into());
        assert!(rows > 1, "all pairs: expected at least 2 rows to contrast, got {rows}");
        let (target, context) = (rule.space.features(target), rule.space.features(context));
        Self { rule, contrast, target, context, sites }
    }

    pub(crate) fn update(&self, lateral: &Lateral, rows: &[Rows]) -> Update {
        let w_pred = lateral.weight(W_PRED);
        let forward = self.half(&w_pred, &rows[0]);
        let mut metrics = forward.monitor.clone();
        let mut changes = LateralUpdate::default();
        let context = match self.rule.feedback {
            Feedback::Blocked => None,
            Feedback::Symmetric => Some(self.back(&forward.weighted, &w_pred.swap_dims(1, 2))),
            Feedback::PredRetroShared => {
                changes = changes.with(W_RETRO, forward.deltas.clone().swap_dims(1, 2));
                Some(self.back(&forward.weighted, &lateral.weight(W_RETRO)))
            }
            Feedback::PredRetro => {
                // The second half scores with W_retroᵀ in the place of W_pred.
                let w_retro = lateral.weight(W_RETRO);
                let reverse = self.half(&w_retro.clone().swap_dims(1, 2), &rows[1]);
                metrics = merge_monitors(metrics, reverse.monitor);
                changes = changes.with(W_RETRO, reverse.deltas.swap_dims(1, 2));
                Some(self.back(&reverse.weighted, &w_retro))
            }
        };
        let neurons = |features| self.rule.space.neurons(features, self.sites);
        Update {
            context: context.map(neurons),
            lateral: changes.with(W_PRED, forward.deltas),
            metrics: Metrics::of_contrast(metrics),
            ..Update::of(neurons(forward.target))
        }
    }

    /// Scores, gates and the target side of all prediction steps.
    fn half(&self, weights: &Tensor<3>, rows: &Rows) -> Half {
        let steps = self.rule.prediction_steps;
        let [matrices, post, pre] = weights.dims();
        let expected = self.rule.lateral.matrices(steps);
        assert_eq!(matrices, expected, "all pairs: expected {expected} matrices, got {matrices}");
        let context = channels(self.steps(&self.context, 0), pre);
        let predictions = self.rule.lateral.predictions(&context, weights, steps);
        let row_weights = self.weights(rows);
        let targets = self.targets();
        let [_, feature] = targets.dims();
        let (mut target, mut monitor) = (None, None);
        let mut weighted = Vec::with_capacity(steps);
        for (k, prediction) in (1..=steps).zip(&predictions) {
            let [rows, channel] = prediction.dims();
            let prediction = prediction.clone().reshape([rows * channel / feature, feature]);
            let (g, modulation, numbers) = self.step(k, &prediction, &targets, &row_weights);
            weighted.push(channels(g, post));
            add(&mut target, modulation);
            add(&mut monitor, numbers);
        }
        let deltas = self.rule.lateral.deltas(&weighted, &context, &predictions, weights);
        let once = "there is at least one prediction step";
        let (target, monitor) = (target.expect(once), monitor.expect(once));
        Half { weighted, deltas: Tensor::stack(deltas, 0), target, monitor }
    }

    /// One prediction step: g `[N, feature]`, the modulation of the targets on their grid, and this
    /// step's share of the metrics.
    ///
    /// `targets` are all rows of the grid: products take some columns too many, but no big matrix has to
    /// be moved.
    fn step(
        &self,
        k: usize,
        prediction: &Tensor<2>,
        targets: &Tensor<2>,
        weights: &Weights,
    ) -> (Tensor<2>, Tensor<4>, Tensor<1>) {
        let [n, _] = prediction.dims();
        let steps = self.rule.prediction_steps as f64;
        let grid = self.target.dims();
        let (mut weighted, mut modulation, mut monitor) = (Vec::new(), None, None);
        let block = (BLOCK / n).clamp(1, n);
        for start in (0..n).step_by(block) {
            let rows = block.min(n - start);
            let prediction = prediction.clone().narrow(0, start, rows);
            let scores = prediction.clone().matmul(targets.clone().transpose());
            let (fixation, saccade) = split(self.of_step(scores, k), start);
            let right = fixation.clone().greater(saccade.clone().max_dim(1));
            let right = right.float().cast(targets.dtype()).sum();
            let third = self.contrast.third_factor(fixation, saccade);
            let of = |column: &Tensor<2>| column.clone().narrow(0, start, rows);
            let (w_fixation, w_saccade) = (of(&weights.fixation), of(&weights.saccade));
            let loss = (third.fixation_loss * w_fixation.clone()
                + third.saccade_loss * w_saccade.clone())
            .sum();
            let gamma = join(third.fixation * w_fixation, third.saccade * w_saccade, start);
            let open = gamma.clone().abs().sign().sum() / (weights.pairs as f64 * steps);
            let numbers = vec![loss, open, right / (n as f64 * steps)];
            add(&mut monitor, Tensor::cat(numbers, 0));
            let at_targets = self.on_grid(gamma, k); // [rows, every row of the grid]
            weighted.push(at_targets.clone().matmul(targets.clone()));
            add(&mut modulation, at_targets.transpose().matmul(prediction).reshape(grid));
        }
        // Nearly always one block, and as large as the layer.
        let weighted = match weighted.len() {
            1 => weighted.remove(0),
            _ => Tensor::cat(weighted, 0),
        };
        let once = "there are at least two rows";
        (weighted, modulation.expect(once), monitor.expect(once))
    }

    /// Columns of step k's targets out of those of the whole grid, `[rows, N]`.
    fn of_step(&self, scores: Tensor<2>, k: usize) -> Tensor<2> {
        let [batch, time, row, _] = self.target.dims();
        let span = time - self.rule.prediction_steps;
        let [rows, _] = scores.dims();
        let grid: Tensor<3> = scores.reshape([rows * batch, time, row]);
        grid.narrow(1, k, span).reshape([rows, batch * span * row])
    }

    /// The same columns among those of the whole grid, zeros elsewhere.
    fn on_grid(&self, gamma: Tensor<2>, k: usize) -> Tensor<2> {
        let [batch, time, row, _] = self.target.dims();
        let steps = self.rule.prediction_steps;
        let [rows, _] = gamma.dims();
        let options = (&gamma.device(), gamma.dtype());
        let none = |times: usize| Tensor::<3>::zeros([rows * batch, times, row], options);
        let mut parts = vec![none(k), gamma.clone().reshape([rows * batch, time - steps, row])];
        if k < steps {
            parts.push(none(steps - k));
        }
        Tensor::cat(parts, 1).reshape([rows, batch * time * row])
    }

    /// What comes back to the contexts, on their grid.
    fn back(&self, weighted: &[Tensor<2>], way_back: &Tensor<3>) -> Tensor<4> {
        let [batch, time, row, feature] = self.context.dims();
        let steps = self.rule.prediction_steps;
        let rows = self.rule.lateral.back(weighted, way_back);
        let rows = rows.expect("there is at least one prediction step");
        let rows = rows.reshape([batch, time - steps, row, feature]);
        let options = (&rows.device(), rows.dtype());
        // The last frames of a clip predict nothing.
        let rest = Tensor::zeros([batch, steps, row, feature], options);
        Tensor::cat(vec![rows, rest], 1)
    }

    /// Rows of the T − K steps of time from `start` on, `[N, feature]`.
    fn steps(&self, grid: &Tensor<4>, start: usize) -> Tensor<2> {
        let [batch, time, row, feature] = grid.dims();
        let span = time - self.rule.prediction_steps;
        grid.clone().narrow(1, start, span).reshape([batch * span * row, feature])
    }

    /// All targets, `[rows of the grid, feature]`.
    fn targets(&self) -> Tensor<2> {
        let [batch, time, row, feature] = self.target.dims();
        self.target.clone().reshape([batch * time * row, feature])
    }

    fn weights(&self, rows: &Rows) -> Weights {
        let [batch, time, site, _] = self.target.dims();
        let (grid, expected) = (rows.grid, [batch, time, site].into());
        assert_eq!(grid, expected, "all pairs: expected rows of {expected:?}, got {grid:?}");
        // Every prediction step has the same rows, those of the furthest.
        let (n, weights) = (rows.blocks[0], rows.weights());
        let used =
            |of: fn(&RowWeights) -> f64| weights[..n].iter().filter(|row| of(row) > 0.0).count();
        let pairs = used(|row| row.fixation) + (n - 1) * used(|row| row.saccade);
        let like = self.target.clone().slice([0..1, 0..1, 0..1, 0..1]).reshape([1, 1]);
        let column = |of: fn(&RowWeights) -> f64| {
            host_column(weights[..n].iter().map(of).collect(), &like) * self.rule.scale
        };
        Weights {
            fixation: column(|row| row.fixation),
            saccade: column(|row| row.saccade),
            pairs: pairs.max(1),
        }
    }
}

/// A sum that begins with its first term, not with a map of zeros.
fn add<const D: usize>(sum: &mut Option<Tensor<D>>, term: Tensor<D>) {
    *sum = Some(match sum.take() {
        Some(sum) => sum + term,
        None => term,
    });
}

/// `[N, position · channel]` → `[N · position, channel]`.
fn channels(rows: Tensor<2>, channels: usize) -> Tensor<2> {
    let [n, features] = rows.dims();
    assert!(
        features.is_multiple_of(channels),
        "all pairs: expected {channels} channels at every position, got {features} features"
    );
    rows.reshape([n * (features / channels), channels])
}
