//! Features and weights out of a run: `clapp embed`, `clapp export`, `clapp probe`.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clapp::{
    Data, Encoder, Images, Run, RunConfig, RunEnd, Sense, Sound, Video,
    encoder::Encodes,
    encoders::NormOrder,
    image::DataConfig,
    preset,
    run::{Observer, Silent, StepMetrics},
    sound, video,
};
use clapp_testing::assert_says;
use ndarray::{Array1, Array2, Axis, Slice};
use ndarray_npy::read_npy;

const TEST: usize = 20;

/// Settings of a run of a second.
fn small(method: &str, seeds: &[u64]) -> RunConfig<Images> {
    let mut config = preset("smoke", method, &Images::Synthetic, seeds).unwrap();
    config.setup.data = DataConfig::Synthetic { unlabelled: 48, train: 40, test: TEST };
    (config.batch, config.setup.images) = (8, 96);
    config.setup.readout.protocols = vec![clapp::eval::Protocol::Standardised];
    (config.setup.readout.few, config.setup.readout.few_draws) = (2, 1);
    config
}

/// A finished run, its folder.
fn finished(root: &Path, method: &str, seeds: &[u64]) -> PathBuf {
    let mut run = Run::create(root, small(method, seeds)).unwrap();
    let end = run.execute(&clapp::device("flex").unwrap(), &mut Silent).unwrap();
    assert!(matches!(end, RunEnd::Finished(_)));
    run.path().to_owned()
}

fn clapp(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_clapp")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn done(arguments: &[&str]) -> String {
    let (success, out, err) = clapp(arguments);
    assert!(success, "{arguments:?}: {out}{err}");
    out
}

