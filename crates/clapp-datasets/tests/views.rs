//! Random views: byte for byte as torchvision on pictures of Pillow, and the same whatever threads do.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use clapp_datasets::video::{Filter, Frame, Op};
use clapp_datasets::{
    Augment, Batch, Blur, Change, Error, Image, ImagePipeline, InMemory, Loader, LoaderConfig,
    Views,
};
use serde_json::Value;

/// What `golden/make_views.py` wrote; its functions of the same names say what the pictures are.
const GOLDEN: &str = include_str!("golden/views.json");
const BYTES: &[u8] = include_bytes!("golden/views.bin");

fn noise([height, width]: [usize; 2]) -> Frame {
    let mut state = 1_u32;
    let pixels = (0..3 * height * width).map(|_| {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
        (state >> 16) as u8
    });
    Frame::new([height, width], pixels.collect())
}

fn shades([height, width]: [usize; 2]) -> Frame {
    let folded = |value: i32| ((value + 255).rem_euclid(510) - 255).unsigned_abs() as u8;
    let pixel = |y: i32, x: i32| {
        [(y + 1) * (x + 3) * 4 / 5, 7 * y + 3 * x, 255 - 5 * x + 2 * y].map(folded)
    };
    let row = |y: usize| (0..width).flat_map(move |x| pixel(y as i32, x as i32));
    Frame::new([height, width], (0..height).flat_map(row).collect())
}

fn colours() -> Frame {
    let pixels = (0..1_u32 << 24).flat_map(|i| [(i >> 16) as u8, (i >> 8) as u8, i as u8]);
    Frame::new([4096, 4096], pixels.collect())
}

fn resized_crop([top, left, height, width, side]: [usize; 5]) -> [Change; 2] {
    let cut = Op::Cut { top, left, dims: [height, width] };
    [cut, Op::Resize { dims: [side; 2], filter: Filter::Bilinear }].map(Change::Op)
}

fn hue(shift: f64) -> Change {
    Change::Op(Op::Hue(((255.0 * shift) as i32).rem_euclid(256) as u8))
}

/// One change of a case: its name and its parameters.
fn change(case: &Value) -> Vec<Change> {
    let number = |place: usize| case[place].as_f64().unwrap();
    let factor = || number(1) as f32;
    match case[0].as_str().unwrap() {
        "resized_crop" => resized_crop([1, 2, 3, 4, 5].map(|i| number(i) as usize)).to_vec(),
        "mirror" => vec![Change::Op(Op::Mirror)],
        "gray" => vec![Change::Gray],
        "blur" => vec![Change::Blur { side: number(1) as usize, sigma: number(2) as f32 }],
        "brightness" => vec![Change::Op(Op::Brightness(factor()))],
        "contrast" => vec![Change::Op(Op::Contrast(factor()))],
        "saturation" => vec![Change::Op(Op::Saturation(factor()))],
        "hue" => vec![hue(number(1))],
        other => panic!("unknown change {other}"),
    }
}

fn changed(mut picture: Frame, changes: impl IntoIterator<Item = Change>) -> Frame {
    let mut spare = Frame::default();
    changes.into_iter().for_each(|change| change.apply(&mut picture, &mut spare));
    picture
}

fn golden(name: &str) -> u32 {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    golden[name].as_u64().unwrap() as u32
}

#[test]
fn every_change_gives_the_bytes_of_torchvision() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 100, "{}", cases.len());
    for case in cases {
        let picture = if case["picture"] == "noise" { noise } else { shades };
        let size = [0, 1].map(|i| case["size"][i].as_u64().unwrap() as usize);
        let changes = case["changes"].as_array().unwrap().iter().flat_map(change);
        let got = changed(picture(size), changes);
        if let Some(crc) = case["crc"].as_u64() {
            assert_eq!(u64::from(crc32fast::hash(got.pixels())), crc, "{case}");
        } else {
            let [start, bytes] = ["start", "bytes"].map(|key| case[key].as_u64().unwrap() as usize);
            let expected = &BYTES[start..start + bytes];
            let wrong = got.pixels().iter().zip(expected).filter(|(got, expected)| got != expected);
            assert_eq!((got.pixels().len(), wrong.count()), (bytes, 0), "{case}");
        }
    }
}

