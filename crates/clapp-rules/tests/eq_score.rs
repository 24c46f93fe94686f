//! u = zᵀ W_pred c.

mod common;

use burn::tensor::{Device, Tensor};
use clapp_rules::Pairs;
use clapp_rules::equations::{dendritic_prediction, fixation_score, saccade_score};
use common::{distance, host, literal, tensor, uniform};
use ndarray::Array2;

/// A few products and sums of doubles between −1 and 1.
const ROUNDING: f64 = 1e-14;

fn random() -> clapp_random::Stream {
    clapp_random::stream(1, clapp_random::Purpose::Test, [0; 4])
}

fn score(z: Tensor<2>, w_pred: Tensor<2>, c: Tensor<2>) -> Vec<f64> {
    host(fixation_score(z, dendritic_prediction(c, w_pred)))
}

#[test]
fn score_of_two_neurons_by_hand() {
    // ẑ = (1·5 + 2·6, 3·5 + 4·6) = (17, 39), u = 7·17 + 8·39 = 431
    let w_pred = literal([2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let (c, z) = (literal([1, 2], &[5.0, 6.0]), literal([1, 2], &[7.0, 8.0]));
    let prediction = dendritic_prediction(c.clone(), w_pred.clone());
    assert_eq!(host(prediction), [17.0, 39.0]);
    assert_eq!(score(z, w_pred, c), [431.0]);
}

#[test]
fn w_pred_carries_the_context_to_the_target_and_not_back() {
    // Exchanging c and z transposes W_pred: u = 5·(7 + 2·8) + 6·(3·7 + 4·8) = 433, not 431.
    let w_pred = literal([2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let (c, z) = (literal([1, 2], &[5.0, 6.0]), literal([1, 2], &[7.0, 8.0]));
    assert_eq!(score(c, w_pred, z), [433.0]);
}

#[test]
fn score_is_linear_in_the_target() {
    let mut random = random();
    let [z_1, z_2, c]: [Array2<f64>; 3] = std::array::from_fn(|_| uniform((5, 3), &mut random));
    let w_pred = uniform((3, 3), &mut random);
    let of = |z: &Array2<f64>| score(tensor(z), tensor(&w_pred), tensor(&c));
    let sum = of(&(2.0 * &z_1 - 3.0 * &z_2));
    let parts: Vec<f64> =
        of(&z_1).iter().zip(of(&z_2)).map(|(u_1, u_2)| 2.0 * u_1 - 3.0 * u_2).collect();
    assert!(distance(&sum, &parts) < ROUNDING);
}

#[test]
fn score_is_linear_in_the_context() {
    let mut random = random();
    let [c_1, c_2]: [Array2<f64>; 2] = std::array::from_fn(|_| uniform((5, 4), &mut random));
    let (w_pred, z) = (uniform((3, 4), &mut random), uniform((5, 3), &mut random));
    let of = |c: &Array2<f64>| score(tensor(&z), tensor(&w_pred), tensor(c));
    let sum = of(&(2.0 * &c_1 - 3.0 * &c_2));
    let parts: Vec<f64> =
        of(&c_1).iter().zip(of(&c_2)).map(|(u_1, u_2)| 2.0 * u_1 - 3.0 * u_2).collect();
    assert!(distance(&sum, &parts) < ROUNDING);
}

#[test]
fn saccade_is_scored_with_the_activity_that_the_eye_landed_on() {
    let targets = literal([3, 2], &[1.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
    let prediction = literal([3, 2], &[10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
    let index = Pairs { shift: 1, count: 2, index: vec![2, 1, 0, 0, 1, 2] };
    let index = index.to_device(&Device::flex());
    let scores = saccade_score(targets, prediction, index);
    assert_eq!(host(scores), [80.0, 20.0, 30.0, 30.0, 60.0, 280.0]);
}

#[test]
#[should_panic(expected = "dendritic prediction: expected 3 context channels, got 2")]
fn context_of_another_width_is_named() {
    let _ = dendritic_prediction(literal([1, 2], &[0.0; 2]), literal([2, 3], &[0.0; 6]));
}

#[test]
#[should_panic(expected = "score: expected a prediction for every target [2, 1], got [1, 1]")]
fn prediction_that_is_missing_is_named() {
    let _ = fixation_score(literal([2, 1], &[0.0; 2]), literal([1, 1], &[0.0]));
}

#[test]
#[should_panic(expected = "score: expected 2 target channels, got 3")]
fn saccade_to_activity_of_another_width_is_named() {
    let index = Pairs { shift: 1, count: 1, index: vec![0, 1] }.to_device(&Device::flex());
    let _ = saccade_score(literal([3, 2], &[0.0; 6]), literal([2, 3], &[0.0; 6]), index);
}

#[test]
#[should_panic(expected = "score: expected saccades of 2 rows, got 1")]
fn context_without_a_saccade_is_named() {
    let index = Pairs { shift: 1, count: 1, index: vec![0] }.to_device(&Device::flex());
    let _ = saccade_score(literal([2, 1], &[0.0; 2]), literal([2, 1], &[0.0; 2]), index);
}
