//! The primitives on burn's `Tensor`: the backend is chosen at run time by the tensors' device.

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use crate::ops::{AdamCoefficients, Contract, ConvSpec, HebbianOutput, LocalOps};

/// Activity between two layers, in whatever layout the backend likes best.
///
/// The lines `[n, c/L, h, w, L]` are opaque: build one with [`from_plain`](Self::from_plain), read
/// one with [`to_plain`](Self::to_plain). Between layers nothing is converted.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::Activity;
///
/// let images = Tensor::<4>::ones([2, 3, 8, 8], &Device::flex());
/// let activity = Activity::from_plain(images);
/// assert_eq!(activity.dims(), [2, 3, 8, 8]);
/// assert_eq!(activity.to_plain().dims(), [2, 3, 8, 8]);
/// ```
#[derive(Clone, Debug)]
pub struct Activity {
    lines: Tensor<5>,
}

impl Activity {
    /// Wraps a plain `[n, c, h, w]` tensor. Costs nothing.
    #[must_use]
    pub fn from_plain(tensor: Tensor<4>) -> Self {
        Self { lines: tensor.unsqueeze_dim(4) }
    }

    /// Converts to a plain `[n, c, h, w]` tensor.
    #[must_use]
    pub fn to_plain(&self) -> Tensor<4> {
        let plain = <Dispatch as LocalOps>::unpack(self.lines.clone().into_dispatch());
        Tensor::<5>::from_dispatch(plain).reshape(self.dims())
    }

    /// Converts to rows of channels, `[n, h·w, c]`: what a rule sees that looks at every pixel or frame.
    #[must_use]
    pub fn to_rows(&self) -> Tensor<3> {
        Tensor::from_dispatch(<Dispatch as LocalOps>::to_rows(self.lines.clone().into_dispatch()))
    }

    /// `[n, c, h, w]`.
    #[must_use]
    pub fn dims(&self) -> [usize; 4] {
        let [n, blocks, h, w, lanes] = self.lines.dims();
        [n, blocks * lanes, h, w]
    }
}

/// What a local convolution leaves behind for its own update, and hands to the next layer.
#[derive(Clone, Debug)]
pub struct ConvActivity {
    /// Presynaptic activity x.
    pub input: Activity,
    /// ρ(a), after the pool: the input of the next layer.
    pub output: Activity,
    /// Mean of ρ(a) over the map, `[n, c]`: what the rule sees.
    pub representation: Tensor<2>,
    winners: Tensor<5, Int>,
}

/// ΔW and Δb of one layer.
#[derive(Clone, Debug)]
pub struct Hebbian<const D: usize> {
    /// ΔW, in the layout of the weights.
    pub weight: Tensor<D>,
    /// Δb, one value per postsynaptic channel.
    pub bias: Tensor<1>,
}

impl<const D: usize> Hebbian<D> {
    fn from_dispatch(result: HebbianOutput<Dispatch>) -> Self {
        Self {
            weight: Tensor::from_dispatch(result.weight),
            bias: Tensor::from_dispatch(result.bias),
        }
    }
}

/// Convolution with bias, ReLU, optional pool, and the mean over the map.
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
    let result = <Dispatch as LocalOps>::conv2d_local(
        input.lines.clone().into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        spec,
    );
    ConvActivity {
        input: input.clone(),
        output: Activity { lines: Tensor::from_dispatch(result.output) },
        representation: Tensor::from_dispatch(result.representation),
        winners: Tensor::from_dispatch(result.winners),
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
///     Activity, Arithmetic, ConvSpec, Pool, conv2d_local, conv2d_local_hebbian_map,
/// };
///
/// // A wave of four samples, a kernel of two taps.
/// let device = Device::flex();
/// let wave = Tensor::<1>::from_floats([1.0, -2.0, 3.0, 4.0], &device).reshape([1, 1, 1, 4]);
/// let spec = ConvSpec {
///     kernel: [1, 2], stride: [1, 1], padding: [0, 0], pool: Pool::None, arithmetic: Arithmetic::Fast,
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
    Hebbian::from_dispatch(<Dispatch as LocalOps>::conv2d_local_hebbian(
        activity.input.lines.clone().into_dispatch(),
        activity.output.lines.clone().into_dispatch(),
        activity.winners.clone().into_dispatch(),
        modulation.into_dispatch(),
        weight.into_dispatch(),
        spec,
    ))
}

