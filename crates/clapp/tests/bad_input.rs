//! Damaged data, folders and settings: the error says what was expected, what was found, where, and
//! what to do; no file changes.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use clapp::{
    Error, Images, Run, RunConfig, RunEnd,
    image::{DataConfig, SizesConfig},
    rules::Optimizer,
    run::Silent,
    store::{self, Checkpoint},
};
use common::{
    IMAGE, assert_same, assert_says, execute, files, finished, results, stopped, tiny, tiny_stl10,
    write_stl10,
};

/// Images in STL-10's layout and a run on them that was killed after step 7: its newest checkpoint
/// is of step 5, its metrics go on after that.
struct Killed {
    root: tempfile::TempDir,
    run: PathBuf,
}

impl Killed {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        fs::create_dir(&data).unwrap();
        write_stl10(&data);
        let run = stopped(root.path(), &tiny_stl10(&data), 7);
        fs::remove_dir_all(run.join("checkpoints/step-000000007")).unwrap();
        Self { root, run }
    }

    fn data(&self, name: &str) -> PathBuf {
        self.root.path().join("data").join(name)
    }

    /// The error of going on; no file of the run or of the data differs after it.
    fn refused(&self, place: &Path, what: &str) -> String {
        let before = files(self.root.path());
        let text = common::resume::<Images>(&self.run).unwrap_err().to_string();
        assert_says(&text, what, &place.to_string_lossy());
        assert_same(&files(self.root.path()), &before, &text);
        text
    }
}

/// Counts steps.
struct Steps(u64);

