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
    let (contract, outputs) = contracted(&weight, contract);
    let rows = indexed(&rows, &index);
    let count = rows.index.len();
    let mut y = Buffer::<f32>::new(count * outputs);
    kernels::block_product(rows, slice(&weight), blocks, contract, y.as_mut());
    y.into_tensor(Shape::from([count, outputs]))
}

/// `sums[places r] += W_k x[index r]`, in place where nobody else has `sums`.
pub(super) fn product_onto(
    mut sums: FlexTensor,
    [rows, index]: [&FlexTensor; 2],
    weight: &FlexTensor,
    blocks: &[usize],
    contract: Contract,
    places: &FlexTensor,
) -> FlexTensor {
    let (contract, _) = contracted(weight, contract);
    let places = places.as_slice().expect("made contiguous before");
    let to = sums.storage_mut();
    kernels::block_product_onto(indexed(rows, index), slice(weight), blocks, contract, places, to);
    sums
}

/// Whether every block's places ascend.
pub(super) fn ascend(places: &FlexTensor, blocks: &[usize]) -> bool {
    kernels::places_ascend(places.as_slice().expect("made contiguous before"), blocks)
}

/// The contraction as the kernels name it, and the channels of a result.
fn contracted(weight: &FlexTensor, contract: Contract) -> (kernels::Contract, usize) {
    let [_, outer, inner]: [usize; 3] = weight.shape().dims();
    match contract {
        Contract::Inner => (kernels::Contract::Inner, outer),
        Contract::Outer => (kernels::Contract::Outer, inner),
    }
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
