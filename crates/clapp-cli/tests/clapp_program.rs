//! The program as a person with a folder of photographs meets it.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use clapp_testing::{assert_same, assert_says, files};
use image::{Rgb, RgbImage};

/// A folder with 40 small photographs of two classes, of many sizes and formats; one is damaged, one file is a text.
struct Fixture {
    root: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let put = |name: String| {
            let path = root.path().join("photos").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        };
        for i in 0..40_u32 {
            let class = ["cats", "dogs"][i as usize % 2];
            let ending = ["png", "jpg", "bmp", "gif", "tiff", "webp"][i as usize % 6];
            // Stripes across for one class, up and down for the other.
            let picture = RgbImage::from_fn(20 + i, 30 + 7 * i % 23, |x, y| {
                let along = if i % 2 == 0 { x } else { y };
                Rgb([(60 * (along / 3 + i) % 256) as u8, (9 * x % 256) as u8, (7 * y) as u8])
            });
            picture.save(put(format!("{class}/{i:02}.{ending}"))).unwrap();
        }
        fs::write(put("cats/broken.png".into()), b"\x89PNG\r\n\x1a\nno picture").unwrap();
        fs::write(put("dogs/notes.txt".into()), "not a photograph").unwrap();
        fs::write(put("dogs/.DS_Store".into()), "left behind").unwrap();
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn call(&self, arguments: &str) -> Called {
        let output = self.command(arguments).output().unwrap();
        Called::of(&output, arguments)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clapp"));
        command.args(arguments.split_whitespace()).current_dir(self.root.path());
        command
    }

    /// The error of a call that writes nothing.
    #[track_caller]
    fn refused(&self, arguments: &str) -> String {
        let before = files(self.root.path());
        let called = self.call(arguments);
        assert_eq!(called.code, 1, "{arguments}: {called:?}");
        assert_same(&files(self.root.path()), &before, arguments);
        let error = called.err.lines().find_map(|line| line.strip_prefix("error: "));
        error.unwrap_or_else(|| panic!("expected an error, got {called:?}")).to_owned()
    }
}

#[derive(Debug)]
struct Called {
    code: i32,
    out: String,
    err: String,
}

impl Called {
    fn of(output: &Output, arguments: &str) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let code = output.status.code().unwrap_or_else(|| panic!("{arguments}: {output:?}"));
        Self { code, out: text(&output.stdout), err: text(&output.stderr) }
    }

    #[track_caller]
    fn finished(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

const TRAIN: &str = "train --images photos --preset smoke --seed 2 --out run";

#[test]
fn photographs_become_a_run_that_is_read_out_again() {
    let fixture = Fixture::new();
    let called = fixture.call(TRAIN).finished();
    for text in ["own photographs in ", "(2 classes)", "random encoder", "raw pixels"] {
        assert!(called.out.contains(text), "expected {text:?} in {called:?}");
    }
    assert!(called.err.contains("2 left out of "), "{called:?}");
    assert!(called.err.contains("notes.txt") && called.err.contains("broken.png"), "{called:?}");
    let table = fs::read(fixture.path("run/table.json")).unwrap();

    let info = fixture.call("info run").finished().out;
    assert!(info.contains("own photographs") && info.contains("read out:        true"), "{info}");
    let json = fixture.call("resume run --json --quiet").finished();
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["ended"], &json["table"]["classes"]), (&"finished".into(), &2.into()));
    assert!(fs::read(fixture.path("run/table.json")).unwrap() == table);
    // Few photographs are not seen more than 200 times each.
    let quick = fixture.call("train --images photos --print-config --json").finished().out;
    let quick: serde_json::Value = serde_json::from_str(&quick).unwrap();
    let learn = quick["images"].as_u64().unwrap() / 200;
    assert!((20..40).contains(&learn) && quick["images"] == learn * 200, "{quick}");

    let embedded = fixture.call("embed run --images photos --out features").finished();
    assert_eq!(embedded.err.matches("note: left out ").count(), 2, "{embedded:?}");
    let names = fs::read_to_string(fixture.path("features/names.csv")).unwrap();
    assert!(names.contains("0,cats/00.png,0,cats") && names.lines().count() == 41, "{names}");
    // A header of 128 bytes, then a row of 8 values of 4 bytes an image.
    let layer = fs::metadata(fixture.path("features/layer1.npy")).unwrap().len();
    assert_eq!(layer, 128 + 40 * 8 * 4);

    assert_says(&fixture.refused(TRAIN), "folder of the run: expected a new", "run");
    // A run goes on with what it began with.
    fs::copy(fixture.path("photos/cats/00.png"), fixture.path("photos/cats/new.png")).unwrap();
    let refused = fixture.refused("resume run");
    assert_says(&refused, "photographs: expected the 41 files that the run began", "got 42 of ");
    // Another picture of the same size under the same name is noticed as well.
    fs::remove_file(fixture.path("photos/cats/new.png")).unwrap();
    let same = fixture.path("photos/cats/02.bmp");
    let bytes = fs::read(&same).unwrap().into_iter().enumerate();
    let dark: Vec<u8> = bytes.map(|(at, byte)| if at < 200 { byte } else { byte / 2 }).collect();
    fs::write(&same, dark).unwrap();
    assert_says(&fixture.refused("resume run"), "resume: expected the data", "photos");
}

