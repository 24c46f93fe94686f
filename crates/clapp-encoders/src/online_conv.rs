//! A convolution over time that learns one frame at a time.

use burn::tensor::{Device, Tensor};
use clapp_rules::{
    Feedback, Optimize, Outcome,
    online::{OnlineLayer, OnlineStep},
};

use crate::Conv1dSpec;

/// A convolution over time that learns while frames arrive: a window that slides over them, and an
/// [`OnlineLayer`] that looks through it.
///
/// ```text
/// window(t) = (x_{s·t − p}, …, x_{s·t + k − 1 − p})        silent before the first frame
/// ```
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_encoders::{Conv1dSpec, OnlineConv1d};
/// use clapp_random::{Purpose, stream};
/// use clapp_rules::{Feedback, Optimizer, Outcome};
/// let (device, mut random) = (Device::flex(), stream(2, Purpose::Initialisation, [0; 4]));
/// let spec = Conv1dSpec { kernel: 4, stride: 2, padding: 2 };
/// let mut layer = OnlineConv1d::init(1, 3, spec, Feedback::PredRetro, &device, &mut random);
/// let mut heard = 0;
/// for _ in 0..8 {
///     let frame = Tensor::<2>::ones([1, 1], &device);
///     let rate = Optimizer::Plain { rate: 0.01 };
///     if layer.step(frame, &[Outcome::Fixation], &rate).is_some() {
///         heard += 1;
///     }
/// }
/// assert_eq!(heard, 4); // windows that are complete after 2 silent and 8 heard frames
/// ```
#[derive(Clone, Debug)]
pub struct OnlineConv1d {
    /// Weights `[j, k · i]` over the window, frame by frame, and the lateral half.
    pub layer: OnlineLayer,
    /// Geometry.
    pub spec: Conv1dSpec,
    /// Frames that the next window will need, oldest first.
    frames: Vec<Tensor<2>>,
    /// Frames that no window will need.
    skip: usize,
    started: bool,
}

impl OnlineConv1d {
    /// Draws weights as [`LocalConv1d`](crate::LocalConv1d) does, and lateral ones.
    #[must_use]
    pub fn init(
        pre: usize,
        post: usize,
        spec: Conv1dSpec,
        feedback: Feedback,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        Self::new(OnlineLayer::init(pre * spec.kernel, post, feedback, device, random), spec)
    }

    /// A layer over `kernel · channels` inputs of a sliding window.
    #[must_use]
    pub fn new(layer: OnlineLayer, spec: Conv1dSpec) -> Self {
        Self { layer, spec, frames: Vec::new(), skip: 0, started: false }
    }

    /// Forgets all frames and traces, as at the start of a recording.
    pub fn reset(&mut self) {
        self.frames.clear();
        self.skip = 0;
        self.started = false;
        self.layer.reset();
    }

    /// One frame `[stream, i]`; activity `[stream, j]` and update of the layer if its window is
    /// complete.
    ///
    /// `outcomes` say whether a saccade happened since the last complete window.
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn step(
        &mut self,
        frame: Tensor<2>,
        outcomes: &[Outcome],
        optimizer: &dyn Optimize,
    ) -> Option<OnlineStep> {
        let window = self.slide(frame)?;
        Some(self.layer.step(window, outcomes, optimizer))
    }

    /// Takes a frame; the window `[stream, k · i]` if it is complete.
    fn slide(&mut self, frame: Tensor<2>) -> Option<Tensor<2>> {
        if !self.started {
            self.frames = vec![frame.zeros_like(); self.spec.padding];
            self.started = true;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.frames.push(frame);
        let Conv1dSpec { kernel, stride, .. } = self.spec;
        if self.frames.len() < kernel {
            return None;
        }
        let window = Tensor::cat(self.frames[..kernel].to_vec(), 1);
        let passed = stride.min(self.frames.len());
        self.frames.drain(..passed);
        self.skip = stride - passed;
        Some(window)
    }
}
