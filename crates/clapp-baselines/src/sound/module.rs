//! Encoders of sound, module by module.

use burn::tensor::Tensor;
use clapp_encoders::{Context, SoundEncoder, TargetSide};
use clapp_rules::{Lateral, Rule};

use super::layers::{SoundLayers, Stop};
use crate::{
    Oracle,
    oracle::{Differentiable, Seen},
    parts::parts,
};

/// Layers between two gradient stops, with the lateral weights of their one loss.
///
/// A module without convolutions predicts what comes into it; one without recurrence predicts itself.
#[derive(Clone, Debug)]
pub struct SoundModule {
    /// Convolutions, and a recurrent layer on top or none, whose states are the context.
    pub layers: SoundLayers,
    /// W_pred, and W_retro if there is one.
    pub lateral: Lateral,
    /// Where the gradient of recurrent states is stopped.
    pub stop: Stop,
    /// Whether the loss of a module without convolutions reaches the module below, on its predicted side.
    pub target: TargetSide,
}

parts! {
    SoundModule: layers, lateral;
}

impl Differentiable for SoundModule {
    type Raw = Tensor<3>;
    type Cut = ();
    /// `[batch, time, channel]`.
    type Data = Tensor<3>;

    fn enter(waves: &Tensor<3>, (): &()) -> Tensor<3> {
        waves.clone().inner().autodiff().swap_dims(1, 2)
    }

    fn forward(&self, below: &Tensor<3>) -> Seen<Tensor<3>> {
        let (output, context) = self.layers.forward(below.clone().detach(), self.stop);
        let reaches = self.layers.convolutions.is_empty() && self.target == TargetSide::Learns;
        let target = if reaches { below.clone() } else { output.clone() };
        // [batch, time, 1, channel]
        let (target, context) = (target.unsqueeze_dim(2), context.unsqueeze_dim(2));
        Seen { output, target, context, moments: Vec::new() }
    }

    fn lateral(&self) -> &Lateral {
        &self.lateral
    }
}

impl Oracle<SoundModule> {
    /// The losses that the layers of an encoder claim to descend: one module a layer, the recurrent one
    /// last.
    #[must_use]
    pub fn layer_wise(encoder: &SoundEncoder, rule: &Rule, stop: Stop) -> Self {
        let module = |l: usize| {
            let prediction = &encoder.predictions[l];
            let target = match prediction.target_learns {
                true => TargetSide::Learns,
                false => TargetSide::Stopped,
            };
            let (layers, lateral) =
                (SoundLayers::of(encoder, l..l + 1), prediction.lateral.clone());
            SoundModule { layers, lateral, stop, target }
        };
        Self::over((0..encoder.layers.len()).map(module).collect(), rule)
    }

    /// CPC or Hinge Loss CPC: all layers in one module, one loss at the recurrent layer (or at the last
    /// convolution if there is none), back-propagation through everything.
    ///
    /// # Panics
    ///
    /// If the encoder has no layers.
    ///
    /// # Example
    ///
    /// CPC for sound, three steps:
    ///
    /// ```
    /// use burn::tensor::{Device, Distribution, Tensor};
    /// use clapp_baselines::Oracle;
    /// use clapp_encoders::SoundConfig;
    /// use clapp_rules::{Optimizer, Purpose, Rule, stream};
    /// let (device, rule) = (Device::flex(), Rule { prediction_steps: 4, ..Rule::gim_sound() });
    /// let config = SoundConfig { samples: 2560, ..SoundConfig::paper(1.0 / 64.0).unwrap() };
    /// let mut cpc = Oracle::end_to_end(&config.init(&rule, 2, &device).unwrap(), &rule);
    /// for step in 0..3 {
    ///     let waves = Tensor::random([2, 1, 2560], Distribution::Normal(0.0, 1.0), &device);
    ///     let draws = rule.draw([2, 16, 1].into(), &mut stream(2, Purpose::Negatives, [step, 0, 0, 0]));
    ///     let losses = cpc.step(&waves, &[draws], &Optimizer::default());
    ///     assert_eq!(losses.len(), 1);
    /// }
    /// ```
    #[must_use]
    pub fn end_to_end(encoder: &SoundEncoder, rule: &Rule) -> Self {
        let last = encoder.predictions.last().expect("an encoder has layers");
        let module = SoundModule {
            layers: SoundLayers::of(encoder, 0..encoder.layers.len()),
            lateral: last.lateral.clone(),
            stop: Stop::Nowhere,
            target: TargetSide::Stopped,
        };
        Self::over(vec![module], rule)
    }

    /// Modules of any shape.
    #[must_use]
    pub fn over(modules: Vec<SoundModule>, rule: &Rule) -> Self {
        Self { cut: (), modules, context: Context::SameLayer, loss: rule.into() }
    }
}
