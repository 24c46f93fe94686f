//! What a layer over films asks of a tensor backend: convolution over time and space, normalisation of
//! channels, max-pool of frames, and the way back.

use burn::backend::{
    Backend, ExtensionType, backend_extension,
    tensor::{FloatTensor, IntTensor},
};

use crate::generic_film as generic;

/// What a neuron makes of its summed input a.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Response {
    /// ρ(a) = max(0, a).
    #[default]
    Rectified,
    /// a itself.
    Linear,
}

/// Geometry of a convolution over films; axes are time, rows, columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FilmSpec {
    /// Strides.
    pub stride: [usize; 3],
    /// Zeros at both ends of each axis.
    pub padding: [usize; 3],
    /// What follows.
    pub response: Response,
}

/// Square windows over the pixels of every frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameWindow {
    /// Side of a window, 1 to 15 pixels.
    pub side: usize,
    /// Pixels between windows.
    pub stride: usize,
}

impl FrameWindow {
    /// Every pixel by itself: no pool.
    pub const PIXEL: Self = Self { side: 1, stride: 1 };
}

/// Mean and variance of every channel (backend primitives).
#[derive(Debug, ExtensionType)]
pub struct MomentsOutput<B: Backend> {
    /// Mean, `[c]`.
    pub mean: FloatTensor<B>,
    /// Biased variance, `[c]`.
    pub variance: FloatTensor<B>,
}

/// A normalised and pooled map (backend primitives).
#[derive(Debug, ExtensionType)]
pub struct PooledOutput<B: Backend> {
    /// Normalised values of the winners, `[n, c, t, h', w']`.
    pub output: FloatTensor<B>,
    /// Which pixel of each window won; the backend's own encoding.
    pub winners: IntTensor<B>,
}

/// Sums of a signal over all windows (backend primitives).
#[derive(Debug, ExtensionType)]
pub struct SignalOutput<B: Backend> {
    /// `Σ m`, `[c]`.
    pub sum: FloatTensor<B>,
    /// `Σ m (u − μ)`, `[c]`.
    pub centred: FloatTensor<B>,
}

/// Primitives of a layer over films.
///
/// As [`LocalOps`](crate::LocalOps): every method has a body composed of burn's own operations. Films are
/// `[n, c, t, h, w]` in any memory order; a backend hands out the one that it likes best.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait FilmOps: Backend {
    /// The same film in the memory order that this backend likes best.
    fn arrange_film(film: FloatTensor<Self>) -> FloatTensor<Self> {
        film
    }

    /// Convolution with bias and response.
    fn conv3d_local(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: FilmSpec,
    ) -> FloatTensor<Self> {
        generic::conv3d_local::<Self>(input, weight, bias, spec)
    }

    /// Mean and variance of every channel.
    fn channel_moments(map: FloatTensor<Self>) -> MomentsOutput<Self> {
        generic::channel_moments::<Self>(map)
    }

    /// `y = α u + β` of the pixel with the largest `α u` in every window; `line` is α and β, `[2, c]`.
    fn normalise_pooled(
        map: FloatTensor<Self>,
        line: FloatTensor<Self>,
        window: FrameWindow,
    ) -> PooledOutput<Self> {
        generic::normalise_pooled::<Self>(map, line, window)
    }

    /// Sums of a signal `[n, c, t, h', w']` and of its product with the winners' distance from a mean.
    fn signal_sums(
        map: FloatTensor<Self>,
        winners: IntTensor<Self>,
        signal: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        window: FrameWindow,
    ) -> SignalOutput<Self> {
        generic::signal_sums::<Self>(map, winners, signal, mean, window)
    }

    /// `ρ′(u) (α Σ m − κ u − λ)` at every pixel, the sum over windows that it won; `terms` are α, κ and λ,
    /// `[3, c]`.
    fn signal_back(
        map: FloatTensor<Self>,
        winners: IntTensor<Self>,
        signal: FloatTensor<Self>,
        terms: FloatTensor<Self>,
        window: FrameWindow,
        response: Response,
    ) -> FloatTensor<Self> {
        generic::signal_back::<Self>(map, winners, signal, terms, window, response)
    }
}

#[cfg(feature = "ndarray")]
impl FilmOps for burn::backend::NdArray {}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl FilmOps for burn::backend::Cube {}
