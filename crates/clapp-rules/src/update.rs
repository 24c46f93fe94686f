//! What an update is made of: its values, its two halves, its numbers to watch.

use burn::tensor::{DType, Int, Tensor};
use clapp_backend::{Contract, block_outer, block_product, block_product_onto, pair_scores};
use serde::{Deserialize, Serialize};

use crate::{
    Contrast, Draws, GridShape, links::Links, online::host_column, target_modulation,
    updates::Gamma, weighted_targets,
};

/// ΔW_pred and ΔW_retro of all prediction steps.
#[derive(Clone, Debug)]
pub struct PredictorUpdate {
    /// ΔW_pred, `[K, target channel, context channel]`.
    pub w_pred: Tensor<3>,
    /// ΔW_retro, `[K, context channel, target channel]`.
    pub w_retro: Option<Tensor<3>>,
}

/// What one update gives: signals for the neurons, changes for the lateral weights, numbers to
/// watch. [`Rule::update`](crate::Rule::update) has an example.
#[derive(Clone, Debug)]
pub struct Update {
    /// Modulation of the predicted neurons, `[batch, time, site, target channel]`.
    pub target: Tensor<4>,
    /// Modulation of the predicting neurons, `[batch, time, site, context channel]`, unless blocked.
    pub context: Option<Tensor<4>>,
    /// Changes of the lateral weights.
    pub predictors: PredictorUpdate,
    /// Loss, fraction of open gates and contrastive accuracy, `[3]`; see [`Monitor`].
    pub monitor: Tensor<1>,
}

impl Update {
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

    /// Reads the numbers to watch from the device.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor::read(&self.monitor)
    }

    /// The numbers to watch, without the rest.
    #[must_use]
    pub fn watched(self) -> Watched {
        Watched { numbers: self.monitor }
    }
}

/// The numbers to watch of one update, still on the device: an update itself is as large as a layer.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::AllPairs;
/// use clapp_rules::{Purpose, stream};
/// let (device, rule) = (Device::flex(), AllPairs::clapp_s());
/// let mut random = stream(2, Purpose::Saccade, [0; 4]);
/// let lateral = rule.predictors(4, 4, &device, &mut random);
/// let z = Tensor::<4>::zeros([2, 6, 25, 4], &device);
/// let draws = rule.draw([2, 6, 25].into(), &mut random);
/// let watched = rule.update(z.clone(), z, &lateral, &draws).watched();
/// // Nothing is active: half of 1 for the fixation and half of 1 for the saccades.
/// assert!((watched.monitor().loss - 1.0).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct Watched {
    numbers: Tensor<1>,
}

impl Watched {
    /// Reads the numbers from the device; waits until they are there.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor::read(&self.numbers)
    }
}

/// Numbers to watch while a layer learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    /// Loss of the layer; about 2 for an untrained one under [`Feedback::Symmetric`](crate::Feedback::Symmetric).
    pub loss: f64,
    /// Fraction of pairs whose third factor is not 0.
    pub open_gates: f64,
    /// Fraction of contexts whose own target scores above all their saccades.
    pub accuracy: f64,
}

impl Monitor {
    pub(crate) fn read(numbers: &Tensor<1>) -> Self {
        let values = numbers.to_data().convert::<f64>().try_to_vec::<f64>().unwrap_or_default();
        let [loss, open_gates, accuracy] = values[..] else {
            panic!("monitor: expected 3 numbers, got {}", values.len())
        };
        Self { loss, open_gates, accuracy }
    }
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
    draws: &Draws,
) -> (Half, Tensor<4>) {
    let [batch, time, site, channels] = target.dims();
    let grid = GridShape { batch, time, site };
    let ([steps, ..], [_, context_time, _, context_channels]) = (weights.dims(), context.dims());
    assert_eq!(
        (draws.pairs.len(), context_time),
        (steps, time),
        "update: expected pairs for {steps} prediction steps and contexts at {time} steps of time, got {} and {context_time}",
        draws.pairs.len()
    );
    let links = Links::new(draws, grid);
    let device = target.device();
    let grid_rows = batch * time * site;
    let contexts = context.clone().reshape([grid_rows, context_channels]);
    let targets = target.clone().reshape([grid_rows, channels]);
    let (context_rows, index) = (links.contexts(&device), links.targets(&device));
    let (seen, blocks) = (contexts.clone(), links.blocks().to_vec());
    let prediction = block_product(seen, context_rows.clone(), weights, &blocks, contract);
    let scores = pair_scores(prediction.clone(), targets.clone(), index.clone());
    let (gamma, monitor) = gates(contrast, scores, &links);
    let weighted = weighted_targets(&gamma, targets, index.clone());
    let modulation = target_modulation(&gamma, prediction, index, grid_rows);
    let target = modulation.reshape([batch, time, site, channels]);
    let [rows, _] = weighted.dims();
    let own_rows = Tensor::arange(0..rows as i64, (&device, DType::I32));
    (Half { blocks, contexts, context_rows, weighted, own_rows, grid, monitor }, target)
}

/// Third factors with the weight of their rows, and the numbers to watch.
fn gates(contrast: &dyn Contrast, scores: Tensor<2>, links: &Links) -> (Gamma, Tensor<1>) {
    let n = links.saccades();
    let fixation = scores.clone().narrow(1, 0, 1);
    let saccade = scores.narrow(1, 1, n);
    let column =
        |of: fn(&crate::links::RowWeights) -> f64| host_column(links.weights(of), &fixation);
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
