//! The two products in which nearly all time is spent, each with its sums held in registers.

use super::line::Line;
use super::simd::{Kernel, Registers, Simd};

/// Rows of a forward tile.
pub(super) const TILE_ROWS: usize = 14;
/// Lines of a forward tile of 14 rows × 32 columns.
pub(super) const TILE_LINES: usize = 2 * TILE_ROWS;
/// Depths in a chunk: the lanes of one line.
const CHUNK: usize = 16;

/// One tile of a matrix product.
///
/// ```text
/// out[r, o] = (out[r, o] or 0) + Σ_k a[r, k] · b[k, o]        r < 14, o < 32, k < depth
/// ```
pub(super) struct TileProduct<'a> {
    /// `[depth/16][14 rows]` lines of 16 depths.
    pub a: &'a [Line],
    /// `[depth]` pairs of lines.
    pub b: &'a [Line],
    /// `[14]` pairs of lines.
    pub out: &'a mut [Line],
    /// Whether `out` holds sums already.
    pub onto: Onto,
    /// Lines the next tile will read: fetched meanwhile.
    pub next_a: &'a [Line],
    /// The same for `b`.
    pub next_b: &'a [Line],
}

impl Kernel for TileProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        // Where columns are summed one after another, a group of depths stays in the first-level cache.
        let depths = match S::REGISTERS {
            Registers::ThirtyTwoWide => usize::MAX,
            Registers::SixteenMiddle | Registers::SixteenNarrow => GROUP_CHUNKS * CHUNK,
        };
        while !self.b.is_empty() {
            let count = self.b.len().min(2 * depths.min(self.b.len()));
            let (b, later) = self.b.split_at(count);
            let (a, later_a) = self.a.split_at(count.div_ceil(2 * CHUNK) * TILE_ROWS);
            self.group(simd, a, b);
            (self.a, self.b, self.onto) = (later_a, later, Onto::Sums);
            self.next_a = self.next_a.get(count / 2..).unwrap_or(&[]);
            self.next_b = self.next_b.get(count / 2..).unwrap_or(&[]);
        }
    }
}

/// Chunks of depths in a group: of `a` and `b` 24 KiB.
const GROUP_CHUNKS: usize = 8;

impl TileProduct<'_> {
    /// Adds the products of some depths.
    #[inline(always)]
    fn group<S: Simd>(&mut self, simd: S, a: &[Line], b: &[Line]) {
        match S::REGISTERS {
            Registers::ThirtyTwoWide => self.part::<S, TILE_ROWS, 2>(simd, a, b, [0, 0]),
            Registers::SixteenMiddle => {
                for column in 0..2 {
                    self.part::<S, 5, 1>(simd, a, b, [0, column]);
                    self.part::<S, 5, 1>(simd, a, b, [5, column]);
                    self.part::<S, 4, 1>(simd, a, b, [10, column]);
                }
            }
            Registers::SixteenNarrow => {
                for part in 0..TILE_ROWS {
                    self.part::<S, 2, 1>(simd, a, b, [part / 2 * 2, part % 2]);
                }
            }
        }
    }

    /// Rows `row ..` and columns `16·column ..` of the tile.
    #[inline(always)]
    fn part<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        simd: S,
        a: &[Line],
        b: &[Line],
        [row, column]: [usize; 2],
    ) {
        let mut sums = [[simd.zero(); COLUMNS]; ROWS];
        if self.onto == Onto::Sums {
            for (r, sums) in sums.iter_mut().enumerate() {
                for (c, sum) in sums.iter_mut().enumerate() {
                    *sum = simd.load(&self.out[2 * (row + r) + column + c].0);
                }
            }
        }
        let (a, _) = a.as_chunks::<TILE_ROWS>();
        let (b, b_tail) = b.as_chunks::<{ 2 * CHUNK }>();
        let (mut next_a, mut next_b) = (self.next_a.iter(), self.next_b.iter());
        for (a, b) in a.iter().zip(b) {
            for k in 0..CHUNK {
                if row == 0 && column == 0 {
                    fetch(simd, &mut next_a);
                    fetch(simd, &mut next_b);
                }
                step(simd, a, k, row, [&b[2 * k + column], &b[2 * k + COLUMNS - 1]], &mut sums);
            }
        }
        if let Some(a) = a.get(b.len()) {
            for (k, b) in b_tail.as_chunks::<2>().0.iter().enumerate() {
                step(simd, a, k, row, [&b[column], &b[COLUMNS - 1]], &mut sums);
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (c, &sum) in sums.iter().enumerate() {
                simd.store(&mut self.out[2 * (row + r) + column + c].0, sum);
            }
        }
    }
}

