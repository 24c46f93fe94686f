//! The local updates themselves: third factor × dendritic prediction × post × pre.

use burn::tensor::Tensor;
use clapp_backend::{pair_gather, pair_scatter};

use crate::pairs::Index;

/// Third factors of one prediction step, already carrying the weight of their row.
#[derive(Clone, Debug)]
pub struct Gamma {
    /// Of the fixation, `[rows, 1]`.
    pub fixation: Tensor<2>,
    /// Of the saccades, `[rows, n]`.
    pub saccade: Tensor<2>,
}

/// Targets weighted by their third factors: what every context row has to learn from.
///
/// ```text
/// g[r] = γ⁺[r] z⁺[r] + Σ_n γ⁻[r, n] z⁻[index[r, n]]
/// ```
///
/// The term that ΔW_pred, ΔW_retro and the context's modulation share.
///
/// # Shapes
/// - `targets`: `[rows, target channel]`; `index`: `[rows, n]`; returns `[rows, target channel]`
#[must_use]
pub fn weighted_targets(gamma: &Gamma, targets: Tensor<2>, index: Index) -> Tensor<2> {
    let saccade = pair_gather(gamma.saccade.clone(), targets.clone(), index);
    targets * gamma.fixation.clone() + saccade
}

/// Change of the prediction weights.
///
/// ```text
/// ΔW_pred,jk = γ · z_j · c_k        summed over rows and pairs: gᵀ c
/// ```
///
/// Local: third factor, postsynaptic target and presynaptic context of the one synapse.
///
/// # Shapes
/// - `weighted`: `[rows, target channel]` from [`weighted_targets`]; `context`: `[rows, context channel]`
/// - returns `[target channel, context channel]`
///
/// # Paper
/// Illing et al. 2021, Eq. 10; `compare_updates.py` `_get_dWpred`. Deviations: orientation (the
/// authors' `W_k` is W_predᵀ).
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::delta_w_pred;
/// let device = Device::flex();
/// let weighted = Tensor::<2>::from_floats([[1.0, -2.0]], &device);
/// let context = Tensor::<2>::from_floats([[3.0]], &device);
/// let delta = delta_w_pred(weighted, context);
/// assert_eq!(delta.into_data().try_to_vec::<f32>().unwrap(), [3.0, -6.0]);
/// ```
#[must_use]
pub fn delta_w_pred(weighted: Tensor<2>, context: Tensor<2>) -> Tensor<2> {
    weighted.transpose().matmul(context)
}

/// Change of the retrodiction weights, reciprocal to [`delta_w_pred`].
///
/// ```text
/// ΔW_retro,kj = γ · c_k · z_j        summed over rows and pairs: cᵀ g
/// ```
///
/// # Shapes
/// - as [`delta_w_pred`]; returns `[context channel, target channel]`
///
/// # Paper
/// Illing et al. 2021, Eq. 10. Deviations: none.
#[must_use]
pub fn delta_w_retro(weighted: Tensor<2>, context: Tensor<2>) -> Tensor<2> {
    context.transpose().matmul(weighted)
}

/// Modulation of the predicted neurons: third factor × dendritic prediction.
///
/// ```text
/// m[j] = γ⁺[j] ẑ[j] + Σ_{r,n: index[r,n] = j} γ⁻[r, n] ẑ[r]
/// ΔW_ji = m_j ρ′(a_j) x_i
/// ```
///
/// A saccade's signal goes to the item that the eye landed on: that is where the activity was.
///
/// # Shapes
/// - `prediction`: `[rows, target channel]`; returns the same, indexed by target row
///
/// # Paper
/// Illing et al. 2021, Eqs. 6 and 8; `compare_updates.py` `_get_dW_ff`. Deviations: none.
#[must_use]
pub fn target_modulation(gamma: &Gamma, prediction: Tensor<2>, index: Index) -> Tensor<2> {
    let [rows, _] = prediction.dims();
    let saccade = pair_scatter(gamma.saccade.clone(), prediction.clone(), index, rows);
    prediction * gamma.fixation.clone() + saccade
}

/// Modulation of the predicting neurons: third factor × retrodiction.
///
/// ```text
/// m = γ · W_retro z        summed over pairs: W_retro g;  with symmetric weights W_retro = W_predᵀ
/// ΔW_ji = m_j ρ′(a_j) x_i   at the context's time
/// ```
///
/// # Shapes
/// - `weighted`: `[rows, target channel]`; `w_retro`: `[context channel, target channel]`
/// - returns `[rows, context channel]`
///
/// # Paper
/// Illing et al. 2021, Eqs. 7 and 9. Deviations: none.
#[must_use]
pub fn context_modulation(weighted: Tensor<2>, w_retro: Tensor<2>) -> Tensor<2> {
    weighted.matmul(w_retro.transpose())
}
