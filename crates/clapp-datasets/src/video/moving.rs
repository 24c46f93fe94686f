//! An embedded set of videos: textured scenes that move in one of ten ways, from a seed.
//!
//! ```text
//! x                                            a pixel, from the middle of the frame
//! d, θ, e = d₀ + …, θ₀ + …, e₀ + …             the motion: shift, angle, zoom in octaves
//! T(x) = Σ_j sin²(π(j + e)/4) · n_j(R(θ)(x − d) / (2·2^(j + e)) + o_j)          over j with 0 < j + e < 4
//! R, G, B = 127.5 + 55·T + 6·noise             T of each colour; noise independent at every pixel and frame
//! ```
//!
//! n_j is a smooth random texture of its own for every octave j of every scene: bilinear noise, half
//! shared by the three colours.
//!
//! | class | motion a frame | class | motion a frame |
//! |---|---|---|---|
//! | 0 right, 1 left | 2 pixels | 6 in, 7 out | 1/12 octave |
//! | 2 down, 3 up | 2 pixels | 8 shake | ± along one direction, six frames a swing |
//! | 4 clockwise, 5 anticlockwise | 4 degrees | 9 rush | 5 pixels in any one direction |
//!
//! **What carries the class.** The motion: how a frame follows from the frame before.
//!
//! **What does not.** Any single frame. Shift, angle and octave begin at random, uniformly over a full
//! period of the texture: o_j over a tile, θ₀ over the circle, e₀ over one octave, after which the sum
//! over j is the same sum with other, equally distributed textures. A motion adds a number to each. So
//! every frame of every class has the distribution of every other: a pose shifted by any motion is
//! again a uniform pose. What a method finds, it has to find between frames. Right and left (and all
//! pairs) are also each other's reversal in time.
//!
//! Mirroring a clip turns right into left, and an exchange of sides turns all directions: don't mirror or
//! rotate these clips.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use clapp_random::{Purpose, stream};

use crate::Error;
use crate::source::{Item, Source, assert_index};
use crate::video::{Clip, ClipInfo, Frame};

pub use crate::synthetic::Part;

/// Classes: motions.
pub const CLASSES: usize = 10;
/// The classes' names, indexed by label.
pub const CLASS_NAMES: [&str; CLASSES] =
    ["right", "left", "down", "up", "clockwise", "anticlockwise", "in", "out", "shake", "rush"];

/// Octaves of texture that are seen at a time.
const OCTAVES: f32 = 4.0;
/// Side of a texture, in cells; a power of two.
const TILE: usize = 32;
/// Pixels of a cell at octave 0.
const CELL: f32 = 2.0;
/// Gray levels of a texture of deviation 1.
const CONTRAST: f32 = 55.0;
/// Gray levels of the noise.
const NOISE: f32 = 6.0;
/// Third index of the streams of [`Purpose::Synthesis`] used here; images use 0, sound 1 and 2.
const TEXTURES: u64 = 3;
const POSE: u64 = 4;
const GRAIN: u64 = 5;

/// Moving scenes, drawn when they are read: nothing is stored.
///
/// Clip i has class `i mod 10` and depends on the seed, the part and i alone. Parts share no scene.
///
/// | Name | Default | Change with |
/// |---|---|---|
/// | frames | 24 | [`with_frames`](Self::with_frames) |
/// | side | 64 | [`with_side`](Self::with_side) |
///
/// # Example
///
/// ```
/// use clapp_datasets::Source;
/// use clapp_datasets::video::moving::{CLASS_NAMES, MovingScenes, Part};
///
/// let scenes = MovingScenes::new(2, Part::Test, 20).with_frames(16);
/// assert_eq!((scenes.info(0).frames, scenes.info(0).dims), (16, [64, 64, 3]));
/// assert_eq!(CLASS_NAMES[scenes.info(13).label.expect("all have one") as usize], "up");
/// ```
///
/// # Cost
///
/// About a millisecond a frame of 64×64.
#[derive(Clone, Debug)]
pub struct MovingScenes {
    seed: u64,
    part: Part,
    count: usize,
    frames: usize,
    side: usize,
}

