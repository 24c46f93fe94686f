//! Folders of photographs: what is read, what labels are, what is refused.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use clapp_datasets::folder::{Listing, Part};
use clapp_datasets::{Folder, Source};
use clapp_testing::assert_says;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};

const SIDE: usize = 4;

/// A picture whose columns get brighter from left to right.
fn ramp(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| Rgb([(255 * x / width) as u8, 10, 200]))
}

fn write(root: &Path, name: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    ramp(12, 8).save(path).unwrap();
}

fn folder(names: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    names.iter().for_each(|name| write(root.path(), name));
    root
}

fn labels(folder: &Folder) -> Vec<Option<u32>> {
    (0..folder.len()).map(|index| folder.info(index).label).collect()
}

#[test]
fn formats_without_loss_give_the_same_pixels() {
    let root = folder(&["a.png", "b.bmp", "c.tiff", "d.webp", "e.ppm"]);
    let folder = Folder::open(root.path(), SIDE).unwrap();
    assert_eq!(folder.names(), ["a.png", "b.bmp", "c.tiff", "d.webp", "e.ppm"]);
    let first = folder.get(0).unwrap();
    assert!((1..5).all(|index| folder.get(index).unwrap() == first));
}

#[test]
fn a_square_is_the_middle_of_its_picture_in_planes() {
    // Black, then 6 × 6 pixels, then black.
    let root = tempfile::tempdir().unwrap();
    let wide = RgbImage::from_fn(18, 6, |x, _| match (6..12).contains(&x) {
        true => Rgb([50, 100, 150]),
        false => Rgb([0, 0, 0]),
    });
    wide.save(root.path().join("wide.png")).unwrap();
    let square = Folder::open(root.path(), 2).unwrap().get(0).unwrap();
    assert_eq!(square.pixels, [50, 50, 50, 50, 100, 100, 100, 100, 150, 150, 150, 150]);
}

#[test]
fn a_photograph_is_turned_as_its_camera_says() {
    let root = tempfile::tempdir().unwrap();
    // TIFF's header, then one entry: orientation 6, to be turned to the right.
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, 95);
    encoder.set_exif_metadata(exif.to_vec()).unwrap();
    let picture = ramp(32, 32);
    encoder.write_image(picture.as_raw(), 32, 32, ExtendedColorType::Rgb8).unwrap();
    fs::write(root.path().join("turned.jpg"), file).unwrap();
    let turned = Folder::open(root.path(), SIDE).unwrap().get(0).unwrap();
    let red = |y: usize, x: usize| i32::from(turned.pixels[y * SIDE + x]);
    // What was left is at the top now.
    assert!(red(3, 0) > red(0, 0) + 100 && (red(0, 3) - red(0, 0)).abs() < 20, "{turned:?}");
}

#[test]
fn folders_are_classes_if_every_image_lies_in_one() {
    let root = folder(&["dog/a/1.png", "cat/1.png", "dog/2.png"]);
    let classes = Folder::open(root.path(), SIDE).unwrap();
    assert_eq!(classes.class_names(), ["cat", "dog"]);
    assert_eq!(labels(&classes), [Some(0), Some(1), Some(1)]);
    write(root.path(), "1.png");
    let none = Folder::open(root.path(), SIDE).unwrap();
    assert_eq!((labels(&none), none.classes()), (vec![None; 4], 0));
    assert!(none.unlabelled().unwrap().starts_with("not all images lie in folders of classes"));
}

#[test]
fn one_class_is_no_label() {
    let only = Folder::open(folder(&["cat/1.png", "cat/2.png"]).path(), SIDE).unwrap();
    assert_eq!(labels(&only), [None, None]);
    assert!(only.unlabelled().unwrap().starts_with("all images are of one class"));
}

#[test]
fn a_list_has_classes_and_parts() {
    let root = folder(&["1.png", "b/2.png", "b/3.png", "4.png"]);
    let list = "name,label,part\n1.png, cat,train\n\"b/2.png\",dog,test\nb/3.png,dog\n";
    fs::write(root.path().join("labels.csv"), list).unwrap();
    let listed = Folder::open(root.path(), SIDE).unwrap();
    assert_eq!(listed.names(), ["1.png", "4.png", "b/2.png", "b/3.png"]);
    assert_eq!(labels(&listed), [Some(0), None, Some(1), Some(1)]);
    assert_eq!(listed.parts(Part::Test, 0), [vec![0, 1, 3], vec![0, 3], vec![2]]);
}

