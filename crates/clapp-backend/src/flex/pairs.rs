//! Sums over pairs, without a copy of what the pairs name.

use burn::backend::flex::FlexTensor;

use super::{contiguous, dims, memory::Buffer, single_precision, slice};
use crate::kernels::{self, Pairs, instruction_set};

single_precision! {
    impl PairOps for Flex {
        fn pair_scores(prediction: FlexTensor, targets: FlexTensor, index: FlexTensor) -> FlexTensor {
            let [prediction, targets, index] = [prediction, targets, index].map(contiguous);
            let mut scores = Buffer::new(dims::<2>(&index));
            let (pairs, p, z) = (pairs(&targets, &index), slice(&prediction), slice(&targets));
            kernels::pair_scores(instruction_set(), pairs, p, z, scores.as_mut());
            scores.into_tensor()
        }

        fn pair_gather(gamma: FlexTensor, targets: FlexTensor, index: FlexTensor) -> FlexTensor {
            let [gamma, targets, index] = [gamma, targets, index].map(contiguous);
            let (pairs, [rows, _]) = (pairs(&targets, &index), dims(&index));
            let mut sums = Buffer::new([rows, pairs.channels]);
            let (gamma, z) = (slice(&gamma), slice(&targets));
            kernels::pair_gather(instruction_set(), pairs, gamma, z, sums.as_mut());
            sums.into_tensor()
        }

        fn pair_scatter(
            gamma: FlexTensor,
            prediction: FlexTensor,
            index: FlexTensor,
            rows: usize,
        ) -> FlexTensor {
            let [gamma, prediction, index] = [gamma, prediction, index].map(contiguous);
            let pairs = pairs(&prediction, &index);
            let mut sums = Buffer::new([rows, pairs.channels]);
            let (gamma, p) = (slice(&gamma), slice(&prediction));
            kernels::pair_scatter(instruction_set(), pairs, gamma, p, sums.as_mut());
            sums.into_tensor()
        }
    }
}

fn pairs<'a>(rows: &FlexTensor, index: &'a FlexTensor) -> Pairs<'a> {
    let ([_, channels], [_, n]) = (dims(rows), dims(index));
    Pairs { channels, n, index: slice(index) }
}
