//! Frames brought to the rate of labels.

use burn::tensor::{Tensor, TensorData};

/// Adaptive average over time: frame i of the result is the mean of the frames
/// ⌊i·T/F⌋ … ⌈(i+1)·T/F⌉ − 1.
///
/// # Shapes
/// - `grid`: `[batch, time, channel]`; returns `[batch, frames, channel]`
///
/// # Paper
/// Löwe et al. 2019, `loss_supervised_phones.py` (`adaptive_avg_pool1d`). Deviations: none.
pub(super) fn adaptive_frames(grid: Tensor<3>, frames: usize) -> Tensor<3> {
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

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn frames_of_a_label_are_averaged() {
        let grid = [[[1.0], [2.0], [4.0], [8.0], [16.0]]];
        let pooled = adaptive_frames(Tensor::from_floats(grid, &Device::flex()), 2);
        // Frames 0, 1, 2 and 2, 3, 4.
        let found = pooled.into_data().try_to_vec::<f32>().expect("single precision");
        assert!((found[0] - 7.0 / 3.0).abs() < 1e-6 && (found[1] - 28.0 / 3.0).abs() < 1e-6);
    }
}
