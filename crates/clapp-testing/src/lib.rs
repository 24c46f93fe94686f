//! What the tests of the workspace share. Not published.

pub mod distance;
#[cfg(feature = "tensors")]
pub mod golden;
