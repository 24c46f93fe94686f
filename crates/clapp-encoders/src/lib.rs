//! Layers that learn locally and the encoders built of them.

mod conv2d;
mod error;
mod layer;
mod patches;
mod stack;
mod vgg;

pub use conv2d::LocalConv2d;
pub use error::EncoderError;
pub use layer::LocalLayer;
pub use patches::PatchGrid;
pub use stack::{Context, DrawPairs, Learnt, Stack};
pub use vgg::{ConvPlan, EncoderConfig, PoolAfter};
