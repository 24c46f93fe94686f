//! CPC end to end and back-propagation through time against golden files of sound.
//!
//! Lines as in the golden test of `clapp-encoders`, whose files and reader these are.

#[path = "../../clapp-encoders/tests/golden_sound/file.rs"]
mod file;

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use clapp_baselines::sound::{GruWeights, SoundModule, SoundNetwork, Stop, gru};
use clapp_encoders::{GruUpdate, Recurrence, TargetSide};
use file::{
    BOUNDS, Bounds, EncoderSetUp, GRU_NAMES, Golden, GruSetUp, Report, SetUp, host,
    module_gru_names,
};

/// Modules as they stand in a file, whatever their number of layers.
fn network(
    golden: &Golden,
    set_up: &EncoderSetUp,
    bounds: Bounds,
    device: &Device,
) -> SoundNetwork {
    let on = (device, bounds.dtype);
    let (mut modules, mut l) = (Vec::new(), 0);
    for m in (0..).take_while(|m| golden.has(&format!("module{m}.predictor.weight"))) {
        let convolutions = (0..)
            .take_while(|i| golden.has(&format!("module{m}.conv{i}.weight")))
            .map(|i| {
                l += 1;
                golden.convolution(m, i, l - 1, on)
            })
            .collect();
        let recurrent = golden.has(&module_gru_names(m)[0]);
        let recurrent = recurrent.then(|| golden.module_gru(m, Recurrence::EProp, on));
        let predictors = golden.module_predictors(m, set_up.prediction_steps, on);
        modules.push(SoundModule { convolutions, recurrent, predictors });
    }
    let rule = golden.rule();
    let stop = if set_up.bptt { Stop::Nowhere } else { Stop::Everywhere };
    let target = TargetSide::Stopped;
    SoundNetwork { modules, stop, target, objective: rule.objective, feedback: rule.feedback }
}

fn compare_gru(report: &mut Report<'_>, names: [&str; 4], gradients: GruUpdate) {
    let [w_i, w_h, b_i, b_h] = names;
    report.gradient(w_i, gradients.input, 1.0);
    report.gradient(w_h, gradients.recurrent, 1.0);
    report.gradient(b_i, gradients.input_bias, 1.0);
    report.gradient(b_h, gradients.recurrent_bias, 1.0);
}

fn encoder(golden: &Golden, set_up: &EncoderSetUp, bounds: Bounds, device: &Device) -> Vec<String> {
    let network = network(golden, set_up, bounds, device);
    let waves: Tensor<3> = golden.tensor("input", (device, bounds.dtype));
    assert_eq!(waves.dims(), [set_up.batch, 1, set_up.samples], "{}: input", golden.name);
    let draws: Vec<_> = (0..network.modules.len()).map(|m| golden.module_draws(m)).collect();
    let mut report = Report::new(golden, bounds);
    let gradients = network.gradients(&waves, &draws);
    let losses: Vec<f64> = gradients.iter().map(|gradients| gradients.loss).collect();
    report.values("losses", &losses);
    for (m, gradients) in gradients.into_iter().enumerate() {
        for (i, (weight, bias)) in gradients.convolutions.into_iter().enumerate() {
            let name = format!("module{m}.conv{i}");
            report.gradient(&format!("{name}.weight"), weight, 1.0);
            report.gradient(&format!("{name}.bias"), bias, 1.0);
        }
        if let Some(gradients) = gradients.recurrent {
            let names = module_gru_names(m);
            compare_gru(&mut report, names.each_ref().map(String::as_str), gradients);
        }
        let [steps, z, c] = gradients.predictors.w_pred.dims();
        let w_pred = gradients.predictors.w_pred.reshape([steps * z, c]);
        report.gradient(&format!("module{m}.predictor.weight"), w_pred, 1.0);
    }
    report.failures
}

/// One recurrent layer that predicts its own input: a module without convolutions.
fn recurrent(golden: &Golden, set_up: &GruSetUp, bounds: Bounds, device: &Device) -> Vec<String> {
    let on = (device, bounds.dtype);
    let stop = if set_up.eprop { Stop::InGates } else { Stop::Nowhere };
    let (rule, layer) = (golden.rule(), golden.gru(GRU_NAMES, Recurrence::EProp, on));
    let z: Tensor<3> = golden.tensor("z", on);
    let mut report = Report::new(golden, bounds);
    report.values("c", &host(gru(&z, &GruWeights::of(&layer), stop)));
    let module = SoundModule {
        convolutions: Vec::new(),
        recurrent: Some(layer),
        predictors: golden.gru_predictors(on),
    };
    let network = SoundNetwork {
        modules: vec![module],
        stop,
        target: TargetSide::Stopped,
        objective: rule.objective,
        feedback: rule.feedback,
    };
    let draws = vec![golden.gru_draws(&rule)];
    // The network takes channels before time.
    let gradients = network.gradients(&z.swap_dims(1, 2), &draws).swap_remove(0);
    report.values("loss", &[gradients.loss]);
    compare_gru(&mut report, GRU_NAMES, gradients.recurrent.expect("has one"));
    for k in 0..golden.gru_steps() {
        let step = |deltas: &Tensor<3>| deltas.clone().narrow(0, k, 1).squeeze_dim::<2>(0);
        report.gradient(&format!("w_pred.k{}", k + 1), step(&gradients.predictors.w_pred), 1.0);
        if let Some(w_retro) = &gradients.predictors.w_retro {
            let w_retro = step(w_retro).transpose();
            report.gradient(&format!("w_retro.k{}", k + 1), w_retro, 1.0);
        }
    }
    report.failures
}

/// All golden files under a folder, in order of their paths.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("golden: cannot read {}: {e}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder that opened can be listed").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "safetensors") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn gradients_equal_those_of_the_authors() {
    let folder = std::env::var_os("CLAPP_GOLDEN_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../clapp-encoders/tests/golden"),
        PathBuf::from,
    );
    let device = Device::flex();
    let mut failures = Vec::new();
    let mut compared = 0;
    for path in &files(&folder) {
        let name = path.strip_prefix(&folder).unwrap_or(path).to_string_lossy();
        let Some(golden) = Golden::read(path, &name) else { continue };
        compared += 1;
        for bounds in BOUNDS {
            failures.extend(match &golden.set_up {
                SetUp::Encoder(set_up) => encoder(&golden, set_up, bounds, &device),
                SetUp::Gru(set_up) => recurrent(&golden, set_up, bounds, &device),
            });
        }
    }
    if compared == 0 {
        println!("golden: no files of sound in {}", folder.display());
    }
    assert!(failures.is_empty(), "{} tensors differ:\n{}", failures.len(), failures.join("\n"));
}
