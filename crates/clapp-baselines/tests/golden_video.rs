//! CPC and Hinge Loss CPC on video against the values of the authors' code: losses, every gradient of every
//! block, and the representation, back-propagated end to end.

use burn::tensor::Device;
use clapp_baselines::{Gradients, Module, Oracle};
use clapp_encoders::Context;
use clapp_rules::{Draws, Shown};
use clapp_testing::golden::{Bounds, F32, F64, Golden, Report, Video, compare_files};

/// Tensors of the files of `clapp-encoders`, in both precisions.
const COMPARED: usize = 34;

#[test]
fn end_to_end_gradients_equal_the_authors() {
    compare_files(COMPARED, check);
}

fn check(golden: &Golden, report: &mut Report<'_>) -> Result<(), String> {
    let video = Video::of(golden).ok_or("not of video")?;
    if !video.end_to_end() {
        return Err("layer-local, see the tests of clapp-encoders".into());
    }
    for bounds in [F64, F32] {
        report.precision(bounds);
        compare(&video, bounds, report);
    }
    Ok(())
}

fn compare(video: &Video<'_>, bounds: Bounds, report: &mut Report<'_>) {
    let on = (&Device::flex(), bounds.dtype);
    let (mut stack, rule) = (video.stack(on), video.rule());
    let module = Module {
        layers: stack.layers,
        lateral: stack.predictions.remove(0).lateral,
        shown: Shown::Patch,
    };
    let (cut, context) = (stack.cut, Context::SameLayer);
    let oracle = Oracle { cut, modules: vec![module], context, loss: (&rule).into() };
    let all = Draws { pairs: Vec::new(), outcomes: None, window: None };
    let gradients = oracle.gradients(&video.clips(on), &[vec![all]]).remove(0);
    let Gradients { loss, module, representation, .. } = gradients;
    report.value("representation", representation.permute([0, 3, 1, 2]));
    for (l, block) in video.blocks().zip(module.layers) {
        report.gradient(&format!("layer{l}.conv.weight"), block.weight.weight());
        report.gradient(&format!("layer{l}.conv.bias"), block.bias.weight());
        report.gradient(&format!("layer{l}.norm.weight"), block.norm.gain.weight());
        report.gradient(&format!("layer{l}.norm.bias"), block.norm.shift.weight());
    }
    for (name, gradient) in video.matrices(0, &module.lateral.weight("w_pred")) {
        report.gradient(&name, gradient);
    }
    report.losses("losses", &[loss]);
}
