//! A 1-d convolution that learns from its own activity, frame by frame.

use burn::tensor::{Device, Tensor};
use clapp_backend::{
    Activity, Arithmetic, ConvActivity, ConvSpec, Hebbian, Pool, Response, conv2d_local,
    conv2d_local_hebbian_map,
};
use clapp_rules::{Modulation, Optimize, Post, State, StateError, Synapses};
use serde::{Deserialize, Serialize};

use crate::{Cut, LocalActivity, LocalLayer, Persist, layer::with_decay};

/// Kernel, stride and zero padding at both ends, in frames.
///
/// ```
/// use clapp_encoders::Conv1dSpec;
/// let first = Conv1dSpec { kernel: 10, stride: 5, padding: 2 };
/// assert_eq!(first.frames(20_480), 4095);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conv1dSpec {
    /// Frames that a neuron sees.
    pub kernel: usize,
    /// Frames between two outputs.
    pub stride: usize,
    /// Silent frames before the first and after the last one.
    pub padding: usize,
}

impl Conv1dSpec {
    /// Frames of output for `frames` of input; 0 if the kernel does not fit once.
    #[must_use]
    pub fn frames(&self, frames: usize) -> usize {
        let padded = frames + 2 * self.padding;
        if padded < self.kernel { 0 } else { (padded - self.kernel) / self.stride + 1 }
    }

    /// The same as a map of one row.
    fn map(&self) -> ConvSpec {
        ConvSpec {
            kernel: [1, self.kernel],
            stride: [1, self.stride],
            padding: [0, self.padding],
            pool: Pool::None,
            arithmetic: Arithmetic::Fast,
            response: Response::Rectified,
        }
    }
}

/// Convolution over time and ReLU; every frame is a representation of its own.
///
/// ```text
/// z(t) = ρ(Σ_τ W(τ) x(s·t + τ − p) + b)        ΔW_ji(τ) = Σ_t m_j(t) ρ′(a_j(t)) x_i(s·t + τ − p)
/// ```
///
/// Unlike in images, where a patch has one modulation, every frame has its own. A wave is a map of one
/// row, so the kernels are those of images.
///
/// # Shapes
/// - input and output: maps `[batch, channel, 1, time]`; representation and modulation
///   `[batch, time, 1, channel]`
///
/// # Paper
/// Illing et al. 2021, Sec. 4 (LibriSpeech), with the layers of Löwe et al. 2019 (`encoder.py`).
/// Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_encoders::{Conv1dSpec, Cut, LocalActivity, LocalConv1d, LocalLayer, Wave};
/// use clapp_rules::Synapses;
/// let device = Device::flex();
/// // One neuron that likes a rise over two frames.
/// let layer = LocalConv1d {
///     weight: Synapses::new(Tensor::<3>::from_floats([[[-1.0, 1.0]]], &device)),
///     bias: Synapses::new(Tensor::zeros([1], &device)),
///     spec: Conv1dSpec { kernel: 2, stride: 1, padding: 0 },
/// };
/// let wave = Wave.cut(Tensor::<3>::from_floats([[[0.0, 2.0, 1.0, 5.0]]], &device));
/// let activity = layer.forward(&wave);
/// let frames = activity.representation();
/// assert_eq!(frames.clone().into_data().try_to_vec::<f32>().unwrap(), [2.0, 0.0, 4.0]);
/// // Modulated at the first frame, it learns what it saw there.
/// let modulation = Tensor::<1>::from_floats([1.0, 0.0, 0.0], &device).reshape([1, 3, 1, 1]);
/// let delta = layer.delta(&activity, modulation);
/// assert_eq!(delta.weight.into_data().try_to_vec::<f32>().unwrap(), [0.0, 2.0]);
/// ```
#[derive(Clone, Debug)]
pub struct LocalConv1d {
    /// W, `[j, i, τ]`.
    pub weight: Synapses<3>,
    /// b, `[j]`.
    pub bias: Synapses<1>,
    /// Geometry.
    pub spec: Conv1dSpec,
}

impl LocalConv1d {
    /// Draws weights and biases from U(±1/√fan_in).
    #[must_use]
    pub fn init(
        pre: usize,
        post: usize,
        spec: Conv1dSpec,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let bound = 1.0 / ((pre * spec.kernel) as f64).sqrt();
        Self {
            weight: Synapses::uniform([post, pre, spec.kernel], bound, device, random),
            bias: Synapses::uniform([post], bound, device, random),
            spec,
        }
    }

