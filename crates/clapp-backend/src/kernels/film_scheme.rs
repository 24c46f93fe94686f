//! How a convolution over films is lowered to matrix products.
//!
//! As in `direct.rs`; but the taps of a kernel's row lie side by side in memory, and a kernel in time only adds
//! rows. So any number of channels is lowered by copying.

use super::film::FilmShape;
use super::line::line_of;
use super::rectify::rectify;
use super::rows::put_line;
use super::scheme::{
    InputJob, Modulation, ModulationJob, OutputJob, Scheme, UpdateJob, WeightsJob,
};
use super::shape::{ConvPlan, ConvShape, LANES, Lanes, PANEL};
use super::simd::Simd;
use crate::{Arithmetic, Pool, Response};

/// The scheme: a patch is an output frame.
pub(super) struct Film {
    shape: FilmShape,
    out: [usize; 3],
    response: Response,
    /// What the drivers ask: output frames, their pixels, output channels.
    frames: ConvPlan,
}

impl Film {
    /// The scheme of a shape.
    pub fn new(shape: FilmShape, response: Response) -> Self {
        let out = shape.out_size();
        let FilmShape { n, c_in, c_out, size, kernel, stride, padding } = shape;
        let across = |of: [usize; 3]| [of[1], of[2]];
        let frames = ConvShape {
            n: n * out[0],
            c_in,
            c_out,
            height: size[1],
            width: size[2],
            kernel: across(kernel),
            stride: across(stride),
            padding: across(padding),
        };
        let frames = ConvPlan::new(frames, Pool::None)
            .with_lanes(Lanes::One, Lanes::One)
            .with_arithmetic(Arithmetic::Exact);
        Self { shape, out, response, frames }
    }

    /// Whether channels come in whole lines.
    fn whole_lines(&self) -> bool {
        self.shape.c_in.is_multiple_of(LANES)
    }

    /// Input position under the first tap of an output pixel; it wraps if it lies in the padding.
    #[inline(always)]
    fn origin(&self, patch: usize, site: usize) -> [usize; 3] {
        let [_, _, width] = self.out;
        let at = [patch % self.out[0], site / width, site % width];
        let FilmShape { stride, padding, .. } = self.shape;
        std::array::from_fn(|axis| (at[axis] * stride[axis]).wrapping_sub(padding[axis]))
    }

    /// First pixel of the input's row under row `(τ, u)` of the kernel, if that row lies in the film.
    #[inline(always)]
    fn input_row(&self, patch: usize, origin: [usize; 3], [tau, u]: [usize; 2]) -> Option<usize> {
        let [time, height, width] = self.shape.size;
        let (t, y) = (origin[0].wrapping_add(tau), origin[1].wrapping_add(u));
        let clip = patch / self.out[0];
        (t < time && y < height).then(|| ((clip * time + t) * height + y) * width)
    }

    /// Lowers rows whose channels are whole lines: depths are `[tap, channel]`.
    #[inline(always)]
    fn lower_lines<S: Simd>(&self, simd: S, job: InputJob<'_>) {
        let (lines, _) = job.x.as_chunks::<LANES>();
        let (blocks, [kt, ky, kx]) = (self.scheme_blocks(), self.shape.kernel);
        for run in job.rows.runs() {
            for (row, site) in run.sites.enumerate() {
                let origin = self.origin(run.patch, site);
                let mut at = job.place.row(run.row + row);
                for rows in 0..kt * ky {
                    let first = self.input_row(run.patch, origin, [rows / ky, rows % ky]);
                    for v in 0..kx {
                        let x = origin[2].wrapping_add(v);
                        let pixel = first.filter(|_| x < self.shape.size[2]).map(|first| first + x);
                        for block in job.blocks.clone() {
                            let line = pixel.map(|pixel| simd.load(&lines[pixel * blocks + block]));
                            simd.store(&mut job.v[at].0, line.unwrap_or(simd.zero()));
                            at += job.place.step;
                        }
                    }
                }
            }
        }
    }

