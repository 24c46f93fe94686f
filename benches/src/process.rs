//! What the operating system knows about this process.

use std::time::Duration;

/// Largest resident memory of this process so far, in bytes; `None` where there is no
/// `/proc/self/status`.
///
/// ```
/// let before = clapp_benches::peak_memory();
/// assert!(before.is_none_or(|bytes| bytes > 0));
/// ```
#[must_use]
pub fn peak_memory() -> Option<u64> {
    kibibytes(&std::fs::read_to_string("/proc/self/status").ok()?, "VmHWM").map(|kib| kib * 1024)
}

/// The number that follows `key` in lines like `VmHWM:     1234 kB`.
fn kibibytes(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim_end().parse().ok()
}

/// Processor time of all threads of this process so far; `None` where there is no such clock.
#[must_use]
pub fn cpu_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let seconds = u64::try_from(time.tv_sec).ok()?;
        Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
    }
    #[cfg(not(unix))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str =
        "Name:\tclapp-bench\nVmPeak:\t  203428 kB\nVmHWM:\t   51264 kB\nThreads:\t3\n";

    #[test]
    fn the_peak_is_read_from_its_own_line() {
        assert_eq!(kibibytes(STATUS, "VmHWM"), Some(51_264));
    }

    #[test]
    fn a_line_without_a_size_is_no_size() {
        assert_eq!(kibibytes(STATUS, "Threads"), None);
        assert_eq!(kibibytes(STATUS, "VmSwap"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_grows_with_what_is_touched() {
        let before = peak_memory().expect("Linux has /proc");
        let touched = std::hint::black_box(vec![1_u8; 256 << 20]);
        let after = peak_memory().expect("Linux has /proc");
        assert!(after >= (touched.len() as u64), "{before} to {after}");
    }
}
