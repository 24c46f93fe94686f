//! What an update is made of: its values, its two halves, its metrics.

use burn::tensor::{DType, Int, Tensor};
use clapp_backend::{Contract, block_outer, block_product, block_product_onto, pair_scores};
use serde::{Deserialize, Serialize};

use crate::{
    Contrast, GridShape, LateralUpdate, Post, Rows, online::host_column, rows::RowWeights,
    target_modulation, updates::Gamma, weighted_targets,
};

/// What one update gives: signals for the neurons, changes for the lateral weights, metrics.
/// [`Rule::update`](crate::Rule::update) has an example.
#[derive(Clone, Debug)]
pub struct Update {
    /// Modulation of the predicted neurons, `[batch, time, site, target channel]`; for a layer that predicts
    /// itself perhaps of both sides.
    pub target: Tensor<4>,
    /// Modulation of the predicting neurons, `[batch, time, site, context channel]`, unless blocked or part of
    /// `target`.
    pub context: Option<Tensor<4>>,
    /// Which postsynaptic factor both meet.
    pub post: Post,
    /// Decay d of every predicted neuron's weights, `[target channel]`: ΔW −= d ⊙ W.
    pub decay: Option<Tensor<1>>,
    /// Changes of lateral weights, and new statistics.
    pub lateral: LateralUpdate,
    /// Numbers to follow while a layer learns.
    pub metrics: Metrics,
}

impl Update {
    /// An update of the predicted neurons alone, with ρ′ and without decay, lateral weights and metrics.
    #[must_use]
    pub fn of(target: Tensor<4>) -> Self {
        let none = Tensor::zeros([0], (&target.device(), target.dtype()));
        Self {
            target,
            context: None,
            post: Post::Slope,
            decay: None,
            lateral: LateralUpdate::default(),
            metrics: Metrics { names: &[], values: none },
        }
    }

    /// Sum of both modulations, for a layer that predicts itself.
    ///
    /// # Panics
    ///
    /// If context and target have different channel counts.
    #[must_use]
    pub fn modulation(&self) -> Tensor<4> {
        match &self.context {
            Some(context) => self.target.clone() + context.clone(),
            None => self.target.clone(),
        }
    }

    /// Reads the metrics of a contrastive rule from the device.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        self.metrics.monitor()
    }
}

/// Metrics of one update by name, still on the device: an update itself is as large as a layer.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{AllPairs, Extent, Plasticity, Purpose, stream};
/// let (device, rule) = (Device::flex(), AllPairs::clapp_s());
/// let mut random = stream(2, Purpose::Saccade, [0; 4]);
/// let extent = Extent { site: 25, channel: 4 };
/// let lateral = rule.lateral(extent, extent, &device, &mut random);
/// let z = Tensor::<4>::zeros([2, 6, 25, 4], &device);
/// let rows = rule.pairs([2, 6, 25].into(), &mut random);
/// let metrics = rule.update(z.clone(), z, &lateral, &rows).metrics;
/// // Nothing is active: half of 1 for the fixation and half of 1 for the saccades.
/// assert!((metrics.monitor().loss - 1.0).abs() < 1e-6);
/// assert_eq!(metrics.names, ["loss", "open_gates", "accuracy"]);
/// ```
#[derive(Clone, Debug)]
pub struct Metrics {
    /// What the values are.
    pub names: &'static [&'static str],
    /// One value for each name.
    pub values: Tensor<1>,
}

impl Metrics {
    /// Loss, fraction of open gates and contrastive accuracy, `[3]`; see [`Monitor`].
    pub(crate) fn of_contrast(values: Tensor<1>) -> Self {
        Self { names: &["loss", "open_gates", "accuracy"], values }
    }

    /// Reads names and values from the device; waits until they are there.
    #[must_use]
    pub fn read(&self) -> Vec<(&'static str, f64)> {
        let values: Vec<f64> = self.values.to_data().iter::<f64>().collect();
        self.names.iter().copied().zip(values).collect()
    }

    /// The metrics of a contrastive rule; 0 for those that a rule does not have.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        let read = self.read();
        let of = |name| read.iter().find(|(own, _)| *own == name).map_or(0.0, |(_, value)| *value);
        Monitor { loss: of("loss"), open_gates: of("open_gates"), accuracy: of("accuracy") }
    }
}

/// Metrics of a contrastive rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    /// Loss of the layer; about 2 for an untrained one under [`Feedback::Symmetric`](crate::Feedback::Symmetric).
    pub loss: f64,
    /// Fraction of pairs whose third factor is not 0.
    pub open_gates: f64,
    /// Fraction of contexts whose own target scores above all their saccades.
    pub accuracy: f64,
}

/// One half of an update: everything that follows from one set of scores.
pub(crate) struct Half {
    blocks: Vec<usize>,
    /// Activity of the contexts' layer, `[grid rows, context channel]`.
    contexts: Tensor<2>,
    /// Grid row of every row's context, `[rows]`.
    context_rows: Tensor<1, Int>,
    /// γ-weighted targets of every row, `[rows, target channel]`.
    weighted: Tensor<2>,
    /// `0 … rows − 1`.
    own_rows: Tensor<1, Int>,
    grid: GridShape,
    pub(crate) monitor: Tensor<1>,
}

