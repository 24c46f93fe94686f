//! Local convolution and its Hebbian product, fused with all that surrounds them.

use burn::backend::{
    Backend, Shape, TensorMetadata, backend_extension,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::Tensor;

use crate::operation::{Composed, Own, WINNER_TYPE, dims, on_backend, options, reshape};
use crate::{Activity, ConvActivity, ConvSpec, Hebbian, HebbianOps, Pool, Response};

/// Local convolutions, as backends compute them.
///
/// Activities between layers are `[n, c/L, h, w, L]`: *lines* of L channels. L belongs to the
/// backend: 1 is plain NCHW, Flex keeps 16 where the channel count allows it.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait ConvolutionOps<P = Own>: Backend {
    /// [`conv2d_local`]: the activity for the next layer `[n, c/L, h, w, L]`, its mean over the map
    /// `[n, c]`, and which pixel of a pooled block carries ρ′, in the backend's own encoding.
    fn conv2d_local(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, IntTensor<Self>) {
        let map = Self::conv2d(
            plain::<Self>(input),
            weight,
            Some(bias),
            options(spec.stride, spec.padding),
        );
        let map = match spec.response {
            Response::Rectified => Self::relu(map),
            Response::Linear => map,
        };
        let (output, winners) = match spec.pool {
            Pool::None => {
                let device = map.device();
                (map, Self::int_zeros(Shape::from([1, 1, 1, 1, 1]), &device, WINNER_TYPE))
            }
            Pool::Max2 => {
                let pooled = Self::max_pool2d_with_indices(
                    map,
                    [2, 2],
                    [2, 2],
                    [0, 0],
                    [1, 1],
                    false,
                    WINNER_TYPE,
                );
                let [n, c, h, w] = dims::<4, Self>(&pooled.output);
                (pooled.output, Self::int_reshape(pooled.indices, Shape::from([n, c, h, w, 1])))
            }
        };
        let [n, c, h, w] = dims::<4, Self>(&output);
        let pixels = reshape::<Self, 3>(output.clone(), [n, c, h * w]);
        let representation = reshape::<Self, 2>(Self::float_mean_dim(pixels, 2), [n, c]);
        (reshape::<Self, 5>(output, [n, c, h, w, 1]), representation, winners)
    }

    /// [`conv2d_local_hebbian`] and [`conv2d_local_hebbian_map`]: ΔW and Δb, for a modulation `[n, c]`
    /// or `[n, h·w, c]`. ρ′ and the pool's routing are applied inside.
    fn conv2d_local_hebbian(
        input: FloatTensor<Self>,
        output: FloatTensor<Self>,
        winners: IntTensor<Self>,
        modulation: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (input, output) = (plain::<Self>(input), plain::<Self>(output));
        let [n, c, h, w] = dims::<4, Self>(&output);
        let modulation = if modulation.shape().num_dims() == 2 {
            let modulation = reshape::<Self, 4>(modulation, [n, c, 1, 1]);
            Self::float_expand(modulation, Shape::from([n, c, h, w]))
        } else {
            reshape::<Self, 4>(Self::float_swap_dims(modulation, 1, 2), [n, c, h, w])
        };
        let post = match spec.response {
            // ρ′ is 1 exactly where the rectified activity is above 0.
            Response::Rectified => Self::relu_backward(output, modulation),
            Response::Linear => modulation,
        };
        let post = match spec.pool {
            Pool::None => post,
            Pool::Max2 => unpool::<Self>(&input, post, winners, spec),
        };
        <Self as HebbianOps<Composed>>::conv2d_hebbian(
            input,
            post,
            weight,
            spec.stride,
            spec.padding,
        )
    }

    /// Brings an activity into plain `[n, c, h, w, 1]`.
    fn unpack(activity: FloatTensor<Self>) -> FloatTensor<Self> {
        activity
    }

    /// [`Activity::to_rows`].
    fn to_rows(activity: FloatTensor<Self>) -> FloatTensor<Self> {
        let activity = plain::<Self>(activity);
        let [n, c, h, w] = dims::<4, Self>(&activity);
        Self::float_swap_dims(reshape::<Self, 3>(activity, [n, c, h * w]), 1, 2)
    }
}