impl MovingScenes {
    /// The first `count` clips of a part.
    #[must_use]
    pub fn new(seed: u64, part: Part, count: usize) -> Self {
        Self { seed, part, count, frames: 24, side: 64 }
    }

    /// The same with another number of frames. The middle of the motion stays where it is.
    ///
    /// # Panics
    /// `frames` is 0.
    #[must_use]
    pub fn with_frames(self, frames: usize) -> Self {
        assert!(frames > 0, "moving scenes: expected at least one frame, got none");
        Self { frames, ..self }
    }

    /// The same with frames of another side, in pixels; more of the scene is seen.
    ///
    /// # Panics
    /// `side` is 0.
    #[must_use]
    pub fn with_side(self, side: usize) -> Self {
        assert!(side > 0, "moving scenes: expected a side of at least 1, got 0");
        Self { side, ..self }
    }

    /// The scene of a clip; it does not depend on the class.
    fn scene(&self, clip: usize) -> Scene {
        let mut random = self.stream(clip, POSE, 0);
        let tau = std::f32::consts::TAU;
        Scene {
            angle: random.random_range(0.0..tau),
            octave: random.random_range(0.0..1.0),
            direction: random.random_range(0.0..tau),
            phase: random.random_range(0.0..tau),
        }
    }

    fn stream(&self, clip: usize, what: u64, index: u64) -> clapp_random::Stream {
        stream(self.seed, Purpose::Synthesis, [self.part as u64, clip as u64, what, index])
    }

    /// The texture of one octave. Octaves may be negative.
    fn texture(&self, clip: usize, octave: i32) -> Texture {
        let mut random = self.stream(clip, TEXTURES, i64::from(octave) as u64);
        let offset = [0; 2].map(|_: i32| random.random_range(0.0..TILE as f32));
        let mut normal = || -> f32 { StandardNormal.sample(&mut random) };
        let share = std::f32::consts::FRAC_1_SQRT_2;
        let cells = (0..TILE * TILE).map(|_| {
            let common = normal();
            [0; 3].map(|_: i32| share * (common + normal()))
        });
        let cells = cells.collect();
        Texture { octave, offset, cells }
    }

    /// All octaves that a clip shows in the frames between the first and the last of `frames`.
    fn textures(&self, clip: usize, poses: &[Pose]) -> Vec<Texture> {
        let octaves = poses.iter().map(|pose| pose.octave);
        let (least, most) =
            octaves.fold((f32::MAX, f32::MIN), |(a, b), octave| (a.min(octave), b.max(octave)));
        let (first, last) = ((-most).floor() as i32, (OCTAVES - least).ceil() as i32);
        (first..=last).map(|octave| self.texture(clip, octave)).collect()
    }
}

impl Source for MovingScenes {
    type Item = Clip;

    fn len(&self) -> usize {
        self.count
    }

    fn info(&self, clip: usize) -> ClipInfo {
        assert_index(self, clip);
        let label = Some((clip % CLASSES) as u32);
        ClipInfo { frames: self.frames, dims: [self.side, self.side, 3], label }
    }

    fn read(
        &self,
        clip: usize,
        (frames, each): (&[usize], &mut dyn FnMut(usize, &mut Frame)),
    ) -> Result<(), Error> {
        Clip::assert_part(self, clip, &(frames, &mut *each));
        let scene = self.scene(clip);
        let middle = (self.frames - 1) as f32 / 2.0;
        let pose = |frame: &usize| scene.pose(clip % CLASSES, *frame as f32 - middle);
        let poses: Vec<Pose> = frames.iter().map(pose).collect();
        let textures = self.textures(clip, &poses);
        let (mut values, mut picture) = (Vec::new(), Frame::default());
        for (place, (pose, &frame)) in poses.iter().zip(frames).enumerate() {
            render(pose, &textures, self.side, &mut values);
            let mut grain = self.stream(clip, GRAIN, frame as u64);
            let pixels = picture.reshape([self.side; 2], 3);
            for (pixel, value) in pixels.iter_mut().zip(values.iter().flatten()) {
                let noise: f32 = StandardNormal.sample(&mut grain);
                *pixel = (127.5 + CONTRAST * value + NOISE * noise).clamp(0.0, 255.0) as u8;
            }
            each(place, &mut picture);
        }
        Ok(())
    }

