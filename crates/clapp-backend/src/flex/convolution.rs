//! Local convolutions between activities in lines of 16 channels.

use burn::backend::{TensorMetadata, flex::FlexTensor};

use super::{contiguous, dims, hebbian::update, memory::Buffer, single_precision, slice};
use crate::kernels::{
    self, ConvPlan, ConvShape, Evidence, Inputs, LANES, Lanes, Modulation, Outputs,
};
use crate::{Composed, ConvSpec, ConvolutionOps};

single_precision! {
    impl ConvolutionOps for Flex {
        fn conv2d_local(
            input: FlexTensor,
            weight: FlexTensor,
            bias: FlexTensor,
            spec: ConvSpec,
        ) -> (FlexTensor, FlexTensor, FlexTensor) {
            let plan = plan(&input, &weight, spec);
            let [n, c] = [plan.shape.n, plan.shape.c_out];
            let [height, width] = plan.out_size();
            let lanes = if plan.output_lanes == Lanes::One { 1 } else { LANES };
            let shape = [n, c / lanes, height, width, lanes];
            let (mut output, mut winners) = (Buffer::new(shape), Buffer::new(shape));
            let mut mean = Buffer::new([n, c]);
            let [input, weight, bias] = [input, weight, bias].map(contiguous);
            let from = Inputs { x: slice(&input), w: slice(&weight), b: slice(&bias) };
            let (y, winning) = (output.as_mut(), winners.as_mut());
            plan.forward(from, Outputs { y, winners: winning, mean: mean.as_mut() });
            (output.into_tensor(), mean.into_tensor(), winners.into_tensor())
        }

        fn conv2d_local_hebbian(
            input: FlexTensor,
            output: FlexTensor,
            winners: FlexTensor,
            modulation: FlexTensor,
            weight: FlexTensor,
            spec: ConvSpec,
        ) -> (FlexTensor, FlexTensor) {
            let plan = plan(&input, &weight, spec);
            let [input, winners, modulation] = [input, winners, modulation].map(contiguous);
            let modulation = match modulation.shape().num_dims() {
                3 => Modulation::Rows(slice(&modulation)),
                _ => Modulation::PerPatch(slice(&modulation)),
            };
            update(&plan, Evidence { x: slice(&input), winners: slice(&winners), modulation })
        }

        fn unpack(activity: FlexTensor) -> FlexTensor {
            let [n, blocks, height, width, lanes] = dims(&activity);
            if lanes == 1 {
                return activity;
            }
            let (activity, channels) = (contiguous(activity), blocks * lanes);
            let mut plain = Buffer::<f32>::new([n, channels, height, width, 1]);
            kernels::unpack(channels, height * width, slice(&activity), plain.as_mut());
            plain.into_tensor()
        }

        fn to_rows(activity: FlexTensor) -> FlexTensor {
            let [n, blocks, height, width, lanes] = dims(&activity);
            if lanes == 1 {
                return <Self as ConvolutionOps<Composed>>::to_rows(activity);
            }
            let (activity, channels) = (contiguous(activity), blocks * lanes);
            let mut rows = Buffer::new([n, height * width, channels]);
            kernels::lines_to_rows(channels, height * width, slice(&activity), rows.as_mut());
            rows.into_tensor()
        }
    }
}

fn plan(input: &FlexTensor, weight: &FlexTensor, spec: ConvSpec) -> ConvPlan {
    let [n, blocks, height, width, lanes] = dims(input);
    let [c_out, c_in, ..]: [usize; 4] = dims(weight);
    debug_assert_eq!(blocks * lanes, c_in, "checked by the caller");
    let ConvSpec { kernel, stride, padding, pool, arithmetic, response } = spec;
    let shape = ConvShape { n, c_in, c_out, height, width, kernel, stride, padding };
    let input_lanes = if lanes == 1 { Lanes::One } else { Lanes::Sixteen };
    ConvPlan::new(shape, pool)
        .with_lanes(input_lanes, Lanes::preferred(c_out))
        .with_arithmetic(arithmetic)
        .with_response(response)
}