fn refused(arguments: &[&str], what: &str, place: &str) {
    let (success, _, err) = clapp(arguments);
    assert!(!success, "{arguments:?}: expected a failure");
    assert_says(err.trim().strip_prefix("error: ").unwrap(), what, place);
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    entries.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A batch: values and shape.
type Values = (Vec<f32>, Vec<usize>);

/// The library's features of a part of the run's test samples, layer by layer, and these as the encoder takes them.
fn of_library<S: Encodes>(run: &Path, seed: u64) -> (Vec<Array2<f32>>, Vec<Values>) {
    let encoder = Encoder::<S>::load_seed(run, seed, &clapp::device("flex").unwrap()).unwrap();
    assert_eq!(encoder.seed(), seed);
    let [_, test] = Data::open(encoder.config(), seed).unwrap().labelled.unwrap();
    let (mut layers, mut inputs) = (Vec::<Array2<f32>>::new(), Vec::new());
    for batch in encoder.loader(test).unwrap().epoch(0).unwrap() {
        let batch = batch.unwrap();
        for (layer, rows) in encoder.features(&batch).into_iter().enumerate() {
            match layers.get_mut(layer) {
                Some(all) => all.append(Axis(0), rows.view()).unwrap(),
                None => layers.push(rows),
            }
        }
        inputs.push((batch.values, batch.shape.as_ref().to_vec()));
    }
    (layers, inputs)
}

/// Stops after three steps.
struct Steps;

impl Observer for Steps {
    fn step(&mut self, _: u64, metrics: &StepMetrics) -> bool {
        metrics.step < 3
    }
}

/// A run that was stopped, its folder.
fn begun<S: Sense>(root: &Path, config: RunConfig<S>) -> PathBuf {
    let mut run = Run::create(root, config).unwrap();
    let end = run.execute(&clapp::device("flex").unwrap(), &mut Steps).unwrap();
    assert!(matches!(end, RunEnd::Stopped { .. }));
    run.path().to_owned()
}

fn talkers(method: &str) -> RunConfig<Sound> {
    let mut config = preset("smoke", method, &Sound::Synthetic, &[2]).unwrap();
    config.setup.data =
        sound::DataConfig::Synthetic { unlabelled: 64, train: 8, test: 3, noise: 10 };
    config
}

fn scenes_that_move() -> RunConfig<Video> {
    let mut config = preset("smoke", "clapp-s", &Video::MovingScenes, &[2]).unwrap();
    if let video::DataConfig::MovingScenes { test, .. } = &mut config.setup.data {
        *test = 5;
    }
    config
}

#[test]
fn embed_writes_what_the_library_makes_and_the_same_bytes_again() {
    let root = tempfile::tempdir().unwrap();
    let run = finished(root.path(), "clapp-s", &[2, 3]);
    let out = root.path().join("features");
    let arguments = ["embed", text(&run), "--out", text(&out)];
    assert!(done(&arguments).contains("20 images of synthetic scenes at step 24"));
    let (expected, _) = of_library::<Images>(&run, 3);
    for (layer, rows) in expected.iter().enumerate() {
        let file = out.join(format!("layer{}.npy", layer + 1));
        assert_eq!(read_npy::<_, Array2<f32>>(file).unwrap(), rows);
    }
    let before = files(&out);
    assert_eq!(before.len(), expected.len() + 3);
    let names = String::from_utf8(before["names.csv"].clone()).unwrap();
    assert_eq!(names.lines().count(), TEST + 1);
    assert!(names.starts_with("row,name,label,class\n0,0,"), "{names}");
    let about: serde_json::Value = serde_json::from_slice(&before["embed.json"]).unwrap();
    assert_eq!((about["step"].as_u64(), about["seed"].as_u64()), (Some(24), Some(3)));
    assert_eq!(about["run_digest"].as_str().map(str::len), Some(64));

    refused(&arguments, "write folder", text(&out));
    done(&[&arguments[..], &["--overwrite"]].concat());
    let mut again = files(&out);
    again.insert("embed.json".to_owned(), before["embed.json"].clone()); // the command differs
    assert!(again == before, "expected the same bytes");
    fs::write(out.join("mine.txt"), "1").unwrap();
    refused(&[&arguments[..], &["--overwrite"]].concat(), "write folder", "mine.txt");
    refused(
        &["embed", text(root.path()), "--out", text(&root.path().join("x"))],
        "run",
        "config.json",
    );
    assert!(!root.path().join("x").exists());

    let first = root.path().join("first");
    done(&["embed", text(&run), "--seed", "2", "--part", "train", "--out", text(&first)]);
    let rows: Array2<f32> = read_npy(first.join("layer6.npy")).unwrap();
    assert_eq!(rows.nrows(), 40);
    refused(
        &["embed", text(&run), "--seed", "5", "--out", text(&root.path().join("y"))],
        "checkpoint",
        "seed 5",
    );
}

#[test]
fn probe_prints_the_table_of_the_run_and_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let run = finished(root.path(), "softhebb", &[2]);
    let before = files(&run.join("checkpoints/step-000000012"));
    let table = fs::read_to_string(run.join("table.txt")).unwrap();
    assert_eq!(done(&["probe", text(&run)]).trim(), table.trim());
    assert_ne!(done(&["probe", text(&run), "--protocols", "knn"]).trim(), table.trim());
    assert_eq!(fs::read_to_string(run.join("table.txt")).unwrap(), table);
    assert!(files(&run.join("checkpoints/step-000000012")) == before);
    refused(&["probe", text(&run), "--protocols", "block"], "configuration", "images");
}

