//! What this machine can do at most.

use clapp_backend::bench;
use serde::Serialize;

/// Speeds that no program exceeds on this machine, with this many threads.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ceilings {
    /// Multiply-adds from register to register, two operations each, in 10⁹ operations a second.
    pub fma_gflops: f64,
    /// Copying memory that no cache holds, read and written bytes together, in 10⁹ bytes a second.
    pub copy_gbytes: f64,
}

impl Ceilings {
    /// Measures both for about `seconds` each, with the instructions that the kernels use.
    ///
    /// ```
    /// let ceilings = clapp_benches::Ceilings::measure(1, 0.001);
    /// assert!(ceilings.fma_gflops > 0.0 && ceilings.copy_gbytes > 0.0);
    /// ```
    ///
    /// # Panics
    ///
    /// If `threads` is 0.
    #[must_use]
    pub fn measure(threads: usize, seconds: f64) -> Self {
        Self {
            fma_gflops: bench::fma_gflops(threads, seconds),
            copy_gbytes: bench::copy_gbytes(threads, seconds),
        }
    }
}
