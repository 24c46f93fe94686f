//! An embedded set of images: scenes of faint oriented texture under loud noise, from a seed.
//!
//! ```text
//! G_c(x, y) = exp(−(x² + y²) / 2·5²) · cos(2π/10 · (x cos θ_c + y sin θ_c)) − mean      θ_c = π c / 10
//! T = Σ_stamps ± G_c(· − place)        one stamp in every 8×8 cell, its place and sign random
//! R, G, B = 127.5 + 24 · (T/σ_T + noise) / σ_luma      noise independent at every pixel and colour
//! ```
//!
//! **What carries the class.** The orientation of the texture, one of ten. It is the same all over a
//! scene, so a patch says something about its neighbours; nothing else does. A Fourier analysis finds
//! it: the power at one spatial frequency, at one of ten angles.
//!
//! **What does not.** Brightness, contrast, colour and histogram: every scene is brought to the same
//! mean and deviation, and the three colours differ in noise only. Single pixels and their linear
//! combinations: places and signs of the stamps are random, so every class has the same mean image. The
//! phase, place and sign of any stamp: drawn anew in every cell.
//!
//! **Why it separates methods.** Noise is four times the texture. A random encoder answers to the noise;
//! what it averages over a scene is mostly noise power, and with few labels the rest drowns. What is
//! shared between distant patches is the orientation alone, so predicting the patch below means
//! finding it.
//!
//! Mirroring a scene turns orientation c into −c, another class: don't flip these images.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use clapp_random::{Purpose, Stream, stream};

use crate::{Error, Image, InMemory};

/// Side of a scene, in pixels: STL-10's.
const SIDE: usize = 96;
/// Width of the margin around a scene from which stamps reach into it.
const MARGIN: usize = 12;
/// Side of a cell with one stamp.
const CELL: usize = 8;
/// Half the side of a stamp.
const REACH: usize = 10;
/// Deviation of a stamp's envelope.
const ENVELOPE: f32 = 5.0;
/// Wavelength of a stamp.
const PERIOD: f32 = 10.0;
/// Deviation of a scene's luma noise, in units of the texture's.
const NOISE: f32 = 4.0;
/// Deviation of a scene's luma, in gray levels.
const CONTRAST: f32 = 24.0;
/// Share of each colour in luma (ITU-R 601-2).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];
/// Classes: orientations.
pub const CLASSES: usize = 10;

const CANVAS: usize = SIDE + 2 * MARGIN;
const STAMP: usize = 2 * REACH + 1;

/// Which part of an embedded set of images, speech or videos: parts never share a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Part {
    /// For learning without labels.
    Unlabelled = 0,
    /// For read-outs.
    Train = 1,
    /// For testing them.
    Test = 2,
}

