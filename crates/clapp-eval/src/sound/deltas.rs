//! How features change in time.

use ndarray::{Array2, ArrayView2, Axis, concatenate};

/// Frames to either side that a difference looks at.
const REACH: usize = 2;

/// Features with their differences in time appended, `order` times.
///
/// ```text
/// Δx_t = Σ_{n=1,2} n (x_{t+n} − x_{t−n}) / (2 Σ_{n=1,2} n²)        beyond the ends: the end frame
/// ```
/// The slope of a line through five frames, per frame of 10 ms; ΔΔ is the same of Δ.
///
/// # Shapes
///
/// - `features`: `[frames, dim]`
/// - returns `[frames, dim · (1 + order)]`: x, Δx, ΔΔx, …
///
/// # Example
///
/// ```
/// use clapp_eval::sound::with_deltas;
/// use ndarray::Array2;
///
/// let ramp = Array2::from_shape_fn((9, 1), |(t, _)| 3.0 * t as f32);
/// let both = with_deltas(ramp.view(), 1);
/// assert!((both[[4, 1]] - 3.0).abs() < 1e-5); // 3 per frame; tenths are not exact in binary
/// ```
#[must_use]
pub fn with_deltas(features: ArrayView2<'_, f32>, order: usize) -> Array2<f32> {
    let mut parts = vec![features.to_owned()];
    for _ in 0..order {
        parts.push(delta(&parts[parts.len() - 1]));
    }
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(1), &views).expect("all parts have as many frames")
}

fn delta(features: &Array2<f32>) -> Array2<f32> {
    let frames = features.nrows();
    let mut slope = Array2::zeros(features.dim());
    if frames == 0 {
        return slope;
    }
    for n in 1..=REACH {
        let weight = n as f32 / (2 * (1..=REACH).map(|n| n * n).sum::<usize>()) as f32;
        for t in 0..frames {
            let (after, before) = ((t + n).min(frames - 1), t.saturating_sub(n));
            let mut row = slope.row_mut(t);
            row.scaled_add(weight, &features.row(after));
            row.scaled_add(-weight, &features.row(before));
        }
    }
    slope
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_difference_of_a_parabola_is_its_curvature() {
        let parabola = Array2::from_shape_fn((20, 1), |(t, _)| (t * t) as f32);
        let all = with_deltas(parabola.view(), 2);
        for t in 4..16 {
            let expected = [(t * t) as f32, 2.0 * t as f32, 2.0];
            // Tenths are not exact in binary.
            assert!(all.row(t).iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5));
        }
    }

    #[test]
    fn the_end_frame_stands_for_what_lies_beyond() {
        let ramp = Array2::from_shape_fn((6, 1), |(t, _)| t as f32);
        let slope = with_deltas(ramp.view(), 1);
        // t = 0: (1·(1 − 0) + 2·(2 − 0))/10; t = 1: (1·(2 − 0) + 2·(3 − 0))/10.
        assert!((slope[[0, 1]] - 0.5).abs() < 1e-6 && (slope[[1, 1]] - 0.8).abs() < 1e-6);
    }

    #[test]
    fn nothing_has_no_differences() {
        assert_eq!(with_deltas(Array2::zeros((0, 13)).view(), 2).dim(), (0, 39));
    }
}
