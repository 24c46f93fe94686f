//! A whole step of a stack on ndarray, burn's compatibility backend, against the kernels of flex.
//!
//! Here rather than in `clapp-backend`, whose own parity test ends below the rule: only this crate's
//! tests have both backends and the whole stack.

mod common;

use burn::tensor::{Device, FloatDType};
use clapp_backend::Arithmetic;
use clapp_encoders::Context;
use clapp_rules::{Feedback, Optimizer, Rule, State};
use clapp_testing::{distance::distance, steps::rows};
use common::{Case, clapp, clapp_s, encoders, gim};

/// Both compute in single precision, in another order.
const TOLERANCE: f64 = 1e-5;

fn ndarray() -> Device {
    clapp_backend::device("ndarray").expect("this crate's tests switch it on")
}

/// Weights and moments after one step, and the losses on the way.
fn after_one_step(case: &Case, device: &Device) -> (State, Vec<f64>) {
    let dtype = FloatDType::F32;
    let mut stack = case.stack(device, dtype, Arithmetic::Exact);
    let (images, draws) = (case.images(device, dtype), case.draws());
    let mut draw = |l: usize, grid| rows(&draws[l], grid);
    let metrics = stack.step(images, &case.rule, &Optimizer::adam(1e-3), &mut draw);
    let mut state = State::default();
    stack.save(&mut state);
    (state, metrics.iter().map(|metrics| metrics.monitor().loss).collect())
}

fn assert_parity(case: &Case) {
    let (flex, flex_losses) = after_one_step(case, &Device::flex());
    let (other, other_losses) = after_one_step(case, &ndarray());
    for (a, b) in flex_losses.iter().zip(&other_losses) {
        assert!((a - b).abs() < TOLERANCE * a, "{}: loss {a} on flex, {b} on ndarray", case.name);
    }
    assert_eq!(flex.tensors.len(), other.tensors.len());
    for (name, values) in &flex.tensors {
        // Adam's weights hide the size of an update, its moments are the update: both must agree.
        assert_eq!(values.shape(), other.tensors[name].shape(), "{name}");
        let [a, b] =
            [values, &other.tensors[name]].map(|data| data.iter::<f64>().collect::<Vec<_>>());
        let d = distance(&a, &b);
        assert!(d < TOLERANCE, "{} {name}: expected below {TOLERANCE:.0e}, got {d:.1e}", case.name);
    }
}

#[test]
fn a_step_of_clapp_is_the_same_on_ndarray() {
    encoders().into_iter().for_each(|encoder| assert_parity(&Case::new(encoder, clapp())));
}

#[test]
fn a_step_of_clapp_s_is_the_same_on_ndarray() {
    encoders().into_iter().for_each(|encoder| assert_parity(&Case::new(encoder, clapp_s())));
}

#[test]
fn other_rules_and_context_from_above_are_the_same_on_ndarray() {
    let shared = Rule { feedback: Feedback::PredRetroShared, ..clapp() };
    let blocked = Rule { feedback: Feedback::Blocked, ..clapp_s() };
    for rule in [gim(), shared, blocked] {
        let case = Case::new(encoders().swap_remove(3), rule);
        assert_parity(&case);
        assert_parity(&Case { context: Context::LayerAbove, ..case });
    }
}
