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
/// # Panics
///
/// If the context channels of `context` and `w_pred` differ.
///
/// # Paper
/// Illing et al. 2021, Eq. 1 (the dendritic prediction in the prototype rule). Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::equations::dendritic_prediction;
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
/// How much the activity of a population agrees with what its dendrites predict: the one number
/// of a layer that leaves it, to become its third factor. z target activity, ẑ prediction.
///
/// # Shapes
/// - `target`, `prediction`: `[rows, target channel]`; returns `[rows, 1]`
///
/// # Panics
///
/// If the two shapes differ.
///
/// # Paper
/// Illing et al. 2021, Eq. 5. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::equations::fixation_score;
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
/// The eye jumped after the prediction was made, so ẑ meets the activity of another place or image.
///
/// # Shapes
/// - `targets`: `[target rows, channel]`; `prediction`: `[rows, channel]`; `index`: `[rows, n]`
/// - returns `[rows, n]`
///
/// # Panics
///
/// If the channels differ, or `index` has another number of rows than `prediction`.
///
/// # Paper
/// Illing et al. 2021, Eq. 5 with y = −1. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::Pairs;
/// use clapp_rules::equations::saccade_score;
/// let device = Device::flex();
/// let targets = Tensor::<2>::from_floats([[1.0, 0.0], [0.0, 1.0]], &device);
/// let prediction = Tensor::<2>::from_floats([[3.0, 4.0], [5.0, 6.0]], &device);
/// // The first context jumps to row 1 and then to row 0, the second to row 0 twice.
/// let index = Pairs { shift: 1, count: 2, index: vec![1, 0, 0, 0] }.to_device(&device);
/// let scores = saccade_score(targets, prediction, index);
/// assert_eq!(scores.into_data().try_to_vec::<f32>().unwrap(), [4.0, 3.0, 5.0, 5.0]);
/// ```
///
/// # Cost
/// O(rows · n · channel), without a copy of the targets for every saccade.
#[must_use]
pub fn saccade_score(targets: Tensor<2>, prediction: Tensor<2>, index: Index) -> Tensor<2> {
    let ([rows, channels], [_, expected]) = (prediction.dims(), targets.dims());
    assert_eq!(channels, expected, "score: expected {expected} target channels, got {channels}");
    let [indexed, _] = index.dims();
    assert_eq!(indexed, rows, "score: expected saccades of {rows} rows, got {indexed}");
    pair_scores(prediction, targets, index)
}
