//! The moving scenes: motion carries the class, a frame does not.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use clapp_datasets::Source;
use clapp_datasets::video::moving::{CLASSES, MovingScenes, Part};
use clapp_eval::{Features, StandardisedProbe, probe};
use ndarray::Array2;

const SIDE: usize = 64;

/// Gray frames of a clip, `[frame][y, x]`.
fn frames(scenes: &MovingScenes, clip: usize, which: &[usize]) -> Vec<Vec<f32>> {
    let mut gray = Vec::new();
    let mut keep = |_: usize, frame: &mut clapp_datasets::video::Frame| {
        let mean = |p: &[u8]| p.iter().map(|v| f32::from(*v)).sum::<f32>() / 3.0;
        gray.push(frame.pixels().chunks_exact(3).map(mean).collect());
    };
    scenes.read(clip, (which, &mut keep)).unwrap();
    gray
}

fn features(part: Part, count: usize, of: impl Fn(&MovingScenes, usize) -> Vec<f32>) -> Features {
    let scenes = MovingScenes::new(2, part, count);
    let rows: Vec<Vec<f32>> = (0..count).map(|clip| of(&scenes, clip)).collect();
    let labels = (0..count).map(|clip| scenes.info(clip).label.unwrap()).collect();
    let dim = rows[0].len();
    Features::new(Array2::from_shape_vec((count, dim), rows.concat()).unwrap(), labels).unwrap()
}

fn accuracy(train: usize, test: usize, of: impl Fn(&MovingScenes, usize) -> Vec<f32>) -> f64 {
    let (train, test) = (features(Part::Train, train, &of), features(Part::Test, test, &of));
    probe::accuracy(&StandardisedProbe::default(), &train, &test, 1).unwrap()
}

/// Means over blocks of 8×8, and the energy of differences in four directions at three distances.
fn appearance(gray: &[f32]) -> Vec<f32> {
    let mut values = Vec::new();
    for block in 0..64 {
        let (top, left) = (block / 8 * 8, block % 8 * 8);
        let pixel = |i: usize| gray[(top + i / 8) * SIDE + left + i % 8];
        values.push((0..64).map(pixel).sum::<f32>() / 64.0);
    }
    for distance in [1, 3, 7] {
        for (dy, dx) in [(0, 1), (1, 0), (1, 1), (1, -1)] {
            let mut energy = 0.0;
            for y in 8..SIDE - 8 {
                for x in 8..SIDE - 8 {
                    let there = (x as isize + dx * distance as isize) as usize;
                    let other = gray[(y + dy * distance) * SIDE + there];
                    energy += (gray[y * SIDE + x] - other).powi(2);
                }
            }
            values.push(energy.ln());
        }
    }
    values
}

#[test]
fn a_single_frame_does_not_tell_the_class() {
    // 10 % of 500: the standard deviation is 1.3 points. The first frame is where a motion that left a
    // trace in a pose would show most.
    let found = accuracy(600, 500, |scenes, clip| appearance(&frames(scenes, clip, &[0])[0]));
    assert!(found < 14.5, "{found} %");
}

/// The mean over a window of 9×9, rows first.
fn blurred(gray: &[f32]) -> Vec<f32> {
    let along = |image: &[f32], stride: usize| -> Vec<f32> {
        let mut out = vec![0.0; SIDE * SIDE];
        for i in 4 * stride..SIDE * SIDE - 4 * stride {
            out[i] = (0..9).map(|k| image[i + k * stride - 4 * stride]).sum::<f32>() / 9.0;
        }
        out
    };
    along(&along(gray, 1), SIDE)
}

