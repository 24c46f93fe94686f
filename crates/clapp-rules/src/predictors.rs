//! Lateral weights that predict: W_pred, and W_retro where the way back has weights of its own.

use burn::tensor::Device;

use crate::{Optimizer, Synapses, update::PredictorUpdate};

/// Prediction weights of one layer, one matrix per prediction step.
///
/// W_pred `[K, target channel, context channel]` carries the context's prediction to the dendrites
/// of the predicted neurons; W_retro `[K, context channel, target channel]` carries the way back.
#[derive(Clone, Debug)]
pub struct Predictors {
    /// W_pred of all prediction steps.
    pub w_pred: Synapses<3>,
    /// W_retro of all prediction steps, unless the way back uses W_predᵀ or is blocked.
    pub w_retro: Option<Synapses<3>>,
}

impl Predictors {
    /// Draws both from U(±1/√target channels), as the authors' 1×1 convolutions are.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use clapp_rules::{Predictors, Purpose, WayBack, stream};
    /// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
    /// let p = Predictors::init(5, 64, 32, WayBack::OwnWeights, &Device::flex(), &mut random);
    /// assert_eq!(p.w_pred.weight().dims(), [5, 64, 32]);
    /// assert_eq!(p.w_retro.unwrap().weight().dims(), [5, 32, 64]);
    /// ```
    #[must_use]
    pub fn init(
        steps: usize,
        target: usize,
        context: usize,
        way_back: WayBack,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let bound = 1.0 / (target as f64).sqrt();
        let w_pred = Synapses::uniform([steps, target, context], bound, device, random);
        let w_retro = match way_back {
            WayBack::Transposed => None,
            WayBack::OwnWeights => {
                Some(Synapses::uniform([steps, context, target], bound, device, random))
            }
        };
        Self { w_pred, w_retro }
    }

    /// Draws both from N(0, 2/target channels): Kaiming's normal distribution for the fan-out of a 1×1×1
    /// convolution before a ReLU.
    ///
    /// # Paper
    /// `VGG_8.py` `Loss._initialize_weights`. Deviations: none.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use clapp_rules::{Predictors, Purpose, WayBack, stream};
    /// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
    /// let p = Predictors::kaiming(3, 96, 96, WayBack::Transposed, &Device::flex(), &mut random);
    /// let variance = p.w_pred.weight().square().mean().into_scalar::<f32>();
    /// assert!((variance.sqrt() - 0.1443).abs() < 0.002);
    /// ```
    #[must_use]
    pub fn kaiming(
        steps: usize,
        target: usize,
        context: usize,
        way_back: WayBack,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let deviation = (2.0 / target as f64).sqrt();
        let w_pred = Synapses::normal([steps, target, context], deviation, device, random);
        let w_retro = (way_back == WayBack::OwnWeights)
            .then(|| Synapses::normal([steps, context, target], deviation, device, random));
        Self { w_pred, w_retro }
    }

    /// Matrices of W_pred: prediction steps K, or 1 that is repeated.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.w_pred.weight().dims()[0]
    }

    /// Applies ΔW_pred and ΔW_retro.
    ///
    /// # Panics
    ///
    /// If a shape differs from that of the weights.
    pub fn learn(&mut self, update: PredictorUpdate, optimizer: &Optimizer) {
        self.w_pred.learn(update.w_pred, optimizer);
        if let (Some(synapses), Some(delta)) = (&mut self.w_retro, update.w_retro) {
            synapses.learn(delta, optimizer);
        }
    }
}

/// Whether the way back from target to context has weights of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// It uses W_predᵀ (weight transport), or there is none.
    Transposed,
    /// It has W_retro.
    OwnWeights,
}
