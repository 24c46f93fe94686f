//! The rule over sound: permutations, windows, samplers of one's own.

mod common;

use clapp_rules::{
    ContrastSampler, Draws, Feedback, GridShape, Negatives, Objective, Pairs, Rule, RuleError,
    Scope, SelfHits, Timing, Window,
};
use common::{Layer, distance, host};
use ndarray::{Array3, Array4};

/// Sums of some thousand products of doubles, in two orders.
const ROUNDING: f64 = 1e-13;

const GRID: [usize; 3] = [4, 11, 2];
const SCOPES: [Scope; 5] = [
    Scope::Everywhere,
    Scope::SamePosition,
    Scope::SamePositionShared,
    Scope::Permuted,
    Scope::PermutedInTime,
];

fn random(index: u64) -> clapp_random::Stream {
    clapp_random::stream(9, clapp_random::Purpose::Test, [index, 0, 0, 0])
}

fn rule(scope: Scope, window: Option<usize>) -> Rule {
    let count = if scope == Scope::SamePositionShared { 1 } else { 3 };
    let negatives = Negatives { count, scope, ..Negatives::default() };
    Rule { negatives, prediction_steps: 4, window, ..Rule::clapp_s_sound() }
}

fn assert_update_equals_loops(layer: &Layer, rule: &Rule, draws: &[Draws]) {
    let (update, expected) = (layer.update(rule, draws), layer.expected(rule, draws));
    let close = |name: &str, found: Vec<f64>, expected: &[f64]| {
        let d = distance(&found, expected);
        assert!(d < ROUNDING, "{rule:?}: {name} differs by {d:.1e}");
    };
    let context = update.context.clone().expect("not blocked");
    close("target", host(update.target.clone()), expected.target.as_slice().expect("standard"));
    close("context", host(context), expected.context.as_slice().expect("standard"));
    let w_pred = host(update.lateral.delta("w_pred"));
    close("ΔW_pred", w_pred, expected.w_pred.as_slice().expect("standard"));
    assert!((update.monitor().loss - expected.loss).abs() < ROUNDING, "{rule:?}: loss");
}

#[test]
fn every_scope_with_and_without_a_window_equals_loops() {
    let mut random = random(0);
    for scope in SCOPES {
        for window in [None, Some(6), Some(11), Some(50)] {
            for timing in [Timing::Synchronous, Timing::TimeLocal] {
                for feedback in [Feedback::Symmetric, Feedback::PredRetro] {
                    let rule = Rule { timing, feedback, ..rule(scope, window) };
                    assert_eq!(rule.validate(GRID[1]), Ok(()));
                    let layer = Layer::random(GRID, [3, 4], 4, &mut random);
                    let draws = rule.draw(GRID.into(), &mut random);
                    assert_update_equals_loops(&layer, &rule, &draws);
                }
            }
        }
    }
}

#[test]
fn info_nce_over_a_window_equals_loops() {
    let mut random = random(1);
    for scope in SCOPES {
        let objective = Objective::InfoNce { epsilon: 0.0 };
        let rule = Rule { objective, ..rule(scope, Some(7)) };
        let layer = Layer::random(GRID, [4, 3], 4, &mut random);
        let draws = rule.draw(GRID.into(), &mut random);
        assert_update_equals_loops(&layer, &rule, &draws);
    }
}