/// `[n, c, h, w, 1]` → `[n, c, h, w]`.
pub(crate) fn plain<B: Backend>(activity: FloatTensor<B>) -> FloatTensor<B> {
    let [n, c, h, w, lanes] = dims::<5, B>(&activity);
    assert_eq!(
        lanes, 1,
        "composed convolution: expected a plain activity [n, c, h, w, 1], got {lanes} lanes"
    );
    reshape::<B, 4>(activity, [n, c, h, w])
}

/// Routes `post` back to the pixels that won the 2×2 pool.
fn unpool<B: Backend>(
    input: &FloatTensor<B>,
    post: FloatTensor<B>,
    winners: IntTensor<B>,
    spec: ConvSpec,
) -> FloatTensor<B> {
    let [n, c, h, w] = dims::<4, B>(&post);
    let [_, _, input_height, input_width] = dims::<4, B>(input);
    let [height, width] = spec.map_size([input_height, input_width]);
    let winners = B::int_reshape(winners, Shape::from([n, c, h, w]));
    // Only the shape of the unpooled map matters to the routing.
    let dtype = post.dtype().into();
    let map = B::float_zeros(Shape::from([n, c, height, width]), &post.device(), dtype);
    B::max_pool2d_with_indices_backward(map, [2, 2], [2, 2], [0, 0], [1, 1], false, post, winners)
        .x_grad
}

/// Convolution with bias, response, optional pool, and the mean over the map.
///
/// ```text
/// a = W ∗ x + b        ρ(a) = max(0, a)        z = mean over the pooled map of ρ(a)
/// ```
///
/// # Shapes
/// - `input`: `[n, i, y, x]`; `weight`: `[j, i, ky, kx]`; `bias`: `[j]`
/// - returns the output `[n, j, y', x']` and the representation `[n, j]`
///
/// # Panics
///
/// If the channels of input, weight and bias disagree, or the map is smaller than the kernel.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::{Activity, ConvSpec, Pool, conv2d_local};
///
/// let device = Device::flex();
/// let input = Activity::from_plain(Tensor::ones([1, 1, 4, 4], &device));
/// let weight = Tensor::ones([1, 1, 3, 3], &device);
/// let activity = conv2d_local(&input, weight, Tensor::zeros([1], &device), ConvSpec::same_3x3(Pool::Max2));
/// // Every 2×2 block holds one of the four inner pixels, which see all nine neighbours.
/// assert_eq!(activity.representation.into_scalar::<f32>(), 9.0);
/// ```
#[must_use]
pub fn conv2d_local(
    input: &Activity,
    weight: Tensor<4>,
    bias: Tensor<1>,
    spec: ConvSpec,
) -> ConvActivity {
    check_conv(input, &weight, &bias, &spec);
    let (output, representation, winners) =
        on_backend!(ConvolutionOps::conv2d_local(input.lines.clone(), weight, bias), spec);
    ConvActivity {
        input: input.clone(),
        output: Activity { lines: Tensor::from_dispatch(output) },
        representation: Tensor::from_dispatch(representation),
        winners: Tensor::from_dispatch(winners),
    }
}

fn check_conv(input: &Activity, weight: &Tensor<4>, bias: &Tensor<1>, spec: &ConvSpec) {
    let [_, channels, ..] = input.dims();
    let [post, pre, kernel_y, kernel_x] = weight.dims();
    assert_eq!(channels, pre, "conv2d_local: expected {pre} input channels, got {channels}");
    assert_eq!(bias.dims(), [post], "conv2d_local: expected {post} biases, got {:?}", bias.dims());
    assert_eq!(
        spec.kernel,
        [kernel_y, kernel_x],
        "conv2d_local: expected a kernel of {:?}, got {:?}",
        spec.kernel,
        [kernel_y, kernel_x]
    );
}

