//! Optimizer steps in one pass over memory.

use rayon::prelude::*;

use super::instruction::InstructionSet;
use super::shape::LANES;
use super::simd::{Kernel, Simd};
use crate::AdamCoefficients;

/// Elements of one task.
const CHUNK: usize = 1 << 15;

/// One step of Adam along the update `dw` (the negative gradient).
///
/// ```text
/// g = λ·w − Δw
/// m ← m + (1 − β₁)(g − m)        v ← β₂·v + (1 − β₂)·g²
/// w ← w − η/c₁ · m / (√v/√c₂ + ε)        c = bias corrections
/// ```
/// The moments are those of the gradient, as in `torch.optim.Adam` (`exp_avg`, `exp_avg_sq`).
///
/// # Shapes
/// - `w`, `m`, `v`, `dw`: any, equal
///
/// # Panics
/// If the lengths differ.
///
/// # Paper
/// Kingma and Ba 2015, Algorithm 1, with ε and the corrections where PyTorch puts them.
pub fn adam(
    instructions: InstructionSet,
    [w, m, v]: [&mut [f32]; 3],
    dw: &[f32],
    coefficients: AdamCoefficients,
) {
    for other in [m.len(), v.len(), dw.len()] {
        assert_eq!(other, w.len(), "adam: expected equal lengths");
    }
    let call = AdamCall { w, m, v, dw, coefficients };
    instructions.visit(call);
}

struct AdamCall<'a> {
    w: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    dw: &'a [f32],
    coefficients: AdamCoefficients,
}

impl Kernel for AdamCall<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let coefficients = self.coefficients;
        self.w
            .par_chunks_mut(CHUNK)
            .zip(self.m.par_chunks_mut(CHUNK))
            .zip(self.v.par_chunks_mut(CHUNK))
            .zip(self.dw.par_chunks(CHUNK))
            .for_each(|(((w, m), v), dw)| {
                simd.vectorize(AdamChunk(AdamCall { w, m, v, dw, coefficients }));
            });
    }
}

struct AdamChunk<'a>(AdamCall<'a>);

impl Kernel for AdamChunk<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let AdamCall { w, m, v, dw, coefficients } = self.0;
        let (w, w_tail) = w.as_chunks_mut::<LANES>();
        let (m, m_tail) = m.as_chunks_mut::<LANES>();
        let (v, v_tail) = v.as_chunks_mut::<LANES>();
        let (dw, dw_tail) = dw.as_chunks::<LANES>();
        for (((w, m), v), dw) in w.iter_mut().zip(m).zip(v).zip(dw) {
            adam_lanes(simd, [w, m, v], dw, coefficients);
        }
        let mut tail = [[0.0; LANES]; 4];
        let count = dw_tail.len();
        for (lanes, from) in tail.iter_mut().zip([&*w_tail, &*m_tail, &*v_tail, dw_tail]) {
            lanes[..count].copy_from_slice(from);
        }
        let [tail_w, tail_m, tail_v, tail_dw] = &mut tail;
        adam_lanes(simd, [tail_w, tail_m, tail_v], tail_dw, coefficients);
        for (to, lanes) in [w_tail, m_tail, v_tail].into_iter().zip(&tail) {
            to.copy_from_slice(&lanes[..count]);
        }
    }
}

/// Sixteen weights of one Adam step.
#[inline(always)]
fn adam_lanes<S: Simd>(
    simd: S,
    [w, m, v]: [&mut [f32; LANES]; 3],
    dw: &[f32; LANES],
    coefficients: AdamCoefficients,
) {
    let AdamCoefficients { rate, beta_1, beta_2, epsilon, decay, correction_1, correction_2 } =
        coefficients;
    // 1 − β in double precision: in single 1 − 0.999 is wrong by 1e-5.
    let (one_minus_beta_1, one_minus_beta_2) = ((1.0 - beta_1) as f32, (1.0 - beta_2) as f32);
    let [rate, beta_2, epsilon, decay, correction_1, correction_2] =
        [rate, beta_2, epsilon, decay, correction_1, correction_2].map(|value| value as f32);
    let weight = simd.load(w);
    let gradient = simd.sub(simd.scale(decay, weight), simd.load(dw));
    let mean = simd.load(m);
    let mean = simd.scale_add(one_minus_beta_1, simd.sub(gradient, mean), mean);
    let square = simd.scale(one_minus_beta_2, simd.mul(gradient, gradient));
    let variance = simd.scale_add(beta_2, simd.load(v), square);
    let root = simd.scale_add(1.0 / correction_2.sqrt(), simd.sqrt(variance), simd.splat(epsilon));
    let step = simd.scale(rate / correction_1, simd.div(mean, root));
    simd.store(w, simd.sub(weight, step));
    simd.store(m, mean);
    simd.store(v, variance);
}

