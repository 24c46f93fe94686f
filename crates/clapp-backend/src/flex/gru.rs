//! A gated recurrent layer through all steps of time in one call.

use burn::backend::{Flex, Shape, TensorMetadata, flex::FlexTensor};

use super::{memory::Buffer, slice};
use crate::{
    kernels::{self, GruShape, GruStates},
    ops::{GruCreditOutput, GruOutput, Reach},
};

pub(super) fn states(
    driven: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
) -> GruOutput<Flex> {
    let ([streams, time, _], [_, units]): ([usize; 3], [usize; 2]) =
        (driven.shape().dims(), weight.shape().dims());
    let shape = GruShape { streams, time, units };
    let room = |each: usize| Buffer::<f32>::new(streams * time * units * each);
    let (mut gates, mut candidates, mut recalled, mut states) =
        (room(2), room(1), room(1), room(1));
    let out = GruStates {
        gates: gates.as_mut(),
        candidates: candidates.as_mut(),
        recalled: recalled.as_mut(),
        states: states.as_mut(),
    };
    kernels::gru_states(shape, slice(driven), [slice(weight), slice(bias)], out);
    let tensor = |values: Buffer<f32>, each: usize| {
        values.into_tensor(Shape::from([streams, time, each * units]))
    };
    GruOutput {
        gates: tensor(gates, 2),
        candidates: tensor(candidates, 1),
        recalled: tensor(recalled, 1),
        states: tensor(states, 1),
    }
}

pub(super) fn credit(
    seen: &GruOutput<Flex>,
    modulation: &FlexTensor,
    reach: Reach,
) -> GruCreditOutput<Flex> {
    let [streams, time, units]: [usize; 3] = seen.states.shape().dims();
    let shape = GruShape { streams, time, units };
    let reach = match reach {
        Reach::Memory => kernels::Reach::Memory,
        Reach::Present => kernels::Reach::Present,
    };
    let room = || Buffer::<f32>::new(3 * streams * time * units);
    let (mut driven, mut recalled) = (room(), room());
    let seen = GruStates {
        gates: slice(&seen.gates),
        candidates: slice(&seen.candidates),
        recalled: slice(&seen.recalled),
        states: slice(&seen.states),
    };
    let out = [driven.as_mut(), recalled.as_mut()];
    kernels::gru_credit(shape, &seen, slice(modulation), reach, out);
    let tensor = |values: Buffer<f32>| values.into_tensor(Shape::from([streams, time, 3 * units]));
    GruCreditOutput { driven: tensor(driven), recalled: tensor(recalled) }
}