/// Post × pre of a local convolution, for a modulation that is the same over a patch.
///
/// ```text
/// ΔW_ji(τ) = Σ_n m_nj Σ_p ρ′(a_nj(p)) x_ni(p + τ)        Δb_j = Σ_n m_nj Σ_p ρ′(a_nj(p))
/// ```
///
/// Where a pool follows, `p` runs over the winning pixels only. Local: pre, post and the modulation
/// of the same neuron; nothing else enters.
///
/// # Shapes
/// - `modulation`: `[n, j]`, already divided by the number of pixels where the representation is a mean
/// - `weight`: `[j, i, ky, kx]`, read for its shape only
///
/// # Panics
///
/// If `modulation` is not `[n, j]`.
#[must_use]
pub fn conv2d_local_hebbian(
    activity: &ConvActivity,
    modulation: Tensor<2>,
    weight: Tensor<4>,
    spec: ConvSpec,
) -> Hebbian<4> {
    let [n, channels, ..] = activity.output.dims();
    assert_eq!(
        modulation.dims(),
        [n, channels],
        "conv2d_local_hebbian: expected a modulation of {:?}, got {:?}",
        [n, channels],
        modulation.dims()
    );
    local_hebbian(activity, modulation, weight, spec)
}

/// Post × pre of a local convolution, for a modulation of its own at every pixel of the output.
///
/// ```text
/// ΔW_ji(τ) = Σ_np m_nj(p) ρ′(a_nj(p)) x_ni(p + τ)        Δb_j = Σ_np m_nj(p) ρ′(a_nj(p))
/// ```
///
/// As [`conv2d_local_hebbian`] otherwise. A sound is a map of one row.
///
/// # Shapes
/// - `modulation`: `[n, h·w, j]`, the rows of [`Activity::to_rows`]
///
/// # Panics
///
/// If `modulation` has another shape.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::{
///     Activity, Arithmetic, ConvSpec, Pool, Response, conv2d_local, conv2d_local_hebbian_map,
/// };
///
/// // A wave of four samples, a kernel of two taps.
/// let device = Device::flex();
/// let wave = Tensor::<1>::from_floats([1.0, -2.0, 3.0, 4.0], &device).reshape([1, 1, 1, 4]);
/// let spec = ConvSpec {
///     kernel: [1, 2], stride: [1, 1], padding: [0, 0], pool: Pool::None, arithmetic: Arithmetic::Fast,
///     response: Response::Rectified,
/// };
/// let weight = Tensor::<4>::ones([1, 1, 1, 2], &device);
/// let input = Activity::from_plain(wave);
/// let activity = conv2d_local(&input, weight.clone(), Tensor::zeros([1], &device), spec);
/// // Activities −1, 1, 7: the first frame is silent and learns nothing.
/// let rows = activity.output.to_rows();
/// assert_eq!(rows.clone().into_data().try_to_vec::<f32>().unwrap(), [0.0, 1.0, 7.0]);
/// let update = conv2d_local_hebbian_map(&activity, rows.ones_like(), weight, spec);
/// assert_eq!(update.weight.into_data().try_to_vec::<f32>().unwrap(), [-2.0 + 3.0, 3.0 + 4.0]);
/// ```
#[must_use]
pub fn conv2d_local_hebbian_map(
    activity: &ConvActivity,
    modulation: Tensor<3>,
    weight: Tensor<4>,
    spec: ConvSpec,
) -> Hebbian<4> {
    let [n, channels, height, width] = activity.output.dims();
    assert_eq!(
        modulation.dims(),
        [n, height * width, channels],
        "conv2d_local_hebbian_map: expected a modulation of {:?}, got {:?}",
        [n, height * width, channels],
        modulation.dims()
    );
    local_hebbian(activity, modulation, weight, spec)
}

fn local_hebbian<const D: usize>(
    activity: &ConvActivity,
    modulation: Tensor<D>,
    weight: Tensor<4>,
    spec: ConvSpec,
) -> Hebbian<4> {
    let ConvActivity { input, output, winners, .. } = activity.clone();
    Hebbian::new(on_backend!(
        ConvolutionOps::conv2d_local_hebbian(
            input.lines,
            output.lines,
            winners,
            modulation,
            weight
        ),
        spec
    ))
}
