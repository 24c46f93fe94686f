//! What CLAPP is compared with: the same losses, differentiated automatically.
//!
//! The rules of `clapp-rules` are written out; nothing there can differentiate anything. This crate
//! holds the other half of the proof: the loss whose gradient they claim to follow, built of plain
//! tensor operations and handed to burn's automatic differentiation.
//!
//! | equation | meaning | function |
//! |---|---|---|
//! | u = cᵀ (W_predᵀ z); S_ij = ⟨W_k c_i, z_j⟩ | score of a pair that was drawn; of all pairs of a batch | [`Loss::scores`] |
//! | L = scale/K Σ_k (⟨max(0, 1 − u⁺)⟩ + ⟨max(0, 1 + u⁻)⟩) | hinge over a grid | [`Loss::of_scores`] |
//! | L = −⟨log(π₀ + ε)⟩ | InfoNCE over a grid | [`Loss::of_scores`] |
//! | ∂L/∂W, ∂L/∂b, ∂L/∂W_pred, ∂L/∂W_retro, batch normalisation included | gradients of every module | [`Oracle::gradients`] |
//! | one L at the last layer, end to end | CPC and Hinge Loss CPC | [`images::step_modules`], [`sound::step_end_to_end`], [`film::step_end_to_end`] |
//! | one L at the end of each module | modules of several layers | [`images::step_modules`] |
//! | u± = z±·B c of two views | CLAPP++ and DFB as losses; back-propagation with them | [`Loss::Views`], [`images::step_modules`] |
//! | ⟨ΔW, −g⟩ / (‖ΔW‖ ‖g‖) | cosine of a local update and back-propagation | [`images::alignment`], [`cosine`] |
//! | ΔW = Σ_t m_t dh_t/dW | back-propagation through time, from the rule's own modulation | [`sound::through_time`] |
//! | −⟨log softmax(W c + b)⟩ | supervised and greedy supervised phones | [`sound::PhoneLearner`] |
//! | −⟨log softmax(W h̄ + b)⟩ | supervised and greedy supervised learning on images | [`images::step_supervised`] |
//! | −⟨log softmax(W f + b)⟩ | supervised learning and fine-tuning on video | [`film::step_supervised`] |
//! | d = ‖ΔW + g‖ / (‖ΔW‖ + ‖g‖) | how far an update is from a descent | [`disagreement`] |
//!
//! # Quick start
//!
//! The update of a layer, as its rule writes it down, is the negative gradient of its loss:
//!
//! ```
//! use burn::tensor::{Device, Int, Tensor};
//! use clapp_baselines::{Oracle, disagreement};
//! use clapp_encoders::{Context, EncoderConfig, Learnt, Stack};
//! use clapp_random::{Purpose, stream};
//! use clapp_rules::Rule;
//!
//! let device = Device::flex();
//! let rule = Rule::clapp();
//! let config = EncoderConfig::vgg6(1.0 / 64.0).unwrap();
//! let mut stack = Stack::init(&config, &rule, Context::SameLayer, 2, &device).unwrap();
//! let pixels = Tensor::<1, Int>::arange(0..2 * 64 * 64, &device).float();
//! let images = (pixels * 0.7).sin().reshape([2, 1, 64, 64]);
//! let draws = |l| rule.draw([2, 7, 7].into(), &mut stream(2, Purpose::Negatives, [l, 0, 0, 0]));
//!
//! let oracle = Oracle::of(&stack, &rule);
//! let gradients = oracle.gradients(&images, &(0..6).map(draws).collect::<Vec<_>>());
//!
//! let mut draw = |l: usize, grid| {
//!     draws(l as u64).iter().map(|draws| draws.rows(grid)).collect()
//! };
//! let mut compared = 0;
//! stack.visit(images, &rule, &mut draw, &mut |learnt| {
//!     if let Learnt::Layer { index, layer, activity, told } = learnt {
//!         let delta = layer.change(&activity, told);
//!         let gradient = &gradients[index].module.layers[0];
//!         assert!(disagreement(&delta.weight, &gradient.weight.weight()) < 1e-5);
//!         compared += 1;
//!     }
//! });
//! assert_eq!(compared, 6);
//! ```
//!
//! # Extending
//!
//! A module of several layers is several modules [joined](Oracle::joined): the gradient then passes
//! through all of them, and stops where the module begins. Layers of another kind implement
//! [`Differentiable`].
//!
//! # Features
//!
//! None. This is the only crate of the workspace with automatic differentiation. No other crate depends
//! on it but `clapp`, with a feature of that name that is off by default: what trains a network with
//! CLAPP has no back-propagation in its dependency tree.
//!
//! # Citation
//!
//! Illing, B., Ventura, J., Bellec, G., Gerstner, W. (2021). Local plasticity rules can learn deep
//! representations using self-supervised contrastive predictions. NeurIPS 34. arXiv:2010.08262.
//! The comparison follows the authors' `compare_updates.py`.

mod disagreement;
pub mod film;
pub mod images;
mod labels;
mod loss;
mod oracle;
mod parts;
pub mod sound;

pub use disagreement::{cosine, disagreement};
pub use labels::{LabelStep, LinearHead};
pub use loss::{Loss, draws_of};
pub use oracle::{Differentiable, Gradients, Module, Oracle, Seen};
pub use parts::{Parts, Visit};
