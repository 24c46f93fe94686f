//! Post × pre of any layer.

use burn::backend::{Shape, flex::FlexTensor};

use super::{contiguous, dims, film, memory::Buffer, single_precision, slice};
use crate::kernels::{ConvPlan, ConvShape, Evidence, Lanes, Modulation};
use crate::{Arithmetic, HebbianOps, Pool};

single_precision! {
    impl HebbianOps for Flex {
        fn conv1d_hebbian(
            pre: FlexTensor,
            post: FlexTensor,
            weight: FlexTensor,
            stride: usize,
            padding: usize,
        ) -> (FlexTensor, FlexTensor) {
            let [j, i, taps] = dims(&weight);
            let [pre, post, weight] = [pre, post, weight].map(|tensor| {
                let [n, c, length] = dims(&tensor);
                contiguous(tensor).reshape(Shape::from([n, c, 1, length]))
            });
            let (stride, padding) = ([1, stride], [0, padding]);
            let (weight, bias) =
                <Self as HebbianOps>::conv2d_hebbian(pre, post, weight, stride, padding);
            (weight.reshape(Shape::from([j, i, taps])), bias)
        }

        fn conv2d_hebbian(
            pre: FlexTensor,
            post: FlexTensor,
            weight: FlexTensor,
            stride: [usize; 2],
            padding: [usize; 2],
        ) -> (FlexTensor, FlexTensor) {
            let ([n, c_in, height, width], [c_out, _, rows, columns]) = (dims(&pre), dims(&weight));
            let kernel = [rows, columns];
            let shape = ConvShape { n, c_in, c_out, height, width, kernel, stride, padding };
            let plan = ConvPlan::new(shape, Pool::None)
                .with_lanes(Lanes::One, Lanes::One)
                .with_arithmetic(Arithmetic::Exact);
            let [pre, post] = [pre, post].map(contiguous);
            let (x, post) = (slice(&pre), slice(&post));
            let winners = vec![0; post.len()]; // ρ′ is already in `post`: every pixel counts
            update(&plan, Evidence { x, winners: &winners, modulation: Modulation::Map(post) })
        }

        fn conv3d_hebbian(
            pre: FlexTensor,
            post: FlexTensor,
            weight: FlexTensor,
            stride: [usize; 3],
            padding: [usize; 3],
        ) -> (FlexTensor, FlexTensor) {
            film::hebbian(&pre, &post, &weight, stride, padding)
        }
    }
}

/// ΔW and Δb of a 2-d convolution.
pub(super) fn update(plan: &ConvPlan, from: Evidence<'_>) -> (FlexTensor, FlexTensor) {
    let ConvShape { c_out, c_in, kernel: [rows, columns], .. } = plan.shape;
    let (mut dw, mut db) = (Buffer::new([c_out, c_in, rows, columns]), Buffer::new([c_out]));
    plan.hebbian(from, [dw.as_mut(), db.as_mut()]);
    (dw.into_tensor(), db.into_tensor())
}
