//! Competition between the channels of a pixel, and what stands around it in a layer: normalisation with a
//! reflected border, triangle activation, windows.
//!
//! Activities are in lines of 16 channels, `[n, c/16, pixels, 16]`; what a rule sees is in rows, `[pixel, c]`.

use rayon::prelude::*;

use super::function::{exp, power_of};
use super::instruction::InstructionSet;
use super::line::{Line, Scratch, grown, with_scratch};
use super::rows::{Terms, sums};
use super::shape::LANES;
use super::simd::{Kernel, Simd};
use crate::{MapWindow, WindowOf};

/// Rows of one task of the competition. Part of the summation order.
const ROWS: usize = 64;

/// A map in lines of 16 channels.
#[derive(Clone, Copy, Debug)]
pub struct LineMap<'a> {
    /// `[n, c/16, y, x, 16]`.
    pub values: &'a [f32],
    /// Channels, a multiple of 16.
    pub channels: usize,
    /// Rows and columns.
    pub size: [usize; 2],
}

impl LineMap<'_> {
    fn area(&self) -> usize {
        self.size[0] * self.size[1]
    }

    fn images(&self) -> usize {
        let image = self.channels * self.area();
        assert!(
            image > 0
                && self.channels.is_multiple_of(LANES)
                && self.values.len().is_multiple_of(image),
            "map: expected whole images of {} channels and {:?} pixels, got {} values",
            self.channels,
            self.size,
            self.values.len()
        );
        self.values.len() / image
    }

    #[inline(always)]
    fn line<S: Simd>(&self, simd: S, row: usize, line: usize) -> S::Vector {
        let (area, lines) = (self.area(), self.values.as_chunks::<LANES>().0);
        simd.load(&lines[(row / area * (self.channels / LANES) + line) * area + row % area])
    }
}

/// The values of every channel.
impl Terms<1> for LineMap<'_> {
    #[inline(always)]
    fn at<S: Simd>(&self, simd: S, row: usize, line: usize) -> [S::Vector; 1] {
        [self.line(simd, row, line)]
    }
}

/// Squared distances from a mean.
struct Squares<'a> {
    map: LineMap<'a>,
    mean: &'a [f32],
}

impl Terms<1> for Squares<'_> {
    #[inline(always)]
    fn at<S: Simd>(&self, simd: S, row: usize, line: usize) -> [S::Vector; 1] {
        let mean = simd.load(&self.mean.as_chunks::<LANES>().0[line]);
        let centred = simd.sub(self.map.line(simd, row, line), mean);
        [simd.mul(centred, centred)]
    }
}

/// Mean and biased variance of every channel over images and pixels, the second from centred values.
///
/// # Panics
/// If the map does not hold whole images.
pub fn map_moments(instructions: InstructionSet, map: LineMap<'_>) -> [Vec<f32>; 2] {
    let frames = [map.images(), map.area()];
    instructions.visit(MomentsCall { map, frames })
}

struct MomentsCall<'a> {
    map: LineMap<'a>,
    frames: [usize; 2],
}

impl Kernel for MomentsCall<'_> {
    type Output = [Vec<f32>; 2];

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Self::Output {
        let Self { map, frames } = self;
        let count = (frames[0] * frames[1]) as f64;
        let average = |[sum]: [Vec<f64>; 1]| -> Vec<f32> {
            sum.into_iter().map(|sum| (sum / count) as f32).collect()
        };
        let mean = average(sums(simd, &map, frames, map.channels));
        let squares = Squares { map, mean: &mean };
        let variance = average(sums(simd, &squares, frames, map.channels));
        [mean, variance]
    }
}

/// `(x − mean) · scale` of every channel, with `border` reflected pixels around it.
///
/// # Shapes
/// - `y`: `[n, c/16, rows + 2 border, columns + 2 border, 16]`; `mean`, `scale`: `[c]`
///
/// # Panics
/// If a length does not fit, or the border is not narrower than the map.
pub fn normalise_reflected(
    map: LineMap<'_>,
    [mean, scale]: [&[f32]; 2],
    border: usize,
    y: &mut [f32],
) {
    let ([rows, columns], blocks) = (map.size, map.channels / LANES);
    let size = map.size.map(|side| side + 2 * border);
    let expected = map.images() * map.channels * size[0] * size[1];
    assert_eq!(y.len(), expected, "normalised map: expected {expected} values, got {}", y.len());
    assert!(
        border < rows.min(columns),
        "reflected border: expected less than {} pixels, got {border}",
        rows.min(columns)
    );
    let [mean, scale] = [mean, scale].map(|of| of.as_chunks::<LANES>().0);
    let reflect = |at: usize, side: usize| {
        let at = at.abs_diff(border);
        if at < side { at } else { 2 * (side - 1) - at }
    };
    y.par_chunks_mut(LANES * size[0] * size[1]).enumerate().for_each(|(map_at, y)| {
        let from = &map.values.as_chunks::<LANES>().0[map_at * rows * columns..][..rows * columns];
        let (mean, scale) = (&mean[map_at % blocks], &scale[map_at % blocks]);
        for (at, to) in y.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let (row, column) = (reflect(at / size[1], rows), reflect(at % size[1], columns));
            let line = &from[row * columns + column];
            for lane in 0..LANES {
                to[lane] = (line[lane] - mean[lane]) * scale[lane];
            }
        }
    });
}

