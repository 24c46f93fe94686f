//! The online rule: equal to the batched rule, to loops over single synapses, and to hand numbers.

mod common;

use burn::tensor::{DType, Device, Tensor};
use clapp_rules::{
    Draws, Feedback, Lateral, Negatives, Objective, Optimizer, Outcome, Pairs, Rule, Synapses,
    Timing,
    online::{OnlineLayer, OnlineStep, OnlineUpdate},
};
use common::{distance, host, literal, tensor, tensor_as, uniform};
use ndarray::{Array1, Array2, Array3, Axis};
use rand::RngExt;

/// Sums of some hundred products of doubles, in two orders.
const ROUNDING: f64 = 1e-12;
/// The same in single precision: the bound that the online rule is asked to keep.
const SINGLE: f64 = 1e-6;

const STREAMS: usize = 6;
const STEPS: usize = 8;
const INPUTS: usize = 5;
const NEURONS: usize = 4;

const FEEDBACK: [Feedback; 4] =
    [Feedback::Symmetric, Feedback::PredRetro, Feedback::PredRetroShared, Feedback::Blocked];

fn random(index: u64) -> clapp_random::Stream {
    clapp_random::stream(3, clapp_random::Purpose::Test, [index, 0, 0, 0])
}

fn own_weights(feedback: Feedback) -> bool {
    matches!(feedback, Feedback::PredRetro | Feedback::PredRetroShared)
}

/// The layer as loops over single synapses, in double precision.
struct Loops {
    feedback: Feedback,
    weight: Array2<f64>,
    bias: Array1<f64>,
    w_pred: Array2<f64>,
    w_retro: Array2<f64>,
    trace: Option<Trace>,
}

/// What it remembers of one step ago: x, a, z, W_pred z.
struct Trace {
    input: Array2<f64>,
    summed: Array2<f64>,
    activity: Array2<f64>,
    dendrite: Array2<f64>,
}

/// What one step would change.
struct Change {
    weight: Array2<f64>,
    bias: Array1<f64>,
    w_pred: Array2<f64>,
    w_retro: Array2<f64>,
    score: Vec<f64>,
    third_factor: Vec<f64>,
}

impl Loops {
    fn random(feedback: Feedback, random: &mut dyn rand::Rng) -> Self {
        Self {
            feedback,
            weight: uniform((NEURONS, INPUTS), random),
            bias: uniform(NEURONS, random),
            w_pred: uniform((NEURONS, NEURONS), random),
            w_retro: uniform((NEURONS, NEURONS), random),
            trace: None,
        }
    }

    /// The crate's layer with the same weights.
    fn layer(&self, dtype: DType) -> OnlineLayer {
        let mut random = random(99);
        let device = Device::flex();
        let mut layer = OnlineLayer::init(INPUTS, NEURONS, self.feedback, &device, &mut random);
        layer.weight = Synapses::new(tensor_as(&self.weight, dtype));
        layer.bias = Synapses::new(tensor_as(&self.bias, dtype));
        layer.rule.w_pred = Synapses::new(tensor_as(&self.w_pred, dtype));
        if let Some(w_retro) = &mut layer.rule.w_retro {
            *w_retro = Synapses::new(tensor_as(&self.w_retro, dtype));
        }
        layer
    }

    /// z of every stream.
    fn activity(&self, input: &Array2<f64>) -> Array2<f64> {
        self.summed(input).mapv(|a| a.max(0.0))
    }

    fn summed(&self, input: &Array2<f64>) -> Array2<f64> {
        let mut summed = Array2::zeros((input.nrows(), NEURONS));
        for ((s, j), a) in summed.indexed_iter_mut() {
            *a = self.bias[j];
            for i in 0..INPUTS {
                *a += self.weight[[j, i]] * input[[s, i]];
            }
        }
        summed
    }

    fn observe(&mut self, input: &Array2<f64>, outcomes: &[Outcome]) -> Option<Change> {
        let (summed, activity) = (self.summed(input), self.activity(input));
        let mut dendrite = Array2::zeros(activity.raw_dim());
        for ((s, j), value) in dendrite.indexed_iter_mut() {
            for k in 0..NEURONS {
                *value += self.w_pred[[j, k]] * activity[[s, k]];
            }
        }
        let now = Trace { input: input.clone(), summed, activity, dendrite };
        let before = self.trace.take();
        let change = before.map(|before| self.change(&now, &before, outcomes));
        self.trace = Some(now);
        change
    }

