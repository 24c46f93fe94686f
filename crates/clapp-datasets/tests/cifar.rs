//! CIFAR-10 and CIFAR-100: records across files, both labels, and damaged files.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use std::fs;
use std::path::Path;

use clapp_datasets::cifar::{Kind, Split};
use clapp_datasets::{Cifar, Error, Sizes, Source};
use clapp_testing::assert_says;
use tempfile::TempDir;

const IMAGE: usize = 3 * 32 * 32;

/// A record whose pixels count up from `start`.
fn record(labels: &[u8], start: u8) -> Vec<u8> {
    labels.iter().copied().chain((0..IMAGE).map(|i| start.wrapping_add(i as u8))).collect()
}

/// Batch b of five holds b records of label b and first pixel 10·b + position.
fn write_cifar10(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for batch in 1..=5 {
        let records: Vec<u8> = (0..batch).flat_map(|i| record(&[batch], 10 * batch + i)).collect();
        fs::write(folder.join(format!("data_batch_{batch}.bin")), records).unwrap();
    }
}

fn cifar10() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    write_cifar10(root.path());
    root
}

/// One record of each label pair (coarse, fine).
fn cifar100(labels: &[[u8; 2]]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("cifar-100-binary");
    fs::create_dir_all(&folder).unwrap();
    let records: Vec<u8> = labels.iter().flat_map(|pair| record(pair, 0)).collect();
    fs::write(folder.join("test.bin"), records).unwrap();
    root
}

fn open(root: &TempDir) -> Result<Cifar, Error> {
    Cifar::open(root.path(), Kind::Cifar10, Split::Train, Sizes::Any)
}

#[test]
fn the_five_batches_are_one_sequence() {
    let train = open(&cifar10()).unwrap();
    assert_eq!(train.len(), 15);
    let mut image = vec![0; IMAGE];
    let mut index = 0;
    for batch in 1..=5 {
        for i in 0..batch {
            train.read(index, &mut image).unwrap();
            assert_eq!(
                (train.info(index).label, image[0]),
                (Some(u32::from(batch)), 10 * batch + i)
            );
            index += 1;
        }
    }
}

#[test]
fn pixels_are_read_in_the_order_of_the_file() {
    let train = open(&cifar10()).unwrap();
    let mut image = vec![0; IMAGE];
    train.read(0, &mut image).unwrap();
    assert_eq!(image, record(&[], 10));
}

#[test]
fn the_official_folder_is_found_below_the_root() {
    let root = tempfile::tempdir().unwrap();
    write_cifar10(&root.path().join("cifar-10-batches-bin"));
    let train = open(&root).unwrap();
    assert_eq!(
        (train.name(), train.classes(), train.info(0).dims),
        ("cifar10/train", 10, [3, 32, 32])
    );
}

#[test]
fn both_labels_of_cifar100_are_readable() {
    let root = cifar100(&[[19, 99], [0, 51]]);
    let labels = |kind| {
        let test = Cifar::open(root.path(), kind, Split::Test, Sizes::Any).unwrap();
        let mut image = vec![1; IMAGE];
        test.read(1, &mut image).unwrap();
        assert_eq!(image, record(&[], 0));
        (test.info(0).label.unwrap(), test.class_names()[0].clone(), test.classes())
    };
    assert_eq!(labels(Kind::Cifar100Fine), (99, "apple".to_owned(), 100));
    assert_eq!(labels(Kind::Cifar100Coarse), (19, "aquatic_mammals".to_owned(), 20));
}

#[test]
fn names_are_read_from_the_folder_if_they_are_there() {
    let root = cifar10();
    fs::write(root.path().join("batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n").unwrap();
    assert_eq!(open(&root).unwrap().class_names()[9], "j");
}

#[test]
fn a_missing_batch_is_named() {
    let root = cifar10();
    fs::remove_file(root.path().join("data_batch_4.bin")).unwrap();
    let folder = root.path().display().to_string();
    let start = "cifar10: expected file data_batch_4.bin, got no such file in ";
    assert_says(&open(&root).unwrap_err(), start, &folder);
}

#[test]
fn damaged_batches_are_refused() {
    for (file, bytes, start, place) in [
        (
            "data_batch_2.bin",
            vec![0; 3072],
            "cifar10 images: expected a positive multiple of 3073 bytes, got 3072 in ",
            "data_batch_2.bin; is the file complete?",
        ),
        (
            "data_batch_3.bin",
            [record(&[9], 0), record(&[10], 0)].concat(),
            "cifar10 labels: expected a label in 0..=9, got 10 at image 1 in ",
            "data_batch_3.bin",
        ),
    ] {
        let root = cifar10();
        fs::write(root.path().join(file), bytes).unwrap();
        assert_says(&open(&root).unwrap_err(), start, place);
    }
}

#[test]
fn official_sizes_refuse_another_number_of_images() {
    let root = cifar10();
    let error = Cifar::open(root.path(), Kind::Cifar10, Split::Train, Sizes::Official);
    assert_says(
        &error.unwrap_err(),
        "cifar10 images: expected 30730000 bytes, got 3073 in ",
        "data_batch_1.bin; is the download complete?",
    );
}

#[test]
fn the_label_that_is_not_used_is_checked_too() {
    let root = cifar100(&[[20, 0]]);
    let error = Cifar::open(root.path(), Kind::Cifar100Fine, Split::Test, Sizes::Any);
    let start = "cifar100-fine labels: expected a label in 0..=19, got 20 at image 0 in ";
    assert_says(&error.unwrap_err(), start, "test.bin");
}