/// Signed soft winners of every row, and the sum of `y u` of every channel.
///
/// ```text
/// y_o = s_o softmax(t u)_o        s = +1 for the largest (the first of equals), −1 for all others
/// ```
///
/// # Shapes
/// - `u`, `y`: `[rows, channels]`; returns `[channels]`
///
/// # Panics
/// If the lengths differ or do not hold whole rows.
pub fn soft_winners(
    instructions: InstructionSet,
    u: &[f32],
    channels: usize,
    temperature: f32,
    y: &mut [f32],
) -> Vec<f32> {
    assert!(
        channels > 0 && u.len() == y.len() && u.len().is_multiple_of(channels),
        "soft winners: expected whole rows of {channels} channels, got {} and {} values",
        u.len(),
        y.len()
    );
    instructions.visit(WinnersCall { u, channels, temperature, y })
}

struct WinnersCall<'a> {
    u: &'a [f32],
    channels: usize,
    temperature: f32,
    y: &'a mut [f32],
}

impl Kernel for WinnersCall<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { u, channels, temperature, y } = self;
        let mut parts = vec![0.0; u.len().div_ceil(ROWS * channels) * channels];
        let tasks = y.par_chunks_mut(ROWS * channels).zip(u.par_chunks(ROWS * channels));
        tasks.zip(parts.par_chunks_mut(channels)).for_each(|((y, u), sums)| {
            simd.vectorize(WinnerRows { u, temperature, y, sums });
        });
        let mut total = vec![0.0; channels];
        for part in parts.chunks_exact(channels) {
            total.iter_mut().zip(part).for_each(|(total, &part)| *total += f64::from(part));
        }
        total.into_iter().map(|sum| sum as f32).collect()
    }
}

struct WinnerRows<'a> {
    u: &'a [f32],
    temperature: f32,
    y: &'a mut [f32],
    sums: &'a mut [f32],
}

impl Kernel for WinnerRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let channels = self.sums.len();
        for (u, y) in self.u.chunks_exact(channels).zip(self.y.chunks_exact_mut(channels)) {
            let largest = largest(u);
            let mut total = [0.0; LANES];
            let (lines, tail) = u.as_chunks::<LANES>();
            let (y_lines, y_tail) = y.as_chunks_mut::<LANES>();
            for (y, u) in y_lines.iter_mut().zip(lines) {
                for lane in 0..LANES {
                    y[lane] = exp(self.temperature * (u[lane] - largest));
                    total[lane] += y[lane];
                }
            }
            for (lane, (y, u)) in y_tail.iter_mut().zip(tail).enumerate() {
                *y = exp(self.temperature * (u - largest));
                total[lane] += *y;
            }
            let scale = -1.0 / total.iter().sum::<f32>();
            if let Some(winner) = first_of(u, largest) {
                y[winner] = -y[winner];
            }
            for ((y, u), sum) in y.iter_mut().zip(u).zip(self.sums.iter_mut()) {
                *y *= scale;
                *sum += *y * u;
            }
        }
    }
}

#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    let (lines, tail) = row.as_chunks::<LANES>();
    let mut most = [f32::NEG_INFINITY; LANES];
    for line in lines {
        for lane in 0..LANES {
            most[lane] = if line[lane] > most[lane] { line[lane] } else { most[lane] };
        }
    }
    most.iter().chain(tail).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// Place of the first value that equals `value`; none where the row is not of numbers.
#[inline(always)]
#[expect(clippy::float_cmp, reason = "the value is one of the row")]
fn first_of(row: &[f32], value: f32) -> Option<usize> {
    let (lines, tail) = row.as_chunks::<LANES>();
    for (at, line) in lines.iter().enumerate() {
        // Without an early exit a line is one comparison of vectors.
        if line.iter().fold(false, |any, &of| any | (of == value)) {
            return line.iter().position(|&of| of == value).map(|lane| at * LANES + lane);
        }
    }
    tail.iter().position(|&of| of == value).map(|lane| lines.len() * LANES + lane)
}

