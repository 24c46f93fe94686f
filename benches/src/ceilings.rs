//! What this machine can do at most.

use std::time::Instant;

use rayon::prelude::*;
use serde::Serialize;

/// Speeds that no program exceeds on this machine, with this many threads.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ceilings {
    /// Multiply-adds from register to register, two operations each, in 10⁹ operations a second.
    /// `None` until the backend can measure it.
    pub fma_gflops: Option<f64>,
    /// Copying memory that no cache holds, read and written bytes together, in 10⁹ bytes a second.
    pub copy_gbytes: f64,
}

impl Ceilings {
    /// Measures both for about `seconds` each.
    #[must_use]
    pub fn measure(threads: usize, seconds: f64) -> Self {
        Self { fma_gflops: None, copy_gbytes: copy_gbytes(threads, seconds) }
    }
}

/// Elements of a thread's part: 64 MiB to read and as many to write.
const PART: usize = 16 << 20;

fn copy_gbytes(threads: usize, seconds: f64) -> f64 {
    let from = vec![1.0_f32; threads * PART];
    let mut to = vec![0.0_f32; threads * PART];
    let bytes = 2 * size_of_val(from.as_slice());
    let mut fastest = f64::INFINITY;
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds {
        let pass = Instant::now();
        to.par_chunks_mut(PART).zip(from.par_chunks(PART)).for_each(|(to, from)| {
            to.copy_from_slice(from);
        });
        std::hint::black_box(&mut to);
        fastest = fastest.min(pass.elapsed().as_secs_f64());
    }
    bytes as f64 / fastest / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_a_finite_speed() {
        let speed = copy_gbytes(1, 1e-3);
        assert!(speed.is_finite() && speed > 0.0, "{speed}");
    }
}
