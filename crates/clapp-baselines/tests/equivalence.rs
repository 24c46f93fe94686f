//! Every update that is written out, against automatic differentiation of the loss it descends.
//!
//! d = ‖ΔW + g‖ / (‖ΔW‖ + ‖g‖), the measure of the authors' `compare_updates.py`. Theirs compares
//! layers 1 and 3, without pools, biases or W_retro; here every layer of five encoders is compared.
//! The gradient g is taken in double precision, whatever the precision of the update.

mod common;

use burn::tensor::{Device, FloatDType};
use clapp_backend::Arithmetic;
use clapp_baselines::{Gradients, Module, Oracle, disagreement};
use clapp_encoders::{Context, LocalConv2d, Stack};
use clapp_rules::{
    Draws, Feedback, LateralUpdate, Monitor, Negatives, Objective, Outcome, Rule, SelfHits, Timing,
};
use clapp_testing::steps::{rows, visit};
use common::{Case, clapp, clapp_s, encoders, gim, same_position};

/// What an update may differ by.
///
/// In single precision the sums over a batch cancel, most of all in biases. Fast kernels (Winograd)
/// cost one digit.
struct Bounds {
    name: &'static str,
    dtype: FloatDType,
    arithmetic: Arithmetic,
    weights: f64,
    biases: f64,
}

const BOUNDS: [Bounds; 3] = [
    Bounds {
        name: "f64",
        dtype: FloatDType::F64,
        arithmetic: Arithmetic::Exact,
        weights: 1e-9,
        biases: 1e-9,
    },
    Bounds {
        name: "f32",
        dtype: FloatDType::F32,
        arithmetic: Arithmetic::Exact,
        weights: 1e-5,
        biases: 1e-3,
    },
    Bounds {
        name: "f32-fast",
        dtype: FloatDType::F32,
        arithmetic: Arithmetic::Fast,
        weights: 1e-4,
        biases: 1e-3,
    },
];

/// The update of one layer as its rule writes it down.
struct Written {
    conv: clapp_backend::Hebbian<4>,
    lateral: LateralUpdate,
    monitor: Monitor,
}

fn written(
    stack: &mut Stack,
    case: &Case,
    draws: &[Vec<Draws>],
    dtype: FloatDType,
) -> Vec<Written> {
    let images = case.images(&Device::flex(), dtype);
    let mut updates = Vec::new();
    let mut draw = |l: usize, grid| rows(&draws[l], grid);
    visit(stack, images, &case.rule, &mut draw, &mut |layer, learnt| {
        let conv = layer.delta(&learnt.activity, learnt.modulation);
        let (lateral, monitor) = (learnt.lateral, learnt.metrics.monitor());
        updates.push(Written { conv, lateral, monitor });
    });
    updates
}

/// Gradients in double precision.
fn differentiated(case: &Case, draws: &[Vec<Draws>]) -> Vec<Gradients<Module<LocalConv2d>>> {
    let device = Device::flex();
    let stack = case.stack(&device, FloatDType::F64, Arithmetic::Exact);
    Oracle::of(&stack, &case.rule).gradients(&case.images(&device, FloatDType::F64), draws)
}

/// What exceeds its bound, with a line for each.
fn excesses(case: &Case, draws: &[Vec<Draws>]) -> Vec<String> {
    let gradients = differentiated(case, draws);
    let mut excesses = Vec::new();
    for bounds in &BOUNDS {
        let mut stack = case.stack(&Device::flex(), bounds.dtype, bounds.arithmetic);
        let updates = written(&mut stack, case, draws, bounds.dtype);
        assert_eq!(updates.len(), gradients.len());
        for (l, (written, gradients)) in updates.iter().zip(&gradients).enumerate() {
            let mut check = |what: &str, d: f64, bound: f64| {
                // Also false for NaN.
                let agree = d < bound;
                if !agree {
                    let at = format!("{} [{}] layer {}", case.name, bounds.name, l + 1);
                    excesses.push(format!("{at} {what}: {d:.1e}, expected below {bound:.0e}"));
                }
            };
            let (conv, lateral) = (&gradients.module.layers[0], &gradients.module.lateral);
            check("W", disagreement(&written.conv.weight, &conv.weight.weight()), bounds.weights);
            check("b", disagreement(&written.conv.bias, &conv.bias.weight()), bounds.biases);
            assert_eq!(written.lateral.has("w_retro"), lateral.has("w_retro"));
            for name in ["w_pred", "w_retro"].into_iter().filter(|name| lateral.has(name)) {
                let d = disagreement(&written.lateral.delta(name), &lateral.weight(name));
                check(name, d, bounds.weights);
            }
            let monitor = written.monitor;
            let loss = (monitor.loss - gradients.loss).abs() / gradients.loss;
            check("loss", loss, bounds.weights);
            let open = monitor.open_gates;
            assert!(
                case.rule.objective != Objective::Hinge || (0.02..0.98).contains(&open),
                "{}: expected gates on both sides of the margin in layer {}, got {open} open",
                case.name,
                l + 1
            );
        }
    }
    excesses
}

