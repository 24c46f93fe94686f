//! Memory that comes back: results and working memory return to a shelf when they are dropped.
//!
//! A learning step makes the same large tensors again and again. Fresh memory from the system costs a
//! page fault every 4 KiB, about as much as a layer in a whole step; memory from the shelf costs
//! nothing. It begins at a cache line, so that lines of 16 channels never straddle two.

use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

use super::line::Line;
use super::shape::LANES;

/// Lines that go back to the shelf when they are dropped.
pub struct Lent {
    /// At least as many as were asked for; their contents are arbitrary.
    pub lines: Vec<Line>,
}

impl Lent {
    /// Memory for `lines` lines. In debug builds it is full of not-a-number, so that a line that
    /// nobody writes shows.
    pub fn new(lines: usize) -> Self {
        let mut lines = if lines == 0 { vec![] } else { shelf(|shelf| shelf.take(lines)) };
        if cfg!(debug_assertions) {
            lines.fill(Line([f32::NAN; LANES]));
        }
        Self { lines }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if !lines.is_empty() {
            shelf(|shelf| shelf.put(lines));
        }
    }
}

static SHELF: Mutex<Shelf> = Mutex::new(Shelf::EMPTY);

fn shelf<R>(task: impl FnOnce(&mut Shelf) -> R) -> R {
    // A panic elsewhere leaves the shelf whole: its methods do not call out.
    task(&mut SHELF.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Memory that nobody uses at the moment.
struct Shelf {
    free: Vec<Free>,
    /// Lines that are free.
    kept: usize,
    /// Lines that are in use.
    lent: usize,
    /// The most lines that were in use at one time.
    peak: usize,
    /// Requests so far.
    requests: u64,
}

struct Free {
    memory: Vec<Line>,
    /// Number of the request before it came back.
    since: u64,
}

impl Shelf {
    const EMPTY: Self = Self { free: vec![], kept: 0, lent: 0, peak: 0, requests: 0 };

    /// Largest waste: memory is lent for a request of at least a quarter of it.
    const WASTE: usize = 4;
    /// Requests after which memory that nobody wanted goes: several steps of a deep network.
    const PATIENCE: u64 = 4096;

    fn take(&mut self, lines: usize) -> Vec<Line> {
        self.requests += 1;
        let best = |fits: RangeInclusive<usize>, key: fn(usize) -> isize| {
            let fitting = self.free.iter().enumerate();
            let fitting = fitting.filter(|(_, free)| fits.contains(&free.memory.len()));
            fitting.min_by_key(|(_, free)| key(free.memory.len())).map(|(place, _)| place)
        };
        let memory = match best(lines..=lines * Self::WASTE, |len| len as isize) {
            Some(place) => self.remove(place),
            None => {
                // It grows: the new one will serve those that the largest of the smaller ones served.
                if let Some(place) = best(lines / Self::WASTE..=lines, |len| -(len as isize)) {
                    self.remove(place);
                }
                vec![Line::ZERO; lines]
            }
        };
        self.lent += memory.len();
        self.peak = self.peak.max(self.lent);
        memory
    }

    fn remove(&mut self, place: usize) -> Vec<Line> {
        let memory = self.free.swap_remove(place).memory;
        self.kept -= memory.len();
        memory
    }

    fn put(&mut self, memory: Vec<Line>) {
        self.lent -= memory.len();
        // Every step asks for the same sizes in the same order: what nobody took for long will not
        // be wanted again, and of the rest the oldest is wanted soonest. So memory that would be too
        // much is not kept in the first place.
        let now = self.requests;
        self.free.retain(|free| now - free.since <= Self::PATIENCE);
        self.kept = self.free.iter().map(|free| free.memory.len()).sum();
        if self.kept + self.lent + memory.len() <= self.peak + self.peak / 2 {
            self.kept += memory.len();
            self.free.push(Free { memory, since: now });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_to_the_next_request_that_it_fits() {
        let mut shelf = Shelf::EMPTY;
        let (large, small) = (shelf.take(100), shelf.take(40));
        let addresses = [large.as_ptr(), small.as_ptr()];
        shelf.put(large);
        shelf.put(small);
        let (small, large) = (shelf.take(39), shelf.take(41));
        assert_eq!([large.as_ptr(), small.as_ptr()], addresses);
        assert_eq!((shelf.lent, shelf.kept, shelf.peak), (140, 0, 140));
    }

    #[test]
    fn no_request_takes_more_than_four_times_what_it_needs() {
        let mut shelf = Shelf::EMPTY;
        let large = shelf.take(100);
        shelf.put(large);
        assert_eq!(shelf.take(24).len(), 24);
        assert_eq!(shelf.take(25).len(), 100);
    }

    #[test]
    fn the_shelf_holds_little_more_than_was_in_use_at_one_time() {
        let mut shelf = Shelf::EMPTY;
        for lines in [10, 300, 20, 90, 1, 299, 70, 5, 8, 60] {
            let memory = shelf.take(lines);
            shelf.put(memory);
            assert!(shelf.kept + shelf.lent <= shelf.peak + shelf.peak / 2);
        }
        assert_eq!(shelf.peak, 300);
    }

    #[test]
    fn a_step_that_is_repeated_finds_all_it_needs() {
        let mut shelf = Shelf::EMPTY;
        let mut step = || {
            // Layers of a falling size, two of which exist at a time.
            let mut before: Option<Vec<Line>> = None;
            let mut places = vec![];
            for lines in [512, 256, 256, 128, 64, 16] {
                let now = shelf.take(lines);
                places.push(now.as_ptr());
                before.replace(now).into_iter().for_each(|memory| shelf.put(memory));
            }
            before.into_iter().for_each(|memory| shelf.put(memory));
            places.sort_unstable();
            places.dedup();
            (places, shelf.peak)
        };
        assert_eq!(step(), step());
    }

    #[test]
    fn memory_that_nobody_wants_goes_after_a_while() {
        let mut shelf = Shelf::EMPTY;
        let large = shelf.take(1000);
        shelf.put(large);
        for _ in 0..=Shelf::PATIENCE {
            let small = shelf.take(1);
            shelf.put(small);
        }
        assert_eq!(shelf.kept, 1);
    }
}
