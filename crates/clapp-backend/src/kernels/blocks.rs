//! Products of blocks of rows with one matrix each: what the prediction steps of a rule need.
//!
//! IndexedRows are named by an index, so that nothing is gathered before; matrices are read where they lie.

use core::ops::Range;

use rayon::prelude::*;

use super::instruction::{InstructionSet, instruction_set};
use super::line::{Line, grown, line_of, put_pair, with_scratch, with_shared};
use super::product::{HALF, Onto, OuterProduct, TILE_LINES, TILE_ROWS, TileProduct};
use super::shape::{LANES, PANEL};
use super::simd::{Kernel, Simd};

/// Which axis of a matrix `[outer, inner]` meets the channels of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contract {
    /// The inner one: `y_o = Σ_i W_oi x_i`.
    Inner,
    /// The outer one: `y_i = Σ_o W_oi x_o`.
    Outer,
}

/// IndexedRows of a `[·, channels]` matrix, in the order of an index.
#[derive(Clone, Copy, Debug)]
pub struct IndexedRows<'a> {
    /// The matrix.
    pub values: &'a [f32],
    /// Its columns.
    pub channels: usize,
    /// Which of its rows, in order.
    pub index: &'a [i32],
}

impl IndexedRows<'_> {
    /// Lines of one row.
    fn lines(&self) -> usize {
        self.channels.div_ceil(LANES)
    }

    /// Line `line` of the row that stands at `at` in the index; zeros past its end.
    #[inline(always)]
    fn line(&self, at: usize, line: usize) -> [f32; LANES] {
        let first = self.index[at] as usize * self.channels;
        line_of(&self.values[first..][..self.channels], line)
    }

    fn check(&self, name: &str) {
        let count = self.values.len() / self.channels.max(1);
        let fits = |&row: &i32| usize::try_from(row).is_ok_and(|row| row < count);
        if let Some(row) = self.index.iter().find(|row| !fits(row)) {
            panic!("{name}: expected indices below {count} rows, got {row}");
        }
    }
}

/// `y[r] = W_k x[r]` for every row r of block k.
///
/// ```text
/// Contract::Inner   y[r, o] = Σ_i W[k, o, i] x[index r, i]
/// Contract::Outer   y[r, i] = Σ_o W[k, o, i] x[index r, o]
/// ```
/// Every result is one sum in a fixed order, whatever the number of threads.
///
/// # Shapes
/// - `weight`: `[blocks, outer, inner]`; `blocks`: rows of each block; `y`: `[rows, outer or inner]`
///
/// # Panics
/// If a length does not fit or an index is out of range.
pub fn block_product(
    rows: IndexedRows<'_>,
    weight: &[f32],
    blocks: &[usize],
    contract: Contract,
    y: &mut [f32],
) {
    block_product_with(instruction_set(), rows, weight, blocks, contract, y);
}

/// [`block_product`] with these instructions.
pub(super) fn block_product_with(
    instructions: InstructionSet,
    rows: IndexedRows<'_>,
    weight: &[f32],
    blocks: &[usize],
    contract: Contract,
    y: &mut [f32],
) {
    rows.check("block product");
    let count: usize = blocks.iter().sum();
    assert_eq!(rows.index.len(), count, "block product: expected {count} rows in {blocks:?}");
    if count == 0 || y.is_empty() {
        return;
    }
    let outputs = y.len() / count;
    let expected = blocks.len() * outputs * rows.channels;
    assert_eq!(y.len(), count * outputs, "block product: expected whole rows of results");
    assert_eq!(weight.len(), expected, "block product: expected {expected} weights");
    instructions.visit(Product { rows, weight, blocks, contract, outputs, y });
}

/// `W_k = Σ_r a[r] b[r]ᵀ` over the rows r of block k.
///
/// ```text
/// W[k, o, i] = Σ_{r in block k} a[index_a r, o] b[index_b r, i]
/// ```
/// Every result is one sum in a fixed order, whatever the number of threads.
///
/// # Shapes
/// - `blocks`: rows of each block; `weight`: `[blocks, a.channels, b.channels]`
///
/// # Panics
/// If a length does not fit or an index is out of range.
pub fn block_outer(a: IndexedRows<'_>, b: IndexedRows<'_>, blocks: &[usize], weight: &mut [f32]) {
    block_outer_with(instruction_set(), a, b, blocks, weight);
}

/// [`block_outer`] with these instructions.
pub(super) fn block_outer_with(
    instructions: InstructionSet,
    a: IndexedRows<'_>,
    b: IndexedRows<'_>,
    blocks: &[usize],
    weight: &mut [f32],
) {
    a.check("block outer product");
    b.check("block outer product");
    let count: usize = blocks.iter().sum();
    for rows in [a.index.len(), b.index.len()] {
        assert_eq!(rows, count, "block outer product: expected {count} rows in {blocks:?}");
    }
    let expected = blocks.len() * a.channels * b.channels;
    assert_eq!(weight.len(), expected, "block outer product: expected {expected} weights");
    if expected > 0 {
        instructions.visit(Outer { a, b, blocks, weight });
    }
}

