//! L = max(0, 1 − y·u): equation 3 of the older version of the paper, 5 of the newer.

mod common;

use burn::tensor::Tensor;
use clapp_rules::equations::hinge;
use clapp_rules::{Contrast, Hinge, Outcome};
use common::{host, literal};

const BOTH: [Outcome; 2] = [Outcome::Fixation, Outcome::Saccade];

fn scores(values: &[f64]) -> Tensor<2> {
    literal([1, values.len()], values)
}

#[test]
fn hinge_is_zero_outside_the_margin() {
    assert_eq!(host(hinge(scores(&[1.0, 1.5, 1e6]), Outcome::Fixation)), [0.0; 3]);
    assert_eq!(host(hinge(scores(&[-1.0, -1.5, -1e6]), Outcome::Saccade)), [0.0; 3]);
}

#[test]
fn hinge_is_one_at_zero_score() {
    for outcome in BOTH {
        assert_eq!(host(hinge(scores(&[0.0]), outcome)), [1.0], "{outcome:?}");
    }
}

#[test]
fn hinge_falls_with_slope_one_inside_the_margin() {
    // Quarters are exact in binary.
    let u = [-2.0, -0.5, 0.25, 0.75];
    assert_eq!(host(hinge(scores(&u), Outcome::Fixation)), [3.0, 1.5, 0.75, 0.25]);
    assert_eq!(host(hinge(scores(&u), Outcome::Saccade)), [0.0, 0.5, 1.25, 1.75]);
}

#[test]
fn saccade_is_the_mirror_image_of_a_fixation() {
    let u: Vec<f64> = (-30..=30).map(|i| 0.1 * f64::from(i)).collect();
    let saccade = host(hinge(scores(&u), Outcome::Saccade));
    assert_eq!(host(hinge(-scores(&u), Outcome::Fixation)), saccade);
}

#[test]
fn several_saccades_are_averaged() {
    let fixation = literal([2, 1], &[0.5, 2.0]);
    let saccade = literal([2, 4], &[0.0, 1.0, -1.0, -3.0, 1.0, 1.0, 1.0, 1.0]);
    let losses = Hinge.third_factor(fixation, saccade);
    assert_eq!(host(losses.fixation_loss), [0.5, 0.0]);
    assert_eq!(host(losses.saccade_loss), [0.75, 2.0]); // (1 + 2 + 0 + 0) / 4
}
