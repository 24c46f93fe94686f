//! What must hold whatever the numbers are.

mod common;

use clapp_rules::equations::third_factor;
use clapp_rules::{
    Draws, Feedback, Negatives, Objective, Optimizer, Outcome, Pairs, Rule, Scope, SelfHits,
    Synapses, Timing,
};
use common::{Layer, distance, host, literal, tensor, uniform};
use ndarray::{Array1, Array4, Axis};
use proptest::prelude::*;

/// Sums of some hundred products of doubles, in two orders.
const ROUNDING: f64 = 1e-12;

const GRID: [usize; 3] = [4, 4, 2];

fn random(seed: u64) -> clapp_random::Stream {
    clapp_random::stream(seed, clapp_random::Purpose::Test, [0; 4])
}

fn feedback() -> impl Strategy<Value = Feedback> {
    prop_oneof![
        Just(Feedback::Symmetric),
        Just(Feedback::PredRetro),
        Just(Feedback::PredRetroShared),
        Just(Feedback::Blocked),
    ]
}

fn timing() -> impl Strategy<Value = Timing> {
    prop_oneof![Just(Timing::Synchronous), Just(Timing::TimeLocal)]
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![Just(Scope::Everywhere), Just(Scope::SamePosition), Just(Scope::SamePositionShared)]
}

fn rule(feedback: Feedback, timing: Timing, scope: Scope) -> Rule {
    let negatives = Negatives { count: 2, scope, self_hits: SelfHits::Allowed, pool: None };
    let objective = Objective::Hinge;
    Rule { objective, timing, negatives, feedback, prediction_steps: 2, skip: 0, window: None }
}

