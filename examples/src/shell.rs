//! What examples share with a shell: exit codes, lines, options, downloads.

use std::{path::Path, process::ExitCode};

use clapp::Error;
use clapp::console::{Ticker, note, print};
use clapp::datasets::download::{Archive, download};

/// Says what went wrong, if anything.
pub fn exit(result: Result<(), Error>) -> ExitCode {
    end(result.map(|()| false))
}

/// Says what went wrong, if anything. What was stopped before its end has the code of the signal that did it.
pub fn end(result: Result<bool, Error>) -> ExitCode {
    match result {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => clapp::console::exit_code().map_or(ExitCode::SUCCESS, ExitCode::from),
        Err(error) => {
            note(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Fetches an archive into a folder, and says how far that is.
pub fn fetch(archive: &Archive, root: &Path) -> Result<(), Error> {
    let mut ticker = Ticker::new();
    download(archive, root, &mut |now| {
        let text = format_args!("{} of {} MB", now.received / 1_000_000, now.total / 1_000_000);
        ticker.tell(text, now.received == now.total);
    })?;
    Ok(())
}

/// Refuses an option that would have no effect without another.
pub fn needs(option: (bool, &str), other: (bool, &str)) -> Result<(), Error> {
    if !option.0 || other.0 {
        return Ok(());
    }
    let expected = format!("{} with {}", other.1, option.1);
    Err(Error::misfit_of("options", expected, "none", "give both or neither"))
}

/// Prints a line, as `println!` does; ends the program where that panics, and goes on where nobody reads.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {
        $crate::print_or_end(format_args!($($text)*))
    };
}

/// What [`say!`] does.
pub fn print_or_end(text: std::fmt::Arguments<'_>) {
    if let Err(error) = print(text) {
        note(format_args!("error: {error}"));
        std::process::exit(1);
    }
}
