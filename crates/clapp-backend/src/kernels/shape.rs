//! What a convolution looks like: sizes, layouts, and the plan that joins them.

use super::instruction::{InstructionSet, instruction_set};
use crate::{Arithmetic, Pool, Response, spec::positions};

/// Channels in one line of a blocked activity, and lanes of one vector.
pub const LANES: usize = 16;

/// Output channels computed together: two lines.
pub(super) const PANEL: usize = 2 * LANES;

/// Size of a two-dimensional convolution; one-dimensional ones have `height = 1`.
///
/// ```text
/// y[n,o,i,j] = b[o] + Σ_{c,u,v} w[o,c,u,v] · x[n,c, i·s₀ + u − p₀, j·s₁ + v − p₁]
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Patches (images, sequences) in the batch.
    pub n: usize,
    /// Input channels.
    pub c_in: usize,
    /// Output channels.
    pub c_out: usize,
    /// Input rows.
    pub height: usize,
    /// Input columns.
    pub width: usize,
    /// Kernel size `[rows, columns]`.
    pub kernel: [usize; 2],
    /// Stride `[rows, columns]`.
    pub stride: [usize; 2],
    /// Zeros added on each side `[rows, columns]`.
    pub padding: [usize; 2],
}

impl ConvShape {
    /// A 3×3 convolution of stride 1 and padding 1: every layer of the paper's encoder.
    pub fn three_by_three(
        n: usize,
        c_in: usize,
        c_out: usize,
        height: usize,
        width: usize,
    ) -> Self {
        Self { n, c_in, c_out, height, width, kernel: [3, 3], stride: [1, 1], padding: [1, 1] }
    }

    /// Rows of the convolution's map, before pooling.
    pub fn out_height(&self) -> usize {
        self.map_size()[0]
    }

    /// Columns of the convolution's map, before pooling.
    pub fn out_width(&self) -> usize {
        self.map_size()[1]
    }

    /// Rows and columns of the convolution's map, before pooling.
    ///
    /// # Panics
    /// If the kernel is larger than the padded input.
    fn map_size(&self) -> [usize; 2] {
        positions([self.height, self.width], self.kernel, self.stride, self.padding)
    }

    /// Weights of one kernel map: rows × columns.
    pub(super) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Pixels of an input map.
    pub(super) fn in_area(&self) -> usize {
        self.height * self.width
    }
}

/// How the channels of an activity `[n, c/L, h, w, L]` lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lanes {
    /// `L = 1`: plain `[n, c, h, w]`.
    One,
    /// `L = 16`: lines of 16 channels; `c` must be a multiple of 16.
    Sixteen,
}

impl Lanes {
    /// The layout the kernels like best for this many channels.
    pub fn preferred(channels: usize) -> Self {
        if channels.is_multiple_of(LANES) { Self::Sixteen } else { Self::One }
    }

    /// Index of channel `channel` at pixel `pixel` of patch `patch`.
    #[inline(always)]
    pub(super) fn index(
        self,
        map: [usize; 2],
        patch: usize,
        channel: usize,
        pixel: usize,
    ) -> usize {
        let [channels, area] = map;
        match self {
            Self::One => (patch * channels + channel) * area + pixel,
            Self::Sixteen => {
                ((patch * channels + channel - channel % LANES) * area)
                    + pixel * LANES
                    + channel % LANES
            }
        }
    }
}

/// A convolution with its layouts: everything but the numbers.
#[derive(Clone, Copy, Debug)]
pub struct ConvPlan {
    /// Sizes.
    pub shape: ConvShape,
    /// What follows the rectified convolution.
    pub pool: Pool,
    /// Layout of `x`.
    pub input_lanes: Lanes,
    /// Layout of `y`, of the winners and of a modulation map.
    pub output_lanes: Lanes,
    /// Whether Winograd may compute the products where it can.
    pub arithmetic: Arithmetic,
    /// Whether activities are rectified.
    pub response: Response,
    /// Which instructions compute them.
    pub instructions: InstructionSet,
}

impl ConvPlan {
    /// Preferred layouts, [`Arithmetic::Fast`] and the current [`instruction_set`].
    pub fn new(shape: ConvShape, pool: Pool) -> Self {
        Self {
            shape,
            pool,
            input_lanes: Lanes::preferred(shape.c_in),
            output_lanes: Lanes::preferred(shape.c_out),
            arithmetic: Arithmetic::Fast,
            response: Response::Rectified,
            instructions: instruction_set(),
        }
    }

    /// The same plan with these layouts of `x` and `y`.
    pub fn with_lanes(self, input_lanes: Lanes, output_lanes: Lanes) -> Self {
        Self { input_lanes, output_lanes, ..self }
    }

    /// The same plan with this arithmetic.
    pub fn with_arithmetic(self, arithmetic: Arithmetic) -> Self {
        Self { arithmetic, ..self }
    }

    /// The same plan with this response.
    ///
    /// # Panics
    /// If a linear response has a pool.
    pub fn with_response(self, response: Response) -> Self {
        let pooled = response == Response::Linear && self.pool != Pool::None;
        assert!(
            !pooled,
            "convolution: expected no pool after a linear response, got {:?}",
            self.pool
        );
        Self { response, ..self }
    }

    /// The same plan with these instructions.
    pub fn with_instructions(self, instructions: InstructionSet) -> Self {
        Self { instructions, ..self }
    }

    /// Size of the pooled map `[rows, columns]`.
    pub fn out_size(&self) -> [usize; 2] {
        let side = self.pool.side();
        [self.shape.out_height() / side, self.shape.out_width() / side]
    }

    /// Pixels of the pooled map.
    pub fn out_area(&self) -> usize {
        let [rows, columns] = self.out_size();
        rows * columns
    }

    /// Elements of `x`.
    pub fn input_len(&self) -> usize {
        self.shape.n * self.shape.c_in * self.shape.in_area()
    }

    /// Elements of `y` and of the winners.
    pub fn output_len(&self) -> usize {
        self.shape.n * self.shape.c_out * self.out_area()
    }

    /// Elements of `w`.
    pub fn weight_len(&self) -> usize {
        self.shape.c_out * self.shape.c_in * self.shape.taps()
    }

    /// Whether Winograd can compute this shape: 3×3, stride 1, padding 1 or none, `c_in` a
    /// multiple of 16, `c_out` of 32, and sides of the convolution's map that are multiples of 4; with padding
    /// also a map of 2×2.
    pub fn supports_winograd(&self) -> bool {
        let ConvShape { height, width, kernel, stride, padding, .. } = self.shape;
        if kernel != [3, 3] || height.min(width) + 2 * padding[0] < 3 {
            return false;
        }
        let [rows, columns] = self.shape.map_size();
        let fours = rows.is_multiple_of(4) && columns.is_multiple_of(4);
        stride == [1, 1]
            && matches!(padding, [1, 1] | [0, 0])
            && self.shape.c_in.is_multiple_of(LANES)
            && self.shape.c_out.is_multiple_of(PANEL)
            && (fours || (padding, [height, width]) == ([1, 1], [2, 2]))
    }

    /// Blocks of 32 output channels, the last one possibly incomplete.
    pub(super) fn panels(&self) -> usize {
        self.shape.c_out.div_ceil(PANEL)
    }
}