/// Triangle activation and windows of a map.
///
/// ```text
/// r = max(u − mean over channels of u, 0)^p        y = largest, or mean, of a window of r
/// ```
///
/// # Shapes
/// - `y`: `[n, c/16, rows', columns', 16]`
///
/// # Panics
/// If a length does not fit.
pub fn triangle(
    instructions: InstructionSet,
    map: LineMap<'_>,
    power: f32,
    window: MapWindow,
    y: &mut [f32],
) {
    let out = window.output_size(map.size);
    let image = map.channels * out[0] * out[1];
    assert_eq!(
        y.len(),
        map.images() * image,
        "triangle: expected {} values, got {}",
        map.images() * image,
        y.len()
    );
    instructions.visit(TriangleCall { map, power, window, out, y });
}

struct TriangleCall<'a> {
    map: LineMap<'a>,
    power: f32,
    window: MapWindow,
    out: [usize; 2],
    y: &'a mut [f32],
}

impl Kernel for TriangleCall<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { map, power, window, out, y } = self;
        let per_image = map.channels * map.area();
        let images = map.values.par_chunks(per_image);
        y.par_chunks_mut(map.channels * out[0] * out[1]).zip(images).for_each(|(y, values)| {
            let map = LineMap { values, ..map };
            simd.vectorize(TriangleImage(TriangleCall { map, power, window, out, y }));
        });
    }
}

/// One image.
struct TriangleImage<'a>(TriangleCall<'a>);

impl Kernel for TriangleImage<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let TriangleCall { map, power, window, out, y } = self.0;
        let area = map.area();
        let blocks = map.values.as_chunks::<LANES>().0;
        with_scratch(|Scratch { input, product, .. }| {
            let (means, active) = (grown(input, area), grown(product, area));
            means.fill(Line::ZERO);
            for block in blocks.chunks_exact(area) {
                for (mean, line) in means.iter_mut().zip(block) {
                    mean.0.iter_mut().zip(line).for_each(|(mean, u)| *mean += u);
                }
            }
            for mean in means.iter_mut() {
                let sum: f32 = mean.0.iter().sum();
                *mean = Line([sum / map.channels as f32; LANES]);
            }
            let lines = y.as_chunks_mut::<LANES>().0;
            for (y, block) in lines.chunks_exact_mut(out[0] * out[1]).zip(blocks.chunks_exact(area))
            {
                for ((active, line), mean) in active.iter_mut().zip(block).zip(&*means) {
                    for ((active, u), mean) in active.0.iter_mut().zip(line).zip(&mean.0) {
                        let above = u - mean;
                        *active = if above <= 0.0 { 0.0 } else { above };
                    }
                }
                match window.of {
                    // A power keeps the order, so that the largest can be taken first.
                    WindowOf::Max => {
                        windows(active, map.size, window, y, larger_or_nan, 1.0);
                        y.iter_mut().for_each(|line| power_of(line, power));
                    }
                    WindowOf::Mean => {
                        active.iter_mut().for_each(|line| power_of(&mut line.0, power));
                        let share = 1.0 / (window.side * window.side) as f32;
                        windows(active, map.size, window, y, |sum, value| sum + value, share);
                    }
                }
            }
        });
    }
}

/// The larger of two; not-a-number stays.
#[inline(always)]
fn larger_or_nan(most: f32, value: f32) -> f32 {
    if value > most || value.is_nan() { value } else { most }
}

/// Folds every window of a line of channels; zeros of the padding change neither a sum nor a largest of values
/// of 0 and more.
#[inline(always)]
fn windows(
    map: &[Line],
    [rows, columns]: [usize; 2],
    window: MapWindow,
    y: &mut [[f32; LANES]],
    fold: impl Fn(f32, f32) -> f32,
    share: f32,
) {
    let MapWindow { side, stride, padding, .. } = window;
    let [_, across] = window.output_size([rows, columns]);
    let seen = |at: usize, all: usize| {
        let first = at * stride;
        first.saturating_sub(padding)..(first + side).saturating_sub(padding).min(all)
    };
    for (at, to) in y.iter_mut().enumerate() {
        let mut total = [0.0; LANES];
        for row in seen(at / across, rows) {
            for column in seen(at % across, columns) {
                let line = &map[row * columns + column].0;
                for lane in 0..LANES {
                    total[lane] = fold(total[lane], line[lane]);
                }
            }
        }
        *to = total.map(|total| total * share);
    }
}
