//! Hands the commit of the checkout that is built on to `environment.json`.

use std::{path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A package from a registry may lie in a checkout of something else.
    if !Path::new("../../.git").exists() {
        return;
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "HEAD"]) else { return };
    println!("cargo::rustc-env=CLAPP_COMMIT={commit}");
    // It changes with every commit and checkout. A file that is not there would mean a build each time.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists());
    log.iter().for_each(|log| println!("cargo::rerun-if-changed={log}"));
}
