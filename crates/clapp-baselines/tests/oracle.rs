//! The oracle itself, against differences of its loss: what is compared with it must be able to trust it.

mod common;

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use clapp_backend::Arithmetic;
use clapp_baselines::{Module, Oracle};
use clapp_encoders::LocalConv2d;
use clapp_rules::{Draws, Synapses};
use common::{Case, clapp_s, encoders, gim};

/// Half of the step of a central difference: small, so that hardly a neuron crosses its threshold
/// between its two ends.
const HALF_STEP: f64 = 1e-7;
const TOLERANCE: f64 = 1e-6;

type Images = Module<LocalConv2d>;

/// Changes one weight by `step`.
fn nudge<const D: usize>(synapses: &mut Synapses<D>, at: usize, step: f64) {
    let tensor = synapses.weight();
    let mut values = tensor.to_data().try_to_vec::<f64>().expect("double precision");
    values[at] += step;
    let data = TensorData::new(values, tensor.dims());
    *synapses = Synapses::new(Tensor::from_data(data, (&tensor.device(), tensor.dtype())));
}

fn value<const D: usize>(synapses: &Synapses<D>, at: usize) -> f64 {
    synapses.weight().to_data().try_to_vec::<f64>().expect("double precision")[at]
}

/// Compares a few gradients of every layer of every module with differences of the module's loss.
fn assert_differences(oracle: &Oracle<Images>, images: &Tensor<4>, draws: &[Vec<Draws>]) {
    let gradients = oracle.gradients(images, draws);
    let difference = |m: usize, change: &dyn Fn(&mut Images, f64)| {
        let loss = |step: f64| {
            let mut changed = oracle.clone();
            change(&mut changed.modules[m], step);
            changed.gradients(images, draws)[m].loss
        };
        (loss(HALF_STEP) - loss(-HALF_STEP)) / (2.0 * HALF_STEP)
    };
    for (m, gradients) in gradients.iter().enumerate() {
        let Module { layers, lateral, .. } = &gradients.module;
        for (l, layer) in layers.iter().enumerate() {
            for at in [0, layer.weight.weight().dims().iter().product::<usize>() - 1] {
                let change = |module: &mut Images, step: f64| {
                    nudge(&mut module.layers[l].weight, at, step);
                };
                let d = (difference(m, &change) - value(&layer.weight, at)).abs();
                assert!(d < TOLERANCE, "module {m}, layer {l}, W {at}: {d:.1e}");
            }
            let change = |module: &mut Images, step: f64| {
                nudge(&mut module.layers[l].bias, 1, step);
            };
            let d = (difference(m, &change) - value(&layer.bias, 1)).abs();
            assert!(d < TOLERANCE, "module {m}, layer {l}, b: {d:.1e}");
        }
        let change = |module: &mut Images, step: f64| {
            module.lateral.synapses_mut().take(1).for_each(|(_, w_pred)| nudge(w_pred, 2, step));
        };
        let d = (difference(m, &change) - value(lateral.synapses("w_pred"), 2)).abs();
        assert!(d < TOLERANCE, "module {m}, W_pred: {d:.1e}");
    }
}

/// The first encoder, in double precision.
fn oracle(case: &Case) -> (Oracle<Images>, Tensor<4>) {
    let (device, dtype) = (Device::flex(), FloatDType::F64);
    let stack = case.stack(&device, dtype, Arithmetic::Exact);
    (Oracle::of(&stack, &case.rule), case.images(&device, dtype))
}

#[test]
fn gradients_of_single_layers_are_differences_of_the_loss() {
    for rule in [clapp_s(), gim()] {
        let case = Case::new(encoders().swap_remove(0), rule);
        let (oracle, images) = oracle(&case);
        assert_differences(&oracle, &images, &case.draws());
    }
}

#[test]
fn gradients_pass_through_a_module_and_stop_below_it() {
    let case = Case::new(encoders().swap_remove(0), gim());
    let (oracle, images) = oracle(&case);
    // Modules of two layers each, with the draws of the upper one.
    let oracle = oracle.joined(&[2, 2]);
    let draws: Vec<_> = case.draws().chunks_exact(2).map(|pair| pair[1].clone()).collect();
    for gradients in oracle.gradients(&images, &draws) {
        let lower = gradients.module.layers[0].weight.weight();
        let lower = lower.abs().max().into_scalar::<f64>();
        assert!(lower > 1e-3, "expected a gradient in the lower layer, got at most {lower:.1e}");
    }
    // Differences of a module's own loss: its gradients hold nothing of the loss above it.
    assert_differences(&oracle, &images, &draws);
}
