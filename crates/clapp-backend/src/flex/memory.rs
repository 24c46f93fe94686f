//! Memory that comes back: results of the kernels return to a shelf when their last tensor is dropped.
//!
//! A learning step makes the same large tensors again and again. Fresh memory from the system costs a
//! page fault every 4 KiB, about as much as a layer in a whole step; memory from the shelf costs nothing.
//! It begins at a cache line, so that lines of 16 channels never straddle two.
#![allow(unsafe_code)]

use std::collections::VecDeque;
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

static SHELF: Mutex<Shelf> = Mutex::new(Shelf { free: VecDeque::new(), kept: 0, lent: 0, peak: 0 });

fn shelf<R>(task: impl FnOnce(&mut Shelf) -> R) -> R {
    // A panic elsewhere leaves the shelf whole: its methods do not call out.
    task(&mut SHELF.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Free memory, the longest unused first.
struct Shelf {
    free: VecDeque<Vec<Line>>,
    /// Lines that are free.
    kept: usize,
    /// Lines that are in use.
    lent: usize,
    /// The most lines that were in use at one time.
    peak: usize,
}

impl Shelf {
    /// Largest waste: memory is lent for a request of at least a quarter of it.
    const WASTE: usize = 4;

    fn take(&mut self, lines: usize) -> Vec<Line> {
        let fits = |kept: &&Vec<Line>| (lines..=lines * Self::WASTE).contains(&kept.len());
        let best = self.free.iter().filter(fits).map(Vec::len).min();
        let place = best.and_then(|len| self.free.iter().position(|kept| kept.len() == len));
        let memory = match place.and_then(|place| self.free.remove(place)) {
            Some(memory) => {
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
        self.kept += memory.len();
        self.free.push_back(memory);
        // Together never more than was needed at one time: what a step does not need goes.
        while self.kept + self.lent > self.peak {
            let Some(oldest) = self.free.pop_front() else { break };
            self.kept -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf() -> Shelf {
        Shelf { free: VecDeque::new(), kept: 0, lent: 0, peak: 0 }
    }

    #[test]
    fn memory_comes_back_to_the_next_request_that_it_fits() {
        let mut shelf = shelf();
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
        let mut shelf = shelf();
        let large = shelf.take(100);
        shelf.put(large);
        assert_eq!(shelf.take(24).len(), 24);
        assert_eq!(shelf.take(25).len(), 100);
    }

    #[test]
    fn the_shelf_never_holds_more_than_was_in_use_at_one_time() {
        let mut shelf = shelf();
        for lines in [10, 300, 20, 90, 1, 299] {
            let memory = shelf.take(lines);
            shelf.put(memory);
            assert!(shelf.kept + shelf.lent <= shelf.peak);
        }
        assert_eq!(shelf.peak, 300);
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