/// The same draws for a batch in which sample `order[i]` stands at place i.
fn reordered(draws: &Draws, order: &[usize]) -> Draws {
    let [batch, time, site] = GRID;
    let place = |sample: usize| {
        order.iter().position(|&s| s == sample).expect("an order holds every sample")
    };
    let pairs = |pairs: &Pairs| {
        let positions = (time - pairs.shift) * site;
        let mut index = Vec::with_capacity(pairs.index.len());
        for &sample in order {
            let row = sample * positions * pairs.count;
            for &to in &pairs.index[row..row + positions * pairs.count] {
                let (source, position) = (to as usize / positions, to as usize % positions);
                index.push((place(source) * positions + position) as u32);
            }
        }
        Pairs { index, ..pairs.clone() }
    };
    let outcomes = draws.outcomes.as_ref().map(|o| (0..batch).map(|i| o[order[i]]).collect());
    Draws { pairs: draws.pairs.iter().map(pairs).collect(), outcomes, window: None }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn gamma_is_minus_one_zero_or_one(u in -1e9f64..1e9, small in -3f64..3.0) {
        for (outcome, allowed) in [(Outcome::Fixation, [0.0, 1.0]), (Outcome::Saccade, [0.0, -1.0])] {
            for gamma in host(third_factor(literal([1, 2], &[u, small]), outcome)) {
                prop_assert!(allowed.iter().any(|a| (a - gamma).abs() < f64::EPSILON), "{}", gamma);
            }
        }
    }

    #[test]
    fn flipping_y_and_u_flips_gamma(u in -3f64..3.0) {
        let u = literal([1, 1], &[u]);
        let fixation = host(third_factor(u.clone(), Outcome::Fixation));
        prop_assert_eq!(fixation, host(-third_factor(-u, Outcome::Saccade)));
    }

    #[test]
    fn flipping_y_flips_gamma_inside_both_margins(u in -0.999f64..0.999) {
        let u = literal([1, 1], &[u]);
        let fixation = host(third_factor(u.clone(), Outcome::Fixation));
        prop_assert_eq!(fixation, host(-third_factor(u, Outcome::Saccade)));
    }

    #[test]
    fn permuting_the_batch_permutes_the_modulation(
        seed: u64, feedback in feedback(), timing in timing(), scope in scope(),
        order in Just((0..GRID[0]).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let (rule, mut random) = (rule(feedback, timing, scope), random(seed));
        let layer = Layer::random(GRID, [3, 3], rule.prediction_steps, &mut random);
        let draws = rule.draw(GRID.into(), &mut random);
        let moved = Layer {
            z: layer.z.select(Axis(0), &order),
            c: layer.c.select(Axis(0), &order),
            w_pred: layer.w_pred.clone(),
            w_retro: layer.w_retro.clone(),
        };
        let moved_draws: Vec<Draws> = draws.iter().map(|d| reordered(d, &order)).collect();
        let (before, after) = (layer.update(&rule, &draws), moved.update(&rule, &moved_draws));
        let modulation = host(before.modulation());
        let samples: Vec<&[f64]> = modulation.chunks(modulation.len() / GRID[0]).collect();
        let expected: Vec<f64> = order.iter().flat_map(|&s| samples[s].to_vec()).collect();
        prop_assert!(distance(&host(after.modulation()), &expected) < ROUNDING);
        let deltas = [before.lateral.delta("w_pred"), after.lateral.delta("w_pred")].map(host);
        prop_assert!(distance(&deltas[0], &deltas[1]) < ROUNDING);
    }

    #[test]
    fn scaling_the_rate_scales_a_plain_step(seed: u64, rate in 1e-3f64..1.0, factor in 0.1f64..10.0) {
        let mut random = random(seed);
        let (weight, delta) = (uniform((3, 4), &mut random), uniform((3, 4), &mut random));
        let change = |rate: f64| {
            let mut synapses = Synapses::<2>::new(tensor(&weight));
            synapses.learn(tensor(&delta), &Optimizer::Plain { rate });
            host(synapses.weight() - tensor(&weight))
        };
        let scaled: Vec<f64> = change(rate).iter().map(|change| factor * change).collect();
        // The change is a difference of weights, so their last digit limits it.
        prop_assert!(distance(&change(factor * rate), &scaled) < ROUNDING / rate);
    }

    #[test]
    fn a_context_orthogonal_to_everything_opens_every_gate(seed: u64, timing in timing()) {
        // W_pred c = 0: u = 0, so γ = +1 at every fixation and −1 at every saccade.
        let (rule, mut random) = (rule(Feedback::Symmetric, timing, Scope::Everywhere), random(seed));
        let mut layer = Layer::random(GRID, [3, 4], rule.prediction_steps, &mut random);
        for channel in 0..2 {
            layer.c.index_axis_mut(Axis(3), channel).fill(0.0);
            layer.w_pred.index_axis_mut(Axis(2), 2 + channel).fill(0.0);
        }
        let draws = rule.draw(GRID.into(), &mut random);
        let update = layer.update(&rule, &draws);
        let monitor = update.monitor();
        prop_assert!((monitor.open_gates - 1.0).abs() < ROUNDING);
        let gamma = host(third_factor(literal([1, 1], &[0.0]), Outcome::Fixation));
        prop_assert_eq!(gamma, [1.0]);
        let loss: f64 = match draws[0].outcomes.as_deref() {
            None => 2.0,
            // One term for each kind of outcome that occurs.
            Some(o) => [Outcome::Fixation, Outcome::Saccade].iter().filter(|y| o.contains(y)).count() as f64,
        };
        prop_assert!((monitor.loss - loss).abs() < ROUNDING);
    }

    #[test]
    fn samples_that_are_predicted_well_enough_teach_nothing(seed: u64, feedback in feedback()) {
        let (rule, mut random) = (satisfied_rule(feedback), random(seed));
        let mut small = Layer::random([3, 2, 1], [3, 3], 1, &mut random);
        // With W_retro = W_predᵀ the score of the way back agrees, so that both halves are satisfied.
        let transposed = small.w_pred.view().permuted_axes([0, 2, 1]);
        small.w_retro = transposed.as_standard_layout().into_owned();
        let Some(large) = with_two_satisfied_samples(&small) else {
            return Err(TestCaseError::reject("too weak a prediction"));
        };
        let index = vec![1, 2, 0];
        let draws = |index: Vec<u32>| {
            let half = Draws { pairs: vec![Pairs { shift: 1, count: 1, index }], outcomes: None, window: None };
            vec![half; 1 + usize::from(feedback == Feedback::PredRetro)]
        };
        // The two new samples are each other's saccade target.
        let after = large.update(&rule, &draws([index.clone(), vec![4, 3]].concat()));
        let before = small.update(&rule, &draws(index));
        // Every term is a mean over samples: 3 of 5 remain.
        let scaled = |values: Vec<f64>| values.iter().map(|v| v * 3.0 / 5.0).collect::<Vec<_>>();
        let mut modulation = scaled(host(before.modulation()));
        modulation.extend([0.0; 12]);
        prop_assert!(distance(&host(after.modulation()), &modulation) < ROUNDING);
        let delta = scaled(host(before.lateral.delta("w_pred")));
        prop_assert!(distance(&host(after.lateral.delta("w_pred")), &delta) < ROUNDING);
    }
}

fn satisfied_rule(feedback: Feedback) -> Rule {
    let negatives = Negatives { count: 1, ..Negatives::default() };
    Rule {
        prediction_steps: 1,
        negatives,
        ..rule(feedback, Timing::Synchronous, Scope::SamePosition)
    }
}

/// Adds a sample whose target is what its context predicts, at u = 2, and its mirror image.
fn with_two_satisfied_samples(small: &Layer) -> Option<Layer> {
    let w = small.w_pred.index_axis(Axis(0), 0);
    let c: Array1<f64> = (0..3).map(|k| small.c[[0, 0, 0, k]]).collect();
    let prediction: Array1<f64> = w.dot(&c);
    let square = prediction.dot(&prediction);
    if square < 0.01 {
        return None; // It would reach the margin with huge activities only.
    }
    let target = &prediction * (2.0 / square);
    let frames = [c.to_vec(), target.to_vec(), (-c).to_vec(), (-target).to_vec()].concat();
    let two = Array4::from_shape_vec((2, 2, 1, 3), frames).expect("two samples of two frames");
    let join = |grid: &Array4<f64>| {
        ndarray::concatenate(Axis(0), &[grid.view(), two.view()]).expect("same frames")
    };
    Some(Layer {
        z: join(&small.z),
        c: join(&small.c),
        w_pred: small.w_pred.clone(),
        w_retro: small.w_retro.clone(),
    })
}