/// Post × pre of a 1-d convolution.
///
/// ```text
/// ΔW_ji(τ) = Σ_{n,p} post_nj(p) pre_ni(s·p + τ)        Δb_j = Σ_{n,p} post_nj(p)
/// ```
///
/// # Shapes
/// - `pre`: `[n, i, l]`; `post`: `[n, j, l']` (modulation × ρ′); `weight`: `[j, i, k]` for its shape
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::conv1d_hebbian;
/// let device = Device::flex();
/// let pre = Tensor::<3>::from_floats([[[1.0, 2.0, 3.0]]], &device);
/// let post = Tensor::<3>::from_floats([[[1.0, 0.0]]], &device);
/// let update = conv1d_hebbian(pre, post, Tensor::zeros([1, 1, 2], &device), 1, 0);
/// assert_eq!(update.weight.into_data().try_to_vec::<f32>().unwrap(), [1.0, 2.0]);
/// ```
#[must_use]
pub fn conv1d_hebbian(
    pre: Tensor<3>,
    post: Tensor<3>,
    weight: Tensor<3>,
    stride: usize,
    padding: usize,
) -> Hebbian<3> {
    let result = <Dispatch as LocalOps>::conv1d_hebbian(
        pre.into_dispatch(),
        post.into_dispatch(),
        weight.into_dispatch(),
        stride,
        padding,
    );
    Hebbian::from_dispatch(result)
}

/// Post × pre of a 2-d convolution, for a modulation of its own at every pixel.
///
/// # Shapes
/// - `pre`: `[n, i, y, x]`; `post`: `[n, j, y', x']` (modulation × ρ′); `weight`: `[j, i, ky, kx]`
///   for its shape
#[must_use]
pub fn conv2d_hebbian(
    pre: Tensor<4>,
    post: Tensor<4>,
    weight: Tensor<4>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> Hebbian<4> {
    let result = <Dispatch as LocalOps>::conv2d_hebbian(
        pre.into_dispatch(),
        post.into_dispatch(),
        weight.into_dispatch(),
        stride,
        padding,
    );
    Hebbian::from_dispatch(result)
}

/// Post × pre of a 3-d convolution.
///
/// # Shapes
/// - `pre`: `[n, i, t, y, x]`; `post`: `[n, j, t', y', x']`; `weight`: `[j, i, kt, ky, kx]` for its
///   shape
#[must_use]
pub fn conv3d_hebbian(
    pre: Tensor<5>,
    post: Tensor<5>,
    weight: Tensor<5>,
    stride: [usize; 3],
    padding: [usize; 3],
) -> Hebbian<5> {
    let result = <Dispatch as LocalOps>::conv3d_hebbian(
        pre.into_dispatch(),
        post.into_dispatch(),
        weight.into_dispatch(),
        stride,
        padding,
    );
    Hebbian::from_dispatch(result)
}

/// Post × pre of a fully connected layer.
///
/// ```text
/// ΔW_ji = Σ_n post_nj pre_ni        Δb_j = Σ_n post_nj
/// ```
///
/// # Shapes
/// - `pre`: `[n, i]`; `post`: `[n, j]` (modulation × ρ′); returns `[j, i]` and `[j]`
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::linear_hebbian;
/// let device = Device::flex();
/// let pre = Tensor::<2>::from_floats([[1.0, 2.0]], &device);
/// let post = Tensor::<2>::from_floats([[3.0]], &device);
/// let update = linear_hebbian(pre, post);
/// assert_eq!(update.weight.into_data().try_to_vec::<f32>().unwrap(), [3.0, 6.0]);
/// assert_eq!(update.bias.into_scalar::<f32>(), 3.0);
/// ```
#[must_use]
pub fn linear_hebbian(pre: Tensor<2>, post: Tensor<2>) -> Hebbian<2> {
    let [_, channels] = post.dims();
    let bias = post.clone().sum_dim(0).reshape([channels]);
    Hebbian { weight: post.transpose().matmul(pre), bias }
}

/// Scores of every context row with the target rows that `index` names.
///
/// ```text
/// u[r, n] = prediction[r] · targets[index[r, n]]
/// ```
///
/// # Shapes
/// - `prediction`: `[rows, z]`; `targets`: `[target rows, z]`; `index`: `[rows, n]`; returns `[rows, n]`
#[must_use]
pub fn pair_scores(prediction: Tensor<2>, targets: Tensor<2>, index: Tensor<2, Int>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as LocalOps>::pair_scores(
        prediction.into_dispatch(),
        targets.into_dispatch(),
        index.into_dispatch(),
    ))
}