impl clapp::run::Observer for Steps {
    fn step(&mut self, _: u64, _: &clapp::run::StepMetrics) -> bool {
        self.0 += 1;
        true
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_place_without_room_for_a_checkpoint_is_found_before_the_first_step() {
    let root = tempfile::tempdir().unwrap();
    let mut run = Run::create(root.path(), tiny("clapp", &[2])).unwrap();
    // A file system that takes nothing, whoever asks.
    let place = run.path().join("checkpoints");
    std::os::unix::fs::symlink("/proc/self/fdinfo", &place).unwrap();
    let mut steps = Steps(0);
    let text = run.execute(&clapp::device("flex").unwrap(), &mut steps).unwrap_err().to_string();
    assert_says(&text, "save checkpoint", &place.display().to_string());
    assert_eq!(steps.0, 0);
    assert!(!run.path().join("metrics.jsonl").exists());
}

#[test]
fn data_that_were_exchanged_for_others_of_equal_size_are_noticed() {
    let killed = Killed::new();
    for name in ["unlabeled_X.bin", "train_X.bin", "test_X.bin", "train_y.bin"] {
        let path = killed.data(name);
        let sound = fs::read(&path).unwrap();
        let mut others = sound.clone();
        let middle = others.len() / 2;
        others[middle] = if others[middle] == 2 { 3 } else { 2 };
        fs::write(&path, &others).unwrap();
        let text = killed.refused(Path::new("images in STL-10's layout"), "resume");
        assert!(text.contains("expected the data that the run began with"), "{name}: {text}");
        fs::write(&path, sound).unwrap();
    }
    assert!(matches!(common::resume::<Images>(&killed.run).unwrap(), RunEnd::Finished(_)));
}

#[test]
fn a_run_on_sound_files_goes_on() {
    let killed = Killed::new();
    assert!(matches!(common::resume::<Images>(&killed.run).unwrap(), RunEnd::Finished(_)));
}

#[test]
fn an_empty_truncated_or_oversized_file_is_reported_with_both_sizes() {
    let killed = Killed::new();
    for (name, images, record) in
        [("unlabeled_X.bin", 16, IMAGE), ("train_X.bin", 20, IMAGE), ("test_X.bin", 10, IMAGE)]
    {
        let path = killed.data(name);
        let sound = fs::read(&path).unwrap();
        for size in [0, images * record - 1, images * record + 1] {
            fs::File::options().write(true).open(&path).unwrap().set_len(size as u64).unwrap();
            let text = killed.refused(&path, "stl10");
            assert!(text.contains(&record.to_string()), "{text}");
            assert!(text.contains(&format!("got {size} ")), "{text}");
        }
        fs::write(&path, sound).unwrap();
    }
}

#[test]
fn more_or_fewer_labels_than_images_are_reported() {
    for size in [0, 19, 21] {
        let killed = Killed::new();
        let path = killed.data("train_y.bin");
        fs::write(&path, vec![1; size]).unwrap();
        killed.refused(&path, "stl10");
    }
}

#[test]
fn a_file_of_another_than_the_official_size_is_refused_unless_asked_for() {
    let root = tempfile::tempdir().unwrap();
    write_stl10(root.path());
    let mut config = tiny_stl10(root.path());
    config.setup.data =
        DataConfig::Stl10 { root: root.path().to_owned(), sizes: SizesConfig::Official };
    let path = root.path().join("unlabeled_X.bin");
    let official = 100_000 * IMAGE as u64;
    // One image too many takes no room on the disk: the file has holes.
    for size in [16 * IMAGE as u64, official + IMAGE as u64] {
        fs::File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
        let runs = tempfile::tempdir().unwrap();
        let text = Run::create(runs.path(), config.clone()).unwrap_err().to_string();
        assert!(files(runs.path()).is_empty(), "no run folder for data that cannot be used");
        assert_says(&text, "stl10", &path.to_string_lossy());
        assert!(text.contains(&format!("expected {official} bytes, got {size} ")), "{text}");
    }
}

#[test]
fn a_missing_folder_or_file_is_named() {
    let killed = Killed::new();
    fs::remove_file(killed.data("test_y.bin")).unwrap();
    let text = killed.refused(&killed.data(""), "stl10");
    assert!(text.contains("expected file test_y.bin"), "{text}");
    fs::rename(killed.data(""), killed.root.path().join("elsewhere")).unwrap();
    killed.refused(&killed.data(""), "stl10");
}

#[test]
fn a_label_outside_1_to_10_is_reported_with_its_image() {
    let killed = Killed::new();
    let path = killed.data("train_y.bin");
    let sound = fs::read(&path).unwrap();
    for label in [0, 11] {
        let mut labels = sound.clone();
        labels[13] = label;
        fs::write(&path, labels).unwrap();
        let text = killed.refused(&path, "stl10");
        assert!(text.contains(&format!("got {label} at image 13")), "{text}");
    }
}

#[test]
fn fewer_images_than_a_batch_are_reported() {
    let killed = Killed::new();
    let path = killed.data("unlabeled_X.bin");
    fs::File::options().write(true).open(&path).unwrap().set_len(7 * IMAGE as u64).unwrap();
    let text = killed.refused(Path::new("images in STL-10's layout"), "data");
    assert!(text.contains("at least 8 images") && text.contains("got 7"), "{text}");
}

#[test]
fn a_checkpoint_with_a_flipped_byte_is_refused_by_name_and_the_intact_one_is_named() {
    let root = tempfile::tempdir().unwrap();
    let expected = results(&finished(root.path(), &tiny("clapp-s", &[2])));
    let run = stopped(root.path(), &tiny("clapp-s", &[2]), 7);
    let [older, newest] = [5, 7].map(|step| run.join(format!("checkpoints/step-{step:09}")));
    for (file, place) in [("state.safetensors", 50_000), ("manifest.json", 300)] {
        let path = newest.join(file);
        let sound = fs::read(&path).unwrap();
        let mut damaged = sound.clone();
        damaged[place] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let before = files(&run);
        let text = common::resume::<Images>(&run).unwrap_err().to_string();
        assert_says(&text, "resume", &path.to_string_lossy());
        assert!(text.contains(&format!("{} is intact", older.display())), "{text}");
        assert_same(&files(&run), &before, &text);
        fs::write(&path, &sound).unwrap();
    }
    // Following the advice leads to the same end.
    fs::write(newest.join("state.safetensors"), "x").unwrap();
    fs::rename(&newest, root.path().join("broken")).unwrap();
    common::resume::<Images>(&run).unwrap();
    assert_same(&results(&run), &expected, "resumed from the older checkpoint");
}

#[test]
fn an_unknown_device_is_answered_with_the_known_ones() {
    let text = clapp::device("abacus").unwrap_err().to_string();
    assert!(text.contains("expected auto, flex") && text.contains("got \"abacus\""), "{text}");
}

#[cfg(not(feature = "wgpu"))]
#[test]
fn a_device_that_was_left_out_says_how_to_build_it() {
    let text = clapp::device("wgpu").unwrap_err().to_string();
    assert!(text.contains("build again with --features wgpu"), "{text}");
}

#[test]
fn settings_that_would_fail_after_hours_fail_at_once() {
    let root = tempfile::tempdir().unwrap();
    let refused = |change: &dyn Fn(&mut RunConfig<Images>)| {
        let mut config = tiny("clapp-s", &[2]);
        change(&mut config);
        Run::create(root.path(), config).unwrap_err().to_string()
    };
    assert!(refused(&|c| c.seeds = vec![2, 3, 2]).contains("got 2 twice in [2, 3, 2]; "));
    assert!(refused(&|c| c.seeds.clear()).contains("expected seeds of at least 1, got 0; "));
    assert!(refused(&|c| c.setup.readout.few = 0).contains("expected few of at least 1, got 0; "));
    assert!(
        refused(&|c| c.setup.rule.over_time_mut().unwrap().negatives.pool = Some(3))
            .contains("batch of 8, got 3; ")
    );
    assert!(refused(&|c| c.setup.pipeline.crop = 24).contains("got 1 and 24 from the pipeline; "));
    assert!(
        refused(&|c| c.setup.readout.cells = vec![3; c.setup.encoder.layers.len()])
            .contains("readout.cells: expected a number that divides a map of ")
    );
    assert!(files(root.path()).is_empty(), "no folder for a run that cannot be");
}

#[test]
fn a_folder_without_a_run_is_refused_and_left_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let text = Run::<Images>::resume(root.path().join("absent")).unwrap_err().to_string();
    assert_says(&text, "open run", "absent");

    // Names that a run would clean up.
    fs::write(root.path().join(".notes.txt.1-0.tmp"), "mine").unwrap();
    let text = Run::<Images>::resume(root.path()).unwrap_err().to_string();
    assert_says(&text, "run", &root.path().to_string_lossy());
    assert!(text.contains("expected config.json"), "{text}");
    let left: Vec<_> = fs::read_dir(root.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [".notes.txt.1-0.tmp"]);
}

#[test]
fn a_second_writer_of_a_run_folder_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = stopped(root.path(), &tiny("clapp-s", &[2]), 7);
    let first = Run::<Images>::resume(&folder).unwrap();
    let before = files(&folder);
    let text = Run::<Images>::resume(&folder).unwrap_err().to_string();
    assert_says(&text, "lock run", &folder.to_string_lossy());
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    assert_same(&files(&folder), &before, &text);
    drop(first);
    assert!(Run::<Images>::resume(&folder).is_ok());
}

