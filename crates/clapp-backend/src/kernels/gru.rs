//! A gated recurrent layer: all steps of time in one call, and the credit that its past deserves.

use rayon::prelude::*;

use super::blocks::pack_matrices;
use super::function::{sigmoid, tanh};
use super::instruction::InstructionSet;
use super::line::{Line, grown, with_scratch, with_shared};
use super::shape::{LANES, PANEL};
use super::simd::{Kernel, Simd};
use crate::{Contract, GruStates, Reach};

/// Extent of a recording in a recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GruShape {
    /// Recordings that run beside each other.
    pub streams: usize,
    /// Steps of time.
    pub time: usize,
    /// Units.
    pub units: usize,
}

impl GruShape {
    /// Numbers of all streams, `each` for a unit and step.
    fn len(&self, each: usize) -> usize {
        self.streams * self.time * self.units * each
    }

    fn check(&self, what: &str, each: usize, values: &[f32]) {
        let expected = self.len(each);
        assert_eq!(values.len(), expected, "gru, {what}: expected {expected} numbers");
    }
}

/// Runs a recurrent layer through recordings that begin in silence.
///
/// ```text
/// r = σ(x_r + W_hr h⁻ + b_hr)        ζ = σ(x_z + W_hz h⁻ + b_hz)
/// n = tanh(x_n + r v)                v = W_hn h⁻ + b_hn
/// h = n + ζ (h⁻ − n)
/// ```
///
/// # Shapes
/// - `driven` x: `[stream, time, 3 · unit]` in the order r, ζ, n; `weight` W_h: `[3 · unit, unit]`;
///   `bias`: `[3 · unit]`
///
/// # Panics
/// If a length does not fit.
pub fn gru_states(
    instructions: InstructionSet,
    shape: GruShape,
    driven: &[f32],
    [weight, bias]: [&[f32]; 2],
    out: GruStates<&mut [f32]>,
) {
    shape.check("input", 3, driven);
    shape.check("gates", 2, out.gates);
    for (what, values) in
        [("candidates", &out.candidates), ("recalled", &out.recalled), ("states", &out.states)]
    {
        shape.check(what, 1, values);
    }
    let units = shape.units;
    assert_eq!(weight.len(), 3 * units * units, "gru: expected weights [3 · {units}, {units}]");
    assert_eq!(bias.len(), 3 * units, "gru: expected 3 · {units} biases");
    if shape.len(1) > 0 {
        instructions.visit(Run { shape, driven, weight, bias, out });
    }
}

/// Streams of one task: their sums share every load of a weight.
const STREAMS: usize = 4;

struct Run<'a> {
    shape: GruShape,
    driven: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    out: GruStates<&'a mut [f32]>,
}

impl Kernel for Run<'_> {
    type Output = ();

    fn run<S: Simd>(self, simd: S) {
        let Self { shape, driven, weight, bias, out } = self;
        let units = shape.units;
        let panels = (3 * units).div_ceil(PANEL);
        with_shared(panels * 2 * units, |packed| {
            pack_matrices(simd, weight, Contract::Inner, [3 * units, units], packed);
            let packed = &*packed;
            let share = STREAMS * shape.time * units;
            let streams = out
                .gates
                .par_chunks_mut(2 * share)
                .zip(out.candidates.par_chunks_mut(share))
                .zip(out.recalled.par_chunks_mut(share))
                .zip(out.states.par_chunks_mut(share))
                .zip(driven.par_chunks(3 * share));
            streams.for_each(|((((gates, candidates), recalled), states), driven)| {
                with_scratch(|scratch| {
                    let lines = grown(&mut scratch.product, STREAMS * panels * 2);
                    let sums: &mut [f32] = bytemuck::cast_slice_mut(lines);
                    let out = GruStates { gates, candidates, recalled, states };
                    let mut task = Streams { shape, packed, bias, driven, out, sums };
                    for t in 0..shape.time {
                        simd.vectorize(StepOf(&mut task, t));
                    }
                });
            });
        });
    }
}

/// Up to [`STREAMS`] recordings.
struct Streams<'a> {
    shape: GruShape,
    packed: &'a [Line],
    bias: &'a [f32],
    driven: &'a [f32],
    out: GruStates<&'a mut [f32]>,
    /// W_h h⁻, `[STREAMS, 3 · unit and what fills a panel]`.
    sums: &'a mut [f32],
}

/// One step of time.
struct StepOf<'a, 'b>(&'a mut Streams<'b>, usize);

