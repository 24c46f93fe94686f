//! Tests that cannot run everywhere say so.

use std::{env, fmt::Display, fs::OpenOptions, io::Write, path::PathBuf};

/// The variable that names the file in which skips are counted.
const SKIPS: &str = "CLAPP_SKIPS";

/// Says that a test is left out, and why. The test returns after it.
///
/// A test that returns early counts as passed. So the reason is printed and, where the variable
/// `CLAPP_SKIPS` names a file, a line `program test: reason` is added to that: `.ci/skips.sh` shows them and
/// fails unless the reason is one of those in `.ci/skips-allowed`.
///
/// # Panics
///
/// If the file cannot be written.
pub fn skip(reason: impl Display) {
    println!("skipped: {reason}");
    let Some(path) = env::var_os(SKIPS) else { return };
    // One write of a whole line, because tests run at the same time.
    let line = format!("{}: {reason}\n", test()).into_bytes();
    let file = OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(&line))
        .unwrap_or_else(|error| panic!("{SKIPS}: {error} in {}", path.display()));
}

/// The folder that a variable of the environment names, or a skip.
///
/// ```
/// let Some(sources) = clapp_testing::folder("CARGO_MANIFEST_DIR") else {
///     return; // for a reason that is printed and counted
/// };
/// assert!(sources.join("Cargo.toml").is_file());
/// ```
#[must_use]
pub fn folder(variable: &str) -> Option<PathBuf> {
    let folder = env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        skip(format_args!("{variable} names no folder"));
    }
    folder
}

/// Program and name of the running test: the harness gives each test a thread of its name.
fn test() -> String {
    let program = env::current_exe().unwrap_or_default();
    let program = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = program.rsplit_once('-').map_or(&*program, |(name, _hash)| name);
    format!("{name} {}", std::thread::current().name().unwrap_or("?"))
}
