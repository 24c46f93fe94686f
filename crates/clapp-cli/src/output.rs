//! The standard output, which may be closed or full, and what the program ends with.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use clapp::Error;
use serde::Serialize;

pub(crate) use clapp::console::print;

/// Whether a run was stopped by a signal.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Prints a value as indented JSON.
///
/// # Errors
///
/// As [`print`].
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Error> {
    print(serde_json::to_string_pretty(value).map_err(|source| {
        let advice = "leave out --json and report this";
        Error::misfit_of("output", "values that JSON has", source, advice)
    })?)
}

/// Remembers that a run was stopped before its end.
pub(crate) fn stopped() {
    STOPPED.store(true, Relaxed);
}

/// What the program ends with: 0, or 128 and the number of the signal that stopped a run.
pub(crate) fn code() -> ExitCode {
    let signal = clapp::console::exit_code().filter(|_| STOPPED.load(Relaxed));
    signal.map_or(ExitCode::SUCCESS, ExitCode::from)
}