fn assert_equal(cases: impl IntoIterator<Item = Case>) {
    let excesses: Vec<String> =
        cases.into_iter().flat_map(|case| excesses(&case, &case.draws())).collect();
    assert!(excesses.is_empty(), "updates differ from gradients:\n{}", excesses.join("\n"));
}

/// One case for every encoder.
fn everywhere(rule: Rule) -> impl Iterator<Item = Case> {
    encoders().into_iter().map(move |encoder| Case::new(encoder, rule))
}

fn above(mut case: Case) -> Case {
    case.context = Context::LayerAbove;
    case
}

#[test]
fn clapp_s_equals_the_gradient_in_every_layer() {
    assert_equal(everywhere(clapp_s()));
}

#[test]
fn clapp_equals_the_gradient_in_every_layer() {
    // Time-local, W_pred and W_retro with draws and coins of their own.
    assert_equal(everywhere(clapp()));
}

#[test]
fn layer_wise_gim_equals_the_gradient_in_every_layer() {
    assert_equal(everywhere(gim()));
}

#[test]
fn blocked_context_equals_the_gradient_in_every_layer() {
    assert_equal(everywhere(Rule { feedback: Feedback::Blocked, ..clapp_s() }));
}

#[test]
fn synchronous_w_retro_equals_the_gradient_in_every_layer() {
    assert_equal(everywhere(Rule { feedback: Feedback::PredRetro, ..clapp_s() }));
}

#[test]
fn shared_third_factor_equals_what_can_be_differentiated_of_it() {
    assert_equal(everywhere(Rule { feedback: Feedback::PredRetroShared, ..clapp() }));
}

#[test]
fn context_from_the_layer_above_equals_the_gradient_in_every_layer() {
    assert_equal(everywhere(clapp_s()).map(above));
}

#[test]
fn w_retro_and_coins_with_context_from_above_equal_the_gradient() {
    assert_equal(everywhere(clapp()).map(above));
}

#[test]
fn info_nce_without_the_constant_and_with_context_above_equals_the_gradient() {
    let rule = Rule { objective: Objective::InfoNce { epsilon: 0.0 }, ..gim() };
    assert_equal(everywhere(rule).map(above));
}

#[test]
fn time_local_symmetric_updates_equal_the_gradient() {
    assert_equal(everywhere(Rule { timing: Timing::TimeLocal, ..clapp_s() }));
}

#[test]
fn every_sampler_equals_the_gradient() {
    let elsewhere = Negatives { self_hits: SelfHits::Excluded, ..same_position() };
    let pools = Negatives { pool: Some(2), ..clapp_s().negatives };
    for negatives in [same_position(), elsewhere, pools] {
        assert_equal(everywhere(Rule { negatives, ..clapp_s() }).skip(3));
    }
}

#[test]
fn other_steps_and_skips_equal_the_gradient() {
    for (prediction_steps, skip) in [(1, 0), (3, 0), (1, 2)] {
        assert_equal(everywhere(Rule { prediction_steps, skip, ..clapp() }).take(2));
    }
}

#[test]
fn coins_that_all_fall_alike_equal_the_gradient() {
    for outcome in [Outcome::Fixation, Outcome::Saccade] {
        let case = Case::new(encoders().swap_remove(3), clapp());
        let mut draws = case.draws();
        for draws in draws.iter_mut().flatten() {
            draws.outcomes = Some(vec![outcome; case.batch]);
        }
        let excesses = excesses(&case, &draws);
        assert!(excesses.is_empty(), "{outcome:?}:\n{}", excesses.join("\n"));
    }
}

#[test]
fn an_update_from_other_pairs_does_not_pass() {
    let case = Case::new(encoders().swap_remove(0), clapp());
    let others = Case { seed: case.seed + 1, ..case.clone() }.draws();
    let gradients = differentiated(&case, &case.draws());
    let mut stack = case.stack(&Device::flex(), FloatDType::F64, Arithmetic::Exact);
    let updates = written(&mut stack, &case, &others, FloatDType::F64);
    for (written, gradients) in updates.iter().zip(&gradients) {
        let conv = &gradients.module.layers[0];
        let d = disagreement(&written.conv.weight, &conv.weight.weight());
        assert!(d > 1e-2, "expected a difference, got {d:.1e}");
    }
}
