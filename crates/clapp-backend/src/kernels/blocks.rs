//! Products of blocks of rows with one matrix each: what the prediction steps of a rule need.
//!
//! An index says which rows are meant, so no copy of them is made; matrices are read in place.

use core::ops::Range;

use rayon::prelude::*;

use super::instruction::InstructionSet;
use super::line::{Line, grown, line_of, put_pair, with_scratch, with_shared};
use super::product::{Onto, OuterProduct, TILE_LINES, TILE_ROWS, TileProduct};
use super::shape::{LANES, PANEL};
use super::simd::{Kernel, Simd};
use crate::Contract;

/// Rows of a `[·, channels]` matrix, in the order of an index.
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
    pub(super) fn lines(&self) -> usize {
        self.channels.div_ceil(LANES)
    }

    /// Line `line` of the row that stands at `at` in the index; zeros past its end.
    #[inline(always)]
    fn line(&self, at: usize, line: usize) -> [f32; LANES] {
        let first = self.index[at] as usize * self.channels;
        line_of(&self.values[first..][..self.channels], line)
    }

    pub(super) fn check(&self, name: &str) {
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
pub fn block_outer(
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
pub(super) fn starts(blocks: &[usize]) -> impl Iterator<Item = Range<usize>> + '_ {
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

/// Tiles of one task: a panel of weights serves all of them.
const TASK_TILES: usize = 8;

impl Kernel for Product<'_> {
    type Output = ();

    fn run<S: Simd>(self, simd: S) {
        let Self { rows, weight, blocks, contract, outputs, y } = self;
        let (depth, panels) = (rows.channels, outputs.div_ceil(PANEL));
        let packed_len = 2 * depth * panels;
        with_shared(blocks.len() * packed_len, |packed| {
            pack_matrices(simd, weight, contract, [outputs, depth], packed);
            let mut tasks = vec![];
            let mut rest = y;
            for (k, block) in starts(blocks).enumerate() {
                let (part, next) = rest.split_at_mut(block.len() * outputs);
                rest = next;
                let weight = &packed[k * packed_len..][..packed_len];
                let parts = part.chunks_mut(TASK_TILES * TILE_ROWS * outputs).enumerate();
                tasks.extend(parts.map(|(part, y)| ProductTask {
                    rows,
                    first: block.start + part * TASK_TILES * TILE_ROWS,
                    weight,
                    outputs,
                    y,
                }));
            }
            tasks.into_par_iter().with_max_len(1).for_each(|task| task.run(simd));
        });
    }
}

/// Some rows of one block, through all panels of its matrix.
struct ProductTask<'a> {
    rows: IndexedRows<'a>,
    /// Place of the first row in the index.
    first: usize,
    weight: &'a [Line],
    outputs: usize,
    y: &'a mut [f32],
}

impl ProductTask<'_> {
    fn run<S: Simd>(self, simd: S) {
        let Self { rows, first, weight, outputs, y } = self;
        let end = first + y.len() / outputs;
        let tile_len = rows.lines() * TILE_ROWS;
        let mut out = [Line::ZERO; TILE_LINES];
        with_scratch(|scratch| {
            let tiles = (end - first).div_ceil(TILE_ROWS);
            let packed = grown(&mut scratch.input, tiles * tile_len);
            pack_tiles(simd, rows, first..end, packed);
            let packed = &*packed;
            for panel in 0..outputs.div_ceil(PANEL) {
                let b = &weight[2 * rows.channels * panel..][..2 * rows.channels];
                let next_b = weight.get(2 * rows.channels * (panel + 1)..).unwrap_or(&[]);
                let share = b.len().div_ceil(tiles);
                let columns = panel * PANEL..((panel + 1) * PANEL).min(outputs);
                for (tile, y) in y.chunks_mut(TILE_ROWS * outputs).enumerate() {
                    let a = &packed[tile * tile_len..][..tile_len];
                    let next_a = packed.get((tile + 1) * tile_len..).unwrap_or(packed);
                    let next_b = next_b.get(tile * share..).unwrap_or(&[]);
                    let next_b = &next_b[..share.min(next_b.len())];
                    let onto = Onto::Zero;
                    simd.vectorize(TileProduct { a, b, out: &mut out, onto, next_a, next_b });
                    for (y, lines) in y.chunks_mut(outputs).zip(out.as_chunks::<2>().0) {
                        put_pair(lines, &mut y[columns.clone()]);
                    }
                }
            }
        });
    }
}

/// Rows of one tile, as [`TileProduct`] wants them.
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
                // Rows past the end multiply into results that nobody reads.
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

/// Packs all matrices, `[matrix][panel][depth]` pairs of lines; `sizes` are outputs and depth.
pub(super) fn pack_matrices<S: Simd>(
    simd: S,
    weight: &[f32],
    contract: Contract,
    sizes: [usize; 2],
    packed: &mut [Line],
) {
    let [outputs, depth] = sizes;
    // Without depth there is nothing to pack, and every result is zero.
    let packed = packed.chunks_mut((2 * depth * outputs.div_ceil(PANEL)).max(1));
    for (packed, weight) in packed.zip(weight.chunks((depth * outputs).max(1))) {
        packed.par_chunks_mut((2 * depth).max(1)).enumerate().for_each(|(panel, b)| {
            let weights = PanelWeights { weight, contract, outputs, depth, panel };
            simd.vectorize(PackPanel { weights, b });
        });
    }
}

/// Packs the rows at `range` of the index in tiles.
pub(super) fn pack_tiles<S: Simd>(
    simd: S,
    rows: IndexedRows<'_>,
    range: Range<usize>,
    tiles: &mut [Line],
) {
    let tile_len = (rows.lines() * TILE_ROWS).max(1);
    for (tile, lines) in tiles.chunks_mut(tile_len).enumerate() {
        let row = range.start + tile * TILE_ROWS;
        let range = row..(row + TILE_ROWS).min(range.end);
        simd.vectorize(PackTile { rows, range, tile: lines });
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
        let mut c = [Line::ZERO; 2 * LANES];
        for panel in 0..columns.div_ceil(PANEL) {
            let b = &packed_b[(panel * count + rows.start) * 2..][..2 * rows.len()];
            let next_b = packed_b.get(((panel + 1) * count + rows.start) * 2..).unwrap_or(&[]);
            for (half, weight) in weight.chunks_mut(LANES * columns).enumerate() {
                let line = group * 2 + half;
                let job = OuterProduct {
                    a: &packed_a[line * count + rows.start..][..rows.len()],
                    b,
                    c: &mut c,
                    onto: Onto::Zero,
                    next_a: &[],
                    next_b: next_b.get(half * rows.len()..).unwrap_or(&[]),
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
