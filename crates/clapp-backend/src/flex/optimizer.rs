//! Steps along an update, in place where nobody else has the weights.

use burn::backend::flex::FlexTensor;

use super::{contiguous, dims, single_precision, slice, whole};
use crate::AdamCoefficients;
use crate::kernels::{self, UnitNorm, instruction_set};

single_precision! {
    impl OptimizerOps for Flex {
        fn adam(
            weight: FlexTensor,
            first: FlexTensor,
            second: FlexTensor,
            delta: FlexTensor,
            coefficients: AdamCoefficients,
        ) -> (FlexTensor, FlexTensor, FlexTensor) {
            let [mut weight, mut first, mut second] = [weight, first, second].map(whole);
            let delta = contiguous(delta);
            let state = [weight.storage_mut(), first.storage_mut(), second.storage_mut()];
            kernels::adam(instruction_set(), state, slice(&delta), coefficients);
            (weight, first, second)
        }

        fn sgd(weight: FlexTensor, delta: FlexTensor, rate: f64) -> FlexTensor {
            let (mut weight, delta) = (whole(weight), contiguous(delta));
            kernels::sgd(weight.storage_mut(), slice(&delta), rate as f32);
            weight
        }

        fn unit_norm(
            weight: FlexTensor,
            delta: FlexTensor,
            decay: FlexTensor,
            rate: f64,
            power: f64,
        ) -> FlexTensor {
            let [_, columns] = dims(&weight);
            let (mut weight, delta, decay) = (whole(weight), contiguous(delta), contiguous(decay));
            let decay = Some(slice(&decay)).filter(|decay| !decay.is_empty());
            let step = UnitNorm { dw: slice(&delta), decay, columns, rate, power };
            kernels::unit_norm(instruction_set(), weight.storage_mut(), step);
            weight
        }
    }
}
