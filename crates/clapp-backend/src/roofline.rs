//! What the processor can do at most: multiply-adds from registers, bytes through memory.
//!
//! The two ceilings of a roofline, measured with the instructions that the kernels use, so that a
//! benchmark can say what share of them a step reaches.
//!
//! ```
//! use clapp_backend::bench;
//! // A very short look; a benchmark takes longer.
//! assert!(bench::fma_gflops(1, 0.001) > 0.0);
//! assert!(bench::copy_gbytes(1, 0.001) > 0.0);
//! ```

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

use crate::kernels::{self, Line};

/// Billions of floating-point operations a second (a multiply-add is two) of `threads` threads that
/// multiply and add from registers for about `seconds`.
///
/// # Panics
///
/// If `threads` is 0.
#[must_use]
pub fn fma_gflops(threads: usize, seconds: f64) -> f64 {
    const ROUNDS: usize = 1 << 14;
    let operations = (2 * kernels::FMA_LANES * ROUNDS) as f64;
    rate(threads, seconds, || {
        black_box(kernels::fma_rounds(black_box(ROUNDS)));
        operations
    }) / 1e9
}

/// Billions of bytes a second, read and written, that `threads` threads copy between large buffers
/// for about `seconds`.
///
/// # Panics
///
/// If `threads` is 0.
#[must_use]
pub fn copy_gbytes(threads: usize, seconds: f64) -> f64 {
    /// Far more than a last-level cache, over all threads.
    const BYTES: usize = 256 << 20;
    let lines = BYTES / threads.max(1) / size_of::<Line>();
    let copied = (2 * lines * size_of::<Line>()) as f64;
    rate_with(
        threads,
        seconds,
        || (vec![Line([1.0; 16]); lines], vec![Line::ZERO; lines]),
        |(from, to)| {
            to.copy_from_slice(black_box(from));
            black_box(&*to);
            copied
        },
    ) / 1e9
}

fn rate(threads: usize, seconds: f64, work: impl Fn() -> f64 + Sync) -> f64 {
    rate_with(threads, seconds, || (), |()| work())
}

/// Units of `work` a second, over all threads.
fn rate_with<T>(
    threads: usize,
    seconds: f64,
    prepare: impl Fn() -> T + Sync,
    work: impl Fn(&mut T) -> f64 + Sync,
) -> f64 {
    assert!(threads > 0, "roofline: expected at least one thread");
    let ready = Barrier::new(threads);
    let one = || {
        let mut state = prepare();
        work(&mut state); // pages and clocks come up before anything is measured
        ready.wait();
        let start = Instant::now();
        let mut done = 0.0;
        while done <= 0.0 || start.elapsed().as_secs_f64() < seconds {
            done += work(&mut state);
        }
        done / start.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(0.0)).sum()
    })
}
