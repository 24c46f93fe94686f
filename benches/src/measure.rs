//! The clock: steps that count, steps that don't.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::process::cpu_time;

/// How often something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// Steps before the clock starts.
    pub warmup: usize,
    /// Steps that count; one at least.
    pub steps: usize,
}

/// Time of a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// Median, in seconds.
    pub seconds_per_step: f64,
    /// Of the shortest step.
    pub seconds_fastest: f64,
    /// Of the longest step.
    pub seconds_slowest: f64,
    /// Median of the processor time of all threads, in seconds.
    pub cpu_seconds_per_step: Option<f64>,
}

/// Does something again and again and takes the time of it.
///
/// `prepare` makes what a step needs, from the number of the step; its time does not count.
///
/// ```
/// use clapp_benches::{Repeats, measure};
/// let mut seen = vec![];
/// let timing = measure(Repeats { warmup: 1, steps: 2 }, |step| 10 * step, |input| seen.push(input));
/// assert_eq!(seen, [0, 10, 20]);
/// assert!(timing.seconds_fastest <= timing.seconds_per_step);
/// ```
///
/// # Panics
///
/// If no step counts.
pub fn measure<T>(
    repeats: Repeats,
    mut prepare: impl FnMut(u64) -> T,
    mut step: impl FnMut(T),
) -> Timing {
    assert!(repeats.steps > 0, "measure: expected at least one step that counts, got 0");
    let mut seconds = Vec::with_capacity(repeats.steps);
    let mut cpu_seconds = Vec::with_capacity(repeats.steps);
    for index in 0..repeats.warmup + repeats.steps {
        let input = prepare(index as u64);
        let (start, cpu_start) = (Instant::now(), cpu_time());
        step(input);
        let (elapsed, cpu_end) = (start.elapsed(), cpu_time());
        if index < repeats.warmup {
            continue;
        }
        seconds.push(elapsed.as_secs_f64());
        let cpu = cpu_start.zip(cpu_end).map(|(start, end)| end.saturating_sub(start));
        cpu_seconds.extend(cpu.as_ref().map(Duration::as_secs_f64));
    }
    let middle = median(&seconds);
    Timing {
        seconds_per_step: middle,
        seconds_fastest: seconds.iter().copied().fold(middle, f64::min),
        seconds_slowest: seconds.iter().copied().fold(middle, f64::max),
        cpu_seconds_per_step: (!cpu_seconds.is_empty()).then(|| median(&cpu_seconds)),
    }
}

/// The value in the middle, or the mean of the two there.
///
/// ```
/// assert_eq!(clapp_benches::median(&[3.0, 1.0, 8.0]), 3.0);
/// assert_eq!(clapp_benches::median(&[3.0, 1.0]), 2.0);
/// ```
///
/// # Panics
///
/// If there are no values.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    assert!(!values.is_empty(), "median: expected at least one value, got none");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) }
}
