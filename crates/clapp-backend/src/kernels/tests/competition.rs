//! Competition on every instruction set, against plain loops in f64.

use super::oracle::{Numbers, distance};
use super::*;

/// Rows of few and many channels, whole lines and not; more rows than one task takes.
const SHAPES: [[usize; 2]; 4] = [[1, 1], [3, 16], [150, 37], [70, 96]];

fn winners(u: &[f32], channels: usize, t: f64) -> (Vec<f64>, Vec<f64>) {
    let mut sums = vec![0.0; channels];
    let mut y = vec![];
    for row in u.chunks(channels) {
        let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let e: Vec<f64> = row.iter().map(|u| (t * (u - most)).exp()).collect();
        let total: f64 = e.iter().sum();
        let winner = row.iter().position(|&u| u >= most).expect("a row is not empty");
        for (channel, e) in e.iter().enumerate() {
            let sign = if channel == winner { 1.0 } else { -1.0 };
            y.push(sign * e / total);
            sums[channel] += sign * e / total * row[channel];
        }
    }
    (y, sums)
}

#[test]
fn soft_winners_agree_with_plain_loops() {
    for set in sets() {
        for [rows, channels] in SHAPES {
            let mut u = Numbers::new(3).vec(rows * channels);
            // Equals in a row: the first wins.
            u[channels - 1] = 2.0;
            u[channels / 2] = 2.0;
            for t in [0.5, 20.0] {
                let mut y = vec![f32::NAN; u.len()];
                let sums = soft_winners(set, &u, channels, t as f32, &mut y);
                let expected = winners(&u, channels, t);
                let errors = [distance(&y, &expected.0), distance(&sums, &expected.1)];
                // Twenty units in the last place: t (u − max) is rounded at up to 60.
                assert!(
                    errors.iter().all(|&e| e < 2e-6),
                    "{set} {rows} {channels} {t}: {errors:?}"
                );
            }
        }
    }
}

#[test]
fn a_row_of_no_numbers_wins_nothing() {
    let mut y = [0.0; 4];
    let sums = soft_winners(instruction_set(), &[1.0, f32::NAN, 0.0, 2.0], 2, 1.0, &mut y);
    assert!(y[..2].iter().all(|y| y.is_nan()) && y[2] < 0.0 && y[3] > 0.5);
    assert!(sums.iter().all(|sum| sum.is_nan()));
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let u = Numbers::new(5).vec(300 * 20);
    let run = |threads| {
        on_threads(threads, || {
            let mut y = vec![0.0; u.len()];
            let sums = soft_winners(instruction_set(), &u, 20, 1.0, &mut y);
            let mut w = u.clone();
            let step =
                UnitNorm { dw: &y, decay: Some(&u[..300]), columns: 20, rate: 0.1, power: 0.5 };
            unit_norm(instruction_set(), &mut w, step);
            [y, sums, w]
        })
    };
    let one: [Vec<f32>; 3] = run(1);
    let bits = |of: &[Vec<f32>; 3]| of.concat().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    for threads in [2, 3, 5] {
        assert_eq!(bits(&one), bits(&run(threads)), "{threads} threads");
    }
}

#[test]
fn every_instruction_set_steps_alike() {
    for set in sets() {
        for [rows, columns] in SHAPES {
            let mut numbers = Numbers::new(9);
            let (w, dw, decay) =
                (numbers.vec(rows * columns), numbers.vec(rows * columns), numbers.vec(rows));
            let change =
                |at: usize| f64::from(dw[at]) - f64::from(decay[at / columns]) * f64::from(w[at]);
            let largest = (0..w.len()).map(|at| change(at).abs()).fold(0.0, f64::max);
            let expected: Vec<f64> = (0..w.len())
                .map(|at| {
                    let row = &w[at / columns * columns..][..columns];
                    let square: f64 = row.iter().map(|&w| f64::from(w) * f64::from(w)).sum();
                    let away = ((square.sqrt() - 1.0).abs() + 1e-10).powf(0.5);
                    f64::from(w[at]) + 0.1 * away * change(at) / largest
                })
                .collect();
            let mut moved = w.clone();
            let step = UnitNorm { dw: &dw, decay: Some(&decay), columns, rate: 0.1, power: 0.5 };
            unit_norm(set, &mut moved, step);
            let error = distance(&moved, &expected);
            assert!(error < 5e-7, "{set} {rows} {columns}: {error}");
        }
    }
}
