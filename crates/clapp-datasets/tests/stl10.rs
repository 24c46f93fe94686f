//! STL-10: the order of bytes, the places of files, and every way they can be damaged.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use std::fs;
use std::path::Path;

use clapp_datasets::stl10::Split;
use clapp_datasets::{Error, Sizes, Source, Stl10};
use clapp_testing::assert_says;
use tempfile::TempDir;

const SIDE: usize = 96;
const IMAGE: usize = 3 * SIDE * SIDE;

/// The value of a pixel of image `index`: differs between any two neighbours and between planes.
fn value(index: usize, plane: usize, y: usize, x: usize) -> u8 {
    ((index * 7 + plane * 80 + y * 3 + x * 101) % 251) as u8
}

/// Images as STL-10 stores them: planes, column by column.
fn stored(images: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for index in 0..images {
        for plane in 0..3 {
            for x in 0..SIDE {
                bytes.extend((0..SIDE).map(|y| value(index, plane, y, x)));
            }
        }
    }
    bytes
}

/// Three training images with labels 1, 10, 4.
fn write_train(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("train_X.bin"), stored(3)).unwrap();
    fs::write(folder.join("train_y.bin"), [1, 10, 4]).unwrap();
}

fn train() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    write_train(root.path());
    root
}

fn open(root: &TempDir) -> Result<Stl10, Error> {
    Stl10::open(root.path(), Split::Train, Sizes::Any)
}

#[test]
fn columns_on_disk_become_rows_in_memory() {
    let stl10 = open(&train()).unwrap();
    let mut image = vec![0; IMAGE];
    for index in [2, 0] {
        stl10.read(index, &mut image).unwrap();
        for (i, pixel) in image.iter().enumerate() {
            let (plane, y, x) = (i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
            assert_eq!(*pixel, value(index, plane, y, x), "image {index}, {plane}, {y}, {x}");
        }
    }
}

#[test]
fn labels_count_from_zero() {
    let stl10 = open(&train()).unwrap();
    let labels: Vec<_> = (0..stl10.len()).map(|i| stl10.info(i).label).collect();
    assert_eq!(labels, [Some(0), Some(9), Some(3)]);
    assert_eq!(
        (stl10.classes(), stl10.info(0).dims, stl10.name()),
        (10, [3, 96, 96], "stl10/train")
    );
    assert_eq!(stl10.class_names()[9], "truck");
}

#[test]
fn all_three_places_are_accepted() {
    for place in ["", "stl10_binary", "stl10_binary/stl10_binary"] {
        let root = tempfile::tempdir().unwrap();
        write_train(&root.path().join(place));
        let stl10 = open(&root).unwrap();
        assert_eq!(stl10.len(), 3);
        assert!(stl10.path().ends_with(Path::new(place).join("train_X.bin")));
    }
}

#[test]
fn unlabelled_images_have_no_labels() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("unlabeled_X.bin"), stored(1)).unwrap();
    let stl10 = Stl10::open(root.path(), Split::Unlabeled, Sizes::Any).unwrap();
    assert_eq!((stl10.len(), stl10.info(0).label, stl10.classes()), (1, None, 0));
}

#[test]
fn threads_read_at_the_same_time() {
    let stl10 = open(&train()).unwrap();
    let read = |index| {
        let mut image = vec![0; IMAGE];
        stl10.read(index, &mut image).unwrap();
        image
    };
    let alone: Vec<_> = (0..3).map(read).collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..60).map(|i| (i % 3, scope.spawn(move || read(i % 3)))).collect();
        for (index, thread) in threads {
            assert_eq!(thread.join().unwrap(), alone[index]);
        }
    });
}

#[test]
fn folds_are_indices_of_training_images() {
    let root = train();
    fs::write(root.path().join("fold_indices.txt"), "0 2 \r\n1 0\r\n\r\n").unwrap();
    assert_eq!(open(&root).unwrap().folds().unwrap(), [vec![0, 2], vec![1, 0]]);
}

#[test]
fn folds_are_optional() {
    assert!(open(&train()).unwrap().folds().is_none());
}

#[test]
fn a_missing_folder_names_all_places_searched() {
    assert_says(
        &Stl10::open("/no/where", Split::Test, Sizes::Official).unwrap_err(),
        "stl10: expected file test_X.bin, got no such file in /no/where",
        "/no/where/stl10_binary, /no/where/stl10_binary/stl10_binary; download",
    );
}

#[test]
fn missing_labels_are_named() {
    let root = train();
    fs::remove_file(root.path().join("train_y.bin")).unwrap();
    let folder = root.path().display().to_string();
    let start = "stl10: expected file train_y.bin, got no such file in ";
    assert_says(&open(&root).unwrap_err(), start, &folder);
}

#[test]
fn damaged_files_are_refused() {
    for (file, bytes, start, place) in [
        (
            "train_X.bin",
            vec![],
            "stl10 train images: expected a positive multiple of 27648 bytes, got 0 in ",
            "train_X.bin; is the file complete?",
        ),
        (
            "train_X.bin",
            stored(1)[..27_647].to_vec(),
            "stl10 train images: expected a positive multiple of 27648 bytes, got 27647 in ",
            "train_X.bin",
        ),
        (
            "train_y.bin",
            vec![1, 2],
            "stl10 train labels: expected 3, got 2 in ",
            "train_y.bin; do the files belong together?",
        ),
        (
            "train_y.bin",
            vec![1, 2, 0],
            "stl10 train labels: expected a label in 1..=10, got 0 at image 2 in ",
            "train_y.bin",
        ),
        (
            "train_y.bin",
            vec![1, 2, 11],
            "stl10 train labels: expected a label in 1..=10, got 11 at image 2 in ",
            "train_y.bin",
        ),
        (
            "fold_indices.txt",
            b"0 1\n2 3\n".to_vec(),
            "fold indices: expected an index below 3, got \"3\" at line 2 in ",
            "fold_indices.txt; restore the file",
        ),
    ] {
        let root = train();
        fs::write(root.path().join(file), bytes).unwrap();
        assert_says(&open(&root).unwrap_err(), start, place);
    }
}

#[test]
fn official_sizes_refuse_other_numbers_of_images() {
    let root = train();
    let file = fs::File::create(root.path().join("test_X.bin")).unwrap();
    file.set_len(221_184_001).unwrap(); // sparse: takes no space
    let error = |split| Stl10::open(root.path(), split, Sizes::Official).unwrap_err();
    assert_says(
        &error(Split::Train),
        "stl10 train images: expected 138240000 bytes, got 82944 in ",
        "train_X.bin; is the download complete?",
    );
    assert_says(
        &error(Split::Test),
        "stl10 test images: expected 221184000 bytes, got 221184001 in ",
        "test_X.bin; is this the right file?",
    );
}
