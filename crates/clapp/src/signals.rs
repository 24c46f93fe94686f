//! Signals that ask a program to stop: SIGINT (Ctrl-C), SIGTERM, SIGHUP.

use std::{
    process::exit,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// The same number everywhere.
const SIGINT: i32 = 2;

/// Number of the signal that came first, and when it came.
static FIRST: OnceLock<(i32, Instant)> = OnceLock::new();

/// What a second Ctrl-C does before it ends the program.
static BEFORE_EXIT: OnceLock<fn()> = OnceLock::new();

/// A flag that SIGINT (Ctrl-C), SIGTERM (`kill`, a queue's time limit) and SIGHUP (a terminal that went away) set. A second
/// Ctrl-C, more than a second after the first signal, ends the program at once.
///
/// SIGHUP stays ignored if it was when the program started, as under `nohup`.
#[must_use]
pub fn interrupted() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    if let Err(error) = listen(stop.clone()) {
        crate::console::note(format_args!("signals stop at once, without a checkpoint: {error}"));
    }
    stop
}

/// Does to `stop`, a flag of [`interrupted`], what Ctrl-C does: for a terminal in raw mode, where it is a key like others.
pub fn interrupt(stop: &AtomicBool) {
    came(SIGINT, stop);
}

/// Has `undo` called before a second Ctrl-C ends the program at once. The first such call counts.
pub fn before_exit(undo: fn()) {
    BEFORE_EXIT.get_or_init(|| undo);
}

/// Exit code of a program that a signal stopped: 130 after SIGINT, 143 after SIGTERM, 129 after SIGHUP. None if there was no
/// signal.
#[must_use]
pub fn exit_code() -> Option<u8> {
    FIRST.get().and_then(|(signal, _)| u8::try_from(128 + signal).ok())
}

fn came(signal: i32, stop: &AtomicBool) {
    // Whoever sees the flag sees the signal.
    let (_, first) = FIRST.get_or_init(|| (signal, Instant::now()));
    stop.store(true, Ordering::Release);
    // The first one may have fallen into a long read-out; no moment is a bad one to stop. `timeout`, shells and queues
    // send one signal twice, to the process and to its group: that is not a second wish.
    if signal == SIGINT && first.elapsed() > Duration::from_secs(1) {
        if let Some(undo) = BEFORE_EXIT.get() {
            undo();
        }
        exit(128 + signal);
    }
}

#[cfg(unix)]
fn listen(stop: Arc<AtomicBool>) -> std::io::Result<()> {
    use signal_hook::{
        consts::{SIGHUP, SIGTERM},
        iterator::Signals,
    };

    let all: &[i32] =
        if hang_up_is_ignored() { &[SIGINT, SIGTERM] } else { &[SIGINT, SIGTERM, SIGHUP] };
    let mut signals = Signals::new(all)?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in &mut signals {
            came(signal, &stop);
        }
    })?;
    Ok(())
}

/// Whether SIGHUP was ignored when this program started; a guess where the system does not say.
#[cfg(unix)]
fn hang_up_is_ignored() -> bool {
    use std::io::{IsTerminal as _, stderr, stdout};
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    match mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()) {
        Some(mask) => mask & (1 << (signal_hook::consts::SIGHUP - 1)) != 0,
        // Not Linux. `nohup` leaves neither output at the terminal.
        None => !stdout().is_terminal() && !stderr().is_terminal(),
    }
}

#[cfg(not(unix))]
fn listen(stop: Arc<AtomicBool>) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || came(SIGINT, &stop))
}
