//! An example as a user calls it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{assert_same, files};

/// An example that `cargo test --workspace` has built, or a skip.
pub fn find(name: &str) -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let program = profile.join("examples").join(&name);
    if !program.is_file() {
        clapp_testing::skip(format_args!("no {name}; cargo build --release --examples"));
        return None;
    }
    Some(program)
}

/// Runs the program in `folder`: whether it succeeded, and what it printed on both outputs.
pub fn call(program: &Path, folder: &Path, arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// The error line of a call that fails and changes no file that was there.
pub fn refused(program: &Path, folder: &Path, arguments: &[&str]) -> String {
    let before = files(folder);
    let (success, out, err) = call(program, folder, arguments);
    assert!(!success, "{arguments:?}: expected a failure, got {out}{err}");
    let mut after = files(folder);
    // A new run has a folder of its own, with no more than its configuration.
    let fresh: Vec<_> = after.keys().filter(|name| !before.contains_key(*name)).cloned().collect();
    for name in fresh {
        let start = Path::new("runs");
        assert!(name.starts_with(start) && name.ends_with("config.json"), "{}", name.display());
        after.remove(&name);
    }
    assert_same(&after, &before, &format!("{arguments:?}"));
    let line = err.lines().find_map(|line| line.strip_prefix("error: "));
    line.unwrap_or_else(|| panic!("expected a line \"error: …\", got {err}")).to_owned()
}
