//! Score of a pair and the two dendritic signals it is made of.

use burn::tensor::Tensor;
use clapp_backend::pair_scores;

use crate::pairs::Index;

/// What the apical dendrites of the predicted neurons receive from the context.
///
/// ```text
/// ẑ = W_pred c
/// ```
///
/// Local: the weighted input of one dendritic tree per neuron. Symbols: c context activity, ẑ the
/// prediction of the activity z; both are dimensionless rates.
///
/// # Shapes
/// - `context`: `[rows, context channel]`; `w_pred`: `[target channel, context channel]`
/// - returns `[rows, target channel]`
///
/// # Paper
/// Illing et al. 2021, Eq. 1 (the dendritic prediction in the prototype rule). Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::dendritic_prediction;
/// let device = Device::flex();
/// let context = Tensor::<2>::from_floats([[1.0, 2.0]], &device);
/// let w_pred = Tensor::<2>::from_floats([[3.0, 0.0], [0.0, 5.0], [1.0, 1.0]], &device);
/// let prediction = dendritic_prediction(context, w_pred);
/// assert_eq!(prediction.into_data().try_to_vec::<f32>().unwrap(), [3.0, 10.0, 3.0]);
/// ```
#[must_use]
pub fn dendritic_prediction(context: Tensor<2>, w_pred: Tensor<2>) -> Tensor<2> {
    let ([_, channels], [_, expected]) = (context.dims(), w_pred.dims());
    assert_eq!(
        channels, expected,
        "dendritic prediction: expected {expected} context channels, got {channels}"
    );
    context.matmul(w_pred.transpose())
}

/// Scores of a fixation: every context row with its own target row.
///
/// ```text
/// u = zᵀ W_pred c = z · ẑ
/// ```
///
/// # Shapes
/// - `target`, `prediction`: `[rows, target channel]`; returns `[rows, 1]`
///
/// # Paper
/// Illing et al. 2021, Eq. 5. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::fixation_score;
/// let device = Device::flex();
/// let target = Tensor::<2>::from_floats([[1.0, 2.0]], &device);
/// let prediction = Tensor::<2>::from_floats([[3.0, 4.0]], &device);
/// assert_eq!(fixation_score(target, prediction).into_scalar::<f32>(), 11.0);
/// ```
#[must_use]
pub fn fixation_score(target: Tensor<2>, prediction: Tensor<2>) -> Tensor<2> {
    assert_eq!(
        target.dims(),
        prediction.dims(),
        "score: expected a prediction for every target {:?}, got {:?}",
        target.dims(),
        prediction.dims()
    );
    (target * prediction).sum_dim(1)
}

/// Scores of saccades: every context row with the target rows it jumped to.
///
/// ```text
/// u[r, n] = z[index[r, n]] · ẑ[r]
/// ```
///
/// # Shapes
/// - `targets`: `[target rows, channel]`; `prediction`: `[rows, channel]`; returns `[rows, n]`
///
/// # Paper
/// Illing et al. 2021, Eq. 5 with y = −1. Deviations: none.
#[must_use]
pub fn saccade_score(targets: Tensor<2>, prediction: Tensor<2>, index: Index) -> Tensor<2> {
    pair_scores(prediction, targets, index)
}
