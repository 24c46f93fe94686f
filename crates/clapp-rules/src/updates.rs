//! The local updates themselves: third factor × dendritic prediction × post × pre.

use burn::tensor::Tensor;
use clapp_backend::{pair_gather, pair_scatter};

use crate::pairs::Index;

/// Third factors of one prediction step, already carrying the weight of their row.
///
/// A [`Contrast`](crate::Contrast) gives γ, a row's share in the mean over its [`Rows`](crate::Rows) its weight;
/// [`Rule::update`](crate::Rule::update) multiplies the two.
#[derive(Clone, Debug)]
pub struct Gamma {
    /// Of the fixation, `[rows, 1]`.
    pub fixation: Tensor<2>,
    /// Of the saccades, `[rows, n]`.
    pub saccade: Tensor<2>,
}

impl Gamma {
    /// Fixation first, as columns of one tensor, `[rows, 1 + n]`.
    ///
    /// Kernels index by these shapes, and one row too few would broadcast.
    fn checked(&self, what: &str, rows: usize, index: &Index) -> Tensor<2> {
        let [_, n] = self.saccade.dims();
        let found = [self.fixation.dims(), self.saccade.dims(), index.dims()];
        let expected = [[rows, 1], [rows, n], [rows, 1 + n]];
        assert_eq!(
            found, expected,
            "{what}: expected γ⁺, γ⁻ and index of {expected:?}, got {found:?}"
        );
        Tensor::cat(vec![self.fixation.clone(), self.saccade.clone()], 1)
    }
}

