//! `clapp data`: what is there, ahead of time, fetched; and data that are not what they should be.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clapp::datasets::video::Ffmpeg;
use clapp_testing::{assert_says, make_video, names, skip, wav};
use image::{Rgb, RgbImage};
use serde_json::Value;

fn clapp(root: &Path, arguments: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clapp"));
    command.args(arguments.split_whitespace()).current_dir(root);
    for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn done(root: &Path, arguments: &str) -> (String, String) {
    let (code, out, err) = clapp(root, arguments);
    assert_eq!(code, 0, "{arguments}: {out}{err}");
    (out, err)
}

/// What is printed, and the error, which the last line names.
#[track_caller]
fn refused(root: &Path, arguments: &str) -> (String, String) {
    let (code, out, err) = clapp(root, arguments);
    assert_eq!(code, 1, "{arguments}: {out}{err}");
    let last = err.lines().last().and_then(|line| line.strip_prefix("error: "));
    (out, last.unwrap_or_else(|| panic!("{arguments}: {err}")).to_owned())
}

fn write(path: PathBuf, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn photographs_are_counted_by_class_and_bad_files_are_named() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("photos");
    for (class, count) in [("cats", 10_u8), ("dogs", 5)] {
        fs::create_dir_all(folder.join(class)).unwrap();
        for i in 0..count {
            let picture = RgbImage::from_pixel(40, 33, Rgb([i, class.as_bytes()[0], 7]));
            picture.save(folder.join(class).join(format!("{i}.png"))).unwrap();
        }
    }
    for i in 0..5 {
        write(folder.join(format!("dogs/{i}.txt")), b"no picture");
    }
    let (out, _) = done(root.path(), "data verify -i photos");
    for text in ["learn: 12 images of ", "train: 12 ", "test: 3 ", "cats 8, dogs 4", "3×32×32"] {
        assert!(out.contains(text), "expected {text:?} in {out}");
    }
    assert!(out.contains("5 left out of ") && out.contains("4.txt"), "{out}");
    let (out, _) = done(root.path(), "data verify -i photos --json -q");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found["parts"][2]["classes"][0], serde_json::json!(["cats", 2]), "{out}");
    assert_eq!(found["parts"][1]["digest"].as_str().map(str::len), Some(32));
    assert!(done(root.path(), "data prepare -i photos").0.contains("nothing to prepare"));

    // Confusions and features have the names of the folders.
    done(root.path(), "train -i photos -p smoke -o run -q --set batch=8 --set images=16");
    let confusion = fs::read_to_string(root.path().join("run/confusion-seed-2.csv")).unwrap();
    assert!(confusion.starts_with("label,cats,dogs\n"), "{confusion}");
    fs::create_dir(root.path().join("empty")).unwrap();
    for data in ["empty", "absent", "run"] {
        let (_, error) = refused(root.path(), &format!("embed run -i {data} --out features"));
        assert_says(&error, "photographs: expected", data);
        assert_says(
            &refused(root.path(), &format!("data verify -i {data}")).1,
            "photographs",
            data,
        );
    }
    // A run of another version of the program.
    let config = root.path().join("run/config.json");
    let text = fs::read_to_string(&config).unwrap();
    write(config, text.replace("\"kind\": \"folder\"", "\"kind\": \"holograms\"").as_bytes());
    for command in ["embed run --out x", "export run --out x.safetensors", "probe run", "info run"]
    {
        let (_, error) = refused(root.path(), command);
        assert_says(
            &error,
            "configuration: expected JSON that this version understands",
            "holograms",
        );
    }
    assert_eq!(names(root.path()), ["empty", "photos", "run"]);
}