/// First row of every block.
fn starts(blocks: &[usize]) -> impl Iterator<Item = Range<usize>> + '_ {
    blocks.iter().scan(0, |next, &rows| {
        let first = *next;
        *next += rows;
        Some(first..*next)
    })
}

struct Product<'a> {
    rows: IndexedRows<'a>,
    weight: &'a [f32],
    blocks: &'a [usize],
    contract: Contract,
    outputs: usize,
    y: &'a mut [f32],
}

impl Kernel for Product<'_> {
    type Output = ();

    fn run<S: Simd>(self, simd: S) {
        let Self { rows, weight, blocks, contract, outputs, y } = self;
        let depth = rows.channels;
        let tile_len = rows.lines() * TILE_ROWS;
        let tiles = |block: &Range<usize>| block.len().div_ceil(TILE_ROWS);
        let all_tiles: usize = starts(blocks).map(|block| tiles(&block)).sum();
        let panels = outputs.div_ceil(PANEL);
        let [packed_len, raised_len] = [all_tiles * tile_len, all_tiles * TILE_LINES * panels];
        with_shared(packed_len + raised_len, |shared| {
            let (packed, mut raised) = shared.split_at_mut(packed_len);
            // The rows of every tile side by side, read by all panels.
            let tile_rows: Vec<Range<usize>> = starts(blocks)
                .flat_map(|block| {
                    let end = block.end;
                    block.step_by(TILE_ROWS).map(move |row| row..(row + TILE_ROWS).min(end))
                })
                .collect();
            packed.par_chunks_mut(tile_len).zip(&tile_rows).for_each(|(tile, range)| {
                simd.vectorize(PackTile { rows, range: range.clone(), tile });
            });
            let packed = &*packed;
            let mut tasks = Vec::with_capacity(blocks.len() * panels);
            let mut first = 0;
            for (k, block) in starts(blocks).enumerate() {
                let count = tiles(&block);
                let packed = &packed[first * tile_len..][..count * tile_len];
                let weight = &weight[k * depth * outputs..][..depth * outputs];
                let (part, rest) = raised.split_at_mut(count * TILE_LINES * panels);
                raised = rest;
                first += count;
                let parts = part.chunks_mut((count * TILE_LINES).max(1));
                tasks.extend(parts.enumerate().map(|(panel, out)| PanelTask {
                    weights: PanelWeights { weight, contract, outputs, depth, panel },
                    packed,
                    out,
                }));
            }
            tasks.into_par_iter().with_max_len(1).for_each(|task| task.run(simd));
            let raised = &shared[packed_len..];
            place_rows(blocks, raised, outputs, y);
        });
    }
}

/// Copies results `[block][panel][tile][14 rows]` pairs of lines to rows.
fn place_rows(blocks: &[usize], raised: &[Line], outputs: usize, y: &mut [f32]) {
    let panels = outputs.div_ceil(PANEL);
    let (mut rest, mut first) = (y, 0);
    for &rows in blocks {
        let (part, next) = rest.split_at_mut(rows * outputs);
        rest = next;
        let count = rows.div_ceil(TILE_ROWS);
        let raised = &raised[first * TILE_LINES * panels..];
        first += count;
        part.par_chunks_mut(TILE_ROWS * outputs).enumerate().for_each(|(tile, rows)| {
            for (row, y) in rows.chunks_mut(outputs).enumerate() {
                for (panel, y) in y.chunks_mut(PANEL).enumerate() {
                    let at = (panel * count + tile) * TILE_LINES + 2 * row;
                    put_pair(&raised[at..].as_chunks().0[0], y);
                }
            }
        });
    }
}

/// IndexedRows of one tile, as [`TileProduct`] wants them.
struct PackTile<'a> {
    rows: IndexedRows<'a>,
    range: Range<usize>,
    tile: &'a mut [Line],
}

impl Kernel for PackTile<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        for (line, lines) in self.tile.as_chunks_mut::<TILE_ROWS>().0.iter_mut().enumerate() {
            for (row, to) in lines.iter_mut().enumerate() {
                let at = self.range.start + row;
                // IndexedRows past the end multiply into results that nobody reads.
                to.0 = if at < self.range.end { self.rows.line(at, line) } else { [0.0; LANES] };
            }
        }
    }
}

/// Thirty-two output channels of one matrix.
#[derive(Clone, Copy)]
struct PanelWeights<'a> {
    weight: &'a [f32],
    contract: Contract,
    outputs: usize,
    depth: usize,
    panel: usize,
}

/// One panel of one block.
struct PanelTask<'a> {
    weights: PanelWeights<'a>,
    packed: &'a [Line],
    out: &'a mut [Line],
}

impl PanelTask<'_> {
    fn run<S: Simd>(self, simd: S) {
        let Self { weights, packed, out } = self;
        let tile_len = weights.depth.div_ceil(LANES) * TILE_ROWS;
        with_scratch(|scratch| {
            let b = grown(&mut scratch.input, 2 * weights.depth);
            simd.vectorize(PackPanel { weights, b });
            for (tile, out) in out.chunks_mut(TILE_LINES).enumerate() {
                let a = &packed[tile * tile_len..][..tile_len];
                let next_a = packed.get((tile + 1) * tile_len..).unwrap_or(&[]);
                simd.vectorize(TileProduct { a, b, out, next_a, next_b: &[] });
            }
        });
    }
}

