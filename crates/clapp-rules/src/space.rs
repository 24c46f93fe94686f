//! What the positions of a map are to a score.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What the positions of a map are to the score of two frames.
///
/// ```text
/// flattened   u = Σ_p z(p)ᵀ W_k c(p)            one score per pair of frames, positions stay apart
/// collapsed   u = z̄ᵀ W_k c̄,  z̄ = mean_p z(p)    one score per pair of frames
/// segmented   u = z(p)ᵀ W_k c(q)                one score per pair of positions of frames
/// ```
///
/// The same W_k serves every position. Segmented maps take other positions of the same frame as saccades
/// as well, as dense predictive coding does; their score matrix grows with the square of the positions.
///
/// # Paper
/// `VGG_8.py` `Loss`: `spatial_collapse`, `spatial_segm`. The paper flattens.
///
/// # Example
///
/// ```
/// use clapp_rules::Space;
/// let rows = [Space::Flattened, Space::Collapsed, Space::Segmented].map(|space| space.rows(36));
/// assert_eq!(rows, [1, 1, 36]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Space {
    /// All channels at all positions are one population.
    #[default]
    Flattened,
    /// The mean over positions is what is scored.
    Collapsed,
    /// Every position is a row of its own.
    Segmented,
}

impl Space {
    /// Rows that one frame of `sites` positions gives to the score matrix.
    #[must_use]
    pub fn rows(self, sites: usize) -> usize {
        match self {
            Self::Flattened | Self::Collapsed => 1,
            Self::Segmented => sites,
        }
    }

    /// `[b, t, site, channel]` → `[b, t, row, feature]`.
    pub(crate) fn features(self, grid: Tensor<4>) -> Tensor<4> {
        let [batch, time, site, channel] = grid.dims();
        match self {
            Self::Flattened => grid.reshape([batch, time, 1, site * channel]),
            Self::Collapsed => grid.mean_dim(2),
            Self::Segmented => grid,
        }
    }

    /// Modulation of the neurons `[b, t, site, channel]` from that of their features.
    pub(crate) fn neurons(self, features: Tensor<4>, sites: usize) -> Tensor<4> {
        let [batch, time, _, feature] = features.dims();
        match self {
            Self::Flattened => features.reshape([batch, time, sites, feature / sites]),
            // The mean is shared, and so is its signal.
            Self::Collapsed => (features / sites as f64).expand([batch, time, sites, feature]),
            Self::Segmented => features,
        }
    }
}