impl Kernel for StepOf<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self(streams, t) = self;
        streams.recall(simd, t);
        streams.advance(t);
    }
}

impl Streams<'_> {
    /// Streams of this task.
    fn count(&self) -> usize {
        self.out.states.len() / (self.shape.time * self.shape.units)
    }

    /// W_h h⁻ of all streams; the last one stands in for those that are not there.
    #[inline(always)]
    fn recall<S: Simd>(&mut self, simd: S, t: usize) {
        let GruShape { time, units, .. } = self.shape;
        let row_len = self.sums.len() / STREAMS;
        if t == 0 {
            self.sums.fill(0.0);
            return;
        }
        let (last, states) = (self.count() - 1, &*self.out.states);
        let before: [&[f32]; STREAMS] = std::array::from_fn(|stream| {
            &states[(stream.min(last) * time + t - 1) * units..][..units]
        });
        for (panel, weights) in self.packed.chunks_exact(2 * units).enumerate() {
            let mut sums = [[simd.zero(); 2]; STREAMS];
            for (k, pair) in weights.as_chunks::<2>().0.iter().enumerate() {
                let (left, right) = (simd.load(&pair[0].0), simd.load(&pair[1].0));
                for (sums, row) in sums.iter_mut().zip(before) {
                    let value = simd.splat(row[k]);
                    *sums = [simd.fma(value, left, sums[0]), simd.fma(value, right, sums[1])];
                }
            }
            for (stream, sums) in sums.into_iter().enumerate() {
                let to = &mut self.sums[stream * row_len + panel * PANEL..][..PANEL];
                for (to, sum) in to.as_chunks_mut::<LANES>().0.iter_mut().zip(sums) {
                    simd.store(to, sum);
                }
            }
        }
    }

    /// Gates and states of all streams.
    #[inline(always)]
    fn advance(&mut self, t: usize) {
        let GruShape { time, units, .. } = self.shape;
        let row_len = self.sums.len() / STREAMS;
        for stream in 0..self.count() {
            let row = stream * time + t;
            let sums = &mut self.sums[stream * row_len..][..3 * units];
            sums.iter_mut().zip(self.bias).for_each(|(sum, bias)| *sum += bias);
            let (sums_gates, sums_recalled) = sums.split_at(2 * units);
            let driven = &self.driven[3 * row * units..][..3 * units];
            let (driven_gates, driven_candidate) = driven.split_at(2 * units);
            let gates = &mut self.out.gates[2 * row * units..][..2 * units];
            for ((gate, driven), recalled) in gates.iter_mut().zip(driven_gates).zip(sums_gates) {
                *gate = sigmoid(driven + recalled);
            }
            let (reset, update) = gates.split_at(units);
            self.out.recalled[row * units..][..units].copy_from_slice(sums_recalled);
            let candidates = &mut self.out.candidates[row * units..][..units];
            let arriving = driven_candidate.iter().zip(reset).zip(sums_recalled);
            for (n, ((driven, reset), recalled)) in candidates.iter_mut().zip(arriving) {
                *n = tanh(driven + reset * recalled);
            }
            let (past, present) = self.out.states.split_at_mut(row * units);
            let present = &mut present[..units];
            if t == 0 {
                for (h, (n, update)) in present.iter_mut().zip(candidates.iter().zip(update)) {
                    *h = n - update * n;
                }
            } else {
                let before = &past[(row - 1) * units..];
                let parts = candidates.iter().zip(update).zip(before);
                for (h, ((n, update), before)) in present.iter_mut().zip(parts) {
                    *h = n + update * (before - n);
                }
            }
        }
    }
}

/// What arrives at the gates of every unit deserves: modulation, filtered, times slope.
///
/// ```text
/// λ_t = m_t + ζ_{t+1} λ_{t+1}          or m_t alone
/// δ_n = (1 − ζ)(1 − n²)        δ_ζ = (h⁻ − n) ζ (1 − ζ)        δ_r = δ_n v r (1 − r)
/// driven = λ (δ_r, δ_ζ, δ_n)           recalled = λ (δ_r, δ_ζ, δ_n r)
/// ```
///
/// # Shapes
/// - `modulation`: `[stream, time, unit]`; `driven`, `recalled`: `[stream, time, 3 · unit]`
///
/// # Panics
/// If a length does not fit.
pub fn gru_credit(
    instructions: InstructionSet,
    shape: GruShape,
    seen: &GruStates<&[f32]>,
    modulation: &[f32],
    reach: Reach,
    [driven, recalled]: [&mut [f32]; 2],
) {
    shape.check("gates", 2, seen.gates);
    for (what, values) in [
        ("candidates", seen.candidates),
        ("recalled", seen.recalled),
        ("states", seen.states),
        ("modulation", modulation),
    ] {
        shape.check(what, 1, values);
    }
    shape.check("credit of the input", 3, driven);
    shape.check("credit of the past", 3, recalled);
    if shape.len(1) > 0 {
        instructions.visit(Credit { shape, seen, modulation, reach, driven, recalled });
    }
}

