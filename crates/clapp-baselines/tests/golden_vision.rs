//! CPC, Hinge Loss CPC, modules of several layers and greedy supervised learning on images against the values
//! of the authors' code.

use burn::tensor::{Device, Tensor};
use clapp_backend::Arithmetic;
use clapp_baselines::{LinearHead, Module, Oracle, images::step_supervised};
use clapp_encoders::{Context, LocalConv2d, Prediction};
use clapp_rules::{Memory, Optimize, Shown, Synapses};
use clapp_testing::golden::{Bounds, F32, F64, Golden, Report, Vision, compare_files};

/// Tensors of the files of `clapp-encoders`, in both precisions.
const COMPARED: usize = 100;

#[test]
fn gradients_of_modules_equal_the_authors() {
    compare_files(COMPARED, |golden, report| {
        let vision = Vision::compared(golden)?;
        if !vision.differentiates() {
            return Err("layer-local, see the tests of clapp-encoders".into());
        }
        for bounds in [F64, F32] {
            report.precision(bounds);
            match vision.supervised() {
                true => check_labels(golden, &vision, bounds, report),
                false => check_modules(golden, &vision, bounds, report),
            }
        }
        Ok(())
    });
}

fn check_modules(golden: &Golden, vision: &Vision<'_>, bounds: Bounds, report: &mut Report<'_>) {
    let on = (&Device::flex(), bounds.dtype);
    let (rule, stack) = (vision.rule(), vision.stack(on, Arithmetic::Exact));
    let mut layers = stack.layers.into_iter();
    let predictions = vision.sizes().into_iter().zip(stack.predictions);
    let module = |(size, prediction): (usize, Prediction)| Module {
        layers: layers.by_ref().take(size).collect(),
        lateral: prediction.lateral,
        shown: Shown::Patch,
    };
    let modules: Vec<Module<LocalConv2d>> = predictions.map(module).collect();
    let draws: Vec<_> = (0..modules.len()).map(|m| vision.draws(m)).collect();
    let (context, loss) = (Context::SameLayer, (&rule).into());
    let oracle = Oracle { cut: stack.cut, modules, context, loss };
    let gradients = oracle.gradients(&golden.tensor::<4>("input", on), &draws);
    for (m, gradients) in gradients.iter().enumerate() {
        let representation = gradients.representation.clone().permute([0, 3, 1, 2]);
        report.value(&format!("module{m}.representation"), representation);
        for (l, layer) in gradients.module.layers.iter().enumerate() {
            report.gradient(&format!("module{m}.conv{l}.weight"), layer.weight.weight());
            report.gradient(&format!("module{m}.conv{l}.bias"), layer.bias.weight());
        }
        let lateral = &gradients.module.lateral;
        let mut halves = vec![("w_z", lateral.weight("w_pred").swap_dims(1, 2))];
        if lateral.has("w_retro") {
            halves.push(("w_c", lateral.weight("w_retro")));
        }
        for (half, matrices) in halves {
            for k in 1..=vision.steps() {
                let name = format!("module{m}.{half}.k{k}");
                report.gradient(&name, matrices.clone().narrow(0, k - 1, 1));
            }
        }
    }
    let losses: Vec<f64> = gradients.iter().map(|gradients| gradients.loss).collect();
    report.losses("losses", &losses);
}

/// Puts changes in the place of the weights.
#[derive(Debug)]
struct Instead;

impl Optimize for Instead {
    fn step(&self, _: Tensor<2>, delta: Tensor<2>, _: &mut Memory) -> Tensor<2> {
        delta
    }
}

fn check_labels(golden: &Golden, vision: &Vision<'_>, bounds: Bounds, report: &mut Report<'_>) {
    let on = (&Device::flex(), bounds.dtype);
    let (mut stack, sizes) = (vision.stack(on, Arithmetic::Exact), vision.sizes());
    let head = |m: usize| LinearHead {
        weight: Synapses::new(golden.tensor(&format!("module{m}.classifier.weight"), on)),
        bias: Synapses::new(golden.tensor(&format!("module{m}.classifier.bias"), on)),
    };
    let mut heads: Vec<LinearHead> = (0..sizes.len()).map(head).collect();
    let (_, labels) = golden.data("label");
    let labels: Vec<usize> = labels.iter().map(|&label| label as usize).collect();
    let labelled = (&golden.tensor::<4>("input", on), labels.as_slice());
    let step = step_supervised(&mut stack, &mut heads, &sizes, labelled, &|_| &Instead);
    let mut layers = stack.layers.iter();
    for (m, (head, &size)) in heads.iter().zip(&sizes).enumerate() {
        for (l, layer) in layers.by_ref().take(size).enumerate() {
            report.update(&format!("module{m}.conv{l}.weight"), layer.weight.weight());
            report.update(&format!("module{m}.conv{l}.bias"), layer.bias.weight());
        }
        report.update(&format!("module{m}.classifier.weight"), head.weight.weight());
        report.update(&format!("module{m}.classifier.bias"), head.bias.weight());
    }
    report.losses("losses", &step.losses);
}
