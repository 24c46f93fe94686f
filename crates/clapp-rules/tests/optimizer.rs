//! Steps of every optimizer, against the formulas as loops.

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_rules::{Optimizer, State, Synapses};

const START: [f64; 4] = [0.5, -1.0, 2.0, 0.25];
const DELTAS: [[f64; 4]; 3] = [[1.0, -2.0, 0.5, 0.0], [0.3, 0.1, -4.0, 1.0], [-1.0, 2.0, 2.0, 0.5]];
/// A few sums of doubles.
const ROUNDING: f64 = 1e-12;

fn tensor(values: [f64; 4]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [2, 2]), (&Device::flex(), DType::F64))
}

fn host(tensor: Tensor<2>) -> Vec<f64> {
    tensor.into_data().try_to_vec().expect("double precision")
}

/// The weights after three steps.
fn steps(optimizer: Optimizer) -> Vec<f64> {
    let mut synapses = Synapses::new(tensor(START));
    DELTAS.iter().for_each(|&delta| synapses.learn(tensor(delta), &optimizer));
    host(synapses.weight())
}

fn assert_close(found: &[f64], expected: &[f64]) {
    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off < ROUNDING, "expected {expected:?}, got {found:?}");
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[test]
fn adam_with_decoupled_decay() {
    let (rate, beta_1, beta_2, epsilon, decay) = (0.1, 0.9, 0.99, 1e-8, 0.2);
    let mut weight = START;
    let (mut first, mut second) = ([0.0; 4], [0.0; 4]);
    for (t, delta) in (1..).zip(DELTAS) {
        for i in 0..4 {
            // Moments of the gradient, −ΔW.
            first[i] = beta_1 * first[i] - (1.0 - beta_1) * delta[i];
            second[i] = beta_2 * second[i] + (1.0 - beta_2) * delta[i] * delta[i];
            let m = first[i] / (1.0 - f64::powi(beta_1, t));
            let v: f64 = second[i] / (1.0 - f64::powi(beta_2, t));
            weight[i] -= rate * (decay * weight[i] + m / (v.sqrt() + epsilon));
        }
    }
    let optimizer = Optimizer::AdamW { rate, beta_1, beta_2, epsilon, decay };
    assert_close(&steps(optimizer), &weight);
}

#[test]
fn momentum_with_decay() {
    let (rate, momentum, decay) = (0.1, 0.8, 0.05);
    let (mut weight, mut velocity) = (START, [0.0; 4]);
    for delta in DELTAS {
        for i in 0..4 {
            velocity[i] = momentum * velocity[i] + delta[i] - decay * weight[i];
            weight[i] += rate * velocity[i];
        }
    }
    assert_close(&steps(Optimizer::Sgd { rate, momentum, decay }), &weight);
}

#[test]
fn a_rate_for_each_tensor() {
    let (rate, momentum, decay, trust) = (0.3, 0.9, 0.01, 0.02);
    let (mut weight, mut velocity) = (START, [0.0; 4]);
    for delta in DELTAS {
        let norm = length(&weight);
        let own = trust * norm / (length(&delta) + decay * norm);
        for i in 0..4 {
            velocity[i] = momentum * velocity[i] + rate * own * (delta[i] - decay * weight[i]);
        }
        for i in 0..4 {
            weight[i] += velocity[i];
        }
    }
    let lars = Optimizer::Lars { rate, momentum, decay, trust };
    assert_close(&steps(lars), &weight);
    // Weights of zero have no length to go by.
    let mut zero = Synapses::new(tensor([0.0; 4]));
    zero.learn(tensor([1.0; 4]), &lars);
    assert_close(&host(zero.weight()), &[rate; 4]);
}

#[test]
fn a_rate_for_each_neuron_that_ends_at_length_one() {
    let (rate, power) = (0.05, 0.5);
    let mut weight = START;
    for delta in DELTAS {
        let largest = delta.iter().fold(0.0_f64, |max, d| max.max(d.abs())) + 1e-30;
        for neuron in 0..2 {
            let own = &mut weight[2 * neuron..2 * neuron + 2];
            let away = ((length(own) - 1.0).abs() + 1e-10).powf(power) * rate;
            own.iter_mut().zip(&delta[2 * neuron..]).for_each(|(w, d)| *w += away * d / largest);
        }
    }
    assert_close(&steps(Optimizer::UnitNorm { rate, power }), &weight);
    // A neuron of length 1 keeps still.
    let mut unit = Synapses::new(tensor([0.6, 0.8, 3.0, 4.0]));
    unit.learn(tensor([1.0; 4]), &Optimizer::UnitNorm { rate, power });
    let moved = host(unit.weight());
    assert!((moved[0] - 0.6).abs() < 1e-5 && (moved[2] - 3.0).abs() > 0.05, "{moved:?}");
}

#[test]
fn what_an_optimizer_remembers_is_saved_under_its_name() {
    let mut synapses = Synapses::new(tensor(START));
    let optimizer = Optimizer::Sgd { rate: 0.1, momentum: 0.9, decay: 0.0 };
    synapses.learn(tensor(DELTAS[0]), &optimizer);
    let mut state = State::default();
    synapses.save("w", &mut state);
    assert_eq!(state.tensors.keys().collect::<Vec<_>>(), ["w", "w.steps", "w.velocity"]);
    let mut restored = Synapses::new(tensor([0.0; 4]));
    restored.load("w", &state).expect("just saved");
    synapses.learn(tensor(DELTAS[1]), &optimizer);
    restored.learn(tensor(DELTAS[1]), &optimizer);
    assert_eq!(host(synapses.weight()), host(restored.weight()));
}
