//! The authors' weights as a run: files that PyTorch wrote (`checkpoints/make.py`).

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clapp::{
    Images, Run, RunConfig, RunEnd,
    datasets::Batch,
    image::Encoder,
    run::{Observer, StepMetrics},
    store::Checkpoint,
};
use clapp_testing::assert_says;
use ndarray::Array2;

fn checkpoints() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints")
}

/// The authors' files, those of `other` in their place.
fn import(out: &Path, other: &[(usize, &Path)]) -> Result<(), String> {
    let mut files: Vec<PathBuf> =
        (0..6).map(|module| checkpoints().join(format!("model_{module}_299.ckpt"))).collect();
    other.iter().for_each(|(module, file)| files[*module] = file.to_path_buf());
    import_files(out, &files)
}

fn import_files(out: &Path, files: &[PathBuf]) -> Result<(), String> {
    import_as(out, files, &[])
}

fn import_as(out: &Path, files: &[PathBuf], options: &[&str]) -> Result<(), String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clapp"));
    let data = out.with_file_name("data");
    command.arg("import").args(files).arg("--out").arg(out).arg("--stl10").arg(data);
    let output = command.arg("--any-size").args(options).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    if output.status.success() { Ok(()) } else { Err(error) }
}

fn refused(result: Result<(), String>, expected: &str, got: &str) {
    let error = result.unwrap_err();
    let text = error.trim().strip_prefix("error: ").unwrap();
    assert_says(text, &format!("import: expected {expected}"), got);
}

#[test]
fn imported_layers_make_the_features_that_pytorch_makes() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    import(&run, &[]).unwrap();
    let image = |b: f32, y: f32, x: f32| {
        (0.05 * y + 0.11 * x + b).sin() + 0.5 * (0.21 * y * (b + 1.0) - 0.07 * x).cos()
    };
    let pixel = |i: usize| image((i / 4096) as f32, (i / 64 % 64) as f32, (i % 64) as f32);
    let values = (0..2 * 4096).map(pixel).collect();
    let batch = Batch { values, shape: [2, 1, 64, 64], labels: vec![None; 2], indices: vec![0, 1] };
    assert_features(&run, &batch, &expected("features.json"));
    // W_pred is the transpose of what the authors store.
    let checkpoint = Checkpoint::load_newest(&run).unwrap().unwrap();
    let w = checkpoint.values::<f32>("layer2.w_pred", &[5, 4, 4]).unwrap();
    for (i, w) in w.iter().enumerate() {
        let (k, z, c) = (i / 16, i / 4 % 4, i % 4);
        let theirs = (0.1 * (c * 4 + z) as f32 + k as f32).cos() / 8.0;
        // Cosines of two libraries in single precision.
        assert!((w - theirs).abs() < 1e-6, "{k} {z} {c}: {w} {theirs}");
    }
}

/// What PyTorch made of the images.
fn expected(file: &str) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(checkpoints().join(file)).unwrap()).unwrap()
}

/// The features of a run's layers, which are those of PyTorch.
fn assert_features(run: &Path, batch: &Batch, expected: &serde_json::Value) -> Vec<Array2<f32>> {
    let encoder = Encoder::load(run, &clapp::device("flex").unwrap()).unwrap();
    let expected: Vec<Vec<Vec<f32>>> = serde_json::from_value(expected.clone()).unwrap();
    let found = encoder.features(batch);
    assert_eq!(found.len(), expected.len());
    for (layer, (ours, theirs)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(ours.dim(), (theirs.len(), theirs[0].len()), "layer {layer}");
        let largest = theirs.iter().flatten().fold(0.0_f32, |most, value| most.max(value.abs()));
        for (ours, theirs) in ours.iter().zip(theirs.iter().flatten()) {
            // Sums of some thousand terms in another order.
            assert!((ours - theirs).abs() <= 1e-5 * largest, "layer {layer}: {ours} {theirs}");
        }
    }
    found
}

/// Scores zᵀBc of the first image's z and the second's c are those of PyTorch, for all layers.
fn assert_scores(
    run: &Path,
    features: &[Array2<f32>],
    (part, context): (&str, fn(usize) -> usize),
    expected: &serde_json::Value,
) {
    let checkpoint = Checkpoint::load_newest(run).unwrap().unwrap();
    for layer in 0..features.len() {
        let (z, c) = (features[layer].row(0), features[context(layer)].row(1));
        let (name, shape) = (format!("layer{}.{part}", layer + 1), [1, z.len(), c.len()]);
        let b = checkpoint.values::<f32>(&name, &shape).unwrap();
        let b = Array2::from_shape_vec([z.len(), c.len()], b).unwrap();
        let (ours, theirs) = (z.dot(&b.dot(&c)), expected[layer].as_f64().unwrap() as f32);
        // Sums of some thousand terms that partly cancel.
        assert!((ours - theirs).abs() <= 1e-4 * theirs.abs(), "layer {layer}: {ours} {theirs}");
    }
}