/// Target rows that `index` names, summed with weights γ.
///
/// ```text
/// g[r] = Σ_n γ[r, n] targets[index[r, n]]
/// ```
///
/// # Shapes
/// - `gamma`, `index`: `[rows, n]`; `targets`: `[target rows, z]`; returns `[rows, z]`
#[must_use]
pub fn pair_gather(gamma: Tensor<2>, targets: Tensor<2>, index: Tensor<2, Int>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as LocalOps>::pair_gather(
        gamma.into_dispatch(),
        targets.into_dispatch(),
        index.into_dispatch(),
    ))
}

/// Dendritic predictions delivered to the rows that `index` names, weighted with γ.
///
/// ```text
/// m[j] = Σ_{r,n : index[r,n] = j} γ[r, n] prediction[r]
/// ```
///
/// # Shapes
/// - `gamma`, `index`: `[rows, n]`; `prediction`: `[rows, z]`; returns `[target_rows, z]`
#[must_use]
pub fn pair_scatter(
    gamma: Tensor<2>,
    prediction: Tensor<2>,
    index: Tensor<2, Int>,
    target_rows: usize,
) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as LocalOps>::pair_scatter(
        gamma.into_dispatch(),
        prediction.into_dispatch(),
        index.into_dispatch(),
        target_rows,
    ))
}

/// Products of blocks of rows with one matrix each.
///
/// ```text
/// y[r] = W_k x[index r]        for every row r of block k; W_kᵀ under Contract::Outer
/// ```
///
/// The blocks are the prediction steps of a rule: their rows overlap, so they are named, not copied.
///
/// # Shapes
/// - `rows`: `[any, channels]`; `index`: `[sum of blocks]`, rows of `rows`
/// - `weight`: `[blocks, outer, inner]`; returns `[sum of blocks, outer]`, or `inner` where the outer
///   axis is contracted
///
/// # Panics
///
/// If the lengths of `index`, `blocks` and `weight` do not fit.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use clapp_backend::{Contract, block_product};
/// let device = Device::flex();
/// let rows = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &device);
/// let index = Tensor::<1, Int>::from_ints([0, 1, 1], &device);
/// let weight = Tensor::<3>::from_floats([[[1.0, 0.0]], [[1.0, 1.0]]], &device);
/// // Rows 0 and 1 with the first matrix, row 1 again with the second.
/// let y = block_product(rows, index, weight, &[2, 1], Contract::Inner);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [1.0, 3.0, 7.0]);
/// ```
#[must_use]
pub fn block_product(
    rows: Tensor<2>,
    index: Tensor<1, Int>,
    weight: Tensor<3>,
    blocks: &[usize],
    contract: Contract,
) -> Tensor<2> {
    let ([_, channels], [matrices, outer, inner]) = (rows.dims(), weight.dims());
    let depth = if contract == Contract::Inner { inner } else { outer };
    assert_eq!(channels, depth, "block product: expected rows of {depth} channels, got {channels}");
    check_blocks(matrices, blocks, &index);
    Tensor::from_dispatch(<Dispatch as LocalOps>::block_product(
        rows.into_dispatch(),
        index.into_dispatch(),
        weight.into_dispatch(),
        blocks.to_vec(),
        contract,
    ))
}

/// Sums of outer products over the rows of every block.
///
/// ```text
/// W[k, o, i] = Σ_{r in block k} a[index_a r, o] · b[index_b r, i]
/// ```
///
/// # Shapes
/// - `a`: `[any, outer]`; `b`: `[any, inner]`; `index_a`, `index_b`: `[sum of blocks]`
/// - returns `[blocks, outer, inner]`
///
/// # Panics
///
/// If the lengths of the indices and `blocks` do not fit.
#[must_use]
pub fn block_outer(
    (a, index_a): (Tensor<2>, Tensor<1, Int>),
    (b, index_b): (Tensor<2>, Tensor<1, Int>),
    blocks: &[usize],
) -> Tensor<3> {
    check_blocks(blocks.len(), blocks, &index_a);
    check_blocks(blocks.len(), blocks, &index_b);
    Tensor::from_dispatch(<Dispatch as LocalOps>::block_outer(
        a.into_dispatch(),
        index_a.into_dispatch(),
        b.into_dispatch(),
        index_b.into_dispatch(),
        blocks.to_vec(),
    ))
}

