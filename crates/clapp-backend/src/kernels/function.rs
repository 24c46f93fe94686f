//! Functions that the compiler can compute 16 lanes at a time: no branch, no call.

use super::shape::LANES;

/// `eˣ` to about one unit in the last place; 0 far below and infinite far above.
///
/// ```text
/// x = n ln 2 + r, |r| ≤ ½ ln 2        eˣ = 2ⁿ eʳ
/// ```
/// with a polynomial for eʳ (Cephes, `expf`).
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// Rounds to a whole number when added and taken away again.
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    // Both ends clamp to where 2ⁿ is still a normal number; not-a-number stays.
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + c;
    }
    let scale = f32::from_bits((((n as i32) + 127) << 23) as u32);
    (p * r * r + r + 1.0) * scale
}

/// `ln x` of normal numbers above 0, to about one unit in the last place (Cephes, `logf`).
#[inline(always)]
fn ln(x: f32) -> f32 {
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let bits = x.to_bits();
    let half = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000); // in ½ … 1
    let low = half < std::f32::consts::FRAC_1_SQRT_2;
    let exponent = ((bits >> 23) as i32 - 126) as f32 - if low { 1.0 } else { 0.0 };
    let m = if low { half + half } else { half } - 1.0;
    let square = m * m;
    let mut p = 7.037_683_6e-2;
    for c in [
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ] {
        p = p * m + c;
    }
    let tail = p * m * square + exponent * LN_2[1] - 0.5 * square;
    m + tail + exponent * LN_2[0]
}

/// `xᵖ` of each lane for p above 0; 0 where x is 0 or too small for a normal number.
#[inline(always)]
#[expect(clippy::float_cmp, reason = "a power of exactly 1 changes nothing")]
pub(super) fn power_of(lanes: &mut [f32; LANES], p: f32) {
    if p == 1.0 {
        return;
    }
    for x in lanes {
        let power = exp(p * ln(*x));
        let power = if *x > f32::MAX { *x } else { power };
        // Not-a-number is no number above the smallest, and stays.
        *x = if *x >= f32::MIN_POSITIVE { power } else { *x * 0.0 };
    }
}

/// `σ(x) = 1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `tanh x`: a polynomial near zero (Cephes, `tanhf`), elsewhere by `eˣ`.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let square = x * x;
    let mut p = -5.704_988_7e-3;
    for c in [2.063_909e-2, -5.373_971e-2, 1.333_147_7e-1, -3.333_328e-1] {
        p = p * square + c;
    }
    let near = p * square * x + x;
    let far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
    if square < 0.390_625 { near } else { far }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points() -> impl Iterator<Item = f32> {
        (-4000..=4000).map(|i| i as f32 * 0.005).chain([1e-20, -1e-6, 40.0, -60.0, 90.0, -90.0])
    }

    /// Three units in the last place.
    const BOUND: f64 = 3.6e-7;

    #[test]
    fn a_sigmoid_is_that_of_double_precision() {
        for x in points().filter(|x| x.abs() < 80.0) {
            let expected = 1.0 / (1.0 + (-f64::from(x)).exp());
            let error = (f64::from(sigmoid(x)) - expected).abs() / expected;
            assert!(error < BOUND, "{x}: {error}");
        }
    }

    #[test]
    fn a_hyperbolic_tangent_is_that_of_double_precision() {
        for x in points() {
            let expected = f64::from(x).tanh();
            let error =
                (f64::from(tanh(x)) - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
            assert!(error < BOUND || x.abs() < f32::MIN_POSITIVE, "{x}: {error}");
        }
    }

    #[test]
    fn a_power_is_that_of_double_precision() {
        for p in [0.5, 0.7, 1.4, 2.0] {
            for at in -600..=600 {
                let mut lanes = [(f64::from(at) * 0.05).exp() as f32; LANES];
                let expected = f64::from(lanes[0]).powf(f64::from(p));
                power_of(&mut lanes, p);
                // A rounding of p ln x is as large as that number, up to 42 here.
                let error = (f64::from(lanes[3]) - expected).abs() / expected;
                assert!(error < BOUND + 1.2e-7 * expected.ln().abs(), "{at} {p}: {error}");
            }
        }
        let ends = [0.0, 1.0, f32::NAN, 4.0, f32::INFINITY, 0.0, 0.0, 0.0].repeat(2);
        let mut lanes = ends.try_into().expect("sixteen");
        power_of(&mut lanes, 0.5);
        assert!(lanes[0].to_bits() == 0 && lanes[2].is_nan() && lanes[4].is_infinite());
        assert!((lanes[3] - 2.0).abs() < 3e-7 && (lanes[1] - 1.0).abs() < 1e-7);
    }

    #[test]
    fn the_ends_are_flat_and_not_a_number_stays() {
        for (found, end) in
            [(sigmoid(-1e9), 0.0), (sigmoid(1e9), 1.0), (tanh(-1e9), -1.0), (tanh(1e9), 1.0)]
        {
            assert!((found - end).abs() < 1e-6, "{found} is not {end}");
        }
        assert!(sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
    }
}
