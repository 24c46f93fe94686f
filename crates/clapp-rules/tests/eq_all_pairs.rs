//! The all-pairs rule against its loss as loops over single pairs, and against differences of it.

mod common;

use burn::tensor::DType;
use clapp_random::{Purpose, stream};
use clapp_rules::{
    AllPairs, Feedback, GridShape, Lateral, Matrices, Objective, Outcome, Rows, RuleError, Space,
    Synapses, Timing, Update,
};
use common::{distance, host, tensor_as, uniform};
use ndarray::{Array, Array2, Array3, Array4, Axis, Dimension, ShapeArg, Slice};

/// Sums of some thousand doubles, in two orders.
const ROUNDING: f64 = 1e-12;
/// Half of the step of a central difference; the loss is a sum of products between its kinks, so the
/// rounding of the loss, 1e-16 / 1e-6, is all that is left.
const HALF_STEP: f64 = 1e-6;
const DIFFERENCES: f64 = 1e-8;

const GRID: [usize; 3] = [3, 5, 2];
const CHANNELS: usize = 3;
const STEPS: usize = 2;

const SPACES: [Space; 3] = [Space::Flattened, Space::Collapsed, Space::Segmented];

/// Activities and weights of one layer.
#[derive(Clone)]
struct Layer {
    z: Array4<f64>,
    c: Array4<f64>,
    w_pred: Array3<f64>,
    w_retro: Array3<f64>,
}

impl Layer {
    fn random(grid: [usize; 3], rule: &AllPairs) -> Self {
        let ([b, t, s], mut random) = (grid, stream(6, Purpose::Test, [0; 4]));
        let matrices = rule.lateral.matrices(rule.prediction_steps);
        // Scores of means are smaller: weights that close gates have to be larger.
        let size = if rule.space == Space::Collapsed { 4.0 } else { 1.5 };
        Self {
            z: uniform((b, t, s, CHANNELS), &mut random),
            c: uniform((b, t, s, CHANNELS), &mut random),
            w_pred: uniform((matrices, CHANNELS, CHANNELS), &mut random) * size,
            w_retro: uniform((matrices, CHANNELS, CHANNELS), &mut random) * size,
        }
    }

    fn update(&self, rule: &AllPairs, draws: &[Rows], dtype: DType) -> Update {
        let lateral = |weights| Synapses::new(tensor_as(weights, dtype));
        let lateral = Lateral::default()
            .with("w_pred", lateral(&self.w_pred))
            .with("w_retro", lateral(&self.w_retro));
        let (z, c) = (tensor_as(&self.z, dtype), tensor_as(&self.c, dtype));
        rule.update(z, c, &lateral, draws)
    }

    /// Loss of the first half, scored with W_pred.
    fn forward(&self, rule: &AllPairs, draws: &[Rows]) -> f64 {
        loss(&self.z, &self.c, &self.w_pred, rule, draws[0].outcomes.as_deref())
    }

    /// Loss of the second half, scored with W_retroᵀ.
    fn reverse(&self, rule: &AllPairs, draws: &[Rows]) -> f64 {
        let scores = self.w_retro.clone().permuted_axes([0, 2, 1]);
        loss(&self.z, &self.c, &scores, rule, draws[1].outcomes.as_deref())
    }
}

/// Rows `[clip, time, row, feature]` of a map.
fn features(grid: &Array4<f64>, space: Space) -> Array4<f64> {
    let (b, t, s, c) = grid.dim();
    match space {
        Space::Flattened => reshaped(grid, (b, t, 1, s * c)),
        Space::Collapsed => (grid.sum_axis(Axis(2)) / s as f64).insert_axis(Axis(2)),
        Space::Segmented => grid.clone(),
    }
}

