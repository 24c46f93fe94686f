//! Features and weights out of a run: `clapp embed`, `clapp export`, `clapp probe`.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use clapp::{
    Images, Run, RunEnd,
    datasets::synthetic::{Part, scenes},
    image::{DataConfig, Encoder},
    preset,
    run::Silent,
};
use clapp_testing::assert_says;
use ndarray::Array2;
use ndarray_npy::read_npy;

const TEST: usize = 20;

/// A finished run of a second, its folder.
fn finished(root: &Path, method: &str, seeds: &[u64]) -> PathBuf {
    let mut config = preset("smoke", method, &Images::Synthetic, seeds).unwrap();
    config.setup.data = DataConfig::Synthetic { unlabelled: 48, train: 40, test: TEST };
    (config.batch, config.setup.images) = (8, 96);
    config.setup.readout.protocols = vec![clapp::eval::Protocol::Standardised];
    (config.setup.readout.few, config.setup.readout.few_draws) = (2, 1);
    let mut run = Run::create(root, config).unwrap();
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

/// The library's features of the run's test images, and these as the encoder takes them.
fn of_library(run: &Path, seed: u64) -> (Vec<Array2<f32>>, Vec<f32>) {
    let encoder = Encoder::load_seed(run, seed, &clapp::device("flex").unwrap()).unwrap();
    assert_eq!(encoder.seed(), seed);
    let images = Arc::new(scenes(seed, Part::Test, TEST).unwrap());
    let batches = encoder.loader(images).unwrap().epoch(0).unwrap();
    let [batch] = &batches.map(Result::unwrap).collect::<Vec<_>>()[..] else {
        panic!("{TEST} images are one batch")
    };
    (encoder.features(batch), batch.values.clone())
}

#[test]
fn embed_writes_what_the_library_makes_and_the_same_bytes_again() {
    let root = tempfile::tempdir().unwrap();
    let run = finished(root.path(), "clapp-s", &[2, 3]);
    let out = root.path().join("features");
    let arguments = ["embed", text(&run), "--out", text(&out)];
    assert!(done(&arguments).contains("20 images of synthetic scenes at step 24"));
    let (expected, _) = of_library(&run, 3);
    for (layer, rows) in expected.iter().enumerate() {
        let file = out.join(format!("layer{}.npy", layer + 1));
        assert_eq!(read_npy::<_, Array2<f32>>(file).unwrap(), rows);
    }
    let before = files(&out);
    assert_eq!(before.len(), expected.len() + 3);
    let names = String::from_utf8(before["names.csv"].clone()).unwrap();
    assert_eq!(names.lines().count(), TEST + 1);
    assert!(names.starts_with("row,name,label\n0,0,"), "{names}");
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
    let compare = "import sys, numpy, torch, weights\n\
        images = torch.from_numpy(numpy.fromfile('images', dtype='<f4')).reshape(20, *map(int, sys.argv[1:]))\n\
        for n, theirs in enumerate(weights.features(images)):\n    \
            ours = numpy.load(f'features/layer{n + 1}.npy')\n    \
            assert ours.shape == tuple(theirs.shape), (ours.shape, theirs.shape)\n    \
            print(abs(ours - theirs.numpy()).max() / abs(ours).max())\n";
    for method in ["clapp-s", "softhebb", "clapp-pp"] {
        let root = tempfile::tempdir().unwrap();
        let run = finished(root.path(), method, &[2]);
        let (expected, images) = of_library(&run, 2);
        let weights = root.path().join("weights.safetensors");
        done(&["export", text(&run), "--out", text(&weights)]);
        refused(&["export", text(&run), "--out", text(&weights)], "export", text(&weights));
        done(&["embed", text(&run), "--out", text(&root.path().join("features"))]);
        fs::write(
            root.path().join("images"),
            images.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>(),
        )
        .unwrap();
        let side = (images.len() / TEST).isqrt().to_string();
        let output = Command::new(&python)
            .args(["-c", compare, "1", &side, &side])
            .current_dir(root.path())
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let found: Vec<f64> = printed.lines().map(|line| line.parse().unwrap()).collect();
        println!("{method}: {found:?}");
        assert_eq!(found.len(), expected.len(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(found.iter().all(|&layer| layer < TOLERANCE), "{method}: {found:?}");
    }
}
