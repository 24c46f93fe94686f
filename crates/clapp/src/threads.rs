//! How many threads work.

use crate::{Error, console::note};

/// Most threads of a processor's core: more only stand in each other's way, and many stop the machine.
const A_CORE: usize = 32;

/// Sets the number of threads that compute; 0 is one per core. More than 32 a core are not started, which is said on standard error.
///
/// Call it once, before anything is computed. Results do not depend on it.
///
/// # Errors
///
/// If threads have been started already.
pub fn set_threads(threads: usize) -> Result<(), Error> {
    let most = A_CORE * std::thread::available_parallelism().map_or(1, usize::from);
    if threads > most {
        note(format_args!("threads: {most} in place of {threads}, {A_CORE} for each core"));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.min(most))
        .build_global()
        .map_err(|source| Error::Threads { threads, source })
}
