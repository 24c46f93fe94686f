//! What the direct and the Winograd computation have in common.
//!
//! Both lower a convolution to matrix products, one for each *frequency* `f`, and raise the result:
//!
//! ```text
//! forward   M[f][r, o] = Σ_k V[f][r, k] · U[f][k, o]      V = lowered input, U = lowered weights
//! update    C[f][k, o] = Σ_r V[f][r, k] · G[f][r, o]      G = lowered modulation
//! ```
//! A row `r` is an output pixel (direct) or a tile of output pixels (Winograd); a depth `k` is a
//! tap of an input channel (direct) or an input channel (Winograd). Direct is the scheme of one
//! frequency.

use core::ops::Range;

use super::line::Line;
use super::product::{TILE_LINES, TILE_ROWS};
use super::shape::{ConvPlan, LANES, PANEL};
use super::simd::{Kernel, Simd};

/// How strongly each output pixel's learning is modulated, for the winners of
/// [`ConvPlan::forward`].
#[derive(Clone, Copy, Debug)]
pub enum Modulation<'a> {
    /// `[n, c_out]`: the same over the whole map.
    PerPatch(&'a [f32]),
    /// `[n, c_out, h', w']` in the layout of the output.
    Map(&'a [f32]),
    /// `[n, h'·w', c_out]`: rows of channels, whatever the layout of the output.
    Rows(&'a [f32]),
}

impl<'a> Modulation<'a> {
    /// All values, and the place of the one for a channel of an output pixel, which stands at `at` in the
    /// outputs. In lines, that of the first of 16 channels.
    #[inline(always)]
    pub(super) fn place(
        self,
        [channels, area]: [usize; 2],
        [patch, channel, pixel]: [usize; 3],
        at: usize,
    ) -> (&'a [f32], usize) {
        match self {
            Self::PerPatch(m) => (m, patch * channels + channel),
            Self::Map(m) => (m, at),
            Self::Rows(m) => (m, (patch * area + pixel) * channels + channel),
        }
    }
}

/// Lines of a group of blocks: see [`Scheme::group`].
const GROUP_LINES: usize = 36 * 64 * 2;

/// What takes part in a weight update.
#[derive(Clone, Copy, Debug)]
pub(super) enum Active<'a> {
    /// Everything.
    All,
    /// These patches.
    Patches(&'a [u32]),
    /// These sites, counted through all patches.
    Sites(&'a [u32]),
}

/// Rows `range` of a batch, `per_patch` of them in each patch.
#[derive(Clone, Debug)]
pub(super) struct Rows<'a> {
    /// What counts.
    pub active: Active<'a>,
    /// Rows of one patch.
    pub per_patch: usize,
    /// Which rows.
    pub range: Range<usize>,
}

/// The rows of one patch.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Which patch.
    pub patch: usize,
    /// Which of its sites.
    pub sites: Range<usize>,
    /// The first of its rows, counted from the first of all.
    pub row: usize,
}

impl Rows<'_> {
    /// The rows of the patch (or the site) `index` places after the first, if there are any.
    #[inline(always)]
    pub fn run(&self, index: usize) -> Option<Run> {
        let Range { start, end } = self.range;
        if let Active::Sites(list) = self.active {
            return (start + index < end).then(|| {
                let site = list[start + index] as usize;
                let (patch, site) = (site / self.per_patch, site % self.per_patch);
                Run { patch, sites: site..site + 1, row: index }
            });
        }
        let patch = start / self.per_patch + index;
        let first = patch * self.per_patch;
        (first < end).then(|| Run {
            patch: match self.active {
                Active::Patches(list) => list[patch] as usize,
                Active::All | Active::Sites(_) => patch,
            },
            sites: start.max(first) - first..end.min(first + self.per_patch) - first,
            row: start.max(first) - start,
        })
    }

    /// The rows, patch by patch.
    #[inline(always)]
    pub fn runs(&self) -> impl Iterator<Item = Run> {
        (0..).map_while(|index| self.run(index))
    }
}

/// Where the lowered input goes: line `f·plane + chunk·step + row`, or, in tiles of 14 rows,
/// `f·plane + chunk·step + (row / 14)·tile + row % 14`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement {
    /// Lines between frequencies.
    pub plane: usize,
    /// Lines between chunks of 16 depths.
    pub step: usize,
    /// Lines between tiles; `None` if the rows of a chunk lie together.
    pub tile: Option<usize>,
}

