//! A 1-d convolution that learns from its own activity, frame by frame.

use burn::tensor::{Device, Tensor, activation::relu};
use clapp_backend::{Hebbian, linear_hebbian};
use clapp_rules::{Optimizer, State, StateError, Synapses};
use serde::{Deserialize, Serialize};

use crate::{Cut, LocalActivity, LocalLayer, Persist};

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

    /// Padded length at which windows of neighbouring samples lie on one grid: the last window fits, and
    /// strides divide it.
    fn padded(&self, outputs: usize) -> usize {
        ((outputs - 1) * self.stride + self.kernel).next_multiple_of(self.stride)
    }
}

/// Convolution over time and ReLU; every frame is a representation of its own.
///
/// ```text
/// z(t) = ρ(Σ_τ W(τ) x(s·t + τ − p) + b)        ΔW_ji(τ) = Σ_t m_j(t) ρ′(a_j(t)) x_i(s·t + τ − p)
/// ```
///
/// Unlike in images, where a patch has one modulation, every frame has its own. With channels beside each
/// other, the frames that a neuron sees are one row of numbers, and rows of neighbouring frames overlap:
/// both equations are a single matrix product over a view of the input.
///
/// # Shapes
/// - input and output: `[batch, time, channel]`
///
/// # Paper
/// Illing et al. 2021, Sec. 4 (LibriSpeech), with the layers of Löwe et al. 2019 (`encoder.py`).
/// Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_encoders::{Conv1dSpec, LocalActivity, LocalConv1d, LocalLayer};
/// use clapp_rules::Synapses;
/// let device = Device::flex();
/// // One neuron that likes a rise over two frames.
/// let layer = LocalConv1d {
///     weight: Synapses::new(Tensor::<3>::from_floats([[[-1.0], [1.0]]], &device)),
///     bias: Synapses::new(Tensor::zeros([1], &device)),
///     spec: Conv1dSpec { kernel: 2, stride: 1, padding: 0 },
/// };
/// let wave = Tensor::<3>::from_floats([[[0.0], [2.0], [1.0], [5.0]]], &device);
/// let activity = layer.forward(&wave);
/// assert_eq!(activity.output().into_data().try_to_vec::<f32>().unwrap(), [2.0, 0.0, 4.0]);
/// // Modulated at the first frame, it learns what it saw there.
/// let modulation = Tensor::<1>::from_floats([1.0, 0.0, 0.0], &device).reshape([1, 3, 1, 1]);
/// let delta = layer.delta(&activity, modulation);
/// assert_eq!(delta.weight.into_data().try_to_vec::<f32>().unwrap(), [0.0, 2.0]);
/// ```
///
/// # Cost
/// Two matrix products of `batch · time` rows, `kernel · channels` columns; one padded copy of the input.
#[derive(Clone, Debug)]
pub struct LocalConv1d {
    /// W, `[j, τ, i]`: for each neuron, what it weighs at each frame of its window.
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
            weight: Synapses::uniform([post, spec.kernel, pre], bound, device, random),
            bias: Synapses::uniform([post], bound, device, random),
            spec,
        }
    }

    /// W as other libraries hold it, `[j, i, τ]`.
    #[must_use]
    pub fn channels_first(&self) -> Tensor<3> {
        self.weight.weight().swap_dims(1, 2)
    }

    /// ΔW and Δb for a modulation `[batch, time, 1, j]` of the representation.
    ///
    /// # Panics
    ///
    /// If `modulation` has another shape.
    #[must_use]
    pub fn delta(&self, activity: &WaveActivity, modulation: Tensor<4>) -> Hebbian<3> {
        let ([batch, frames, post], [_, kernel, pre]) =
            (activity.output.dims(), self.weight.weight().dims());
        assert_eq!(
            modulation.dims(),
            [batch, frames, 1, post],
            "convolution: expected a modulation of every frame {:?}, got {:?}",
            [batch, frames, 1, post],
            modulation.dims()
        );
        // ρ′ is 1 exactly where the rectified activity is above 0.
        let slope = activity.output.clone().sign();
        let told = modulation.reshape([batch, frames, post]) * slope;
        let [_, padded, _] = activity.padded.dims();
        let rows = padded / self.spec.stride;
        // Windows between two samples take part with a modulation of 0.
        let told = pad(told, [0, rows - frames]).reshape([batch * rows, post]);
        let seen = activity.padded.clone().reshape([batch * padded * pre]);
        let seen: Tensor<2> = seen.unfold(0, kernel * pre, self.spec.stride * pre);
        let [windows, _] = seen.dims();
        let delta = linear_hebbian(seen, told.narrow(0, 0, windows));
        Hebbian { weight: delta.weight.reshape([post, kernel, pre]), bias: delta.bias }
    }

    fn check(&self, input: &Tensor<3>) -> usize {
        let ([_, frames, channels], [_, kernel, pre]) = (input.dims(), self.weight.weight().dims());
        assert_eq!(channels, pre, "convolution: expected {pre} input channels, got {channels}");
        assert_eq!(
            kernel, self.spec.kernel,
            "convolution: expected weights over {} frames, got {kernel}",
            self.spec.kernel
        );
        let outputs = self.spec.frames(frames);
        assert!(
            outputs > 0,
            "convolution: expected at least {kernel} frames with padding, got {}",
            frames + 2 * self.spec.padding
        );
        outputs
    }
}

