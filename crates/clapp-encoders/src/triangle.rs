//! A convolution with normalised input and triangle activation, whose channels may compete.

use burn::tensor::{Device, Tensor};
use clapp_backend::{
    Arithmetic, ConvActivity, ConvSpec, Hebbian, Pool, Response, conv2d_local,
    conv2d_local_hebbian_map,
};
use clapp_rules::{GridShape, Modulation, Optimize, Post, Shown, State, StateError, Synapses};

use crate::{
    LocalActivity, LocalLayer, Moments, Patches, Persist, RunningMoments, Start, Statistics,
    TrianglePlan, layer::with_decay,
};

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
