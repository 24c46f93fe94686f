//! Readers of files meet thousands of damaged ones: an item, or an error that names the file; no panic.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod sound_files;

use std::fs;
use std::path::Path;

use clapp_datasets::sound::{Check, IndexCache, OpenOptions, PhoneLabels, SpeechFiles, SplitList};
use clapp_datasets::video::{ClipList, Part, Preparation, prepare};
use clapp_datasets::{Cifar, Error, Folder, OnBad, Sizes, Source, Stl10, cifar, stl10};
use clapp_testing::mutations;
use sound_files::steps;

/// Whether it was read; otherwise the error says where.
fn read<T>(result: Result<T, Error>, place: &Path) -> Option<T> {
    let named =
        |error: Error| assert!(error.to_string().contains(&*place.to_string_lossy()), "{error}");
    result.map_err(named).ok()
}

fn sound(ending: &str, corpus: &[Vec<u8>]) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join(format!("a.{ending}"));
    let cache = IndexCache::Nowhere;
    let options = OpenOptions { cache, check: Check::Samples, ..OpenOptions::default() };
    for bytes in corpus {
        fs::write(&path, bytes).unwrap();
        SpeechFiles::folder(root.path(), &options).unwrap();
    }
    mutations(ending, corpus, |_, bytes| {
        fs::write(&path, bytes).unwrap();
        let Some(files) = read(SpeechFiles::folder(root.path(), &options), root.path()) else {
            return;
        };
        let samples = read(files.get(0), &path).expect("it was read when it was checked").samples;
        assert_eq!(samples.len(), files.info(0).samples);
        assert!(samples.iter().all(|sample| sample.abs() <= 100.0));
    });
}

#[test]
fn wav() {
    let whole = sound_files::wav(&steps(300, 0), 16_000, 1);
    let mut stream = whole.clone();
    stream[40..44].fill(0xff);
    let mut floats = whole.clone();
    // Floating point, four bytes a sample, 32 bits.
    (floats[20], floats[32], floats[34]) = (3, 4, 32);
    for (sample, number) in floats[44..].chunks_exact_mut(4).zip(0_u8..) {
        sample.copy_from_slice(&(f32::from(number) / 256.0).to_le_bytes());
    }
    sound("wav", &[whole, stream, floats]);
}

#[test]
fn flac() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sound_fixture/triangle.flac");
    sound("flac", &[sound_files::flac(&steps(3_000, 0), 16_000, 1), fs::read(fixture).unwrap()]);
}

#[test]
fn mp3_ogg_and_m4a() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sound_lossy");
    for ending in ["mp3", "ogg", "m4a"] {
        sound(ending, &[fs::read(folder.join(format!("sweep.{ending}"))).unwrap()]);
    }
}

#[test]
fn images() {
    let root = tempfile::tempdir().unwrap();
    for name in ["unlabeled_X.bin", "train_X.bin"] {
        fs::write(root.path().join(name), vec![7; 2 * 3 * 96 * 96]).unwrap();
    }
    let of = |name: &str| root.path().join(name);
    fs::write(of("fold_indices.txt"), "").unwrap();
    mutations(
        "stl10",
        &[vec![1, 10], b"0 1\n1 0\n".to_vec(), b"airplane\nbird\n".to_vec()],
        |number, bytes| {
            let name = ["train_y.bin", "fold_indices.txt", "class_names.txt"][number as usize % 3];
            fs::write(of("train_y.bin"), [1, 10]).unwrap();
            fs::write(of("fold_indices.txt"), "0 1\n").unwrap();
            let _ = fs::remove_file(of("class_names.txt"));
            fs::write(of(name), bytes).unwrap();
            read(Stl10::open(root.path(), stl10::Split::Train, Sizes::Any), root.path());
        },
    );
    let record: Vec<u8> = (0..3_073_usize).map(|at| (at % 10) as u8).collect();
    mutations("cifar10", &[record.clone(), [&record[..], &record].concat()], |_, bytes| {
        fs::write(of("test_batch.bin"), bytes).unwrap();
        let opened = Cifar::open(root.path(), cifar::Kind::Cifar10, cifar::Split::Test, Sizes::Any);
        if let Some(images) = read(opened, root.path()) {
            (0..images.len()).for_each(|image| drop(images.get(image).unwrap()));
        }
    });
}