impl LocalLayer for LocalConv1d {
    type Input = Tensor<3>;
    type Activity = WaveActivity;

    /// # Panics
    ///
    /// If the channels differ, or the input is shorter than the kernel.
    fn forward(&self, input: &Tensor<3>) -> WaveActivity {
        let outputs = self.check(input);
        let [batch, frames, pre] = input.dims();
        let [post, kernel, _] = self.weight.weight().dims();
        let Conv1dSpec { stride, padding, .. } = self.spec;
        let length = self.spec.padded(outputs);
        // Frames after the last window are seen by nobody.
        let used = frames.min(length - padding);
        let used_frames = input.clone().narrow(1, 0, used);
        let padded = pad(used_frames, [padding, length - padding - used]);
        let seen = padded.clone().reshape([batch, length * pre]);
        let seen: Tensor<3> = seen.unfold(1, kernel * pre, stride * pre);
        let weight = self.weight.weight().reshape([1, post, kernel * pre]).swap_dims(1, 2);
        let summed = seen.narrow(1, 0, outputs).matmul(weight);
        let output = relu(summed + self.bias.weight().reshape([1, 1, post]));
        WaveActivity { padded, output }
    }

    fn learn(&mut self, activity: WaveActivity, modulation: Tensor<4>, optimizer: &Optimizer) {
        let delta = self.delta(&activity, modulation);
        self.weight.learn(delta.weight, optimizer);
        self.bias.learn(delta.bias, optimizer);
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

/// What a convolution over time leaves behind.
#[derive(Clone, Debug)]
pub struct WaveActivity {
    /// Presynaptic activity with silent frames around it, `[batch, frames, i]`.
    padded: Tensor<3>,
    output: Tensor<3>,
}

impl LocalActivity for WaveActivity {
    type Output = Tensor<3>;

    fn output(&self) -> Tensor<3> {
        self.output.clone()
    }

    fn representation(&self) -> Tensor<4> {
        let [batch, frames, channels] = self.output.dims();
        self.output.clone().reshape([batch, frames, 1, channels])
    }
}

/// Silent frames before and after, on the axis of time.
fn pad(frames: Tensor<3>, around: [usize; 2]) -> Tensor<3> {
    let [batch, _, channels] = frames.dims();
    let options = (&frames.device(), frames.dtype());
    let [before, after] =
        around.map(|count| (count > 0).then(|| Tensor::zeros([batch, count, channels], options)));
    if before.is_none() && after.is_none() {
        return frames;
    }
    Tensor::cat(before.into_iter().chain([frames]).chain(after).collect(), 1)
}

/// A wave runs in time as it is: `[batch, channel, samples]` → `[batch, samples, channel]`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_encoders::{Cut, Wave};
/// let mono = Tensor::<3>::zeros([2, 1, 20_480], &Device::flex());
/// assert_eq!(Wave.cut(mono).dims(), [2, 20_480, 1]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wave;

impl Cut for Wave {
    type Raw = Tensor<3>;
    type Pieces = Tensor<3>;

    fn cut(&self, waves: Tensor<3>) -> Tensor<3> {
        let [batch, channels, samples] = waves.dims();
        // One channel is in this order already.
        if channels == 1 { waves.reshape([batch, samples, 1]) } else { waves.swap_dims(1, 2) }
    }
}