    /// ΔW and Δb for a modulation `[batch, time, 1, j]` of the representation.
    ///
    /// # Panics
    ///
    /// If `modulation` has another shape.
    #[must_use]
    pub fn delta(&self, activity: &WaveActivity, modulation: Tensor<4>) -> Hebbian<3> {
        let [batch, post, _, frames] = activity.conv.output.dims();
        assert_eq!(
            modulation.dims(),
            [batch, frames, 1, post],
            "convolution: expected a modulation of every frame {:?}, got {:?}",
            [batch, frames, 1, post],
            modulation.dims()
        );
        let rows = modulation.reshape([batch, frames, post]);
        let delta = conv2d_local_hebbian_map(&activity.conv, rows, self.map(), self.spec.map());
        let shape = self.weight.weight().dims();
        Hebbian { weight: delta.weight.reshape(shape), bias: delta.bias }
    }

    /// W as that of a map of one row, `[j, i, 1, τ]`.
    fn map(&self) -> Tensor<4> {
        let weight = self.weight.weight();
        let [post, pre, kernel] = weight.dims();
        assert_eq!(
            kernel, self.spec.kernel,
            "convolution: expected weights over {} frames, got {kernel}",
            self.spec.kernel
        );
        weight.reshape([post, pre, 1, kernel])
    }
}

impl LocalLayer for LocalConv1d {
    type Input = Activity;
    type Activity = WaveActivity;

    /// # Panics
    ///
    /// If the channels differ, or the input is shorter than the kernel.
    fn forward(&self, input: &Activity) -> WaveActivity {
        let [_, _, _, frames] = input.dims();
        assert!(
            self.spec.frames(frames) > 0,
            "convolution: expected at least {} frames with padding, got {}",
            self.spec.kernel,
            frames + 2 * self.spec.padding
        );
        let conv = conv2d_local(input, self.map(), self.bias.weight(), self.spec.map());
        WaveActivity { conv }
    }

    fn learn(&mut self, activity: WaveActivity, told: Modulation, optimizer: &dyn Optimize) {
        let Modulation { m, post, decay, .. } = told;
        let mut activity = activity;
        if post == Post::One {
            // The kernels gate by an output above 0.
            let (output, options) = (activity.conv.output.dims(), (&m.device(), m.dtype()));
            activity.conv.output = Activity::from_plain(Tensor::ones(output, options));
        }
        let Hebbian { weight, bias } = self.delta(&activity, m);
        self.weight.learn(with_decay(weight, self.weight.weight(), decay.as_ref()), optimizer);
        self.bias.learn(with_decay(bias, self.bias.weight(), decay.as_ref()), optimizer);
    }
}

impl Persist for LocalConv1d {
    fn save(&self, name: &str, state: &mut State) {
        self.weight.save(&format!("{name}.weight"), state);
        self.bias.save(&format!("{name}.bias"), state);
    }

    fn load(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        self.weight.load(&format!("{name}.weight"), state)?;
        self.bias.load(&format!("{name}.bias"), state)
    }
}

/// What a convolution over time keeps of a forward pass.
#[derive(Clone, Debug)]
pub struct WaveActivity {
    conv: ConvActivity,
}

impl LocalActivity for WaveActivity {
    type Output = Activity;

    fn output(&self) -> Activity {
        self.conv.output.clone()
    }

    fn representation(&self) -> Tensor<4> {
        let [batch, channels, _, frames] = self.conv.output.dims();
        self.conv.output.to_rows().reshape([batch, frames, 1, channels])
    }
}

/// A wave runs in time as it is: `[batch, channel, samples]` becomes a map of one row.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_encoders::{Cut, Wave};
/// let mono = Tensor::<3>::zeros([2, 1, 20_480], &Device::flex());
/// assert_eq!(Wave.cut(mono).dims(), [2, 1, 1, 20_480]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wave;

impl Cut for Wave {
    type Raw = Tensor<3>;
    type Pieces = Activity;

    fn cut(&self, waves: Tensor<3>) -> Activity {
        Activity::from_plain(waves.unsqueeze_dim(2))
    }
}