/// The loss of specification D5, one pair after the other.
fn loss(
    z: &Array4<f64>,
    c: &Array4<f64>,
    w: &Array3<f64>,
    rule: &AllPairs,
    outcomes: Option<&[Outcome]>,
) -> f64 {
    let (steps, (_, time, sites, _)) = (rule.prediction_steps, z.dim());
    let mut predictions = vec![c.clone()];
    for k in 1..=steps {
        let (matrix, source) = match rule.lateral {
            Matrices::PerStep => (k - 1, c),
            Matrices::Repeated => (0, &predictions[k - 1]),
        };
        let predicted = predict(source, &w.index_axis(Axis(0), matrix).to_owned());
        predictions.push(predicted);
    }
    let mut sum = 0.0;
    for (k, prediction) in predictions.iter().enumerate().skip(1) {
        let prediction = features(prediction, rule.space);
        let target = features(z, rule.space);
        let span = time - steps;
        let scores = rows(&prediction, 0, span).dot(&rows(&target, k, span).t());
        let clip = (time - steps) * rule.space.rows(sites);
        sum += match rule.objective {
            Objective::Hinge => hinge(&scores, clip, outcomes),
            Objective::InfoNce { .. } => cross_entropy(&scores),
            other => panic!("expected an objective with loops of its own, got {other:?}"),
        };
    }
    rule.scale * sum / steps as f64
}

fn predict(source: &Array4<f64>, matrix: &Array2<f64>) -> Array4<f64> {
    let (b, t, s, c) = source.dim();
    let flat = reshaped(source, (b * t * s, c)).dot(&matrix.t());
    reshaped(&flat, (b, t, s, matrix.nrows()))
}

/// Rows of `span` steps of time from `start` on.
fn rows(grid: &Array4<f64>, start: usize, span: usize) -> Array2<f64> {
    let part = grid.slice_axis(Axis(1), Slice::from(start..start + span));
    let (b, t, r, f) = part.dim();
    reshaped(&part.to_owned(), (b * t * r, f))
}

/// The same numbers, in row-major order, in another shape.
fn reshaped<D: Dimension, S: ShapeArg>(array: &Array<f64, D>, shape: S) -> Array<f64, S::Dim> {
    array.to_shape(shape).expect("as many numbers").to_owned()
}

/// Mean over fixations and mean over saccades, each over the clips that contribute it.
fn hinge(scores: &Array2<f64>, clip: usize, outcomes: Option<&[Outcome]>) -> f64 {
    let n = scores.nrows();
    let mean = |wanted: Outcome, of: &dyn Fn(usize) -> f64| {
        let chosen: Vec<usize> = (0..n)
            .filter(|row| outcomes.is_none_or(|outcomes| outcomes[row / clip] == wanted))
            .collect();
        chosen.iter().map(|&row| of(row)).sum::<f64>() / chosen.len().max(1) as f64
    };
    let fixation = mean(Outcome::Fixation, &|i| (1.0 - scores[[i, i]]).max(0.0));
    let saccade = mean(Outcome::Saccade, &|i| {
        let others = (0..n).filter(|&j| j != i).map(|j| (1.0 + scores[[i, j]]).max(0.0));
        others.sum::<f64>() / (n - 1) as f64
    });
    fixation + saccade
}

fn cross_entropy(scores: &Array2<f64>) -> f64 {
    let row = |i: usize| {
        let sum: f64 = scores.row(i).iter().map(|u| u.exp()).sum();
        sum.ln() - scores[[i, i]]
    };
    (0..scores.nrows()).map(row).sum::<f64>() / scores.nrows() as f64
}

/// −∂L/∂x of every number of an array, by differences.
fn descent<D: Dimension>(
    layer: &Layer,
    part: impl Fn(&mut Layer) -> &mut Array<f64, D>,
    loss: impl Fn(&Layer) -> f64,
) -> Vec<f64> {
    let size = part(&mut layer.clone()).len();
    let moved = |at: usize, step: f64| {
        let mut layer = layer.clone();
        *part(&mut layer).iter_mut().nth(at).expect("one of its numbers") += step;
        loss(&layer)
    };
    (0..size).map(|at| (moved(at, -HALF_STEP) - moved(at, HALF_STEP)) / (2.0 * HALF_STEP)).collect()
}

/// A fixed coin for every clip: both sides occur.
fn draws(rule: &AllPairs) -> Vec<Rows> {
    use Outcome::{Fixation, Saccade};
    let coins = [vec![Fixation, Saccade, Fixation], vec![Saccade, Saccade, Fixation]];
    let sets = if rule.feedback == Feedback::PredRetro { 2 } else { 1 };
    let outcomes = |coins: Vec<Outcome>| (rule.timing == Timing::TimeLocal).then_some(coins);
    let set = |coins| rule.set(GRID.into(), outcomes(coins));
    coins.into_iter().map(set).take(sets).collect()
}

