//! Images with back-propagation: modules of several layers, classes with labels, and how far local updates
//! point the same way.
//!
//! | method | what to call |
//! |---|---|
//! | CPC, Hinge Loss CPC, also time-local, with W_retro or blocked | [`step_modules`] with one module |
//! | CLAPP-s and GIM in modules of several layers | [`step_modules`] |
//! | back-propagation with the loss of CLAPP++ | [`step_modules`] with one module and [`TwoViews`](clapp_rules::TwoViews) |
//! | supervised, greedy supervised | [`step_supervised`] |
//! | cosine of the local update and back-propagation, layer by layer | [`alignment`] |
//!
//! Layers are those of the local encoder itself ([`Convolution`]): alone or in a stack of unlike layers.

mod alignment;
mod in_place;
mod layers;

pub use alignment::alignment;
pub use in_place::{step_modules, step_supervised};
pub use layers::Convolution;
