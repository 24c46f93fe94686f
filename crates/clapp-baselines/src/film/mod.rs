//! Video encoders with back-propagation: end-to-end CPC and supervised learning.
//!
//! | method | what to build |
//! |---|---|
//! | oracle of a layer-local encoder | [`Oracle::of`](crate::Oracle::of): one block a module |
//! | CPC, Hinge Loss CPC | [`step_end_to_end`] |
//! | modules of n blocks | [`Oracle::joined`](crate::Oracle::joined), [`Oracle::step`](crate::Oracle::step) |
//! | supervised from random weights, fine-tuning of learnt ones | [`step_supervised`] |
//!
//! Independent of the rules on purpose: blocks are burn's convolution and pool, mean and variance plain sums.

mod block;
mod head;
mod in_place;

pub use head::ClassifierHead;
pub use in_place::{Rates, step_end_to_end, step_supervised};
