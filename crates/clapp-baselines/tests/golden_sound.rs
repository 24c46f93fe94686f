//! CPC end to end and back-propagation through time against golden files of sound.

use burn::tensor::{Device, Tensor};
use clapp_baselines::{
    Gradients, Oracle,
    sound::{SoundLayers, SoundModule, Stop},
};
use clapp_encoders::{LocalGru, Recurrence, TargetSide};
use clapp_testing::golden::{
    Bounds, F32, F64, GRU_NAMES, Golden, Report, Sound, SoundSetUp, compare_files, module_gru_names,
};

/// Tensors of the files of `clapp-encoders`, in both precisions.
const COMPARED: usize = 158;

#[test]
fn gradients_equal_those_of_the_authors() {
    compare_files(COMPARED, check);
}

fn check(golden: &Golden, report: &mut Report<'_>) -> Result<(), String> {
    let sound = Sound::of(golden).ok_or("not of sound")?;
    for bounds in [F64, F32] {
        report.precision(bounds);
        match &sound.set_up {
            SoundSetUp::Encoder(set_up) => encoder(&sound, set_up.bptt, bounds, report),
            SoundSetUp::Gru(set_up) => recurrent(golden, &sound, set_up.eprop, bounds, report),
        }
    }
    Ok(())
}

/// Modules as they stand in a file, whatever their number of layers.
fn encoder(sound: &Sound<'_>, bptt: bool, bounds: Bounds, report: &mut Report<'_>) {
    let on = (&Device::flex(), bounds.dtype);
    let module = |m| SoundModule {
        layers: SoundLayers {
            convolutions: sound.convolutions(m, on),
            recurrent: sound.module_gru(m, Recurrence::EProp, on),
        },
        lateral: sound.module_lateral(m, on),
        stop: if bptt { Stop::Nowhere } else { Stop::Everywhere },
        target: TargetSide::Stopped,
    };
    let oracle = Oracle::over((0..sound.modules()).map(module).collect(), &sound.rule());
    let draws: Vec<_> = (0..sound.modules()).map(|m| sound.module_draws(m)).collect();
    let gradients = oracle.gradients(&sound.waves(on), &draws);
    let losses: Vec<f64> = gradients.iter().map(|gradients| gradients.loss).collect();
    report.losses("losses", &losses);
    for (m, Gradients { module, .. }) in gradients.into_iter().enumerate() {
        for (i, layer) in module.layers.convolutions.into_iter().enumerate() {
            report.gradient(&format!("module{m}.conv{i}.weight"), layer.weight.weight());
            report.gradient(&format!("module{m}.conv{i}.bias"), layer.bias.weight());
        }
        if let Some(layer) = module.layers.recurrent {
            compare_gru(report, module_gru_names(m).each_ref().map(String::as_str), &layer);
        }
        let w_pred = module.lateral.weight("w_pred");
        report.gradient(&format!("module{m}.predictor.weight"), w_pred);
    }
}

fn compare_gru(report: &mut Report<'_>, [w_i, w_h, b_i, b_h]: [&str; 4], gradients: &LocalGru) {
    report.gradient(w_i, gradients.input.weight());
    report.gradient(w_h, gradients.recurrent.weight());
    report.gradient(b_i, gradients.input_bias.weight());
    report.gradient(b_h, gradients.recurrent_bias.weight());
}

/// One recurrent layer that predicts its own input: a module without convolutions.
fn recurrent(
    golden: &Golden,
    sound: &Sound<'_>,
    eprop: bool,
    bounds: Bounds,
    report: &mut Report<'_>,
) {
    let on = (&Device::flex(), bounds.dtype);
    let module = SoundModule {
        layers: SoundLayers {
            convolutions: Vec::new(),
            recurrent: Some(sound.gru(GRU_NAMES, Recurrence::EProp, on)),
        },
        lateral: sound.gru_lateral(on),
        stop: if eprop { Stop::InGates } else { Stop::Nowhere },
        target: TargetSide::Stopped,
    };
    let oracle = Oracle::over(vec![module], &sound.rule());
    // The oracle takes channels before time.
    let waves = golden.tensor::<3>("z", on).swap_dims(1, 2);
    let gradients = oracle.gradients(&waves, &[sound.gru_draws()]).remove(0);
    report.value("c", gradients.representation);
    report.losses("loss", &[gradients.loss]);
    let SoundModule { layers, lateral, .. } = gradients.module;
    compare_gru(report, GRU_NAMES, &layers.recurrent.expect("has one"));
    for k in 0..sound.gru_steps() {
        let step = |matrices: Tensor<3>| matrices.narrow(0, k, 1);
        report.gradient(&format!("w_pred.k{}", k + 1), step(lateral.weight("w_pred")));
        if lateral.has("w_retro") {
            let w_retro = step(lateral.weight("w_retro").swap_dims(1, 2));
            report.gradient(&format!("w_retro.k{}", k + 1), w_retro);
        }
    }
}
