//! Lateral weights over several steps of time: a matrix for each, or one matrix applied again.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{context_modulation, delta_w_pred, dendritic_prediction};

/// Which weights predict over k steps of time.
///
/// ```text
/// per step    ẑ_k = W_k c              ΔW_k = g_kᵀ c                     m = Σ_k W_kᵀ g_k
/// repeated    ẑ_k = W ẑ_{k−1}, ẑ_0 = c    ΔW = Σ_j e_jᵀ ẑ_{j−1}             m = Wᵀ e_1
///             e_K = g_K,  e_j = g_j + Wᵀ e_{j+1}
/// ```
///
/// g_k are the [weighted targets](crate::equations::weighted_targets) of step k. A matrix of its own needs one
/// dendritic input per step of time. One matrix for all is a lateral network that settles k times; its
/// signal e has to come back through the same weights as often, which is less plausible.
///
/// # Paper
/// `VGG_8.py` `Loss`, `single_predictor`. The paper uses a matrix per step.
///
/// # Example
///
/// ```
/// use clapp_rules::Matrices;
/// assert_eq!(Matrices::PerStep.matrices(3), 3);
/// assert_eq!(Matrices::Repeated.matrices(3), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matrices {
    /// A matrix for every prediction step.
    #[default]
    PerStep,
    /// One matrix, applied k times.
    Repeated,
}

impl Matrices {
    /// Matrices that K prediction steps need.
    #[must_use]
    pub fn matrices(self, prediction_steps: usize) -> usize {
        match self {
            Self::PerStep => prediction_steps,
            Self::Repeated => 1,
        }
    }

    /// Dendritic predictions of all steps, `[rows, target channel]` each.
    pub(crate) fn predictions(
        self,
        context: &Tensor<2>,
        weights: &Tensor<3>,
        steps: usize,
    ) -> Vec<Tensor<2>> {
        let mut source = context.clone();
        let predict = |k| match self {
            Self::PerStep => dendritic_prediction(context.clone(), step_matrix(weights, k)),
            Self::Repeated => {
                source = dendritic_prediction(source.clone(), step_matrix(weights, 0));
                source.clone()
            }
        };
        (0..steps).map(predict).collect()
    }

    /// Changes of every matrix, from the weighted targets g_k.
    pub(crate) fn deltas(
        self,
        weighted: &[Tensor<2>],
        context: &Tensor<2>,
        predictions: &[Tensor<2>],
        weights: &Tensor<3>,
    ) -> Vec<Tensor<2>> {
        match self {
            Self::PerStep => {
                weighted.iter().map(|g| delta_w_pred(g.clone(), context.clone())).collect()
            }
            Self::Repeated => {
                let signals = signals(weighted, &step_matrix(weights, 0).transpose());
                let sources = std::iter::once(context).chain(predictions);
                let products = signals
                    .into_iter()
                    .zip(sources)
                    .map(|(signal, source)| delta_w_pred(signal, source.clone()));
                products.reduce(|sum, product| sum + product).into_iter().collect()
            }
        }
    }

    /// What comes back to the context, `[rows, context channel]`, through `way_back`
    /// `[·, context channel, target channel]`.
    pub(crate) fn back(self, weighted: &[Tensor<2>], way_back: &Tensor<3>) -> Option<Tensor<2>> {
        match self {
            Self::PerStep => {
                let step = |(k, g): (usize, &Tensor<2>)| {
                    context_modulation(g.clone(), step_matrix(way_back, k))
                };
                weighted.iter().enumerate().map(step).reduce(|sum, step| sum + step)
            }
            Self::Repeated => {
                let matrix = step_matrix(way_back, 0);
                let first = signals(weighted, &matrix).into_iter().next();
                first.map(|signal| context_modulation(signal, matrix))
            }
        }
    }
}

/// e_1 … e_K of one matrix that is applied again and again.
fn signals(weighted: &[Tensor<2>], way_back: &Tensor<2>) -> Vec<Tensor<2>> {
    let mut signals: Vec<Tensor<2>> = Vec::with_capacity(weighted.len());
    for g in weighted.iter().rev() {
        let signal = match signals.last() {
            Some(next) => g.clone() + context_modulation(next.clone(), way_back.clone()),
            None => g.clone(),
        };
        signals.push(signal);
    }
    signals.reverse();
    signals
}

/// Matrix of prediction step `k` (from 0).
fn step_matrix(weights: &Tensor<3>, k: usize) -> Tensor<2> {
    let [_, rows, columns] = weights.dims();
    weights.clone().narrow(0, k, 1).reshape([rows, columns])
}
