//! Runs on video: moving pictures without labels in, actions read out of every block.

mod config;
mod data;
mod features;
mod files;
mod network;
mod preset;
mod readout;
mod train;

pub use config::{VideoDataConfig, VideoReadoutConfig, VideoRunConfig};
pub use data::VideoData;
pub use files::{ClipPlace, ClipsConfig};
pub use preset::{VIDEO_METHODS, Video, video_preset};
pub use train::VideoTrainer;
