//! A 3-d convolution with batch normalisation that learns from its own activity.

use burn::tensor::{Device, Tensor, activation::relu};
use clapp_backend::{FilmSpec, PooledMap, Response, arrange_film, conv3d_hebbian, conv3d_local};
use clapp_rules::{Modulation, Optimize, Post, State, StateError, Synapses};

use crate::{
    ChannelNorm, Conv3dSpec, LocalActivity, LocalLayer, Moments, NormDelta, NormOrder, Persist,
    Statistics, layer::with_decay,
};

/// Convolution over time and space, ReLU, batch normalisation, optional 3×3 max-pool within frames.
///
/// Forward, in the authors' order ([`NormOrder::AfterRelu`]); p runs over pixels, frames and clips:
///
/// ```text
/// a_j(p) = Σ_i Σ_τ W_ji(τ) x_i(s·p + τ) + b_j        u = ρ(a)
/// x̂ = (u − μ_j)/σ_j        y = g_j x̂ + s_j           z(q) = max_{p ∈ window q} y(p)
/// ```
///
/// The map z is what the rule sees, each pixel by itself. From the modulation m(q) = −∂L/∂z(q) of each:
///
/// ```text
/// m(p)  = Σ_{q: p won window q} m(q)
/// Δs_j  = Σ_p m_j(p)        Δg_j = Σ_p m_j(p) x̂_j(p)
/// n_j(p) = (g_j/σ_j) [ m_j(p) − Δs_j/N − x̂_j(p) Δg_j/N ]                    batch statistics, N values
/// n_j(p) = (g_j/σ_j) m_j(p)                                                 running statistics
/// ΔW_ji(τ) = Σ_p n_j(p) ρ′(a_j(p)) x_i(s·p + τ)        Δb_j = Σ_p n_j(p) ρ′(a_j(p))
/// ```
///
/// The two terms with N are what a synapse changes by moving mean and variance of its channel: modulation that
/// all of a channel shares does not change it, because the normalisation would undo it. They are averages over the
/// neurons of one channel, nothing of another channel or layer. In the paper's order ρ comes after y: m is
/// gated by 1\[y > 0\], and no gate follows n (Δb is then 0 under batch statistics).
///
/// Because y rises with u where g > 0, and falls where g < 0, the pool picks its winners from u, and all that
/// is normalised, forward and back, is the small map after the pool.
///
/// # Paper
/// Illing et al. 2021, Table 3 (video); `VGG_8.py` `ConvBNReLU`. Deviations: none in the authors' order.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_encoders::{LocalActivity, LocalConv3d, LocalLayer, VideoConfig};
/// use clapp_random::{Purpose, stream};
/// let (device, config) = (Device::flex(), VideoConfig::vgg5(1.0 / 16.0)?);
/// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
/// let layer = LocalConv3d::init(3, 6, config.spec(0), &device, &mut random);
/// let clip = Tensor::<5>::random([1, 3, 4, 35, 35], Distribution::Normal(0.0, 1.0), &device);
/// let activity = layer.forward(&clip);
/// assert_eq!(activity.representation().dims(), [1, 4, 49, 6]);
/// # Ok::<(), clapp_encoders::EncoderError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LocalConv3d {
    /// W, `[j, i, kt, ky, kx]`.
    pub weight: Synapses<5>,
    /// b, `[j]`.
    pub bias: Synapses<1>,
    /// Gain, shift and running statistics.
    pub norm: ChannelNorm,
    /// Geometry.
    pub spec: Conv3dSpec,
    /// Whose mean and variance normalise.
    pub statistics: Statistics,
}

/// What a film layer keeps of a forward pass.
#[derive(Clone, Debug)]
pub struct FilmActivity {
    /// Presynaptic activity x, `[b, i, t, y, x]`.
    pub input: Tensor<5>,
    /// What is normalised, before the pool: ρ(a), or a in the paper's order; after the pool, the winners.
    pub pooled: PooledMap,
    /// z, `[b, j, t', y', x']`: the next layer's input.
    pub output: Tensor<5>,
    /// What it was normalised with.
    pub moments: Moments,
}

/// Changes of everything plastic in a film layer.
#[derive(Clone, Debug)]
pub struct FilmDelta {
    /// ΔW.
    pub weight: Tensor<5>,
    /// Δb.
    pub bias: Tensor<1>,
    /// Δg and Δs.
    pub norm: NormDelta,
}

impl LocalActivity for FilmActivity {
    type Output = Tensor<5>;

    fn output(&self) -> Tensor<5> {
        self.output.clone()
    }

    fn representation(&self) -> Tensor<4> {
        let [batch, channels, time, height, width] = self.output.dims();
        let grid = self.output.clone().permute([0, 2, 3, 4, 1]);
        grid.reshape([batch, time, height * width, channels])
    }
}

