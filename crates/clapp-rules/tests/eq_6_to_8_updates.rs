//! ΔW_pred, ΔW_retro and the modulation of both sides against loops over single synapses.
//!
//! Equations 6, 7, 8 of the older version of the paper, 8, 9, 10 of the newer.

mod common;

use burn::tensor::{DType, Device, Tensor};
use clapp_rules::equations::{
    Gamma, context_modulation, delta_w_pred, delta_w_retro, target_modulation, weighted_targets,
};
use clapp_rules::{
    Draws, Feedback, GridShape, Negatives, Objective, Outcome, Pairs, Rule, Scope, SelfHits, Timing,
};
use common::{Layer, distance, host, literal};
use ndarray::{Array3, Array4};

/// Sums of some thousand products of doubles, in two orders.
const ROUNDING: f64 = 1e-13;
/// The same in single precision, where Flex has kernels of its own.
const SINGLE: f64 = 1e-6;

const FEEDBACK: [Feedback; 4] =
    [Feedback::Symmetric, Feedback::PredRetro, Feedback::PredRetroShared, Feedback::Blocked];
const TIMING: [Timing; 2] = [Timing::Synchronous, Timing::TimeLocal];
const SCOPE: [Scope; 3] = [Scope::Everywhere, Scope::SamePosition, Scope::SamePositionShared];
const SELF_HITS: [SelfHits; 2] = [SelfHits::Allowed, SelfHits::Excluded];

const GRID: [usize; 3] = [4, 5, 2];

fn random(index: u64) -> clapp_random::Stream {
    clapp_random::stream(8, clapp_random::Purpose::Test, [index, 0, 0, 0])
}

fn rule(feedback: Feedback, timing: Timing, negatives: Negatives) -> Rule {
    let objective = Objective::Hinge;
    Rule { objective, timing, negatives, feedback, prediction_steps: 2, skip: 1, window: None }
}

fn assert_update_equals_loops(layer: &Layer, rule: &Rule, draws: &[Draws]) {
    for (dtype, bound) in [(DType::F64, ROUNDING), (DType::F32, SINGLE)] {
        assert_update_in(dtype, bound, layer, rule, draws);
    }
}

fn assert_update_in(dtype: DType, bound: f64, layer: &Layer, rule: &Rule, draws: &[Draws]) {
    let update = layer.update_as(dtype, rule, draws);
    let expected = layer.expected(rule, draws);
    let close = |name: &str, found: Vec<f64>, expected: &[f64]| {
        let d = distance(&found, expected);
        assert!(d < bound, "{dtype:?} {rule:?}: {name} differs by {d:e}");
    };
    let slice = |array: &Array4<f64>| array.iter().copied().collect::<Vec<_>>();
    close("modulation of the target", host(update.target), &slice(&expected.target));
    let slice_3 = |array: &Array3<f64>| array.iter().copied().collect::<Vec<_>>();
    close("ΔW_pred", host(update.lateral.delta("w_pred")), &slice_3(&expected.w_pred));
    close("loss", host(update.metrics.values.narrow(0, 0, 1)), &[expected.loss]);
    assert_eq!(update.context.is_none(), rule.feedback == Feedback::Blocked);
    if let Some(context) = update.context {
        close("modulation of the context", host(context), &slice(&expected.context));
    }
    let own = matches!(rule.feedback, Feedback::PredRetro | Feedback::PredRetroShared);
    assert_eq!(update.lateral.has("w_retro"), own);
    if own {
        close("ΔW_retro", host(update.lateral.delta("w_retro")), &slice_3(&expected.w_retro));
    }
}

/// Every feedback × timing × scope × self-hits, with the draws of the rule itself.
fn for_every_combination(mut check: impl FnMut(&Rule, &mut clapp_random::Stream)) {
    let mut random = random(1);
    for feedback in FEEDBACK {
        for timing in TIMING {
            for scope in SCOPE {
                for self_hits in SELF_HITS {
                    let count = if scope == Scope::SamePositionShared { 1 } else { 3 };
                    let negatives = Negatives { count, scope, self_hits, pool: None };
                    check(&rule(feedback, timing, negatives), &mut random);
                }
            }
        }
    }
}

