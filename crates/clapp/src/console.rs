//! Output to a terminal, a pipe or a file, any of which may be closed or full, and the signals that stop a run.

use std::{
    fmt::Display,
    io::{ErrorKind, IsTerminal as _, Write, stderr, stdout},
    time::{Duration, Instant},
};

use crate::Error;

pub use crate::signals::{before_exit, exit_code, interrupt, interrupted};

/// How often a file or a pipe gets a line.
pub(crate) const PLAIN: Duration = Duration::from_secs(30);

/// Writes a result and a line feed to standard output, see [`written`].
///
/// # Errors
///
/// If standard output cannot be written, such as to a full disk.
pub fn print(result: impl Display) -> Result<(), Error> {
    let mut out = stdout().lock();
    written(writeln!(out, "{result}").and_then(|()| out.flush()))
}

/// What became of something written to standard output. A reader that has gone, as `head` goes, has what it wanted:
/// what is written to it is dropped, without a word.
///
/// # Errors
///
/// If it could not be written for another reason.
pub fn written(result: std::io::Result<()>) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(()),
    }
}

/// Writes a remark and a line feed to standard error. Nothing depends on it, so a failure is ignored.
pub fn note(remark: impl Display) {
    let _ = writeln!(stderr().lock(), "{remark}");
}

/// Says on standard error how far something has come: on a terminal again and again in one line, elsewhere in a line every half
/// minute.
#[derive(Debug)]
pub struct Ticker {
    said: Option<Instant>,
    every: Duration,
    terminal: bool,
}

impl Ticker {
    /// Nothing has been said yet.
    #[must_use]
    pub fn new() -> Self {
        let terminal = stderr().is_terminal();
        let every = if terminal { Duration::from_millis(100) } else { PLAIN };
        Self { said: None, every, terminal }
    }

    /// Says it, unless that was done just now; `last` is said in any case.
    pub fn tell(&mut self, how_far: impl Display, last: bool) {
        if !last && self.said.is_some_and(|said| said.elapsed() < self.every) {
            return;
        }
        self.said = Some(Instant::now());
        let (begin, end) = match (self.terminal, last) {
            (true, false) => ("\r", ""),
            (true, true) => ("\r", "\n"),
            (false, _) => ("", "\n"),
        };
        let _ = write!(stderr().lock(), "{begin}{how_far}{end}");
    }
}

impl Default for Ticker {
    fn default() -> Self {
        Self::new()
    }
}
