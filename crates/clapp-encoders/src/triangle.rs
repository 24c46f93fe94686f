//! A convolution with normalised input and triangle activation, whose channels may compete.

use burn::tensor::{
    Device, Tensor,
    activation::relu,
    module::{avg_pool2d, max_pool2d},
    ops::{AvgPoolOptions, MaxPoolOptions},
};
use clapp_backend::{
    Activity, Arithmetic, ConvActivity, ConvSpec, Hebbian, MapWindow, Pool, Response, WindowOf,
    conv2d_local, conv2d_local_hebbian_map,
};
use clapp_rules::{GridShape, Modulation, Optimize, Post, Shown, State, StateError, Synapses};
use serde::{Deserialize, Serialize};

use crate::{
    EncoderError, LocalActivity, LocalLayer, Moments, Patches, Persist, RunningMoments, Statistics,
    layer::with_decay,
};

/// One layer of channels that compete.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrianglePlan {
    /// Output channels.
    pub channels: usize,
    /// Side of the kernel, odd.
    pub kernel: usize,
    /// p of the triangle activation.
    pub power: f64,
    /// Windows that follow.
    pub window: MapWindow,
    /// What the activation is above.
    #[serde(default, skip_serializing_if = "is_default")]
    pub above: Above,
    /// What its weights begin as.
    #[serde(default, skip_serializing_if = "is_default")]
    pub start: Start,
}

/// What a summed input has to exceed to be handed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Above {
    /// The mean over channels at its pixel: max(u − ⟨u⟩, 0)^p.
    #[default]
    Mean,
    /// Nothing: max(u, 0), whatever p.
    Zero,
}

/// What weights begin as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// N(0, (25/√fan_in)²), neurons of a length of 25, without a bias: for competition.
    #[default]
    Long,
    /// U(±1/√fan_in), with a bias from the same that learns.
    Uniform,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl TrianglePlan {
    /// A layer of channels that compete.
    #[must_use]
    pub fn new(channels: usize, kernel: usize, power: f64, window: MapWindow) -> Self {
        let (above, start) = (Above::Mean, Start::Long);
        Self { channels, kernel, power, window, above, start }
    }

    /// Weights and biases for so many input channels.
    #[must_use]
    pub fn weights(&self, pre: usize) -> usize {
        let biases = usize::from(self.start == Start::Uniform);
        self.channels * (self.kernel * self.kernel * pre + biases)
    }

    /// What is handed up of a map of summed inputs.
    fn activation(&self, u: &Activity) -> Activity {
        let MapWindow { of, side, stride, padding } = self.window;
        match self.above {
            Above::Mean => u.triangle(self.power, self.window),
            Above::Zero => {
                let active = relu(u.to_plain());
                let [side, stride, padding] = [side, stride, padding].map(|pixels| [pixels; 2]);
                Activity::from_plain(match of {
                    WindowOf::Max => {
                        let options = MaxPoolOptions::new(side);
                        max_pool2d(active, options.with_stride(stride).with_padding(padding))
                    }
                    WindowOf::Mean => {
                        let options = AvgPoolOptions::new(side);
                        avg_pool2d(active, options.with_stride(stride).with_padding(padding))
                    }
                })
            }
        }
    }

    /// Side of the output for a square input.
    ///
    /// # Errors
    ///
    /// If the kernel is even or does not fit the input, or a window does not fit the map.
    pub fn output_side(&self, layer: usize, side: usize) -> Result<usize, EncoderError> {
        let MapWindow { side: window, stride, padding, .. } = self.window;
        let fits = self.kernel % 2 == 1
            && self.kernel / 2 < side
            && stride > 0
            && padding < window
            && side + 2 * padding >= window;
        match fits {
            true => Ok(self.window.output_size([side; 2])[0]),
            false => Err(EncoderError::Competition { layer, side, plan: *self }),
        }
    }
}

