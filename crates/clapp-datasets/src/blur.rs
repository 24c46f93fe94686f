//! A Gaussian blur of 8-bit pictures, as torchvision does it.

use crate::video::Frame;

/// Blurs a picture with a Gaussian over a square window.
///
/// ```text
/// k(i) = exp(−i²/2σ²) / Σ_j exp(−j²/2σ²)            |i|, |j| ≤ (side − 1)/2
/// out(y, x) = round( Σ_i Σ_j k(i) k(j) in(y + i, x + j) )
/// ```
/// Beyond an edge the picture goes on mirrored at its last pixel, which is not repeated. Each plane for
/// itself; halves to even.
///
/// Rows first, then columns, in single precision; where that ends close to a half, over the square at
/// once as torchvision does it, so that the bytes are the same.
///
/// # Panics
/// `side` is even, or (side − 1)/2 is not below both sides of the picture; σ is not positive.
///
/// # Paper
/// Chen et al. 2020 (SimCLR), appendix A: a side of a tenth of the picture's, σ uniform in 0.1 to 2.
///
/// # Example
///
/// ```
/// use clapp_datasets::{blur, video::Frame};
///
/// let mut line = Frame::new([3, 5], [[0, 0, 100, 0, 0]; 3].concat());
/// blur(&mut line, 3, 1.0); // e^(−1/2) = 0.607 on both sides, of 2.213
/// assert_eq!(line.pixels()[..5], [0, 27, 45, 27, 0]);
/// ```
pub fn blur(picture: &mut Frame, side: usize, sigma: f32) {
    let ([height, width], planes, reach) = (picture.dims(), picture.planes(), side / 2);
    assert!(side % 2 == 1, "blur: expected an odd window, got {side}");
    assert!(sigma > 0.0, "blur: expected a positive deviation, got {sigma}");
    assert!(
        reach < height.min(width),
        "blur: expected a window below {}, got {side} for {height}×{width}",
        2 * height.min(width)
    );
    let weights = weights(side, sigma);
    let stride = planes * width;
    let mut padded = vec![0.0; planes * (width + 2 * reach)];
    let mut narrow = vec![0.0; height * stride]; // [row, column, plane], blurred along rows
    for (row, out) in narrow.chunks_exact_mut(stride).enumerate() {
        for (x, pixel) in padded.chunks_exact_mut(planes).enumerate() {
            let bytes = picture.pixel(row, mirrored(x, reach, width));
            pixel.iter_mut().zip(bytes).for_each(|(value, byte)| *value = f32::from(*byte));
        }
        for (place, weight) in weights.iter().enumerate() {
            add(out, *weight, &padded[planes * place..]);
        }
    }
    let from = picture.clone();
    let mut sums = vec![0.0; stride];
    for (y, out) in picture.pixels_mut().chunks_exact_mut(stride).enumerate() {
        sums.fill(0.0);
        for (place, weight) in weights.iter().enumerate() {
            let row = mirrored(y + place, reach, height);
            add(&mut sums, *weight, &narrow[stride * row..]);
        }
        for (i, (byte, sum)) in out.iter_mut().zip(&sums).enumerate() {
            *byte = rounded(*sum);
            if (sum - f32::from(*byte)).abs() > 0.5 - DOUBT {
                *byte = rounded(over_the_square(&from, &weights, [y, i / planes], i % planes));
            }
        }
    }
}

/// A sum in another order lies less than this away, of 255: 2·side roundings of 2⁻²⁴ each.
const DOUBT: f32 = 1e-3;

/// One value, summed row by row over the square, each product added in one rounding.
fn over_the_square(from: &Frame, weights: &[f32], [y, x]: [usize; 2], plane: usize) -> f32 {
    let ([height, width], reach) = (from.dims(), weights.len() / 2);
    let mut sum = 0.0_f32;
    for (down, row) in weights.iter().enumerate() {
        for (along, column) in weights.iter().enumerate() {
            let place = [mirrored(y + down, reach, height), mirrored(x + along, reach, width)];
            let value = f64::from(from.pixel(place[0], place[1])[plane]);
            // Exact in double precision, where `mul_add` is a call on most targets.
            sum = (f64::from(row * column) * value + f64::from(sum)) as f32;
        }
    }
    sum
}

/// The Gaussian at −reach to reach, of sum one.
fn weights(side: usize, sigma: f32) -> Vec<f32> {
    let reach = (side / 2) as f32;
    let place = |i: usize| (i as f32 - reach) / sigma;
    let value = |i: usize| f64::from(-0.5 * (place(i) * place(i))).exp() as f32;
    let values: Vec<f32> = (0..side).map(value).collect();
    let total = total(&values);
    values.into_iter().map(|value| value / total).collect()
}

/// The sum in PyTorch's order on vectors of eight: the rest first, short ones in four parts.
fn total(values: &[f32]) -> f32 {
    let parts = if values.len() < 8 { 4 } else { 8 };
    let (whole, rest) = values.split_at(values.len() / parts * parts);
    let mut sums = vec![0.0; parts];
    for chunk in whole.chunks_exact(parts) {
        sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value);
    }
    if parts == 4 {
        rest.iter().for_each(|value| sums[0] += value);
        sums.iter().sum()
    } else {
        rest.iter().chain(&sums).sum()
    }
}

/// The pixel at place `padded` of a line that goes on mirrored by `reach` at both ends.
fn mirrored(padded: usize, reach: usize, length: usize) -> usize {
    let place = padded.abs_diff(reach);
    if place < length { place } else { 2 * (length - 1) - place }
}

fn add(sums: &mut [f32], weight: f32, values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
}

/// Rounds a number in 0..=255 to the nearest byte, halves to even.
fn rounded(value: f32) -> u8 {
    // At 1.5·2²³ neighbours lie one apart, so the sum is rounded; its last byte is the whole number.
    // A call of `round_ties_even` for every value takes longer than the blur.
    (value + 12_582_912.0).to_bits() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_the_nearest_byte_and_halves_go_to_even() {
        for byte in 0..=255_u8 {
            for off in [-0.499, 0.0, 0.499] {
                assert_eq!(rounded(f32::from(byte) + off), byte);
            }
        }
        assert_eq!([0.5, 1.5, 2.5, 254.5].map(rounded), [0, 2, 2, 254]);
    }

    #[test]
    fn a_constant_picture_stays_constant() {
        for value in [0, 1, 127, 255] {
            let mut picture = Frame::new([7, 5], vec![value; 3 * 35]);
            blur(&mut picture, 9, 1.7);
            assert!(picture.pixels().iter().all(|byte| *byte == value), "{value}");
        }
    }

    #[test]
    fn an_edge_is_a_mirror_that_does_not_repeat_its_pixel() {
        let places = |reach| (0..4 + 2 * reach).map(move |place| mirrored(place, reach, 4));
        assert_eq!(places(3).collect::<Vec<_>>(), [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]);
    }

    #[test]
    #[should_panic(expected = "blur: expected a window below 6, got 7 for 3×5")]
    fn a_window_beyond_the_mirror_panics_with_the_numbers() {
        blur(&mut Frame::new([3, 5], vec![0; 15]), 7, 1.0);
    }
}