    fn name(&self) -> &str {
        match self.part {
            Part::Unlabelled => "moving scenes/unlabelled",
            Part::Train => "moving scenes/train",
            Part::Test => "moving scenes/test",
        }
    }

    fn classes(&self) -> usize {
        CLASSES
    }

    fn class_name(&self, class: usize) -> Option<&str> {
        CLASS_NAMES.get(class).copied()
    }
}

/// Everything about a scene that a motion starts from.
struct Scene {
    angle: f32,
    octave: f32,
    /// Direction and phase of the motions that need one.
    direction: f32,
    phase: f32,
}

/// Where a scene is seen from at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pose {
    shift: [f32; 2], // x, y in pixels
    angle: f32,
    octave: f32,
}

impl Scene {
    /// The pose `time` frames after the middle of the clip. Positive y is down, positive angles turn
    /// clockwise.
    fn pose(&self, class: usize, time: f32) -> Pose {
        let along = |distance: f32| {
            let (sin, cos) = self.direction.sin_cos();
            [distance * cos, distance * sin]
        };
        let (mut angle, mut octave) = (self.angle, self.octave);
        let mut shift = [0.0; 2];
        let turn = 4.0_f32.to_radians() * time;
        match class {
            0 => shift = [2.0 * time, 0.0],
            1 => shift = [-2.0 * time, 0.0],
            2 => shift = [0.0, 2.0 * time],
            3 => shift = [0.0, -2.0 * time],
            4 => angle += turn,
            5 => angle -= turn,
            6 => octave += time / 12.0,
            7 => octave -= time / 12.0,
            8 => shift = along(4.0 * (std::f32::consts::TAU / 6.0 * time + self.phase).sin()),
            _ => shift = along(5.0 * time),
        }
        Pose { shift, angle, octave }
    }
}

/// One octave of a scene, repeated without end.
struct Texture {
    octave: i32,
    offset: [f32; 2],
    cells: Vec<[f32; 3]>, // [row, column] of a tile
}

impl Texture {
    /// The value at a place in units of cells, between the four cells around.
    fn at(&self, x: f32, y: f32) -> [f32; 3] {
        let (left, top) = (floor(x), floor(y));
        let (right, below) = (x - left as f32, y - top as f32);
        let wrap = |position: i32| position as usize & (TILE - 1);
        let rows = [wrap(top) * TILE, wrap(top + 1) * TILE];
        let columns = [wrap(left), wrap(left + 1)];
        let corners = rows.map(|row| columns.map(|column| self.cells[row + column]));
        std::array::from_fn(|colour| {
            let row = |[a, b]: [[f32; 3]; 2]| a[colour] + right * (b[colour] - a[colour]);
            let (upper, lower) = (row(corners[0]), row(corners[1]));
            upper + below * (lower - upper)
        })
    }
}

/// The largest whole number below or at `value`. A call of the system's `floor` for every pixel and octave
/// would take a third of the time.
fn floor(value: f32) -> i32 {
    let towards_zero = value as i32;
    towards_zero - i32::from(value < towards_zero as f32)
}

