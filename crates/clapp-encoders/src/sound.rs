//! The encoder for sound: configuration, lengths, widths.

use burn::tensor::Device;
use clapp_random::{Purpose, stream};
use clapp_rules::{Extent, Plasticity};
use serde::{Deserialize, Serialize};

use crate::{Conv1dSpec, EncoderError, Layer, LocalConv1d, LocalGru, Recurrence, Stack, Wave};

/// A stack of convolutions over time, each predicting itself, and a recurrent layer that predicts the
/// last of them.
///
/// ```text
/// layers 1 … L:        L_l = L(z = h_l, c = h_l)
/// recurrent layer:     L_{L+1} = L(z = h_L, c = gru(h_L))
/// ```
///
/// # Paper
/// Illing et al. 2021, Sec. 4 and appendix B.2; Löwe et al. 2019, `full_model.py` with six modules.
/// Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_encoders::{LocalConv1d, LocalGru, SoundConfig};
/// use clapp_random::{Purpose, stream};
/// use clapp_rules::{Optimizer, Plasticity, Rule};
///
/// let (device, rule) = (Device::flex(), Rule::clapp_s_sound());
/// let config = SoundConfig { samples: 5120, ..SoundConfig::paper(1.0 / 64.0).unwrap() };
/// let mut encoder = config.init(&rule, 2, &device).unwrap();
/// let waves = Tensor::random([2, 1, 5120], Distribution::Normal(0.0, 1.0), &device);
/// let metrics = encoder.step(waves.clone(), &rule, &Optimizer::default(), &mut |layer, grid| {
///     rule.pairs(grid, &mut stream(2, Purpose::Negatives, [0, layer as u64, 0, 0]))
/// });
/// assert_eq!(metrics.len(), 6);
/// // 32 frames of 10 ms, in every layer at its own rate.
/// let mut frames = Vec::new();
/// encoder.look(waves, &mut |_, grid| frames.push(grid.dims()[1]));
/// assert_eq!(frames, [1023, 255, 128, 65, 32, 32]);
/// assert_eq!(encoder.layer::<LocalConv1d>(0).spec.kernel, 10);
/// assert_eq!(encoder.layer::<LocalGru>(5).units(), 4);
/// ```
pub type SoundEncoder = Stack<Box<dyn Layer>, Wave>;

/// Whether the last convolution learns from the loss in which the recurrent layer predicts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetSide {
    /// It does not: the recurrent layer's input is a constant (Greedy InfoMax).
    #[default]
    Stopped,
    /// It does, on the predicted side: the paper's text.
    Learns,
}

/// One convolution of the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conv1dPlan {
    /// Output channels.
    pub channels: usize,
    /// Kernel, stride, padding.
    #[serde(flatten)]
    pub spec: Conv1dSpec,
}

/// The recurrent layer on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecurrentPlan {
    /// Units.
    pub units: usize,
    /// How far credit reaches back in time.
    #[serde(default)]
    pub recurrence: Recurrence,
    /// Whether the last convolution learns from being predicted.
    #[serde(default)]
    pub target: TargetSide,
}

/// An encoder of convolutions over time, with or without a recurrent layer on top.
///
/// | name | default ([`paper`](Self::paper)) | purpose | range |
/// |---|---|---|---|
/// | `samples` | 20,480 | length of a training crop: 1.28 s at 16 kHz | |
/// | `layers` | 512 channels; kernels 10, 8, 4, 4, 4; strides 5, 4, 2, 2, 2; padding 2, 2, 2, 2, 1 | convolutions | ≥ 1 |
/// | `recurrent` | 256 units, e-prop | recurrent layer | or none |
///
/// # Paper
/// Illing et al. 2021, Sec. 4; Löwe et al. 2019, `load_audio_model.py`. Deviations: none; the paper's
/// text counts four convolutions, its results come from five.
///
/// ```
/// use clapp_encoders::SoundConfig;
/// let paper = SoundConfig::paper(1.0).unwrap();
/// assert_eq!(paper.frames(20_480), [4095, 1023, 512, 257, 128]);
/// assert_eq!(paper.weights(), 5_632 + 2_097_664 + 3 * 1_049_088 + 591_360);
/// assert_eq!((paper.hop(), paper.receptive_field(), paper.left()), (160, 465, 212));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundConfig {
    /// Samples of a training crop.
    pub samples: usize,
    /// Convolutions in order.
    pub layers: Vec<Conv1dPlan>,
    /// Recurrent layer on top.
    pub recurrent: Option<RecurrentPlan>,
}

impl SoundConfig {
    /// The paper's encoder with all widths multiplied by `width` (at least one channel each).
    ///
    /// # Errors
    ///
    /// If `width` is not above 0.
    pub fn paper(width: f64) -> Result<Self, EncoderError> {
        if !(width > 0.0 && width.is_finite()) {
            return Err(EncoderError::Width { width });
        }
        let scaled = |channels: f64| ((channels * width) as usize).max(1);
        let geometry = [(10, 5, 2), (8, 4, 2), (4, 2, 2), (4, 2, 2), (4, 2, 1)];
        let plan = |(kernel, stride, padding)| Conv1dPlan {
            channels: scaled(512.0),
            spec: Conv1dSpec { kernel, stride, padding },
        };
        let recurrent = RecurrentPlan {
            units: scaled(256.0),
            recurrence: Recurrence::EProp,
            target: TargetSide::Stopped,
        };
        Ok(Self {
            samples: 20_480,
            layers: geometry.map(plan).to_vec(),
            recurrent: Some(recurrent),
        })
    }

