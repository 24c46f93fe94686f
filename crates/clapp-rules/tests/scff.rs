//! SCFF: which image is added, and what cannot be. Its change against the slope of the loss is in
//! `clapp-baselines`.

mod common;

use std::collections::BTreeSet;

use burn::tensor::{DType, Tensor};
use clapp_rules::{Lateral, Plasticity, Purpose, RuleError, Saccades, Scff, Seen, stream};
use common::{host, tensor_as, uniform};

#[test]
fn every_other_image_is_added_and_never_the_image_itself() {
    let mut drawn = BTreeSet::new();
    for step in 0..100 {
        let rows =
            Scff::new().pairs([4, 1, 6].into(), &mut stream(1, Purpose::Test, [step, 0, 0, 0]));
        let Saccades::Drawn { rows: other, .. } = &rows[0].saccades else { panic!("a draw") };
        drawn.insert(other[0]);
    }
    assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [6, 12, 18]);
}

#[test]
fn a_silent_layer_has_nothing_to_change() {
    let target = Tensor::<4>::full([3, 1, 2, 4], -1.0, &burn::tensor::Device::flex());
    let rows = Scff::new().pairs([3, 1, 2].into(), &mut stream(1, Purpose::Test, [0; 4]));
    let lateral = Lateral::default();
    let update = Scff::new().changes(Seen {
        layer: 0,
        target,
        context: None,
        lateral: &lateral,
        rows: &rows,
    });
    assert!(host(update.target).iter().all(|told| told.abs() <= 0.0));
    // softplus(2) and softplus(−2): one threshold missed by 2, the other kept by 2.
    let expected = 2.0f64.exp().ln_1p() + (-2.0f64).exp().ln_1p();
    assert!((update.metrics.read()[0].1 - expected).abs() < 1e-6); // single precision
}

#[test]
fn a_batch_that_is_turned_changes_as_before_but_turned() {
    let array = uniform([5, 1, 3, 2], &mut stream(1, Purpose::Test, [1, 0, 0, 0]));
    let target = tensor_as::<4, _>(&array, DType::F64);
    let rows = Scff::new().pairs([5, 1, 3].into(), &mut stream(1, Purpose::Test, [2, 0, 0, 0]));
    let lateral = Lateral::default();
    let told = |target: Tensor<4>| {
        let seen = Seen { layer: 0, target, context: None, lateral: &lateral, rows: &rows };
        host(Scff::new().changes(seen).target)
    };
    let turned =
        Tensor::cat(vec![target.clone().narrow(0, 1, 4), target.clone().narrow(0, 0, 1)], 0);
    let mut expected = told(target);
    expected.rotate_left(3 * 2);
    assert_eq!(told(turned), expected);
}

#[test]
fn what_cannot_be_is_told() {
    let rule = Scff::new();
    assert!(rule.check(1).is_ok() && rule.check_batch(2).is_ok());
    assert_eq!(rule.check_batch(1), Err(RuleError::NoOther { samples: 1 }));
    let negative = Scff { activity_cost: -1.0, ..rule }.check(1).expect_err("negative").to_string();
    assert_eq!(negative, "rule: expected activity_cost of 0 or more, got -1");
}