/// Shift, turn and growth between two frames, by least squares on the brightness constancy
/// `I_t + I_x·(a + c·x − b·y) + I_y·(d + c·y + b·x) = 0`.
fn flow(first: &[f32], second: &[f32]) -> [f64; 4] {
    let (mut normal, mut right) = ([[0.0; 4]; 4], [0.0; 4]);
    for y in 6..SIDE - 6 {
        for x in 6..SIDE - 6 {
            let at = |image: &[f32], dy: isize, dx: isize| {
                f64::from(image[(y as isize + dy) as usize * SIDE + (x as isize + dx) as usize])
            };
            let both = |dy, dx| at(first, dy, dx) + at(second, dy, dx);
            let ix = (both(0, 1) - both(0, -1)) / 4.0;
            let iy = (both(1, 0) - both(-1, 0)) / 4.0;
            let it = at(second, 0, 0) - at(first, 0, 0);
            let (px, py) = (x as f64 - 31.5, y as f64 - 31.5);
            let row = [ix, iy, (iy * px - ix * py) / 20.0, (ix * px + iy * py) / 20.0];
            for i in 0..4 {
                for j in 0..4 {
                    normal[i][j] += row[i] * row[j];
                }
                right[i] -= row[i] * it;
            }
        }
    }
    solve(normal, right)
}

/// Gauss–Jordan elimination; the matrix is positive definite.
fn solve(mut matrix: [[f64; 4]; 4], mut right: [f64; 4]) -> [f64; 4] {
    for i in 0..4 {
        let pivot = matrix[i][i];
        matrix[i].iter_mut().for_each(|value| *value /= pivot);
        right[i] /= pivot;
        for j in (0..4).filter(|j| *j != i) {
            let factor = matrix[j][i];
            let row = matrix[i];
            matrix[j].iter_mut().zip(row).for_each(|(value, above)| *value -= factor * above);
            right[j] -= factor * right[i];
        }
    }
    right
}

#[test]
fn two_frames_tell_the_motion() {
    let found = accuracy(300, 200, |scenes, clip| {
        let frames = frames(scenes, clip, &(6..18).collect::<Vec<_>>());
        let frames: Vec<Vec<f32>> = frames.iter().map(|frame| blurred(frame)).collect();
        let flows: Vec<[f64; 4]> = frames.windows(2).map(|pair| flow(&pair[0], &pair[1])).collect();
        let mean = |f: &dyn Fn(&[f64; 4]) -> f64| {
            (flows.iter().map(f).sum::<f64>() / flows.len() as f64) as f32
        };
        let means: [f32; 4] = std::array::from_fn(|i| mean(&|flow| flow[i]));
        let speed = mean(&|flow| flow[0].hypot(flow[1]));
        let net = means[0].hypot(means[1]);
        [&means[..], &[speed, net, speed * speed, net * net]].concat()
    });
    assert!(found > 85.0, "{found} %");
}

#[test]
fn a_clip_depends_on_its_own_index_and_frame_only() {
    let few = MovingScenes::new(2, Part::Train, 12);
    let many = MovingScenes::new(2, Part::Train, 40);
    assert_eq!(frames(&few, 11, &[3, 7])[1], frames(&many, 11, &[7])[0]);
}

#[test]
fn parts_and_seeds_share_no_scene() {
    let first = |seed, part| frames(&MovingScenes::new(seed, part, 1), 0, &[0]);
    let train = first(2, Part::Train);
    for other in [first(2, Part::Test), first(2, Part::Unlabelled), first(3, Part::Train)] {
        assert_ne!(train, other);
    }
}

#[test]
fn frames_use_the_range_of_a_byte_without_clipping_much() {
    let scenes = MovingScenes::new(2, Part::Train, CLASSES);
    let mut values: Vec<u8> = Vec::new();
    for clip in 0..CLASSES {
        scenes.read(clip, (&[0], &mut |_, frame| values.extend(frame.pixels()))).unwrap();
    }
    let clipped = values.iter().filter(|v| [0, 255].contains(*v)).count() as f64;
    assert!(clipped / (values.len() as f64) < 0.02);
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64;
    let std =
        values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / values.len() as f64;
    // The constants of runs: mean 0.5 and deviation 0.2 of values in 0..=1.
    assert!((mean - 127.5).abs() < 8.0, "{mean}");
    assert!((std.sqrt() - 51.0).abs() < 10.0, "{}", std.sqrt());
}
