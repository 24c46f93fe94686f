//! LPL: updates are slopes of the loss, estimates of the batch before are used and kept.

mod common;

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_rules::{
    Extent, Lateral, Lpl, Optimizer, Plasticity, Purpose, RuleError, Seen, State, Update, stream,
};
use common::{host, uniform};

/// Four images twice, three units.
const SHAPE: [usize; 4] = [8, 1, 1, 3];
const STEP: f64 = 1e-6;
/// Rounding of a loss of some units over STEP, and STEP² of its curvature.
const ROUNDING: f64 = 1e-8;

fn tensor<const D: usize>(shape: [usize; D], values: &[f64]) -> Tensor<D> {
    let data = TensorData::new(values.to_vec(), shape);
    Tensor::from_data(data, (&Device::flex(), DType::F64))
}

fn values(index: u64) -> Vec<f64> {
    uniform([24], &mut stream(12, Purpose::Test, [index, 0, 0, 0])).to_vec()
}

fn stale() -> Lpl {
    Lpl { stale: true, ..Lpl::paper() }
}

fn unknown() -> Lateral {
    Lateral::default()
        .with_statistic("mean", tensor([3], &[0.0; 3]))
        .with_statistic("variance", tensor([3], &[1.0; 3]))
        .with_statistic("batches", tensor([1], &[0.0]))
}

fn changes(rule: Lpl, z: &[f64], lateral: &Lateral) -> Update {
    rule.changes(Seen { layer: 0, target: tensor(SHAPE, z), context: None, lateral, rows: &[] })
}

/// Every number of both views once.
fn assert_slope(rule: Lpl, z: &[f64], lateral: &Lateral) {
    let told = host(changes(rule, z, lateral).target);
    for (at, told) in told.into_iter().enumerate() {
        let moved = |step: f64| {
            let mut moved = z.to_vec();
            moved[at] += step;
            changes(rule, &moved, lateral).monitor().loss
        };
        let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        assert!((told + slope).abs() < ROUNDING, "{rule:?} {at}: expected {}, got {told}", -slope);
    }
}

#[test]
fn every_change_is_the_negative_slope_of_the_loss() {
    let only = Lpl { pull: 0.0, push: 0.0, decorrelation: 0.0, ..Lpl::paper() };
    for rule in [
        Lpl::paper(),
        Lpl { pull: 2.0, push: 0.5, decorrelation: 3.0, epsilon: 0.01, stale: false },
        Lpl { pull: 1.0, ..only },
        Lpl { push: 1.0, ..only },
        Lpl { decorrelation: 1.0, ..only },
    ] {
        assert_slope(rule, &values(0), &Lateral::default());
    }
}

#[test]
fn stale_estimates_are_those_of_the_batch_before() {
    let (mut lateral, fresh) = (unknown(), Lateral::default());
    // The first batch has no other.
    let first = changes(stale(), &values(0), &lateral);
    assert_eq!(host(first.target), host(changes(Lpl::paper(), &values(0), &fresh).target));
    lateral.learn(first.lateral, &Optimizer::default());
    let z = values(0);
    for unit in 0..3 {
        let view = |v: usize| -> Vec<f64> { (0..4).map(|i| z[(4 * v + i) * 3 + unit]).collect() };
        let moments = [view(0), view(1)].map(|view| {
            let mean = view.iter().sum::<f64>() / 4.0;
            (mean, view.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / 3.0)
        });
        let [(mean_1, variance_1), (mean_2, variance_2)] = moments;
        let kept = ["mean", "variance"].map(|name| host(lateral.statistic(name))[unit]);
        // A few additions of doubles.
        assert!((kept[0] - (mean_1 + mean_2) / 2.0).abs() < 1e-14);
        assert!((kept[1] - (variance_1 + variance_2) / 2.0).abs() < 1e-14);
    }
    // The second is pushed from it: its slope takes both as constants.
    assert_slope(stale(), &values(1), &lateral);
    let push = Lpl { pull: 0.0, decorrelation: 0.0, ..stale() };
    let told = host(changes(push, &values(1), &lateral).target);
    let [mean, variance] = ["mean", "variance"].map(|name| host(lateral.statistic(name)));
    for (at, (told, z)) in told.into_iter().zip(values(1)).enumerate() {
        let unit = at % 3;
        let expected = (z - mean[unit]) / (3.0 * (variance[unit] + 1e-4)) / 3.0;
        assert!((told - expected).abs() < 1e-14, "{at}");
    }
}

#[test]
fn estimates_are_part_of_a_saved_state() {
    let extent = Extent { site: 1, channel: 3 };
    let mut random = stream(1, Purpose::Test, [0; 4]);
    let mut start = || stale().lateral(extent, extent, &Device::flex(), &mut random);
    let (mut first, mut other, mut state) = (start(), start(), State::default());
    let z = tensor(SHAPE, &values(0)).cast(DType::F32);
    let seen = Seen { layer: 0, target: z, context: None, lateral: &first, rows: &[] };
    let update = stale().changes(seen);
    first.learn(update.lateral, &Optimizer::default());
    first.save("layer1", &mut state);
    other.load("layer1", &state).expect("of the same rule");
    for name in ["mean", "variance", "batches"] {
        assert_eq!(host(other.statistic(name)), host(first.statistic(name)));
    }
    assert_eq!(host(other.statistic("batches")), [1.0]);
}

#[test]
fn a_layer_of_one_unit_has_nothing_to_decorrelate() {
    let only = Lpl { pull: 0.0, push: 0.0, ..Lpl::paper() };
    let target = tensor([4, 1, 1, 1], &[1.0, 2.0, -3.0, 4.0]);
    let lateral = Lateral::default();
    let update =
        only.changes(Seen { layer: 0, target, context: None, lateral: &lateral, rows: &[] });
    assert!(host(update.target.clone()).iter().all(|told| told.abs() <= 0.0));
    assert!(update.monitor().loss.abs() <= 0.0);
}

#[test]
fn what_cannot_be_is_told() {
    let paper = Lpl::paper();
    assert!(paper.check(1).is_ok() && paper.check_batch(4).is_ok());
    assert_eq!(paper.check(7), Err(RuleError::NotWhole { time: 7 }));
    assert_eq!(paper.check_batch(2), Err(RuleError::NoVariance));
    assert_eq!(paper.check_batch(5), Err(RuleError::OddViews { samples: 5 }));
    assert_eq!(paper.check_batch(0), Err(RuleError::OddViews { samples: 0 }));
    let negative = Lpl { push: -1.0, ..paper }.check(1).expect_err("negative").to_string();
    assert_eq!(negative, "rule: expected push of 0 or more, got -1");
    let flat = Lpl { epsilon: 0.0, ..paper }.check(1).expect_err("zero").to_string();
    assert_eq!(flat, "rule: expected an epsilon above 0, got 0");
}
