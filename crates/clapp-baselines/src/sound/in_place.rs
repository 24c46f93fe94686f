//! Comparisons that change an encoder in place of its own rules.

use burn::tensor::Tensor;
use clapp_encoders::{DrawPairs, GruActivity, GruUpdate, LocalGru, SoundEncoder, SoundLearner};
use clapp_rules::{Draws, Optimizer, PredictorUpdate, Rule, Watched};

use super::{
    layers::{GruWeights, Stop, gru},
    network::{SoundGradients, SoundNetwork},
    weights::{LayerGradients, descend},
};

/// Changes of a recurrent layer by back-propagation through time, for a modulation of its states.
///
/// ```text
/// ΔW = Σ_t m_t · dh_t/dW        dh_t/dW through all earlier states; m_t = −∂L/∂h_t
/// ```
/// The counterpart of [`LocalGru::delta`]: the same modulation from the same rule, and the credit for it
/// passed back through gates and other neurons, which e-prop leaves out.
///
/// # Shapes
/// - `activity`: of the layer, for what it heard; `modulation`: `[batch, time, 1, unit]`
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
/// use clapp_baselines::{disagreement, sound::through_time};
/// use clapp_encoders::{LocalActivity, LocalGru, LocalLayer, Recurrence};
/// use clapp_random::{Purpose, stream};
/// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
/// let layer = LocalGru::init(3, 2, Recurrence::EProp, &Device::flex(), &mut random);
/// let activity = layer.forward(&Tensor::ones([4, 1, 3], &Device::flex()));
/// let told = activity.representation();
/// let [local, back] = [layer.delta(&activity, told.clone()), through_time(&layer, &activity, told)];
/// assert!(disagreement(&local.input, &(-back.input)) < 1e-6);
/// ```
#[must_use]
pub fn through_time(layer: &LocalGru, activity: &GruActivity, modulation: Tensor<4>) -> GruUpdate {
    let weights = GruWeights::of(layer).tracked();
    let states = gru(&activity.input().inner().autodiff(), &weights, Stop::Nowhere);
    let told = modulation.inner().autodiff().reshape(states.dims());
    weights.gradients(&(states * told).sum().backward())
}

/// One step of an encoder whose recurrent layer learns by back-propagation through time.
///
/// Convolutions learn as in [`SoundEncoder::step`], bit for bit: a loss at the recurrent layer does not
/// reach them.
///
/// # Shapes
/// - `waves`: `[batch, 1, samples]`; returns numbers to watch of every layer, the recurrent one last
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
) -> Vec<Watched> {
    let (mut watched, contrast) = (Vec::new(), rule.contrast());
    encoder.visit(contrast.as_ref(), waves, rule, draw, &mut |layer, predictors| {
        let update = match layer {
            SoundLearner::Recurrent(gru, learnt) => {
                let delta = through_time(gru, &learnt.activity, learnt.modulation);
                gru.apply(delta, optimizer);
                learnt.update
            }
            convolution => convolution.learn(optimizer),
        };
        predictors.learn(update.predictors.clone(), optimizer);
        watched.push(update.watched());
    });
    watched
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
/// As [`SoundNetwork::gradients`].
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
    let network = SoundNetwork::end_to_end(encoder, rule);
    let mut gradients = network.gradients(waves, &[draws]);
    // Weights are then updated where they lie: the encoder is their only owner again.
    drop(network);
    let gradients = gradients.pop().expect("one module has one set of gradients");
    let SoundGradients { loss, convolutions, recurrent, predictors } = gradients;
    let layers = LayerGradients { convolutions, recurrent };
    let stack = &mut encoder.convolutions;
    let top = encoder.recurrent.as_mut();
    let (gru, lateral) = match top {
        Some(top) => (Some(&mut top.gru), Some(&mut top.predictors)),
        None => (None, stack.predictors.last_mut()),
    };
    descend(&mut stack.layers, gru, layers, optimizer);
    let PredictorUpdate { w_pred, w_retro } = predictors;
    let update = PredictorUpdate { w_pred: -w_pred, w_retro: w_retro.map(|delta| -delta) };
    lateral.expect("an encoder has layers").learn(update, optimizer);
    loss
}