/// One plain step along the update: `w ← w + η·Δw`.
///
/// # Panics
/// If the lengths differ.
pub fn sgd(w: &mut [f32], dw: &[f32], lr: f32) {
    assert_eq!(dw.len(), w.len(), "sgd: expected equal lengths");
    w.par_chunks_mut(CHUNK).zip(dw.par_chunks(CHUNK)).for_each(|(w, dw)| {
        w.iter_mut().zip(dw).for_each(|(w, dw)| *w += lr * dw);
    });
}

/// A step of [`unit_norm`].
#[derive(Clone, Copy, Debug)]
pub struct UnitNorm<'a> {
    /// Δw, `[rows, columns]`.
    pub dw: &'a [f32],
    /// d of every row; nothing decays without it.
    pub decay: Option<&'a [f32]>,
    /// Columns of a row.
    pub columns: usize,
    /// η.
    pub rate: f64,
    /// p.
    pub power: f64,
}

/// A step for each row that falls as the row's length comes near 1, two passes over memory.
///
/// ```text
/// Δ_o = Δw_o − d_o w_o        w_o ← w_o + η (|‖w_o‖ − 1| + 1e-10)ᵖ Δ_o / (max|Δ| + 1e-30)
/// ```
/// The maximum is that of all rows.
///
/// # Panics
/// If the lengths differ.
pub fn unit_norm(instructions: InstructionSet, w: &mut [f32], step: UnitNorm<'_>) {
    let rows = w.len().checked_div(step.columns).unwrap_or_default();
    assert!(
        w.len() == rows * step.columns
            && step.dw.len() == w.len()
            && step.decay.is_none_or(|decay| decay.len() == rows),
        "unit norm: expected an update of {} weights in rows of {}, got {}",
        w.len(),
        step.columns,
        step.dw.len()
    );
    if rows > 0 {
        instructions.visit(UnitNormCall { w, step });
    }
}

struct UnitNormCall<'a> {
    w: &'a mut [f32],
    step: UnitNorm<'a>,
}

impl Kernel for UnitNormCall<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let UnitNormCall { w, step: UnitNorm { dw, decay, columns, rate, power } } = self;
        let of = |row: usize| decay.map_or(0.0, |decay| decay[row]);
        let rows = w.par_chunks(columns).zip(dw.par_chunks(columns)).enumerate();
        let seen: Vec<_> =
            rows.map(|(row, (w, dw))| simd.vectorize(LookAt { w, dw, decay: of(row) })).collect();
        let largest = seen.iter().map(|(largest, _)| *largest).fold(0.0, f32::max);
        let rows = w.par_chunks_mut(columns).zip(dw.par_chunks(columns)).zip(&seen).enumerate();
        rows.for_each(|(row, ((w, dw), (_, square)))| {
            let away = ((square.sqrt() - 1.0).abs() + 1e-10).powf(power);
            let rate = (rate * away / (f64::from(largest) + 1e-30)) as f32;
            let decay = of(row);
            simd.vectorize(MoveRow { w, dw, decay, rate });
        });
    }
}

/// Largest change of a row, and its squared length.
struct LookAt<'a> {
    w: &'a [f32],
    dw: &'a [f32],
    decay: f32,
}

impl Kernel for LookAt<'_> {
    type Output = (f32, f64);

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> (f32, f64) {
        /// Lines that are squared and summed in single precision.
        const PART: usize = 16;
        let ((w, w_tail), (dw, dw_tail)) =
            (self.w.as_chunks::<LANES>(), self.dw.as_chunks::<LANES>());
        let (mut largest, mut square) = ([0.0; LANES], 0.0);
        for (w, dw) in w.chunks(PART).zip(dw.chunks(PART)) {
            let mut sums = [0.0; LANES];
            for (w, dw) in w.iter().zip(dw) {
                for lane in 0..LANES {
                    let change: f32 = (dw[lane] - self.decay * w[lane]).abs();
                    largest[lane] = if change > largest[lane] { change } else { largest[lane] };
                    sums[lane] += w[lane] * w[lane];
                }
            }
            square += sums.iter().map(|&sum| f64::from(sum)).sum::<f64>();
        }
        let mut largest = largest.iter().copied().fold(0.0, f32::max);
        for (w, dw) in w_tail.iter().zip(dw_tail) {
            largest = largest.max((dw - self.decay * w).abs());
            square += f64::from(w * w);
        }
        (largest, square)
    }
}

/// One row's step.
struct MoveRow<'a> {
    w: &'a mut [f32],
    dw: &'a [f32],
    decay: f32,
    rate: f32,
}

impl Kernel for MoveRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (w, dw) in self.w.iter_mut().zip(self.dw) {
            *w += self.rate * (dw - self.decay * *w);
        }
    }
}
