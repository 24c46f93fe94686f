//! What a convolution with triangle activation is to be: channels, activation, windows, start.

use burn::tensor::{
    activation::relu,
    module::{avg_pool2d, max_pool2d},
    ops::{AvgPoolOptions, MaxPoolOptions},
};
use clapp_backend::{Activity, MapWindow, WindowOf};
use serde::{Deserialize, Serialize};

use crate::EncoderError;

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
    pub(crate) fn activation(&self, u: &Activity) -> Activity {
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
