//! Comparisons that change an encoder in place of its own rules.

use burn::tensor::Tensor;
use clapp_encoders::{
    DrawPairs, GruActivity, GruUpdate, Learnt, LocalGru, LocalLayer, SoundEncoder,
};
use clapp_rules::{Draws, Metrics, Optimizer, Rule};

use super::{
    layers::{Stop, gru},
    module::SoundModule,
};
use crate::{Oracle, oracle::Gradients, parts::Parts};

/// Changes of a recurrent layer by back-propagation through time, for a modulation of its states.
///
/// ```text
/// ΔW = Σ_t m_t · dh_t/dW        dh_t/dW through all earlier states; m_t = −∂L/∂h_t
/// ```
/// The counterpart of [`LocalGru::delta`]: the same modulation from the same rule, and the credit for it
/// passed back through gates and other neurons, which e-prop leaves out.
///
/// # Shapes
/// - `input`: `[batch, time, input]`; `modulation`: `[batch, time, 1, unit]`
///
/// `stop` is [`Stop::Nowhere`] for back-propagation through time; with another, less credit is passed back.
///
/// # Panics
///
/// If a shape does not fit.
///
/// # Paper
/// Illing et al. 2021, appendix B.2 (CLAPP-s with BPTT). Deviations: none.
///
/// # Example
///
/// Where a recording has one frame there is no time to pass through, and both are the same:
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_baselines::{disagreement, sound::{Stop, through_time}};
/// use clapp_encoders::{LocalActivity, LocalGru, LocalLayer, Recurrence};
/// use clapp_random::{Purpose, stream};
/// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
/// let layer = LocalGru::init(3, 2, Recurrence::EProp, &Device::flex(), &mut random);
/// let input = Tensor::ones([4, 1, 3], &Device::flex());
/// let activity = layer.forward(&input);
/// let (told, local) = (activity.representation(), layer.delta(&activity, activity.representation()));
/// let back = through_time(&layer, &input, told, Stop::Nowhere);
/// assert!(disagreement(&local.input, &(-back.input)) < 1e-6);
/// ```
#[must_use]
pub fn through_time(
    layer: &LocalGru,
    input: &Tensor<3>,
    modulation: Tensor<4>,
    stop: Stop,
) -> GruUpdate {
    let layer = layer.tracked();
    let states = gru(&input.clone().inner().autodiff(), &layer, stop);
    let told = modulation.inner().autodiff().reshape(states.dims());
    let delta = layer.gradients(&(states * told).sum().backward());
    GruUpdate {
        input: delta.input.weight(),
        recurrent: delta.recurrent.weight(),
        input_bias: delta.input_bias.weight(),
        recurrent_bias: delta.recurrent_bias.weight(),
    }
}

/// One step of an encoder whose recurrent layer learns by back-propagation through time.
///
/// Convolutions learn as in [`SoundEncoder::step`], bit for bit: a loss at the recurrent layer does not
/// reach them.
///
/// # Shapes
/// - `waves`: `[batch, 1, samples]`; returns the metrics of every layer, the recurrent one last
///
/// # Panics
///
/// If a shape does not fit.
pub fn step_through_time(
    encoder: &mut SoundEncoder,
    waves: Tensor<3>,
    rule: &Rule,
    optimizer: &Optimizer,
    draw: &mut DrawPairs<'_>,
) -> Vec<Metrics> {
    let mut all = Vec::new();
    encoder.visit(waves, rule, draw, &mut |learnt| match learnt {
        Learnt::Lateral { lateral, update, metrics, .. } => {
            lateral.learn(update, optimizer);
            all.push(metrics);
        }
        Learnt::Layer { layer, activity, told, .. } => match layer.downcast_mut::<LocalGru>() {
            Some(gru) => {
                let activity = activity.downcast::<GruActivity>().expect("its own activity");
                let delta = through_time(gru, &activity.input(), told.m, Stop::Nowhere);
                gru.apply(delta, optimizer);
            }
            None => layer.learn(activity, told, optimizer),
        },
    });
    all
}

/// One step of an encoder down one loss at its last layer, back-propagated through all layers and all of
/// time: CPC with InfoNCE, Hinge Loss CPC with the hinge. Returns the loss.
///
/// Lateral weights of the other layers take no part and stay as they are.
///
/// # Shapes
/// - `waves`: `[batch, 1, samples]`; `draws`: pairs over the grid of the last convolution
///
/// # Panics
///
/// As [`Oracle::gradients`].
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_baselines::sound::step_end_to_end;
/// use clapp_encoders::SoundConfig;
/// use clapp_rules::{Optimizer, Purpose, Rule, stream};
/// let (device, rule) = (Device::flex(), Rule { prediction_steps: 4, ..Rule::gim_sound() });
/// let config = SoundConfig { samples: 2560, ..SoundConfig::paper(1.0 / 64.0).unwrap() };
/// let mut encoder = config.init(&rule, 2, &device).unwrap();
/// let waves = Tensor::random([2, 1, 2560], Distribution::Normal(0.0, 1.0), &device);
/// let draws = rule.draw([2, 16, 1].into(), &mut stream(2, Purpose::Negatives, [0; 4]));
/// let loss = step_end_to_end(&mut encoder, &waves, &rule, &Optimizer::adam(2e-4), draws);
/// assert!((loss - 11_f64.ln()).abs() < 0.1); // nothing is predicted yet: one of eleven by chance
/// ```
pub fn step_end_to_end(
    encoder: &mut SoundEncoder,
    waves: &Tensor<3>,
    rule: &Rule,
    optimizer: &Optimizer,
    draws: Vec<Draws>,
) -> f64 {
    let oracle = Oracle::end_to_end(encoder, rule);
    let Gradients { loss, module, .. } = oracle.gradients(waves, &[draws]).remove(0);
    // Weights are then updated where they lie: the encoder is their only owner again.
    drop(oracle);
    let SoundModule { layers, lateral, .. } = module;
    layers.descend_into(encoder, 0, optimizer);
    let last = encoder.predictions.last_mut().expect("an encoder has layers");
    last.lateral.descend(&lateral, optimizer);
    loss
}