    fn change(&self, now: &Trace, before: &Trace, outcomes: &[Outcome]) -> Change {
        let streams = outcomes.len();
        let mut change = Change {
            weight: Array2::zeros((NEURONS, INPUTS)),
            bias: Array1::zeros(NEURONS),
            w_pred: Array2::zeros((NEURONS, NEURONS)),
            w_retro: Array2::zeros((NEURONS, NEURONS)),
            score: Vec::new(),
            third_factor: Vec::new(),
        };
        for (s, outcome) in outcomes.iter().enumerate() {
            let (z, c) = (now.activity.row(s), before.activity.row(s));
            let u: f64 = (0..NEURONS).map(|j| z[j] * before.dendrite[[s, j]]).sum();
            let y = outcome.sign();
            let gamma = if y * u < 1.0 { y } else { 0.0 };
            change.score.push(u);
            change.third_factor.push(gamma);
            let gamma = gamma / streams as f64;
            for j in 0..NEURONS {
                let way_back: f64 = (0..NEURONS)
                    .map(|k| match self.feedback {
                        Feedback::Symmetric => self.w_pred[[k, j]] * z[k],
                        Feedback::PredRetro | Feedback::PredRetroShared => {
                            self.w_retro[[j, k]] * z[k]
                        }
                        _ => 0.0,
                    })
                    .sum();
                let slope = |a: f64| if a > 0.0 { 1.0 } else { 0.0 };
                let post = gamma * before.dendrite[[s, j]] * slope(now.summed[[s, j]]);
                let post_before = gamma * way_back * slope(before.summed[[s, j]]);
                for i in 0..INPUTS {
                    change.weight[[j, i]] +=
                        post * now.input[[s, i]] + post_before * before.input[[s, i]];
                }
                change.bias[j] += post + post_before;
                for k in 0..NEURONS {
                    change.w_pred[[j, k]] += gamma * z[j] * c[k];
                    change.w_retro[[k, j]] += gamma * c[k] * z[j];
                }
            }
        }
        change
    }

    fn learn(&mut self, change: &Change, rate: f64) {
        self.weight.scaled_add(rate, &change.weight);
        self.bias.scaled_add(rate, &change.bias);
        self.w_pred.scaled_add(rate, &change.w_pred);
        self.w_retro.scaled_add(rate, &change.w_retro);
    }
}

/// Inputs and outcomes of some streams; every stream jumps now and then.
fn stream(random: &mut dyn rand::Rng) -> Vec<(Array2<f64>, Vec<Outcome>)> {
    let step = |random: &mut dyn rand::Rng| {
        let outcome = |random: &mut dyn rand::Rng| {
            if random.random_bool(0.4) { Outcome::Saccade } else { Outcome::Fixation }
        };
        let input = uniform((STREAMS, INPUTS), random);
        (input, (0..STREAMS).map(|_| outcome(random)).collect())
    };
    (0..STEPS).map(|_| step(random)).collect()
}

fn assert_changes(found: &OnlineUpdate, expected: &Change, bound: f64, what: &str) {
    let close = |name: &str, found: Vec<f64>, expected: Vec<f64>| {
        let d = distance(&found, &expected);
        assert!(d < bound, "{what}: {name} differs by {d:e}");
    };
    close("ΔW", host(found.weight.clone()), expected.weight.iter().copied().collect());
    close("Δb", host(found.bias.clone()), expected.bias.to_vec());
    close("u", host(found.signals.score.clone()), expected.score.clone());
    close("γ", host(found.signals.third_factor.clone()), expected.third_factor.clone());
}

/// ΔW_pred and ΔW_retro of a step, read from what a plain step of rate 1 changes.
fn lateral_changes(layer: &OnlineLayer, update: &OnlineUpdate) -> (Vec<f64>, Option<Vec<f64>>) {
    let mut rule = layer.rule.clone();
    let before = (rule.w_pred.weight(), rule.w_retro.as_ref().map(Synapses::weight));
    rule.learn(&update.signals, &Optimizer::Plain { rate: 1.0 });
    let w_pred = host(rule.w_pred.weight() - before.0);
    let w_retro = before.1.zip(rule.w_retro).map(|(before, after)| host(after.weight() - before));
    (w_pred, w_retro)
}

