//! Products of the rows of every prediction step with that step's matrix.

use burn::backend::{Flex, flex::FlexTensor, ops::FloatTensorOps};
use burn::tensor::IndexingUpdateOp;

use super::{contiguous, dims, memory::Buffer, single_precision, slice, whole};
use crate::kernels::{self, IndexedRows, instruction_set};
use crate::{BlockOps, Contract};

single_precision! {
    impl BlockOps for Flex {
        fn block_product(
            rows: FlexTensor,
            index: FlexTensor,
            weight: FlexTensor,
            blocks: Vec<usize>,
            contract: Contract,
        ) -> FlexTensor {
            let [rows, index, weight] = [rows, index, weight].map(contiguous);
            let ([count], [_, outer, inner]) = (dims(&index), dims(&weight));
            let outputs = if contract == Contract::Inner { outer } else { inner };
            let mut y = Buffer::new([count, outputs]);
            let (rows, weight) = (indexed(&rows, &index), slice(&weight));
            let instructions = instruction_set();
            kernels::block_product(instructions, rows, weight, &blocks, contract, y.as_mut());
            y.into_tensor()
        }

        fn block_product_onto(
            sums: FlexTensor,
            rows: FlexTensor,
            index: FlexTensor,
            weight: FlexTensor,
            places: FlexTensor,
            blocks: Vec<usize>,
            contract: Contract,
        ) -> FlexTensor {
            let [index, places] = [index, places].map(contiguous);
            if !kernels::places_ascend(slice(&places), &blocks) {
                let product =
                    <Self as BlockOps>::block_product(rows, index, weight, blocks, contract);
                return Flex::float_select_assign(sums, 0, places, product, IndexingUpdateOp::Add);
            }
            let (mut sums, rows, weight) = (whole(sums), contiguous(rows), contiguous(weight));
            let (rows, weight) = (indexed(&rows, &index), slice(&weight));
            let to = (slice(&places), sums.storage_mut());
            kernels::block_product_onto(instruction_set(), rows, weight, &blocks, contract, to);
            sums
        }

        fn block_outer(
            a: FlexTensor,
            index_a: FlexTensor,
            b: FlexTensor,
            index_b: FlexTensor,
            blocks: Vec<usize>,
        ) -> FlexTensor {
            let [a, index_a, b, index_b] = [a, index_a, b, index_b].map(contiguous);
            let (a, b) = (indexed(&a, &index_a), indexed(&b, &index_b));
            let mut weight = Buffer::new([blocks.len(), a.channels, b.channels]);
            kernels::block_outer(instruction_set(), a, b, &blocks, weight.as_mut());
            weight.into_tensor()
        }
    }
}

fn indexed<'a>(rows: &'a FlexTensor, index: &'a FlexTensor) -> IndexedRows<'a> {
    let [_, channels] = dims(rows);
    IndexedRows { values: slice(rows), channels, index: slice(index) }
}
