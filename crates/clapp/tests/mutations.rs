//! Configurations that somebody edited, thousands of them: valid, or an error that names the file or the setting; no panic.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use clapp::{Images, RunConfig, Sense, Sound, Video, preset};
use clapp_testing::mutations;

fn configurations<S: Sense>(folder: &Path, what: &str, config: &RunConfig<S>) {
    let text = serde_json::to_string(config).unwrap();
    mutations(what, &[text.into_bytes()], |_, bytes| {
        fs::write(folder.join("config.json"), bytes).unwrap();
        match RunConfig::<S>::load(folder) {
            Ok(config) => {
                if let Err(error) = config.validate() {
                    assert!(error.to_string().contains("expected "), "{error}");
                }
            }
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains(&*folder.to_string_lossy()), "{text}");
            }
        }
    });
}

#[test]
fn a_configuration_is_valid_or_refused() {
    let root = tempfile::tempdir().unwrap();
    let of = |method| preset("smoke", method, &Images::Synthetic, &[2]).unwrap();
    configurations(root.path(), "images", &of("clapp"));
    configurations(root.path(), "two views", &of("clapp-pp"));
    configurations(
        root.path(),
        "sound",
        &preset("smoke", "clapp-s", &Sound::Synthetic, &[2]).unwrap(),
    );
    configurations(
        root.path(),
        "video",
        &preset("smoke", "clapp-s", &Video::MovingScenes, &[2]).unwrap(),
    );
}
