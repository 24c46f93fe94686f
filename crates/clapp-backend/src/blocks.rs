//! Products of blocks of rows with one matrix each: all prediction steps of a rule at once.

use burn::backend::{
    Backend, Shape, TensorMetadata, backend_extension,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{IndexingUpdateOp, Int, Tensor};

use crate::operation::{Own, dims, on_backend, reshape};

/// Which axis of the matrices `[K, outer, inner]` meets the channels of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contract {
    /// The inner one: `y_o = Σ_i W_oi x_i`.
    Inner,
    /// The outer one: `y_i = Σ_o W_oi x_o`, the transposed matrix.
    Outer,
}

/// Products of blocks, as backends compute them.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait BlockOps<P = Own>: Backend {
    /// [`block_product`].
    fn block_product(
        rows: FloatTensor<Self>,
        index: IntTensor<Self>,
        weight: FloatTensor<Self>,
        blocks: Vec<usize>,
        contract: Contract,
    ) -> FloatTensor<Self> {
        let [_, outer, inner] = dims::<3, Self>(&weight);
        let rows = Self::float_select(rows, 0, index);
        // Not every backend multiplies matrices without rows.
        let parts = split::<Self>(&rows, &blocks).into_iter().enumerate();
        let products = parts.filter(|&(k, _)| blocks[k] > 0).map(|(k, rows)| {
            let matrix = Self::float_slice(weight.clone(), &[(k..k + 1).into()]);
            let matrix = reshape::<Self, 2>(matrix, [outer, inner]);
            let matrix = match contract {
                Contract::Inner => Self::float_transpose(matrix),
                Contract::Outer => matrix,
            };
            Self::float_matmul(rows, matrix)
        });
        Self::float_cat(products.collect(), 0)
    }

    /// [`block_product_onto`].
    fn block_product_onto(
        sums: FloatTensor<Self>,
        rows: FloatTensor<Self>,
        index: IntTensor<Self>,
        weight: FloatTensor<Self>,
        places: IntTensor<Self>,
        blocks: Vec<usize>,
        contract: Contract,
    ) -> FloatTensor<Self> {
        let product = <Self as BlockOps<P>>::block_product(rows, index, weight, blocks, contract);
        Self::float_select_assign(sums, 0, places, product, IndexingUpdateOp::Add)
    }

    /// [`block_outer`].
    fn block_outer(
        a: FloatTensor<Self>,
        index_a: IntTensor<Self>,
        b: FloatTensor<Self>,
        index_b: IntTensor<Self>,
        blocks: Vec<usize>,
    ) -> FloatTensor<Self> {
        let ([_, outer], [_, inner]) = (dims::<2, Self>(&a), dims::<2, Self>(&b));
        let (a, b) = (Self::float_select(a, 0, index_a), Self::float_select(b, 0, index_b));
        let parts = split::<Self>(&a, &blocks).into_iter().zip(split::<Self>(&b, &blocks));
        let (device, dtype) = (a.device(), a.dtype().into());
        let products = parts.zip(&blocks).map(|((a, b), &rows)| {
            if rows == 0 {
                return Self::float_zeros(Shape::from([1, outer, inner]), &device, dtype);
            }
            let product = Self::float_matmul(Self::float_transpose(a), b);
            reshape::<Self, 3>(product, [1, outer, inner])
        });
        Self::float_cat(products.collect(), 0)
    }
}

/// Rows of every block.
fn split<B: Backend>(rows: &FloatTensor<B>, blocks: &[usize]) -> Vec<FloatTensor<B>> {
    let mut first = 0;
    let part = |&count: &usize| {
        let part = B::float_slice(rows.clone(), &[(first..first + count).into()]);
        first += count;
        part
    };
    blocks.iter().map(part).collect()
}

/// Products of blocks of rows with one matrix each.
///
/// ```text
/// y[r] = W_k x[index r]        for every row r of block k; W_kᵀ under Contract::Outer
/// ```
///
/// The blocks are the prediction steps of a rule: their rows overlap, so they are named, not copied.
///
/// # Shapes
/// - `rows`: `[any, channels]`; `index`: `[sum of blocks]`, rows of `rows`
/// - `weight`: `[blocks, outer, inner]`; returns `[sum of blocks, outer]`, or `inner` where the outer
///   axis is contracted
///
/// # Panics
///
/// If the lengths of `index`, `blocks` and `weight` do not fit.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use clapp_backend::{Contract, block_product};
/// let device = Device::flex();
/// let rows = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &device);
/// let index = Tensor::<1, Int>::from_ints([0, 1, 1], &device);
/// let weight = Tensor::<3>::from_floats([[[1.0, 0.0]], [[1.0, 1.0]]], &device);
/// // Rows 0 and 1 with the first matrix, row 1 again with the second.
/// let y = block_product(rows, index, weight, &[2, 1], Contract::Inner);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [1.0, 3.0, 7.0]);
/// ```
#[must_use]
pub fn block_product(
    rows: Tensor<2>,
    index: Tensor<1, Int>,
    weight: Tensor<3>,
    blocks: &[usize],
    contract: Contract,
) -> Tensor<2> {
    let ([_, channels], [matrices, outer, inner]) = (rows.dims(), weight.dims());
    let depth = if contract == Contract::Inner { inner } else { outer };
    assert_eq!(channels, depth, "block product: expected rows of {depth} channels, got {channels}");
    check_blocks(matrices, blocks, &index);
    Tensor::from_dispatch(on_backend!(
        BlockOps::block_product(rows, index, weight),
        blocks.to_vec(),
        contract
    ))
}

