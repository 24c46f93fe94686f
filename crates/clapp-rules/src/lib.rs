//! The plasticity rules of CLAPP, written out: how a layer learns from its own activity, without
//! labels and without back-propagation.
//!
//! A layer's neurons predict, through lateral weights, what they will see next. If the eye stays (a
//! *fixation*), the prediction should come true; if it jumps (a *saccade*), it should fail. One number
//! says which of the two happened and whether the layer noticed. It is broadcast to all synapses, and
//! with what each of them has at hand anyway, its dendrite, its post- and its presynaptic activity, it
//! is enough.
//!
//! # Equations
//!
//! | symbol | equation | function |
//! |---|---|---|
//! | ẑ dendritic prediction | ẑ = W_pred c | [`dendritic_prediction`] |
//! | u score | u = zᵀ W_pred c | [`fixation_score`], [`saccade_score`](equations::saccade_score) |
//! | L loss of a pair | L = max(0, 1 − y·u) | [`hinge`](equations::hinge), [`Hinge`] |
//! | γ third factor | γ = −∂L/∂u = y · 1\[y·u < 1\] | [`third_factor`](equations::third_factor), [`Contrast`] |
//! | γ of layer-wise GIM | γ_τ = (1\[τ = 0\] − π_τ) · π₀/(π₀ + ε) | [`InfoNce`] |
//! | g weighted targets | g = γ⁺ z⁺ + Σ_n γ⁻_n z⁻_n | [`weighted_targets`] |
//! | ΔW_pred | γ z_j c_k, summed: gᵀ c | [`delta_w_pred`] |
//! | ΔW_retro | γ c_k z_j, summed: cᵀ g | [`delta_w_retro`] |
//! | m modulation, predicted side | m = γ W_pred c | [`target_modulation`] |
//! | m modulation, predicting side | m = γ W_retro z | [`context_modulation`] |
//! | ΔW of a neuron | ΔW_ji = m_j ρ′(a_j) x_i | the layer's own: `clapp-encoders`, or yours |
//! | all of it, a batch at once | L = (1/K) Σ_k \[mean L⁺ + mean L⁻\] | [`Rule::update`] |
//! | all pairs of a batch | S = Ẑ Zᵀ, m(Z) = Γᵀ Ẑ, g = Γ Z | [`AllPairs::update`] |
//! | two views of each image | u⁺ = p_σ(i) · B c_i, u⁻ with the next image's view | [`TwoViews`], [`view_scores`](equations::view_scores) |
//! | parts of an image side by side | u⁺ = z_j · W_ij z_i within a block of 2 × 2 places | [`Siblings`] |
//! | two views without negatives | m = −(z − z′) + push − decorrelation | [`Lpl`] |
//! | an image with itself, two images | m = 2 p⁺ + p⁻ of both pairs that an image is in | [`Scff`] |
//! | all of it, a step of time at once | the same with traces of one step | [`OnlineRule`](online::OnlineRule), [`OnlineLayer`](online::OnlineLayer) |
//! | SoftHebb, LPL, a step of time at once | what adds up to their batch, and what cannot | [`OnlineHebb`](online::OnlineHebb), [`OnlineLpl`](online::OnlineLpl) |
//!
//! [`OnlineRule`](online::OnlineRule) runs the functions of single equations as they stand. [`Rule::update`] runs
//! [`weighted_targets`] and [`target_modulation`], and for all prediction steps at once the fused operations of
//! `clapp-backend` in the place of the others; `tests/definitions.rs` holds it against all of them.
//!
//! # Glossary
//!
//! A symbol means one thing in the whole workspace.
//!
//! | word | symbol | meaning |
//! |---|---|---|
//! | presynaptic activity | x | what a synapse carries: the output of the layer below |
//! | summed input | a | a = W x + b of a neuron |
//! | rectification | ρ | ρ(a) = max(0, a); ρ′(a) = 1\[a > 0\] is a neuron's postsynaptic factor |
//! | representation | – | what the rule sees of a layer: ρ(a), in images its mean over a patch |
//! | context | c | the representation that predicts, at an earlier time |
//! | target | z | the representation that is predicted |
//! | dendritic prediction | ẑ | W_pred c: what the apical dendrites of the target's neurons receive |
//! | prediction weights | W_pred | lateral, from context to target, `[target, context]` |
//! | retrodiction weights | W_retro | lateral, from target back to context, `[context, target]` |
//! | score | u | agreement of target and prediction |
//! | fixation | y = +1 | the eye stayed between context and target |
//! | saccade | y = −1 | it jumped: the target belongs to another place or image |
//! | outcome | y | which of the two it was |
//! | third factor | γ | −∂L/∂u: the one number that is broadcast to a layer |
//! | gate | – | 1\[y·u < 1\]: open while a prediction is not yet good enough |
//! | modulation | m | third factor × dendritic signal: how strongly one neuron's synapses change |
//! | decay | d | how fast a neuron's weights shrink: ΔW −= d W |
//! | rows | – | the pairs of one update, as places of the grid |
//! | eligibility trace | – | what a synapse remembers of its own post × pre until the modulation arrives |
//! | probe | – | a read-out trained on frozen representations, to see what they are worth |
//! | update gate | ζ | reserved for recurrent cells (z would be taken) |
//! | prediction steps, skip | K | step k predicts over k + skip steps of time |
//!
//! # Quick start
//!
//! Activities come from anywhere, as `[batch, time, site, channel]`; sites never interact.
//!
//! ```
//! use clapp_rules::burn::tensor::{Device, Distribution, Tensor};
//! use clapp_rules::{Optimizer, Purpose, Rule, stream};
//!
//! let (device, mut random) = (Device::flex(), stream(2, Purpose::Initialisation, [0; 4]));
//! let rule = Rule::clapp(); // or Rule::clapp_s(), Rule::gim(), or any other combination
//! let mut lateral = rule.weights(8, 8, &device, &mut random);
//! let z = Tensor::<4>::random([4, 7, 7, 8], Distribution::Uniform(0.0, 1.0), &device);
//! let draws = rule.draw([4, 7, 7].into(), &mut random);
//! let update = rule.update(z.clone(), z, &lateral, &draws);
//!
//! // Every neuron multiplies this with its own ρ′(a) · x:
//! assert_eq!(update.modulation().dims(), [4, 7, 7, 8]);
//! let loss = update.monitor().loss;
//! assert!(loss.is_finite() && loss > 0.0);
//! lateral.learn(update.lateral, &Optimizer::default());
//! ```
//!
//! A stream that is never batched has [`OnlineLayer`](online::OnlineLayer), and neurons of your own have [`OnlineRule`](online::OnlineRule).
//! Any generator of `rand` will do; [`stream`] gives one with an address.
//!
//! # How to extend
//!
//! **A rule of your own** is a [`Plasticity`]: from what a layer shows to a modulation of its neurons, with
//! lateral weights and statistics of its own, or none. Its page has Oja's rule in ten lines.
//!
//! **Pairs of your own** are [`Rows`]: who predicts whom, and where a saccade lands. Views of an image, time,
//! patches, permutations are all the same to [`Contrastive`], whose page has a rule over two views.
//!
//! **A loss of your own** is a [`Contrast`]: from scores to third factors. The rest stays. Here the
//! gate becomes smooth, σ(−y·u) instead of 1\[y·u < 1\]:
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor, activation::sigmoid};
//! use clapp_rules::{Contrast, Plasticity, Purpose, Rule, Seen, ThirdFactor, stream};
//!
//! /// L = ln(1 + exp(−y·u)), so γ = −∂L/∂u = y · σ(−y·u).
//! #[derive(Debug)]
//! struct Logistic;
//!
//! impl Contrast for Logistic {
//!     fn third_factor(&self, fixation: Tensor<2>, saccade: Tensor<2>) -> ThirdFactor {
//!         let [_, n] = saccade.dims();
//!         let (gate, open) = (sigmoid(-fixation), sigmoid(saccade));
//!         ThirdFactor {
//!             fixation_loss: -(-gate.clone() + 1.0).log(),
//!             saccade_loss: (-(-open.clone() + 1.0).log()).mean_dim(1),
//!             fixation: gate,
//!             saccade: -open / n as f64,
//!         }
//!     }
//! }
//!
//! let (device, rule) = (Device::flex(), Rule::clapp_s().with_contrast(Logistic));
//! let mut random = stream(2, Purpose::Test, [0; 4]);
//! let lateral = Rule::clapp_s().weights(8, 8, &device, &mut random);
//! let z = Tensor::<4>::random([4, 7, 7, 8], Distribution::Uniform(0.0, 0.01), &device);
//! let rows = rule.pairs([4, 7, 7].into(), &mut random);
//! let update = rule.changes(Seen { layer: 0, target: z, context: None, lateral: &lateral, rows: &rows });
//! // Two terms of ln 2 each while nothing is predicted yet.
//! assert!((update.monitor().loss - 2.0 * 2f64.ln()).abs() < 0.01);
//! ```
//!
//! What its tests must show: γ = −∂loss/∂u by finite differences (`tests/eq_third_factor.rs` has the
//! loop), and [`Contrast::separable`] says `false` if a term can't stand alone.
//!
//! **A sampler of your own** is a [`ContrastSampler`]: which pairs are contrasted. Its page has one in
//! ten lines; [`Rule::draw_with`] takes it in the place of the rule's own negatives. Its tests must show
//! that every target is a row of the same shift.
//!
//! **A layer of your own** needs nothing from here but [`Update::modulation`] and its own ρ′(a) · x;
//! `tests/outside` holds a whole program of that kind.
//!
//! # Features
//!
//! `flex` (CPU, default), `ndarray` (CPU, for compatibility), `wgpu`, `cuda`: execution backends,
//! forwarded to burn. The device of the tensors chooses among them at run time. There is no autodiff
//! in the dependency tree, with any of them.
//!
//! # Citation
//!
//! Illing, B., Ventura, J., Bellec, G., Gerstner, W. (2021). Local plasticity rules can learn deep
//! representations using self-supervised contrastive predictions. NeurIPS 34. arXiv:2010.08262.

