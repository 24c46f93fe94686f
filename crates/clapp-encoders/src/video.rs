//! VGG-5 for video: configuration, widths, and the stack built of it.

use burn::tensor::Device;
use clapp_random::{Purpose, stream};
use clapp_rules::{Extent, Plasticity};
use serde::{Deserialize, Serialize};

use crate::{Context, Conv3dSpec, EncoderError, FilmPool, LocalConv3d, NormOrder, Stack, Uncut};

/// One block of a video encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockPlan {
    /// Output channels.
    pub channels: usize,
    /// Kernel in time, height and width.
    pub kernel: [usize; 3],
    /// Strides.
    pub stride: [usize; 3],
    /// Zero padding at both ends of each axis.
    pub padding: [usize; 3],
    /// What follows.
    pub pool: FilmPool,
}

/// An encoder of 3-d convolutions with batch normalisation over whole frames.
///
/// | name | default ([`vgg5`](Self::vgg5)) | purpose | range |
/// |---|---|---|---|
/// | `colours` | 3 | input channels | ≥ 1 |
/// | `frames` | 54 | frames of a clip | more than the rule predicts, in every block |
/// | `size` | 128 | side of a (square) frame | |
/// | `blocks` | 96 M, 256 M, 512, 512, 512 M | channels, kernels, strides, pools | |
/// | `order` | after the ReLU | where it normalises | |
///
/// ```
/// use clapp_encoders::VideoConfig;
/// let paper = VideoConfig::vgg5(1.0)?;
/// assert_eq!(paper.weights(), 15_969_600);
/// // Channels, frames and the side of the map of every block.
/// let shapes = [[96, 54, 30], [256, 54, 6], [512, 54, 6], [512, 18, 6], [512, 6, 2]];
/// assert_eq!(paper.shapes()?, shapes);
/// // One population per frame: all channels at all positions.
/// let features: Vec<usize> = paper.shapes()?.iter().map(|[c, _, side]| c * side * side).collect();
/// assert_eq!(features, [86_400, 9_216, 18_432, 18_432, 2_048]);
/// # Ok::<(), clapp_encoders::EncoderError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoConfig {
    /// Input channels: 3 colour, 1 gray.
    pub colours: usize,
    /// Frames of a clip.
    pub frames: usize,
    /// Side of a (square) frame.
    pub size: usize,
    /// Blocks in order.
    pub blocks: Vec<BlockPlan>,
    /// Where the blocks normalise.
    pub order: NormOrder,
}

impl VideoConfig {
    /// The paper's VGG-5 with all widths multiplied by `width` (at least one channel each).
    ///
    /// The last two blocks look at three frames at a time and pass on a third as many.
    ///
    /// # Errors
    ///
    /// If `width` is not above 0.
    ///
    /// # Paper
    /// Illing et al. 2021, Table 3; `VGG_8.py` with `--temp_VGG`. Deviations: none.
    pub fn vgg5(width: f64) -> Result<Self, EncoderError> {
        Self::blocks(width, 54, 3)
    }

    /// The variant without kernels in time: every frame by itself, in clips of 8.
    ///
    /// # Errors
    ///
    /// If `width` is not above 0.
    ///
    /// # Paper
    /// `VGG_8.py` without `--temp_VGG`. Deviations: none.
    ///
    /// ```
    /// use clapp_encoders::VideoConfig;
    /// let still = VideoConfig::vgg5_still(1.0)?;
    /// assert_eq!(still.shapes()?.map_frames(), [8; 5]);
    /// # trait Frames { fn map_frames(&self) -> Vec<usize>; }
    /// # impl Frames for Vec<[usize; 3]> {
    /// #     fn map_frames(&self) -> Vec<usize> { self.iter().map(|shape| shape[1]).collect() }
    /// # }
    /// # Ok::<(), clapp_encoders::EncoderError>(())
    /// ```
    pub fn vgg5_still(width: f64) -> Result<Self, EncoderError> {
        Self::blocks(width, 8, 1)
    }

    fn blocks(width: f64, frames: usize, span: usize) -> Result<Self, EncoderError> {
        if !(width > 0.0 && width.is_finite()) {
            return Err(EncoderError::Width { width });
        }
        use FilmPool::{Max3, Nothing};
        let block = |channels: usize, kernel, stride, padding, pool| BlockPlan {
            channels: ((channels as f64 * width) as usize).max(1),
            kernel,
            stride,
            padding,
            pool,
        };
        let one = [0, 1, 1];
        let blocks = vec![
            block(96, [1, 7, 7], [1, 2, 2], [0; 3], Max3),
            block(256, [1, 5, 5], [1, 2, 2], one, Max3),
            block(512, [1, 3, 3], [1; 3], one, Nothing),
            block(512, [span, 3, 3], [span, 1, 1], one, Nothing),
            block(512, [span, 3, 3], [span, 1, 1], one, Max3),
        ];
        Ok(Self { colours: 3, frames, size: 128, blocks, order: NormOrder::AfterRelu })
    }