#[test]
fn a_list_is_read_as_spreadsheets_and_editors_write_it() {
    let root = folder(&["a, b.png", "c;d.png", "e.png"]);
    for list in [
        "name,label,part\r\n\"a, b.png\",x,test\r\nc;d.png,y,train\r\n\r\n",
        "\u{feff}name;label;part\r\na, b.png;x;test\r\n\"c;d.png\";y;train",
        "a, b.png;x;test\n\"c;d.png\";y;\n",
        "\u{feff}a, b.png\tx\ttest\rc;d.png\ty\t\r",
    ] {
        fs::write(root.path().join("labels.csv"), list).unwrap();
        let listed = Folder::open(root.path(), SIDE).unwrap();
        assert_eq!(labels(&listed), [Some(0), Some(1), None], "{list:?}");
        assert_eq!(listed.parts(Part::Test, 0), [vec![1, 2], vec![1], vec![0]], "{list:?}");
    }
}

#[test]
fn folders_of_parts_are_the_parts() {
    let root =
        folder(&["test/a/1.png", "test/b/1.png", "train/a/1.png", "train/b/1.png", "val/a/1.png"]);
    let parts = Folder::open(root.path(), SIDE).unwrap();
    assert_eq!(parts.class_names(), ["a", "b"]);
    assert_eq!(parts.parts(Part::Test, 0), [vec![2, 3], vec![2, 3], vec![0, 1]]);
    assert_eq!(parts.parts(Part::Validation, 0), [vec![2, 3], vec![2, 3], vec![4]]);
}