/// Asks for the next line of `lines`, if there is one.
#[inline(always)]
fn fetch<'a, S: Simd>(simd: S, lines: &mut impl Iterator<Item = &'a Line>) {
    if let Some(line) = lines.next() {
        simd.prefetch(&line.0);
    }
}

/// Adds depth `k` to the sums.
#[inline(always)]
fn step<S: Simd, const ROWS: usize, const COLUMNS: usize>(
    simd: S,
    a: &[Line; TILE_ROWS],
    k: usize,
    row: usize,
    b: [&Line; 2],
    sums: &mut [[S::Vector; COLUMNS]; ROWS],
) {
    let mut b_lines = [simd.zero(); COLUMNS];
    for (vector, line) in b_lines.iter_mut().zip(b) {
        *vector = simd.load(&line.0);
    }
    for r in 0..ROWS {
        let value = simd.splat(a[row + r].0[k]);
        for c in 0..COLUMNS {
            sums[r][c] = simd.fma(value, b_lines[c], sums[r][c]);
        }
    }
}

/// What the sums of an [`OuterProduct`] are added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Onto {
    /// Zero: the sums are new.
    Zero,
    /// The sums that are there.
    Sums,
}

impl Onto {
    /// What the part of a sum that comes after so many others is added to.
    pub fn after(others: usize) -> Self {
        if others == 0 { Self::Zero } else { Self::Sums }
    }
}

/// One block of a sum of outer products.
///
/// ```text
/// c[k, o] = (c[k, o] or 0) + Σ_r a[r, k] · b[r, o]        k < 16, o < 32
/// ```
pub(super) struct OuterProduct<'a> {
    /// `[rows]` lines.
    pub a: &'a [Line],
    /// `[rows]` pairs of lines.
    pub b: &'a [Line],
    /// `[16]` pairs of lines.
    pub c: &'a mut [Line],
    /// Whether `c` holds sums already.
    pub onto: Onto,
    /// Lines the next block will read: fetched meanwhile.
    pub next_a: &'a [Line],
    /// The same for `b`.
    pub next_b: &'a [Line],
}

impl Kernel for OuterProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        match S::REGISTERS {
            Registers::ThirtyTwoWide => {
                self.part::<S, 8, 2>(simd, [0, 0]);
                self.part::<S, 8, 2>(simd, [8, 0]);
            }
            Registers::SixteenMiddle => {
                // Twelve sums cover the time that one product takes.
                for column in 0..2 {
                    self.part::<S, 6, 1>(simd, [0, column]);
                    self.part::<S, 5, 1>(simd, [6, column]);
                    self.part::<S, 5, 1>(simd, [11, column]);
                }
            }
            Registers::SixteenNarrow => {
                for part in 0..16 {
                    self.part::<S, 2, 1>(simd, [part / 2 * 2, part % 2]);
                }
            }
        }
    }
}

impl OuterProduct<'_> {
    /// Lanes `first ..` of `a` and columns `16·column ..` of `b`.
    #[inline(always)]
    fn part<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        simd: S,
        [first, column]: [usize; 2],
    ) {
        let mut sums = [[simd.zero(); COLUMNS]; ROWS];
        let (mut next_a, mut next_b) = (self.next_a.iter(), self.next_b.iter());
        if first == 0 && column == 0 && self.onto == Onto::Sums {
            self.c.iter().for_each(|line| simd.prefetch(&line.0));
        }
        for (a, b) in self.a.iter().zip(self.b.as_chunks::<2>().0) {
            if first == 0 && column == 0 {
                fetch(simd, &mut next_a);
                fetch(simd, &mut next_b);
            }
            let mut b_lines = [simd.zero(); COLUMNS];
            for (c, vector) in b_lines.iter_mut().enumerate() {
                *vector = simd.load(&b[column + c].0);
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let value = simd.splat(a.0[first + r]);
                for c in 0..COLUMNS {
                    sums[c] = simd.fma(value, b_lines[c], sums[c]);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (c, &sum) in sums.iter().enumerate() {
                let line = &mut self.c[2 * (first + r) + column + c].0;
                let total = match self.onto {
                    Onto::Zero => sum,
                    Onto::Sums => simd.add(simd.load(line), sum),
                };
                simd.store(line, total);
            }
        }
    }
}
