//! The oracle itself, against differences of its loss: what is compared with it must be able to trust it.

mod common;

use burn::tensor::{Device, FloatDType, Tensor};
use clapp_backend::Arithmetic;
use clapp_baselines::{Oracle, oracle::Module};
use clapp_rules::Draws;
use common::{Case, clapp_s, encoders, gim};

/// Half of the step of a central difference: small, so that hardly a neuron crosses its threshold
/// between its two ends.
const HALF_STEP: f64 = 1e-7;
const TOLERANCE: f64 = 1e-6;

/// Modules of two layers each, with the lateral weights of the upper one.
fn in_pairs(oracle: &Oracle, draws: &[Vec<Draws>]) -> (Oracle, Vec<Vec<Draws>>) {
    let pair = |pair: &[Module]| Module {
        layers: pair.iter().flat_map(|module| module.layers.clone()).collect(),
        ..pair[1].clone()
    };
    let modules = oracle.modules.chunks_exact(2).map(pair).collect();
    let draws = draws.chunks_exact(2).map(|pair| pair[1].clone()).collect();
    (Oracle { modules, ..oracle.clone() }, draws)
}

/// One value of a tensor changed by `step`.
fn nudged<const D: usize>(tensor: &Tensor<D>, at: usize, step: f64) -> Tensor<D> {
    let data = tensor.to_data();
    let mut values = data.try_to_vec::<f64>().expect("double precision");
    values[at] += step;
    Tensor::<1>::from_data(values.as_slice(), (&tensor.device(), tensor.dtype()))
        .reshape(tensor.dims())
}

fn value<const D: usize>(tensor: &Tensor<D>, at: usize) -> f64 {
    tensor.to_data().try_to_vec::<f64>().expect("double precision")[at]
}

/// Compares a few gradients of every layer of every module with differences of the module's loss.
fn assert_differences(oracle: &Oracle, images: &Tensor<4>, draws: &[Vec<Draws>]) {
    let gradients = oracle.gradients(images, draws);
    let difference = |m: usize, change: &dyn Fn(&mut Module, f64)| {
        let loss = |step: f64| {
            let mut changed = oracle.clone();
            change(&mut changed.modules[m], step);
            changed.gradients(images, draws)[m].loss
        };
        (loss(HALF_STEP) - loss(-HALF_STEP)) / (2.0 * HALF_STEP)
    };
    for (m, gradients) in gradients.iter().enumerate() {
        for (l, layer) in gradients.layers.iter().enumerate() {
            for at in [0, layer.weight.dims().iter().product::<usize>() - 1] {
                let found = difference(m, &|module, step| {
                    let weight = &mut module.layers[l].weight;
                    *weight = nudged(weight, at, step);
                });
                let d = (found - value(&layer.weight, at)).abs();
                assert!(d < TOLERANCE, "module {m}, layer {l}, W {at}: {d:.1e}");
            }
            let found = difference(m, &|module, step| {
                let bias = &mut module.layers[l].bias;
                *bias = nudged(bias, 1, step);
            });
            let d = (found - value(&layer.bias, 1)).abs();
            assert!(d < TOLERANCE, "module {m}, layer {l}, b: {d:.1e}");
        }
        let found = difference(m, &|module, step| {
            module.w_pred = nudged(&module.w_pred, 2, step);
        });
        let d = (found - value(&gradients.w_pred, 2)).abs();
        assert!(d < TOLERANCE, "module {m}, W_pred: {d:.1e}");
    }
}

/// The first encoder, in double precision.
fn oracle(case: &Case) -> (Oracle, Tensor<4>) {
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
    let (oracle, draws) = in_pairs(&oracle, &case.draws());
    assert_eq!(oracle.modules.len(), 2);
    for module in oracle.gradients(&images, &draws) {
        let lower = module.layers[0].weight.clone().abs().max().into_scalar::<f64>();
        assert!(lower > 1e-3, "expected a gradient in the lower layer, got at most {lower:.1e}");
    }
    // Differences of a module's own loss: its gradients hold nothing of the loss above it.
    assert_differences(&oracle, &images, &draws);
}
