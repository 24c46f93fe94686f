//! Signals that stop a run after a checkpoint, and what the program then ends with.

use std::{
    process::ExitCode,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use clapp::Error;
use signal_hook::{consts, flag};

/// The last signal that came.
static SIGNAL: OnceLock<Arc<AtomicUsize>> = OnceLock::new();
/// Whether a run was stopped by it.
static STOPPED: AtomicBool = AtomicBool::new(false);

#[cfg(unix)]
const SIGNALS: [i32; 3] = [consts::SIGINT, consts::SIGTERM, consts::SIGHUP];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [consts::SIGINT, consts::SIGTERM];

/// A flag that the first signal sets; the second one ends the program at once.
///
/// Signals that whoever started the program wants ignored, as `nohup` does, stay ignored.
///
/// # Errors
///
/// If the system does not allow it.
pub(crate) fn on_signal() -> Result<Arc<AtomicBool>, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let signal = SIGNAL.get_or_init(Arc::default);
    for number in SIGNALS.into_iter().filter(|&number| !ignored(number)) {
        // In this order: the flag that ends the program is seen before it is set.
        flag::register_conditional_shutdown(number, 128 + number, stop.clone())
            .and_then(|_| flag::register_usize(number, signal.clone(), number as usize))
            .and_then(|_| flag::register(number, stop.clone()))
            .map_err(|source| {
                let advice = "report this system";
                Error::misfit_of("signals", "a handler to be set", source, advice)
            })?;
    }
    Ok(stop)
}

/// Whether a signal was ignored when the program started; only Linux says so without unsafe code.
fn ignored(number: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (number - 1) & 1 == 1)
}

/// Remembers that a run was stopped before its end.
pub(crate) fn stopped() {
    STOPPED.store(true, Relaxed);
}

/// What the program ends with: 0, or 128 and the number of the signal that stopped a run.
pub(crate) fn code() -> ExitCode {
    let signal = SIGNAL.get().filter(|_| STOPPED.load(Relaxed));
    signal.map_or(ExitCode::SUCCESS, |signal| ExitCode::from(128 + signal.load(Relaxed) as u8))
}
