//! Results of the kernels as tensors: their memory returns to the shelf with the last tensor.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use burn::backend::{
    Shape,
    flex::{FlexTensor, Layout},
};
use burn::tensor::{Bytes, Element};
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty};
use bytemuck::Pod;

use crate::kernels::{Lent, Line};

/// An output that a kernel writes and that becomes a tensor. Contents are arbitrary until written.
pub(super) struct Buffer<T> {
    memory: Lent,
    shape: Shape,
    values: PhantomData<T>,
}

impl<T: Pod + Element> Buffer<T> {
    /// Room for a tensor, which the caller must write, all of it.
    pub(super) fn new<const D: usize>(shape: [usize; D]) -> Self {
        let shape = Shape::from(shape);
        let bytes = shape.num_elements() * size_of::<T>();
        Self { memory: Lent::new(bytes.div_ceil(size_of::<Line>())), shape, values: PhantomData }
    }

    pub(super) fn as_mut(&mut self) -> &mut [T] {
        &mut bytemuck::cast_slice_mut(&mut self.memory.lines)[..self.shape.num_elements()]
    }

    pub(super) fn into_tensor(self) -> FlexTensor {
        let len = self.shape.num_elements() * size_of::<T>();
        // SAFETY: the first `len` bytes of the lines are initialised, as all their bytes are.
        let bytes = unsafe { Bytes::from_controller(Box::new(self.memory), len) };
        FlexTensor::new(bytes, Layout::contiguous(self.shape), T::dtype())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_and_reads_as_it_was_written() {
        let mut buffer = Buffer::<f32>::new([3, 11]);
        buffer.as_mut().copy_from_slice(&[1.5; 33]);
        let tensor = buffer.into_tensor();
        let values = tensor.as_slice::<f32>().expect("contiguous");
        assert_eq!(values, [1.5; 33]);
        assert!(values.as_ptr().cast::<Line>().is_aligned());
        // A copy has memory of its own.
        let mut copy = tensor.clone();
        copy.storage_mut::<f32>()[0] = 2.0;
        assert_eq!(tensor.storage::<f32>()[..1], [1.5]);
        assert_eq!(copy.into_data().try_to_vec::<f32>().expect("floats")[..2], [2.0, 1.5]);
    }
}
