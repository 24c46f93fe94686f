//! Products of blocks of rows, added up where they belong: the way back of all prediction steps.

use rayon::prelude::*;

use super::blocks::{IndexedRows, pack_matrices, pack_tiles, starts};
use super::instruction::InstructionSet;
use super::line::{Line, grown, with_scratch, with_shared};
use super::product::{self, TILE_LINES, TILE_ROWS, TileProduct};
use super::shape::PANEL;
use super::simd::{Kernel, Simd};
use crate::Contract;

/// `sums[places r] += W_k x[index r]` for every row r of block k, block after block.
///
/// As [`block_product`](super::block_product), without a result that has to be scattered. Every sum has
/// a fixed order, whatever the number of threads.
///
/// # Shapes
/// - `weight`: `[blocks, outer, inner]`; `blocks`: rows of each block
/// - `places`: a row of `sums` for every row, ascending within a block; `sums`: `[·, outer or inner]`
///
/// # Panics
/// If a length does not fit, an index is out of range, or places do not ascend
/// ([`places_ascend`]).
pub fn block_product_onto(
    instructions: InstructionSet,
    rows: IndexedRows<'_>,
    weight: &[f32],
    blocks: &[usize],
    contract: Contract,
    (places, sums): (&[i32], &mut [f32]),
) {
    rows.check("block product");
    let count: usize = blocks.iter().sum();
    let found = [rows.index.len(), places.len()];
    assert_eq!(found, [count; 2], "block product: expected {count} rows and places in {blocks:?}");
    if count == 0 || rows.channels == 0 {
        return;
    }
    let outputs = weight.len() / (blocks.len() * rows.channels);
    let expected = blocks.len() * outputs * rows.channels;
    assert_eq!(weight.len(), expected, "block product: expected {expected} weights");
    assert!(
        sums.len().is_multiple_of(outputs.max(1)),
        "block product: expected whole rows of sums"
    );
    IndexedRows { values: sums, channels: outputs, index: places }.check("block product, places");
    assert!(places_ascend(places, blocks), "block product: expected ascending places in a block");
    if outputs > 0 {
        instructions.visit(Onto { rows, weight, blocks, contract, outputs, places, sums });
    }
}

/// Whether the places of every block ascend, each only once.
#[must_use]
pub fn places_ascend(places: &[i32], blocks: &[usize]) -> bool {
    starts(blocks).all(|block| {
        places.get(block).is_some_and(|block| block.windows(2).all(|pair| pair[0] < pair[1]))
    })
}

/// Rows of the longest block in one task: a panel of weights serves all of them.
const TASK_ROWS: usize = 8 * TILE_ROWS;

struct Onto<'a> {
    rows: IndexedRows<'a>,
    weight: &'a [f32],
    blocks: &'a [usize],
    contract: Contract,
    outputs: usize,
    places: &'a [i32],
    sums: &'a mut [f32],
}

impl Kernel for Onto<'_> {
    type Output = ();

    fn run<S: Simd>(self, simd: S) {
        let Self { rows, weight, blocks, contract, outputs, places, sums } = self;
        let depth = rows.channels;
        let packed_len = 2 * depth * outputs.div_ceil(PANEL);
        with_shared(blocks.len() * packed_len, |packed| {
            pack_matrices(simd, weight, contract, [outputs, depth], packed);
            let packed = &*packed;
            // Every task owns the sums between two places.
            let longest = starts(blocks).max_by_key(ExactSizeIterator::len).unwrap_or(0..0);
            let cuts = places[longest].iter().skip(TASK_ROWS).step_by(TASK_ROWS);
            let ends = cuts.map(|&place| place as usize).chain([sums.len() / outputs]);
            let mut tasks = vec![];
            let (mut rest, mut first) = (sums, 0);
            for end in ends {
                let (sums, next) = rest.split_at_mut((end - first) * outputs);
                rest = next;
                tasks.push(Task { rows, packed, blocks, outputs, places, sums, first });
                first = end;
            }
            tasks.into_par_iter().with_max_len(1).for_each(|task| task.run(simd));
        });
    }
}

/// The sums from row `first` on.
struct Task<'a> {
    rows: IndexedRows<'a>,
    packed: &'a [Line],
    blocks: &'a [usize],
    outputs: usize,
    places: &'a [i32],
    sums: &'a mut [f32],
    first: usize,
}

impl Task<'_> {
    fn run<S: Simd>(self, simd: S) {
        let Self { rows, packed, blocks, outputs, places, sums, first } = self;
        let end = first + sums.len() / outputs;
        let panel_len = 2 * rows.channels;
        let matrix_len = panel_len * outputs.div_ceil(PANEL);
        for (matrix, block) in packed.chunks(matrix_len).zip(starts(blocks)) {
            let before =
                |end: usize| places[block.clone()].partition_point(|&p| (p as usize) < end);
            let range = block.start + before(first)..block.start + before(end);
            if range.is_empty() {
                continue;
            }
            let tile_len = rows.lines() * TILE_ROWS;
            with_scratch(|scratch| {
                let tiles = grown(&mut scratch.input, range.len().div_ceil(TILE_ROWS) * tile_len);
                pack_tiles(simd, rows, range.clone(), tiles);
                let tiles = &*tiles;
                for (panel, b) in matrix.chunks(panel_len).enumerate() {
                    let columns = panel * PANEL..((panel + 1) * PANEL).min(outputs);
                    let parts = places[range.clone()].chunks(TILE_ROWS);
                    for (tile, places) in parts.enumerate() {
                        let a = &tiles[tile * tile_len..][..tile_len];
                        let next_a = tiles.get((tile + 1) * tile_len..).unwrap_or(tiles);
                        let columns = columns.clone();
                        let job = AddTile { a, b, next_a, places, first, outputs, columns, sums };
                        simd.vectorize(job);
                    }
                }
            });
        }
    }
}

/// One tile of one panel, added to its places.
struct AddTile<'a> {
    a: &'a [Line],
    b: &'a [Line],
    next_a: &'a [Line],
    places: &'a [i32],
    first: usize,
    outputs: usize,
    columns: core::ops::Range<usize>,
    sums: &'a mut [f32],
}

impl Kernel for AddTile<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { a, b, next_a, places, first, outputs, columns, sums } = self;
        let mut out = [Line::ZERO; TILE_LINES];
        let onto = product::Onto::Zero;
        TileProduct { a, b, out: &mut out, onto, next_a, next_b: &[] }.run(simd);
        for (&place, lines) in places.iter().zip(out.as_chunks::<2>().0) {
            let row = &mut sums[(place as usize - first) * outputs..][columns.clone()];
            let values: &[f32; PANEL] = bytemuck::cast_ref(lines);
            match row.first_chunk_mut::<PANEL>() {
                // Nearly always: of known length.
                Some(row) => row.iter_mut().zip(values).for_each(|(sum, value)| *sum += value),
                None => row.iter_mut().zip(values).for_each(|(sum, value)| *sum += value),
            }
        }
    }
}