struct Credit<'a> {
    shape: GruShape,
    seen: &'a GruStates<&'a [f32]>,
    modulation: &'a [f32],
    reach: Reach,
    driven: &'a mut [f32],
    recalled: &'a mut [f32],
}

impl Kernel for Credit<'_> {
    type Output = ();

    fn run<S: Simd>(self, simd: S) {
        let Self { shape, seen, modulation, reach, driven, recalled } = self;
        let share = shape.time * shape.units;
        let streams = driven.par_chunks_mut(3 * share).zip(recalled.par_chunks_mut(3 * share));
        streams.enumerate().for_each(|(stream, (driven, recalled))| {
            let part = stream * share..(stream + 1) * share;
            let seen = GruStates {
                gates: &seen.gates[2 * stream * share..][..2 * share],
                candidates: &seen.candidates[part.clone()],
                recalled: &seen.recalled[part.clone()],
                states: &seen.states[part.clone()],
            };
            let units = shape.units;
            simd.vectorize(StreamCredit {
                units,
                seen,
                modulation: &modulation[part],
                reach,
                driven,
                recalled,
            });
        });
    }
}

/// One recording.
struct StreamCredit<'a> {
    units: usize,
    seen: GruStates<&'a [f32]>,
    modulation: &'a [f32],
    reach: Reach,
    driven: &'a mut [f32],
    recalled: &'a mut [f32],
}

impl Kernel for StreamCredit<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { units, seen, modulation, reach, driven, recalled } = self;
        // Sixteen units at a time, backward in time: their credit stays in a register.
        for first in (0..units).step_by(LANES) {
            let count = LANES.min(units - first);
            let mut credit = [0.0_f32; LANES];
            for t in (0..modulation.len() / units).rev() {
                let at = t * units + first;
                let told = line_at(modulation, at, count);
                for (credit, told) in credit.iter_mut().zip(told) {
                    *credit += told;
                }
                let gates = 2 * t * units + first;
                let (r, z) =
                    (line_at(seen.gates, gates, count), line_at(seen.gates, gates + units, count));
                let (n, v) =
                    (line_at(seen.candidates, at, count), line_at(seen.recalled, at, count));
                let before =
                    if t == 0 { [0.0; LANES] } else { line_at(seen.states, at - units, count) };
                let mut slopes = [[0.0_f32; LANES]; 4];
                for i in 0..LANES {
                    let open = 1.0 - z[i];
                    let delta_n = credit[i] * (open * (1.0 - n[i] * n[i]));
                    let delta_z = credit[i] * ((before[i] - n[i]) * z[i] * open);
                    let delta_r = delta_n * v[i] * (r[i] * (1.0 - r[i]));
                    slopes[0][i] = delta_r;
                    slopes[1][i] = delta_z;
                    slopes[2][i] = delta_n;
                    slopes[3][i] = delta_n * r[i];
                    credit[i] = match reach {
                        Reach::Memory => credit[i] * z[i],
                        Reach::Present => 0.0,
                    };
                }
                for gate in 0..3 {
                    let to = (3 * t + gate) * units + first;
                    driven[to..to + count].copy_from_slice(&slopes[gate][..count]);
                    let past = if gate == 2 { 3 } else { gate };
                    recalled[to..to + count].copy_from_slice(&slopes[past][..count]);
                }
            }
        }
    }
}

/// `count` values from `at` on, filled up with zeros.
#[inline(always)]
fn line_at(values: &[f32], at: usize, count: usize) -> [f32; LANES] {
    // Nearly always: a copy of known length is a register, any other a call.
    if let (LANES, Some(line)) = (count, values[at..].first_chunk()) {
        return *line;
    }
    let mut line = [0.0; LANES];
    line[..count].copy_from_slice(&values[at..at + count]);
    line
}
