//! Frames brought to the rate of labels, and the loss over them.

use burn::tensor::{DType, Tensor, TensorData, activation::log_softmax};

/// Adaptive average over time: frame i of the result is the mean of the frames
/// ⌊i·T/F⌋ … ⌈(i+1)·T/F⌉ − 1.
///
/// # Shapes
/// - `grid`: `[batch, time, channel]`; returns `[batch, frames, channel]`
///
/// # Paper
/// Löwe et al. 2019, `loss_supervised_phones.py` (`adaptive_avg_pool1d`). Deviations: none.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_baselines::sound::adaptive_frames;
/// let grid = Tensor::<3>::from_floats([[[1.0], [2.0], [4.0], [8.0], [16.0]]], &Device::flex());
/// let pooled = adaptive_frames(grid, 2);
/// // Frames 0, 1, 2 and 2, 3, 4.
/// let found = pooled.into_data().try_to_vec::<f32>().unwrap();
/// assert!((found[0] - 7.0 / 3.0).abs() < 1e-6 && (found[1] - 28.0 / 3.0).abs() < 1e-6);
/// ```
#[must_use]
pub fn adaptive_frames(grid: Tensor<3>, frames: usize) -> Tensor<3> {
    let [_, time, _] = grid.dims();
    if time == frames {
        return grid;
    }
    let mut weights = vec![0.0_f64; frames * time];
    for i in 0..frames {
        let (from, to) = (i * time / frames, ((i + 1) * time).div_ceil(frames));
        weights[i * time + from..i * time + to].fill(1.0 / (to - from) as f64);
    }
    let data = TensorData::new(weights, [1, frames, time]).convert_dtype(grid.dtype());
    let mean = Tensor::<3>::from_data(data, (&grid.device(), grid.dtype()));
    mean.matmul(grid)
}

/// Cross-entropy of one class per row, `[1]`.
///
/// ```text
/// L = −⟨log softmax(logits)_label⟩        mean over rows
/// ```
///
/// # Shapes
/// - `logits`: `[rows, class]`; `labels`: one class per row
///
/// # Panics
///
/// If the numbers differ, or a label is not among the classes.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_baselines::sound::cross_entropy;
/// let loss = cross_entropy(Tensor::zeros([2, 41], &Device::flex()), &[0, 40]);
/// assert!((loss.into_scalar::<f32>() - 41f32.ln()).abs() < 1e-5);
/// ```
#[must_use]
pub fn cross_entropy(logits: Tensor<2>, labels: &[usize]) -> Tensor<1> {
    let [rows, classes] = logits.dims();
    assert_eq!(labels.len(), rows, "phones: expected {rows} labels, got {}", labels.len());
    let mut chosen = vec![0.0_f64; rows * classes];
    for (row, &label) in labels.iter().enumerate() {
        assert!(label < classes, "phones: expected labels below {classes}, got {label}");
        chosen[row * classes + label] = 1.0;
    }
    let dtype: DType = logits.dtype();
    let data = TensorData::new(chosen, [rows, classes]).convert_dtype(dtype);
    let chosen = Tensor::<2>::from_data(data, (&logits.device(), dtype));
    (log_softmax(logits, 1) * chosen).sum() / -(rows as f64)
}
