//! What encoders of sound and of video respond to, against loops over what they see.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use clapp::{
    Images, Sound, Video,
    datasets::{
        Source as _,
        sound::{synthetic, synthetic::utterances_in},
        synthetic::{Part, scenes as synthetic_scenes},
        video::{Clip, moving},
    },
    device,
    eval::figure::Picture,
    image,
    rules::burn::tensor::{Tensor, TensorData},
    sound::{self, Posteriors},
    video::{self, DataConfig},
};
use common::{finished, tiny, tiny_sound, tiny_video};

fn encoder<S: clapp::encoder::Encodes>(config: &clapp::RunConfig<S>) -> clapp::Encoder<S> {
    let root = tempfile::tempdir().unwrap();
    clapp::Encoder::load(finished(root.path(), config), &device("flex").unwrap()).unwrap()
}

#[test]
fn posteriors_are_probabilities_of_every_labelled_frame_of_a_held_out_utterance() {
    let encoder = encoder::<Sound>(&tiny_sound("clapp-s", &[2]));
    let mut told = Vec::new();
    let read = Posteriors::of(&encoder, 3, &mut |seen, all| told.push((seen, all))).unwrap();
    assert_eq!(told, [(1, 3), (2, 3), (3, 3)]);

    // The talkers of `tiny_sound`, in a quiet room.
    let held_out = utterances_in(0.15, 2, synthetic::Part::Test, 3);
    let apart = |index: usize| held_out.info(index).samples.abs_diff(40_000);
    let nearest = (0..3).min_by_key(|&index| apart(index)).unwrap();
    let utterance = held_out.info(nearest);
    assert_eq!((&read.utterance, &read.speaker), (&utterance.id, &utterance.speaker));
    let phones = &read.phones;
    assert_eq!(Some(&phones.labels[..]), utterance.labels.as_deref());
    let frames = phones.labels.len();
    assert_eq!((phones.posteriors.dim(), phones.spectrum.dim()), ((frames, 17), (frames, 40)));
    let mut right = 0;
    for (row, &label) in phones.posteriors.rows().into_iter().zip(&phones.labels) {
        // 17 numbers in double precision.
        assert!((row.sum() - 1.0).abs() < 1e-12, "{row}");
        let best = (0..17).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        right += usize::from(best == label as usize);
    }
    let share = 100.0 * right as f64 / frames as f64;
    assert!((read.accuracy - share).abs() < 1e-9, "{} and {share}", read.accuracy);
    // From three utterances of other talkers; 6 by chance.
    assert!(share > 15.0, "{share}");

    let again = Posteriors::of(&encoder, 3, &mut |_, _| ()).unwrap();
    assert_eq!(again.phones, read.phones);
}

#[test]
fn a_look_at_sound_has_a_mean_of_every_utterance_and_its_speaker() {
    let encoder = encoder::<Sound>(&tiny_sound("clapp-s-no-gru", &[2]));
    let look = sound::Look::at(&encoder, 2, &mut |_, _| ()).unwrap();
    let (speakers, names) = look.speakers().unwrap();
    assert_eq!((speakers, names), (vec![0, 1], vec!["test00".into(), "test01".into()]));
    let held_out = Arc::new(utterances_in(0.15, 2, synthetic::Part::Test, 3));
    let second = encoder.loader(held_out).unwrap().epoch(0).unwrap().nth(1).unwrap().unwrap();
    for (layer, frames) in look.layers.iter().zip(encoder.features(&second)) {
        for (unit, column) in frames.columns().into_iter().enumerate() {
            let mean = column.iter().map(|&v| f64::from(v)).sum::<f64>() / column.len() as f64;
            // Sums of some hundred terms in single precision.
            assert!((f64::from(layer[[1, unit]]) - mean).abs() < 1e-5 * mean.abs().max(1e-3));
        }
    }
}

/// The strip of a clip: frames of 67 pixels are shown by halves.
fn strip(clips: &moving::MovingScenes, clip: usize, seen: [usize; 4]) -> Picture {
    let Clip { frames, .. } = clips.get(clip).unwrap();
    let small = seen.map(|frame| {
        let interleaved = frames[frame].pixels();
        let planes = |place: usize| interleaved[3 * (place % (67 * 67)) + place / (67 * 67)];
        Picture::of_planes(3, [67, 67], planes).shrunk(2)
    });
    Picture::strip(&small)
}

