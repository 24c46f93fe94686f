//! Products of blocks against plain loops in f64.

use super::super::{IndexedRows, block_outer, block_product, block_product_onto};
use super::oracle::{Numbers, distance};
use super::{on_threads, sets};
use crate::Contract;

/// Blocks that fill tiles and blocks that do not; channels that fill lines and panels and do not.
const SHAPES: [(&[usize], usize, usize, usize); 5] = [
    (&[14], 4, 16, 32),
    (&[30, 0, 1], 9, 33, 17),
    (&[5, 4, 3, 2, 1], 7, 1, 1),
    (&[56, 28], 40, 64, 96),
    (&[15, 14, 13], 100, 40, 130),
];

fn index(rows: usize, of: usize) -> Vec<i32> {
    (0..rows).map(|r| ((r * 7 + 3) % of) as i32).collect()
}

/// f32 products of depth up to 100: √100 roundings of 6e-8 at most.
const BOUND: f64 = 6e-7;

#[test]
fn block_products_are_those_of_plain_loops() {
    for (blocks, of, outer, inner) in SHAPES {
        for contract in [Contract::Inner, Contract::Outer] {
            let mut numbers = Numbers::new(3);
            let (depth, outputs) =
                if contract == Contract::Inner { (inner, outer) } else { (outer, inner) };
            let count: usize = blocks.iter().sum();
            let (x, w) = (numbers.vec(of * depth), numbers.vec(blocks.len() * outer * inner));
            let index = index(count, of);
            let mut expected = vec![];
            let mut at = 0;
            for (k, &rows) in blocks.iter().enumerate() {
                for r in at..at + rows {
                    for y in 0..outputs {
                        let weight = |d: usize| {
                            let (o, i) = if contract == Contract::Inner { (y, d) } else { (d, y) };
                            f64::from(w[(k * outer + o) * inner + i])
                        };
                        let value = |d: usize| f64::from(x[index[r] as usize * depth + d]);
                        expected.push((0..depth).map(|d| weight(d) * value(d)).sum());
                    }
                }
                at += rows;
            }
            for set in sets() {
                let mut y = vec![f32::NAN; count * outputs];
                let rows = IndexedRows { values: &x, channels: depth, index: &index };
                block_product(set, rows, &w, blocks, contract, &mut y);
                let error = distance(&y, &expected);
                assert!(error < BOUND, "{set} {blocks:?} {outer}×{inner} {contract:?}: {error}");
            }
        }
    }
}

#[test]
fn block_products_add_up_where_they_belong() {
    for (blocks, of, outer, inner) in SHAPES.into_iter().chain([(&[300, 260][..], 300, 17, 33)]) {
        for contract in [Contract::Inner, Contract::Outer] {
            let mut numbers = Numbers::new(9);
            let (depth, outputs) =
                if contract == Contract::Inner { (inner, outer) } else { (outer, inner) };
            let (count, most) = (blocks.iter().sum(), blocks.iter().max().expect("some"));
            let (x, w) = (numbers.vec(of * depth), numbers.vec(blocks.len() * outer * inner));
            let index = index(count, of);
            // With gaps, and rows of sums before and after.
            let places: Vec<i32> =
                blocks.iter().flat_map(|&rows| (0..rows as i32).map(|r| 2 * r + 1)).collect();
            let start = numbers.vec((2 * most + 3) * outputs);
            let mut expected: Vec<f64> = start.iter().copied().map(f64::from).collect();
            let mut block_of =
                blocks.iter().enumerate().flat_map(|(k, &n)| std::iter::repeat_n(k, n));
            for (&row, &place) in index.iter().zip(&places) {
                let k = block_of.next().expect("one for each row");
                for (y, sum) in
                    expected[place as usize * outputs..][..outputs].iter_mut().enumerate()
                {
                    for d in 0..depth {
                        let (o, i) = if contract == Contract::Inner { (y, d) } else { (d, y) };
                        let weight = f64::from(w[(k * outer + o) * inner + i]);
                        *sum += weight * f64::from(x[row as usize * depth + d]);
                    }
                }
            }
            let rows = IndexedRows { values: &x, channels: depth, index: &index };
            for set in sets() {
                let run = |threads| {
                    let mut sums = start.clone();
                    let to = (&places[..], &mut sums[..]);
                    on_threads(threads, || block_product_onto(set, rows, &w, blocks, contract, to));
                    sums
                };
                let sums = run(1);
                assert!(sums == run(2), "{set} {blocks:?}: threads");
                let error = distance(&sums, &expected);
                assert!(error < BOUND, "{set} {blocks:?} {outer}×{inner} {contract:?}: {error}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "expected ascending places in a block")]
fn places_that_do_not_ascend_are_refused() {
    let rows = IndexedRows { values: &[1.0], channels: 1, index: &[0, 0] };
    let set = sets().next().expect("there is always the portable one");
    let to = (&[1, 0][..], &mut [0.0; 2][..]);
    block_product_onto(set, rows, &[1.0], &[2], Contract::Inner, to);
}

#[test]
fn block_outer_products_are_those_of_plain_loops() {
    for (blocks, of, outer, inner) in SHAPES {
        let mut numbers = Numbers::new(5);
        let count: usize = blocks.iter().sum();
        let (a, b) = (numbers.vec(count * outer), numbers.vec(of * inner));
        let (own, index): (Vec<i32>, _) = ((0..count as i32).collect(), index(count, of));
        let mut expected = vec![0.0; blocks.len() * outer * inner];
        let mut at = 0;
        for (k, &rows) in blocks.iter().enumerate() {
            for r in at..at + rows {
                for o in 0..outer {
                    for i in 0..inner {
                        let product = f64::from(a[r * outer + o])
                            * f64::from(b[index[r] as usize * inner + i]);
                        expected[(k * outer + o) * inner + i] += product;
                    }
                }
            }
            at += rows;
        }
        for set in sets() {
            let mut w = vec![f32::NAN; expected.len()];
            let a = IndexedRows { values: &a, channels: outer, index: &own };
            let b = IndexedRows { values: &b, channels: inner, index: &index };
            block_outer(set, a, b, blocks, &mut w);
            let error = distance(&w, &expected);
            assert!(error < BOUND, "{set} {blocks:?} {outer}×{inner}: {error}");
        }
    }
}

#[test]
#[should_panic(expected = "expected indices below 2 rows, got 2")]
fn an_index_past_the_end_is_refused() {
    let rows = IndexedRows { values: &[1.0, 2.0], channels: 1, index: &[0, 2] };
    let set = sets().next().expect("there is always the portable one");
    block_product(set, rows, &[1.0], &[2], Contract::Inner, &mut [0.0; 2]);
}