#[test]
fn every_combination_of_the_hinge_equals_loops() {
    for_every_combination(|rule, random| {
        let layer = Layer::random(GRID, [3, 3], rule.prediction_steps, random);
        let draws = rule.draw(GRID.into(), random);
        // The comparison means something only if some gates are open and some closed.
        let open = layer.update(rule, &draws).monitor().open_gates;
        assert!((0.05..0.99).contains(&open), "{open} of all gates are open");
        assert_update_equals_loops(&layer, rule, &draws);
    });
}

#[test]
fn context_of_another_width_equals_loops() {
    for_every_combination(|rule, random| {
        let layer = Layer::random(GRID, [3, 5], rule.prediction_steps, random);
        let draws = rule.draw(GRID.into(), random);
        assert_update_equals_loops(&layer, rule, &draws);
    });
}

#[test]
fn every_synchronous_combination_of_info_nce_equals_loops() {
    for_every_combination(|rule, random| {
        if rule.timing == Timing::TimeLocal {
            return; // Not separable; `Rule::validate` says so.
        }
        for epsilon in [0.0, 1e-11, 0.1] {
            let rule = Rule { objective: Objective::InfoNce { epsilon }, ..*rule };
            let layer = Layer::random(GRID, [4, 3], rule.prediction_steps, random);
            let draws = rule.draw(GRID.into(), random);
            assert_update_equals_loops(&layer, &rule, &draws);
        }
    });
}

#[test]
fn pools_of_replicas_equal_loops() {
    let mut random = random(2);
    let negatives = Negatives { count: 2, pool: Some(2), ..Negatives::default() };
    let rule = rule(Feedback::PredRetro, Timing::TimeLocal, negatives);
    let layer = Layer::random(GRID, [3, 3], rule.prediction_steps, &mut random);
    let draws = rule.draw(GRID.into(), &mut random);
    assert_update_equals_loops(&layer, &rule, &draws);
}

#[test]
fn a_batch_in_which_no_eye_jumped_equals_loops() {
    let mut random = random(3);
    let rule = rule(Feedback::Symmetric, Timing::TimeLocal, Negatives::default());
    let layer = Layer::random(GRID, [3, 3], rule.prediction_steps, &mut random);
    let mut draws = rule.draw(GRID.into(), &mut random);
    for outcome in [Outcome::Fixation, Outcome::Saccade] {
        draws[0].outcomes = Some(vec![outcome; GRID[0]]);
        assert_update_equals_loops(&layer, &rule, &draws);
    }
}

#[test]
fn nearest_prediction_without_skip_equals_loops() {
    let mut random = random(4);
    let negatives = Negatives { count: 2, ..Negatives::default() };
    let rule = Rule {
        prediction_steps: 4,
        skip: 0,
        ..rule(Feedback::PredRetroShared, Timing::Synchronous, negatives)
    };
    let layer = Layer::random(GRID, [3, 3], rule.prediction_steps, &mut random);
    let draws = rule.draw(GRID.into(), &mut random);
    assert_update_equals_loops(&layer, &rule, &draws);
}

/// The two neurons of `docs/equations.md`, section 11: c = (1, 2), z = (½, 1), W_pred = diag(0.1, 0.2).
fn two_neurons() -> Layer {
    let grid = |numbers: [f64; 4]| {
        Array4::from_shape_vec((1, 2, 1, 2), numbers.to_vec()).expect("two steps of two neurons")
    };
    let matrix = |numbers: [f64; 4]| {
        Array3::from_shape_vec((1, 2, 2), numbers.to_vec()).expect("one step of two by two")
    };
    let w_pred = matrix([0.1, 0.0, 0.0, 0.2]);
    let activity = grid([1.0, 2.0, 0.5, 1.0]);
    Layer { z: activity.clone(), c: activity, w_retro: w_pred.clone(), w_pred }
}

fn one_pair(outcome: Outcome) -> Vec<Draws> {
    let pairs = vec![Pairs { shift: 1, count: 1, index: vec![0] }];
    vec![Draws { pairs, outcomes: Some(vec![outcome]), window: None }]
}

