//! Multiply-adds from registers: the ceiling of everything else here.

use core::hint::black_box;

use super::instruction::instruction_set;
use super::shape::LANES;
use super::simd::{Kernel, Registers, Simd};

/// Vectors of 16 lanes in one round.
const VECTORS: usize = 12;

/// Multiply-adds of one round.
pub const FMA_LANES: usize = VECTORS * LANES;

/// `rounds` rounds of multiply-adds, none of which waits for memory; returns something that depends
/// on all of them.
pub fn fma_rounds(rounds: usize) -> f32 {
    instruction_set().visit(Rounds(rounds))
}

struct Rounds(usize);

impl Kernel for Rounds {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        simd.vectorize(Loop(self.0))
    }
}

struct Loop(usize);

impl Kernel for Loop {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        // Independent sums: enough to hide the latency of a multiply-add, few enough for the registers.
        match S::REGISTERS {
            Registers::ThirtyTwoWide => self.sums::<S, VECTORS>(simd),
            Registers::SixteenMiddle => self.sums::<S, { VECTORS / 2 }>(simd),
            Registers::SixteenNarrow => self.sums::<S, VECTORS>(simd),
        }
    }
}

impl Loop {
    #[inline(always)]
    fn sums<S: Simd, const SUMS: usize>(self, simd: S) -> f32 {
        // Sums that stay near 1: no overflow, no denormal numbers. Each begins elsewhere and the
        // constants are hidden, so that the compiler can leave none of them out.
        let half = black_box(0.5);
        let (factor, term) = (simd.splat(half), simd.splat(half));
        let mut sums: [S::Vector; SUMS] =
            core::array::from_fn(|i| simd.splat(black_box(1.0 + i as f32)));
        for _ in 0..self.0 * (VECTORS / SUMS) {
            for sum in &mut sums {
                *sum = simd.fma(*sum, factor, term);
            }
        }
        let mut lanes = [0.0; LANES];
        let mut total = simd.zero();
        for sum in sums {
            total = simd.add(total, sum);
        }
        simd.store(&mut lanes, total);
        lanes.iter().sum()
    }
}