impl Part {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unlabelled => "unlabelled",
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// Generates the first `count` scenes of a part, classes in turn.
///
/// Scene `i` depends on the seed, the part and `i` alone, not on how many are asked for.
///
/// # Errors
///
/// If `count` is 0.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Source, synthetic};
/// let scenes = synthetic::scenes(2, synthetic::Part::Test, 20)?;
/// assert_eq!(scenes.info(13).dims, [3, 96, 96]);
/// assert_eq!(scenes.info(13).label, Some(3));
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
///
/// # Cost
///
/// About a millisecond and 27,648 bytes a scene; all cores are used.
pub fn scenes(seed: u64, part: Part, count: usize) -> Result<InMemory<Image>, Error> {
    let (name, dims) = ("synthetic scenes", [3, SIDE, SIDE]);
    if count == 0 {
        return InMemory::images(name, dims, Vec::new());
    }
    let stamps: Vec<Vec<f32>> = (0..CLASSES).map(stamp).collect();
    let image = |index: usize| {
        let (class, mut pixels) = (index % CLASSES, vec![0; 3 * SIDE * SIDE]);
        let mut random = stream(seed, Purpose::Synthesis, [part as u64, index as u64, 0, 0]);
        scene(&stamps[class], &mut random, &mut pixels);
        Image { dims, label: Some(class as u32), pixels }
    };
    InMemory::new(name, (0..count).into_par_iter().map(image).collect(), CLASSES)
}

/// The stamp of one orientation, free of its mean.
fn stamp(class: usize) -> Vec<f32> {
    let angle = std::f32::consts::PI * class as f32 / CLASSES as f32;
    let (sin, cos) = angle.sin_cos();
    let mut values = Vec::with_capacity(STAMP * STAMP);
    for y in 0..STAMP {
        for x in 0..STAMP {
            let (x, y) = (x as f32 - REACH as f32, y as f32 - REACH as f32);
            let envelope = (-(x * x + y * y) / (2.0 * ENVELOPE * ENVELOPE)).exp();
            let wave = (std::f32::consts::TAU / PERIOD * (x * cos + y * sin)).cos();
            values.push(envelope * wave);
        }
    }
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    values.iter_mut().for_each(|value| *value -= mean);
    values
}

/// Draws one scene into planar bytes.
fn scene(stamp: &[f32], random: &mut Stream, image: &mut [u8]) {
    let mut texture = texture(stamp, random);
    standardise(&mut texture);
    // Independent noise in three colours whose luma has the wanted deviation.
    let share = LUMA.iter().map(|share| share * share).sum::<f32>().sqrt();
    let mut colours: [Vec<f32>; 3] = std::array::from_fn(|_| texture.clone());
    for plane in &mut colours {
        for value in plane.iter_mut() {
            let noise: f32 = StandardNormal.sample(random);
            *value += NOISE / share * noise;
        }
    }
    let luma = |pixel: usize| -> f32 {
        colours.iter().zip(LUMA).map(|(plane, share)| plane[pixel] * share).sum()
    };
    let lumas: Vec<f32> = (0..SIDE * SIDE).map(luma).collect();
    let (mean, deviation) = moments(&lumas);
    for (plane, bytes) in colours.iter().zip(image.chunks_exact_mut(SIDE * SIDE)) {
        for (value, byte) in plane.iter().zip(bytes) {
            *byte = (127.5 + CONTRAST * (value - mean) / deviation).round().clamp(0.0, 255.0) as u8;
        }
    }
}

/// Stamps at random places with random signs.
fn texture(stamp: &[f32], random: &mut Stream) -> Vec<f32> {
    let mut canvas = vec![0.0_f32; CANVAS * CANVAS];
    for cell_y in 0..CANVAS / CELL {
        for cell_x in 0..CANVAS / CELL {
            let y = cell_y * CELL + random.random_range(0..CELL);
            let x = cell_x * CELL + random.random_range(0..CELL);
            let sign = if random.random_bool(0.5) { 1.0 } else { -1.0 };
            add_stamp(&mut canvas, stamp, [y, x], sign);
        }
    }
    let row = |y: usize| canvas[(y + MARGIN) * CANVAS + MARGIN..][..SIDE].iter().copied();
    (0..SIDE).flat_map(row).collect()
}

/// Adds one stamp, cut off at the canvas.
fn add_stamp(canvas: &mut [f32], stamp: &[f32], [y, x]: [usize; 2], sign: f32) {
    for dy in 0..STAMP {
        let Some(row) = (y + dy).checked_sub(REACH).filter(|&row| row < CANVAS) else { continue };
        for dx in 0..STAMP {
            let column = (x + dx).checked_sub(REACH).filter(|&column| column < CANVAS);
            let Some(column) = column else { continue };
            canvas[row * CANVAS + column] += sign * stamp[dy * STAMP + dx];
        }
    }
}

fn moments(values: &[f32]) -> (f32, f32) {
    let count = values.len() as f32;
    let mean = values.iter().sum::<f32>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count;
    (mean, variance.sqrt())
}

fn standardise(values: &mut [f32]) {
    let (mean, deviation) = moments(values);
    values.iter_mut().for_each(|value| *value = (*value - mean) / deviation);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    fn lumas(scenes: &InMemory<Image>, index: usize) -> Vec<f32> {
        let mut bytes = vec![0; 3 * SIDE * SIDE];
        scenes.read(index, &mut bytes).unwrap();
        let luma = |pixel: usize| {
            (0..3).map(|c| LUMA[c] * f32::from(bytes[c * SIDE * SIDE + pixel])).sum()
        };
        (0..SIDE * SIDE).map(luma).collect()
    }

    /// Power at one spatial frequency, at the angle of `class`.
    fn power(luma: &[f32], class: usize) -> f32 {
        let angle = std::f32::consts::PI * class as f32 / CLASSES as f32;
        let k = std::f32::consts::TAU / PERIOD;
        let (sin, cos) = angle.sin_cos();
        // Mean over windows: stamps have random phases, so only local power adds up.
        let mut total = 0.0;
        for window_y in (0..SIDE).step_by(16) {
            for window_x in (0..SIDE).step_by(16) {
                let (mut real, mut imaginary) = (0.0, 0.0);
                for y in window_y..window_y + 16 {
                    for x in window_x..window_x + 16 {
                        let phase = k * (x as f32 * cos + y as f32 * sin);
                        let value = luma[y * SIDE + x] - 127.5;
                        real += value * phase.cos();
                        imaginary += value * phase.sin();
                    }
                }
                total += real * real + imaginary * imaginary;
            }
        }
        total
    }

    #[test]
    fn oriented_power_carries_the_class() {
        let scenes = scenes(2, Part::Test, 50).unwrap();
        let right = (0..50)
            .filter(|&index| {
                let luma = lumas(&scenes, index);
                let best = (0..CLASSES)
                    .max_by(|&a, &b| power(&luma, a).total_cmp(&power(&luma, b)))
                    .unwrap();
                scenes.info(index).label == Some(best as u32)
            })
            .count();
        assert!(right >= 45, "expected at least 45 of 50 by oriented power, got {right}");
    }

    #[test]
    fn mean_and_contrast_are_the_same_in_every_scene() {
        let scenes = scenes(2, Part::Train, 20).unwrap();
        for index in 0..20 {
            let (mean, deviation) = moments(&lumas(&scenes, index));
            // Rounding to bytes moves both by a fraction of a gray level.
            assert!((mean - 127.5).abs() < 0.2, "scene {index}: mean {mean}");
            assert!((deviation - CONTRAST).abs() < 0.2, "scene {index}: deviation {deviation}");
        }
    }

    #[test]
    fn a_scene_depends_on_its_own_index_only() {
        let (few, many) = (scenes(2, Part::Train, 5).unwrap(), scenes(2, Part::Train, 9).unwrap());
        assert_eq!(lumas(&few, 4), lumas(&many, 4));
    }

    #[test]
    fn parts_and_seeds_give_different_scenes() {
        let train = scenes(2, Part::Train, 1).unwrap();
        assert_ne!(lumas(&train, 0), lumas(&scenes(2, Part::Test, 1).unwrap(), 0));
        assert_ne!(lumas(&train, 0), lumas(&scenes(3, Part::Train, 1).unwrap(), 0));
    }

    #[test]
    fn pixels_are_frozen() {
        // A change here changes every number learnt from these scenes: value-breaking.
        let scenes = scenes(2, Part::Test, 1).unwrap();
        let mut bytes = vec![0; 3 * SIDE * SIDE];
        scenes.read(0, &mut bytes).unwrap();
        assert_eq!(bytes[..8], FROZEN);
    }

    const FROZEN: [u8; 8] = [71, 109, 76, 63, 210, 113, 133, 133];
}
