//! Rectification, pooling and the codes of the winners.

use super::shape::LANES;
use super::simd::Simd;
use crate::Response;

/// Code of an activity of zero: nothing to learn there.
pub(super) const SILENT: f32 = 4.0;

/// Rectified activity and its code.
pub(super) type Coded<V> = (V, V);

/// `max(a, 0)` and its code, 0 or [`SILENT`]; not-a-number stays.
#[inline(always)]
pub(super) fn rectify<S: Simd>(simd: S, (a, code): Coded<S::Vector>) -> Coded<S::Vector> {
    let silent = simd.not_positive(a);
    (simd.select(silent, simd.zero(), a), simd.select(silent, simd.splat(SILENT), code))
}

/// What a neuron makes of its input, and the code of a pixel without a pool.
#[inline(always)]
pub(super) fn respond<S: Simd>(simd: S, response: Response, a: S::Vector) -> Coded<S::Vector> {
    match response {
        Response::Rectified => rectify(simd, (a, simd.zero())),
        Response::Linear => (a, simd.zero()),
    }
}

/// Rectified maximum of a 2×2 block and the code of the pixel that won: the first of equals.
#[inline(always)]
pub(super) fn pool<S: Simd>(simd: S, block: [S::Vector; 4]) -> Coded<S::Vector> {
    let (mut best, mut code) = (block[0], simd.zero());
    for (pixel, &a) in block.iter().enumerate().skip(1) {
        let wins = simd.greater_or_nan(a, best);
        best = simd.select(wins, a, best);
        code = simd.select(wins, simd.splat(pixel as f32), code);
    }
    rectify(simd, (best, code))
}

/// Adds `value` to the first lanes of `sums`.
#[inline(always)]
pub(super) fn accumulate<S: Simd>(simd: S, sums: &mut [f32], value: S::Vector) {
    if let Some(sums) = sums.first_chunk_mut::<LANES>() {
        let total = simd.add(simd.load(sums), value);
        simd.store(sums, total);
    } else {
        let mut lanes = [0.0; LANES];
        simd.store(&mut lanes, value);
        sums.iter_mut().zip(lanes).for_each(|(sum, lane)| *sum += lane);
    }
}
