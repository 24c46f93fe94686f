//! Max-pool over the pixels of every frame, and the way back to its winners.

use burn::tensor::{
    Int, Tensor,
    module::{max_pool2d_with_indices, max_pool2d_with_indices_backward},
    ops::MaxPoolOptions,
};
use serde::{Deserialize, Serialize};

const KERNEL: [usize; 2] = [3, 3];
const STRIDE: [usize; 2] = [2, 2];

/// What follows the normalisation of a film layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilmPool {
    /// The map as it is.
    #[default]
    Nothing,
    /// Maximum over 3×3 pixels of a frame, stride 2: neighbouring windows overlap, frames stay apart.
    Max3,
}

impl FilmPool {
    /// Side of a map after the pool; `None` if the map is smaller than a window.
    ///
    /// ```
    /// use clapp_encoders::FilmPool;
    /// let sides = [61, 14, 6, 2].map(|side| FilmPool::Max3.side(side));
    /// assert_eq!(sides, [Some(30), Some(6), Some(2), None]);
    /// assert_eq!(FilmPool::Nothing.side(2), Some(2));
    /// ```
    #[must_use]
    pub fn side(self, side: usize) -> Option<usize> {
        match self {
            Self::Nothing => Some(side),
            Self::Max3 => Some(side.checked_sub(KERNEL[0])? / STRIDE[0] + 1),
        }
    }
}

/// Largest pixels of a map `[b, c, t, y, x]`, and which they were.
pub(crate) fn pooled(map: Tensor<5>) -> (Tensor<5>, Tensor<4, Int>) {
    let [batch, channels, time, ..] = map.dims();
    let options = MaxPoolOptions::new(KERNEL).with_stride(STRIDE);
    let (largest, winners) = max_pool2d_with_indices(frames(map), options);
    let [_, _, height, width] = largest.dims();
    (largest.reshape([batch, channels, time, height, width]), winners)
}

/// Sends a signal `[b, c, t, y', x']` back to the pixels that won; a pixel that won in several windows
/// gets the sum.
pub(crate) fn routed(signal: Tensor<5>, winners: Tensor<4, Int>, map: &Tensor<5>) -> Tensor<5> {
    // Only the shape of the map matters to the routing.
    let (shape, map) = (map.dims(), frames(map.clone()));
    let signal = frames(signal);
    let none = ([0, 0], [1, 1], false);
    let sent = max_pool2d_with_indices_backward(
        map, KERNEL, STRIDE, none.0, none.1, none.2, signal, winners,
    );
    sent.reshape(shape)
}

/// Frames of all channels side by side: the pool never crosses them.
fn frames(map: Tensor<5>) -> Tensor<4> {
    let [batch, channels, time, height, width] = map.dims();
    map.reshape([batch, channels * time, height, width])
}