/// Sums of outer products over the rows of every block.
///
/// ```text
/// W[k, o, i] = Σ_{r in block k} a[index_a r, o] · b[index_b r, i]
/// ```
///
/// # Shapes
/// - `a`: `[any, outer]`; `b`: `[any, inner]`; `index_a`, `index_b`: `[sum of blocks]`
/// - returns `[blocks, outer, inner]`
///
/// # Panics
///
/// If the lengths of the indices and `blocks` do not fit.
#[must_use]
pub fn block_outer(
    (a, index_a): (Tensor<2>, Tensor<1, Int>),
    (b, index_b): (Tensor<2>, Tensor<1, Int>),
    blocks: &[usize],
) -> Tensor<3> {
    check_blocks(blocks.len(), blocks, &index_a);
    check_blocks(blocks.len(), blocks, &index_b);
    Tensor::from_dispatch(on_backend!(
        BlockOps::block_outer(a, index_a, b, index_b),
        blocks.to_vec()
    ))
}

/// [`block_product`] added to rows that are there: what all prediction steps send back.
///
/// ```text
/// sums[places r] ← sums[places r] + W_k x[index r]        for every row r of block k
/// ```
///
/// # Shapes
/// - `rows`: `[any, channels]` and their index `[sum of blocks]`; `weight`: `[blocks, outer, inner]`
/// - `sums`: `[any, outer or inner]`; `places`: `[sum of blocks]`, rows of `sums`
///
/// Hand `sums` over by value: a backend that owns them alone adds in place. It is fastest where the
/// places of a block ascend.
///
/// # Panics
///
/// If the lengths of `index`, `places`, `blocks` and `weight` do not fit.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use clapp_backend::{Contract, block_product_onto};
/// let device = Device::flex();
/// let rows = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &device);
/// let index = Tensor::<1, Int>::from_ints([0, 1, 1], &device);
/// let weight = Tensor::<3>::from_floats([[[1.0, 0.0]], [[1.0, 1.0]]], &device);
/// let sums = Tensor::<2>::from_floats([[10.0], [20.0]], &device);
/// let places = Tensor::<1, Int>::from_ints([0, 1, 1], &device);
/// let sums = block_product_onto(sums, (rows, index), weight, &[2, 1], Contract::Inner, places);
/// assert_eq!(sums.into_data().try_to_vec::<f32>().unwrap(), [11.0, 30.0]);
/// ```
#[must_use]
pub fn block_product_onto(
    sums: Tensor<2>,
    (rows, index): (Tensor<2>, Tensor<1, Int>),
    weight: Tensor<3>,
    blocks: &[usize],
    contract: Contract,
    places: Tensor<1, Int>,
) -> Tensor<2> {
    let ([_, channels], [matrices, outer, inner]) = (rows.dims(), weight.dims());
    let (depth, outputs) = match contract {
        Contract::Inner => (inner, outer),
        Contract::Outer => (outer, inner),
    };
    let found = [channels, sums.dims()[1]];
    assert_eq!(
        found,
        [depth, outputs],
        "block product: expected rows and sums of {:?} channels, got {found:?}",
        [depth, outputs]
    );
    check_blocks(matrices, blocks, &index);
    check_blocks(matrices, blocks, &places);
    Tensor::from_dispatch(on_backend!(
        BlockOps::block_product_onto(sums, rows, index, weight, places),
        blocks.to_vec(),
        contract
    ))
}

fn check_blocks(matrices: usize, blocks: &[usize], index: &Tensor<1, Int>) {
    let (rows, [indexed]) = (blocks.iter().sum::<usize>(), index.dims());
    assert_eq!(blocks.len(), matrices, "blocks: expected one for each of {matrices} matrices");
    assert_eq!(indexed, rows, "blocks: expected an index of {rows} rows, got {indexed}");
}