fn assert_descends(rule: &AllPairs) {
    assert_eq!(rule.validate(GRID[1]), Ok(()));
    let (layer, draws) = (Layer::random(GRID, rule), draws(rule));
    let update = layer.update(rule, &draws, DType::F64);
    let monitor = update.monitor();
    let retro = rule.feedback == Feedback::PredRetro;
    let expected =
        layer.forward(rule, &draws) + if retro { layer.reverse(rule, &draws) } else { 0.0 };
    assert!((monitor.loss - expected).abs() < ROUNDING * expected, "{rule:?}: loss");
    if rule.objective == Objective::Hinge {
        assert!((0.05..0.95).contains(&monitor.open_gates), "{rule:?}: {monitor:?}");
    }
    let close = |name: &str, found: Vec<f64>, expected: Vec<f64>| {
        let d = distance(&found, &expected);
        assert!(d < DIFFERENCES, "{rule:?}: {name} differs by {d:.1e}");
    };
    let forward = |layer: &Layer| layer.forward(rule, &draws);
    let reverse = |layer: &Layer| layer.reverse(rule, &draws);
    close(
        "ΔW_pred",
        host(update.lateral.delta("w_pred")),
        descent(&layer, |l| &mut l.w_pred, forward),
    );
    close("target", host(update.target), descent(&layer, |l| &mut l.z, forward));
    assert_eq!(update.context.is_none(), rule.feedback == Feedback::Blocked);
    let Some(context) = update.context else { return };
    let expected = if retro {
        let w_retro = update.lateral.delta("w_retro");
        close("ΔW_retro", host(w_retro), descent(&layer, |l| &mut l.w_retro, reverse));
        descent(&layer, |l| &mut l.c, reverse)
    } else {
        descent(&layer, |l| &mut l.c, forward)
    };
    close("context", host(context), expected);
}

fn hinge_rule(feedback: Feedback, timing: Timing, space: Space, lateral: Matrices) -> AllPairs {
    AllPairs { feedback, timing, space, lateral, prediction_steps: STEPS, ..AllPairs::clapp_s() }
}

#[test]
fn clapp_s_descends_its_loss_in_every_space() {
    for space in SPACES {
        for lateral in [Matrices::PerStep, Matrices::Repeated] {
            let of = |feedback| hinge_rule(feedback, Timing::Synchronous, space, lateral);
            assert_descends(&of(Feedback::Symmetric));
            assert_descends(&of(Feedback::Blocked));
        }
    }
}

#[test]
fn layer_wise_gim_descends_its_loss_in_every_space() {
    for space in SPACES {
        for lateral in [Matrices::PerStep, Matrices::Repeated] {
            assert_descends(&AllPairs {
                prediction_steps: STEPS,
                space,
                lateral,
                ..AllPairs::gim()
            });
        }
    }
}

#[test]
fn time_local_updates_descend_the_loss_of_their_coins() {
    for space in SPACES {
        for feedback in [Feedback::Symmetric, Feedback::PredRetro] {
            assert_descends(&hinge_rule(feedback, Timing::TimeLocal, space, Matrices::PerStep));
        }
    }
}

#[test]
fn w_retro_with_one_third_factor_is_reciprocal() {
    let rule = hinge_rule(
        Feedback::PredRetroShared,
        Timing::TimeLocal,
        Space::Flattened,
        Matrices::PerStep,
    );
    let (mut layer, draws) = (Layer::random(GRID, &rule), draws(&rule));
    let update = layer.update(&rule, &draws, DType::F64);
    let transposed = update.lateral.delta("w_pred").swap_dims(1, 2);
    assert_eq!(host(update.lateral.delta("w_retro")), host(transposed));
    // With W_retro = W_predᵀ it is the symmetric rule.
    layer.w_retro = layer.w_pred.clone().permuted_axes([0, 2, 1]).as_standard_layout().to_owned();
    let shared = layer.update(&rule, &draws, DType::F64);
    let symmetric = AllPairs { feedback: Feedback::Symmetric, ..rule };
    let symmetric = layer.update(&symmetric, &draws, DType::F64);
    let d = distance(&host(shared.modulation()), &host(symmetric.modulation()));
    assert!(d < ROUNDING, "{d:e}");
}

#[test]
fn other_numbers_of_steps_and_factors_descend_their_loss() {
    for (prediction_steps, scale) in [(1, 1.0), (3, 0.5), (4, 2.0)] {
        assert_descends(&AllPairs { prediction_steps, scale, ..AllPairs::clapp_s() });
    }
}

