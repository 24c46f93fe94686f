//! A project outside this workspace, whose only crate of CLAPP is this one, compiles and learns.
//!
//! It needs a build of burn with the features of the main example, minutes if there is none yet, so it runs on
//! request only:
//!
//! ```sh
//! cargo test --release --workspace --test outside_project -- --ignored
//! ```

use std::{fs, path::Path, process::Command};

#[test]
#[ignore = "may build burn once more; .ci/run runs it"]
fn a_project_of_its_own_applies_the_rule_to_its_own_activities() {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // A copy, because cargo writes a lock file beside the manifest.
    let project = temporary.join("outside");
    fs::create_dir_all(project.join("src")).expect("cargo made the folder around it");
    for (from, to) in [
        ("tests/outside/Cargo.toml", "Cargo.toml"),
        ("tests/outside/src/main.rs", "src/main.rs"),
        ("../../Cargo.lock", "Cargo.lock"),
    ] {
        let text = fs::read_to_string(this.join(from)).expect("the repository is complete");
        let text = text.replace("path = \"../..\"", &format!("path = {this:?}"));
        fs::write(project.join(to), text).expect("the folder is this test's own");
    }
    let output = Command::new(env!("CARGO"))
        .args(["run", "--release", "--offline", "--quiet"])
        .current_dir(&project)
        // The workspace's own, where the main example's burn is found.
        .env("CARGO_TARGET_DIR", temporary.parent().expect("it is target/tmp"))
        .output()
        .expect("cargo runs this test, so it can be run");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "outside project: {}\n{stderr}", output.status);
    assert!(stdout.starts_with("outside: loss ") && stdout.ends_with(", ok\n"), "{stdout}");
    print!("{stdout}");
}