mod all_pairs;
mod all_pairs_half;
mod contrastive;
mod error;
mod lateral;
mod lpl;
mod matrices;
pub mod online;
mod optimizer;
mod pairs;
mod permutation;
mod plasticity;
mod rows;
mod rule;
mod sampler;
mod scff;
mod score;
mod score_matrix;
mod siblings;
pub mod smooth;
mod soft_hebb;
mod space;
mod state;
mod synapses;
mod third_factor;
mod update;
mod updates;
mod view_update;
mod views;

pub use burn;
pub use clapp_random::{Purpose, Stream, stream};

pub use all_pairs::AllPairs;
pub use contrastive::Contrastive;
pub use error::RuleError;
pub use lateral::{Lateral, LateralUpdate, W_PRED, W_RETRO, WayBack};
pub use lpl::Lpl;
pub use matrices::Matrices;
pub use optimizer::{Memory, Optimize, Optimizer};
pub use pairs::{Draws, GridShape, Index, Pairs, Window, flip_outcomes};
pub use plasticity::{Extent, Modulation, Plasticity, Post, Seen, Shown};
pub use rows::{Pairing, Rows, Saccades};
pub use rule::{Feedback, Objective, Rule, Timing};
pub use sampler::{ContrastSampler, Negatives, Scope, SelfHits};
pub use scff::Scff;
pub use siblings::Siblings;
pub use soft_hebb::SoftHebb;
pub use space::Space;
pub use state::{State, StateError};
pub use synapses::Synapses;
pub use third_factor::{Contrast, Hinge, InfoNce, Outcome, ThirdFactor};
pub use update::{Metrics, Monitor, Update};
pub use views::{TwoViews, ViewNegatives, ViewObjective};

use equations::{
    context_modulation, delta_w_pred, delta_w_retro, dendritic_prediction, fixation_score,
    target_modulation, weighted_targets,
};

/// The equations of the paper, one function each.
pub mod equations {
    pub use crate::score::{dendritic_prediction, fixation_score, saccade_score};
    pub use crate::third_factor::{hinge, third_factor};
    pub use crate::updates::{
        Gamma, context_modulation, delta_w_pred, delta_w_retro, target_modulation, weighted_targets,
    };
    pub use crate::view_update::view_scores;
    pub use crate::views::rows as view_rows;
}
