//! Colour planes and their normalisation.

use serde::{Deserialize, Serialize};

use crate::Error;

/// The colour planes of the output, with the mean and standard deviation that normalise them
/// (of values in 0..=1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Colour {
    /// One plane of luma, as Pillow converts RGB to "L" (ITU-R 601-2); a source of one plane is
    /// taken as it is.
    Gray {
        /// Mean.
        mean: f32,
        /// Standard deviation.
        std: f32,
    },
    /// Three planes, red, green, blue.
    Rgb {
        /// Mean of each plane.
        mean: [f32; 3],
        /// Standard deviation of each plane.
        std: [f32; 3],
    },
    /// Any number of planes of any meaning, as they are.
    Planes {
        /// Mean of each plane.
        mean: Vec<f32>,
        /// Standard deviation of each plane.
        std: Vec<f32>,
    },
}

impl Colour {
    /// Luma with the constants of STL-10, as in the paper.
    pub const STL10_GRAY: Self = Self::Gray { mean: 0.4120, std: 0.2570 };
    /// Colour with the constants of STL-10's training and unlabelled images.
    pub const STL10_RGB: Self =
        Self::Rgb { mean: [0.4313, 0.4156, 0.3663], std: [0.2683, 0.2610, 0.2687] };
    /// Colour with the constants of CIFAR-10's training images, given in gray levels of 255.
    pub const CIFAR10_RGB: Self = Self::Rgb {
        mean: [125.3 / 255.0, 123.0 / 255.0, 113.9 / 255.0],
        std: [63.0 / 255.0, 62.1 / 255.0, 66.7 / 255.0],
    };

    /// Planes of the output.
    #[must_use]
    pub fn planes(&self) -> usize {
        self.constants().0.len()
    }

    /// Mean and deviation of every plane of the output.
    pub(crate) fn constants(&self) -> (&[f32], &[f32]) {
        match self {
            Self::Gray { mean, std } => (std::slice::from_ref(mean), std::slice::from_ref(std)),
            Self::Rgb { mean, std } => (mean, std),
            Self::Planes { mean, std } => (mean, std),
        }
    }

    /// Checks the constants, and the mode against a source of `planes` planes.
    pub(crate) fn validate(&self, planes: usize) -> Result<(), Error> {
        let (means, stds) = self.constants();
        validate_constants(means, stds)?;
        match (self, planes) {
            (Colour::Gray { .. }, 1 | 3) => Ok(()),
            (Colour::Gray { .. }, got) => Err(Error::planes("1 or 3", got)),
            (_, got) if got == means.len() => Ok(()),
            (_, got) => Err(Error::planes(means.len(), got)),
        }
    }
}

/// `(v/255 − mean)/std`, in this order of operations, for each byte.
pub(crate) fn normalise(bytes: impl Iterator<Item = u8>, mean: f32, std: f32, out: &mut [f32]) {
    for (out, byte) in out.iter_mut().zip(bytes) {
        *out = (f32::from(byte) / 255.0 - mean) / std;
    }
}

/// Luma of ITU-R 601-2 in 16-bit fixed point, rounded: Pillow's conversion to "L".
pub(crate) fn luma(red: u8, green: u8, blue: u8) -> u8 {
    let sum = 19_595 * u32::from(red) + 38_470 * u32::from(green) + 7_471 * u32::from(blue);
    ((sum + 32_768) >> 16) as u8 // the weights add up to 65536, so the quotient is at most 255
}

/// Checks mean and deviation of every plane.
pub(crate) fn validate_constants(means: &[f32], stds: &[f32]) -> Result<(), Error> {
    setting("mean", "a finite number", means, |mean| mean.is_finite())?;
    setting("std", "a positive number", stds, |std| std.is_finite() && std > 0.0)?;
    match means.len() == stds.len() && !means.is_empty() {
        true => Ok(()),
        false => Err(Error::setting("std", "one number for every mean", stds.len())),
    }
}

fn setting(
    setting: &str,
    expected: &str,
    values: &[f32],
    accepted: impl Fn(f32) -> bool,
) -> Result<(), Error> {
    match values.iter().find(|value| !accepted(**value)) {
        None => Ok(()),
        Some(got) => Err(Error::setting(setting, expected, f64::from(*got))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luma_equals_pillow() {
        // Image.new("RGB", (1, 1), rgb).convert("L").getpixel((0, 0)), Pillow 13
        let golden = [
            ([255, 255, 255], 255),
            ([255, 0, 0], 76),
            ([0, 255, 0], 150),
            ([0, 0, 255], 29),
            ([10, 200, 30], 124),
            ([1, 2, 3], 2),
        ];
        for ([r, g, b], l) in golden {
            assert_eq!(luma(r, g, b), l, "{r} {g} {b}");
        }
    }
}