#[test]
fn frozen_stream_equals_loops() {
    for (dtype, bound) in [(DType::F64, ROUNDING), (DType::F32, SINGLE)] {
        for feedback in FEEDBACK {
            let mut random = random(1);
            let mut loops = Loops::random(feedback, &mut random);
            let mut layer = loops.layer(dtype);
            let mut gammas = Vec::new();
            for (t, (input, outcomes)) in stream(&mut random).into_iter().enumerate() {
                let step = layer.observe(tensor_as(&input, dtype), &outcomes);
                let d = distance(&host(step.activity), loops.activity(&input).iter());
                assert!(d < bound, "{feedback:?} {t}: z differs by {d:e}");
                let change = loops.observe(&input, &outcomes);
                assert_eq!(step.update.is_some(), change.is_some());
                let Some((update, change)) = step.update.zip(change) else { continue };
                assert_changes(&update, &change, bound, &format!("{feedback:?} {dtype:?} {t}"));
                gammas.extend(change.third_factor);
                let (w_pred, w_retro) = lateral_changes(&layer, &update);
                assert!(distance(&w_pred, change.w_pred.iter()) < bound);
                assert_eq!(w_retro.is_some(), own_weights(feedback));
                if let Some(w_retro) = w_retro {
                    assert!(distance(&w_retro, change.w_retro.iter()) < bound);
                }
            }
            // The comparison means something only if gates of both signs open, and some close.
            for gamma in [-1.0, 0.0, 1.0] {
                assert!(gammas.iter().any(|g| (g - gamma).abs() < ROUNDING), "no γ of {gamma}");
            }
        }
    }
}

#[test]
fn weights_that_change_at_once_follow_the_loops() {
    let rate = 0.05;
    for feedback in FEEDBACK {
        let mut random = random(2);
        let mut loops = Loops::random(feedback, &mut random);
        let mut layer = loops.layer(DType::F64);
        for (input, outcomes) in stream(&mut random) {
            let OnlineStep { update, .. } =
                layer.step(tensor(&input), &outcomes, &Optimizer::Plain { rate });
            let change = loops.observe(&input, &outcomes);
            let Some((update, change)) = update.zip(change) else { continue };
            assert_changes(&update, &change, ROUNDING, &format!("{feedback:?}"));
            loops.learn(&change, rate);
            let close = |found: Vec<f64>, expected: &Array2<f64>| {
                assert!(distance(&found, expected.iter()) < ROUNDING, "{feedback:?}");
            };
            close(host(layer.weight.weight()), &loops.weight);
            close(host(layer.rule.w_pred.weight()), &loops.w_pred);
            assert!(distance(&host(layer.bias.weight()), loops.bias.iter()) < ROUNDING);
            if let Some(w_retro) = &layer.rule.w_retro {
                close(host(w_retro.weight()), &loops.w_retro);
            }
        }
    }
}

/// The batched rule over neighbouring time steps, with the one third factor of the online rule.
fn batched(feedback: Feedback) -> Rule {
    let feedback = if own_weights(feedback) { Feedback::PredRetroShared } else { feedback };
    Rule {
        objective: Objective::Hinge,
        timing: Timing::TimeLocal,
        negatives: Negatives { count: 1, ..Negatives::default() },
        feedback,
        prediction_steps: 1,
        skip: 0,
        window: None,
    }
}

fn lateral(layer: &OnlineLayer) -> Lateral {
    let of = |synapses: &Synapses<2>| Synapses::new(synapses.weight().unsqueeze::<3>());
    let lateral = Lateral::default().with("w_pred", of(&layer.rule.w_pred));
    match &layer.rule.w_retro {
        Some(w_retro) => lateral.with("w_retro", of(w_retro)),
        None => lateral,
    }
}

/// Σ m ρ′(a) x over rows.
fn feed_forward(modulation: &[f64], activity: &Array2<f64>, input: &Array2<f64>) -> Array2<f64> {
    let mut delta = Array2::zeros((NEURONS, INPUTS));
    for (row, x) in input.rows().into_iter().enumerate() {
        for j in (0..NEURONS).filter(|&j| activity[[row, j]] > 0.0) {
            for i in 0..INPUTS {
                delta[[j, i]] += modulation[row * NEURONS + j] * x[i];
            }
        }
    }
    delta
}

