//! Weights of CLAPP, whose modules predict patches: a matrix for each prediction step.

use clapp::{
    Error, Images, RunConfig,
    image::Setup,
    rules::{Feedback, Rule, State},
};

use super::{Options, Weights, architecture, put};

/// The authors' architecture, with the widths and the prediction steps of the files.
pub(super) fn configuration(
    weights: &Weights,
    options: &Options,
) -> Result<RunConfig<Images>, Error> {
    let mirrored = weights.has("encoder.0.loss_mirror.W_k.0.weight");
    let mut config = architecture(weights, options, if mirrored { "clapp" } else { "clapp-s" })?;
    let steps = (0..).take_while(|k| weights.has(&format!("encoder.0.loss.W_k.{k}.weight")));
    let Some(rule) = config.setup.rule.over_time_mut() else {
        let (expected, advice) = ("a method that predicts patches", "leave it out");
        return Err(Error::misfit_of("--method", expected, &config.method, advice));
    };
    rule.prediction_steps = steps.count();
    Ok(config)
}

/// The authors' W_k are W_predᵀ, those of loss_mirror W_retro as they stand.
pub(super) fn lateral(
    weights: &mut Weights,
    config: &RunConfig<Images>,
    state: &mut State,
) -> Result<(), Error> {
    let Setup { encoder, rule, context, .. } = &config.setup;
    let channels = encoder.channels();
    let Some(&Rule { feedback, prediction_steps, .. }) = rule.over_time() else { return Ok(()) };
    let halves: &[_] = match feedback {
        Feedback::PredRetro => &[("loss", "w_pred"), ("loss_mirror", "w_retro")],
        _ => &[("loss", "w_pred")],
    };
    for layer in 0..channels.len() {
        let (z, c) = (channels[layer], channels[context.of(layer, channels.len())]);
        for (theirs, ours) in halves {
            let mut all = Vec::new();
            for k in 0..prediction_steps {
                let name = format!("encoder.{layer}.{theirs}.W_k.{k}.weight");
                let w = weights.take(&name, &[c, z, 1, 1])?;
                match *ours {
                    "w_pred" => all.extend((0..z * c).map(|i| w[i % c * z + i / c])),
                    _ => all.extend(w),
                }
            }
            let [post, pre] = if *ours == "w_pred" { [z, c] } else { [c, z] };
            let name = format!("layer{}.{ours}", layer + 1);
            put(state, &name, all, &[prediction_steps, post, pre]);
        }
    }
    Ok(())
}