#[test]
fn the_two_neurons_of_the_documentation_by_hand() {
    let rule = Rule {
        prediction_steps: 1,
        skip: 0,
        ..rule(Feedback::Symmetric, Timing::TimeLocal, Negatives::default())
    };
    // A saccade here lands where the fixation would, so that γ alone turns its sign.
    for (outcome, gamma, loss) in [(Outcome::Fixation, 1.0, 0.55), (Outcome::Saccade, -1.0, 1.45)] {
        let update = two_neurons().update(&rule, &one_pair(outcome));
        let close = |found: Vec<f64>, expected: &[f64]| {
            let expected: Vec<f64> = expected.iter().map(|value| gamma * value).collect();
            assert!(distance(&found, &expected) < ROUNDING, "{outcome:?}: {found:?} {expected:?}");
        };
        close(host(update.target.clone()), &[0.0, 0.0, 0.1, 0.4]);
        close(host(update.context.clone().expect("not blocked")), &[0.05, 0.2, 0.0, 0.0]);
        close(host(update.lateral.delta("w_pred")), &[0.5, 1.0, 1.0, 2.0]);
        assert!((update.monitor().loss - loss).abs() < ROUNDING);
    }
}

#[test]
fn free_functions_by_hand() {
    // Two rows; the first jumps to row 1 with γ = −1, the second to row 0 with its gate closed.
    let gamma =
        Gamma { fixation: literal([2, 1], &[1.0, 2.0]), saccade: literal([2, 1], &[-1.0, 0.0]) };
    let index = Tensor::from_ints([[0, 1], [1, 0]], &Device::flex());
    let targets = literal([2, 2], &[1.0, 2.0, 3.0, 5.0]);
    let weighted = weighted_targets(&gamma, targets, index.clone());
    assert_eq!(host(weighted.clone()), [-2.0, -3.0, 6.0, 10.0]);
    let context = literal([2, 1], &[1.0, 10.0]);
    assert_eq!(host(delta_w_pred(weighted.clone(), context.clone())), [58.0, 97.0]);
    assert_eq!(host(delta_w_retro(weighted.clone(), context)), [58.0, 97.0]);
    let w_retro = literal([1, 2], &[1.0, 0.5]);
    assert_eq!(host(context_modulation(weighted, w_retro)), [-3.5, 11.0]);
    let prediction = literal([2, 2], &[1.0, 0.0, 0.0, 1.0]);
    let modulation = target_modulation(&gamma, prediction, index, 2);
    assert_eq!(host(modulation), [1.0, 0.0, -1.0, 2.0]);
}

#[test]
fn the_lateral_rules_are_transposes_of_each_other() {
    let mut random = random(5);
    let rule = rule(Feedback::PredRetroShared, Timing::Synchronous, Negatives::default());
    let layer = Layer::random(GRID, [3, 4], rule.prediction_steps, &mut random);
    let update = layer.update(&rule, &rule.draw(GridShape::from(GRID), &mut random));
    let w_retro = update.lateral.delta("w_retro");
    assert_eq!(host(update.lateral.delta("w_pred").swap_dims(1, 2)), host(w_retro));
}

#[test]
#[should_panic(expected = "weighted targets: expected γ⁺, γ⁻ and index of")]
fn a_missing_row_of_third_factors_is_named() {
    let gamma = Gamma { fixation: literal([1, 1], &[1.0]), saccade: literal([1, 1], &[1.0]) };
    let index = Tensor::from_ints([[0, 0], [1, 1]], &Device::flex());
    let _ = weighted_targets(&gamma, literal([2, 1], &[0.0; 2]), index);
}

#[test]
#[should_panic(expected = "target modulation: expected γ⁺, γ⁻ and index of")]
fn a_missing_saccade_is_named() {
    let gamma = Gamma { fixation: literal([2, 1], &[1.0; 2]), saccade: literal([2, 2], &[1.0; 4]) };
    let index = Tensor::from_ints([[0, 0], [1, 1]], &Device::flex());
    let _ = target_modulation(&gamma, literal([2, 1], &[0.0; 2]), index, 2);
}