#[test]
fn a_folder_of_one_class_is_learnt_from_and_not_read_out() {
    let fixture = Fixture::new();
    let called = fixture
        .call("train -i photos/cats -p smoke -o run --set batch=8 --set images=16")
        .finished();
    assert!(called.out.contains("evaluated on: nothing"), "{called:?}");
    assert!(called.err.contains("note: without labels, so that nothing is read out"), "{called:?}");
    let refused =
        fixture.refused("train -i photos/cats -p smoke -m softhebb -o run2 --set batch=30");
    assert_says(&refused, "data: expected at least 30 images for one batch", "own photographs in");
}

#[test]
fn a_printed_configuration_is_read_again() {
    let fixture = Fixture::new();
    let printed = fixture
        .call("train -i photos -p smoke -m clapp -s 4,5 --set optimizer.rate=0.25 --print-config")
        .finished()
        .out;
    assert!(printed.contains("rate = 0.25") && printed.contains("seeds = [4, 5]"), "{printed}");
    fs::write(fixture.path("mine.toml"), &printed).unwrap();
    assert_eq!(fixture.call("train -c mine.toml --print-config").finished().out, printed);
    // A part of one is laid onto the preset; options and settings go before it.
    fs::write(fixture.path("part.toml"), "images = 32\nmethod = \"gim\"\nseeds = [7]\n").unwrap();
    let part = fixture.call("train -p smoke -c part.toml -s 8 --set images=48 --print-config").out;
    for text in ["method = \"gim\"", "images = 48", "seeds = [8]"] {
        assert!(part.contains(text), "expected {text} in {part}");
    }
    // A run's folder is a configuration.
    fixture.call("train -p smoke -m gim --set images=32 -o run -q").finished();
    let config = fs::read_to_string(fixture.path("run/config.json")).unwrap();
    let again = fixture.call("train -c run --print-config --json").finished().out;
    let tree = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(tree(&again), tree(&config));
    let refused = fixture.refused("train -c run --method gim -o other");
    assert_says(&refused, "--method: expected a part of a configuration", "the file");
}

