//! One-dimensional minimal filters for kernels of three taps.

use super::simd::Simd;

/// Computes `T` outputs of a three-tap correlation from `D` inputs with `P` products.
///
/// Applied to rows and then to columns it gives the two-dimensional transform. Five functions,
/// because the three operands each have a transform and two results are transformed back.
pub(super) trait Filter<const D: usize, const P: usize, const T: usize>: Sync {
    /// `Bᵀ d`.
    fn input<S: Simd>(simd: S, d: [S::Vector; D]) -> [S::Vector; P];
    /// `G w`.
    fn weight<S: Simd>(simd: S, w: [S::Vector; 3]) -> [S::Vector; P];
    /// `Aᵀ m`.
    fn output<S: Simd>(simd: S, m: [S::Vector; P]) -> [S::Vector; T];
    /// `A y`: the transpose of `output`.
    fn modulation<S: Simd>(simd: S, y: [S::Vector; T]) -> [S::Vector; P];
    /// `Gᵀ u`: the transpose of `weight`.
    fn update<S: Simd>(simd: S, u: [S::Vector; P]) -> [S::Vector; 3];
}

/// F(4, 3): four outputs by polynomials through 0, ±1/√2, ±√2 and ∞.
///
/// These points halve the error of the textbook's ±1, ±2 at the same cost.
pub(super) struct Four;

/// The points ±a, ±b and the constants made of them.
const A: f32 = core::f32::consts::FRAC_1_SQRT_2;
const B: f32 = core::f32::consts::SQRT_2;
const A2: f32 = 0.5; // a²
const B2: f32 = 2.0; // b²
const A3: f32 = A2 * A;
const B3: f32 = B2 * B;
const WEIGHT_ZERO: f32 = 1.0 / (A2 * B2);
const WEIGHT_A: f32 = 1.0 / (2.0 * A2 * (A2 - B2));
const WEIGHT_B: f32 = 1.0 / (2.0 * B2 * (B2 - A2));

impl Filter<6, 6, 4> for Four {
    #[inline(always)]
    fn input<S: Simd>(simd: S, d: [S::Vector; 6]) -> [S::Vector; 6] {
        let even_a = simd.scale_add(-B2, d[2], d[4]);
        let odd_a = simd.scale(A, simd.scale_add(-B2, d[1], d[3]));
        let even_b = simd.scale_add(-A2, d[2], d[4]);
        let odd_b = simd.scale(B, simd.scale_add(-A2, d[1], d[3]));
        let zero = simd.scale_add(-(A2 + B2), d[2], simd.scale_add(A2 * B2, d[0], d[4]));
        let infinity = simd.scale_add(-(A2 + B2), d[3], simd.scale_add(A2 * B2, d[1], d[5]));
        [
            zero,
            simd.add(even_a, odd_a),
            simd.sub(even_a, odd_a),
            simd.add(even_b, odd_b),
            simd.sub(even_b, odd_b),
            infinity,
        ]
    }

    #[inline(always)]
    fn weight<S: Simd>(simd: S, w: [S::Vector; 3]) -> [S::Vector; 6] {
        let even_a = simd.scale(WEIGHT_A, simd.scale_add(A2, w[2], w[0]));
        let odd_a = simd.scale(WEIGHT_A * A, w[1]);
        let even_b = simd.scale(WEIGHT_B, simd.scale_add(B2, w[2], w[0]));
        let odd_b = simd.scale(WEIGHT_B * B, w[1]);
        [
            simd.scale(WEIGHT_ZERO, w[0]),
            simd.add(even_a, odd_a),
            simd.sub(even_a, odd_a),
            simd.add(even_b, odd_b),
            simd.sub(even_b, odd_b),
            w[2],
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, m: [S::Vector; 6]) -> [S::Vector; 4] {
        let (even_a, odd_a) = (simd.add(m[1], m[2]), simd.sub(m[1], m[2]));
        let (even_b, odd_b) = (simd.add(m[3], m[4]), simd.sub(m[3], m[4]));
        [
            simd.add(m[0], simd.add(even_a, even_b)),
            simd.scale_add(A, odd_a, simd.scale(B, odd_b)),
            simd.scale_add(A2, even_a, simd.scale(B2, even_b)),
            simd.scale_add(A3, odd_a, simd.scale_add(B3, odd_b, m[5])),
        ]
    }

    #[inline(always)]
    fn modulation<S: Simd>(simd: S, y: [S::Vector; 4]) -> [S::Vector; 6] {
        let even_a = simd.scale_add(A2, y[2], y[0]);
        let odd_a = simd.scale_add(A3, y[3], simd.scale(A, y[1]));
        let even_b = simd.scale_add(B2, y[2], y[0]);
        let odd_b = simd.scale_add(B3, y[3], simd.scale(B, y[1]));
        [
            y[0],
            simd.add(even_a, odd_a),
            simd.sub(even_a, odd_a),
            simd.add(even_b, odd_b),
            simd.sub(even_b, odd_b),
            y[3],
        ]
    }

    #[inline(always)]
    fn update<S: Simd>(simd: S, u: [S::Vector; 6]) -> [S::Vector; 3] {
        let even_a = simd.scale(WEIGHT_A, simd.add(u[1], u[2]));
        let odd_a = simd.scale(WEIGHT_A * A, simd.sub(u[1], u[2]));
        let even_b = simd.scale(WEIGHT_B, simd.add(u[3], u[4]));
        let odd_b = simd.scale(WEIGHT_B * B, simd.sub(u[3], u[4]));
        [
            simd.scale_add(WEIGHT_ZERO, u[0], simd.add(even_a, even_b)),
            simd.add(odd_a, odd_b),
            simd.scale_add(A2, even_a, simd.scale_add(B2, even_b, u[5])),
        ]
    }
}

/// The whole of a row of two pixels between zeros: three products instead of four.
///
/// ```text
/// y₀ = w₁x₀ + w₂x₁ = m₀ + m₁        m₀ = w₁(x₀ + x₁), m₁ = (w₂ − w₁)x₁
/// y₁ = w₀x₀ + w₁x₁ = m₀ + m₂        m₂ = (w₀ − w₁)x₀
/// ```
pub(super) struct Two;

impl Filter<2, 3, 2> for Two {
    #[inline(always)]
    fn input<S: Simd>(simd: S, d: [S::Vector; 2]) -> [S::Vector; 3] {
        [simd.add(d[0], d[1]), d[1], d[0]]
    }

    #[inline(always)]
    fn weight<S: Simd>(simd: S, w: [S::Vector; 3]) -> [S::Vector; 3] {
        [w[1], simd.sub(w[2], w[1]), simd.sub(w[0], w[1])]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, m: [S::Vector; 3]) -> [S::Vector; 2] {
        [simd.add(m[0], m[1]), simd.add(m[0], m[2])]
    }

    #[inline(always)]
    fn modulation<S: Simd>(simd: S, y: [S::Vector; 2]) -> [S::Vector; 3] {
        [simd.add(y[0], y[1]), y[0], y[1]]
    }

    #[inline(always)]
    fn update<S: Simd>(simd: S, u: [S::Vector; 3]) -> [S::Vector; 3] {
        [u[2], simd.sub(u[0], simd.add(u[1], u[2])), u[1]]
    }
}
