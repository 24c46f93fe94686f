//! Competing layers that learn by SoftHebb against the values of its authors' code.

use burn::tensor::{Device, Tensor};
use clapp_backend::Arithmetic;
use clapp_encoders::{Learnt, LocalLayer, Stack, Statistics, TriangleConv2d};
use clapp_rules::{Modulation, Optimize};
use clapp_testing::golden::{Bounds, F32, F32_FAST, F64, Golden, Hebb, Report, compare_files};

/// Tensors of the file in `golden`, in all precisions.
const COMPARED: usize = 3 * 3 * 9;

#[test]
fn steps_equal_those_of_the_authors() {
    compare_files(COMPARED, |golden, report| {
        let hebb = Hebb::of(golden).ok_or("another rule; the test golden has it")?;
        for (bounds, arithmetic) in
            [(F64, Arithmetic::Exact), (F32, Arithmetic::Exact), (F32_FAST, Arithmetic::Fast)]
        {
            report.precision(bounds);
            check(golden, &hebb, bounds, arithmetic, report);
        }
        Ok(())
    });
}

fn check(
    golden: &Golden,
    hebb: &Hebb<'_>,
    bounds: Bounds,
    arithmetic: Arithmetic,
    report: &mut Report<'_>,
) {
    let on = (&Device::flex(), bounds.dtype);
    let (rule, mut stack) = (hebb.rule(), hebb.stack(on, arithmetic));
    for step in 0..hebb.steps() {
        let images = golden.tensor::<4>(&format!("input.step{step}"), on);
        stack.visit(images, &rule, &mut |_, _| Vec::new(), &mut |learnt| {
            let Learnt::Layer { index, layer, activity, told } = learnt else { return };
            let name = |what: &str| format!("layer{index}.step{step}.{what}");
            let optimizer = hebb.optimizer(index);
            report.value(&name("rate"), rate(layer, &optimizer));
            if step == 0 {
                report.value(&name("normalised"), inner(&activity.conv.input.to_plain(), layer));
                report.value(&name("u"), activity.conv.output.to_plain());
                report.value(&name("output"), activity.output.pixels.to_plain());
                let [n, c, y, x] = activity.conv.output.dims();
                let modulation = told.m.clone().reshape([n, y, x, c]).permute([0, 3, 1, 2]);
                report.value(&name("y"), modulation);
            }
            report.value(&name("update"), update(layer, &activity, &told));
            layer.learn(activity, told, &optimizer);
            report.value(&name("weight"), layer.weight.weight());
            report.value(&name("running_mean"), layer.running.mean.clone());
            report.value(&name("running_var"), layer.running.variance.clone());
        });
    }
    if golden.has("features") {
        for (l, layer) in stack.layers.iter().enumerate() {
            report.value(&format!("layer{l}.rate.final"), rate(layer, &hebb.optimizer(l)));
        }
        report.value("features", features(&mut stack, golden.tensor("input.eval", on)));
    }
}

/// What the border was put around.
fn inner(padded: &Tensor<4>, layer: &TriangleConv2d) -> Tensor<4> {
    let [_, _, height, width] = padded.dims();
    let border = layer.plan.kernel / 2;
    padded.clone().narrow(2, border, height - 2 * border).narrow(3, border, width - 2 * border)
}

/// η_o of every neuron, read from a step along an update of ones.
fn rate(layer: &TriangleConv2d, optimizer: &dyn Optimize) -> Tensor<1> {
    let weight = layer.weight.weight();
    let channels = weight.dims()[0];
    let rows = weight.clone().reshape([channels as i32, -1]);
    let moved = optimizer.step(rows.clone(), rows.ones_like(), &mut Default::default());
    (moved - rows).mean_dim(1).reshape([channels])
}

/// (ΔW − d ⊙ W) / max|…|, as the authors keep it.
fn update(
    layer: &TriangleConv2d,
    activity: &<TriangleConv2d as LocalLayer>::Activity,
    told: &Modulation,
) -> Tensor<4> {
    let decay = told.decay.clone().expect("soft Hebb decays");
    let decay = decay.reshape([-1, 1, 1, 1]);
    let delta = layer.delta(activity, told.m.clone()).weight - layer.weight.weight() * decay;
    let largest = delta.clone().abs().max().reshape([1, 1, 1, 1]);
    delta / largest
}

/// z of the last layer with running statistics, as rows.
fn features(stack: &mut Stack<TriangleConv2d>, images: Tensor<4>) -> Tensor<2> {
    stack.layers.iter_mut().for_each(|layer| layer.statistics = Statistics::Running);
    let mut last = None;
    stack.hand_up(images, &mut |_, output| last = Some(output.pixels.to_plain()));
    let last = last.expect("there is a layer");
    let rows = last.dims()[0] as i32;
    last.reshape([rows, -1])
}