    /// Frames of every convolution for a wave of `samples`.
    #[must_use]
    pub fn frames(&self, samples: usize) -> Vec<usize> {
        let mut frames = samples;
        let next = |plan: &Conv1dPlan| {
            frames = plan.spec.frames(frames);
            frames
        };
        self.layers.iter().map(next).collect()
    }

    /// Samples between two frames of the last layer.
    #[must_use]
    pub fn hop(&self) -> usize {
        self.layers.iter().map(|plan| plan.spec.stride).product()
    }

    /// Samples that a frame of the last layer sees.
    #[must_use]
    pub fn receptive_field(&self) -> usize {
        let (mut field, mut hop) = (1, 1);
        for Conv1dPlan { spec, .. } in &self.layers {
            field += (spec.kernel - 1) * hop;
            hop *= spec.stride;
        }
        field
    }

    /// Samples before the place `hop · f` of a frame that it sees: frame f begins at `hop · f − left`.
    #[must_use]
    pub fn left(&self) -> usize {
        let (mut left, mut hop) = (0, 1);
        for Conv1dPlan { spec, .. } in &self.layers {
            left += spec.padding * hop;
            hop *= spec.stride;
        }
        left
    }

    /// Output channels of every layer, the recurrent one last.
    #[must_use]
    pub fn channels(&self) -> Vec<usize> {
        let units = self.recurrent.map(|plan| plan.units);
        self.layers.iter().map(|plan| plan.channels).chain(units).collect()
    }

    /// Weights and biases of all layers.
    #[must_use]
    pub fn weights(&self) -> usize {
        let mut pre = 1;
        let mut sum = 0;
        for Conv1dPlan { channels, spec } in &self.layers {
            sum += channels * (spec.kernel * pre + 1);
            pre = *channels;
        }
        sum + self.recurrent.map_or(0, |plan| 3 * plan.units * (pre + plan.units + 2))
    }

    /// Checks that the parts fit together, and the rule to every layer's number of frames.
    ///
    /// # Errors
    ///
    /// - [`EncoderError::Empty`]: no layer, or one without channels
    /// - [`EncoderError::Geometry`]: a kernel or stride of 0
    /// - [`EncoderError::WaveTooShort`]: a layer has no frames left of a crop
    /// - [`EncoderError::Rule`]: the rule does not fit, for instance because it predicts further than the
    ///   last layer has frames
    pub fn validate(&self, rule: &dyn Plasticity) -> Result<(), EncoderError> {
        let channels = self.channels();
        if self.layers.is_empty() || channels.contains(&0) {
            return Err(EncoderError::Empty { channels });
        }
        let mut frames = self.samples;
        for (l, Conv1dPlan { spec, .. }) in self.layers.iter().enumerate() {
            let Conv1dSpec { kernel, stride, .. } = *spec;
            if kernel == 0 || stride == 0 {
                return Err(EncoderError::Geometry { layer: l + 1, kernel, stride });
            }
            frames = spec.frames(frames);
            if frames == 0 {
                return Err(EncoderError::WaveTooShort { layer: l + 1, samples: self.samples });
            }
        }
        Ok(rule.check(frames)?)
    }

    /// Draws all weights of an encoder, and what the rule keeps in each layer.
    ///
    /// Layer `l` draws from the stream (seed, Initialisation, [l, …]): its start does not depend on
    /// any other layer.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use clapp_encoders::SoundConfig;
    /// use clapp_rules::Rule;
    /// let config = SoundConfig::paper(1.0 / 64.0).unwrap();
    /// let encoder = config.init(&Rule::clapp_s_sound(), 2, &Device::flex()).unwrap();
    /// assert_eq!(encoder.layers.len(), 6);
    /// ```
    pub fn init(
        &self,
        rule: &dyn Plasticity,
        seed: u64,
        device: &Device,
    ) -> Result<SoundEncoder, EncoderError> {
        self.validate(rule)?;
        let random = |l: usize| stream(seed, Purpose::Initialisation, [l as u64, 0, 0, 0]);
        let mut layers: Vec<Box<dyn Layer>> = Vec::new();
        let mut pre = 1;
        for (l, &Conv1dPlan { channels, spec }) in self.layers.iter().enumerate() {
            layers.push(Box::new(LocalConv1d::init(pre, channels, spec, device, &mut random(l))));
            pre = channels;
        }
        if let Some(RecurrentPlan { units, recurrence, .. }) = self.recurrent {
            let gru = LocalGru::init(pre, units, recurrence, device, &mut random(layers.len()));
            layers.push(Box::new(gru));
        }
        let extent = |channel| Extent { site: 1, channel };
        let extents: Vec<Extent> = self.channels().into_iter().map(extent).collect();
        let mut stack = Stack::new(Wave, layers);
        for l in 0..self.layers.len() {
            stack.predict(rule, [l, l], &extents, seed, device);
        }
        if let Some(plan) = self.recurrent {
            let top = self.layers.len();
            "recurrent".clone_into(&mut stack.names[top]);
            stack.predict(rule, [top - 1, top], &extents, seed, device);
            stack.predictions[top].target_learns = plan.target == TargetSide::Learns;
        }
        Ok(stack)
    }
}
