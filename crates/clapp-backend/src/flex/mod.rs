//! Flex, burn's CPU backend, with kernels of its own: activities in lines of 16 channels, everything
//! around a convolution fused, optimizer steps in place.

mod blocks;
mod competition;
mod convolution;
mod film;
mod gru;
mod hebbian;
mod memory;
mod optimizer;
mod pairs;

use burn::backend::{TensorMetadata, flex::FlexTensor};
use burn::tensor::{DType, Element};
use bytemuck::Pod;

use crate::{
    AdamCoefficients, Contract, ConvSpec, FilmSpec, FrameWindow, MapWindow, Reach, Response,
};

/// Implements operations with kernels for single precision. Any other precision, or an index of
/// another type, takes the composed body.
macro_rules! single_precision {
    (impl $Ops:ident for Flex { $(
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $output:ty $body:block
    )* }) => {
        impl $crate::$Ops for burn::backend::Flex { $(
            fn $name($($argument: $type),*) -> $output {
                use super::Argument as _;
                if !($($argument.fits())&&*) {
                    return <Self as $crate::$Ops<$crate::Composed>>::$name($($argument),*);
                }
                $body
            }
        )* }
    };
}
use single_precision;

/// What an operation takes.
trait Argument {
    /// Whether kernels can read it.
    fn fits(&self) -> bool {
        true
    }
}

impl Argument for FlexTensor {
    fn fits(&self) -> bool {
        // A pool's winners are bytes.
        matches!(self.dtype(), DType::F32 | DType::I32 | DType::U8)
    }
}

macro_rules! arguments {
    ($($type:ty),*) => { $(impl Argument for $type {})* };
}
arguments!(usize, [usize; 2], [usize; 3], Vec<usize>, f64, AdamCoefficients);
arguments!(Contract, ConvSpec, FilmSpec, FrameWindow, MapWindow, Reach, Response);

fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    tensor.shape().dims()
}

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
}

/// A tensor that fills its storage, so that the storage can be changed in place.
fn whole(tensor: FlexTensor) -> FlexTensor {
    let len = tensor.shape().num_elements();
    if tensor.is_contiguous() && tensor.storage::<f32>().len() == len {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

fn slice<T: Element + Pod>(tensor: &FlexTensor) -> &[T] {
    tensor.as_slice().expect("made contiguous before")
}