/// The texture of a frame without its noise, `[y, x]`, three colours each.
fn render(pose: &Pose, textures: &[Texture], side: usize, values: &mut Vec<[f32; 3]>) {
    values.clear();
    values.resize(side * side, [0.0; 3]);
    // The scene turns clockwise if places are looked up the other way round.
    let (sin, cos) = (-pose.angle).sin_cos();
    let middle = (side - 1) as f32 / 2.0;
    for texture in textures {
        let octave = texture.octave as f32 + pose.octave;
        if octave <= 0.0 || octave >= OCTAVES {
            continue;
        }
        let weight = (std::f32::consts::PI * octave / OCTAVES).sin().powi(2);
        let scale = (CELL * octave.exp2()).recip();
        for (pixel, value) in values.iter_mut().enumerate() {
            let x = (pixel % side) as f32 - middle - pose.shift[0];
            let y = (pixel / side) as f32 - middle - pose.shift[1];
            let (u, v) = (cos * x - sin * y, sin * x + cos * y);
            let [ou, ov] = texture.offset;
            let seen = texture.at(u * scale + ou, v * scale + ov);
            value.iter_mut().zip(seen).for_each(|(value, seen)| *value += weight * seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(clip: usize) -> Scene {
        MovingScenes::new(2, Part::Train, 100).scene(clip)
    }

    /// Rounding of sums in single precision.
    const TOLERANCE: f32 = 1e-4;

    #[test]
    fn pairs_of_classes_are_each_others_reversal_in_time() {
        for pair in [[0, 1], [2, 3], [4, 5], [6, 7]] {
            for time in [-7.5, 0.0, 3.5] {
                let [forth, back] = [(pair[0], time), (pair[1], -time)]
                    .map(|(class, time)| scene(3).pose(class, time));
                assert!((forth.shift[0] - back.shift[0]).abs() < TOLERANCE);
                assert!((forth.shift[1] - back.shift[1]).abs() < TOLERANCE);
                assert!((forth.angle - back.angle).abs() < TOLERANCE);
                assert!((forth.octave - back.octave).abs() < TOLERANCE);
            }
        }
    }

    #[test]
    fn an_octave_further_the_scene_has_the_same_texture_one_octave_up() {
        // The zoom has no end: what a scene shows at octave e it shows at e + 1 with textures j − 1.
        let scenes = MovingScenes::new(2, Part::Train, 1);
        let shifted = |by: i32| -> Vec<Texture> {
            (-2..6)
                .map(|octave| Texture { octave: octave - by, ..scenes.texture(0, octave) })
                .collect()
        };
        let pose = |octave| Pose { shift: [1.0, 2.0], angle: 0.3, octave };
        let (mut near, mut far) = (Vec::new(), Vec::new());
        render(&pose(0.25), &shifted(0), 32, &mut near);
        render(&pose(1.25), &shifted(1), 32, &mut far);
        for (near, far) in near.iter().flatten().zip(far.iter().flatten()) {
            assert!((near - far).abs() < TOLERANCE, "{near} {far}");
        }
    }

    #[test]
    fn classes_move_as_their_names_say() {
        let scenes = MovingScenes::new(2, Part::Train, 1);
        let textures: Vec<Texture> = (-2..6).map(|octave| scenes.texture(0, octave)).collect();
        let seen = |class: usize, time: f32, row: usize, column: usize| {
            let mut values = Vec::new();
            render(&scenes.scene(0).pose(class, time), &textures, 65, &mut values);
            values[row * 65 + column][0]
        };
        let same = |a: f32, b: f32| assert!((a - b).abs() < TOLERANCE, "{a} {b}");
        // Three frames later what was here is six pixels to the right, to the left, below, above.
        let here = |class| seen(class, 0.0, 32, 32);
        same(here(0), seen(0, 3.0, 32, 38));
        same(here(1), seen(1, 3.0, 32, 26));
        same(here(2), seen(2, 3.0, 38, 32));
        same(here(3), seen(3, 3.0, 26, 32));
        // A quarter of a turn clockwise brings what was above to the right.
        same(seen(4, -11.25, 12, 32), seen(4, 11.25, 32, 52));
        same(seen(5, -11.25, 12, 32), seen(5, 11.25, 32, 12));
        // The middle stays where it is; elsewhere amplitudes change with the octave.
        same(seen(4, 0.0, 32, 32), seen(4, 9.0, 32, 32));
        assert!((here(0) - seen(0, 3.0, 32, 32)).abs() > TOLERANCE);
    }

    #[test]
    fn pixels_are_frozen() {
        // A change here changes every number learnt from these scenes: value-breaking.
        let mut pixels: Vec<u8> = Vec::new();
        let scenes = MovingScenes::new(2, Part::Test, 10);
        scenes.read(6, (&[11], &mut |_, frame| pixels.extend(&frame.pixels()[..8]))).unwrap();
        // A platform's sine may differ in the last digit, and a gray level with it.
        for (pixel, frozen) in pixels.iter().zip(FROZEN) {
            assert!(pixel.abs_diff(frozen) <= 1, "{pixels:?}");
        }
    }

    const FROZEN: [u8; 8] = [144, 123, 109, 113, 116, 114, 105, 100];
}
