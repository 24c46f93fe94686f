//! Phones: features and labels at every frame of whole utterances.

mod frames;
mod score;
mod split;

pub use frames::{MOST_SURPLUS, PhoneFrames, aligned, labelled};
pub use score::{PhoneScore, score};
pub use split::speaker_folds;
