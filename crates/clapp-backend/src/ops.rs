//! The backend-generic trait: what a layer-local learning step asks of a tensor backend.

use burn::backend::{
    Backend, ExtensionType, backend_extension,
    tensor::{FloatTensor, IntTensor},
};

use crate::generic;

/// Which arithmetic a convolution may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// The fastest path of the backend; sums may be re-associated by algebraic identities
    /// (Winograd), which costs about one decimal digit of an f32.
    #[default]
    Fast,
    /// Plain sums of products only.
    Exact,
}

/// What follows a convolution before its output is handed to the next layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pool {
    /// The map as it is.
    #[default]
    None,
    /// Maximum over 2×2 blocks, stride 2, odd rows and columns dropped.
    Max2,
}

/// Geometry of a local 2-d convolution: square-free kernel, stride, zero padding, pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvSpec {
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Zero padding at both ends of each axis.
    pub padding: [usize; 2],
    /// Pool after the ReLU.
    pub pool: Pool,
    /// Which arithmetic is allowed.
    pub arithmetic: Arithmetic,
}

impl ConvSpec {
    /// A 3×3 convolution with stride 1 and padding 1, which keeps the size of the map.
    ///
    /// ```
    /// use clapp_backend::{ConvSpec, Pool};
    /// assert_eq!(ConvSpec::same_3x3(Pool::Max2).output_size([16, 16]), [8, 8]);
    /// ```
    #[must_use]
    pub fn same_3x3(pool: Pool) -> Self {
        Self { kernel: [3, 3], stride: [1, 1], padding: [1, 1], pool, arithmetic: Arithmetic::Fast }
    }

    /// The same geometry with another arithmetic.
    #[must_use]
    pub fn with_arithmetic(mut self, arithmetic: Arithmetic) -> Self {
        self.arithmetic = arithmetic;
        self
    }

    /// Height and width of the map before the pool.
    ///
    /// # Panics
    ///
    /// If the padded input is smaller than the kernel.
    #[must_use]
    pub fn map_size(&self, input: [usize; 2]) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let padded = input[axis] + 2 * self.padding[axis];
            assert!(
                padded >= self.kernel[axis],
                "convolution: expected a padded input of at least {} pixels on axis {axis}, got {padded}",
                self.kernel[axis]
            );
            (padded - self.kernel[axis]) / self.stride[axis] + 1
        })
    }

    /// Height and width of the output, after the pool.
    ///
    /// # Panics
    ///
    /// As [`map_size`](Self::map_size).
    #[must_use]
    pub fn output_size(&self, input: [usize; 2]) -> [usize; 2] {
        let map = self.map_size(input);
        match self.pool {
            Pool::None => map,
            Pool::Max2 => map.map(|pixels| pixels / 2),
        }
    }
}

/// Which axis of the matrices `[K, outer, inner]` meets the channels of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contract {
    /// The inner one: `y_o = Σ_i W_oi x_i`.
    Inner,
    /// The outer one: `y_i = Σ_o W_oi x_o`, the transposed matrix.
    Outer,
}

/// Coefficients of one Adam step, bias corrections included.
///
/// ```text
/// m ← β₁ m + (1−β₁) g      v ← β₂ v + (1−β₂) g²      g = λ W − ΔW
/// W ← W − η/(1−β₁ᵗ) · m / (√v / √(1−β₂ᵗ) + ε)
/// ```
///
/// The step is taken *along* ΔW, because a plasticity update is the negative of a gradient; the
/// moments are those of the gradient, as in other libraries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamCoefficients {
    /// Learning rate η.
    pub rate: f64,
    /// Decay β₁ of the first moment.
    pub beta_1: f64,
    /// Decay β₂ of the second moment.
    pub beta_2: f64,
    /// ε, added to the root of the corrected second moment.
    pub epsilon: f64,
    /// λ, coupled weight decay (L2).
    pub decay: f64,
    /// `1 − β₁ᵗ` at this step.
    pub correction_1: f64,
    /// `1 − β₂ᵗ` at this step.
    pub correction_2: f64,
}

