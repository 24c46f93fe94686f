//! Sound with back-propagation: encoders whose modules have several layers, recurrence through time, and
//! phones with labels.
//!
//! | method | what | modules |
//! |---|---|---|
//! | CPC | InfoNCE at the recurrent layer, end to end | [`step_end_to_end`], [`Oracle::end_to_end`](crate::Oracle::end_to_end) |
//! | Hinge Loss CPC | the hinge there | the same with [`Rule::clapp_s_sound`](clapp_rules::Rule::clapp_s_sound) |
//! | CLAPP-s and layer-wise GIM with BPTT | local convolutions; the recurrent layer through time | [`step_through_time`], [`Oracle::layer_wise`](crate::Oracle::layer_wise) |
//! | supervised, greedy supervised | phones, end to end or at every layer | [`PhoneLearner`] |
//!
//! Convolutions and recurrence are written here once more, with burn's plain operations, so that they can
//! judge those of `clapp-encoders`.

mod frames;
mod in_place;
mod layers;
mod module;
mod phones;

pub use in_place::{step_end_to_end, step_through_time, through_time};
pub use layers::{SoundLayers, Stop, gru};
pub use module::SoundModule;
pub use phones::PhoneLearner;
