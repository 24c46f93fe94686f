//! Geometry of local convolutions.

use serde::{Deserialize, Serialize};

/// Which arithmetic a convolution may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arithmetic {
    /// The fastest path of the backend; sums may be re-associated by algebraic identities
    /// (Winograd), which costs about one decimal digit of an f32.
    #[default]
    Fast,
    /// Plain sums of products only.
    Exact,
}

/// What follows a convolution before its output is handed to the next layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pool {
    /// The map as it is.
    #[default]
    None,
    /// Maximum over 2×2 blocks, stride 2, odd rows and columns dropped.
    Max2,
}

impl Pool {
    /// Side of the block that becomes one output pixel.
    pub(crate) fn side(self) -> usize {
        match self {
            Self::None => 1,
            Self::Max2 => 2,
        }
    }
}

/// Geometry of a local 2-d convolution: square-free kernel, stride, zero padding, pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvSpec {
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Zero padding at both ends of each axis.
    pub padding: [usize; 2],
    /// Pool after the ReLU.
    pub pool: Pool,
    /// Which arithmetic is allowed.
    pub arithmetic: Arithmetic,
    /// What a neuron makes of its summed input; [`Linear`](Response::Linear) ones have no pool, and ρ′ = 1.
    pub response: Response,
}

impl ConvSpec {
    /// A 3×3 convolution with stride 1 and padding 1, which keeps the size of the map.
    ///
    /// ```
    /// use clapp_backend::{ConvSpec, Pool};
    /// assert_eq!(ConvSpec::same_3x3(Pool::Max2).output_size([16, 16]), [8, 8]);
    /// ```
    #[must_use]
    pub fn same_3x3(pool: Pool) -> Self {
        Self {
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            pool,
            arithmetic: Arithmetic::Fast,
            response: Response::Rectified,
        }
    }

    /// The same geometry with another arithmetic.
    #[must_use]
    pub fn with_arithmetic(mut self, arithmetic: Arithmetic) -> Self {
        self.arithmetic = arithmetic;
        self
    }

    /// Height and width of the map before the pool.
    ///
    /// # Panics
    ///
    /// If the padded input is smaller than the kernel.
    #[must_use]
    pub fn map_size(&self, input: [usize; 2]) -> [usize; 2] {
        positions(input, self.kernel, self.stride, self.padding)
    }

    /// Height and width of the output, after the pool.
    ///
    /// # Panics
    ///
    /// As [`map_size`](Self::map_size).
    #[must_use]
    pub fn output_size(&self, input: [usize; 2]) -> [usize; 2] {
        self.map_size(input).map(|pixels| pixels / self.pool.side())
    }
}

/// What a neuron makes of its summed input a.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Response {
    /// ρ(a) = max(0, a).
    #[default]
    Rectified,
    /// a itself.
    Linear,
}

/// Which number stands for a window of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowOf {
    /// The largest.
    Max,
    /// The mean, zeros of the padding included.
    Mean,
}

/// Square windows over a map, with zeros around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MapWindow {
    /// What stands for a window.
    pub of: WindowOf,
    /// Side of a window.
    pub side: usize,
    /// Pixels between windows.
    pub stride: usize,
    /// Zeros at both ends of each axis; less than a side.
    pub padding: usize,
}

impl MapWindow {
    /// Windows along each axis of a map.
    ///
    /// ```
    /// use clapp_backend::{MapWindow, WindowOf};
    /// let window = MapWindow { of: WindowOf::Max, side: 4, stride: 2, padding: 1 };
    /// assert_eq!(window.output_size([32, 32]), [16, 16]);
    /// ```
    ///
    /// # Panics
    ///
    /// If the padded map is smaller than a window.
    #[must_use]
    pub fn output_size(&self, map: [usize; 2]) -> [usize; 2] {
        positions(map, [self.side; 2], [self.stride; 2], [self.padding; 2])
    }
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

/// Positions of a kernel along every axis of a padded map.
///
/// # Panics
///
/// If the padded map is smaller than the kernel.
pub(crate) fn positions<const D: usize>(
    size: [usize; D],
    kernel: [usize; D],
    stride: [usize; D],
    padding: [usize; D],
) -> [usize; D] {
    std::array::from_fn(|axis| {
        let (padded, kernel) = (size[axis] + 2 * padding[axis], kernel[axis]);
        assert!(
            padded >= kernel,
            "convolution: expected a padded input of at least {kernel} pixels on axis {axis}, got {padded}"
        );
        (padded - kernel) / stride[axis] + 1
    })
}
