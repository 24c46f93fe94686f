//! The layout every modality shares: `[batch, time, site, channel]`.

use burn::tensor::Tensor;

/// Rows of a grid that a prediction over `shift` steps of time can start from.
///
/// ```text
/// c[b, t, s] for t = 0 … T − shift − 1
/// ```
///
/// # Shapes
/// - `grid`: `[batch, time, site, channel]`; returns `[batch·(time − shift)·site, channel]`
///
/// # Panics
///
/// If `shift` is not smaller than the number of time steps.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{context_rows, target_rows};
/// let grid = Tensor::<1>::from_floats([0.0, 1.0, 2.0], &Device::flex()).reshape([1, 3, 1, 1]);
/// assert_eq!(context_rows(grid.clone(), 2).into_data().try_to_vec::<f32>().unwrap(), [0.0]);
/// assert_eq!(target_rows(grid, 2).into_data().try_to_vec::<f32>().unwrap(), [2.0]);
/// ```
#[must_use]
pub fn context_rows(grid: Tensor<4>, shift: usize) -> Tensor<2> {
    let [_, time, _, _] = grid.dims();
    check_shift(time, shift);
    rows(grid.narrow(1, 0, time - shift))
}

/// Rows of a grid that a prediction over `shift` steps of time can arrive at.
///
/// ```text
/// z[b, t + shift, s] for t = 0 … T − shift − 1
/// ```
///
/// The counterpart of [`context_rows`], row for row.
///
/// # Shapes
/// - `grid`: `[batch, time, site, channel]`; returns `[batch·(time − shift)·site, channel]`
///
/// # Panics
///
/// If `shift` is not smaller than the number of time steps.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::target_rows;
/// // Two samples of three time steps.
/// let z = Tensor::<1>::from_floats([0.0, 1.0, 2.0, 10.0, 11.0, 12.0], &Device::flex());
/// let rows = target_rows(z.reshape([2, 3, 1, 1]), 1);
/// assert_eq!(rows.into_data().try_to_vec::<f32>().unwrap(), [1.0, 2.0, 11.0, 12.0]);
/// ```
#[must_use]
pub fn target_rows(grid: Tensor<4>, shift: usize) -> Tensor<2> {
    let [_, time, _, _] = grid.dims();
    check_shift(time, shift);
    rows(grid.narrow(1, shift, time - shift))
}

fn check_shift(time: usize, shift: usize) {
    assert!(shift < time, "prediction step: expected a shift below {time} time steps, got {shift}");
}

fn rows(grid: Tensor<4>) -> Tensor<2> {
    let [batch, time, site, channel] = grid.dims();
    grid.reshape([batch * time * site, channel])
}
