//! Activities in rows of channels, `[frame, pixel, channel]`: change of layout, sums and moments of every channel.
//!
//! Sums run over blocks of rows, then over the blocks of a frame, then, in double precision, over frames: an
//! order that does not depend on the number of threads, and few terms in a row.

use core::ops::Range;

use rayon::prelude::*;

use super::instruction::InstructionSet;
use super::line::{Line, line_of};
use super::shape::LANES;
use super::simd::{Kernel, Simd};

/// Rows that are summed in single precision before anything else is added.
const BLOCK: usize = 64;
/// Pixels that one task brings into rows.
const PIXELS: usize = 1 << 12;

/// What is summed over rows: `Q` numbers for each line of channels.
pub(super) trait Terms<const Q: usize>: Sync {
    /// The terms of one row.
    fn at<S: Simd>(&self, simd: S, row: usize, line: usize) -> [S::Vector; Q];
}

/// `Q` sums for each channel over `frames` frames of `rows` rows.
pub(super) fn sums<S: Simd, T: Terms<Q>, const Q: usize>(
    simd: S,
    terms: &T,
    [frames, rows]: [usize; 2],
    channels: usize,
) -> [Vec<f64>; Q] {
    let lines = channels.div_ceil(LANES);
    let part = |frame: usize| {
        let mut part = vec![Line::ZERO; Q * lines];
        let rows = frame * rows..(frame + 1) * rows;
        simd.vectorize(Part::<T, Q> { terms, rows, part: &mut part });
        part
    };
    let parts: Vec<_> = (0..frames).into_par_iter().map(part).collect();
    std::array::from_fn(|q| {
        let mut total = vec![0.0; channels];
        for part in &parts {
            let part: &[f32] = bytemuck::cast_slice(&part[q * lines..][..lines]);
            total.iter_mut().zip(part).for_each(|(total, &part)| *total += f64::from(part));
        }
        total
    })
}

/// The sums of one frame, `[q, line]`.
struct Part<'a, T, const Q: usize> {
    terms: &'a T,
    rows: Range<usize>,
    part: &'a mut [Line],
}

impl<T: Terms<Q>, const Q: usize> Kernel for Part<'_, T, Q> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { terms, rows, part } = self;
        let lines = part.len() / Q;
        for first in rows.clone().step_by(BLOCK) {
            for line in 0..lines {
                let mut sums = [simd.zero(); Q];
                for row in first..(first + BLOCK).min(rows.end) {
                    let terms = terms.at(simd, row, line);
                    for q in 0..Q {
                        sums[q] = simd.add(sums[q], terms[q]);
                    }
                }
                for (q, sum) in sums.into_iter().enumerate() {
                    let total = &mut part[q * lines + line].0;
                    simd.store(total, simd.add(simd.load(total), sum));
                }
            }
        }
    }
}

/// `values`, rows of so many channels.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub values: &'a [f32],
    pub channels: usize,
}

impl Rows<'_> {
    /// A line of a row, zeros past its end.
    #[inline(always)]
    pub fn load<S: Simd>(&self, simd: S, row: usize, line: usize) -> S::Vector {
        simd.load(&line_of(&self.values[row * self.channels..][..self.channels], line))
    }
}

/// The rows themselves.
impl Terms<1> for Rows<'_> {
    #[inline(always)]
    fn at<S: Simd>(&self, simd: S, row: usize, line: usize) -> [S::Vector; 1] {
        [self.load(simd, row, line)]
    }
}

/// Squared distances from a mean.
struct Squares<'a> {
    rows: Rows<'a>,
    mean: Vec<Line>,
}

impl Terms<1> for Squares<'_> {
    #[inline(always)]
    fn at<S: Simd>(&self, simd: S, row: usize, line: usize) -> [S::Vector; 1] {
        let centred = simd.sub(self.rows.load(simd, row, line), simd.load(&self.mean[line].0));
        [simd.mul(centred, centred)]
    }
}

/// Mean and biased variance of every channel.
///
/// ```text
/// μ_c = ⟨v[p, c]⟩_p        var_c = ⟨(v[p, c] − μ_c)²⟩_p
/// ```
/// The variance comes from centred values: a mean far from 0 would eat the digits of a difference of squares.
///
/// # Shapes
/// - `values`: `[frames, pixels, channels]`; returns two times `[channels]`
///
/// # Panics
/// If `values` does not hold whole rows for every frame, or none.
pub fn channel_moments(
    instructions: InstructionSet,
    values: &[f32],
    frames: usize,
    channels: usize,
) -> [Vec<f32>; 2] {
    let rows = values.len() / (frames * channels).max(1);
    assert!(
        rows > 0 && values.len() == frames * rows * channels,
        "moments: expected rows of {channels} channels in {frames} frames, got {} values",
        values.len()
    );
    instructions.visit(MomentsCall { rows: Rows { values, channels }, frames: [frames, rows] })
}

struct MomentsCall<'a> {
    rows: Rows<'a>,
    frames: [usize; 2],
}

impl Kernel for MomentsCall<'_> {
    type Output = [Vec<f32>; 2];

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Self::Output {
        let Self { rows, frames } = self;
        let count = (frames[0] * frames[1]) as f64;
        let average = |[sum]: [Vec<f64>; 1]| -> Vec<f32> {
            sum.into_iter().map(|sum| (sum / count) as f32).collect()
        };
        let mean = average(sums(simd, &rows, frames, rows.channels));
        let squares = Squares { rows, mean: lines(&mean) };
        let variance = average(sums(simd, &squares, frames, rows.channels));
        [mean, variance]
    }
}

/// A number for each channel as lines, zeros past the last.
pub(super) fn lines(values: &[f32]) -> Vec<Line> {
    (0..values.len().div_ceil(LANES)).map(|line| Line(line_of(values, line))).collect()
}

/// Writes a line to the front of `to`, as far as it reaches.
#[inline(always)]
pub(super) fn put_line<S: Simd>(simd: S, value: S::Vector, to: &mut [f32]) {
    if let Some(to) = to.first_chunk_mut() {
        simd.store(to, value);
        return;
    }
    let mut line = [0.0; LANES];
    simd.store(&mut line, value);
    to.copy_from_slice(&line[..to.len()]);
}

/// Reorders `[n, c, pixels]` as rows `[n, pixels, c]`.
///
/// # Panics
/// If the lengths differ or are no whole number of maps.
pub fn plain_to_rows(channels: usize, pixels: usize, plain: &[f32], rows: &mut [f32]) {
    assert_eq!(plain.len(), rows.len(), "change of layout: expected equal lengths");
    let clip = channels * pixels;
    if clip == 0 {
        return;
    }
    assert!(plain.len().is_multiple_of(clip), "activity: expected a multiple of {clip}");
    for (plain, rows) in plain.chunks_exact(clip).zip(rows.chunks_exact_mut(clip)) {
        rows.par_chunks_mut(PIXELS * channels).enumerate().for_each(|(part, rows)| {
            for (channel, map) in plain.chunks_exact(pixels).enumerate() {
                let map = &map[part * PIXELS..];
                for (row, &value) in rows.chunks_exact_mut(channels).zip(map) {
                    row[channel] = value;
                }
            }
        });
    }
}
