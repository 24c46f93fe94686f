//! From activity over time to features.

use ndarray::{Array1, Array2, ArrayView2, Axis};

/// What an encoder says about a whole crop: the mean of its outputs over time.
///
/// # Shapes
///
/// - `outputs`: `[time, dim]`
/// - returns `[dim]`
///
/// # Panics
///
/// If there is no output.
///
/// # Example
///
/// ```
/// use ndarray::array;
/// let mean = clapp_eval::probe::mean_over_time(array![[0.0, 2.0], [1.0, 4.0]].view());
/// assert_eq!(mean, array![0.5, 3.0]);
/// ```
#[must_use]
pub fn mean_over_time(outputs: ArrayView2<'_, f32>) -> Array1<f32> {
    outputs.mean_axis(Axis(0)).expect("there is at least one output")
}

/// The mean over time of maps of activity, one row a clip.
///
/// ```text
/// x[b, (c, y, x)] = (1/T) Σ_t map[b, c, t, y, x]
/// ```
///
/// # Shapes
///
/// - `maps`: `[batch, channel, time, y, x]`, row-major, with `shape`
/// - returns `[batch, channel · y · x]`, in the order of PyTorch's `flatten`
///
/// # Panics
///
/// If `maps` does not hold as many values as `shape` says, or there is no time.
///
/// # Example
///
/// ```
/// // One clip, one channel, two moments of two sites.
/// let mean = clapp_eval::probe::temporal_mean(&[1.0, 2.0, 3.0, 6.0], [1, 1, 2, 1, 2]);
/// assert_eq!(mean, ndarray::array![[2.0, 4.0]]);
/// ```
#[must_use]
pub fn temporal_mean(maps: &[f32], shape: [usize; 5]) -> Array2<f32> {
    let (got, expected) = (maps.len(), shape.iter().product::<usize>());
    assert!(got == expected, "temporal mean: expected {expected} values for {shape:?}, got {got}");
    let [batch, channels, time, height, width] = shape;
    assert!(time > 0, "temporal mean: expected at least one moment, got {shape:?}");
    let sites = height * width;
    let mut means = Array2::zeros((batch, channels * sites));
    if means.is_empty() {
        return means;
    }
    let out = means.as_slice_mut().expect("a new array is contiguous");
    for (mean, map) in out.chunks_exact_mut(sites).zip(maps.chunks_exact(time * sites)) {
        for moment in map.chunks_exact(sites) {
            mean.iter_mut().zip(moment).for_each(|(mean, value)| *mean += value);
        }
        mean.iter_mut().for_each(|mean| *mean /= time as f32);
    }
    means // [batch, channel · y · x]
}
