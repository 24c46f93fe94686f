//! Backend-generic primitives of a layer-local learning step, on [burn](https://burn.dev).
//!
//! A layer that learns locally needs only two halves of what back-propagation needs: a forward pass
//! and the product of what a synapse sees, *post × pre*. No gradient ever passes to the layer below.
//! This crate gives those two halves, and the few products of a contrastive rule, on every backend of
//! burn:
//!
//! | primitive | equation | function |
//! |---|---|---|
//! | local convolution | z = mean ρ(W ∗ x + b) | [`conv2d_local`] |
//! | its Hebbian product | ΔW = Σ m ρ′(a) x | [`conv2d_local_hebbian`] |
//! | Hebbian product of other layers | ΔW = Σ post × pre | [`linear_hebbian`], [`conv1d_hebbian`], [`conv2d_hebbian`], [`conv3d_hebbian`] |
//! | film layer | u = ρ(W ∗ x + b) over time and space; moments, normalisation, max-pool | [`conv3d_local`], [`channel_moments`], [`PooledMap`] |
//! | scores of pairs | u = (W_pred c) · z | [`pair_scores`] |
//! | targets weighted by γ | g = Σ γ z | [`pair_gather`] |
//! | predictions sent to targets | m = Σ γ (W_pred c) | [`pair_scatter`] |
//! | recurrent layer | h = (1 − ζ) n + ζ h⁻ | [`gru_states`] |
//! | its credit by e-prop | λ_t = m_t + ζ_{t+1} λ_{t+1}, times slope | [`gru_credit`] |
//! | competing channels | y = ± softmax(t u), x̂, max(u − ⟨u⟩, 0)ᵖ | [`soft_winners`], [`Activity::normalised`], [`Activity::triangle`] |
//! | optimizer steps | W ← W + … | [`adam`], [`sgd`], [`unit_norm`] |
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use clapp_backend::{Activity, ConvSpec, Pool, conv2d_local, conv2d_local_hebbian};
//!
//! let device = Device::flex();
//! let spec = ConvSpec::same_3x3(Pool::None);
//! let (weight, bias) = (Tensor::ones([2, 1, 3, 3], &device), Tensor::zeros([2], &device));
//! let patches = Activity::from_plain(Tensor::ones([5, 1, 8, 8], &device));
//!
//! let activity = conv2d_local(&patches, weight.clone(), bias, spec);
//! // A rule looks at `activity.representation` and answers with a modulation per neuron.
//! let modulation = activity.representation.ones_like();
//! let update = conv2d_local_hebbian(&activity, modulation, weight, spec);
//! assert_eq!(update.weight.dims(), [2, 1, 3, 3]);
//! ```
//!
//! # Adding a backend
//!
//! An operation is a method of one of eight traits: [`ConvolutionOps`], [`HebbianOps`], [`PairOps`],
//! [`CompetitionOps`], [`BlockOps`], [`GruOps`], [`OptimizerOps`], [`FilmOps`]. `impl PairOps for MyBackend {}` is enough:
//! every method has a body made of burn's own operations. Override what your hardware does better;
//! `<Self as PairOps<Composed>>::pair_scores(…)` is the body of an overridden one. Autodiff backends
//! deliberately do not implement them: the updates here are not derived from a graph.
//!
//! # Features
//!
//! `flex` (CPU, with the kernels of this crate; the only default), `ndarray` (CPU, for compatibility),
//! `wgpu`, `cuda`: forwarded to burn, with its autotune. The other crates of the workspace take this one without default
//! features, because a final binary should choose. [`device`] opens a backend by name.

// On docs.rs every item says which feature it needs; the compiler there knows how.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]
// Upstream deprecates burn-ndarray; it stays selectable here, and tested.
#![allow(deprecated)]

pub use burn;

mod activity;
mod blocks;
mod competition;
mod convolution;
mod device;
mod film;
#[cfg(feature = "flex")]
mod flex;
mod gru;
mod hebbian;
#[cfg(feature = "flex")]
mod kernels;
mod operation;
mod optimizer;
mod pairs;
mod pooled_map;
#[cfg(feature = "flex")]
mod roofline;
mod spec;

pub use activity::{Activity, ConvActivity};
pub use blocks::{BlockOps, Contract, block_outer, block_product, block_product_onto};
pub use competition::{CompetitionOps, soft_winners};
pub use convolution::{
    ConvolutionOps, conv2d_local, conv2d_local_hebbian, conv2d_local_hebbian_map,
};
pub use device::{DeviceError, device};
pub use film::{FilmOps, arrange_film, channel_moments, conv3d_local};
pub use gru::{GruCredit, GruOps, GruStates, Reach, gru_credit, gru_states};
pub use hebbian::{
    Hebbian, HebbianOps, conv1d_hebbian, conv2d_hebbian, conv3d_hebbian, linear_hebbian,
};
pub use operation::{Composed, Own};
pub use optimizer::{AdamCoefficients, OptimizerOps, adam, sgd, unit_norm};
pub use pairs::{PairOps, pair_gather, pair_scatter, pair_scores};
pub use pooled_map::PooledMap;
pub use spec::{Arithmetic, ConvSpec, FilmSpec, FrameWindow, MapWindow, Pool, Response, WindowOf};

/// What the benchmarks of this project ask the kernels.
#[cfg(feature = "flex")]
#[doc(hidden)]
pub mod bench {
    pub use crate::kernels::{ConvPlan, ConvShape, InstructionSet, instruction_set};
    pub use crate::roofline::{copy_gbytes, fma_gflops};
}
