//! Layer-wise encoders of sound, and the recurrent layer by e-prop, against golden files.

pub mod file;

use burn::tensor::{Device, Tensor};
use clapp_encoders::{
    Context, LocalActivity, LocalLayer, Recurrence, Recurrent, SoundEncoder, SoundLearner, Stack,
    TargetSide, Wave,
};

use file::{
    BOUNDS, Bounds, EncoderSetUp, GRU_NAMES, Golden, GruSetUp, Report, SetUp, host,
    module_gru_names,
};

/// What differs; or why the file's method is not one of this crate.
pub fn check(golden: &Golden, device: &Device) -> Result<Vec<String>, String> {
    match &golden.set_up {
        SetUp::Encoder(set_up) if golden.has("module0.conv1.weight") => {
            Err(format!("{} goes through several layers; clapp-baselines has it", set_up.method))
        }
        SetUp::Encoder(set_up) => {
            let check = |bounds| encoder(golden, set_up, bounds, device);
            Ok(BOUNDS.into_iter().flat_map(check).collect())
        }
        SetUp::Gru(GruSetUp { eprop: false, .. }) => {
            Err("back-propagation through time; clapp-baselines has it".into())
        }
        SetUp::Gru(_) => {
            Ok(BOUNDS.into_iter().flat_map(|b| recurrent(golden, b, device)).collect())
        }
    }
}

/// One module a convolution, and the recurrent layer as the last module.
fn encoder(golden: &Golden, set_up: &EncoderSetUp, bounds: Bounds, device: &Device) -> Vec<String> {
    let on = (device, bounds.dtype);
    let (rule, layers) = (golden.rule(), set_up.kernel.len());
    let predictors = |m| golden.module_predictors(m, set_up.prediction_steps, on);
    // A file without back-propagation through time stops at the present step.
    let recurrent = golden.has(&module_gru_names(layers)[0]).then(|| Recurrent {
        gru: golden.module_gru(layers, Recurrence::OneStep, on),
        predictors: predictors(layers),
        target: TargetSide::Stopped,
    });
    let convolutions = Stack {
        cut: Wave,
        layers: (0..layers).map(|m| golden.convolution(m, 0, m, on)).collect(),
        predictors: (0..layers).map(predictors).collect(),
        context: Context::SameLayer,
    };
    let mut encoder = SoundEncoder { convolutions, recurrent };
    let waves: Tensor<3> = golden.tensor("input", on);
    assert_eq!(waves.dims(), [set_up.batch, 1, set_up.samples], "{}: input", golden.name);
    let (contrast, mut report) = (rule.contrast(), Report::new(golden, bounds));
    let (mut m, mut losses) = (0, Vec::new());
    let mut draw = |m: usize, _| golden.module_draws(m);
    encoder.visit(contrast.as_ref(), waves, &rule, &mut draw, &mut |learner, _| {
        let name = format!("module{m}");
        let update = match learner {
            SoundLearner::Convolution(layer, learnt) => {
                let delta = layer.delta(&learnt.activity, learnt.modulation);
                report.gradient(&format!("{name}.conv0.weight"), delta.weight, -1.0);
                report.gradient(&format!("{name}.conv0.bias"), delta.bias, -1.0);
                learnt.update
            }
            SoundLearner::Recurrent(layer, learnt) => {
                if set_up.bptt {
                    let file = &golden.name;
                    println!("golden {file} {name}.gru skipped: clapp-baselines has it");
                } else {
                    let delta = layer.delta(&learnt.activity, learnt.modulation);
                    let [w_i, w_h, b_i, b_h] = module_gru_names(m);
                    report.gradient(&w_i, delta.input, -1.0);
                    report.gradient(&w_h, delta.recurrent, -1.0);
                    report.gradient(&b_i, delta.input_bias, -1.0);
                    report.gradient(&b_h, delta.recurrent_bias, -1.0);
                }
                learnt.update
            }
        };
        losses.push(host(update.monitor.clone())[0]);
        let [steps, z, c] = update.predictors.w_pred.dims();
        let w_pred = update.predictors.w_pred.reshape([steps * z, c]);
        report.gradient(&format!("{name}.predictor.weight"), w_pred, -1.0);
        m += 1;
    });
    report.values("losses", &losses);
    report.failures
}

/// One recurrent layer that predicts its own input.
fn recurrent(golden: &Golden, bounds: Bounds, device: &Device) -> Vec<String> {
    let on = (device, bounds.dtype);
    let gru = golden.gru(GRU_NAMES, Recurrence::EProp, on);
    let (rule, predictors) = (golden.rule(), golden.gru_predictors(on));
    let z: Tensor<3> = golden.tensor("z", on);
    let activity = gru.forward(&z);
    let mut report = Report::new(golden, bounds);
    report.values("c", &host(activity.output()));
    let draws = golden.gru_draws(&rule);
    let target = z.unsqueeze_dim(2);
    let update = rule.update(target, activity.representation(), &predictors, &draws);
    report.values("loss", &[host(update.monitor.clone())[0]]);
    report.gradient("z", update.target, -1.0);
    let modulation = update.context.expect("nothing is blocked");
    let delta = gru.delta(&activity, modulation);
    let [w_i, w_h, b_i, b_h] = GRU_NAMES;
    report.gradient(w_i, delta.input, -1.0);
    report.gradient(w_h, delta.recurrent, -1.0);
    report.gradient(b_i, delta.input_bias, -1.0);
    report.gradient(b_h, delta.recurrent_bias, -1.0);
    for k in 0..golden.gru_steps() {
        let step = |deltas: &Tensor<3>| deltas.clone().narrow(0, k, 1).squeeze_dim::<2>(0);
        report.gradient(&format!("w_pred.k{}", k + 1), step(&update.predictors.w_pred), -1.0);
        if let Some(w_retro) = &update.predictors.w_retro {
            let w_retro = step(w_retro).transpose();
            report.gradient(&format!("w_retro.k{}", k + 1), w_retro, -1.0);
        }
    }
    report.failures
}
