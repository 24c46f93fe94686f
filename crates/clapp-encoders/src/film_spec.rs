//! Geometry of a film layer: kernel, strides, what follows, and where it normalises.

use serde::{Deserialize, Serialize};

use crate::FilmPool;

/// Where a layer normalises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormOrder {
    /// Convolution, ReLU, normalisation, pool: the authors' code. Activities may be negative.
    #[default]
    AfterRelu,
    /// Convolution, normalisation, ReLU, pool: the paper's text.
    BeforeRelu,
}

/// Geometry of a film layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Conv3dSpec {
    /// Kernel in time, height and width.
    pub kernel: [usize; 3],
    /// Strides; frames in between are never looked at.
    pub stride: [usize; 3],
    /// Zero padding at both ends of each axis.
    pub padding: [usize; 3],
    /// Pool after the normalisation.
    pub pool: FilmPool,
    /// Where it normalises.
    pub order: NormOrder,
}