/// What a local convolution leaves behind (backend primitives).
#[derive(Debug, ExtensionType)]
pub struct ConvOutput<B: Backend> {
    /// Activity for the next layer, `[n, c/L, h, w, L]`.
    pub output: FloatTensor<B>,
    /// Mean of the activity over the map, `[n, c]`.
    pub representation: FloatTensor<B>,
    /// Which pixel of a pooled block carries ρ′; the backend's own encoding.
    pub winners: IntTensor<B>,
}

/// Hebbian product of one layer (backend primitives).
#[derive(Debug, ExtensionType)]
pub struct HebbianOutput<B: Backend> {
    /// ΔW, in the layout of the weights.
    pub weight: FloatTensor<B>,
    /// Δb.
    pub bias: FloatTensor<B>,
}

/// Weights after an Adam step, with their moments (backend primitives).
#[derive(Debug, ExtensionType)]
pub struct AdamOutput<B: Backend> {
    /// The weights.
    pub weight: FloatTensor<B>,
    /// First moment m.
    pub first: FloatTensor<B>,
    /// Second moment v.
    pub second: FloatTensor<B>,
}

/// What happens in a recurrent layer (backend primitives).
#[derive(Debug, ExtensionType)]
pub struct GruOutput<B: Backend> {
    /// r and ζ beside each other, `[stream, time, 2 · unit]`.
    pub gates: FloatTensor<B>,
    /// n, `[stream, time, unit]`.
    pub candidates: FloatTensor<B>,
    /// v = W_hn h⁻ + b_hn, `[stream, time, unit]`.
    pub recalled: FloatTensor<B>,
    /// h, `[stream, time, unit]`.
    pub states: FloatTensor<B>,
}

/// What arrives at the gates of a recurrent layer deserves (backend primitives).
#[derive(Debug, ExtensionType)]
pub struct GruCreditOutput<B: Backend> {
    /// λ (δ_r, δ_ζ, δ_n), `[stream, time, 3 · unit]`.
    pub driven: FloatTensor<B>,
    /// λ (δ_r, δ_ζ, δ_n r), `[stream, time, 3 · unit]`.
    pub recalled: FloatTensor<B>,
}

/// How far back a modulation of a recurrent layer reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// To what each neuron's own memory ζ h has kept of its past: e-prop.
    Memory,
    /// Not beyond the present step.
    Present,
}

