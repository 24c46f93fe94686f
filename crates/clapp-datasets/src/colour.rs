//! Colour planes and their normalisation.

use serde::{Deserialize, Serialize};

use crate::Error;

/// The colour planes of the output, with the mean and standard deviation that normalise them
/// (of values in 0..=1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
}

impl Colour {
    /// Luma with the constants of STL-10, as in the paper.
    pub const STL10_GRAY: Self = Self::Gray { mean: 0.4120, std: 0.2570 };
    /// Colour with the constants of STL-10's training and unlabelled images.
    pub const STL10_RGB: Self =
        Self::Rgb { mean: [0.4313, 0.4156, 0.3663], std: [0.2683, 0.2610, 0.2687] };

    /// Planes of the output: 1 or 3.
    #[must_use]
    pub fn planes(&self) -> usize {
        match self {
            Self::Gray { .. } => 1,
            Self::Rgb { .. } => 3,
        }
    }

    /// Checks the constants, and the mode against a source of `planes` planes.
    pub(crate) fn validate(&self, planes: usize) -> Result<(), Error> {
        let (means, stds) = match self {
            Colour::Gray { mean, std } => (std::slice::from_ref(mean), std::slice::from_ref(std)),
            Colour::Rgb { mean, std } => (&mean[..], &std[..]),
        };
        setting("mean", "a finite number", means, |mean| mean.is_finite())?;
        setting("std", "a positive number", stds, |std| std.is_finite() && std > 0.0)?;
        match (self, planes) {
            (Colour::Gray { .. }, 1 | 3) | (Colour::Rgb { .. }, 3) => Ok(()),
            (Colour::Gray { .. }, got) => Err(Error::Planes { expected: "1 or 3", got }),
            (Colour::Rgb { .. }, got) => Err(Error::Planes { expected: "3", got }),
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

fn setting(
    setting: &'static str,
    expected: &'static str,
    values: &[f32],
    accepted: impl Fn(f32) -> bool,
) -> Result<(), Error> {
    match values.iter().find(|value| !accepted(**value)) {
        None => Ok(()),
        Some(got) => Err(Error::Setting { setting, expected, got: f64::from(*got) }),
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