#[test]
fn the_first_strip_is_of_the_clip_with_the_largest_mean_activity() {
    let config = tiny_video("clapp-s-still", &[2]);
    let DataConfig::MovingScenes { test, frames, side, .. } = config.setup.data else { panic!() };
    let scenes = moving::MovingScenes::new(2, moving::Part::Test, test);
    let scenes = scenes.with_frames(frames).with_side(side);
    // 12 frames, every third of the middle: four evenly spaced ones of them.
    let start = (frames - 36) / 2;
    let seen = [0, 3, 7, 11].map(|place| start + 3 * place);
    let strips: Vec<Picture> = (0..test).map(|clip| strip(&scenes, clip, seen)).collect();

    let encoder = encoder::<Video>(&config);
    let channels = config.setup.encoder.channels();
    let mut activity: Vec<Vec<Vec<f64>>> = vec![Vec::new(); channels.len()]; // [block][clip][unit]
    for batch in encoder.loader(Arc::new(scenes)).unwrap().epoch(0).unwrap() {
        for (block, features) in encoder.features(&batch.unwrap()).into_iter().enumerate() {
            for clip in features.rows() {
                let places = clip.len() / channels[block];
                let unit = |unit: &[f32]| unit.iter().map(|&v| f64::from(v)).sum::<f64>();
                let clip = clip.to_vec();
                activity[block].push(clip.chunks(places).map(unit).collect());
            }
        }
    }
    let look = video::Look::at(&encoder, test, &mut |_, _| ()).unwrap();
    let rows = look.preferred(&encoder, 2, 3, 4).unwrap();
    assert!(rows.len() > channels.len(), "{} units are active", rows.len());
    for row in &rows {
        let (block, unit) = row.name.split_once(", ").unwrap();
        let block: usize = block.strip_prefix("layer ").unwrap().parse().unwrap();
        let unit: usize = unit.strip_prefix("unit ").unwrap().parse().unwrap();
        let of = |picture: &Picture| {
            let clip = strips.iter().position(|strip| strip == picture).expect("a strip of a clip");
            activity[block - 1][clip][unit]
        };
        let shown: Vec<f64> = row.pictures.iter().map(of).collect();
        let mut all: Vec<f64> = activity[block - 1].iter().map(|clip| clip[unit]).collect();
        all.sort_by(|a, b| b.total_cmp(a));
        for (shown, expected) in shown.iter().zip(&all[..3]) {
            // Sums in single precision may order two that are this near the other way round.
            assert!((shown - expected).abs() <= 1e-5 * expected.abs(), "{}: {shown:?}", row.name);
        }
    }
    assert_eq!(rows, look.preferred(&encoder, 2, 3, 4).unwrap());
}