/// ΔW and ΔW_pred of the batched rule for the pair (t − δt, t) of the streams with one outcome.
///
/// A stream that jumped has landed already: its saccade target is its own present activity.
fn batched_pair(
    layer: &OnlineLayer,
    loops: &Loops,
    frames: [&Array2<f64>; 2],
    outcome: Outcome,
) -> (Array2<f64>, Vec<f64>) {
    let streams = frames[0].nrows();
    let activity = frames.map(|frame| loops.activity(frame));
    let stacked = ndarray::stack(Axis(1), &[activity[0].view(), activity[1].view()])
        .expect("both frames have every stream");
    let grid: Tensor<4> = tensor::<3, _>(&stacked).unsqueeze_dim(2); // [stream, 2, 1, neuron]
    let index = (0..streams as u32).collect();
    let pairs = vec![Pairs { shift: 1, count: 1, index }];
    let draws = Draws { pairs, outcomes: Some(vec![outcome; streams]), window: None };
    let rule = batched(loops.feedback);
    let update = rule.update(grid.clone(), grid, &lateral(layer), &[draws]);
    let modulation = update.modulation().reshape([streams, 2, NEURONS]);
    let mut delta = Array2::zeros((NEURONS, INPUTS));
    for (t, frame) in frames.into_iter().enumerate() {
        let modulation = host(modulation.clone().narrow(1, t, 1));
        delta += &feed_forward(&modulation, &activity[t], frame);
    }
    (delta, host(update.lateral.delta("w_pred")))
}

#[test]
fn one_step_of_many_streams_equals_the_batched_rule() {
    for feedback in FEEDBACK {
        let mut random = random(4);
        let loops = Loops::random(feedback, &mut random);
        let mut layer = loops.layer(DType::F64);
        let frames = stream(&mut random);
        for t in 0..STEPS {
            let (input, outcomes) = &frames[t];
            let Some(update) = layer.observe(tensor(input), outcomes).update else { continue };
            let (mut delta, mut w_pred) = (Array2::zeros((NEURONS, INPUTS)), Array1::zeros(16));
            for outcome in [Outcome::Fixation, Outcome::Saccade] {
                let streams: Vec<usize> =
                    (0..STREAMS).filter(|&s| outcomes[s] == outcome).collect();
                if streams.is_empty() {
                    continue;
                }
                let before = frames[t - 1].0.select(Axis(0), &streams);
                let now = input.select(Axis(0), &streams);
                let part = batched_pair(&layer, &loops, [&before, &now], outcome);
                // Batches take a mean over each kind of outcome, streams one over all streams.
                let share = streams.len() as f64 / STREAMS as f64;
                delta.scaled_add(share, &part.0);
                w_pred.scaled_add(share, &Array1::from(part.1));
            }
            assert!(distance(&host(update.weight.clone()), delta.iter()) < ROUNDING);
            let (lateral, _) = lateral_changes(&layer, &update);
            assert!(distance(&lateral, w_pred.iter()) < ROUNDING, "{feedback:?} {t}");
        }
    }
}

#[test]
fn a_film_without_saccades_adds_up_to_one_batched_update() {
    for feedback in FEEDBACK {
        let mut random = random(5);
        let loops = Loops::random(feedback, &mut random);
        let mut layer = loops.layer(DType::F64);
        let frames: Vec<Array2<f64>> =
            (0..STEPS).map(|_| uniform((STREAMS, INPUTS), &mut random)).collect();
        let mut online = Array1::zeros(NEURONS * INPUTS);
        for frame in &frames {
            let step = layer.observe(tensor(frame), &[Outcome::Fixation; STREAMS]);
            if let Some(update) = step.update {
                online += &Array1::from(host(update.weight));
            }
        }
        let activity: Vec<Array2<f64>> = frames.iter().map(|frame| loops.activity(frame)).collect();
        let film =
            Array3::from_shape_fn((STREAMS, STEPS, NEURONS), |(s, t, j)| activity[t][[s, j]]);
        let grid: Tensor<4> = tensor::<3, _>(&film).unsqueeze_dim(2);
        let rule = batched(feedback);
        let mut draws = rule.draw([STREAMS, STEPS, 1].into(), &mut random);
        draws[0].outcomes = Some(vec![Outcome::Fixation; STREAMS]);
        let update = rule.update(grid.clone(), grid, &lateral(&layer), &draws);
        let mut batched = Array2::zeros((NEURONS, INPUTS));
        for t in 0..STEPS {
            let modulation = host(update.modulation().narrow(1, t, 1));
            batched += &feed_forward(&modulation, &activity[t], &frames[t]);
        }
        batched *= (STEPS - 1) as f64; // A sum over steps against a mean.
        assert!(distance(online.iter(), batched.iter()) < ROUNDING, "{feedback:?}");
    }
}

