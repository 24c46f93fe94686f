//! A gated recurrent layer through all steps of time in one call.

use burn::backend::flex::FlexTensor;

use super::{contiguous, dims, memory::Buffer, single_precision, slice};
use crate::kernels::{self, GruShape, instruction_set};
use crate::{GruStates, Reach};

single_precision! {
    impl GruOps for Flex {
        fn gru_states(
            driven: FlexTensor,
            weight: FlexTensor,
            bias: FlexTensor,
        ) -> (FlexTensor, FlexTensor, FlexTensor, FlexTensor) {
            let [driven, weight, bias] = [driven, weight, bias].map(contiguous);
            let ([streams, time, _], [_, units]) = (dims(&driven), dims(&weight));
            let shape = GruShape { streams, time, units };
            let [mut gates, mut candidates, mut recalled, mut states] =
                [2, 1, 1, 1].map(|each| Buffer::<f32>::new([streams, time, each * units]));
            let out = GruStates {
                gates: gates.as_mut(),
                candidates: candidates.as_mut(),
                recalled: recalled.as_mut(),
                states: states.as_mut(),
            };
            let parameters = [slice(&weight), slice(&bias)];
            kernels::gru_states(instruction_set(), shape, slice(&driven), parameters, out);
            let [gates, candidates, recalled, states] =
                [gates, candidates, recalled, states].map(Buffer::into_tensor);
            (gates, candidates, recalled, states)
        }

        fn gru_credit(
            gates: FlexTensor,
            candidates: FlexTensor,
            recalled: FlexTensor,
            states: FlexTensor,
            modulation: FlexTensor,
            reach: Reach,
        ) -> (FlexTensor, FlexTensor) {
            let [gates, candidates, recalled, states, modulation] =
                [gates, candidates, recalled, states, modulation].map(contiguous);
            let [streams, time, units] = dims(&states);
            let shape = GruShape { streams, time, units };
            let seen = GruStates {
                gates: slice(&gates),
                candidates: slice(&candidates),
                recalled: slice(&recalled),
                states: slice(&states),
            };
            let [mut driven, mut past] = [(); 2].map(|()| Buffer::new([streams, time, 3 * units]));
            let out = [driven.as_mut(), past.as_mut()];
            kernels::gru_credit(instruction_set(), shape, &seen, slice(&modulation), reach, out);
            (driven.into_tensor(), past.into_tensor())
        }
    }
}
