//! Tests that need a process of their own.

use std::{env, process::Command};

/// This very program with one of its tests, which has to be an ignored one: it does what its parent asks.
///
/// # Panics
///
/// If the program has no file.
#[must_use]
pub fn child(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a program has a file"));
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    command
}
