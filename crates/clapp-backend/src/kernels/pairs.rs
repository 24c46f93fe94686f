//! Sums over pairs of rows, without a copy of what the pairs name.

use rayon::prelude::*;

use super::instruction::InstructionSet;
use super::line::line_of;
use super::shape::LANES;
use super::simd::{Kernel, Simd};

/// Pairs: row `r` of one matrix with rows `index[r · n ..]` of another, both of `channels` columns.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'a> {
    /// Columns.
    pub channels: usize,
    /// Pairs of one row.
    pub n: usize,
    /// Rows of the other matrix.
    pub index: &'a [i32],
}

impl Pairs<'_> {
    fn check(&self, rows: usize, name: &str) {
        let outside = |&&row: &&i32| usize::try_from(row).is_ok_and(|row| row < rows);
        if let Some(row) = self.index.iter().find(|row| !outside(row)) {
            panic!("{name}: expected indices below {rows} rows, got {row}");
        }
    }

    fn row<'a>(&self, values: &'a [f32], row: usize) -> &'a [f32] {
        &values[row * self.channels..][..self.channels]
    }
}

/// `u[r, n] = p[r] · z[index[r, n]]`.
///
/// # Panics
/// If an index is out of range.
pub fn pair_scores(
    instructions: InstructionSet,
    pairs: Pairs<'_>,
    p: &[f32],
    z: &[f32],
    scores: &mut [f32],
) {
    pairs.check(z.len() / pairs.channels.max(1), "pair scores");
    instructions.visit(Scores { pairs, p, z, scores });
}

/// `g[r] = Σ_n γ[r, n] z[index[r, n]]`.
///
/// # Panics
/// If an index is out of range.
pub fn pair_gather(
    instructions: InstructionSet,
    pairs: Pairs<'_>,
    gamma: &[f32],
    z: &[f32],
    sums: &mut [f32],
) {
    pairs.check(z.len() / pairs.channels.max(1), "pair gather");
    // No terms past the last row, which is asked for while the one before is summed.
    let terms = |row: usize| {
        let end = pairs.index.len();
        let range = (row * pairs.n).min(end)..((row + 1) * pairs.n).min(end);
        range.map(|pair| (gamma[pair], pair, pairs.index[pair] as usize))
    };
    let from = |(gamma, _, target)| (gamma, pairs.row(z, target));
    instructions.visit(Sums { channels: pairs.channels, sums, terms: |row| terms(row).map(from) });
}

/// `m[j] = Σ_{r,n: index[r,n] = j} γ[r, n] p[r]`.
///
/// # Panics
/// If an index is out of range.
pub fn pair_scatter(
    instructions: InstructionSet,
    pairs: Pairs<'_>,
    gamma: &[f32],
    p: &[f32],
    sums: &mut [f32],
) {
    let rows = sums.len() / pairs.channels.max(1);
    pairs.check(rows, "pair scatter");
    let arrivals = Arrivals::new(pairs.index, rows);
    // Pairs in their own order: the sum does not depend on threads.
    let terms = |row: usize| {
        let from = |&pair: &u32| (gamma[pair as usize], pairs.row(p, pair as usize / pairs.n));
        arrivals.of(row).iter().map(from)
    };
    instructions.visit(Sums { channels: pairs.channels, sums, terms });
}

/// Pairs by the row they arrive at.
struct Arrivals {
    first: Vec<u32>,
    pairs: Vec<u32>,
}

impl Arrivals {
    /// Counting sort of pairs by target row; stable.
    fn new(index: &[i32], rows: usize) -> Self {
        let mut first = vec![0_u32; rows + 1];
        for &row in index {
            first[row as usize + 1] += 1;
        }
        for row in 0..rows {
            first[row + 1] += first[row];
        }
        let mut next = first.clone();
        let mut pairs = vec![0_u32; index.len()];
        for (pair, &row) in index.iter().enumerate() {
            let place = &mut next[row as usize];
            pairs[*place as usize] = pair as u32;
            *place += 1;
        }
        Self { first, pairs }
    }

    /// Pairs that arrive at `row`; none past the last row.
    fn of(&self, row: usize) -> &[u32] {
        match self.first.get(row..row + 2) {
            Some(&[first, end]) => &self.pairs[first as usize..end as usize],
            _ => &[],
        }
    }
}

/// Rows of one task.
const ROWS: usize = 16;

struct Scores<'a> {
    pairs: Pairs<'a>,
    p: &'a [f32],
    z: &'a [f32],
    scores: &'a mut [f32],
}

impl Kernel for Scores<'_> {
    type Output = ();

    fn run<S: Simd>(self, simd: S) {
        let Self { pairs, p, z, scores } = self;
        scores.par_chunks_mut((ROWS * pairs.n).max(1)).enumerate().for_each(|(task, scores)| {
            simd.vectorize(SomeScores { pairs, p, z, scores, first: task * ROWS });
        });
    }
}