    /// Output channels of every block.
    #[must_use]
    pub fn channels(&self) -> Vec<usize> {
        self.blocks.iter().map(|block| block.channels).collect()
    }

    /// Geometry of block `index` (from 0).
    #[must_use]
    pub fn spec(&self, index: usize) -> Conv3dSpec {
        let BlockPlan { kernel, stride, padding, pool, .. } = self.blocks[index];
        Conv3dSpec { kernel, stride, padding, pool, order: self.order }
    }

    /// Channels, frames and side of the map of every block.
    ///
    /// # Errors
    ///
    /// If a block's input is smaller than its kernel or its pool.
    pub fn shapes(&self) -> Result<Vec<[usize; 3]>, EncoderError> {
        let (mut frames, mut side) = (self.frames, self.size);
        let mut shapes = Vec::with_capacity(self.blocks.len());
        for (index, block) in self.blocks.iter().enumerate() {
            let too_small = || EncoderError::ClipTooSmall { block: index + 1, frames, side };
            let axis = |size: usize, axis: usize| {
                let room = (size + 2 * block.padding[axis]).checked_sub(block.kernel[axis])?;
                Some(room.checked_div(block.stride[axis])? + 1)
            };
            let time = axis(frames, 0).ok_or_else(too_small)?;
            let map = axis(side, 1).zip(axis(side, 2)).filter(|(y, x)| y == x);
            let map = map.and_then(|(side, _)| block.pool.side(side)).ok_or_else(too_small)?;
            (frames, side) = (time, map);
            shapes.push([block.channels, frames, side]);
        }
        Ok(shapes)
    }

    /// Weights, biases, gains and shifts of all blocks.
    #[must_use]
    pub fn weights(&self) -> usize {
        let mut pre = self.colours;
        let mut sum = 0;
        for block in &self.blocks {
            sum += block.channels * (pre * block.kernel.iter().product::<usize>() + 3);
            pre = block.channels;
        }
        sum
    }

    /// Checks that the parts fit together, and the rule to every block.
    ///
    /// # Errors
    ///
    /// As [`EncoderError`] says.
    pub fn validate(&self, rule: &dyn Plasticity) -> Result<(), EncoderError> {
        let channels = self.channels();
        if channels.is_empty() || channels.contains(&0) || self.colours == 0 {
            return Err(EncoderError::Empty { channels });
        }
        for [_, frames, _] in self.shapes()? {
            rule.check(frames)?;
        }
        Ok(())
    }
}

impl Stack<LocalConv3d, Uncut<5>> {
    /// Draws all weights of a video encoder, and what the rule keeps in each block.
    ///
    /// Block `l` draws from the streams (seed, Initialisation, [l, 0 or 1, …]): its start does not depend on
    /// any other block.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::tensor::{Device, Distribution, Tensor};
    /// use clapp_encoders::{Stack, VideoConfig};
    /// use clapp_rules::{AllPairs, Optimizer, Plasticity};
    /// use clapp_random::{Purpose, stream};
    /// let (device, rule) = (Device::flex(), AllPairs::clapp_s());
    /// let config = VideoConfig { frames: 36, size: 67, ..VideoConfig::vgg5(1.0 / 32.0)? };
    /// let mut stack = Stack::video(&config, &rule, 2, &device)?;
    /// let clips = Tensor::<5>::random([2, 3, 36, 67, 67], Distribution::Normal(0.0, 1.0), &device);
    /// let mut random = stream(2, Purpose::Saccade, [0; 4]);
    /// let optimizer = Optimizer::adam(1e-3);
    /// let metrics = stack.step(clips, &rule, &optimizer, &mut |_, grid| {
    ///     rule.pairs(grid, &mut random)
    /// });
    /// assert_eq!(metrics.len(), 5);
    /// # Ok::<(), clapp_encoders::EncoderError>(())
    /// ```
    pub fn video(
        config: &VideoConfig,
        rule: &dyn Plasticity,
        seed: u64,
        device: &Device,
    ) -> Result<Self, EncoderError> {
        config.validate(rule)?;
        let mut pre = config.colours;
        let mut layers = Vec::new();
        for (l, &post) in config.channels().iter().enumerate() {
            let mut random = stream(seed, Purpose::Initialisation, [l as u64, 0, 0, 0]);
            layers.push(LocalConv3d::init(pre, post, config.spec(l), device, &mut random));
            pre = post;
        }
        let extent = |[channel, _, side]: [usize; 3]| Extent { site: side * side, channel };
        let extents: Vec<Extent> = config.shapes()?.into_iter().map(extent).collect();
        let stack = Self::new(Uncut, layers);
        Ok(stack.predicting(rule, Context::SameLayer, &extents, seed, device))
    }
}
