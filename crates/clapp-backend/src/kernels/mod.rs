//! Fast kernels of a layer-local learning step on processors: fused convolution and its weight
//! update.
//!
//! | step | equation | function |
//! |---|---|---|
//! | forward | `z = pool(ReLU(w ∗ x + b))`, mean over the map, winners | [`ConvPlan::forward`] |
//! | update | `Δw = Σ m · 1[winner] · x` | [`ConvPlan::hebbian`] |
//! | prediction | `ŷ = W_k x` for the rows of every prediction step k | [`block_product`] |
//! | the way back | `m += W_k x`, row by row | [`block_product_onto`] |
//! | its update | `W_k = Σ a bᵀ` | [`block_outer`] |
//! | recurrence | `h = (1 − ζ) n + ζ h⁻` through all steps of time | [`gru_states`] |
//! | its credit | `λ_t = m_t + ζ_{t+1} λ_{t+1}`, times slope | [`gru_credit`] |
//! | film, forward | `u = ρ(w ∗ x + b)` over time and space | [`FilmShape::forward`] |
//! | film, update | `Δw = Σ post · x` | [`FilmShape::hebbian`] |
//! | normalisation | moments of every channel; `y = α u + β` of the winners, and back | [`channel_moments`], [`FramePool`] |
//! | competition | `y = ± softmax(t u)` over channels, `x̂`, `max(u − ⟨u⟩, 0)ᵖ` | [`soft_winners`], [`normalise_reflected`], [`triangle`] |
//! | optimizer | Adam, gradient ascent or descent | [`adam`], [`sgd`] |
//!
//! Every algorithm is written once, over 16 lanes of f32, and compiled for AVX-512, AVX2 and any
//! other processor; [`InstructionSet`] says which. Three schemes lower a convolution to matrix
//! products: direct (any shape), Winograd (3×3) and that of films. Results do not depend, bit for bit, on the
//! number of threads.
//!
//! `unsafe` is in `x86.rs`, vector instructions, each with a proof that the processor has them, and in
//! `simd.rs`, lines that are streamed past the caches. The only other of the workspace is in
//! `flex/memory.rs`, where results become tensors.

mod blocks;
mod call;
mod competition;
mod direct;
mod film;
mod film_scheme;
mod filter;
mod forward;
mod frame_pool;
mod frame_windows;
mod function;
mod gru;
mod hebbian;
mod instruction;
mod line;
mod onto;
mod optimizer;
mod pairs;
mod peak;
mod product;
mod rectify;
mod rows;
mod scheme;
mod shape;
mod shelf;
mod simd;
#[cfg(test)]
mod tests;
mod tile;
mod winograd;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use blocks::{IndexedRows, block_outer, block_product};
pub use competition::{LineMap, map_moments, normalise_reflected, soft_winners, triangle};
pub use film::FilmShape;
pub use forward::Inputs;
pub use frame_pool::{Back, FramePool};
pub use gru::{GruShape, gru_credit, gru_states};
pub use hebbian::Evidence;
pub(crate) use instruction::check_instruction_set;
pub use instruction::{InstructionSet, InstructionSetError, instruction_set};
pub use line::{Line, lines_to_rows, unpack};
pub use onto::{block_product_onto, places_ascend};
pub use optimizer::{UnitNorm, adam, sgd, unit_norm};
pub use pairs::{Pairs, pair_gather, pair_scatter, pair_scores};
pub use peak::{FMA_LANES, fma_rounds};
pub use rows::{channel_moments, plain_to_rows};
pub use scheme::{Modulation, Outputs};
pub use shape::{ConvPlan, ConvShape, LANES, Lanes};
pub use shelf::Lent;
