//! Normalisation and max-pool of frames in rows of channels, and the way back to the pixels that won.
//!
//! ```text
//! y(q) = α u(p*) + β        p* = the pixel of window q with the largest α u
//! ```

use rayon::prelude::*;

use super::film::Response;
use super::instruction::{InstructionSet, instruction_set};
use super::line::Line;
use super::rows::{Rows, Terms, lines, put_line, sums};
use super::shape::LANES;
use super::simd::{Kernel, Simd};

/// Code of a channel that does not exist.
const ABSENT: u8 = u8::MAX;

/// Frames `[frame, row, column, channel]` and the square windows over each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramePool {
    /// Frames of all clips.
    pub frames: usize,
    /// Rows and columns of a frame.
    pub size: [usize; 2],
    /// Channels.
    pub channels: usize,
    /// Side of a window: 1 to 15 pixels.
    pub side: usize,
    /// Pixels between windows.
    pub stride: usize,
}

/// The way back: what reaches a pixel of the map.
#[derive(Clone, Copy, Debug)]
pub struct Back<'a> {
    /// The map.
    pub map: &'a [f32],
    /// Of [`FramePool::forward`].
    pub winners: &'a [u8],
    /// A signal for every window and channel.
    pub signal: &'a [f32],
}

impl FramePool {
    /// Rows and columns of the pooled map.
    ///
    /// # Panics
    /// If a frame is smaller than a window.
    pub fn out_size(&self) -> [usize; 2] {
        let Self { size, side, stride, .. } = *self;
        assert!(
            (1..=15).contains(&side) && stride > 0,
            "windows: expected 1 to 15 pixels, got {side}"
        );
        size.map(|size| {
            assert!(size >= side, "windows: expected a map of at least {side} pixels, got {size}");
            (size - side) / stride + 1
        })
    }

    /// Elements of the map.
    pub fn map_len(&self) -> usize {
        self.frames * self.size[0] * self.size[1] * self.channels
    }

    /// Elements of the pooled map.
    pub fn out_len(&self) -> usize {
        let [rows, columns] = self.out_size();
        self.frames * rows * columns * self.channels
    }

    /// Normalised winners, and which pixel of its window each was, row by row; the first of equals wins, and
    /// not-a-number.
    ///
    /// # Shapes
    /// - `map`: `[frame, row, column, channel]`; `line`: α and β, `[channel]` each
    /// - `y`, `winners`: `[frame, row', column', channel]`
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn forward(&self, map: &[f32], line: [&[f32]; 2], y: &mut [f32], winners: &mut [u8]) {
        self.forward_with(instruction_set(), map, line, (y, winners));
    }

    pub(super) fn forward_with(
        &self,
        instructions: InstructionSet,
        map: &[f32],
        line: [&[f32]; 2],
        (y, winners): (&mut [f32], &mut [u8]),
    ) {
        self.check(map.len(), [y.len(), winners.len()], &line);
        let sign: Vec<f32> =
            line[0].iter().map(|&scale| if scale < 0.0 { -1.0 } else { 1.0 }).collect();
        let terms = [lines(line[0]), lines(line[1]), lines(&sign)];
        instructions.visit(Forward { pool: *self, rows: self.rows(map), terms, y, winners });
    }

    /// Sums of the signal, by itself and times the winner's distance from a mean.
    ///
    /// ```text
    /// Σ_q m(q)        Σ_q m(q) (u(p*) − μ)
    /// ```
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn sums(&self, from: Back<'_>, mean: &[f32]) -> [Vec<f32>; 2] {
        self.sums_with(instruction_set(), from, mean)
    }

    pub(super) fn sums_with(
        &self,
        instructions: InstructionSet,
        from: Back<'_>,
        mean: &[f32],
    ) -> [Vec<f32>; 2] {
        self.check(from.map.len(), [from.signal.len(), from.winners.len()], &[mean]);
        let [height, width] = self.out_size();
        let won = Won {
            pool: *self,
            out: [height, width],
            map: self.rows(from.map),
            signal: self.rows(from.signal),
            winners: from.winners,
            mean: lines(mean),
        };
        instructions.visit(SumsCall { won })
    }

    /// Postsynaptic terms of every pixel of the map.
    ///
    /// ```text
    /// post(p) = ρ′(u(p)) [ α Σ_{q: p won window q} m(q) − (κ u(p) + λ) ]
    /// ```
    /// ρ′ is 1 everywhere under [`Response::Linear`].
    ///
    /// # Shapes
    /// - `terms`: α, κ, λ, `[channel]` each; `post`: as the map
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn back(&self, from: Back<'_>, terms: [&[f32]; 3], response: Response, post: &mut [f32]) {
        self.back_with(instruction_set(), from, terms, (response, post));
    }

    pub(super) fn back_with(
        &self,
        instructions: InstructionSet,
        from: Back<'_>,
        terms: [&[f32]; 3],
        (response, post): (Response, &mut [f32]),
    ) {
        self.check(from.map.len(), [from.signal.len(), from.winners.len()], &terms);
        assert_eq!(post.len(), from.map.len(), "windows: expected a result like the map");
        instructions.visit(BackCall {
            pool: *self,
            map: self.rows(from.map),
            signal: self.rows(from.signal),
            winners: from.winners,
            terms: terms.map(lines),
            response,
            post,
        });
    }

    fn check(&self, map: usize, pooled: [usize; 2], vectors: &[&[f32]]) {
        assert_eq!(map, self.map_len(), "windows: expected another map for {self:?}");
        assert_eq!(pooled, [self.out_len(); 2], "windows: expected others for {self:?}");
        let fits = vectors.iter().all(|vector| vector.len() == self.channels);
        assert!(fits, "windows: expected one number for each of {} channels", self.channels);
    }

    fn rows<'a>(&self, values: &'a [f32]) -> Rows<'a> {
        Rows { values, channels: self.channels }
    }

    fn lines(&self) -> usize {
        self.channels.div_ceil(LANES)
    }
}

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

struct Forward<'a> {
    pool: FramePool,
    rows: Rows<'a>,
    terms: [Vec<Line>; 3],
    y: &'a mut [f32],
    winners: &'a mut [u8],
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
struct Won<'a> {
    pool: FramePool,
    out: [usize; 2],
    map: Rows<'a>,
    signal: Rows<'a>,
    winners: &'a [u8],
    mean: Vec<Line>,
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

struct SumsCall<'a> {
    won: Won<'a>,
}

impl Kernel for SumsCall<'_> {
    type Output = [Vec<f32>; 2];

    fn run<S: Simd>(self, simd: S) -> Self::Output {
        let Won { pool, out: [height, width], .. } = self.won;
        let found = sums(simd, &self.won, [pool.frames, height * width], pool.channels);
        found.map(|sums| sums.into_iter().map(|sum| sum as f32).collect())
    }
}

struct BackCall<'a> {
    pool: FramePool,
    map: Rows<'a>,
    signal: Rows<'a>,
    winners: &'a [u8],
    terms: [Vec<Line>; 3],
    response: Response,
    post: &'a mut [f32],
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
