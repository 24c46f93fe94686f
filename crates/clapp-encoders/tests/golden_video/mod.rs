//! Layer-local video encoders against the values of the authors' code.

pub mod file;

use burn::tensor::{Bool, Device, Tensor};
use clapp_rules::Draws;
use file::{BOUNDS, Bounds, Golden, Report};

/// All failures of one file, or why it is not compared here.
pub fn check(golden: &Golden, device: &Device) -> Result<Vec<String>, String> {
    if golden.losses() != golden.blocks() {
        let mode = &golden.config.mode;
        return Err(format!(
            "{mode} is back-propagated end to end: see the tests of clapp-baselines"
        ));
    }
    let mut exact = Vec::new();
    Ok(BOUNDS.iter().flat_map(|&bounds| check_in(golden, bounds, &mut exact, device)).collect())
}

/// Where single precision decides about a neuron otherwise than double precision, its whole term of ΔW differs.
/// It happens to some of a million neurons, where a is smaller than the rounding of its sum: in
/// `clapp_s.safetensors` to one with a = 3.6e-8, in PyTorch's single precision as well (4.4e-5).
const OTHERWISE: f64 = 10.0;

/// `exact` takes the active neurons of every block in double precision, the first of the bounds.
fn check_in(
    golden: &Golden,
    bounds: Bounds,
    exact: &mut Vec<Tensor<5, Bool>>,
    device: &Device,
) -> Vec<String> {
    let on = (device, bounds.dtype);
    let (rule, mut stack) = (golden.rule(), golden.stack(on));
    let mut report = Report::new(golden, bounds);
    let (mut l, mut losses) = (0, Vec::new());
    let contrast = rule.contrast();
    let mut draw = |_, _| vec![Draws::coins(None)];
    let clips = golden.clips(on);
    let last = golden.blocks() - 1;
    stack.visit_all_pairs(contrast.as_ref(), clips, &rule, &mut draw, &mut |layer, _, learnt| {
        if l == last {
            report.compare("representation", learnt.activity.output.clone(), 1.0);
        }
        let active = learnt.activity.pooled.map.clone().greater_elem(0.0);
        if exact.len() == l {
            exact.push(active.clone());
        }
        let otherwise = active.not_equal(exact[l].clone()).any().into_scalar::<bool>();
        let wider = if otherwise { OTHERWISE } else { 1.0 };
        let delta = layer.delta(&learnt.activity, learnt.modulation);
        report.compare_within(&format!("layer{l}.conv.weight.grad"), delta.weight, -1.0, wider);
        report.compare(&format!("layer{l}.conv.bias.grad"), delta.bias, -1.0);
        report.compare(&format!("layer{l}.norm.weight.grad"), delta.norm.gain, -1.0);
        report.compare(&format!("layer{l}.norm.bias.grad"), delta.norm.shift, -1.0);
        report.w_pred(l, &learnt.update.predictors.w_pred, -1.0);
        losses.push(learnt.update.monitor().loss);
        l += 1;
    });
    report.losses(&losses);
    report.failures
}
