//! The parts of an augmentation, and what each of them draws.

use clapp_random::Stream;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::video::{Filter, Op};

/// What a draw holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// One draw for all frames of a clip.
    Clip,
    /// A draw for every frame.
    Frame,
}

/// One part of an augmentation.
///
/// | step | draws, in this order | scope |
/// |---|---|---|
/// | `Mirror` | mirrored? | clip |
/// | `RandomCrop` | left and top, uniform over all places | clip |
/// | `CentreCrop` | none; offsets are rounded half to even | |
/// | `RandomSizedCrop` | applied? then up to ten times: share of the area U(½, 1), aspect U(¾, 4/3), sides exchanged?, left and top | clip |
/// | `Resize` | none | |
/// | `RandomChannel` | applied? then one of three colours | chosen |
/// | `Jitter` | applied? then the factors of brightness, contrast and saturation U(1 − a, 1 + a), the shift of the hue U(−a, a), the order of the four | chosen |
///
/// # Paper
/// Illing et al. 2021, appendix; `augmentation.py` of the authors, which is that of DPC (Han, Xie &
/// Zisserman 2019) on torchvision 0.8. The paper's "grayed" frames are one random colour of the three.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum Step {
    /// Left and right change places, with this probability.
    Mirror {
        /// Probability.
        probability: f64,
    },
    /// A square from anywhere.
    RandomCrop {
        /// Its side.
        side: usize,
    },
    /// The square in the middle.
    CentreCrop {
        /// Its side.
        side: usize,
    },
    /// A rectangle of random size and aspect, brought to a square bilinearly; else a centre crop.
    ///
    /// `w = round(√(A·r))`, `h = round(√(A/r))` for an area A and an aspect r. If ten rectangles do not
    /// fit, the shorter side is brought to `side` and the middle is cut out.
    RandomSizedCrop {
        /// Side of the square.
        side: usize,
        /// Probability; else the centre crop of this side.
        probability: f64,
    },
    /// The whole frame at another size.
    Resize {
        /// Side of the square.
        side: usize,
        /// How a pixel is found.
        filter: Filter,
    },
    /// One of the three colours stands for all, with this probability.
    RandomChannel {
        /// Probability.
        probability: f64,
        /// What a draw holds for.
        scope: Scope,
    },
    /// Brightness, contrast, saturation and hue change, in random order.
    Jitter {
        /// How much.
        amount: Jitter,
        /// Probability.
        probability: f64,
        /// What a draw holds for.
        scope: Scope,
    },
}

/// How much colours change at most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jitter {
    /// Largest distance of the factor from 1.
    pub brightness: f32,
    /// Largest distance of the factor from 1.
    pub contrast: f32,
    /// Largest distance of the factor from 1.
    pub saturation: f32,
    /// Largest shift, in circles, at most ½.
    pub hue: f32,
}

impl Jitter {
    /// The authors' for learning: factors within ½ of 1, a quarter of a circle.
    pub const TRAINING: Self = Self { brightness: 0.5, contrast: 0.5, saturation: 0.5, hue: 0.25 };
    /// The authors' for validation of the classifier.
    pub const VALIDATION: Self = Self { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1 };

    fn draw(self, random: &mut Stream) -> [Op; 4] {
        let mut factor = |a: f32| random.random_range((1.0 - a).max(0.0)..=1.0 + a);
        let mut ops = [
            Op::Brightness(factor(self.brightness)),
            Op::Contrast(factor(self.contrast)),
            Op::Saturation(factor(self.saturation)),
            Op::Hue(0),
        ];
        let shift = f64::from(random.random_range(-self.hue..=self.hue));
        // As a conversion to uint8 does: towards zero, then modulo 256.
        ops[3] = Op::Hue(((255.0 * shift) as i32).rem_euclid(256) as u8);
        for last in (1..ops.len()).rev() {
            ops.swap(last, random.random_range(0..=last as u64) as usize);
        }
        ops
    }
}