/// An interpreter with PyTorch, or a skip.
fn python() -> Option<String> {
    let python = std::env::var("CLAPP_TORCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let modules = "import torch, numpy, safetensors.torch";
    let found = Command::new(&python).args(["-c", modules]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        clapp_testing::skip("CLAPP_TORCH_PYTHON names no Python with torch and safetensors");
        return None;
    }
    Some(python)
}

/// Largest difference of two layers, by the largest feature: sums of some thousand terms in another order.
const TOLERANCE: f64 = 1e-5;

#[test]
fn exported_weights_make_the_same_features_in_pytorch() {
    let Some(python) = python() else { return };
    for method in ["clapp-s", "softhebb", "clapp-pp"] {
        agrees(&python, method, small(method, &[2]), &[]);
    }
    for method in ["clapp-s", "clapp-s-no-gru"] {
        agrees(&python, method, talkers(method), &["--frames"]);
    }
    let mut config = scenes_that_move();
    agrees(&python, "after ReLU", config.clone(), &[]);
    config.setup.encoder.order = NormOrder::BeforeRelu;
    agrees(&python, "before ReLU", config, &[]);
}

const COMPARE: &str = "import json, numpy, torch, weights
layers = {}
for k, shape in enumerate(json.load(open('shapes'))):
    batch = torch.from_numpy(numpy.fromfile(f'input{k}', dtype='<f4')).reshape(shape)
    for n, rows in enumerate(weights.features(batch)):
        layers.setdefault(n, []).append(rows.reshape(-1, rows.shape[-1]).numpy())
for n, theirs in layers.items():
    ours, theirs = numpy.load(f'features/layer{n + 1}.npy'), numpy.concatenate(theirs)
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    print(abs(ours - theirs).max() / abs(ours).max())
";

/// Features of exported weights are those of `clapp embed`, with these options.
fn agrees<S: Encodes>(python: &str, name: &str, config: RunConfig<S>, options: &[&str]) {
    let root = tempfile::tempdir().unwrap();
    let run = begun(root.path(), config);
    let (expected, inputs) = of_library::<S>(&run, 2);
    let weights = root.path().join("weights.safetensors");
    done(&["export", text(&run), "--out", text(&weights)]);
    refused(&["export", text(&run), "--out", text(&weights)], "export", text(&weights));
    let features = root.path().join("features");
    done(&[&["embed", text(&run), "--out", text(&features)][..], options].concat());
    let shapes: Vec<_> = inputs.iter().map(|(_, shape)| shape).collect();
    fs::write(root.path().join("shapes"), serde_json::to_string(&shapes).unwrap()).unwrap();
    for (k, (values, _)) in inputs.iter().enumerate() {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        fs::write(root.path().join(format!("input{k}")), bytes).unwrap();
    }
    let mut command = Command::new(python);
    let output = command.args(["-c", COMPARE]).current_dir(root.path()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let found: Vec<f64> = printed.lines().map(|line| line.parse().unwrap()).collect();
    println!("{name}: {found:?}");
    assert_eq!(found.len(), expected.len(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(found.iter().all(|&layer| layer < TOLERANCE), "{name}: {found:?}");
}

#[test]
fn a_recording_has_a_row_or_one_for_every_frame_and_a_clip_has_a_row() {
    let root = tempfile::tempdir().unwrap();
    let run = begun(root.path(), talkers("clapp-s"));
    let (expected, _) = of_library::<Sound>(&run, 2);
    let [means, frames] = ["means", "frames"].map(|name| root.path().join(name));
    let read = |folder: &Path, layer: usize| -> Array2<f32> {
        read_npy(folder.join(format!("layer{layer}.npy"))).unwrap()
    };
    done(&["embed", text(&run), "--out", text(&means)]);
    done(&["embed", text(&run), "--out", text(&frames), "--frames"]);
    let names = fs::read_to_string(frames.join("names.csv")).unwrap();
    let each: Vec<usize> = names
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(each.len(), 3, "{names}");
    for (layer, rows) in expected.iter().enumerate() {
        assert_eq!(read(&frames, layer + 1), rows);
        let first = rows.slice_axis(Axis(0), Slice::from(..each[0]));
        let means = read(&means, layer + 1);
        assert_eq!(means.dim(), (3, rows.ncols()));
        assert_eq!(means.row(0), first.mean_axis(Axis(0)).unwrap());
    }
    refused(&["embed", text(&run), "--out", "x", "--stl10", "y"], "embed", "--sounds");

    let run = begun(root.path(), scenes_that_move());
    let (expected, _) = of_library::<Video>(&run, 2);
    let out = root.path().join("clips");
    done(&["embed", text(&run), "--out", text(&out)]);
    for (layer, rows) in expected.iter().enumerate() {
        assert_eq!((rows.nrows(), &read(&out, layer + 1)), (5, rows));
    }
    assert_eq!(read_npy::<_, Array1<i64>>(out.join("labels.npy")).unwrap().len(), 5);
    refused(&["embed", text(&run), "--out", "x", "--frames"], "embed", "no --frames");
}
