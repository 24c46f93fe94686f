//! Changing the size of frames, as Pillow does it.

use serde::{Deserialize, Serialize};

use crate::video::Frame;

/// How a pixel of another size is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Filter {
    /// The nearest pixel of the original.
    Nearest,
    /// A triangle over the pixels around; over more of them if the frame shrinks.
    Bilinear,
}

/// Writes `from` at the size `dims` = `[rows, columns]` into `into`, byte for byte as
/// `Image.resize` of Pillow.
///
/// ```text
/// nearest:   out(x) = in(⌊s·(x + ½)⌋)                          s = side before / side after
/// bilinear:  out(x) = Σ_i w_i in(i) / Σ_i w_i                   w_i = max(0, 1 − |i + ½ − s·(x + ½)| / max(s, 1))
/// ```
/// Columns first, then rows, rounded to bytes between them. Weights are integers in units of 2⁻²².
///
/// # Panics
/// A side is 0.
///
/// # Example
///
/// ```
/// use clapp_datasets::video::{Filter, Frame, resize};
///
/// let gray = |values: &[u8]| values.iter().flat_map(|v| [*v; 3]).collect::<Vec<u8>>();
/// let (from, mut half) = (Frame::new([1, 4], gray(&[0, 40, 80, 120])), Frame::default());
/// resize(&from, [1, 2], Filter::Nearest, &mut half);
/// assert_eq!(half.pixels(), gray(&[40, 120]));
/// resize(&from, [1, 2], Filter::Bilinear, &mut half);
/// assert_eq!(half.pixels(), gray(&[29, 91]));
/// ```
pub fn resize(from: &Frame, dims: [usize; 2], filter: Filter, into: &mut Frame) {
    let sides = [from.dims(), dims].concat();
    assert!(
        sides.iter().all(|side| *side > 0),
        "resize: expected sides of at least 1, got {sides:?}"
    );
    match filter {
        Filter::Nearest => nearest(from, dims, into),
        Filter::Bilinear => bilinear(from, dims, into),
    }
}

fn nearest(from: &Frame, dims: [usize; 2], into: &mut Frame) {
    let (rows, columns) = (sources(from.dims()[0], dims[0]), sources(from.dims()[1], dims[1]));
    let planes = from.planes();
    let out = into.reshape(dims, planes);
    for (out, &row) in out.chunks_exact_mut(planes * dims[1]).zip(&rows) {
        let row = from.row(row);
        for (pixel, &column) in out.chunks_exact_mut(planes).zip(&columns) {
            pixel.copy_from_slice(&row[planes * column..][..planes]);
        }
    }
}

/// The position that each position of the new side is copied from.
fn sources(before: usize, after: usize) -> Vec<usize> {
    let scale = before as f64 / after as f64;
    let mut position = scale * 0.5;
    (0..after)
        .map(|_| {
            let source = (position as usize).min(before - 1);
            // Summed and not multiplied, as in Pillow: it decides positions that fall on an edge.
            position += scale;
            source
        })
        .collect()
}

/// Fractional bits of a weight.
const BITS: u32 = 22;

/// The pixels that one new pixel is made of: the first, and a weight each.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

fn taps(before: usize, after: usize) -> Vec<Taps> {
    let scale = before as f64 / after as f64;
    let support = scale.max(1.0);
    (0..after)
        .map(|x| {
            let centre = (x as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(before);
            let weight = |i: usize| (1.0 - ((i as f64 - centre + 0.5) / support).abs()).max(0.0);
            let total: f64 = (first..end).map(weight).sum();
            let unit = f64::from(1 << BITS);
            let weights = (first..end).map(|i| (0.5 + weight(i) / total * unit) as i32).collect();
            Taps { first, weights }
        })
        .collect()
}

fn bilinear(from: &Frame, [height, width]: [usize; 2], into: &mut Frame) {
    let ([rows, columns], planes) = (from.dims(), from.planes());
    let mut narrow = vec![0; planes * rows * width]; // [row before, column after, plane]
    if columns == width {
        narrow.copy_from_slice(from.pixels());
    } else {
        let taps = taps(columns, width);
        for (row, out) in narrow.chunks_exact_mut(planes * width).enumerate() {
            let row = from.row(row);
            for (Taps { first, weights }, pixel) in taps.iter().zip(out.chunks_exact_mut(planes)) {
                weighted(&row[planes * first..], planes, weights, pixel);
            }
        }
    }
    let out = into.reshape([height, width], planes);
    if rows == height {
        out.copy_from_slice(&narrow);
        return;
    }
    let stride = planes * width;
    for (out, Taps { first, weights }) in out.chunks_exact_mut(stride).zip(taps(rows, height)) {
        for (column, pixel) in out.chunks_exact_mut(planes).enumerate() {
            weighted(&narrow[first * stride + planes * column..], stride, &weights, pixel);
        }
    }
}

/// The weighted mean of pixels that lie `stride` bytes apart.
fn weighted(pixels: &[u8], stride: usize, weights: &[i32], out: &mut [u8]) {
    if out.len() == 3 {
        // Colours together: a third of the passes over the weights.
        out.copy_from_slice(&means::<3>(pixels, stride, weights));
        return;
    }
    for (plane, out) in out.iter_mut().enumerate() {
        [*out] = means(&pixels[plane..], stride, weights);
    }
}

fn means<const PLANES: usize>(pixels: &[u8], stride: usize, weights: &[i32]) -> [u8; PLANES] {
    let mut sums = [1 << (BITS - 1); PLANES];
    for (pixel, weight) in pixels.chunks(stride).zip(weights) {
        for (sum, value) in sums.iter_mut().zip(pixel) {
            *sum += weight * i32::from(*value);
        }
    }
    // The weights add up to one within rounding, so a sum may end a unit above 255.
    sums.map(|sum| (sum >> BITS).clamp(0, 255) as u8)
}