impl Step {
    /// What a draw of this step holds for.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::RandomChannel { scope, .. } | Self::Jitter { scope, .. } => *scope,
            _ => Scope::Clip,
        }
    }

    /// Whether it needs red, green and blue.
    pub(super) fn is_of_colours(&self) -> bool {
        matches!(self, Self::RandomChannel { .. } | Self::Jitter { .. })
    }

    /// Checks the settings for frames of `dims` = `[rows, columns]`; returns their size afterwards.
    ///
    /// # Errors
    /// [`Error::Config`] if a crop is 0 or larger than the frame, a probability is not in 0..=1, or an
    /// amount negative, above ½ (hue) or not a number.
    pub fn output(&self, dims: [usize; 2]) -> Result<[usize; 2], Error> {
        match self {
            Self::Mirror { probability } | Self::RandomChannel { probability, .. } => {
                within("probability", *probability, 1.0)?;
                Ok(dims)
            }
            Self::Jitter { amount, probability, .. } => {
                within("probability", *probability, 1.0)?;
                within("brightness", f64::from(amount.brightness), f64::MAX)?;
                within("contrast", f64::from(amount.contrast), f64::MAX)?;
                within("saturation", f64::from(amount.saturation), f64::MAX)?;
                within("hue", f64::from(amount.hue), 0.5)?;
                Ok(dims)
            }
            Self::RandomCrop { side: crop } | Self::CentreCrop { side: crop } => {
                square(*crop, dims)
            }
            Self::RandomSizedCrop { side: crop, probability } => {
                within("probability", *probability, 1.0)?;
                square(*crop, dims)
            }
            Self::Resize { side: 0, .. } => Err(Error::crop(0, dims)),
            Self::Resize { side, .. } => Ok([*side; 2]),
        }
    }

    /// Draws what is done to frames of `dims` and adds it to `ops`.
    ///
    /// # Panics
    /// [`output`](Self::output) refuses `dims`.
    pub fn draw(&self, dims: [usize; 2], random: &mut Stream, ops: &mut Vec<Op>) {
        match self {
            Self::Mirror { probability } => {
                if random.random_bool(*probability) {
                    ops.push(Op::Mirror);
                }
            }
            Self::RandomCrop { side } => ops.push(anywhere(dims, [*side; 2], random)),
            Self::CentreCrop { side } => ops.push(centre(dims, *side)),
            Self::RandomSizedCrop { side, probability } => {
                if random.random_bool(*probability) {
                    sized_crop(dims, *side, random, ops);
                } else {
                    ops.push(centre(dims, *side));
                }
            }
            Self::Resize { side, filter } => {
                ops.push(Op::Resize { dims: [*side; 2], filter: *filter });
            }
            Self::RandomChannel { probability, .. } => {
                if random.random_bool(*probability) {
                    ops.push(Op::Channel(random.random_range(0..3_u64) as usize));
                }
            }
            Self::Jitter { amount, probability, .. } => {
                if random.random_bool(*probability) {
                    ops.extend(amount.draw(random));
                }
            }
        }
    }
}

fn within(setting: &str, got: f64, most: f64) -> Result<(), Error> {
    let expected = match setting {
        "hue" => "a number in 0..=0.5",
        "probability" => "a number in 0..=1",
        _ => "a number of at least 0",
    };
    match (0.0..=most).contains(&got) {
        true => Ok(()),
        false => Err(Error::setting(setting, expected, got)),
    }
}

fn square(crop: usize, [height, width]: [usize; 2]) -> Result<[usize; 2], Error> {
    match (1..=height.min(width)).contains(&crop) {
        true => Ok([crop; 2]),
        false => Err(Error::crop(crop, [height, width])),
    }
}

/// A rectangle at a place that is drawn: first the column, then the row.
fn anywhere(dims: [usize; 2], cut: [usize; 2], random: &mut Stream) -> Op {
    let mut offset = |most: usize| random.random_range(0..=most as u64) as usize;
    let left = offset(dims[1] - cut[1]);
    let top = offset(dims[0] - cut[0]);
    Op::Cut { top, left, dims: cut }
}

fn centre(dims: [usize; 2], side: usize) -> Op {
    let offset = |length: usize| ((length - side) as f64 / 2.0).round_ties_even() as usize;
    Op::Cut { top: offset(dims[0]), left: offset(dims[1]), dims: [side; 2] }
}

/// How often a rectangle is drawn before the middle is taken.
const ATTEMPTS: usize = 10;

fn sized_crop(dims: [usize; 2], side: usize, random: &mut Stream, ops: &mut Vec<Op>) {
    let [height, width] = dims;
    let to_square = Op::Resize { dims: [side; 2], filter: Filter::Bilinear };
    for _ in 0..ATTEMPTS {
        let area = random.random_range(0.5..1.0) * (height * width) as f64;
        let aspect: f64 = random.random_range(3.0 / 4.0..4.0 / 3.0);
        let mut columns = (area * aspect).sqrt().round_ties_even() as usize;
        let mut rows = (area / aspect).sqrt().round_ties_even() as usize;
        if random.random() {
            std::mem::swap(&mut columns, &mut rows);
        }
        if rows <= height && columns <= width {
            ops.extend([anywhere(dims, [rows, columns], random), to_square]);
            return;
        }
    }
    let scaled = crate::video::prepare::scaled(dims, side);
    ops.extend([Op::Resize { dims: scaled, filter: Filter::Bilinear }, centre(scaled, side)]);
}