#[test]
fn networks_of_two_views_are_taken_whole_or_in_files() {
    let root = tempfile::tempdir().unwrap();
    let pixel = |i: usize| {
        let [b, k, y, x] = [i / 27_648, i / 9_216 % 3, i / 96 % 96, i % 96].map(|i| i as f32);
        (0.05 * y + 0.11 * x + b + k).sin() + 0.5 * (0.21 * y * (b + 1.0) - 0.07 * x).cos()
    };
    let values = (0..2 * 27_648).map(pixel).collect();
    let batch = Batch { values, shape: [2, 3, 96, 96], labels: vec![None; 2], indices: vec![0, 1] };
    let views = checkpoints().join("views");
    let expected = expected("views/features.json");
    let mut files: Vec<_> = (0..6).map(|n| views.join(format!("model_{n}_9.ckpt"))).collect();
    let none = import_files(&root.path().join("none"), &files);
    refused(none, "loss.W_k.0.weight", "none");
    files.push(views.join("loss_9.ckpt"));

    let dfb = root.path().join("dfb");
    import_files(&dfb, &files).unwrap();
    let features = assert_features(&dfb, &batch, &expected["features"]);
    assert_scores(&dfb, &features, ("b", |_| 5), &expected["scores"]["feedback"]);

    let both = root.path().join("both");
    import_files(&both, &[views.join("network.ckpt")]).unwrap();
    let features = assert_features(&both, &batch, &expected["features"]);
    assert_scores(&both, &features, ("b", |_| 5), &expected["scores"]["feedback"]);
    assert_scores(&both, &features, ("second.b", |layer| layer), &expected["scores"]["lateral"]);
    let methods = [&dfb, &both].map(|run| RunConfig::<Images>::load(run).unwrap().method);
    assert_eq!(methods, ["dfb", "both"]);
}

struct OneStep;

impl Observer for OneStep {
    fn step(&mut self, _: u64, _: &StepMetrics) -> bool {
        false
    }
}

#[test]
fn an_imported_run_is_read_out_and_learns_on() {
    let root = tempfile::tempdir().unwrap();
    let (run, data) = (root.path().join("run"), root.path().join("data"));
    import(&run, &[]).unwrap();
    fs::create_dir(&data).unwrap();
    let image = 3 * 96 * 96;
    let pixels = |count: usize| -> Vec<u8> {
        (0..count * image).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    };
    for (name, count) in [("unlabeled", 32_u8), ("train", 100), ("test", 10)] {
        fs::write(data.join(format!("{name}_X.bin")), pixels(count.into())).unwrap();
        let labels: Vec<u8> = (0..count).map(|i| i % 10 + 1).collect();
        fs::write(data.join(format!("{name}_y.bin")), labels).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_clapp"));
    let output = command.arg("probe").arg(&run).args(["--protocols", "standardised", "--few", "2"]);
    let output = output.output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("clapp-s") && table.contains("random encoder"), "{table}");

    let device = clapp::device("flex").unwrap();
    let end = Run::<Images>::resume(&run).unwrap().execute(&device, &mut OneStep).unwrap();
    assert!(matches!(end, RunEnd::Stopped { step: 1 }));
    assert_eq!(Encoder::load(&run, &device).unwrap().step(), 1);
}

#[test]
fn what_the_authors_did_not_write_is_refused_and_nothing_is_made() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let source = |module: usize| checkpoints().join(format!("model_{module}_299.ckpt"));
    let copy = |module: usize, name: &str| {
        let file = root.path().join(name);
        fs::copy(source(module), &file).unwrap();
        file
    };
    let code = checkpoints().join("code.ckpt");
    refused(import(&out, &[(5, &code)]), "a dictionary of tensors", "system under \"extra\"");
    assert!(!Path::new("executed").exists());

    let half = copy(0, "model_0_1.ckpt");
    let bytes = fs::read(&half).unwrap();
    fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
    refused(import(&out, &[(0, &half)]), "what torch.save wrote", half.to_str().unwrap());
    fs::write(&half, "not a checkpoint").unwrap();
    refused(import(&out, &[(0, &half)]), "what torch.save wrote", half.to_str().unwrap());
    refused(
        import(&out, &[(0, &root.path().join("model_0_2.ckpt"))]),
        "what torch.save wrote",
        "model_0_2",
    );

    let wrong = copy(1, "model_2_3.ckpt"); // two channels come in, not four
    refused(
        import(&out, &[(2, &wrong)]),
        "encoder.2.model.0.weight of shape [4, 4, 3, 3]",
        "[4, 2, 3, 3]",
    );
    let named = copy(3, "third.ckpt");
    refused(import(&out, &[(3, &named)]), "a name such as model_0_299.ckpt", "third.ckpt");
    refused(import(&out, &[(3, &source(2))]), "a file for each module", "two of one number");
    refused(import_files(&out, &[source(0), source(1)]), "the modules 0 to 5", "[0, 1]");
    let all: Vec<PathBuf> = (0..6).map(source).collect();
    let error = import_as(&out, &all, &["--method", "clapp-pp"]).unwrap_err();
    let text = error.trim().strip_prefix("error: ").unwrap();
    assert_says(text, "--method: expected a method that predicts patches", "clapp-pp");
    assert!(!out.exists());

    fs::create_dir(&out).unwrap();
    fs::write(out.join("mine.txt"), "1").unwrap();
    let error = import(&out, &[]).unwrap_err();
    assert!(error.contains("expected nothing or an empty folder, got mine.txt"), "{error}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
}