impl Placement {
    /// `[frequency][tile][chunk][14 rows]`, as [`TileProduct`](super::product::TileProduct) reads it.
    pub fn tiles(rows: usize, chunks: usize) -> Self {
        // An odd number of tiles keeps the planes off a common set of the caches.
        let tiles = (rows.div_ceil(TILE_ROWS) * chunks) | 1;
        Self { plane: tiles * TILE_ROWS, step: TILE_ROWS, tile: Some(chunks * TILE_ROWS) }
    }

    /// `[frequency][chunk][row]`, as [`OuterProduct`](super::product::OuterProduct) reads it.
    pub fn columns(rows: usize, chunks: usize) -> Self {
        Self { plane: (rows * chunks) | 1, step: rows, tile: None }
    }

    /// The line of `row` in the first chunk and frequency.
    #[inline(always)]
    pub fn row(&self, row: usize) -> usize {
        self.tile.map_or(row, |tile| row / TILE_ROWS * tile + row % TILE_ROWS)
    }
}

/// Lower the weights of one panel and some blocks of input channels to `[frequency][depth]` pairs of lines.
pub(super) struct WeightsJob<'a> {
    /// `[c_out, c_in, kh, kw]`.
    pub w: &'a [f32],
    /// Which 32 output channels.
    pub panel: usize,
    /// Which blocks of input channels.
    pub blocks: Range<usize>,
    /// Lowered weights.
    pub u: &'a mut [Line],
    /// Lines between frequencies.
    pub plane: usize,
    /// Whether they are used at once, and should stay in the caches.
    pub kept: bool,
}

/// Lower the input of some rows.
pub(super) struct InputJob<'a> {
    /// The activity.
    pub x: &'a [f32],
    /// Which rows.
    pub rows: Rows<'a>,
    /// Which blocks of input channels.
    pub blocks: Range<usize>,
    /// Where they go.
    pub place: Placement,
    /// Lowered input.
    pub v: &'a mut [Line],
}

/// Lower the modulation of some rows to `[frequency][panel][row]` pairs of lines.
pub(super) struct ModulationJob<'a> {
    /// Winners of the forward step.
    pub winners: &'a [u8],
    /// Modulation of the outputs.
    pub modulation: Modulation<'a>,
    /// Which rows.
    pub rows: Rows<'a>,
    /// Which panels.
    pub panels: Range<usize>,
    /// Lines between frequencies and between panels.
    pub strides: [usize; 2],
    /// Lowered modulation.
    pub g: &'a mut [Line],
}

/// The outputs of some patches.
#[derive(Debug)]
pub struct Outputs<'a> {
    /// `[n, c_out, h', w']` in the output layout: the activity after pooling.
    pub y: &'a mut [f32],
    /// For each element of `y` which pixel of its 2×2 block won, 0–3 row by row (without pooling
    /// 0), or 4 where the activity is zero.
    pub winners: &'a mut [u8],
    /// `[n, c_out]`: mean of `y` over the map; its sum until all rows are raised.
    pub mean: &'a mut [f32],
}

impl Outputs<'_> {
    /// The outputs of every `patches` of `n` patches; a part that is empty stays so.
    pub(super) fn split(self, n: usize, patches: usize) -> Vec<Self> {
        let Self { mut y, mut winners, mut mean } = self;
        let each = [y.len(), winners.len(), mean.len()].map(|len| len / n.max(1));
        let task = |first| {
            let count = patches.min(n - first);
            let y = y.split_off_mut(..count * each[0]).unwrap_or_default();
            let winners = winners.split_off_mut(..count * each[1]).unwrap_or_default();
            let mean = mean.split_off_mut(..count * each[2]).unwrap_or_default();
            Outputs { y, winners, mean }
        };
        (0..n).step_by(patches).map(task).collect()
    }

    /// The outputs of every panel, patch by patch, of a plan in lines.
    pub(super) fn panels(self, plan: &ConvPlan) -> Vec<Vec<Self>> {
        let (count, map) = (plan.panels(), PANEL * plan.out_area());
        let mut panels: Vec<_> = (0..count).map(|_| Vec::with_capacity(plan.shape.n)).collect();
        let parts = self.y.chunks_mut(map).zip(self.winners.chunks_mut(map));
        for (at, ((y, winners), mean)) in parts.zip(self.mean.chunks_mut(PANEL)).enumerate() {
            panels[at % count].push(Outputs { y, winners, mean });
        }
        panels
    }
}

