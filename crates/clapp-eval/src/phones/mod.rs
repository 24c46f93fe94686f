//! Phones: features and labels at every frame of whole utterances.

mod frames;
mod score;

pub use frames::{MOST_SURPLUS, PhoneFrames, labelled};
pub use score::{PhoneScore, score};
