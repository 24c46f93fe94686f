//! Memory that comes back: results of the kernels return to a shelf when their last tensor is dropped.
//!
//! A learning step makes the same large tensors again and again. Fresh memory from the system costs a
//! page fault every 4 KiB, about as much as a layer in a whole step; memory from the shelf costs nothing.
//! It begins at a cache line, so that lines of 16 channels never straddle two.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::{Mutex, PoisonError};

use burn::backend::{
    Shape,
    flex::{FlexTensor, Layout},
};
use burn::tensor::{Bytes, Element};
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty};
use bytemuck::Pod;

use crate::kernels::Line;

/// An output that a kernel writes and that becomes a tensor. Contents are arbitrary until written.
pub(super) struct Buffer<T> {
    memory: Lent,
    len: usize,
    values: PhantomData<T>,
}

impl<T: Pod + Element> Buffer<T> {
    /// Room for `len` values, which the caller must write, all of them.
    pub(super) fn new(len: usize) -> Self {
        let memory = Lent::new((len * size_of::<T>()).div_ceil(size_of::<Line>()));
        Self { memory, len, values: PhantomData }
    }

    pub(super) fn as_mut(&mut self) -> &mut [T] {
        &mut bytemuck::cast_slice_mut(&mut self.memory.lines)[..self.len]
    }

    pub(super) fn into_tensor(self, shape: Shape) -> FlexTensor {
        assert_eq!(self.len, shape.num_elements(), "buffer: expected {shape:?}");
        let len = self.len * size_of::<T>();
        // SAFETY: the first `len` bytes of the lines are initialised, as all their bytes are.
        let bytes = unsafe { Bytes::from_controller(Box::new(self.memory), len) };
        FlexTensor::new(bytes, Layout::contiguous(shape), T::dtype())
    }
}

/// Lines that go back to the shelf when they are dropped.
struct Lent {
    lines: Vec<Line>,
}

impl Lent {
    fn new(lines: usize) -> Self {
        Self { lines: shelf(|shelf| shelf.take(lines)) }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        shelf(|shelf| shelf.put(lines));
    }
}

impl AllocationController for Lent {
    fn alloc_align(&self) -> usize {
        // The most that the tensor library handles; the lines are aligned better than that.
        align_of::<u128>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    unsafe fn memory_mut(
        &mut self,
        _policy: AccessPolicy,
    ) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut self.lines);
        // SAFETY: same size and alignment; the caller promises to write initialised bytes only.
        Ok(unsafe { &mut *(std::ptr::from_mut(bytes) as *mut [MaybeUninit<u8>]) })
    }

    fn memory(&self, _policy: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let bytes: &[u8] = bytemuck::cast_slice(&self.lines);
        // SAFETY: same size and alignment, and nothing is written through a shared reference.
        Ok(unsafe { &*(std::ptr::from_ref(bytes) as *const [MaybeUninit<u8>]) })
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
        let fits = lines..=lines * Self::WASTE;
        let fitting = self.free.iter().enumerate().filter(|(_, f)| fits.contains(&f.memory.len()));
        let best = fitting.min_by_key(|(_, free)| free.memory.len()).map(|(place, _)| place);
        let memory = match best {
            Some(place) => {
                let memory = self.free.swap_remove(place).memory;
                self.kept -= memory.len();
                memory
            }
            None => vec![Line::ZERO; lines],
        };
        self.lent += memory.len();
        self.peak = self.peak.max(self.lent);
        memory
    }

    fn put(&mut self, memory: Vec<Line>) {
        self.lent -= memory.len();
        // A step comes round: what went unused for long will not be wanted, but of the rest the
        // oldest is wanted soonest. So what comes too much is not kept in the first place.
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
    fn a_step_that_comes_round_finds_all_it_needs() {
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

    #[test]
    fn a_buffer_is_aligned_and_reads_as_it_was_written() {
        let mut buffer = Buffer::<f32>::new(33);
        buffer.as_mut().copy_from_slice(&[1.5; 33]);
        let tensor = buffer.into_tensor(Shape::from([3, 11]));
        let values = tensor.as_slice::<f32>().expect("contiguous");
        assert_eq!(values, [1.5; 33]);
        assert!(values.as_ptr().cast::<Line>().is_aligned());
        // A copy has memory of its own.
        let mut copy = tensor.clone();
        copy.storage_mut::<f32>()[0] = 2.0;
        assert_eq!(tensor.storage::<f32>()[0], 1.5);
        assert_eq!(copy.into_data().try_to_vec::<f32>().expect("floats")[..2], [2.0, 1.5]);
    }
}
