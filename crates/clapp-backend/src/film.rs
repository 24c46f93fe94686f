//! Layers over films: convolution over time and space, and what normalisation and max-pool need.

use burn::backend::{
    Backend, Shape, TensorMetadata, backend_extension,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::Tensor;

use crate::operation::{Own, WINNER_TYPE, dims, on_backend, options, reshape};
use crate::{FilmSpec, FrameWindow, Response};

/// Layers over films, as backends compute them.
///
/// Films are `[n, c, t, h, w]` in any memory order; a backend hands out the one that it likes best.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait FilmOps<P = Own>: Backend {
    /// [`arrange_film`].
    fn arrange_film(film: FloatTensor<Self>) -> FloatTensor<Self> {
        film
    }

    /// [`conv3d_local`].
    fn conv3d_local(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: FilmSpec,
    ) -> FloatTensor<Self> {
        let map = Self::conv3d(input, weight, Some(bias), options(spec.stride, spec.padding));
        match spec.response {
            Response::Rectified => Self::relu(map),
            Response::Linear => map,
        }
    }

    /// [`channel_moments`]: mean and variance.
    fn channel_moments(map: FloatTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [n, channels, time, height, width] = dims::<5, Self>(&map);
        let share = 1.0 / (n * time * height * width) as f64;
        let mean = Self::float_mul_scalar(channel_sum::<Self>(map.clone()), share.into());
        let centred = Self::float_sub(map, channel::<Self>(mean.clone(), channels));
        let square = channel_sum::<Self>(Self::float_mul(centred.clone(), centred));
        (mean, Self::float_mul_scalar(square, share.into()))
    }

    /// [`PooledMap::new`](crate::PooledMap::new): normalised values of the winners, and which pixel of each
    /// window won, in the backend's own encoding; `line` is α and β, `[2, c]`.
    fn normalise_pooled(
        map: FloatTensor<Self>,
        line: FloatTensor<Self>,
        window: FrameWindow,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        let [scale, offset] = [0, 1].map(|row| term::<Self>(&line, row));
        let (largest, winners) = if window == FrameWindow::PIXEL {
            let device = map.device();
            (map, Self::int_zeros(Shape::from([1; 5]), &device, WINNER_TYPE))
        } else {
            pooled::<Self>(map, scale.clone(), window)
        };
        (Self::float_add(Self::float_mul(largest, scale), offset), winners)
    }

    /// [`PooledMap::signal_sums`](crate::PooledMap::signal_sums).
    fn signal_sums(
        map: FloatTensor<Self>,
        winners: IntTensor<Self>,
        signal: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        window: FrameWindow,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let shape: [usize; 5] = dims::<5, Self>(&signal);
        let [n, channels, time, height, width] = shape;
        let winning = if window == FrameWindow::PIXEL {
            map
        } else {
            let [_, _, _, rows, columns] = dims::<5, Self>(&map);
            let map = reshape::<Self, 3>(map, [n, channels * time, rows * columns]);
            let places = Shape::from([n, channels * time, height * width]);
            reshape::<Self, 5>(
                Self::float_gather(2, map, Self::int_reshape(winners, places)),
                shape,
            )
        };
        let centred = Self::float_sub(winning, channel::<Self>(mean, channels));
        let centred = channel_sum::<Self>(Self::float_mul(signal.clone(), centred));
        (channel_sum::<Self>(signal), centred)
    }

    /// [`PooledMap::signal_back`](crate::PooledMap::signal_back); `terms` are α, κ and λ, `[3, c]`.
    fn signal_back(
        map: FloatTensor<Self>,
        winners: IntTensor<Self>,
        signal: FloatTensor<Self>,
        terms: FloatTensor<Self>,
        window: FrameWindow,
        response: Response,
    ) -> FloatTensor<Self> {
        let [scale, slope, offset] = [0, 1, 2].map(|row| term::<Self>(&terms, row));
        let sent = Self::float_mul(signal, scale);
        let routed = if window == FrameWindow::PIXEL {
            sent
        } else {
            routed::<Self>(&map, winners, sent, window)
        };
        let taken = Self::float_add(Self::float_mul(map.clone(), slope), offset);
        let post = Self::float_sub(routed, taken);
        match response {
            // ρ′ is 1 exactly where the rectified activity is above 0.
            Response::Rectified => Self::float_mul(post, Self::float_sign(map)),
            Response::Linear => post,
        }
    }
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

/// The same film in the memory order that its backend likes best: costs nothing the second time.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::arrange_film;
/// let film = Tensor::<5>::ones([1, 3, 2, 8, 8], &Device::flex());
/// assert_eq!(arrange_film(film).dims(), [1, 3, 2, 8, 8]);
/// ```
#[must_use]
pub fn arrange_film(film: Tensor<5>) -> Tensor<5> {
    Tensor::from_dispatch(on_backend!(FilmOps::arrange_film(film)))
}

/// Convolution over time and space with bias and response.
///
/// ```text
/// u = ρ(W ∗ x + b)
/// ```
///
/// # Shapes
/// - `input`: `[n, i, t, y, x]`; `weight`: `[j, i, kt, ky, kx]`; `bias`: `[j]`; returns `[n, j, t', y', x']`
///
/// # Panics
///
/// If the channels of input, weight and bias disagree, or the film is smaller than the kernel.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::{FilmSpec, Response, conv3d_local};
/// let device = Device::flex();
/// // Two frames of one pixel, 1 and 2; the second minus the first, and the first minus the second.
/// let film = Tensor::<1>::from_floats([1.0, 2.0], &device).reshape([1, 1, 2, 1, 1]);
/// let weight = Tensor::<1>::from_floats([-1.0, 1.0, 1.0, -1.0], &device).reshape([2, 1, 2, 1, 1]);
/// let spec = FilmSpec { stride: [1; 3], padding: [0; 3], response: Response::Rectified };
/// let map = conv3d_local(film, weight, Tensor::zeros([2], &device), spec);
/// assert_eq!(map.into_data().try_to_vec::<f32>().unwrap(), [1.0, 0.0]);
/// ```
#[must_use]
pub fn conv3d_local(
    input: Tensor<5>,
    weight: Tensor<5>,
    bias: Tensor<1>,
    spec: FilmSpec,
) -> Tensor<5> {
    let ([_, channels, ..], [post, pre, ..]) = (input.dims(), weight.dims());
    assert_eq!(channels, pre, "conv3d_local: expected {pre} input channels, got {channels}");
    assert_eq!(bias.dims(), [post], "conv3d_local: expected {post} biases, got {:?}", bias.dims());
    Tensor::from_dispatch(on_backend!(FilmOps::conv3d_local(input, weight, bias), spec))
}

/// Mean and biased variance of every channel of a map `[n, c, t, y, x]`, `[c]` each.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::channel_moments;
/// let map = Tensor::<1>::from_floats([1.0, 3.0], &Device::flex()).reshape([1, 1, 1, 1, 2]);
/// let (mean, variance) = channel_moments(map);
/// assert_eq!((mean.into_scalar::<f32>(), variance.into_scalar::<f32>()), (2.0, 1.0));
/// ```
#[must_use]
pub fn channel_moments(map: Tensor<5>) -> (Tensor<1>, Tensor<1>) {
    let (mean, variance) = on_backend!(FilmOps::channel_moments(map));
    (Tensor::from_dispatch(mean), Tensor::from_dispatch(variance))
}
