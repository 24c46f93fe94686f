//! Windows over frames, one row of them, or of pixels, at a time.

use rayon::prelude::*;

use super::frame_pool::FramePool;
use super::line::Line;
use super::rows::{Rows, Terms, put_line, sums};
use super::shape::LANES;
use super::simd::{Kernel, Simd};
use crate::Response;

/// Code of a channel that does not exist.
const ABSENT: u8 = u8::MAX;

/// Codes of a line of channels.
#[inline(always)]
fn codes_of(row: &[u8], line: usize) -> [u8; LANES] {
    let tail = &row[line * LANES..];
    if let Some(codes) = tail.first_chunk() {
        return *codes;
    }
    let mut codes = [ABSENT; LANES];
    codes[..tail.len()].copy_from_slice(tail);
    codes
}

/// Normalises the winners.
pub(super) struct Forward<'a> {
    pub pool: FramePool,
    pub rows: Rows<'a>,
    /// α, β and the sign of α.
    pub terms: [Vec<Line>; 3],
    pub y: &'a mut [f32],
    pub winners: &'a mut [u8],
}

impl Kernel for Forward<'_> {
    type Output = ();

    fn run<S: Simd>(self, simd: S) {
        let Self { pool, rows, terms, y, winners } = self;
        let [_, width] = pool.out_size();
        // One row of windows.
        let chunk = (width * pool.channels).max(1);
        let terms = [&terms[0][..], &terms[1][..], &terms[2][..]];
        y.par_chunks_mut(chunk).zip(winners.par_chunks_mut(chunk)).enumerate().for_each(
            |(index, (y, winners))| {
                simd.vectorize(ForwardRow { pool, rows, terms, index, y, winners });
            },
        );
    }
}

struct ForwardRow<'a> {
    pool: FramePool,
    rows: Rows<'a>,
    /// α, β and the sign of α.
    terms: [&'a [Line]; 3],
    index: usize,
    y: &'a mut [f32],
    winners: &'a mut [u8],
}

impl Kernel for ForwardRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let FramePool { size: [height, width], channels, side, stride, .. } = self.pool;
        let [out_height, _] = self.pool.out_size();
        let (frame, top) = (self.index / out_height, self.index % out_height * stride);
        let windows =
            self.y.chunks_exact_mut(channels).zip(self.winners.chunks_exact_mut(channels));
        for (q, (y, winners)) in windows.enumerate() {
            let origin = (frame * height + top) * width + q * stride;
            for line in 0..self.pool.lines() {
                let [scale, offset, sign] = self.terms.map(|term| simd.load(&term[line].0));
                let (mut best, mut value, mut code) = (simd.zero(), simd.zero(), simd.zero());
                for k in 0..side * side {
                    let pixel = origin + k / side * width + k % side;
                    let u = self.rows.load(simd, pixel, line);
                    // Where the scale is negative the smallest wins. By its sign alone: a product
                    // might round to that of another pixel.
                    let height = simd.mul(sign, u);
                    if k == 0 {
                        (best, value) = (height, u);
                    } else {
                        let wins = simd.greater_or_nan(height, best);
                        best = simd.select(wins, height, best);
                        value = simd.select(wins, u, value);
                        code = simd.select(wins, simd.splat(k as f32), code);
                    }
                }
                let normalised = simd.fma(value, scale, offset);
                put_line(simd, normalised, &mut y[line * LANES..]);
                let mut codes = [0; LANES];
                simd.store_codes(&mut codes, code);
                let to = &mut winners[line * LANES..];
                match to.first_chunk_mut() {
                    Some(to) => *to = codes,
                    None => to.copy_from_slice(&codes[..to.len()]),
                }
            }
        }
    }
}

/// Signals and winners of every window.
pub(super) struct Won<'a> {
    pub pool: FramePool,
    pub out: [usize; 2],
    pub map: Rows<'a>,
    pub signal: Rows<'a>,
    pub winners: &'a [u8],
    pub mean: Vec<Line>,
}