/// `b[d]` = the 32 weights of depth d.
struct PackPanel<'a> {
    weights: PanelWeights<'a>,
    b: &'a mut [Line],
}

impl Kernel for PackPanel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let PanelWeights { weight, contract, outputs, depth, panel } = self.weights;
        match contract {
            Contract::Outer => {
                for (row, b) in weight.chunks_exact(outputs).zip(self.b.as_chunks_mut::<2>().0) {
                    b[0].0 = line_of(row, 2 * panel);
                    b[1].0 = line_of(row, 2 * panel + 1);
                }
            }
            Contract::Inner => {
                for half in 0..2 {
                    let first = panel * PANEL + half * LANES;
                    for line in 0..depth.div_ceil(LANES) {
                        let rows: [[f32; LANES]; LANES] = std::array::from_fn(|lane| {
                            let row = first + lane;
                            if row < outputs {
                                line_of(&weight[row * depth..][..depth], line)
                            } else {
                                [0.0; LANES]
                            }
                        });
                        let mut columns = [[0.0; LANES]; LANES];
                        simd.transpose(rows.each_ref(), &mut columns);
                        let to = self.b[2 * line * LANES..].as_chunks_mut::<2>().0;
                        for (b, column) in to.iter_mut().zip(columns) {
                            b[half].0 = column;
                        }
                    }
                }
            }
        }
    }
}

struct Outer<'a> {
    a: IndexedRows<'a>,
    b: IndexedRows<'a>,
    blocks: &'a [usize],
    weight: &'a mut [f32],
}

impl Kernel for Outer<'_> {
    type Output = ();

    fn run<S: Simd>(self, simd: S) {
        let Self { a, b, blocks, weight } = self;
        let count = a.index.len();
        let panels = b.channels.div_ceil(PANEL);
        let [a_len, b_len] = [count * a.lines(), count * 2 * panels];
        with_shared(a_len + b_len, |shared| {
            let (packed_a, packed_b) = shared.split_at_mut(a_len);
            packed_a.par_chunks_mut(count.max(1)).enumerate().for_each(|(line, column)| {
                column.iter_mut().enumerate().for_each(|(at, to)| to.0 = a.line(at, line));
            });
            packed_b.par_chunks_mut((2 * count).max(1)).enumerate().for_each(|(panel, column)| {
                for (at, to) in column.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                    to[0].0 = b.line(at, 2 * panel);
                    to[1].0 = b.line(at, 2 * panel + 1);
                }
            });
            let (packed_a, packed_b) = (&*packed_a, &*packed_b);
            let tasks: Vec<_> = weight
                .chunks_mut(a.channels * b.channels)
                .zip(starts(blocks))
                .flat_map(|(weight, rows)| {
                    let groups = weight.chunks_mut(PANEL * b.channels).enumerate();
                    groups.map(move |(group, weight)| (group, rows.clone(), weight))
                })
                .collect();
            tasks.into_par_iter().with_max_len(1).for_each(|(group, rows, weight)| {
                let columns = b.channels;
                let task = OuterTask { count, columns, group, rows, packed_a, packed_b };
                task.run(simd, weight);
            });
        });
    }
}

/// Thirty-two rows of one matrix of the result.
struct OuterTask<'a> {
    count: usize,
    columns: usize,
    group: usize,
    rows: Range<usize>,
    packed_a: &'a [Line],
    packed_b: &'a [Line],
}

impl OuterTask<'_> {
    fn run<S: Simd>(self, simd: S, weight: &mut [f32]) {
        let Self { count, columns, group, rows, packed_a, packed_b } = self;
        if rows.is_empty() {
            weight.fill(0.0);
            return;
        }
        let mut c = [Line::ZERO; 2 * HALF];
        for panel in 0..columns.div_ceil(PANEL) {
            let b = &packed_b[(panel * count + rows.start) * 2..][..2 * rows.len()];
            let next_b = packed_b.get(((panel + 1) * count + rows.start) * 2..).unwrap_or(&[]);
            for (eight, weight) in weight.chunks_mut(HALF * columns).enumerate() {
                let line = group * 2 + eight / 2;
                let job = OuterProduct {
                    a: &packed_a[line * count + rows.start..][..rows.len()],
                    half: eight % 2,
                    b,
                    c: &mut c,
                    onto: Onto::Zero,
                    next_a: &[],
                    next_b: next_b.get(eight * rows.len() / 2..).unwrap_or(&[]),
                };
                simd.vectorize(job);
                for (row, c) in weight.chunks_mut(columns).zip(c.as_chunks::<2>().0) {
                    let end = ((panel + 1) * PANEL).min(columns);
                    put_pair(c, &mut row[panel * PANEL..end]);
                }
            }
        }
    }
}