#[test]
fn recordings_are_looked_at_and_all_bad_ones_are_named() {
    let root = tempfile::tempdir().unwrap();
    let sound = |talker: i16, rate| {
        let samples: Vec<i16> = (0..20_880).map(|i: i16| (i % (50 + talker)) * 90).collect();
        wav(&samples, rate, 1)
    };
    for talker in 0..4 {
        write(root.path().join(format!("talk/t{talker}/a.wav")), &sound(talker, 16_000));
    }
    let verify = "data verify --sounds talk --part folder";
    let (out, _) = done(root.path(), verify);
    assert!(
        out.contains("learn: 4 utterances of ") && out.contains("talk, 20880, digest "),
        "{out}"
    );
    write(root.path().join("talk/t4/fast.wav"), &sound(4, 44_100));
    write(root.path().join("talk/t4/torn.wav"), &sound(4, 16_000)[..9_000]);
    write(root.path().join("talk/t5/song.OPUS"), b"OggS");
    let (out, error) = refused(root.path(), verify);
    assert_says(&error, "sample rate: expected 16000 Hz, got 44100 Hz", "fast.wav");
    assert!(out.contains("learn: 4 utterances") && out.contains("3 left out of "), "{out}");
    assert!(out.contains("torn.wav") && out.contains("ffmpeg -i"), "{out}");
    let (out, _) = done(root.path(), &format!("{verify} --skip-bad"));
    assert!(out.contains("3 left out of "), "{out}");
    let (_, error) = refused(root.path(), "data prepare --sounds talk --part folder");
    assert_says(&error, "sample rate: ", "fast.wav");
    let (out, err) = done(root.path(), "data prepare --sounds talk --part folder --skip-bad");
    assert!(out.starts_with("4 utterances of ") && err.contains("torn.wav"), "{out}{err}");
}

#[test]
fn videos_are_prepared_once() {
    if let Err(reason) = Ffmpeg::find() {
        return skip(reason);
    }
    let root = tempfile::tempdir().unwrap();
    let first = root.path().join("films/up/0.avi");
    make_video(&first, 6, "96x72", "120+X/2", &["-c:v", "mjpeg", "-q:v", "2"]);
    for name in ["up/1.avi", "up/2.avi", "down/0.avi", "down/1.avi", "down/2.avi"] {
        write(root.path().join("films").join(name), &fs::read(&first).unwrap());
    }
    write(root.path().join("films/down/torn.avi"), b"no film");
    let prepare = "data prepare --videos films --layout folders";
    let (_, error) = refused(root.path(), prepare);
    assert_says(&error, "video: expected", "torn.avi");
    let (out, err) = done(root.path(), &format!("{prepare} --skip-bad"));
    assert!(out.contains("clips of films/train in ") && err.contains("torn.avi"), "{out}{err}");
    assert!(root.path().join("films.prepared/up/0.clip").is_file());
    fs::remove_file(root.path().join("films/down/torn.avi")).unwrap();
    let (out, err) = done(root.path(), prepare);
    assert!(out.contains("clips of films/test in ") && !err.contains("videos:"), "{out}{err}");
    let (out, _) = done(root.path(), "data verify --videos films --layout folders");
    assert!(out.contains("learn: 4 clips of films/train, 6×240×320, "), "{out}");
    assert!(out.contains("2 classes: down 2, up 2") && out.contains("test: 2 clips"), "{out}");
}

#[test]
fn archives_have_names_and_what_is_there_is_not_fetched() {
    let root = tempfile::tempdir().unwrap();
    let (_, error) = refused(root.path(), "data download stl11");
    assert_says(&error, "download: expected one of stl10, cifar10", "nearest to stl10");
    assert_says(&refused(root.path(), "data download ucf101").1, "download", "RAR");
    assert_eq!(names(root.path()).len(), 0);

    let folder = "there/cifar-100-binary";
    for file in ["train.bin", "test.bin", "fine_label_names.txt", "coarse_label_names.txt"] {
        write(root.path().join(folder).join(file), b"mine");
    }
    // Nobody listens at this address.
    let download = "data download cifar100 --mirror http://127.0.0.1:9/x.tar.gz -q --out";
    let (out, _) = done(root.path(), &format!("{download} there"));
    assert_eq!(out.trim(), format!("cifar100 in {folder}"));
    assert_eq!(fs::read(root.path().join(folder).join("train.bin")).unwrap(), b"mine");
    let (_, error) = refused(root.path(), &format!("{download} new"));
    assert_says(&error, "download: expected an answer", "http://127.0.0.1:9/x.tar.gz");
    write(root.path().join("new/cifar-100-binary.tar.gz"), b"mine");
    let (_, error) = refused(root.path(), &format!("{download} new"));
    assert_says(&error, "archive: expected 168513733 bytes", "got 4 in new");
    assert_eq!(fs::read(root.path().join("new/cifar-100-binary.tar.gz")).unwrap(), b"mine");
}