#[test]
fn cuts_of_every_size_give_the_bytes_of_torchvision() {
    let (picture, mut crc) = (noise([32, 32]), crc32fast::Hasher::new());
    for (height, width) in (1..33).flat_map(|height| (1..33).map(move |width| (height, width))) {
        let cut = changed(picture.clone(), resized_crop([0, 0, height, width, 32]));
        crc.update(cut.pixels());
    }
    assert_eq!(crc.finalize(), golden("all_cuts"));
}

#[test]
fn blurs_of_many_deviations_give_the_bytes_of_torchvision() {
    let (picture, mut crc) = (noise([48, 40]), crc32fast::Hasher::new());
    for (side, sigma) in
        [3, 7, 9].into_iter().flat_map(|side| (4_u8..65).step_by(3).map(move |s| (side, s)))
    {
        let blur = Change::Blur { side, sigma: f32::from(sigma) / 32.0 };
        crc.update(changed(picture.clone(), [blur]).pixels());
    }
    assert_eq!(crc.finalize(), golden("all_blurs"));
}

#[test]
fn every_colour_turns_and_fades_as_in_pillow() {
    let all = colours();
    let turned = changed(all.clone(), [hue(0.17)]);
    assert_eq!(crc32fast::hash(turned.pixels()), golden("all_hues"));
    let faded = changed(all, [Change::Op(Op::Saturation(1.37))]);
    assert_eq!(crc32fast::hash(faded.pixels()), golden("all_saturations"));
}

/// Of an image and of a pipeline that see colour after colour.
fn planar(picture: &Frame) -> Vec<u8> {
    let plane = |i: usize| picture.pixels().iter().skip(i).step_by(3).copied();
    (0..3).flat_map(plane).collect()
}

#[test]
fn numbers_for_a_network_have_the_bits_of_torchvision() {
    let pipeline = ImagePipeline { crop: 32, ..ImagePipeline::simclr_stl10() };
    let mut out = vec![0.0; 3 * 32 * 32];
    pipeline.change(&planar(&shades([32, 32])), [3, 32, 32], &[], &mut out);
    let bytes: Vec<u8> = out.into_iter().flat_map(f32::to_le_bytes).collect();
    assert_eq!(crc32fast::hash(&bytes), golden("normalised"));
}

/// Five images of 40×36 pixels, of different content.
fn images() -> InMemory<Image> {
    let rows = noise([5 * 40, 36]);
    let pixels = rows
        .pixels()
        .chunks_exact(3 * 40 * 36)
        .flat_map(|image| planar(&Frame::new([40, 36], image.to_vec())));
    let images = InMemory::images("five", [3, 40, 36], pixels.collect()).unwrap();
    images.with_labels(vec![0, 1, 2, 3, 4], 5).unwrap()
}

fn pipeline() -> ImagePipeline {
    let views = Some(Views { whole: Some(40), ..Views::simclr_stl10() });
    ImagePipeline { crop: 32, views, ..ImagePipeline::simclr_stl10() }
}

fn batches(config: &LoaderConfig, pipeline: ImagePipeline) -> Vec<Batch> {
    let loader = Loader::new(images(), pipeline, config.clone()).unwrap();
    loader.epoch(1).unwrap().collect::<Result<_, _>>().unwrap()
}

fn training(views: usize, workers: usize) -> LoaderConfig {
    LoaderConfig { batch_size: 3, views, workers, ..LoaderConfig::training() }
}

#[test]
fn first_views_come_first_and_the_last_batch_is_smaller() {
    let (one, two) = (batches(&training(1, 0), pipeline()), batches(&training(2, 0), pipeline()));
    assert_eq!([two[0].shape, two[1].shape], [[6, 3, 32, 32], [4, 3, 32, 32]]);
    for (one, two) in one.iter().zip(&two) {
        let (first, second) = two.values.split_at(one.values.len());
        assert!(first == one.values, "the first views are those of a loader of one view");
        assert!(first != second, "the second views differ");
        assert_eq!((&one.indices, &one.labels), (&two.indices, &two.labels));
        assert_eq!((two.len(), two.labels.len()), (one.len(), one.len()));
    }
}

#[test]
fn views_do_not_depend_on_workers_or_batches() {
    let alone = batches(&training(2, 0), pipeline());
    assert!(alone == batches(&training(2, 3), pipeline()));
    let whole = &batches(&LoaderConfig { batch_size: 5, ..training(2, 1) }, pipeline())[0];
    let size = 3 * 32 * 32;
    for (view, half) in whole.values.chunks_exact(5 * size).enumerate() {
        let of = |batch: &Batch| {
            batch.values[view * batch.len() * size..][..batch.len() * size].to_vec()
        };
        assert!(alone.iter().flat_map(of).eq(half.iter().copied()));
    }
}

