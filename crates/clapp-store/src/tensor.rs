//! Tensors as they lie in a file: a type, a shape, bytes.

use std::borrow::Cow;

use safetensors::View;
use serde::{Deserialize, Serialize};

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Dtype {
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
    /// 64-bit signed integers.
    I64,
    /// Bytes.
    U8,
}

impl Dtype {
    /// Bytes of one element.
    const fn size(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    /// The type of this name in the safetensors format, if it is one of ours.
    pub(crate) fn from_safetensors(dtype: safetensors::Dtype) -> Option<Self> {
        match dtype {
            safetensors::Dtype::F32 => Some(Self::F32),
            safetensors::Dtype::F64 => Some(Self::F64),
            safetensors::Dtype::I64 => Some(Self::I64),
            safetensors::Dtype::U8 => Some(Self::U8),
            _ => None,
        }
    }
}

/// A number that a [`TensorFile`] can hold: `f32`, `f64`, `i64` or `u8`. Not implemented for
/// `usize`, whose size depends on the machine. Sealed.
pub trait Element: Copy + sealed::LittleEndian {
    /// The type's name in files.
    const DTYPE: Dtype;
}

mod sealed {
    /// Conversion from and to the bytes of a file.
    pub trait LittleEndian: Sized {
        fn append_to(self, bytes: &mut Vec<u8>);
        /// `bytes` has the size of the type.
        fn read_from(bytes: &[u8]) -> Self;
    }
}

macro_rules! element {
    ($($number:ty => $dtype:ident),*) => {$(
        impl Element for $number {
            const DTYPE: Dtype = Dtype::$dtype;
        }

        impl sealed::LittleEndian for $number {
            fn append_to(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn read_from(bytes: &[u8]) -> Self {
                let mut word = [0; size_of::<Self>()];
                word.copy_from_slice(bytes);
                Self::from_le_bytes(word)
            }
        }
    )*};
}

element!(f32 => F32, f64 => F64, i64 => I64, u8 => U8);

/// A tensor as it lies in a file: type, shape and little-endian bytes, last axis fastest.
///
/// It has no name: a tensor's name is its key in the map that a checkpoint is made of. Equality is
/// equality of bytes, so a NaN equals itself and a checkpoint equals its copy.
///
/// # Example
///
/// ```
/// use clapp_store::{Dtype, TensorFile};
///
/// let w_pred = TensorFile::from_values([2, 2], &[1.0_f32, 0.0, 0.0, -0.5]);
/// assert_eq!((w_pred.dtype(), w_pred.shape()), (Dtype::F32, &[2, 2][..]));
/// assert_eq!(w_pred.bytes()[12..], [0, 0, 0, 0xbf]);
/// assert_eq!(w_pred.values::<f32>(), Some(vec![1.0, 0.0, 0.0, -0.5]));
/// assert_eq!(w_pred.values::<f64>(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorFile {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl TensorFile {
    /// Takes bytes that are little-endian already.
    ///
    /// # Panics
    ///
    /// `bytes` is not as long as type and shape ask for.
    ///
    /// # Example
    ///
    /// ```
    /// use clapp_store::{Dtype, TensorFile};
    /// let one = TensorFile::new(Dtype::I64, [1], vec![1, 0, 0, 0, 0, 0, 0, 0]);
    /// assert_eq!(one.values::<i64>(), Some(vec![1]));
    /// ```
    #[must_use]
    pub fn new(dtype: Dtype, shape: impl Into<Vec<usize>>, bytes: Vec<u8>) -> Self {
        let shape = shape.into();
        let expected = shape.iter().try_fold(dtype.size(), |n, &side| n.checked_mul(side));
        assert!(
            expected == Some(bytes.len()),
            "tensor: expected {expected:?} bytes for {dtype:?} {shape:?}, got {}",
            bytes.len()
        );
        Self { dtype, shape, bytes }
    }

    /// Copies numbers of any [`Element`] type.
    ///
    /// # Panics
    ///
    /// The product of `shape` is not the number of values.
    ///
    /// # Example
    ///
    /// ```
    /// let bias = clapp_store::TensorFile::from_values([3], &[0.1_f64, 0.2, 0.3]);
    /// assert_eq!(bias.bytes().len(), 24);
    /// ```
    #[must_use]
    pub fn from_values<E: Element>(shape: impl Into<Vec<usize>>, values: &[E]) -> Self {
        let mut bytes = Vec::with_capacity(std::mem::size_of_val(values));
        for &value in values {
            value.append_to(&mut bytes);
        }
        Self::new(E::DTYPE, shape, bytes)
    }

    /// The elements' type.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The sides, slowest first. Empty for a single number.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The little-endian bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives the little-endian bytes away.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The numbers, or `None` if the tensor's type is another.
    #[must_use]
    pub fn values<E: Element>(&self) -> Option<Vec<E>> {
        let numbers = self.bytes.chunks_exact(self.dtype.size());
        (self.dtype == E::DTYPE).then(|| numbers.map(E::read_from).collect())
    }
}

impl View for &TensorFile {
    fn dtype(&self) -> safetensors::Dtype {
        match self.dtype {
            Dtype::F32 => safetensors::Dtype::F32,
            Dtype::F64 => safetensors::Dtype::F64,
            Dtype::I64 => safetensors::Dtype::I64,
            Dtype::U8 => safetensors::Dtype::U8,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_returns_bit_for_bit() {
        fn check<E: Element + PartialEq + std::fmt::Debug>(values: &[E]) {
            let tensor = TensorFile::from_values([values.len()], values);
            assert_eq!(tensor.values::<E>().unwrap(), values);
            assert_eq!(tensor.clone().into_bytes(), tensor.bytes());
        }
        check(&[f32::MIN_POSITIVE, -0.0, f32::INFINITY]);
        check(&[f64::MAX, -f64::EPSILON]);
        check(&[i64::MIN, -1, i64::MAX]);
        check(&[0_u8, 255]);
        check::<f32>(&[]);
    }

    #[test]
    fn a_nan_equals_itself() {
        let nan = TensorFile::from_values([1], &[f32::NAN]);
        assert_eq!(nan, nan.clone());
    }

    #[test]
    #[should_panic(expected = "expected Some(16) bytes for F32 [2, 2], got 12")]
    fn bytes_that_do_not_fill_the_shape_panic_with_the_numbers() {
        let _ = TensorFile::from_values([2, 2], &[1.0_f32, 2.0, 3.0]);
    }
}