#[test]
fn the_nearest_name_is_named() {
    let fixture = Fixture::new();
    for (arguments, what, nearest) in [
        ("-m clap-s", "method", "clapp-s"),
        ("-p quik", "preset", "quick"),
        ("--set bacth=3", "setting", "batch"),
        ("--set optimizer.rte=1", "setting", "optimizer.rate"),
        ("--set data.tests=1", "setting", "data.test"),
        ("-c part.toml", "setting", "readout.few"),
    ] {
        fs::write(fixture.path("part.toml"), "[readout]\nfew_ = 3\n").unwrap();
        let refused = fixture.refused(&format!("train {arguments} -o run"));
        assert_says(
            &refused,
            &format!("{what}: expected one of "),
            &format!("nearest to {nearest};"),
        );
    }
    // Settings that are not written as long as they have their default are no unknown ones.
    let cosine = fixture.call("train --set schedule=cosine --print-config").finished().out;
    assert!(cosine.contains("schedule = \"cosine\""), "{cosine}");
    fixture.call("train --set rates=[] --print-config").finished();
    let refused = fixture.refused("train --set images=many -o run");
    assert_says(&refused, "configuration: expected settings that fit together", "images");
    // What is no name stays in the file's part, and is refused there.
    fs::write(fixture.path("part.toml"), "method = 3\n").unwrap();
    let refused = fixture.refused("train -c part.toml -o run");
    assert_says(&refused, "configuration: expected settings that fit together", "method");
}

#[test]
fn bad_input_is_named_and_writes_nothing() {
    let fixture = Fixture::new();
    for (folder, file) in [("empty", ""), ("texts", "a.txt"), ("list", "labels.csv")] {
        fs::create_dir(fixture.path(folder)).unwrap();
        if !file.is_empty() {
            fs::write(fixture.path(folder).join(file), "gone.png,cat\n").unwrap();
        }
    }
    fs::create_dir(fixture.path("one")).unwrap();
    for folder in ["one", "list"] {
        fs::copy(fixture.path("photos/cats/00.png"), fixture.path(folder).join("1.png")).unwrap();
    }
    for (folder, what) in [
        ("absent", "photographs: expected a folder, got none"),
        ("empty", "photographs: expected files with images"),
        ("texts", "photographs: expected files with images"),
        ("one", "data: expected at least 16 images for one batch, got 1"),
        ("list", "labels.csv: expected names of images in the folder, got 1 that are none"),
    ] {
        let refused = fixture.refused(&format!("train -p smoke -i {folder} -o run"));
        assert_says(&refused, what, folder);
    }
    assert_says(&fixture.refused("resume photos"), "run: expected config.json", "photos");
    assert_says(&fixture.refused("info photos"), "run: expected config.json", "photos");
}

