//! How many threads work.

use crate::Error;

/// Sets the number of threads that compute; 0 is one per core.
///
/// Call it once, before anything is computed. Results do not depend on it.
///
/// # Errors
///
/// If threads have been started already.
pub fn set_threads(threads: usize) -> Result<(), Error> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|source| Error::Threads { threads, source })
}