/// Normalisation, convolution, and what is above the mean over channels.
///
/// ```text
/// x̂ = (x − μ_i) / √(var_i + 10⁻⁵), reflected at the border        u = W ⋆ x̂ (+ b)
/// z = window of max(u − ⟨u⟩_channels, 0)^p
/// ΔW_ji(τ) = Σ_q m_j(q) x̂_i(q + τ) − d_j W_ji(τ)        Δb_j = Σ_q m_j(q)
/// ```
///
/// A bias b only where [`Start::Uniform`] says so; the normalisation has no gain and no shift. The map keeps its size before the windows. A rule is
/// shown u at every pixel, not z: with [`SoftHebb`](clapp_rules::SoftHebb) m is a signed softmax of u.
///
/// **Locality.** μ and var are those of a presynaptic channel ([`RunningMoments`] says how local they are); the
/// mean over channels at a pixel is shared inhibition. Nothing comes from another layer.
///
/// # Shapes
/// - input, output: [`Patches`], `[patch, channel, y, x]`; whole images are patches as large as the image
/// - modulation: as shown, `[batch, time, site · y · x, channel]`
///
/// # Paper
/// Journé et al. (2023), ICLR, Sec. 4 and Appendix. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_encoders::{LocalActivity, LocalLayer, PatchGrid, TriangleConv2d, TrianglePlan, WindowOf, MapWindow};
/// use clapp_random::{Purpose, stream};
///
/// let window = MapWindow { of: WindowOf::Max, side: 4, stride: 2, padding: 1 };
/// let plan = TrianglePlan::new(8, 5, 0.7, window);
/// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
/// let device = Device::flex();
/// let layer = TriangleConv2d::init(3, plan, &device, &mut random);
/// let images = Tensor::<4>::random([2, 3, 32, 32], Distribution::Default, &device);
/// let activity = layer.forward(&PatchGrid { size: 32, stride: 32 }.cut(images));
/// assert_eq!(activity.output().pixels.dims(), [2, 8, 16, 16]);
/// ```
#[derive(Clone, Debug)]
pub struct TriangleConv2d {
    /// W, `[j, i, ky, kx]`.
    pub weight: Synapses<4>,
    /// b, `[j]`, if it has one.
    pub bias: Option<Synapses<1>>,
    /// Statistics of the input.
    pub running: RunningMoments,
    /// Kernel, power, windows.
    pub plan: TrianglePlan,
    /// Whose mean and variance normalise.
    pub statistics: Statistics,
    /// Which arithmetic the convolution may use.
    pub arithmetic: Arithmetic,
}

/// What such a layer keeps of a forward pass.
#[derive(Clone, Debug)]
pub struct TriangleActivity {
    /// x̂ with its border, and u.
    pub conv: ConvActivity,
    /// z: the input of the next layer.
    pub output: Patches,
    /// What x was normalised with.
    pub moments: Moments,
}

impl LocalActivity for TriangleActivity {
    type Output = Patches;

    fn output(&self) -> Patches {
        self.output.clone()
    }

    /// z, averaged over the map.
    fn representation(&self) -> Tensor<4> {
        let GridShape { batch, time, site } = self.output.grid;
        let [_, channels, ..] = self.output.pixels.dims();
        self.output.pixels.to_rows().mean_dim(1).reshape([batch, time, site, channels])
    }

    /// u of every pixel.
    ///
    /// # Panics
    ///
    /// If another resolution is asked for.
    fn show(&self, shown: Shown) -> Tensor<4> {
        assert_eq!(
            shown,
            Shown::Pixels,
            "triangle layer: expected to be shown at pixels, got {shown:?}"
        );
        let GridShape { batch, time, site } = self.output.grid;
        let [_, channels, height, width] = self.conv.output.dims();
        self.conv.output.to_rows().reshape([batch, time, site * height * width, channels])
    }
}

