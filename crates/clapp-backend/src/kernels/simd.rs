//! Sixteen lanes of f32: one trait, so that every algorithm is written once.
#![allow(unsafe_code)] // streamed lines

use super::line::Line;
use super::shape::LANES;

/// A piece of work that is compiled once for each instruction set.
///
/// `run` must be `#[inline(always)]`, and so must everything it calls with its `simd`: only then
/// does the code take on the instructions of the function [`Simd::vectorize`] puts around it.
pub(super) trait Kernel {
    /// What the work returns.
    type Output;
    /// Does the work.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// How a tile of 14 × 32 sums is cut so that one part fits the registers. A new instruction set
/// takes the one that fits best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Registers {
    /// 32 of 16 lanes: the whole tile at once.
    ThirtyTwoWide,
    /// 16 of 8 lanes: 5 × 16 at a time.
    SixteenMiddle,
    /// 16 of 4 lanes: 2 × 16 at a time.
    SixteenNarrow,
}

/// Proof that the processor has certain instructions, and the operations they give.
///
/// More than three methods, on purpose: it is the alphabet of all kernels.
pub(super) trait Simd: Copy + Send + Sync + 'static {
    /// Sixteen f32.
    type Vector: Copy;
    /// Sixteen truth values.
    type Mask: Copy;
    /// The register file.
    const REGISTERS: Registers;

    /// Runs `kernel` inside a function that is compiled with these instructions.
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output;
    /// All lanes equal to `value`.
    fn splat(self, value: f32) -> Self::Vector;
    /// Reads 16 lanes from any address.
    fn load(self, from: &[f32; LANES]) -> Self::Vector;
    /// Writes 16 lanes to any address.
    fn store(self, to: &mut [f32; LANES], value: Self::Vector);
    /// `a + b`.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a − b`.
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a · b`.
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a / b`.
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a · b + c`, rounded once where the processor can.
    fn fma(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// `√a`.
    fn sqrt(self, a: Self::Vector) -> Self::Vector;
    /// `a > b`, or `a` is not a number.
    fn greater_or_nan(self, a: Self::Vector, b: Self::Vector) -> Self::Mask;
    /// `a ≤ 0`: false if `a` is not a number.
    fn not_positive(self, a: Self::Vector) -> Self::Mask;
    /// Lanes whose code is `code`.
    fn codes_equal(self, codes: &[u8; LANES], code: u8) -> Self::Mask;
    /// `yes` where `mask`, else `no`.
    fn select(self, mask: Self::Mask, yes: Self::Vector, no: Self::Vector) -> Self::Vector;
    /// Writes small whole numbers as bytes.
    fn store_codes(self, to: &mut [u8; LANES], codes: Self::Vector);

    /// All lanes zero.
    #[inline(always)]
    fn zero(self) -> Self::Vector {
        self.splat(0.0)
    }
    /// `factor · a`.
    #[inline(always)]
    fn scale(self, factor: f32, a: Self::Vector) -> Self::Vector {
        self.mul(self.splat(factor), a)
    }
    /// `factor · a + b`.
    #[inline(always)]
    fn scale_add(self, factor: f32, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        self.fma(self.splat(factor), a, b)
    }
    /// Asks for a line that will be read soon.
    #[inline(always)]
    fn prefetch(self, _line: &[f32; LANES]) {}
    /// Writes a line past the caches, where the processor can. [`Streamed`] is the safe way.
    ///
    /// # Safety
    /// This thread calls [`Simd::fence`] before another one gets at the line.
    #[inline(always)]
    unsafe fn stream(self, to: &mut Line, value: Self::Vector) {
        self.store(&mut to.0, value);
    }
    /// Makes streamed lines visible to other threads.
    #[inline(always)]
    fn fence(self) {}
    /// Asks for a line that will be written soon.
    #[inline(always)]
    fn prefetch_write(self, _line: &[f32; LANES]) {}
    /// Turns 16 lines of 16 into their transpose.
    #[inline(always)]
    fn transpose(self, from: [&[f32; LANES]; LANES], to: &mut [[f32; LANES]; LANES]) {
        for (column, row) in to.iter_mut().enumerate() {
            for (value, line) in row.iter_mut().zip(from) {
                *value = line[column];
            }
        }
    }
}

/// Lines that are written past the caches, because they will not be read soon. Other threads see
/// them when this is dropped, after a panic too: until then it borrows them. Never leak it.
pub(super) struct Streamed<'a, S: Simd> {
    simd: S,
    lines: &'a mut [Line],
}

impl<'a, S: Simd> Streamed<'a, S> {
    #[inline(always)]
    pub fn new(simd: S, lines: &'a mut [Line]) -> Self {
        Self { simd, lines }
    }

    /// Writes line `at`.
    #[inline(always)]
    pub fn put(&mut self, at: usize, value: S::Vector) {
        // SAFETY: nobody else gets at the lines while `self` lives, and its end is a fence.
        unsafe { self.simd.stream(&mut self.lines[at], value) }
    }

    /// Writes line `at` into the caches after all.
    #[inline(always)]
    pub fn keep(&mut self, at: usize, value: S::Vector) {
        self.simd.store(&mut self.lines[at].0, value);
    }
}

impl<S: Simd> Drop for Streamed<'_, S> {
    #[inline(always)]
    fn drop(&mut self) {
        self.simd.fence();
    }
}

/// Arrays of f32, left to the compiler.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portable;

impl Portable {
    /// Every processor has it.
    pub fn detect() -> Option<Self> {
        Some(Self)
    }
}

#[inline(always)]
fn each<A: Copy, B: Copy + Default>(a: [A; LANES], f: impl Fn(A) -> B) -> [B; LANES] {
    let mut out = [B::default(); LANES];
    for (o, a) in out.iter_mut().zip(a) {
        *o = f(a);
    }
    out
}

#[inline(always)]
fn pairs<B: Copy + Default>(
    a: [f32; LANES],
    b: [f32; LANES],
    f: impl Fn(f32, f32) -> B,
) -> [B; LANES] {
    let mut out = [B::default(); LANES];
    for i in 0..LANES {
        out[i] = f(a[i], b[i]);
    }
    out
}

impl Simd for Portable {
    type Vector = [f32; LANES];
    type Mask = [bool; LANES];
    const REGISTERS: Registers = Registers::SixteenNarrow;

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::Vector {
        [value; LANES]
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::Vector {
        *from
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; LANES], value: Self::Vector) {
        *to = value;
    }
    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        pairs(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        pairs(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        pairs(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        pairs(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn fma(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        self.add(self.mul(a, b), c)
    }
    #[inline(always)]
    fn sqrt(self, a: Self::Vector) -> Self::Vector {
        each(a, f32::sqrt)
    }
    #[inline(always)]
    fn greater_or_nan(self, a: Self::Vector, b: Self::Vector) -> Self::Mask {
        pairs(a, b, |a, b| a > b || a.is_nan())
    }
    #[inline(always)]
    fn not_positive(self, a: Self::Vector) -> Self::Mask {
        each(a, |a| a <= 0.0)
    }
    #[inline(always)]
    fn codes_equal(self, codes: &[u8; LANES], code: u8) -> Self::Mask {
        each(*codes, |c| c == code)
    }
    #[inline(always)]
    fn select(self, mask: Self::Mask, yes: Self::Vector, no: Self::Vector) -> Self::Vector {
        let mut out = no;
        for i in 0..LANES {
            out[i] = if mask[i] { yes[i] } else { no[i] };
        }
        out
    }
    #[inline(always)]
    fn store_codes(self, to: &mut [u8; LANES], codes: Self::Vector) {
        *to = each(codes, |c| c as u8);
    }
}