/// [`block_product`] added to rows that are there: what all prediction steps send back.
///
/// ```text
/// sums[places r] ← sums[places r] + W_k x[index r]        for every row r of block k
/// ```
///
/// # Shapes
/// - `rows`: `[any, channels]` and their index `[sum of blocks]`; `weight`: `[blocks, outer, inner]`
/// - `sums`: `[any, outer or inner]`; `places`: `[sum of blocks]`, rows of `sums`
///
/// Hand `sums` over by value: a backend that owns them alone adds in place. It is fastest where the
/// places of a block ascend.
///
/// # Panics
///
/// If the lengths of `index`, `places`, `blocks` and `weight` do not fit.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use clapp_backend::{Contract, block_product_onto};
/// let device = Device::flex();
/// let rows = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &device);
/// let index = Tensor::<1, Int>::from_ints([0, 1, 1], &device);
/// let weight = Tensor::<3>::from_floats([[[1.0, 0.0]], [[1.0, 1.0]]], &device);
/// let sums = Tensor::<2>::from_floats([[10.0], [20.0]], &device);
/// let places = Tensor::<1, Int>::from_ints([0, 1, 1], &device);
/// let sums = block_product_onto(sums, (rows, index), weight, &[2, 1], Contract::Inner, places);
/// assert_eq!(sums.into_data().try_to_vec::<f32>().unwrap(), [11.0, 30.0]);
/// ```
#[must_use]
pub fn block_product_onto(
    sums: Tensor<2>,
    (rows, index): (Tensor<2>, Tensor<1, Int>),
    weight: Tensor<3>,
    blocks: &[usize],
    contract: Contract,
    places: Tensor<1, Int>,
) -> Tensor<2> {
    let ([_, channels], [matrices, outer, inner]) = (rows.dims(), weight.dims());
    let (depth, outputs) = match contract {
        Contract::Inner => (inner, outer),
        Contract::Outer => (outer, inner),
    };
    let found = [channels, sums.dims()[1]];
    assert_eq!(
        found,
        [depth, outputs],
        "block product: expected rows and sums of {:?} channels, got {found:?}",
        [depth, outputs]
    );
    check_blocks(matrices, blocks, &index);
    check_blocks(matrices, blocks, &places);
    Tensor::from_dispatch(<Dispatch as LocalOps>::block_product_onto(
        sums.into_dispatch(),
        rows.into_dispatch(),
        index.into_dispatch(),
        weight.into_dispatch(),
        blocks.to_vec(),
        contract,
        places.into_dispatch(),
    ))
}

fn check_blocks(matrices: usize, blocks: &[usize], index: &Tensor<1, Int>) {
    let (rows, [indexed]) = (blocks.iter().sum::<usize>(), index.dims());
    assert_eq!(blocks.len(), matrices, "blocks: expected one for each of {matrices} matrices");
    assert_eq!(indexed, rows, "blocks: expected an index of {rows} rows, got {indexed}");
}

/// One Adam step along `delta`: returns weights, first and second moments.
///
/// All four tensors have one shape. Hand them over by value: a backend that owns them alone updates
/// them in place.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_backend::{AdamCoefficients, adam};
/// let device = Device::flex();
/// let zero = || Tensor::<1>::zeros([1], &device);
/// let k = AdamCoefficients {
///     rate: 0.1, beta_1: 0.9, beta_2: 0.999, epsilon: 0.0, decay: 0.0,
///     correction_1: 1.0 - 0.9, correction_2: 1.0 - 0.999,
/// };
/// // The first step has the length of the learning rate, whatever the size of the update.
/// let (weight, _, _) = adam(zero(), zero(), zero(), Tensor::ones([1], &device), k);
/// assert!((weight.into_scalar::<f32>() - 0.1).abs() < 1e-6);
/// ```
#[must_use]
pub fn adam<const D: usize>(
    weight: Tensor<D>,
    first: Tensor<D>,
    second: Tensor<D>,
    delta: Tensor<D>,
    coefficients: AdamCoefficients,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let result = <Dispatch as LocalOps>::adam(
        weight.into_dispatch(),
        first.into_dispatch(),
        second.into_dispatch(),
        delta.into_dispatch(),
        coefficients,
    );
    (
        Tensor::from_dispatch(result.weight),
        Tensor::from_dispatch(result.first),
        Tensor::from_dispatch(result.second),
    )
}

/// One plain step: `W ← W + η ΔW`.
#[must_use]
pub fn sgd<const D: usize>(weight: Tensor<D>, delta: Tensor<D>, rate: f64) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as LocalOps>::sgd(
        weight.into_dispatch(),
        delta.into_dispatch(),
        rate,
    ))
}
