//! What passes between two layers, and what a local convolution keeps for its update.

use burn::tensor::{Int, Tensor};

use crate::{ConvolutionOps, operation::on_backend};

/// Activity between two layers, in whatever layout the backend likes best.
///
/// The lines `[n, c/L, h, w, L]` are opaque: build one with [`from_plain`](Self::from_plain), read
/// one with [`to_plain`](Self::to_plain). Between layers nothing is converted.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::Activity;
///
/// let images = Tensor::<4>::ones([2, 3, 8, 8], &Device::flex());
/// let activity = Activity::from_plain(images);
/// assert_eq!(activity.dims(), [2, 3, 8, 8]);
/// assert_eq!(activity.to_plain().dims(), [2, 3, 8, 8]);
/// ```
#[derive(Clone, Debug)]
pub struct Activity {
    pub(crate) lines: Tensor<5>,
}

impl Activity {
    /// Wraps a plain `[n, c, h, w]` tensor. Costs nothing.
    #[must_use]
    pub fn from_plain(tensor: Tensor<4>) -> Self {
        Self { lines: tensor.unsqueeze_dim(4) }
    }

    /// Converts to a plain `[n, c, h, w]` tensor.
    #[must_use]
    pub fn to_plain(&self) -> Tensor<4> {
        let plain = on_backend!(ConvolutionOps::unpack(self.lines.clone()));
        Tensor::<5>::from_dispatch(plain).reshape(self.dims())
    }

    /// Converts to rows of channels, `[n, h·w, c]`: what a rule sees that looks at every pixel or frame.
    #[must_use]
    pub fn to_rows(&self) -> Tensor<3> {
        Tensor::from_dispatch(on_backend!(ConvolutionOps::to_rows(self.lines.clone())))
    }

    /// `[n, c, h, w]`.
    #[must_use]
    pub fn dims(&self) -> [usize; 4] {
        let [n, blocks, h, w, lanes] = self.lines.dims();
        [n, blocks * lanes, h, w]
    }
}

/// What a local convolution keeps for its own update, and hands to the next layer.
#[derive(Clone, Debug)]
pub struct ConvActivity {
    /// Presynaptic activity x.
    pub input: Activity,
    /// ρ(a), after the pool: the input of the next layer.
    pub output: Activity,
    /// Mean of ρ(a) over the map, `[n, c]`: what the rule sees.
    pub representation: Tensor<2>,
    pub(crate) winners: Tensor<5, Int>,
}