/// Targets weighted by their third factors: what every context row has to learn from.
///
/// ```text
/// g[r] = γ⁺[r] z[index[r, 0]] + Σ_n γ⁻[r, n] z[index[r, n]]
/// ```
///
/// The term that ΔW_pred, ΔW_retro and the context's modulation share. γ third factors; the first
/// column of `index` names the target that followed, the others those that the eye jumped to.
///
/// # Shapes
/// - `targets`: `[target rows, target channel]`; `index`: `[rows, 1 + n]`
/// - returns `[rows, target channel]`
///
/// # Panics
///
/// If the shapes of `gamma` and `index` do not fit.
///
/// # Paper
/// Illing et al. 2021, Eqs. 7, 9 and 10, where it stands inside a sum. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::equations::{Gamma, weighted_targets};
/// let device = Device::flex();
/// let gamma = Gamma {
///     fixation: Tensor::from_floats([[1.0], [0.0]], &device),
///     saccade: Tensor::from_floats([[-1.0], [-1.0]], &device),
/// };
/// let targets = Tensor::<2>::from_floats([[2.0], [5.0]], &device);
/// let index = Tensor::from_ints([[0, 1], [1, 0]], &device);
/// let weighted = weighted_targets(&gamma, targets, index);
/// // 1·2 − 1·5 and 0·5 − 1·2
/// assert_eq!(weighted.into_data().try_to_vec::<f32>().unwrap(), [-3.0, -2.0]);
/// ```
#[must_use]
pub fn weighted_targets(gamma: &Gamma, targets: Tensor<2>, index: Index) -> Tensor<2> {
    let [rows, _] = index.dims();
    pair_gather(gamma.checked("weighted targets", rows, &index), targets, index)
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
/// # Panics
///
/// If the numbers of rows differ.
///
/// # Paper
/// Illing et al. 2021, Eq. 10; `compare_updates.py` `_get_dWpred`. Deviations: orientation (the
/// authors' `W_k` is W_predᵀ).
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::equations::delta_w_pred;
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
/// Local as its counterpart, with pre and post exchanged: matrices that start small align, without
/// either knowing the other.
///
/// # Shapes
/// - as [`delta_w_pred`]; returns `[context channel, target channel]`
///
/// # Panics
///
/// If the numbers of rows differ.
///
/// # Paper
/// Illing et al. 2021, Eq. 10. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::equations::delta_w_retro;
/// let device = Device::flex();
/// let weighted = Tensor::<2>::from_floats([[1.0, -2.0]], &device);
/// let context = Tensor::<2>::from_floats([[3.0]], &device);
/// let delta = delta_w_retro(weighted, context);
/// assert_eq!(delta.dims(), [1, 2]);
/// assert_eq!(delta.into_data().try_to_vec::<f32>().unwrap(), [3.0, -6.0]);
/// ```
#[must_use]
pub fn delta_w_retro(weighted: Tensor<2>, context: Tensor<2>) -> Tensor<2> {
    context.transpose().matmul(weighted)
}

/// Modulation of the predicted neurons: third factor × dendritic prediction.
///
/// ```text
/// m[j] = Σ_{r,n: index[r,n] = j} γ[r, n] ẑ[r]        γ[r, 0] of the fixation, γ[r, 1…] of saccades
/// ΔW_ji = m_j ρ′(a_j) x_i
/// ```
///
/// A saccade's signal goes to the target of the saccade, because that is the activity it was compared with.
///
/// # Shapes
/// - `prediction`: `[rows, target channel]`; `index`: `[rows, 1 + n]`, the target that followed first
/// - returns `[target_rows, target channel]`
///
/// # Panics
///
/// If the rows of `gamma`, `prediction` and `index` differ.
///
/// # Paper
/// Illing et al. 2021, Eqs. 6 and 8; `compare_updates.py` `_get_dW_ff`. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::equations::{Gamma, target_modulation};
/// let device = Device::flex();
/// let gamma = Gamma {
///     fixation: Tensor::from_floats([[1.0], [1.0]], &device),
///     saccade: Tensor::from_floats([[-1.0], [0.0]], &device),
/// };
/// let prediction = Tensor::<2>::from_floats([[2.0], [5.0]], &device);
/// // Both jump to the other; the second eye's gate is closed.
/// let index = Tensor::from_ints([[0, 1], [1, 0]], &device);
/// let modulation = target_modulation(&gamma, prediction, index, 2);
/// // 1·2 and 1·5 − 1·2: what the first context predicted arrives where its eye landed.
/// assert_eq!(modulation.into_data().try_to_vec::<f32>().unwrap(), [2.0, 3.0]);
/// ```
///
/// # Cost
/// O(rows · n · channel).
#[must_use]
pub fn target_modulation(
    gamma: &Gamma,
    prediction: Tensor<2>,
    index: Index,
    target_rows: usize,
) -> Tensor<2> {
    let [rows, _] = prediction.dims();
    let gamma = gamma.checked("target modulation", rows, &index);
    pair_scatter(gamma, prediction, index, target_rows)
}

/// Modulation of the predicting neurons: third factor × retrodiction.
///
/// ```text
/// m = γ · W_retro z        summed over pairs: W_retro g;  with symmetric weights W_retro = W_predᵀ
/// ΔW_ji = m_j ρ′(a_j) x_i   at the context's time
/// ```
///
/// Local: the weighted input of a dendrite, arriving when the target has become active; the neuron
/// applies it to a trace of its earlier post × pre.
///
/// # Shapes
/// - `weighted`: `[rows, target channel]`; `w_retro`: `[context channel, target channel]`
/// - returns `[rows, context channel]`
///
/// # Panics
///
/// If the target channels differ.
///
/// # Paper
/// Illing et al. 2021, Eqs. 7 and 9; `compare_updates.py` `_get_dW_ff`. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::equations::context_modulation;
/// let device = Device::flex();
/// let weighted = Tensor::<2>::from_floats([[1.0, -2.0]], &device);
/// let w_retro = Tensor::<2>::from_floats([[4.0, 1.0], [0.0, 3.0]], &device);
/// let modulation = context_modulation(weighted, w_retro);
/// assert_eq!(modulation.into_data().try_to_vec::<f32>().unwrap(), [2.0, -6.0]);
/// ```
#[must_use]
pub fn context_modulation(weighted: Tensor<2>, w_retro: Tensor<2>) -> Tensor<2> {
    weighted.matmul(w_retro.transpose())
}