/// Primitives of a layer-local learning step.
///
/// Every method has a body composed of burn's own operations, so a backend needs nothing more than
/// `impl LocalOps for MyBackend {}`; [`Flex`](burn::backend) overrides them with fused CPU kernels.
/// Call them through the functions of this crate, which take burn's `Tensor` and pick the backend
/// at run time.
///
/// Activities between layers are `[n, c/L, h, w, L]`: *lines* of L channels. L belongs to the
/// backend: 1 is plain NCHW, Flex keeps 16 where the channel count allows it.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait LocalOps: Backend {
    /// Convolution with bias, ReLU, optional pool and mean over the map, in one call.
    fn conv2d_local(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> ConvOutput<Self> {
        generic::conv2d_local::<Self>(input, weight, bias, spec)
    }

    /// Post × pre of a local convolution; ρ′ and the pool's routing are applied inside. The modulation
    /// is `[n, c]`, the same for every pixel of a map, or `[n, h·w, c]`.
    fn conv2d_local_hebbian(
        input: FloatTensor<Self>,
        output: FloatTensor<Self>,
        winners: IntTensor<Self>,
        modulation: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> HebbianOutput<Self> {
        generic::conv2d_local_hebbian::<Self>(input, output, winners, modulation, weight, spec)
    }

    /// Brings an activity into plain `[n, c, h, w, 1]`.
    fn unpack(activity: FloatTensor<Self>) -> FloatTensor<Self> {
        activity
    }

    /// Brings an activity into rows of channels, `[n, h·w, c]`.
    fn to_rows(activity: FloatTensor<Self>) -> FloatTensor<Self> {
        generic::to_rows::<Self>(activity)
    }

    /// Post × pre of a 1-d convolution: `pre [n, i, l]`, `post [n, j, l']`.
    fn conv1d_hebbian(
        pre: FloatTensor<Self>,
        post: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> HebbianOutput<Self> {
        generic::conv1d_hebbian::<Self>(pre, post, weight, stride, padding)
    }

    /// Post × pre of a 2-d convolution: `pre [n, i, y, x]`, `post [n, j, y', x']`.
    fn conv2d_hebbian(
        pre: FloatTensor<Self>,
        post: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> HebbianOutput<Self> {
        generic::conv2d_hebbian::<Self>(pre, post, weight, stride, padding)
    }

    /// Post × pre of a 3-d convolution: `pre [n, i, t, y, x]`, `post [n, j, t', y', x']`.
    fn conv3d_hebbian(
        pre: FloatTensor<Self>,
        post: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: [usize; 3],
        padding: [usize; 3],
    ) -> HebbianOutput<Self> {
        generic::conv3d_hebbian::<Self>(pre, post, weight, stride, padding)
    }

    /// `u[r, n] = prediction[r] · targets[index[r, n]]`.
    fn pair_scores(
        prediction: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        index: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        generic::pair_scores::<Self>(prediction, targets, index)
    }

    /// `g[r] = Σ_n γ[r, n] targets[index[r, n]]`.
    fn pair_gather(
        gamma: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        index: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        generic::pair_gather::<Self>(gamma, targets, index)
    }

    /// `m[j] = Σ_{r,n: index[r,n] = j} γ[r, n] prediction[r]`, with `rows` rows.
    fn pair_scatter(
        gamma: FloatTensor<Self>,
        prediction: FloatTensor<Self>,
        index: IntTensor<Self>,
        rows: usize,
    ) -> FloatTensor<Self> {
        generic::pair_scatter::<Self>(gamma, prediction, index, rows)
    }

    /// `y[r] = W_k x[index r]` for every row `r` of block `k`; `blocks[k]` rows each.
    fn block_product(
        rows: FloatTensor<Self>,
        index: IntTensor<Self>,
        weight: FloatTensor<Self>,
        blocks: Vec<usize>,
        contract: Contract,
    ) -> FloatTensor<Self> {
        generic::block_product::<Self>(rows, index, weight, &blocks, contract)
    }

    /// `sums[places r] + Σ W_k x[index r]` over the rows `r` of all blocks; `blocks[k]` rows each.
    fn block_product_onto(
        sums: FloatTensor<Self>,
        rows: FloatTensor<Self>,
        index: IntTensor<Self>,
        weight: FloatTensor<Self>,
        blocks: Vec<usize>,
        contract: Contract,
        places: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        let product = generic::block_product::<Self>(rows, index, weight, &blocks, contract);
        generic::add_rows::<Self>(sums, product, places)
    }

    /// `W_k = Σ_r a[index_a r] b[index_b r]ᵀ` over the rows `r` of block `k`.
    fn block_outer(
        a: FloatTensor<Self>,
        index_a: IntTensor<Self>,
        b: FloatTensor<Self>,
        index_b: IntTensor<Self>,
        blocks: Vec<usize>,
    ) -> FloatTensor<Self> {
        generic::block_outer::<Self>([a, b], [index_a, index_b], &blocks)
    }

    /// A recurrent layer through recordings that begin in silence: `driven` `[stream, time, 3 · unit]`
    /// is what arrives from its input.
    fn gru_states(
        driven: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> GruOutput<Self> {
        generic::gru_states::<Self>(driven, weight, bias)
    }

    /// Modulation of the states, filtered backward by the update gate, times the slope of every gate.
    fn gru_credit(
        gates: FloatTensor<Self>,
        candidates: FloatTensor<Self>,
        recalled: FloatTensor<Self>,
        states: FloatTensor<Self>,
        modulation: FloatTensor<Self>,
        reach: Reach,
    ) -> GruCreditOutput<Self> {
        let seen = GruOutput { gates, candidates, recalled, states };
        generic::gru_credit::<Self>(seen, modulation, reach)
    }

    /// One Adam step along `delta`.
    fn adam(
        weight: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        delta: FloatTensor<Self>,
        coefficients: AdamCoefficients,
    ) -> AdamOutput<Self> {
        generic::adam::<Self>(weight, first, second, delta, coefficients)
    }

    /// One plain step: `W ← W + η ΔW`.
    fn sgd(weight: FloatTensor<Self>, delta: FloatTensor<Self>, rate: f64) -> FloatTensor<Self> {
        generic::sgd::<Self>(weight, delta, rate)
    }
}

#[cfg(feature = "ndarray")]
impl LocalOps for burn::backend::NdArray {}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl LocalOps for burn::backend::Cube {}