#[test]
fn photographs() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.png");
    let picture =
        image::RgbImage::from_fn(9, 7, |x, y| image::Rgb([20 * x as u8, 30 * y as u8, 9]));
    let formats = [
        image::ImageFormat::Png,
        image::ImageFormat::Jpeg,
        image::ImageFormat::Gif,
        image::ImageFormat::Bmp,
        image::ImageFormat::Tiff,
        image::ImageFormat::WebP,
        image::ImageFormat::Pnm,
    ];
    let mut corpus: Vec<Vec<u8>> = formats
        .into_iter()
        .map(|format| {
            let mut bytes = std::io::Cursor::new(Vec::new());
            picture.write_to(&mut bytes, format).unwrap();
            bytes.into_inner()
        })
        .collect();
    corpus.push(include_bytes!("data/progressive_24x16.jpg").to_vec());
    corpus.push(include_bytes!("data/cmyk_24x16.jpg").to_vec());
    corpus.push(b"P3 2 1 255 1 2 3 4 5 6".to_vec());
    for bytes in &corpus {
        fs::write(&path, bytes).unwrap();
        Folder::open(root.path(), 4).unwrap();
    }
    mutations("photographs", &corpus, |_, bytes| {
        fs::write(&path, bytes).unwrap();
        if let Some(folder) = read(Folder::open(root.path(), 4), &path) {
            assert_eq!(folder.get(0).unwrap().pixels.len(), 3 * 4 * 4);
        }
    });
}

#[test]
fn lists() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("trainlist01.txt");
    fs::write(root.path().join("classInd.txt"), "1 A\n2 B\n").unwrap();
    let corpus = [
        b"A/v_A_g01_c01.avi 1\r\nB/v.avi 2\r\n".to_vec(),
        b"\xef\xbb\xbf19-198-0000 0 1 40\n26-495-0000\t3 3 3\n".to_vec(),
        b"a_0.avi 1 \nb.avi 2\n\n".to_vec(),
    ];
    mutations("lists", &corpus, |_, bytes| {
        fs::write(&path, bytes).unwrap();
        for on_bad in [OnBad::Refuse, OnBad::Skip] {
            read(PhoneLabels::read(&path, 41, on_bad), &path);
            read(ClipList::ucf101(root.path(), 1, Part::Train, on_bad), root.path());
        }
        read(SplitList::read(&path), &path);
    });
}

#[test]
fn prepared_clips_and_frames() {
    let root = tempfile::tempdir().unwrap();
    let red = include_bytes!("data/red_3x2.jpg").to_vec();
    let frames = root.path().join("videos/red/one");
    fs::create_dir_all(&frames).unwrap();
    let frame = frames.join("image_00001.jpg");
    fs::write(&frame, &red).unwrap();
    let small = Preparation { short_side: 2, on_bad: OnBad::Refuse, ..Preparation::default() };
    let folder = root.path().join("prepared");
    let opened = || {
        let list = ClipList::folders(root.path().join("videos"), OnBad::Refuse).unwrap();
        prepare(list, &folder, &small, |_| {})
    };
    let clips = opened().unwrap();
    let clip = folder.join("red/one.clip");
    mutations("clips", &[fs::read(&clip).unwrap()], |_, bytes| {
        fs::write(&clip, bytes).unwrap();
        read(clips.get(0), &clip);
    });
    mutations("frames", &[red], |_, bytes| {
        fs::write(&frame, bytes).unwrap();
        if let Some(clips) = read(opened(), root.path()) {
            read(clips.get(0), root.path());
        }
    });
}