/// Pairs that are fetched before it is their turn: saccades land all over the grid.
const AHEAD: usize = 8;

/// Asks for the beginning of a row; what follows comes by itself.
#[inline(always)]
fn fetch<S: Simd>(simd: S, row: &[f32]) {
    const LINES: usize = 4;
    row.as_chunks::<LANES>().0.iter().take(LINES).for_each(|line| simd.prefetch(line));
}

/// Scores of some rows, those from `first` on.
struct SomeScores<'a> {
    pairs: Pairs<'a>,
    p: &'a [f32],
    z: &'a [f32],
    scores: &'a mut [f32],
    first: usize,
}

impl Kernel for SomeScores<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { pairs, p, z, scores, first } = self;
        for (row, scores) in scores.chunks_mut(pairs.n).enumerate() {
            let row = first + row;
            let p = pairs.row(p, row);
            let targets = &pairs.index[row * pairs.n..];
            for (pair, score) in scores.iter_mut().enumerate() {
                if let Some(&later) = targets.get(pair + AHEAD) {
                    fetch(simd, pairs.row(z, later as usize));
                }
                *score = dot(simd, p, pairs.row(z, targets[pair] as usize));
            }
        }
    }
}

/// `a · b`, in an order that depends on the length alone.
#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    /// Independent sums, which hide the latency of a multiply-add.
    const SUMS: usize = 4;
    let (a, a_tail) = a.as_chunks::<{ SUMS * LANES }>();
    let (b, b_tail) = b.as_chunks::<{ SUMS * LANES }>();
    let mut sums = [simd.zero(); SUMS];
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a.as_chunks::<LANES>().0, b.as_chunks::<LANES>().0);
        for i in 0..SUMS {
            sums[i] = simd.fma(simd.load(&a[i]), simd.load(&b[i]), sums[i]);
        }
    }
    for (line, sum) in sums.iter_mut().enumerate().take(a_tail.len().div_ceil(LANES)) {
        let (a, b) = (line_of(a_tail, line), line_of(b_tail, line));
        *sum = simd.fma(simd.load(&a), simd.load(&b), *sum);
    }
    let total = simd.add(simd.add(sums[0], sums[1]), simd.add(sums[2], sums[3]));
    let mut lanes = [0.0; LANES];
    simd.store(&mut lanes, total);
    // Halves upon halves: four additions deep where a chain would be sixteen.
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] += lanes[half + lane];
        }
    }
    lanes[0]
}

/// Every row of `sums` becomes the sum of its weighted terms.
struct Sums<'a, F> {
    channels: usize,
    sums: &'a mut [f32],
    terms: F,
}

impl<'a, F, I> Kernel for Sums<'a, F>
where
    F: Fn(usize) -> I + Sync,
    I: Iterator<Item = (f32, &'a [f32])>,
{
    type Output = ();

    fn run<S: Simd>(self, simd: S) {
        let Self { channels, sums, terms } = self;
        let terms = &terms;
        sums.par_chunks_mut((ROWS * channels).max(1)).enumerate().for_each(|(task, sums)| {
            simd.vectorize(SomeSums { channels, sums, terms, first: task * ROWS });
        });
    }
}

/// Sums of some rows, those from `first` on.
struct SomeSums<'a, 'b, F> {
    channels: usize,
    sums: &'a mut [f32],
    terms: &'b F,
    first: usize,
}

impl<'a, F, I> Kernel for SomeSums<'_, '_, F>
where
    F: Fn(usize) -> I + Sync,
    I: Iterator<Item = (f32, &'a [f32])>,
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for (row, sum) in self.sums.chunks_mut(self.channels).enumerate() {
            sum.fill(0.0);
            (self.terms)(self.first + row + 1).for_each(|(_, values)| fetch(simd, values));
            for (factor, values) in (self.terms)(self.first + row) {
                // A closed gate adds nothing. A number that is not finite still shows in its
                // pair's score.
                if factor.abs() > 0.0 || factor.is_nan() {
                    add_scaled(simd, sum, factor, values);
                }
            }
        }
    }
}

/// `sum += factor · values`.
#[inline(always)]
fn add_scaled<S: Simd>(simd: S, sum: &mut [f32], factor: f32, values: &[f32]) {
    let (sum, sum_tail) = sum.as_chunks_mut::<LANES>();
    let (values, values_tail) = values.as_chunks::<LANES>();
    for (sum, values) in sum.iter_mut().zip(values) {
        let total = simd.scale_add(factor, simd.load(values), simd.load(sum));
        simd.store(sum, total);
    }
    for (sum, value) in sum_tail.iter_mut().zip(values_tail) {
        *sum += factor * value;
    }
}