impl TriangleConv2d {
    /// Draws weights, and a bias if there is one, as [`Start`] says.
    #[must_use]
    pub fn init(
        pre: usize,
        plan: TrianglePlan,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let TrianglePlan { channels, kernel, start, .. } = plan;
        let shape = [channels, pre, kernel, kernel];
        let bound = 1.0 / ((pre * kernel * kernel) as f64).sqrt();
        let (weight, bias) = match start {
            Start::Long => (Synapses::normal(shape, 25.0 * bound, device, random), None),
            Start::Uniform => {
                let weight = Synapses::uniform(shape, bound, device, random);
                (weight, Some(Synapses::uniform([channels], bound, device, random)))
            }
        };
        Self {
            weight,
            bias,
            running: RunningMoments::init(pre, device),
            plan,
            statistics: Statistics::Batch,
            arithmetic: Arithmetic::Fast,
        }
    }

    /// Geometry of the convolution: the border is part of its input.
    fn spec(&self) -> ConvSpec {
        ConvSpec {
            kernel: [self.plan.kernel; 2],
            padding: [0, 0],
            arithmetic: self.arithmetic,
            response: Response::Linear,
            ..ConvSpec::same_3x3(Pool::None)
        }
    }

    /// Σ m ⊗ x̂, without a decay, and Σ m.
    ///
    /// # Panics
    ///
    /// If the modulation does not have the shape in which the activity was shown.
    #[must_use]
    pub fn delta(&self, activity: &TriangleActivity, m: Tensor<4>) -> Hebbian<4> {
        let [patches, channels, height, width] = activity.conv.output.dims();
        let m = m.reshape([patches, height * width, channels]);
        conv2d_local_hebbian_map(&activity.conv, m, self.weight.weight(), self.spec())
    }
}

impl LocalLayer for TriangleConv2d {
    type Input = Patches;
    type Activity = TriangleActivity;

    fn forward(&self, input: &Patches) -> TriangleActivity {
        let moments = match self.statistics {
            Statistics::Running => self.running.moments(),
            Statistics::Batch => {
                let [patches, _, height, width] = input.pixels.dims();
                let (mean, variance) = input.pixels.moments();
                Moments { mean, variance, count: Some(patches * height * width) }
            }
        };
        let (mean, scale) = (moments.mean.clone(), moments.inverse_deviation());
        let normalised = input.pixels.normalised(mean, scale, self.plan.kernel / 2);
        let weight = self.weight.weight();
        let bias = self.bias.as_ref().map_or_else(
            || Tensor::zeros([self.plan.channels], (&weight.device(), weight.dtype())),
            Synapses::weight,
        );
        let conv = conv2d_local(&normalised, weight, bias, self.spec());
        let pixels = self.plan.activation(&conv.output);
        TriangleActivity { conv, output: Patches { pixels, grid: input.grid }, moments }
    }

    fn learn(&mut self, activity: TriangleActivity, told: Modulation, optimizer: &dyn Optimize) {
        let Modulation { m, shown, post, decay } = told;
        assert_eq!(
            (shown, post),
            (Shown::Pixels, Post::One),
            "triangle layer: expected a modulation of pixels and the postsynaptic factor 1, got {shown:?} and {post:?}"
        );
        let delta = self.delta(&activity, m);
        if let Some(bias) = &mut self.bias {
            bias.learn(with_decay(delta.bias, bias.weight(), decay.as_ref()), optimizer);
        }
        self.weight.learn_decaying(delta.weight, decay, optimizer);
        self.running.follow(&activity.moments);
    }

    fn observe(&mut self, activity: &Self::Activity) {
        self.running.follow(&activity.moments);
    }

    fn normalise_by(&mut self, statistics: Statistics) {
        self.statistics = statistics;
    }
}

impl Persist for TriangleConv2d {
    fn save(&self, name: &str, state: &mut State) {
        self.weight.save(&format!("{name}.weight"), state);
        if let Some(bias) = &self.bias {
            bias.save(&format!("{name}.bias"), state);
        }
        self.running.save(&format!("{name}.norm"), state);
    }

    fn load(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        self.weight.load(&format!("{name}.weight"), state)?;
        if let Some(bias) = &mut self.bias {
            bias.load(&format!("{name}.bias"), state)?;
        }
        self.running.load(&format!("{name}.norm"), state)
    }
}