/// Scores and gates, and the modulation of the score's target side: apart, so that whoever has it alone
/// can add to it in place.
///
/// `weights` are W_pred, or W_retro with its outer axis contracted. All prediction steps go through
/// one call each, and neither target nor context is copied: pairs are rows of the grid.
pub(crate) fn half(
    contrast: &dyn Contrast,
    target: &Tensor<4>,
    context: &Tensor<4>,
    weights: Tensor<3>,
    contract: Contract,
    rows: &Rows,
) -> (Half, Tensor<4>) {
    let [batch, time, site, channels] = target.dims();
    let grid = GridShape { batch, time, site };
    let ([steps, ..], [_, context_time, _, context_channels]) = (weights.dims(), context.dims());
    assert_eq!(
        (rows.blocks.len(), context_time, rows.grid),
        (steps, time, grid),
        "update: expected pairs for {steps} prediction steps and contexts at {time} steps of time of {grid:?}, got {}, {context_time} and {:?}",
        rows.blocks.len(),
        rows.grid
    );
    rows.check();
    let device = target.device();
    let grid_rows = batch * time * site;
    let contexts = context.clone().reshape([grid_rows, context_channels]);
    let targets = target.clone().reshape([grid_rows, channels]);
    let (context_rows, index) = (rows.contexts_on(&device), rows.targets_on(&device));
    let (seen, blocks) = (contexts.clone(), rows.blocks.clone());
    let prediction = block_product(seen, context_rows.clone(), weights, &blocks, contract);
    let scores = pair_scores(prediction.clone(), targets.clone(), index.clone());
    let (gamma, monitor) = gates(contrast, scores, rows);
    let weighted = weighted_targets(&gamma, targets, index.clone());
    let modulation = target_modulation(&gamma, prediction, index, grid_rows);
    let target = modulation.reshape([batch, time, site, channels]);
    let own_rows = Tensor::arange(0..rows.len() as i64, (&device, DType::I32));
    (Half { blocks, contexts, context_rows, weighted, own_rows, grid, monitor }, target)
}

/// Third factors with the weight of their rows, and the metrics.
fn gates(contrast: &dyn Contrast, scores: Tensor<2>, rows: &Rows) -> (Gamma, Tensor<1>) {
    let (n, weights) = (rows.saccades_per_row(), rows.weights());
    let fixation = scores.clone().narrow(1, 0, 1);
    let saccade = scores.narrow(1, 1, n);
    let column =
        |of: fn(&RowWeights) -> f64| host_column(weights.iter().map(of).collect(), &fixation);
    let hit = fixation.clone().greater(saccade.clone().max_dim(1));
    let accuracy = (hit.float().cast(fixation.dtype()) * column(|row| row.row)).sum();
    let (fixation_weight, saccade_weight) = (column(|row| row.fixation), column(|row| row.saccade));
    let pair = column(|row| row.pair);
    let third = contrast.third_factor(fixation, saccade);
    let loss = (third.fixation_loss * fixation_weight.clone()
        + third.saccade_loss * saccade_weight.clone())
    .sum();
    let gamma = Gamma {
        fixation: third.fixation * fixation_weight,
        saccade: third.saccade * saccade_weight,
    };
    let open = |gamma: &Tensor<2>| gamma.clone().abs().sign().sum_dim(1);
    let open = ((open(&gamma.fixation) + open(&gamma.saccade)) * pair).sum();
    (gamma, Tensor::cat(vec![loss, open, accuracy], 0))
}

/// Losses add up, fractions are averaged.
pub(crate) fn merge_monitors(forward: Tensor<1>, reverse: Tensor<1>) -> Tensor<1> {
    let sum = forward + reverse;
    Tensor::cat(vec![sum.clone().narrow(0, 0, 1), sum.narrow(0, 1, 2) / 2.0], 0)
}

impl Half {
    /// Context side: the way back `W g` of every row, added up in its context's place of the grid.
    pub(crate) fn back(&self, weights: Tensor<3>, contract: Contract) -> Tensor<4> {
        let GridShape { batch, time, site } = self.grid;
        let [_, channels] = self.contexts.dims();
        let (device, dtype) = (self.contexts.device(), self.contexts.dtype());
        let silence = Tensor::zeros([batch, time, site, channels], (&device, dtype));
        self.back_onto(silence, weights, contract)
    }

    /// [`back`](Self::back), added to a modulation that is there.
    pub(crate) fn back_onto(
        &self,
        modulation: Tensor<4>,
        weights: Tensor<3>,
        contract: Contract,
    ) -> Tensor<4> {
        let shape = modulation.dims();
        let [batch, time, site, channels] = shape;
        let sums = modulation.reshape([batch * time * site, channels]);
        let places = self.context_rows.clone();
        let sums =
            block_product_onto(sums, self.weighted(), weights, &self.blocks, contract, places);
        sums.reshape(shape)
    }

    /// ΔW_pred = gᵀ c of every prediction step.
    pub(crate) fn w_pred(&self) -> Tensor<3> {
        block_outer(self.weighted(), self.contexts(), &self.blocks)
    }

    /// ΔW_retro = cᵀ g of every prediction step.
    pub(crate) fn w_retro(&self) -> Tensor<3> {
        block_outer(self.contexts(), self.weighted(), &self.blocks)
    }

    fn weighted(&self) -> (Tensor<2>, Tensor<1, Int>) {
        (self.weighted.clone(), self.own_rows.clone())
    }

    fn contexts(&self) -> (Tensor<2>, Tensor<1, Int>) {
        (self.contexts.clone(), self.context_rows.clone())
    }
}
