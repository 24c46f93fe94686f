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
