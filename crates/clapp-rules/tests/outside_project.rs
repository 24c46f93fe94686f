//! A project outside this workspace, whose only crate of CLAPP is this one, compiles and learns.
//!
//! It needs a build of burn of its own, minutes the first time, so it runs on request only:
//!
//! ```sh
//! CLAPP_OUTSIDE=1 cargo test --release --workspace --test outside_project
//! ```
//!
//! The build goes to `target/outside` of the workspace and is found there the next time.

use std::{path::Path, process::Command};

#[test]
fn a_project_of_its_own_applies_the_rule_to_its_own_activities() {
    if std::env::var_os("CLAPP_OUTSIDE").is_none_or(|value| value != "1") {
        eprintln!("skipped: builds burn once more; set CLAPP_OUTSIDE=1 to run it");
        return;
    }
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = this.join("../..");
    let project = this.join("tests/outside");
    std::fs::copy(workspace.join("Cargo.lock"), project.join("Cargo.lock"))
        .expect("the workspace has a lock file");
    let output = Command::new(env!("CARGO"))
        .args(["run", "--release", "--offline", "--quiet"])
        .current_dir(&project)
        .env("CARGO_TARGET_DIR", workspace.join("target/outside"))
        .output()
        .expect("cargo runs this test, so it can be run");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "outside project: {}\n{stderr}", output.status);
    assert!(stdout.starts_with("outside: loss ") && stdout.ends_with(", ok\n"), "{stdout}");
}