/// L = 0.84…, |dz|, |dc|, |dPred| of the authors' `InfoNCE_Loss` (specification A14.3).
#[test]
fn permuted_info_nce_equals_the_authors_numbers() {
    let z = Array4::from_shape_fn((2, 6, 1, 3), |(b, t, _, j)| {
        (0.37 * ((b * 6 + t) * 3 + j) as f64).sin()
    });
    let c = Array4::from_shape_fn((2, 6, 1, 4), |(b, t, _, j)| {
        (0.23 * ((b * 6 + t) * 4 + j) as f64).cos()
    });
    let w_pred =
        Array3::from_shape_fn((2, 3, 4), |(k, j, i)| (0.5 * ((k * 3 + j) * 4 + i) as f64).sin());
    // Row i jumps to (5i + p) mod 12; shorter steps take the last rows of each permutation.
    let pairs = (1..=2).map(|shift| {
        let rows = 2 * (6 - shift);
        let target = |row: usize, p: usize| (5 * (12 - rows + row) + p) % 12;
        let index = (0..rows).flat_map(|row| (0..3).map(move |p| target(row, p) as u32)).collect();
        Pairs { shift, count: 3, index }
    });
    let draws = Draws {
        pairs: pairs.collect(),
        outcomes: None,
        window: Some(Window { start: 0, steps: 6 }),
    };
    let layer = Layer { z, c, w_retro: Array3::zeros((2, 4, 3)), w_pred };
    let norms = |objective| {
        let rule = Rule { objective, prediction_steps: 2, ..Rule::clapp_s_sound() };
        let update = layer.update(&rule, std::slice::from_ref(&draws));
        let context = update.context.clone().expect("symmetric");
        let norm = |values: Vec<f64>| common::norm(&values);
        (
            update.monitor().loss,
            [
                norm(host(update.target.clone())),
                norm(host(context)),
                norm(host(update.lateral.delta("w_pred"))),
            ],
        )
    };
    let close = |found: f64, expected: f64| {
        assert!((found - expected).abs() < 1e-12, "expected {expected}, got {found}");
    };
    let (loss, [dz, dc, dw]) = norms(Objective::InfoNce { epsilon: 0.0 });
    close(loss, 0.840_429_651_122_883_3);
    close(dz, 0.428_122_012_946_799);
    close(dc, 0.090_129_176_160_754_18);
    close(dw, 0.395_143_050_903_958_8);
    close(norms(Objective::Hinge).0, 1.142_237_082_144_801_4);
}

#[test]
fn a_permutation_hits_every_row_once() {
    let shape = GridShape::from([3, 5, 2]);
    let negatives = Negatives { count: 4, scope: Scope::Permuted, ..Negatives::default() };
    // A shift of 0 would have all rows; the nearest step has all but the first of every sample.
    let draws = negatives.draw(shape, None, &[1, 2], &mut random(2));
    assert_eq!(draws.window, Some(Window { start: 0, steps: 5 }));
    for pairs in &draws.pairs {
        let mut seen = vec![0; shape.rows(0)];
        pairs.index.iter().step_by(4).for_each(|&row| seen[row as usize] += 1);
        assert!(seen.iter().all(|&times| times <= 1));
        assert_eq!(seen.iter().sum::<i32>() as usize, shape.rows(pairs.shift));
    }
    // Steps share permutations: a farther step takes the last entries of a nearer one.
    let (near, far) = (&draws.pairs[0].index, &draws.pairs[1].index);
    assert_eq!(near[near.len() - far.len()..], far[..]);
}

#[test]
fn permutations_in_time_stay_in_their_sample_and_site() {
    let shape = GridShape::from([3, 6, 2]);
    let negatives = Negatives { count: 2, scope: Scope::PermutedInTime, ..Negatives::default() };
    let window = Window { start: 1, steps: 4 };
    let draws = negatives.draw(shape, Some(window), &[2], &mut random(3));
    let pairs = &draws.pairs[0];
    let per_sample = 2 * 2 * 2; // contexts in time × sites × saccades
    for (i, &row) in pairs.index.iter().enumerate() {
        assert_eq!(row as usize / 12, i / per_sample, "sample");
        assert_eq!(row as usize % 2, i / 2 % 2, "site");
    }
    let times: Vec<u32> = pairs.index.iter().map(|row| row % 12 / 2).collect();
    assert_eq!(times[..per_sample], times[per_sample..2 * per_sample], "one draw for all samples");
}

#[test]
fn pools_of_replicas_are_permuted_apart() {
    let shape = GridShape::from([4, 5, 1]);
    let negatives =
        Negatives { count: 3, scope: Scope::Permuted, pool: Some(2), ..Negatives::default() };
    let draws = negatives.draw(shape, None, &[1], &mut random(4));
    for (i, &row) in draws.pairs[0].index.iter().enumerate() {
        assert_eq!(row / 10, (i / 3 / 8) as u32, "context {} of 16", i / 3);
    }
}

#[test]
fn windows_start_anywhere_but_at_the_last_place() {
    let rule = Rule { window: Some(9), ..rule(Scope::Permuted, None) };
    let mut starts = [0; 11];
    for seed in 0..200 {
        let draws = rule.draw(GRID.into(), &mut random(100 + seed));
        starts[draws[0].window.expect("permuted").start] += 1;
    }
    assert!(starts[..2].iter().all(|&times| times > 50), "{starts:?}");
    assert!(starts[2..].iter().all(|&times| times == 0), "{starts:?}");
}