#[test]
fn the_two_neurons_of_the_documentation_by_hand() {
    // `docs/equations.md`, section 11: W = (1, 2)ᵀ, x = 1 and then ½, W_pred = diag(0.1, 0.2).
    for (outcome, gamma, loss) in [(Outcome::Fixation, 1.0, 0.55), (Outcome::Saccade, -1.0, 1.45)] {
        let device = Device::flex();
        let mut layer = OnlineLayer::init(1, 2, Feedback::Symmetric, &device, &mut random(6));
        layer.weight = Synapses::new(literal([2, 1], &[1.0, 2.0]));
        layer.bias = Synapses::new(literal([2], &[0.0, 0.0]));
        layer.rule.w_pred = Synapses::new(literal([2, 2], &[0.1, 0.0, 0.0, 0.2]));
        assert!(layer.observe(literal([1, 1], &[1.0]), &[outcome]).update.is_none());
        let step = layer.observe(literal([1, 1], &[0.5]), &[outcome]);
        let update = step.update.expect("there was a step before");
        assert!(distance(&host(update.signals.score.clone()), &[0.45]) < ROUNDING);
        assert!((update.signals.monitor().loss - loss).abs() < ROUNDING);
        assert!(distance(&host(update.weight.clone()), &[gamma * 0.1, gamma * 0.4]) < ROUNDING);
        let lateral = [0.5, 1.0, 1.0, 2.0].map(|delta| gamma * delta);
        assert!(distance(&lateral_changes(&layer, &update).0, &lateral) < ROUNDING);
    }
}

#[test]
fn a_stream_has_one_third_factor_whatever_the_way_back() {
    let mut results = Vec::new();
    for feedback in [Feedback::PredRetro, Feedback::PredRetroShared] {
        let mut random = random(7);
        let mut layer = Loops::random(feedback, &mut random).layer(DType::F64);
        for (input, outcomes) in stream(&mut random) {
            let step = layer.step(tensor(&input), &outcomes, &Optimizer::Plain { rate: 0.1 });
            results.push((feedback, host(step.activity)));
        }
    }
    let (own, shared) = results.split_at(STEPS);
    assert!(own.iter().zip(shared).all(|(own, shared)| own.1 == shared.1));
}

#[test]
fn the_first_step_gives_nothing_and_changes_nothing() {
    let mut random = random(8);
    let mut layer = Loops::random(Feedback::PredRetro, &mut random).layer(DType::F64);
    let before = host(layer.weight.weight());
    let (input, outcomes) = stream(&mut random).remove(0);
    assert!(layer.step(tensor(&input), &outcomes, &Optimizer::default()).update.is_none());
    assert_eq!(host(layer.weight.weight()), before);
    assert_eq!(layer.weight.steps(), 0);
}

#[test]
fn a_reset_forgets_the_previous_recording() {
    let mut random = random(9);
    let mut layer = Loops::random(Feedback::PredRetro, &mut random).layer(DType::F64);
    let frames = stream(&mut random);
    let run = |layer: &mut OnlineLayer| -> Vec<Option<Vec<f64>>> {
        let observe = |(input, outcomes): &(Array2<f64>, Vec<Outcome>)| {
            layer.observe(tensor(input), outcomes).update.map(|update| host(update.weight))
        };
        frames.iter().map(observe).collect()
    };
    let first = run(&mut layer);
    layer.reset();
    assert_eq!(run(&mut layer), first);
}

#[test]
fn blocked_feedback_teaches_the_past_nothing() {
    let mut random = random(10);
    let mut layer = Loops::random(Feedback::Blocked, &mut random).layer(DType::F64);
    let mut updates = 0;
    for (input, outcomes) in stream(&mut random) {
        if let Some(update) = layer.observe(tensor(&input), &outcomes).update {
            assert!(update.signals.before.is_none());
            updates += 1;
        }
    }
    assert_eq!(updates, STEPS - 1);
}

#[test]
#[should_panic(expected = "online rule: expected an outcome for each of 6 streams, got 2")]
fn a_missing_outcome_is_named() {
    let mut random = random(11);
    let mut layer = Loops::random(Feedback::Blocked, &mut random).layer(DType::F64);
    let (input, _) = stream(&mut random).remove(0);
    let _ = layer.observe(tensor(&input), &[Outcome::Fixation; 2]);
}