#[test]
fn the_most_active_patch_is_framed_in_its_image() {
    let config = tiny("clapp-s", &[2]);
    let encoder = encoder::<Images>(&config);
    let scenes = Arc::new(synthetic_scenes(2, Part::Test, 20).unwrap());
    // Scenes of 96 pixels are halved for the network, cut from the middle, and halved to be shown.
    let shown = |scene: usize| {
        let mut pixels = vec![0; 3 * 96 * 96];
        scenes.read(scene, &mut pixels[..]).unwrap();
        Picture::of_planes(3, [96, 96], |place| pixels[place]).shrunk(2)
    };
    let scenes_shown: Vec<Picture> = (0..20).map(shown).collect();
    // [layer][scene]: [patch, unit]
    let mut seen: Vec<Vec<(usize, Vec<f32>)>> = Vec::new();
    for batch in encoder.loader(scenes.clone()).unwrap().epoch(0).unwrap() {
        let batch = batch.unwrap();
        let shape = batch.shape;
        let images = Tensor::<4>::from_data(TensorData::new(batch.values, shape), encoder.device());
        encoder.stack().look(images, &mut |layer, grid| {
            let [count, rows, columns, units] = grid.dims();
            let values: Vec<f32> = grid.into_data().iter::<f32>().collect();
            seen.resize_with(seen.len().max(layer + 1), Vec::new);
            let each = values.chunks_exact(rows * columns * units);
            assert_eq!(each.len(), count);
            seen[layer].extend(each.map(|scene| (units, scene.to_vec())));
        });
    }
    let grid = config.setup.encoder.patches;
    let (crop, columns) = (encoder.pipeline().crop, config.setup.encoder.time());
    let look = image::Look::at(&encoder, 20, &mut |_, _| ()).unwrap();
    let rows = look.preferred_patches(&encoder, 2, 3, &mut |_, _| ()).unwrap();
    assert!(rows.len() > seen.len(), "{} units are active", rows.len());
    for row in &rows {
        let (layer, unit) = row.name.split_once(", ").unwrap();
        let layer: usize = layer.strip_prefix("layer ").unwrap().parse().unwrap();
        let unit: usize = unit.strip_prefix("unit ").unwrap().parse().unwrap();
        let peak = |(units, values): &(usize, Vec<f32>)| {
            let of_unit = values.iter().skip(unit).step_by(*units);
            of_unit.copied().enumerate().fold((0, f32::MIN), |best, (patch, value)| {
                if value > best.1 { (patch, value) } else { best }
            })
        };
        let peaks: Vec<(usize, f32)> = seen[layer - 1].iter().map(peak).collect();
        let mut largest: Vec<f32> = peaks.iter().map(|peak| peak.1).collect();
        largest.sort_by(|a, b| b.total_cmp(a));
        for (picture, most) in row.pictures.iter().zip(largest) {
            // The scene of which all but a frame is left, and where the frame is.
            let differs = |scene: &Picture| -> Vec<usize> {
                (0..48 * 48)
                    .filter(|at| scene.rgb[3 * at..][..3] != picture.rgb[3 * at..][..3])
                    .collect()
            };
            let all = scenes_shown.iter().map(differs).enumerate();
            let (scene, changed) = all.min_by_key(|(_, changed)| changed.len()).unwrap();
            // Two pixels wide, outside of the patch.
            assert!(changed.len() <= 8 * (grid.size + 3), "{} pixels differ", changed.len());
            assert_eq!(peaks[scene].1.to_bits(), most.to_bits(), "{}", row.name);
            let [row_at, column_at] = [peaks[scene].0 / columns, peaks[scene].0 % columns];
            // What the network sees of a pixel is a pixel here.
            let inset = (48 - crop) / 2;
            let corner = |at: usize| inset + at * grid.stride;
            let white = |y: usize, x: usize| {
                let inside = (1..=48).contains(&y) && (1..=48).contains(&x);
                !inside || picture.rgb[3 * ((y - 1) * 48 + x - 1)..][..3] == [255; 3]
            };
            // Where nothing is active no patch is more so than another.
            for end in [0, grid.size + 1].into_iter().filter(|_| most > 0.0) {
                assert!(white(corner(row_at) + end, corner(column_at)));
                assert!(white(corner(row_at), corner(column_at) + end));
            }
            let within = |at: &usize| {
                let inside =
                    |place: usize, corner: usize| (corner..corner + grid.size).contains(&place);
                inside(at / 48, corner(row_at)) && inside(at % 48, corner(column_at))
            };
            assert!(most <= 0.0 || !changed.iter().any(within), "the patch itself is left alone");
        }
    }
}

#[test]
fn first_layers_are_waves_and_pictures() {
    let waves = clapp::receptive_fields(&encoder::<Sound>(&tiny_sound("clapp-s-no-gru", &[2])));
    let kernel = 10;
    assert_eq!(waves[0].size, [kernel, 15]);
    for wave in &waves {
        // The largest weight reaches an end, and every moment has the line of 0.
        let dark = |row: usize, time: usize| wave.rgb[3 * (row * kernel + time)] == 0;
        assert!((0..kernel).all(|time| dark(7, time)));
        assert!((0..kernel).any(|time| dark(0, time) != dark(14, time)));
    }
    let films = clapp::receptive_fields(&encoder::<Video>(&tiny_video("clapp-s-still", &[2])));
    assert_eq!((films.len(), films[0].size), (3, [7, 7]));
}
