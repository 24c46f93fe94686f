//! The encoder for sound in training, on waves that come from nowhere.

use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};
use clapp::encoders::{
    EncoderError, LocalActivity, LocalGru, LocalLayer, Recurrence, SoundConfig, SoundEncoder,
};
use clapp::random::{Purpose, stream};
use clapp::rules::{GridShape, Lateral, Optimizer, Plasticity, Rule};
use rand::RngExt;
use rand_distr::StandardNormal;

/// Frames of 10 ms that the recurrent layer hears in a step.
const FRAMES: usize = 128;

/// Sizes of a workload on sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoundSetting {
    /// Factor of the encoder's 512 channels and 256 units.
    pub width: f64,
    /// Crops of a step.
    pub batch: usize,
    /// Samples of a crop, at 16 kHz.
    pub samples: usize,
    /// Names all random draws.
    pub seed: u64,
}

impl SoundSetting {
    /// Full width, 8 crops of 1.28 s.
    #[must_use]
    pub fn full() -> Self {
        Self { width: 1.0, batch: 8, samples: 20_480, seed: 2 }
    }

    /// The encoder in this size.
    ///
    /// # Errors
    ///
    /// If the width is not above 0.
    pub fn encoder(&self) -> Result<SoundConfig, EncoderError> {
        Ok(SoundConfig { samples: self.samples, ..SoundConfig::paper(self.width)? })
    }

    /// Independent samples from N(0, 1), others in every step: `[batch, 1, samples]`.
    #[must_use]
    pub fn waves(&self, step: u64, device: &Device) -> Tensor<3> {
        noise([self.batch, 1, self.samples], self.seed, step, device)
    }
}

fn noise(shape: [usize; 3], seed: u64, step: u64, device: &Device) -> Tensor<3> {
    let random = stream(seed, Purpose::Test, [step, 0, 0, 0]);
    let values = random.sample_iter(StandardNormal).take(shape.iter().product()).collect();
    Tensor::from_data(TensorData::new::<f32, _>(values, shape), device)
}

/// Five convolutions and a recurrent layer, each with a CLAPP-s of its own, with Adam at 2e-4.
///
/// ```
/// use burn::tensor::Device;
/// use clapp_benches::{SoundSetting, SoundTraining};
///
/// let setting = SoundSetting { width: 1.0 / 64.0, batch: 2, samples: 5120, ..SoundSetting::full() };
/// let device = Device::flex();
/// let mut training = SoundTraining::new(&setting, &device)?;
/// let losses = training.step(setting.waves(0, &device));
/// // An untrained layer predicts nothing.
/// assert!(losses.iter().all(|loss| (loss - 2.0).abs() < 0.5));
/// # Ok::<(), clapp_benches::Error>(())
/// ```
#[derive(Debug)]
pub struct SoundTraining {
    encoder: SoundEncoder,
    rule: Rule,
    optimizer: Optimizer,
    seed: u64,
    steps: u64,
}

impl SoundTraining {
    /// A network before its first step.
    ///
    /// # Errors
    ///
    /// If the sizes don't fit together, or a crop has too few frames for the rule.
    pub fn new(setting: &SoundSetting, device: &Device) -> Result<Self, EncoderError> {
        let rule = Rule::clapp_s_sound();
        let encoder = setting.encoder()?.init(&rule, setting.seed, device)?;
        Ok(Self { encoder, rule, optimizer: Optimizer::default(), seed: setting.seed, steps: 0 })
    }

    /// One step of every layer; the losses are read, as a training loop does.
    pub fn step(&mut self, waves: Tensor<3>) -> Vec<f64> {
        let (rule, seed, step) = (self.rule, self.seed, self.steps);
        let mut draw = |layer: usize, shape| {
            rule.pairs(shape, &mut stream(seed, Purpose::Negatives, [step, layer as u64, 0, 0]))
        };
        let metrics = self.encoder.step(waves, &rule, &self.optimizer, &mut draw);
        self.steps += 1;
        metrics.iter().map(|metrics| metrics.monitor().loss).collect()
    }
}

/// The recurrent layer alone, above frames that don't learn.
///
/// ```
/// use burn::tensor::Device;
/// use clapp_benches::{GruTraining, SoundSetting};
///
/// let setting = SoundSetting { width: 1.0 / 64.0, batch: 2, ..SoundSetting::full() };
/// let device = Device::flex();
/// let mut training = GruTraining::new(&setting, &device)?;
/// let step = training.step(training.frames(0, &device));
/// assert!((step.loss - 2.0).abs() < 0.5);
/// assert!(step.layer.iter().all(|half| !half.is_zero()));
/// # Ok::<(), clapp_benches::Error>(())
/// ```
#[derive(Debug)]
pub struct GruTraining {
    gru: LocalGru,
    lateral: Lateral,
    inputs: usize,
    rule: Rule,
    optimizer: Optimizer,
    setting: SoundSetting,
    steps: u64,
}

/// One step of a recurrent layer.
#[derive(Clone, Copy, Debug)]
pub struct GruStep {
    /// Of the rule.
    pub loss: f64,
    /// Time of the layer's forward pass and of its weight changes, without rule and optimizer.
    pub layer: [Duration; 2],
}

impl GruTraining {
    /// A layer with e-prop, before its first step.
    ///
    /// # Errors
    ///
    /// If the width is not above 0.
    pub fn new(setting: &SoundSetting, device: &Device) -> Result<Self, EncoderError> {
        let config = setting.encoder()?;
        let [.., inputs, units] = config.channels()[..] else {
            return Err(EncoderError::Empty { channels: config.channels() });
        };
        let rule = Rule::clapp_s_sound();
        let mut random = stream(setting.seed, Purpose::Initialisation, [0; 4]);
        let gru = LocalGru::init(inputs, units, Recurrence::EProp, device, &mut random);
        let lateral = rule.weights(inputs, units, device, &mut random);
        let (optimizer, setting) = (Optimizer::default(), *setting);
        Ok(Self { gru, lateral, inputs, rule, optimizer, setting, steps: 0 })
    }

    /// Rectified noise in the place of the last convolution's activity: `[batch, time, channel]`.
    #[must_use]
    pub fn frames(&self, step: u64, device: &Device) -> Tensor<3> {
        let shape = [self.setting.batch, FRAMES, self.inputs];
        noise(shape, self.setting.seed, step, device).clamp_min(0.0)
    }

    /// Hears frames, predicts them, learns.
    pub fn step(&mut self, frames: Tensor<3>) -> GruStep {
        let [batch, time, channels] = frames.dims();
        let start = Instant::now();
        let activity = self.gru.forward(&frames);
        let forward = start.elapsed();
        let shape = GridShape { batch, time, site: 1 };
        let mut random = stream(self.setting.seed, Purpose::Negatives, [self.steps, 0, 0, 0]);
        let draws = self.rule.draw(shape, &mut random);
        let target = frames.reshape([batch, time, 1, channels]);
        let context = activity.representation();
        let update = self.rule.update(target, context, &self.lateral, &draws);
        let modulation = update.context.clone().expect("symmetric weights send the way back");
        let start = Instant::now();
        let delta = self.gru.delta(&activity, modulation);
        let changes = start.elapsed();
        self.gru.apply(delta, &self.optimizer);
        self.lateral.learn(update.lateral.clone(), &self.optimizer);
        self.steps += 1;
        GruStep { loss: update.monitor().loss, layer: [forward, changes] }
    }
}