#[test]
fn two_views_without_augmentation_settings_are_two_random_crops() {
    let plain = ImagePipeline { crop: 20, ..ImagePipeline::stl10_rgb() };
    let batch = &batches(&training(2, 0), plain)[0];
    let (first, second) = batch.values.split_at(batch.values.len() / 2);
    assert!(first != second);
}

#[test]
fn evaluation_sees_the_middle_of_the_enlarged_image() {
    // 40×36 → 44×40 → rows 6 to 37, columns 4 to 35
    let config = LoaderConfig { views: 1, ..LoaderConfig::evaluation() };
    let batch = &batches(&config, pipeline())[0];
    let whole = Op::Resize { dims: [44, 40], filter: Filter::Bilinear };
    let cut = Op::Cut { top: 6, left: 4, dims: [32; 2] };
    let middle = changed(noise([40, 36]), [whole, cut].map(Change::Op));
    let expected = (f32::from(middle.pixel(0, 0)[0]) / 255.0 - 0.4313) / 0.2683;
    assert_eq!(batch.values[0].to_bits(), expected.to_bits());
}

#[test]
fn views_are_frozen() {
    // A change here changes every trained number: list it in the changelog as value-breaking.
    let changes = pipeline().changes([3, 40, 36], Augment::Training, 2, 1, 5);
    let cut = Op::Cut { top: 8, left: 11, dims: [19, 17] };
    let to_square = Op::Resize { dims: [32, 32], filter: Filter::Bilinear };
    let (light, hue) = (Op::Brightness(0.861_315_3), Op::Hue(47));
    let (contrast, colours) = (Op::Contrast(1.511_658_4), Op::Saturation(0.366_659_9));
    let expected = [cut, to_square, light, hue, contrast, colours].map(Change::Op);
    let blur = Change::Blur { side: 9, sigma: 1.718_321_8 };
    assert_eq!(changes, [&expected[..], &[Change::Gray, blur]].concat());
}

#[test]
fn a_configuration_without_views_reads_as_before_and_is_written_as_before() {
    let before = r#"{"scale":"Keep","crop":64,"flip":"EvenChance","colour":{"Gray":{"mean":0.412,"std":0.257}}}"#;
    let pipeline: ImagePipeline = serde_json::from_str(before).unwrap();
    assert_eq!(pipeline, ImagePipeline::stl10());
    assert_eq!(serde_json::to_string(&pipeline).unwrap(), before);
    let text = serde_json::to_string(&ImagePipeline::simclr_stl10()).unwrap();
    let read: ImagePipeline = serde_json::from_str(&text).unwrap();
    assert_eq!(read, ImagePipeline::simclr_stl10());
}

fn refusal(views: Views, dims: [usize; 3]) -> String {
    let pipeline = ImagePipeline { views: Some(views), ..ImagePipeline::simclr_cifar10() };
    pipeline.validate(dims).unwrap_err().to_string()
}

#[test]
fn senseless_settings_are_refused() -> Result<(), Error> {
    let (views, dims) = (Views::simclr_cifar10(), [3, 32, 32]);
    ImagePipeline::simclr_cifar10().validate(dims)?;
    ImagePipeline::simclr_stl10().validate([3, 96, 96])?;
    let blur = |side| Some(Blur { side, ..Blur::simclr(32) });
    for (views, expected) in [
        (
            Views { area: [0.0, 1.0], ..views },
            "area: expected two numbers above 0 and up to 1, the larger last, got 0..=1",
        ),
        (
            Views { aspect: [2.0, 1.0], ..views },
            "aspect: expected two numbers above 0, the larger last, got 2..=1",
        ),
        (Views { gray: 1.5, ..views }, "gray: expected a probability in 0..=1, got 1.5"),
        (Views { blur: blur(4), ..views }, "blur side: expected an odd window below 64, got 4"),
        (Views { whole: Some(31), ..views }, "crop: expected 1..=31 pixels, got 32"),
    ] {
        let got = refusal(views, dims);
        assert!(got.starts_with(expected), "{got}");
    }
    assert!(refusal(views, [1, 32, 32]).starts_with("colour: expected 3 planes, got 1"));
    Ok(())
}
