//! Every instruction set and path against plain loops in f64.

use super::line::pack;
use super::*;

mod blocks;
mod competition;
mod convolution;
mod elementwise;
mod film;
mod gru;
mod oracle;
mod pairs;

/// Every instruction set that this processor has.
fn sets() -> impl Iterator<Item = InstructionSet> {
    InstructionSet::ALL.into_iter().filter(|set| set.is_available())
}

/// Runs `task` on so many threads.
fn on_threads<R: Send>(threads: usize, task: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(task)
}