#[test]
fn nothing_is_learnt_outside_a_window_but_where_saccades_land() {
    let mut random = random(5);
    let rule = rule(Scope::Permuted, Some(6));
    let layer = Layer::random(GRID, [3, 3], 4, &mut random);
    let draws = rule.draw(GRID.into(), &mut random);
    let window = draws[0].window.expect("longer than the window");
    let context = layer.update(&rule, &draws).context.expect("symmetric");
    for step in 0..GRID[1] {
        let largest = host(context.clone().narrow(1, step, 1).abs().max())[0];
        // The last step of a window predicts nothing any more.
        let learns = (window.start..window.end() - 1).contains(&step);
        assert!(!learns || largest > 0.0, "step {step} of {window:?}");
        assert!(learns || largest <= 0.0, "step {step} of {window:?}");
    }
}

/// Greedy InfoMax's way 0: uniform over all other targets of the step.
#[test]
fn way_zero_never_lands_on_the_true_target() {
    let negatives = Negatives { count: 10, self_hits: SelfHits::Excluded, ..Negatives::default() };
    let rule = Rule { negatives, prediction_steps: 4, window: Some(6), ..Rule::clapp_s_sound() };
    let mut random = random(6);
    let draws = &rule.draw(GRID.into(), &mut random)[0];
    let window = draws.window.expect("longer than the window");
    let [batch, time, site] = GRID;
    for pairs in &draws.pairs {
        let frames = 6 - pairs.shift;
        assert_eq!(pairs.index.len(), batch * frames * site * 10);
        for (i, &row) in pairs.index.iter().enumerate() {
            let (context, row) = (i / 10, row as usize);
            let (sample, position) = (context / (frames * site), context % (frames * site));
            let own = (sample * time + window.start + pairs.shift) * site + position;
            assert_ne!(row, own);
            let step = row % (time * site) / site;
            assert!((window.start + pairs.shift..window.end()).contains(&step));
        }
    }
}

#[derive(Debug)]
struct NextSample;

impl ContrastSampler for NextSample {
    fn pairs(&self, shape: GridShape, shift: usize, _: &mut dyn rand::Rng) -> Pairs {
        let (rows, positions) = (shape.rows(shift), shape.rows(shift) / shape.batch);
        let index = (0..rows).map(|row| ((row + positions) % rows) as u32).collect();
        Pairs { shift, count: 1, index }
    }
}

#[test]
fn a_sampler_of_ones_own_works_with_and_without_a_window() {
    let mut random = random(7);
    for window in [None, Some(6)] {
        let rule = rule(Scope::Everywhere, window);
        let layer = Layer::random(GRID, [3, 3], 4, &mut random);
        let draws = rule.draw_with(&NextSample, GRID.into(), &mut random);
        assert_eq!(draws[0].window.map(|window| window.steps), window);
        assert_update_equals_loops(&layer, &rule, &draws);
    }
}

#[test]
fn permutations_cannot_leave_out_the_true_target() {
    let negatives =
        Negatives { self_hits: SelfHits::Excluded, scope: Scope::Permuted, ..Negatives::default() };
    let rule = Rule { negatives, ..Rule::clapp_s_sound() };
    assert_eq!(rule.validate(128), Err(RuleError::PermutedSelfHits));
}

#[test]
fn a_window_shorter_than_the_furthest_prediction_is_refused() {
    let rule = Rule { window: Some(12), ..Rule::clapp_s_sound() };
    let error = rule.validate(128).unwrap_err();
    assert_eq!(error, RuleError::TooFewTimeSteps { furthest: 12, time: 12 });
    assert!(error.to_string().contains("window"));
}

#[test]
fn a_rule_without_a_window_reads_and_writes_as_before() {
    let text = serde_json::to_string(&Rule::clapp()).expect("a rule is plain data");
    assert!(!text.contains("window"));
    assert_eq!(serde_json::from_str::<Rule>(&text).expect("just written"), Rule::clapp());
    let text = serde_json::to_string(&Rule::clapp_s_sound()).expect("a rule is plain data");
    assert_eq!(serde_json::from_str::<Rule>(&text).expect("just written"), Rule::clapp_s_sound());
}

#[test]
#[should_panic(expected = "update: expected 3 saccades for each of")]
fn a_missing_saccade_is_named() {
    let mut random = random(8);
    let rule = rule(Scope::Permuted, Some(6));
    let layer = Layer::random(GRID, [3, 3], 4, &mut random);
    let mut draws = rule.draw(GRID.into(), &mut random);
    draws[0].pairs[2].index.pop();
    let _ = layer.update(&rule, &draws);
}
