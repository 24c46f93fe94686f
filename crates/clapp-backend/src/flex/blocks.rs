//! Products of the rows of every prediction step with that step's matrix.

use burn::backend::{Shape, TensorMetadata, flex::FlexTensor};

use super::{memory::Buffer, slice};
use crate::{
    kernels::{self, IndexedRows},
    ops::Contract,
};

pub(super) fn product(
    rows: FlexTensor,
    index: FlexTensor,
    weight: FlexTensor,
    blocks: &[usize],
    contract: Contract,
) -> FlexTensor {
    let [_, outer, inner]: [usize; 3] = weight.shape().dims();
    let (contract, outputs) = match contract {
        Contract::Inner => (kernels::Contract::Inner, outer),
        Contract::Outer => (kernels::Contract::Outer, inner),
    };
    let rows = indexed(&rows, &index);
    let count = rows.index.len();
    let mut y = Buffer::<f32>::new(count * outputs);
    kernels::block_product(rows, slice(&weight), blocks, contract, y.as_mut());
    y.into_tensor(Shape::from([count, outputs]))
}

pub(super) fn outer(
    [a, b]: [FlexTensor; 2],
    [index_a, index_b]: [FlexTensor; 2],
    blocks: &[usize],
) -> FlexTensor {
    let (a, b) = (indexed(&a, &index_a), indexed(&b, &index_b));
    let shape = [blocks.len(), a.channels, b.channels];
    let mut weight = Buffer::<f32>::new(shape.iter().product());
    kernels::block_outer(a, b, blocks, weight.as_mut());
    weight.into_tensor(Shape::from(shape))
}

fn indexed<'a>(rows: &'a FlexTensor, index: &'a FlexTensor) -> IndexedRows<'a> {
    let [_, channels]: [usize; 2] = rows.shape().dims();
    let index = index.as_slice().expect("made contiguous before");
    IndexedRows { values: slice(rows), channels, index }
}
