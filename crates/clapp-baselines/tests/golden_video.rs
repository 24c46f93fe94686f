//! CPC and Hinge Loss CPC on video against the values of the authors' code: losses, every gradient of every
//! block, and the representation, back-propagated end to end.
//!
//! Reads the files that `clapp-encoders` leaves to this crate; `CLAPP_GOLDEN_DIR` names their folder. One line
//! per tensor and precision: `golden FILE TENSOR RELATIVE_DIFFERENCE ok|FAIL`.

#[allow(dead_code, reason = "each crate uses its own part")]
#[path = "../../clapp-encoders/tests/golden_video/file.rs"]
mod file;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clapp_baselines::film::{FilmModule, FilmOracle};
use clapp_rules::Draws;
use file::{BOUNDS, Bounds, Golden, Report};

fn check(golden: &Golden, bounds: Bounds, device: &Device) -> Vec<String> {
    let on = (device, bounds.dtype);
    let stack = golden.stack(on);
    let module = FilmModule::of(&stack.layers, &stack.predictors[0]);
    let oracle = FilmOracle { modules: vec![module], rule: golden.rule() };
    let draws = [vec![Draws::coins(None)]];
    let gradients = oracle.gradients(&golden.clips(on), &draws).remove(0);
    let mut report = Report::new(golden, bounds);
    report.compare("representation", gradients.representation, 1.0);
    for (l, block) in gradients.blocks.into_iter().enumerate() {
        report.compare(&format!("layer{l}.conv.weight.grad"), block.weight, 1.0);
        report.compare(&format!("layer{l}.conv.bias.grad"), block.bias, 1.0);
        report.compare(&format!("layer{l}.norm.weight.grad"), block.gain, 1.0);
        report.compare(&format!("layer{l}.norm.bias.grad"), block.shift, 1.0);
    }
    report.w_pred(0, &gradients.w_pred, 1.0);
    report.losses(&[gradients.loss]);
    report.failures
}

/// All golden files under a folder, in order of their paths.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "safetensors") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn end_to_end_gradients_equal_the_authors() {
    let folder = std::env::var_os("CLAPP_GOLDEN_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../clapp-encoders/tests/golden"),
        PathBuf::from,
    );
    let device = Device::flex();
    let (mut failures, mut compared) = (Vec::new(), 0);
    for path in files(&folder) {
        let name = path.strip_prefix(&folder).unwrap_or(&path).to_string_lossy().into_owned();
        let Some(golden) = Golden::read(&path, &name) else { continue };
        if golden.losses() == golden.blocks() {
            println!("golden {name} skipped: layer-local, see the tests of clapp-encoders");
            continue;
        }
        for bounds in BOUNDS {
            failures.extend(check(&golden, bounds, &device));
        }
        compared += 1;
    }
    if compared == 0 {
        println!("golden skipped: no end-to-end video files in {}", folder.display());
    }
    assert!(failures.is_empty(), "{} tensors differ:\n{}", failures.len(), failures.join("\n"));
}
