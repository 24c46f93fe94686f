//! Bodies of [`FilmOps`](crate::FilmOps) composed of burn's own operations.

use burn::backend::{
    Backend, Shape, TensorMetadata,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::IntDType;

use crate::{
    film::{FilmSpec, FrameWindow, MomentsOutput, PooledOutput, Response, SignalOutput},
    generic::{dims, options, reshape},
};

const WINNER_TYPE: IntDType = IntDType::I32;

pub(crate) fn conv3d_local<B: Backend>(
    input: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    spec: FilmSpec,
) -> FloatTensor<B> {
    let map = B::conv3d(input, weight, Some(bias), options(spec.stride, spec.padding));
    match spec.response {
        Response::Rectified => B::relu(map),
        Response::Linear => map,
    }
}

pub(crate) fn channel_moments<B: Backend>(map: FloatTensor<B>) -> MomentsOutput<B> {
    let [n, channels, time, height, width] = dims::<5, B>(&map);
    let share = 1.0 / (n * time * height * width) as f64;
    let mean = B::float_mul_scalar(channel_sum::<B>(map.clone()), share.into());
    let centred = B::float_sub(map, channel::<B>(mean.clone(), channels));
    let square = channel_sum::<B>(B::float_mul(centred.clone(), centred));
    MomentsOutput { mean, variance: B::float_mul_scalar(square, share.into()) }
}

pub(crate) fn normalise_pooled<B: Backend>(
    map: FloatTensor<B>,
    line: FloatTensor<B>,
    window: FrameWindow,
) -> PooledOutput<B> {
    let [scale, offset] = [0, 1].map(|row| term::<B>(&line, row));
    let (largest, winners) = if window == FrameWindow::PIXEL {
        let device = map.device();
        (map, B::int_zeros(Shape::from([1; 5]), &device, WINNER_TYPE))
    } else {
        pooled::<B>(map, scale.clone(), window)
    };
    let output = B::float_add(B::float_mul(largest, scale), offset);
    PooledOutput { output, winners }
}

/// Values and places of the winners.
fn pooled<B: Backend>(
    map: FloatTensor<B>,
    scale: FloatTensor<B>,
    window: FrameWindow,
) -> (FloatTensor<B>, IntTensor<B>) {
    let [n, channels, time, ..] = dims::<5, B>(&map);
    // −1 where y falls with u, else 1: the largest y is then the smallest u.
    let falls = B::relu(B::float_neg(B::float_sign(scale)));
    let sign = B::float_add_scalar(B::float_mul_scalar(falls, (-2.0).into()), 1.0.into());
    let frames = frames::<B>(B::float_mul(map, sign.clone()));
    let FrameWindow { side, stride } = window;
    let found = B::max_pool2d_with_indices(
        frames,
        [side; 2],
        [stride; 2],
        [0, 0],
        [1, 1],
        false,
        WINNER_TYPE,
    );
    let [_, _, height, width] = dims::<4, B>(&found.output);
    let shape = [n, channels, time, height, width];
    let values = B::float_mul(reshape::<B, 5>(found.output, shape), sign);
    (values, B::int_reshape(found.indices, Shape::from(shape)))
}

pub(crate) fn signal_sums<B: Backend>(
    map: FloatTensor<B>,
    winners: IntTensor<B>,
    signal: FloatTensor<B>,
    mean: FloatTensor<B>,
    window: FrameWindow,
) -> SignalOutput<B> {
    let shape: [usize; 5] = dims::<5, B>(&signal);
    let [n, channels, time, height, width] = shape;
    let winning = if window == FrameWindow::PIXEL {
        map
    } else {
        let [_, _, _, rows, columns] = dims::<5, B>(&map);
        let map = reshape::<B, 3>(map, [n, channels * time, rows * columns]);
        let places = Shape::from([n, channels * time, height * width]);
        reshape::<B, 5>(B::float_gather(2, map, B::int_reshape(winners, places)), shape)
    };
    let centred = B::float_sub(winning, channel::<B>(mean, channels));
    let centred = channel_sum::<B>(B::float_mul(signal.clone(), centred));
    SignalOutput { sum: channel_sum::<B>(signal), centred }
}

pub(crate) fn signal_back<B: Backend>(
    map: FloatTensor<B>,
    winners: IntTensor<B>,
    signal: FloatTensor<B>,
    terms: FloatTensor<B>,
    window: FrameWindow,
    response: Response,
) -> FloatTensor<B> {
    let [scale, slope, offset] = [0, 1, 2].map(|row| term::<B>(&terms, row));
    let sent = B::float_mul(signal, scale);
    let routed =
        if window == FrameWindow::PIXEL { sent } else { routed::<B>(&map, winners, sent, window) };
    let taken = B::float_add(B::float_mul(map.clone(), slope), offset);
    let post = B::float_sub(routed, taken);
    match response {
        // ρ′ is 1 exactly where the rectified activity is above 0.
        Response::Rectified => B::float_mul(post, B::float_sign(map)),
        Response::Linear => post,
    }
}

/// A signal at the pixels that won; one that won in several windows gets the sum.
fn routed<B: Backend>(
    map: &FloatTensor<B>,
    winners: IntTensor<B>,
    signal: FloatTensor<B>,
    window: FrameWindow,
) -> FloatTensor<B> {
    let (shape, signal) = (dims::<5, B>(map), frames::<B>(signal));
    let winners = B::int_reshape(winners, signal.shape());
    // Only the shape of the map matters to the routing.
    let map = frames::<B>(map.clone());
    let ([side, stride], none) = ([[window.side; 2], [window.stride; 2]], ([0, 0], [1, 1], false));
    let found = B::max_pool2d_with_indices_backward(
        map, side, stride, none.0, none.1, none.2, signal, winners,
    );
    reshape::<B, 5>(found.x_grad, shape)
}

/// Frames of all channels side by side: the pool never crosses them.
fn frames<B: Backend>(map: FloatTensor<B>) -> FloatTensor<B> {
    let [n, channels, time, height, width] = dims::<5, B>(&map);
    reshape::<B, 4>(map, [n, channels * time, height, width])
}

/// Sum over everything but the channel, axis by axis: a sum of 10⁵ numbers in one go loses a digit in single
/// precision, and every synapse of the channel would see it.
fn channel_sum<B: Backend>(map: FloatTensor<B>) -> FloatTensor<B> {
    let [_, channels, ..] = dims::<5, B>(&map);
    let sum = [4, 3, 2, 0].into_iter().fold(map, |map, axis| B::float_sum_dim(map, axis));
    reshape::<B, 1>(sum, [channels])
}

/// One number for each channel, ready to meet a map.
fn channel<B: Backend>(values: FloatTensor<B>, channels: usize) -> FloatTensor<B> {
    reshape::<B, 5>(values, [1, channels, 1, 1, 1])
}

/// A row of coefficients, ready to meet a map.
fn term<B: Backend>(terms: &FloatTensor<B>, row: usize) -> FloatTensor<B> {
    let [_, channels] = dims::<2, B>(terms);
    channel::<B>(B::float_slice(terms.clone(), &[(row..row + 1).into()]), channels)
}
