//! Sums over pairs against plain loops in f64.

use super::super::{Pairs, pair_gather, pair_scatter, pair_scores};
use super::oracle::Numbers;
use super::sets;

/// f32 sums of up to 130 terms: √130 roundings of 6e-8, relative to numbers of order 1.
const BOUND: f64 = 2e-6;

fn check(set: super::InstructionSet, name: &str, got: &[f32], expected: &[f64]) {
    for (&got, &expected) in got.iter().zip(expected) {
        let off = (f64::from(got) - expected).abs();
        assert!(off <= BOUND * expected.abs().max(1.0), "{set} {name}: {got} is not {expected}");
    }
}

#[test]
fn sums_over_pairs_are_those_of_plain_loops() {
    for (rows, n, others, channels) in [(40, 3, 9, 130), (17, 1, 30, 64), (5, 16, 2, 7)] {
        let mut numbers = Numbers::new(11);
        let (p, z) = (numbers.vec(rows * channels), numbers.vec(others * channels));
        let mut gamma = numbers.vec(rows * n);
        gamma[0] = 0.0;
        let index: Vec<i32> = (0..rows * n).map(|i| ((i * 5 + 1) % others) as i32).collect();
        let mut scores = vec![0.0; rows * n];
        let (mut gathered, mut scattered) = (vec![0.0; rows * channels], vec![0.0; z.len()]);
        for pair in 0..rows * n {
            let (r, j) = (pair / n, index[pair] as usize);
            for c in 0..channels {
                let [p, z] = [p[r * channels + c], z[j * channels + c]].map(f64::from);
                scores[pair] += p * z;
                gathered[r * channels + c] += f64::from(gamma[pair]) * z;
                scattered[j * channels + c] += f64::from(gamma[pair]) * p;
            }
        }
        let pairs = Pairs { channels, n, index: &index };
        for set in sets() {
            let mut got = vec![f32::NAN; scores.len()];
            pair_scores(set, pairs, &p, &z, &mut got);
            check(set, "scores", &got, &scores);
            let mut got = vec![f32::NAN; gathered.len()];
            pair_gather(set, pairs, &gamma, &z, &mut got);
            check(set, "gathered", &got, &gathered);
            let mut got = vec![f32::NAN; scattered.len()];
            pair_scatter(set, pairs, &gamma, &p, &mut got);
            check(set, "scattered", &got, &scattered);
        }
    }
}

#[test]
#[should_panic(expected = "pair scores: expected indices below 2 rows, got -1")]
fn an_index_outside_is_refused() {
    let pairs = Pairs { channels: 1, n: 1, index: &[-1] };
    let set = sets().next().expect("there is always the portable one");
    pair_scores(set, pairs, &[1.0], &[1.0, 2.0], &mut [0.0]);
}