impl LocalConv3d {
    /// Draws weights from N(0, 2 / (post · kernel volume)), Kaiming's for the fan-out; biases are 0.
    ///
    /// # Paper
    /// `VGG_8.py` `ConvBNReLU._initialize_weights`. Deviations: none.
    #[must_use]
    pub fn init(
        pre: usize,
        post: usize,
        spec: Conv3dSpec,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let [time, height, width] = spec.kernel;
        let deviation = (2.0 / (post * time * height * width) as f64).sqrt();
        Self {
            weight: Synapses::normal([post, pre, time, height, width], deviation, device, random),
            bias: Synapses::new(Tensor::zeros([post], device)),
            norm: ChannelNorm::init(post, device),
            spec,
            statistics: Statistics::Batch,
        }
    }

    /// Changes for a modulation `[batch, time, site, j]` of the representation.
    ///
    /// # Panics
    ///
    /// If `modulation` has another shape.
    #[must_use]
    pub fn delta(&self, activity: &FilmActivity, modulation: Tensor<4>) -> FilmDelta {
        let [batch, channels, time, height, width] = activity.output.dims();
        let grid = modulation.reshape([batch, time, height, width, channels]);
        let mut m = grid.permute([0, 4, 1, 2, 3]);
        if self.spec.order == NormOrder::BeforeRelu {
            // ρ′ is 1 exactly where the rectified activity is above 0.
            m = m * activity.output.clone().sign();
        }
        let moments = &activity.moments;
        let (mean, inverse) = (moments.mean.clone(), moments.inverse_deviation());
        let (sum, centred) = activity.pooled.signal_sums(m.clone(), mean.clone());
        let norm = NormDelta { gain: centred * inverse.clone(), shift: sum };
        let scale = self.norm.gain.weight() * inverse.clone();
        let (slope, offset) = match moments.count {
            Some(count) => {
                // x̂ is linear in u, so both terms are one line in u for every channel.
                let slope = scale.clone() * inverse * norm.gain.clone() / count as f64;
                let offset = scale.clone() * norm.shift.clone() / count as f64;
                (slope.clone(), offset - mean * slope)
            }
            None => (scale.zeros_like(), scale.zeros_like()),
        };
        let post = activity.pooled.signal_back(m, [scale, slope, offset], self.response());
        let Conv3dSpec { stride, padding, .. } = self.spec;
        let conv =
            conv3d_hebbian(activity.input.clone(), post, self.weight.weight(), stride, padding);
        FilmDelta { weight: conv.weight, bias: conv.bias, norm }
    }

    /// What stands before the normalisation.
    fn response(&self) -> Response {
        match self.spec.order {
            NormOrder::AfterRelu => Response::Rectified,
            NormOrder::BeforeRelu => Response::Linear,
        }
    }
}

impl LocalLayer for LocalConv3d {
    type Input = Tensor<5>;
    type Activity = FilmActivity;

    fn forward(&self, input: &Tensor<5>) -> FilmActivity {
        let Conv3dSpec { stride, padding, pool, order, .. } = self.spec;
        let spec = FilmSpec { stride, padding, response: self.response() };
        let input = arrange_film(input.clone());
        let map = conv3d_local(input.clone(), self.weight.weight(), self.bias.weight(), spec);
        let moments = self.norm.moments(&map, self.statistics);
        let pooled = PooledMap::new(map, self.norm.line(&moments), pool.window());
        let output = match order {
            NormOrder::AfterRelu => pooled.output.clone(),
            NormOrder::BeforeRelu => relu(pooled.output.clone()),
        };
        FilmActivity { input, pooled, output, moments }
    }

    fn learn(&mut self, activity: FilmActivity, told: Modulation, optimizer: &dyn Optimize) {
        let Modulation { m, post, decay, .. } = told;
        assert_eq!(
            post,
            Post::Slope,
            "film layer: expected the postsynaptic factor ρ′, got {post:?}"
        );
        let delta = self.delta(&activity, m);
        let weight = with_decay(delta.weight, self.weight.weight(), decay.as_ref());
        self.weight.learn(weight, optimizer);
        self.bias.learn(delta.bias, optimizer);
        self.norm.learn(delta.norm, &activity.moments, optimizer);
    }

    fn observe(&mut self, activity: &Self::Activity) {
        self.norm.running.follow(&activity.moments);
    }

    fn normalise_by(&mut self, statistics: Statistics) {
        self.statistics = statistics;
    }
}

impl Persist for LocalConv3d {
    fn save(&self, name: &str, state: &mut State) {
        self.weight.save(&format!("{name}.weight"), state);
        self.bias.save(&format!("{name}.bias"), state);
        self.norm.save(&format!("{name}.norm"), state);
    }

    fn load(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        self.weight.load(&format!("{name}.weight"), state)?;
        self.bias.load(&format!("{name}.bias"), state)?;
        self.norm.load(&format!("{name}.norm"), state)
    }
}
