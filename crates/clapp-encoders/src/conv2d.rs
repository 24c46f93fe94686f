//! A 2-d convolution that learns from its own activity.

use burn::tensor::{Device, Tensor};
use clapp_backend::{
    Activity, ConvSpec, Hebbian, conv2d_local, conv2d_local_hebbian, conv2d_local_hebbian_map,
};
use clapp_rules::{Modulation, Optimize, Post, Shown, State, StateError, Synapses};

use crate::{LocalLayer, PatchActivity, Patches, Persist, layer::with_decay};

/// Convolution, ReLU, optional 2×2 max-pool; its representation is the mean over the map.
///
/// ```text
/// z = mean_p ρ(W ∗ x + b)(p)        ΔW_ji(τ) = m_j · mean_p ρ′(a_j(p)) x_i(p + τ)
/// ```
///
/// # Paper
/// Illing et al. 2021, appendix C ("Gradient flow through MaxPooling"); `VGG_like_Encoder.py`.
/// Deviations: none.
#[derive(Clone, Debug)]
pub struct LocalConv2d {
    /// W, `[j, i, ky, kx]`.
    pub weight: Synapses<4>,
    /// b, `[j]`.
    pub bias: Synapses<1>,
    /// Geometry and arithmetic.
    pub spec: ConvSpec,
}

impl LocalConv2d {
    /// Draws weights and biases from U(±1/√fan_in).
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use clapp_backend::{ConvSpec, Pool};
    /// use clapp_encoders::LocalConv2d;
    /// use clapp_random::{Purpose, stream};
    /// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
    /// let spec = ConvSpec::same_3x3(Pool::Max2);
    /// let layer = LocalConv2d::init(1, 32, spec, &Device::flex(), &mut random);
    /// assert_eq!(layer.weight.weight().dims(), [32, 1, 3, 3]);
    /// ```
    #[must_use]
    pub fn init(
        pre: usize,
        post: usize,
        spec: ConvSpec,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let [kernel_y, kernel_x] = spec.kernel;
        let bound = 1.0 / ((pre * kernel_y * kernel_x) as f64).sqrt();
        let shape = [post, pre, kernel_y, kernel_x];
        Self {
            weight: Synapses::uniform(shape, bound, device, random),
            bias: Synapses::uniform([post], bound, device, random),
            spec,
        }
    }

    /// ΔW and Δb for a modulation `[batch, row, column, j]` of the representation.
    ///
    /// # Panics
    ///
    /// If `modulation` has another shape.
    #[must_use]
    pub fn delta(&self, activity: &PatchActivity, modulation: Tensor<4>) -> Hebbian<4> {
        let [_, _, height, width] = activity.conv.output.dims();
        let [batch, time, site, channels] = modulation.dims();
        // The representation is a mean over the map, so each pixel carries its share of the signal.
        let share = modulation.reshape([batch * time * site, channels]) / (height * width) as f64;
        conv2d_local_hebbian(&activity.conv, share, self.weight.weight(), self.spec)
    }
}

impl LocalConv2d {
    /// ΔW and Δb for a modulation at any resolution, with the postsynaptic factor and the decay that it asks
    /// for.
    ///
    /// # Panics
    ///
    /// If the modulation does not have the shape in which the activity was shown.
    #[must_use]
    pub fn change(&self, activity: &PatchActivity, told: Modulation) -> Hebbian<4> {
        let Modulation { m, shown, post, decay } = told;
        let delta = if (shown, post) == (Shown::Patch, Post::Slope) {
            self.delta(activity, m)
        } else {
            let m = activity.at_pixels(m, shown);
            let mut conv = activity.conv.clone();
            if post == Post::One {
                // The kernels gate by an output above 0.
                let options = (&m.device(), m.dtype());
                conv.output = Activity::from_plain(Tensor::ones(conv.output.dims(), options));
            }
            conv2d_local_hebbian_map(&conv, m, self.weight.weight(), self.spec)
        };
        Hebbian {
            weight: with_decay(delta.weight, self.weight.weight(), decay.as_ref()),
            bias: with_decay(delta.bias, self.bias.weight(), decay.as_ref()),
        }
    }
}

impl LocalLayer for LocalConv2d {
    type Input = Patches;
    type Activity = PatchActivity;

    fn forward(&self, input: &Patches) -> PatchActivity {
        let (weight, bias) = (self.weight.weight(), self.bias.weight());
        let conv = conv2d_local(&input.pixels, weight, bias, self.spec);
        PatchActivity { conv, grid: input.grid }
    }

    fn learn(&mut self, activity: PatchActivity, told: Modulation, optimizer: &dyn Optimize) {
        let delta = self.change(&activity, told);
        self.weight.learn(delta.weight, optimizer);
        self.bias.learn(delta.bias, optimizer);
    }
}

impl Persist for LocalConv2d {
    fn save(&self, name: &str, state: &mut State) {
        self.weight.save(&format!("{name}.weight"), state);
        self.bias.save(&format!("{name}.bias"), state);
    }

    fn load(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        self.weight.load(&format!("{name}.weight"), state)?;
        self.bias.load(&format!("{name}.bias"), state)
    }
}
