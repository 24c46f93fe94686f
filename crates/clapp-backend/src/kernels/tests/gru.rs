//! A recurrent layer against plain loops in f64.

use super::super::{GruShape, gru_credit, gru_states};
use super::oracle::{Numbers, distance};
use super::{on_threads, sets};
use crate::{GruStates, Reach};

/// Streams and units that fill tasks, panels and lines, and that do not.
const SHAPES: [GruShape; 4] = [
    GruShape { streams: 8, time: 5, units: 32 },
    GruShape { streams: 5, time: 7, units: 17 },
    GruShape { streams: 1, time: 1, units: 1 },
    GruShape { streams: 2, time: 40, units: 48 },
];

/// Sums of 48 products and two functions good to 4e-7, through up to 40 steps of a fading memory.
const BOUND: f64 = 2e-6;

struct Run {
    driven: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    modulation: Vec<f32>,
}

fn operands(shape: GruShape) -> Run {
    let GruShape { streams, time, units } = shape;
    let mut numbers = Numbers::new(17);
    let scale = 1.0 / (units as f32).sqrt();
    Run {
        driven: numbers.vec(streams * time * 3 * units).into_iter().map(|x| 2.0 * x).collect(),
        weight: numbers.vec(3 * units * units).into_iter().map(|w| w * scale).collect(),
        bias: numbers.vec(3 * units),
        modulation: numbers.vec(streams * time * units),
    }
}

/// Gates, candidates, recalled, states, in double precision.
fn states(shape: GruShape, run: &Run) -> [Vec<f64>; 4] {
    let GruShape { streams, time, units } = shape;
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let mut out: [Vec<f64>; 4] = Default::default();
    for stream in 0..streams {
        let mut before = vec![0.0; units];
        for t in 0..time {
            let row = stream * time + t;
            let past = |j: usize| {
                let weights = &run.weight[j * units..][..units];
                let sum: f64 = weights.iter().zip(&before).map(|(&w, h)| f64::from(w) * h).sum();
                sum + f64::from(run.bias[j])
            };
            let now = |j: usize| f64::from(run.driven[row * 3 * units + j]);
            let gates: Vec<f64> = (0..2 * units).map(|j| sigmoid(now(j) + past(j))).collect();
            let recalled: Vec<f64> = (2 * units..3 * units).map(past).collect();
            let n: Vec<f64> =
                (0..units).map(|j| (now(2 * units + j) + gates[j] * recalled[j]).tanh()).collect();
            let state: Vec<f64> =
                (0..units).map(|j| n[j] + gates[units + j] * (before[j] - n[j])).collect();
            before.clone_from(&state);
            for (all, part) in out.iter_mut().zip([gates, n, recalled, state]) {
                all.extend(part);
            }
        }
    }
    out
}

/// What is learnt at the gates, in double precision.
fn credit(shape: GruShape, seen: &[Vec<f64>; 4], m: &[f32], reach: Reach) -> [Vec<f64>; 2] {
    let GruShape { streams, time, units } = shape;
    let [gates, n, v, h] = seen;
    let mut out = [vec![0.0; 3 * m.len()], vec![0.0; 3 * m.len()]];
    for stream in 0..streams {
        for j in 0..units {
            let mut credit = 0.0;
            for t in (0..time).rev() {
                let row = stream * time + t;
                let at = row * units + j;
                let (r, z) = (gates[2 * row * units + j], gates[(2 * row + 1) * units + j]);
                credit += f64::from(m[at]);
                let before = if t == 0 { 0.0 } else { h[at - units] };
                let delta_n = (1.0 - z) * (1.0 - n[at] * n[at]);
                let delta_z = (before - n[at]) * z * (1.0 - z);
                let delta_r = delta_n * v[at] * r * (1.0 - r);
                for (to, slopes) in out
                    .iter_mut()
                    .zip([[delta_r, delta_z, delta_n], [delta_r, delta_z, delta_n * r]])
                {
                    for (gate, slope) in slopes.into_iter().enumerate() {
                        to[(3 * row + gate) * units + j] = credit * slope;
                    }
                }
                credit = if reach == Reach::Memory { credit * z } else { 0.0 };
            }
        }
    }
    out
}

#[test]
fn a_recurrent_layer_is_that_of_plain_loops() {
    for shape in SHAPES {
        let run = operands(shape);
        let expected = states(shape, &run);
        let [reach_back, present] = [Reach::Memory, Reach::Present]
            .map(|reach| credit(shape, &expected, &run.modulation, reach));
        for set in sets() {
            let found = on_threads(1, || states_of(set, shape, &run));
            assert!(
                found == on_threads(2, || states_of(set, shape, &run)),
                "{set} {shape:?}: threads"
            );
            for (name, (found, expected)) in ["gates", "candidates", "recalled", "states"]
                .iter()
                .zip(found.iter().zip(&expected))
            {
                let error = distance(found, expected);
                assert!(error < BOUND, "{set} {shape:?} {name}: {error}");
            }
            for (reach, expected) in [(Reach::Memory, &reach_back), (Reach::Present, &present)] {
                let credit = || credit_of(set, shape, &found, &run.modulation, reach);
                let found = on_threads(1, credit);
                assert!(found == on_threads(2, credit), "{set} {shape:?} {reach:?}: threads");
                for (found, expected) in found.iter().zip(expected) {
                    let error = distance(found, expected);
                    assert!(error < BOUND, "{set} {shape:?} {reach:?}: {error}");
                }
            }
        }
    }
}

fn states_of(set: super::InstructionSet, shape: GruShape, run: &Run) -> [Vec<f32>; 4] {
    let len = run.modulation.len();
    let [mut gates, mut candidates, mut recalled, mut states] =
        [2, 1, 1, 1].map(|each| vec![f32::NAN; each * len]);
    let out = GruStates {
        gates: &mut gates[..],
        candidates: &mut candidates[..],
        recalled: &mut recalled[..],
        states: &mut states[..],
    };
    gru_states(set, shape, &run.driven, [&run.weight, &run.bias], out);
    [gates, candidates, recalled, states]
}

fn credit_of(
    set: super::InstructionSet,
    shape: GruShape,
    seen: &[Vec<f32>; 4],
    modulation: &[f32],
    reach: Reach,
) -> [Vec<f32>; 2] {
    let mut out = [vec![f32::NAN; 3 * modulation.len()], vec![f32::NAN; 3 * modulation.len()]];
    let [gates, candidates, recalled, states] = seen;
    let seen = GruStates { gates: &gates[..], candidates, recalled, states };
    let [driven, recalled] = &mut out;
    gru_credit(set, shape, &seen, modulation, reach, [driven, recalled]);
    out
}

#[test]
#[should_panic(expected = "gru, input: expected 6 numbers")]
fn a_wrong_length_is_refused() {
    let shape = GruShape { streams: 1, time: 2, units: 1 };
    let mut room = [0.0; 8];
    let [a, b, c, d] = room.get_disjoint_mut([0..4, 4..6, 6..7, 7..8]).unwrap();
    let out = GruStates { gates: a, candidates: b, recalled: c, states: d };
    gru_states(super::InstructionSet::best(), shape, &[0.0; 5], [&[0.0; 3], &[0.0; 3]], out);
}