#[test]
fn a_folder_for_training_alone_is_no_class() {
    let names: Vec<String> =
        (0..10).map(|i| format!("train/{}/{i}.png", ["a", "b"][i % 2])).collect();
    let root = folder(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let parts = Folder::open(root.path(), SIDE).unwrap();
    assert_eq!(parts.class_names(), ["a", "b"]);
    let [learning, fitting, test] = parts.parts(Part::Test, 0);
    assert_eq!((learning.len(), fitting.len(), test.len()), (8, 8, 2));
}

#[test]
fn parts_beside_anything_else_are_refused_unless_a_list_says_what_is_what() {
    for other in ["cat/1.png", "1.png"] {
        let root = folder(&["train/1.png", "train/2.png", other]);
        let error = Listing::of(root.path()).unwrap_err().to_string();
        let what = "photographs: expected folders of parts (train, validation, test) or of classes, \
                    got \"train\" beside ";
        assert_says(&error, what, &root.path().to_string_lossy());
        assert!(error.contains(other.split('/').next().unwrap()), "{error}");
        fs::write(root.path().join("labels.csv"), format!("train/1.png,a\n{other},b\n")).unwrap();
        assert_eq!(Folder::open(root.path(), SIDE).unwrap().class_names(), ["a", "b"]);
    }
}

#[test]
fn a_fifth_of_every_class_is_held_out_and_settings_are_chosen_without_it() {
    let names: Vec<String> = (0..40).map(|i| format!("{}/{i}.png", ["a", "b"][i % 2])).collect();
    let root = folder(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let all = Folder::open(root.path(), SIDE).unwrap();
    let [learning, fitting, test] = all.parts(Part::Test, 0);
    assert_eq!((learning.len(), test.len()), (32, 8));
    assert_eq!(learning, fitting);
    let of_class = |&&index: &&usize| all.info(index).label == Some(0);
    assert_eq!(test.iter().filter(of_class).count(), 4);
    assert_ne!(all.parts(Part::Test, 1)[2], test);
    let [learning, _, validation] = all.parts(Part::Validation, 0);
    assert_eq!((learning.len(), validation.len()), (26, 6));
    assert!(learning.iter().chain(&validation).all(|index| !test.contains(index)));
}

#[test]
fn what_is_no_image_is_named_and_what_systems_leave_is_not() {
    let root = folder(&["a.png", "b.png"]);
    let put = |name: &str, bytes: &[u8]| fs::write(root.path().join(name), bytes).unwrap();
    for name in ["._a.png", ".DS_Store", "Thumbs.db", "desktop.ini"] {
        put(name, b"x");
    }
    put("note.txt", b"mine");
    put("empty.png", b"");
    put("text.jpg", b"no image at all");
    let mut jpeg = Vec::new();
    JpegEncoder::new(&mut jpeg).encode_image(&ramp(32, 32)).unwrap();
    put("whole.jpg", &jpeg);
    put("cut.jpg", &jpeg[..jpeg.len() - 9]);
    put("head.jpg", b"\xff\xd8\xff\xe0\0\x10");
    let folder = Folder::open(root.path(), SIDE).unwrap();
    assert_eq!(folder.names(), ["a.png", "b.png", "whole.jpg"]);
    let reasons: Vec<String> = folder.skipped().iter().map(ToString::to_string).collect();
    let place = root.path().to_string_lossy();
    for (reason, what) in reasons.iter().zip([
        "photographs: expected the name of an image, got \"note.txt\"",
        "photographs: expected a whole image, got a file cut short",
        "photographs: expected a whole image, got an empty file",
        "photographs: expected a whole image, got ",
        "photographs: expected a whole image, got ",
    ]) {
        assert_says(reason, what, &place);
        assert!(!reason.contains('\n'), "expected one line, got {reason:?}");
    }
    assert_eq!(reasons.len(), 5);
}

/// A file of the name alone in a folder.
fn alone(name: &str, bytes: &[u8]) -> (tempfile::TempDir, Result<Folder, clapp_datasets::Error>) {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(name), bytes).unwrap();
    let opened = Folder::open(root.path(), SIDE);
    (root, opened)
}

#[test]
fn every_kind_of_jpeg_is_read_also_in_front_of_a_film() {
    // Of Pillow 13: progressive with a mark every two blocks, marks at every block, four colours.
    let kinds = [
        &include_bytes!("data/progressive_24x16.jpg")[..],
        include_bytes!("data/restarts_24x16.jpg"),
        include_bytes!("data/cmyk_24x16.jpg"),
    ];
    let film = b"\0\0\0\x18ftypmp42\xff\xda\0\x02 and what follows";
    let mean = |bytes: &[u8]| {
        let pixels = alone("a.jpg", bytes).1.unwrap().get(0).unwrap().pixels;
        pixels
            .chunks(SIDE * SIDE)
            .map(|plane| plane.iter().map(|&v| i32::from(v)).sum::<i32>() / 16)
            .collect::<Vec<_>>()
    };
    for jpeg in kinds {
        // Columns 4 to 19 are brightness 10 x, lines 15 y.
        let colours = mean(jpeg);
        assert!((colours[0] - 115).abs() < 4 && (colours[1] - 112).abs() < 4, "{colours:?}");
        assert_eq!(mean(&[jpeg, film].concat()), colours);
    }
}

#[test]
fn a_photograph_with_damaged_data_is_named_although_it_decodes() {
    let noise = RgbImage::from_fn(64, 64, |x, y| {
        Rgb([(x * 37 + y * 101) % 251, (x * y) % 253, (x * 7) % 256].map(|value| value as u8))
    });
    let mut whole = Vec::new();
    JpegEncoder::new_with_quality(&mut whole, 90).encode_image(&noise).unwrap();
    alone("a.jpg", &whole).1.unwrap();
    let begin = whole.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap() + 14;
    let (mut seen, mut all) = (0, 0);
    for at in (begin..whole.len() - 40).step_by(29) {
        let mut damaged = whole.clone();
        damaged[at..at + 32].fill(0);
        let (root, opened) = alone("a.jpg", &damaged);
        all += 1;
        if let Err(error) = opened {
            seen += 1;
            assert!(error.to_string().contains("photographs: expected a whole image, got "));
            assert!(error.to_string().contains(&root.path().join("a.jpg").display().to_string()));
        }
    }
    // Where codes fit by chance nothing can tell.
    assert!(3 * seen > 2 * all, "{seen} of {all}");
}

#[cfg(unix)]
#[test]
fn what_never_ends_is_not_read() {
    let root = folder(&["a.png"]);
    let pipe = std::process::Command::new("mkfifo").arg(root.path().join("pipe.png")).status();
    assert!(pipe.unwrap().success());
    std::os::unix::fs::symlink("/dev/zero", root.path().join("zero.png")).unwrap();
    assert_eq!(Folder::open(root.path(), SIDE).unwrap().names(), ["a.png"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_no_text_is_read() {
    use std::os::unix::ffi::OsStrExt as _;
    let root = folder(&["a.png"]);
    let odd = root.path().join(std::ffi::OsStr::from_bytes(b"hat\xe9.png"));
    fs::rename(root.path().join("a.png"), odd).unwrap();
    assert_eq!(Folder::open(root.path(), SIDE).unwrap().names(), ["hat\u{fffd}.png"]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_a_link_leads_to_again_counts_once() {
    let root = folder(&["cat/1.png", "dog/a/2.png"]);
    std::os::unix::fs::symlink("..", root.path().join("dog/a/up")).unwrap();
    std::os::unix::fs::symlink(root.path(), root.path().join("zoo")).unwrap();
    let folder = Folder::open(root.path(), SIDE).unwrap();
    assert_eq!(folder.names(), ["cat/1.png", "dog/a/2.png"]);
}

#[cfg(unix)]
#[test]
fn a_folder_beside_a_link_to_it_counts_under_both_names() {
    let root = folder(&["cat/1.png", "dog/2.png"]);
    std::os::unix::fs::symlink("dog", root.path().join("hound")).unwrap();
    let folder = Folder::open(root.path(), SIDE).unwrap();
    assert_eq!(folder.names(), ["cat/1.png", "dog/2.png", "hound/2.png"]);
}

#[test]
fn names_and_sizes_are_the_digest() {
    let root = folder(&["a.png", "b.png"]);
    let digest = || Listing::of(root.path()).unwrap().digest().to_owned();
    let before = digest();
    fs::write(root.path().join("note.txt"), "no image").unwrap();
    assert_eq!(digest(), before);
    write(root.path(), "c.png");
    assert_ne!(digest(), before);
    fs::remove_file(root.path().join("c.png")).unwrap();
    fs::write(root.path().join("labels.csv"), "a.png,x\n").unwrap();
    assert_ne!(digest(), before);
}

#[test]
fn a_folder_without_images_is_refused() {
    let refused = |root: &Path, what: &str| {
        let error = Folder::open(root, SIDE).unwrap_err().to_string();
        assert_says(&error, what, &root.to_string_lossy());
    };
    let root = tempfile::tempdir().unwrap();
    let files =
        "photographs: expected files with images (jpg, png, webp, bmp, gif, tif, pnm), got ";
    refused(&root.path().join("absent"), "photographs: expected a folder, got none");
    refused(root.path(), &format!("{files}none in 0 files"));
    fs::write(root.path().join("note.txt"), "mine").unwrap();
    refused(root.path(), &format!("{files}none in 1 files"));
    fs::write(root.path().join("a.png"), "mine").unwrap();
    refused(root.path(), &format!("{files}1 of which none can be decoded"));
}

#[test]
fn a_list_that_does_not_fit_is_refused() {
    let root = folder(&["a.png"]);
    let path = root.path().join("labels.csv");
    for (list, what) in [
        (
            "a.png,x\nb.png,y\nc.png,y\n",
            "names of images in the folder, got 2 that are none, the first \"b.png\"",
        ),
        ("a.png\n", "a name and a class, got neither at line 1"),
        ("a.png,x,later\n", "train, validation or test, got \"later\" at line 1"),
        ("a.png,x\na.png,y\n", "one class and part of a name, got two of \"a.png\""),
    ] {
        fs::write(&path, list).unwrap();
        let error = Listing::of(root.path()).unwrap_err().to_string();
        assert_says(&error, &format!("labels.csv: expected {what}"), &path.to_string_lossy());
    }
}