/// Raise the products of one panel to outputs: bias, rectification, pooling, winners, sums.
pub(super) struct OutputJob<'a, 'b> {
    /// `[tile][frequency][14 rows]` pairs of lines.
    pub m: &'a [Line],
    /// Which rows.
    pub rows: Rows<'a>,
    /// Which 32 output channels.
    pub panel: usize,
    /// `[c_out]`.
    pub bias: &'a [f32],
    /// Where they go.
    pub out: &'a mut Outputs<'b>,
}

impl OutputJob<'_, '_> {
    /// First line of `row` (counted from the job's first) in the products of `frequencies`.
    #[inline(always)]
    pub fn product(&self, row: usize, frequencies: usize) -> usize {
        row / TILE_ROWS * frequencies * TILE_LINES + row % TILE_ROWS * 2
    }
}

/// Raise summed products to weight updates.
pub(super) struct UpdateJob<'a, 'b> {
    /// `[frequency][panel][depth]` pairs of lines.
    pub c: &'a [Line],
    /// Lines between frequencies and between panels.
    pub strides: [usize; 2],
    /// Blocks of input channels in `c`.
    pub blocks: usize,
    /// Row `o` of the update, restricted to the blocks: `[c_in of the blocks, kh, kw]`.
    pub rows: &'a mut [&'b mut [f32]],
}

/// A way to compute a convolution by matrix products.
///
/// Five transforms, because a convolution has three operands, two of which are also raised.
pub(super) trait Scheme: Sync {
    /// Matrix products.
    const FREQUENCIES: usize;

    /// Sizes and layouts.
    fn plan(&self) -> &ConvPlan;
    /// Rows of one patch.
    fn rows(&self) -> usize;
    /// Blocks of input channels that can be computed apart.
    fn blocks(&self) -> usize;
    /// Depths in that many blocks.
    fn depth(&self, blocks: usize) -> usize;

    /// Lowers weights.
    fn lower_weights<S: Simd>(&self, simd: S, job: WeightsJob<'_>);
    /// Lowers inputs.
    fn lower_input<S: Simd>(&self, simd: S, job: InputJob<'_>);
    /// Lowers modulations.
    fn lower_modulation<S: Simd>(&self, simd: S, job: ModulationJob<'_>);
    /// Raises outputs.
    fn raise_output<S: Simd>(&self, simd: S, job: OutputJob<'_, '_>);
    /// Raises weight updates.
    fn raise_update<S: Simd>(&self, simd: S, job: UpdateJob<'_, '_>);

    /// The same for one panel of output channels, where panels lie apart in the outputs.
    fn panel(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
    /// Blocks of input channels whose lowered weights, or sums, of one panel leave half of a second-level cache of
    /// half a mebibyte to what they are multiplied with.
    fn group(&self) -> usize {
        (GROUP_LINES / (Self::FREQUENCIES * 2 * LANES)).max(1)
    }
    /// Chunks of 16 depths in that many blocks.
    fn chunks(&self, blocks: usize) -> usize {
        self.depth(blocks).div_ceil(LANES)
    }
    /// Weights of one kernel over one channel.
    fn taps(&self) -> usize {
        self.plan().shape.taps()
    }
    /// Columns of the update in one block, and of all: one block has them all.
    fn columns(&self) -> [usize; 2] {
        let (taps, all) = (self.taps(), self.plan().shape.c_in * self.taps());
        if self.blocks() == 1 { [all; 2] } else { [LANES * taps, all] }
    }
}

/// A job of a scheme, ready for [`Simd::vectorize`].
pub(super) struct Step<'a, W, J>(pub &'a W, pub J);

macro_rules! step {
    ($job:ty, $method:ident) => {
        impl<W: Scheme> Kernel for Step<'_, W, $job> {
            type Output = ();
            #[inline(always)]
            fn run<S: Simd>(self, simd: S) {
                self.0.$method(simd, self.1);
            }
        }
    };
}
step!(WeightsJob<'_>, lower_weights);
step!(InputJob<'_>, lower_input);
step!(ModulationJob<'_>, lower_modulation);
step!(OutputJob<'_, '_>, raise_output);
step!(UpdateJob<'_, '_>, raise_update);