#[test]
fn a_command_line_that_is_not_understood_has_a_code_of_its_own() {
    let fixture = Fixture::new();
    for arguments in ["", "trayn", "train --imagez photos", "train -i photos --stl10 photos"] {
        assert_eq!(fixture.call(arguments).code, 2, "{arguments}");
    }
    // Options that would have no effect.
    for arguments in
        ["--any-size", "--split 2", "--layout folders", "--part dev-clean", "--skip-bad"]
    {
        let called = fixture.call(&format!("train {arguments}"));
        assert!(called.code == 2 && called.err.contains("required"), "{arguments}: {called:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_output_ends_quietly_and_a_full_one_is_an_error() {
    let fixture = Fixture::new();
    let shell = |line: &str| {
        let line = line.replace("clapp ", &format!("{} ", env!("CARGO_BIN_EXE_clapp")));
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", &line]).current_dir(fixture.root.path());
        Called::of(&command.output().unwrap(), &line)
    };
    let train = "clapp train -i photos -p smoke --set images=32";
    for command in
        ["clapp list", "clapp completions bash", "clapp man train", "clapp --help", train]
    {
        let closed = shell(&format!("{command} 2>error | head -1"));
        assert_eq!((closed.code, closed.err.as_str()), (0, ""), "{command}: {closed:?}");
        let full = shell(&format!("{command} > /dev/full"));
        let error = full.err.lines().last().unwrap_or_default().trim_start_matches("error: ");
        assert_eq!(full.code, 1, "{command}: {full:?}");
        assert_says(error, "standard output: expected", "make room");
    }
    for others in ["2>&1 | true", "2>/dev/full >/dev/null", "<&- >/dev/null 2>&-"] {
        let called = shell(&format!("{train} {others}"));
        assert_eq!((called.code, called.err.as_str()), (0, ""), "{others}: {called:?}");
    }
}

#[test]
fn methods_are_compared_and_each_is_repeated_by_its_command() {
    let fixture = Fixture::new();
    let compare = "compare -i photos -p smoke -m clapp-s,gim -s 2 --samples 32 -o both -q";
    let called = fixture.call(compare).finished();
    assert!(called.out.contains("| clapp-s |") && called.out.contains("| gim |"), "{called:?}");
    assert!(called.out.contains("clapp train --config "), "{called:?}");
    assert_eq!(fixture.call(compare).finished().out, called.out, "nothing is run twice");
    fixture.call("train --config both/smoke-gim -o again -q").finished();
    for file in ["metrics.jsonl", "table.json"] {
        let of = |run: &str| fs::read(fixture.path(run).join(file)).unwrap();
        assert!(of("again") == of("both/smoke-gim"), "expected the same {file}");
    }
    let refused = fixture.refused("compare -p smoke -m clapp-s,clap -o other");
    assert_says(&refused, "method", "\"clap\"");
}

#[test]
fn a_folder_of_recordings_is_learnt_from_and_what_is_left_out_is_named() {
    // Beside the sound an index of it is kept.
    let (fixture, sound) = (Fixture::new(), tempfile::tempdir().unwrap());
    for talker in 0..9_u16 {
        let pitch = |i: u16| 0.05 * f32::from(1 + (i / 2_560 + talker) % 4);
        let tone = |i: u16| (6_000.0 * (f32::from(i) * pitch(i)).sin()) as i16;
        let (samples, rate) = if talker == 8 { (4_000, 8_000) } else { (20_880, 16_000) };
        let samples: Vec<i16> = (0..samples).map(tone).collect();
        let folder = sound.path().join(format!("t{talker}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.wav"), clapp_testing::wav(&samples, rate, 1)).unwrap();
    }
    let place = sound.path().display();
    let train = format!("train --sounds {place} --part folder -p smoke --set crops=16 -o run");
    assert_says(&fixture.refused(&train), "sample rate", "t8/a.wav");
    let called = fixture.call(&format!("{train} --skip-bad -q")).finished();
    assert!(called.out.contains("evaluated on: nothing"), "{called:?}");
    for note in ["nothing is read out, because there are no labels", "1 left out of "] {
        assert!(called.err.contains(&format!("note: {note}")), "{called:?}");
    }
}

#[test]
fn what_cannot_work_here_is_refused_or_bounded_with_a_word() {
    let fixture = Fixture::new();
    for name in ["a/1.avi", "a/2.avi", "b/1.avi", "b/2.avi"] {
        let path = fixture.path("videos").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "no video").unwrap();
    }
    let videos = "train -p smoke --videos videos --layout folders";
    for arguments in [videos, &format!("{videos} --skip-bad")] {
        let called = fixture.command(arguments).env("PATH", "").output().unwrap();
        let called = Called::of(&called, arguments);
        assert!(called.code == 1 && called.err.contains("install ffmpeg"), "{called:?}");
    }
    let refused = fixture.refused("train -p smoke --embedded moving-scenes --set batch=1");
    assert_says(&refused, "rule: expected at least 2 samples in a batch", "got 1");
    let many =
        fixture.call("train -i photos -p smoke --set images=32 --threads 100000 -q").finished();
    assert!(many.err.contains("in place of 100000, 32 for each core"), "{many:?}");
    let odd = fixture.command("train -p smoke").env("CLAPP_ISA", "bogus").output().unwrap();
    let odd = Called::of(&odd, "CLAPP_ISA");
    assert!(odd.code != 0 && odd.err.contains("got \"bogus\" in CLAPP_ISA"), "{odd:?}");
}