impl Terms<2> for Won<'_> {
    #[inline(always)]
    fn at<S: Simd>(&self, simd: S, row: usize, line: usize) -> [S::Vector; 2] {
        let FramePool { size: [height, width], channels, side, stride, .. } = self.pool;
        let [out_height, out_width] = self.out;
        let (at, x) = (row / out_width, row % out_width);
        let origin = (at / out_height * height + at % out_height * stride) * width + x * stride;
        let codes = codes_of(&self.winners[row * channels..][..channels], line);
        let mut value = self.map.load(simd, origin, line);
        for k in 1..side * side {
            let u = self.map.load(simd, origin + k / side * width + k % side, line);
            value = simd.select(simd.codes_equal(&codes, k as u8), u, value);
        }
        let signal = self.signal.load(simd, row, line);
        [signal, simd.mul(signal, simd.sub(value, simd.load(&self.mean[line].0)))]
    }
}

/// Sums their signals.
pub(super) struct SumsCall<'a> {
    pub won: Won<'a>,
}

impl Kernel for SumsCall<'_> {
    type Output = [Vec<f32>; 2];

    fn run<S: Simd>(self, simd: S) -> Self::Output {
        let Won { pool, out: [height, width], .. } = self.won;
        let found = sums(simd, &self.won, [pool.frames, height * width], pool.channels);
        found.map(|sums| sums.into_iter().map(|sum| sum as f32).collect())
    }
}

/// Sends signals back to the winners.
pub(super) struct BackCall<'a> {
    pub pool: FramePool,
    pub map: Rows<'a>,
    pub signal: Rows<'a>,
    pub winners: &'a [u8],
    pub terms: [Vec<Line>; 3],
    pub response: Response,
    pub post: &'a mut [f32],
}

impl Kernel for BackCall<'_> {
    type Output = ();

    fn run<S: Simd>(self, simd: S) {
        let Self { pool, map, signal, winners, terms, response, post } = self;
        let chunk = (pool.size[1] * pool.channels).max(1);
        let terms = [&terms[0][..], &terms[1][..], &terms[2][..]];
        post.par_chunks_mut(chunk).enumerate().for_each(|(index, post)| {
            let row = BackRow { pool, map, signal, winners, terms, response, index, post };
            simd.vectorize(row);
        });
    }
}

/// One row of pixels.
struct BackRow<'a> {
    pool: FramePool,
    map: Rows<'a>,
    signal: Rows<'a>,
    winners: &'a [u8],
    terms: [&'a [Line]; 3],
    response: Response,
    index: usize,
    post: &'a mut [f32],
}

impl BackRow<'_> {
    /// Windows over position `at` of an axis with `count` windows.
    #[inline(always)]
    fn windows(&self, at: usize, count: usize) -> core::ops::Range<usize> {
        let FramePool { side, stride, .. } = self.pool;
        let first = (at + 1).saturating_sub(side).div_ceil(stride);
        first..(at / stride + 1).min(count)
    }
}

impl Kernel for BackRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let FramePool { size: [height, width], channels, side, stride, .. } = self.pool;
        let [out_height, out_width] = self.pool.out_size();
        let (frame, y) = (self.index / height, self.index % height);
        let down = self.windows(y, out_height);
        let post = core::mem::take(&mut self.post);
        for (x, post) in post.chunks_exact_mut(channels).enumerate() {
            let across = self.windows(x, out_width);
            for line in 0..self.pool.lines() {
                let mut routed = simd.zero();
                for qy in down.clone() {
                    for qx in across.clone() {
                        let q = (frame * out_height + qy) * out_width + qx;
                        let code = (y - qy * stride) * side + x - qx * stride;
                        let codes = codes_of(&self.winners[q * channels..][..channels], line);
                        let won = simd.codes_equal(&codes, code as u8);
                        let signal = self.signal.load(simd, q, line);
                        routed = simd.add(routed, simd.select(won, signal, simd.zero()));
                    }
                }
                let u = self.map.load(simd, self.index * width + x, line);
                let [scale, slope, offset] = self.terms.map(|term| simd.load(&term[line].0));
                let taken = simd.fma(slope, u, offset);
                let value = simd.sub(simd.mul(scale, routed), taken);
                let value = match self.response {
                    Response::Rectified => simd.select(simd.not_positive(u), simd.zero(), value),
                    Response::Linear => value,
                };
                put_line(simd, value, &mut post[line * LANES..]);
            }
        }
    }
}