    /// Lowers rows of any number of channels: what a row of the kernel sees is one piece of memory.
    #[inline(always)]
    fn lower_pieces<S: Simd>(&self, simd: S, job: InputJob<'_>) {
        let ([kt, ky, kx], c, width) = (self.shape.kernel, self.shape.c_in, self.shape.size[2]);
        let mut seen = vec![0.0; self.chunks(1) * LANES];
        for run in job.rows.runs() {
            for (row, site) in run.sites.enumerate() {
                let origin = self.origin(run.patch, site);
                // Taps of the kernel's row that lie inside.
                let left = 0_usize.wrapping_sub(origin[2]);
                let left = if left <= kx { left } else { 0 };
                let start = origin[2].wrapping_add(left);
                let count = (kx - left).min(width.saturating_sub(start));
                seen.fill(0.0);
                for rows in 0..kt * ky {
                    let first = self.input_row(run.patch, origin, [rows / ky, rows % ky]);
                    let Some(first) = first else { continue };
                    let piece = &job.x[(first + start) * c..][..count * c];
                    seen[(rows * kx + left) * c..][..count * c].copy_from_slice(piece);
                }
                let mut at = job.place.row(run.row + row);
                for chunk in seen.as_chunks::<LANES>().0 {
                    simd.store(&mut job.v[at].0, simd.load(chunk));
                    at += job.place.step;
                }
            }
        }
    }

    fn scheme_blocks(&self) -> usize {
        if self.whole_lines() { self.shape.c_in / LANES } else { 1 }
    }
}

impl Scheme for Film {
    const FREQUENCIES: usize = 1;

    fn plan(&self) -> &ConvPlan {
        &self.frames
    }
    fn rows(&self) -> usize {
        self.out[1] * self.out[2]
    }
    fn blocks(&self) -> usize {
        self.scheme_blocks()
    }
    fn depth(&self, blocks: usize) -> usize {
        let channels = if self.whole_lines() { blocks * LANES } else { self.shape.c_in };
        channels * self.shape.taps()
    }
    fn taps(&self) -> usize {
        self.shape.taps()
    }

    #[inline(always)]
    fn lower_weights<S: Simd>(&self, _simd: S, job: WeightsJob<'_>) {
        let (channels, taps) = (self.shape.c_in, self.shape.taps());
        let columns = channels * taps;
        let rows = &job.w[job.panel * PANEL * columns..];
        // Channel by channel: reads go on where they were.
        for channel in 0..channels {
            for tap in 0..taps {
                let pair = &mut job.u[2 * (tap * channels + channel)..][..2];
                for (half, line) in pair.iter_mut().enumerate() {
                    for (lane, value) in line.0.iter_mut().enumerate() {
                        let at = (half * LANES + lane) * columns + channel * taps + tap;
                        *value = rows.get(at).copied().unwrap_or(0.0);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn lower_input<S: Simd>(&self, simd: S, job: InputJob<'_>) {
        if self.whole_lines() { self.lower_lines(simd, job) } else { self.lower_pieces(simd, job) }
    }

    #[inline(always)]
    fn lower_modulation<S: Simd>(&self, simd: S, job: ModulationJob<'_>) {
        let Modulation::Rows(post) = job.modulation else {
            unreachable!("a film has a modulation at every pixel")
        };
        let channels = self.shape.c_out;
        for run in job.rows.runs() {
            let first = run.patch * self.rows();
            for line in 2 * job.panels.start..2 * job.panels.end {
                let at = (line / 2 - job.panels.start) * job.strides[1] + 2 * run.row + line % 2;
                for (row, site) in run.sites.clone().enumerate() {
                    let post = &post[(first + site) * channels..][..channels];
                    simd.store(&mut job.g[at + 2 * row].0, simd.load(&line_of(post, line)));
                }
            }
        }
    }

    #[inline(always)]
    fn raise_output<S: Simd>(&self, simd: S, job: OutputJob<'_, '_>) {
        let channels = self.shape.c_out;
        for run in job.rows.clone().runs() {
            let first = run.patch * self.rows();
            for line in 2 * job.panel..(2 * job.panel + 2).min(channels.div_ceil(LANES)) {
                let bias = simd.load(&line_of(job.bias, line));
                for (row, site) in run.sites.clone().enumerate() {
                    let m = &job.m[job.product(run.row + row, 1) + line % 2];
                    let sum = simd.add(simd.load(&m.0), bias);
                    let value = match self.response {
                        Response::Rectified => rectify(simd, (sum, simd.zero())).0,
                        Response::Linear => sum,
                    };
                    let y = &mut job.out.y[(first + site) * channels..][..channels];
                    put_line(simd, value, &mut y[line * LANES..]);
                }
            }
        }
    }

    #[inline(always)]
    fn raise_update<S: Simd>(&self, _simd: S, job: UpdateJob<'_, '_>) {
        let taps = self.shape.taps();
        let channels = self.depth(job.blocks) / taps;
        for (o, row) in job.rows.iter_mut().enumerate() {
            let from = &job.c[o / PANEL * job.strides[1] + o % PANEL / LANES..];
            for (channel, row) in row.chunks_exact_mut(taps).enumerate() {
                for (tap, value) in row.iter_mut().enumerate() {
                    *value = from[2 * (tap * channels + channel)].0[o % LANES];
                }
            }
        }
    }
}