#[test]
fn a_score_matrix_in_blocks_is_the_whole_one() {
    // 2592 rows: 6.7 million scores, in two blocks.
    let grid = [2, 5, 324];
    let rule = AllPairs { prediction_steps: 1, space: Space::Segmented, ..AllPairs::clapp_s() };
    assert!(rule.rows(GridShape::from(grid)).pow(2) > 1 << 22);
    let layer = Layer::random(grid, &rule);
    let draws = [rule.set(grid.into(), None)];
    let update = layer.update(&rule, &draws, DType::F64);
    let expected = layer.forward(&rule, &draws);
    assert!((update.monitor().loss - expected).abs() < ROUNDING * expected);
    // Scores are linear in each side: Σ m(z)·z = Σ m(c)·c = Σ Γ S, block by block or not.
    let dot = |a: Vec<f64>, b: &Array4<f64>| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let target = dot(host(update.target), &layer.z);
    let context = dot(host(update.context.expect("symmetric")), &layer.c);
    assert!((target - context).abs() < 1e-10 * target.abs(), "{target} and {context}");
    let weights = host(update.lateral.delta("w_pred"));
    let lateral: f64 = weights.iter().zip(&layer.w_pred).map(|(a, b)| a * b).sum();
    assert!((target - lateral).abs() < 1e-10 * target.abs(), "{target} and {lateral}");
}

#[test]
fn single_precision_agrees_with_double() {
    for rule in [AllPairs::clapp_s(), AllPairs::gim()] {
        let rule = AllPairs { prediction_steps: STEPS, ..rule };
        let (layer, draws) = (Layer::random(GRID, &rule), draws(&rule));
        let [exact, single] =
            [DType::F64, DType::F32].map(|dtype| layer.update(&rule, &draws, dtype));
        let d = distance(&host(single.modulation()), &host(exact.modulation()));
        assert!(d < 1e-6, "{rule:?}: {d:.1e}");
    }
}

#[test]
fn a_batch_of_saccades_alone_has_no_fixation_term() {
    let rule = AllPairs { prediction_steps: STEPS, ..AllPairs::clapp() };
    let rule = AllPairs { feedback: Feedback::Symmetric, ..rule };
    let layer = Layer::random(GRID, &rule);
    let of = |outcome| {
        let draws = [rule.set(GRID.into(), Some(vec![outcome; 3]))];
        layer.update(&rule, &draws, DType::F64)
    };
    let both = AllPairs { timing: Timing::Synchronous, ..rule };
    let both = layer.update(&both, &[rule.set(GRID.into(), None)], DType::F64);
    let sum = of(Outcome::Fixation).modulation() + of(Outcome::Saccade).modulation();
    // The two terms of CLAPP-s, one at a time.
    let d = distance(&host(sum), &host(both.modulation()));
    assert!(d < ROUNDING, "{d:e}");
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let rule = AllPairs::clapp_s();
    assert_eq!(
        AllPairs { prediction_steps: 0, ..rule }.validate(5),
        Err(RuleError::NoPredictionSteps)
    );
    let local_gim = AllPairs { timing: Timing::TimeLocal, ..AllPairs::gim() };
    assert_eq!(local_gim.validate(5), Err(RuleError::NotSeparable));
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = AllPairs { scale, ..rule }.validate(5).unwrap_err();
        assert!(error.to_string().contains(&scale.to_string()), "{error}");
    }
}

#[test]
#[should_panic(expected = "expected at least 2 rows to contrast, got 1")]
fn one_row_has_nothing_to_contrast() {
    let rule = AllPairs::clapp_s();
    let layer = Layer::random([1, 4, 2], &rule);
    let _ = layer.update(&rule, &[rule.set([1, 4, 2].into(), None)], DType::F64);
}

#[test]
#[should_panic(expected = "expected 1 to 3 prediction steps for 4 steps of time, got 4")]
fn predictions_beyond_the_clip_are_refused() {
    let rule = AllPairs { prediction_steps: 4, ..AllPairs::clapp_s() };
    let layer = Layer::random([2, 4, 2], &rule);
    let _ = layer.update(&rule, &[rule.set([2, 4, 2].into(), None)], DType::F64);
}
