//! The standard output, which may be closed or full.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
};

use clapp::Error;
use serde::Serialize;

/// Prints a text and ends the line.
///
/// # Errors
///
/// If it cannot be written. A reader that has seen enough, such as `head`, is none.
pub(crate) fn print(text: impl Display) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    checked(writeln!(out, "{text}").and_then(|()| out.flush()))
}

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

/// What became of something that was printed.
pub(crate) fn checked(result: io::Result<()>) -> Result<(), Error> {
    match result {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => {
            let expected = "a standard output that takes the text";
            Err(Error::misfit_of("output", expected, source, "is the disk full?"))
        }
        _ => Ok(()),
    }
}