#[test]
fn a_configuration_changed_behind_a_checkpoint_is_refused() {
    let killed = Killed::new();
    let path = killed.run.join("config.json");
    let sound = fs::read_to_string(&path).unwrap();
    for (from, to) in [("\"images\": 96", "\"images\": 960"), ("\"rate\": 0.001", "\"rate\": 0.01")]
    {
        assert!(sound.contains(from), "{sound}");
        fs::write(&path, sound.replace(from, to)).unwrap();
        killed.refused(&path, "resume");
    }
    fs::write(&path, &sound[..sound.len() / 2]).unwrap();
    killed.refused(&path, "configuration");
    fs::write(&path, "").unwrap();
    killed.refused(&path, "configuration");
    fs::write(&path, sound).unwrap();
    assert!(common::resume::<Images>(&killed.run).is_ok());
}

#[test]
fn a_loss_that_is_no_number_stops_with_layer_and_step_and_the_last_checkpoint_loads() {
    let root = tempfile::tempdir().unwrap();
    let mut config = tiny("clapp-s", &[2]);
    config.optimizer = Optimizer::Plain { rate: 1e30 };
    config.checkpoint_every = 1;
    let mut run = Run::create(root.path(), config).unwrap();
    let error = execute(&mut run, &mut Silent).unwrap_err();
    let text = error.to_string();
    let Error::NotFinite { layer, step, .. } = error else { panic!("{text}") };
    assert_says(&text, "training", &format!("in layer {layer} at step {step}"));
    assert!(step >= 2, "one step was learnt before: {text}");
    let kept = Checkpoint::load_newest(run.path()).unwrap().unwrap();
    assert_eq!(kept.step, step - 1);
    assert_all_finite(&kept);
    assert!(!run.path().join("table.json").exists());

    // Nor does it get any further when it is resumed.
    let before = files(run.path());
    assert_eq!(execute(&mut run, &mut Silent).unwrap_err().to_string(), text);
    assert_same(&files(run.path()), &before, "resumed before the step that fails");
}

/// The loss is that of the weights before the step: it cannot see what the step does to them.
#[test]
fn weights_that_are_no_numbers_are_never_saved() {
    let root = tempfile::tempdir().unwrap();
    let mut config = tiny("clapp-s", &[2]);
    config.checkpoint_every = 1;
    config.optimizer = Optimizer::Plain { rate: f64::MAX };
    let mut run = Run::create(root.path(), config).unwrap();
    let error = execute(&mut run, &mut Silent).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::NotFiniteState { step: 1, .. }), "{text}");
    assert_says(&text, "training", "in layer1.");
    assert!(text.contains("after step 1; "), "{text}");
    assert!(Checkpoint::load_newest(run.path()).unwrap().is_none());
}

fn assert_all_finite(checkpoint: &Checkpoint) {
    for (name, tensor) in &checkpoint.tensors {
        if tensor.dtype() == store::Dtype::F32 {
            let values = checkpoint.values::<f32>(name, tensor.shape()).unwrap();
            assert!(values.iter().all(|value| value.is_finite()), "{name}");
        }
    }
}

#[test]
fn a_full_disk_keeps_every_checkpoint_and_the_run_goes_on_when_there_is_room() {
    let Some(disk) = clapp_testing::TinyDisk::mount("4m") else { return };
    let root = tempfile::tempdir().unwrap();
    let mut config = tiny("clapp-s", &[2]);
    (config.checkpoint_every, config.checkpoints_kept) = (1, 100);
    let expected = results(&finished(root.path(), &config));

    let mut run = Run::create(disk.path(), config).unwrap();
    let text = execute(&mut run, &mut Silent).unwrap_err().to_string();
    assert_says(&text, "save checkpoint", &run.path().to_string_lossy());
    assert!(text.contains("expected room for at least "), "{text}");
    assert!(text.ends_with("every earlier checkpoint is untouched"), "{text}");
    let kept = Checkpoint::list(run.path()).unwrap();
    assert!(!kept.is_empty());
    for (_, path) in kept {
        Checkpoint::load(path).unwrap();
    }
    disk.resize("64m");
    assert!(matches!(execute(&mut run, &mut Silent).unwrap(), RunEnd::Finished(_)));
    assert_same(&results(run.path()), &expected, "resumed with room on the disk");
}
