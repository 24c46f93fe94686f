//! A network in training or at work, on images that come from nowhere.

use burn::tensor::{Device, Tensor, TensorData};
use clapp::encoders::{Context, EncoderConfig, EncoderError, Learnt, PatchGrid, Stack};
use clapp::random::{Purpose, stream};
use clapp::rules::{Optimizer, Plasticity, Rule};
use clapp_backend::Arithmetic;
use rand::RngExt;
use rand_distr::StandardNormal;

/// Sizes of a workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// Factor of VGG-6's channels.
    pub width: f64,
    /// Images of a step.
    pub batch: usize,
    /// Side of an image in pixels.
    pub crop: usize,
    /// Colour planes of an image.
    pub colours: usize,
    /// Exact sums or Winograd.
    pub arithmetic: Arithmetic,
    /// Names all random draws.
    pub seed: u64,
}

impl Setting {
    /// Full width, 8 images.
    #[must_use]
    pub fn full() -> Self {
        Self { width: 1.0, batch: 8, crop: 64, colours: 1, arithmetic: Arithmetic::Fast, seed: 2 }
    }

    /// A quarter of the width, 32 images.
    #[must_use]
    pub fn quarter() -> Self {
        Self { width: 0.25, batch: 32, ..Self::full() }
    }

    /// VGG-6 in this size.
    ///
    /// # Errors
    ///
    /// If the width is not above 0, or the image smaller than a patch.
    pub fn encoder(&self) -> Result<EncoderConfig, EncoderError> {
        let config = EncoderConfig {
            colours: self.colours,
            image: self.crop,
            arithmetic: self.arithmetic,
            ..EncoderConfig::vgg6(self.width)?
        };
        config.validate()?;
        Ok(config)
    }

    /// Patches of a step.
    #[must_use]
    pub fn patches(&self, grid: PatchGrid) -> usize {
        self.batch * grid.count(self.crop).pow(2)
    }
}

/// Images of independent pixels from N(0, 1), another batch for every step: `[b, c, y, x]`.
#[must_use]
pub fn images(setting: &Setting, step: u64, device: &Device) -> Tensor<4> {
    let shape = [setting.batch, setting.colours, setting.crop, setting.crop];
    let random = stream(setting.seed, Purpose::Test, [step, 0, 0, 0]);
    let pixels = shape.iter().product();
    let values: Vec<f32> = random.sample_iter(StandardNormal).take(pixels).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A network that learns by a rule, with Adam at the usual rate of 2e-4.
///
/// ```
/// use burn::tensor::Device;
/// use clapp::rules::Rule;
/// use clapp_benches::{Setting, Training, images};
///
/// let setting = Setting { width: 1.0 / 16.0, batch: 2, ..Setting::full() };
/// let device = Device::flex();
/// let mut training = Training::new(&setting, Rule::clapp_s(), &device)?;
/// let losses = training.step(images(&setting, 0, &device));
/// // An untrained layer predicts nothing.
/// assert!(losses.iter().all(|loss| (loss - 2.0).abs() < 0.5));
/// # Ok::<(), clapp_benches::Error>(())
/// ```
#[derive(Debug)]
pub struct Training {
    stack: Stack,
    rule: Rule,
    optimizer: Optimizer,
    seed: u64,
    steps: u64,
}

impl Training {
    /// A network before its first step.
    ///
    /// # Errors
    ///
    /// If the sizes don't fit together, or the grid has too few rows for the rule.
    pub fn new(setting: &Setting, rule: Rule, device: &Device) -> Result<Self, EncoderError> {
        let config = setting.encoder()?;
        let stack = Stack::init(&config, &rule, Context::SameLayer, setting.seed, device)?;
        Ok(Self { stack, rule, optimizer: Optimizer::default(), seed: setting.seed, steps: 0 })
    }

    /// One step of every layer; the losses are read, as a training loop does.
    pub fn step(&mut self, images: Tensor<4>) -> Vec<f64> {
        let (rule, seed, step) = (self.rule, self.seed, self.steps);
        let mut draw = |layer: usize, shape| {
            rule.pairs(shape, &mut stream(seed, Purpose::Negatives, [step, layer as u64, 0, 0]))
        };
        let metrics = self.stack.step(images, &rule, &self.optimizer, &mut draw);
        self.steps += 1;
        metrics.iter().map(|metrics| metrics.monitor().loss).collect()
    }

    /// Features of every layer, `[b, channel]`.
    #[must_use]
    pub fn features(&self, images: Tensor<4>) -> Vec<Tensor<2>> {
        self.stack.features(images)
    }

    /// How many patches of each layer have something to learn from these images: those whose
    /// modulation is not zero everywhere. Nothing is learnt.
    pub fn taught_patches(&mut self, images: Tensor<4>) -> Vec<usize> {
        let (rule, seed, step) = (self.rule, self.seed, self.steps);
        let mut draw = |layer: usize, shape| {
            rule.pairs(shape, &mut stream(seed, Purpose::Negatives, [step, layer as u64, 0, 0]))
        };
        let mut counts = vec![];
        self.stack.visit(images, &rule, &mut draw, &mut |learnt| {
            if let Learnt::Layer { told, .. } = learnt {
                let strongest = told.m.abs().max_dim(3); // [b, row, column, 1]
                counts.push(strongest.greater_elem(0.0).int().sum().into_scalar::<i64>() as usize);
            }
        });
        counts
    }
}
