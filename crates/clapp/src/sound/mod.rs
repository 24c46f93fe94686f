//! Runs on sound: talkers without labels in, phones read out of every layer.

#[cfg(feature = "baselines")]
mod compared;
mod config;
mod data;
mod features;
mod files;
mod network;
#[cfg(feature = "baselines")]
mod own;
mod preset;
mod readout;
mod speakers;
mod train;

pub use config::{SoundDataConfig, SoundReadoutConfig, SoundRunConfig};
pub use data::SoundData;
pub use files::{FilesConfig, LabelsConfig, Place, RatesConfig};
pub use preset::{SOUND_METHODS, Sound, sound_preset};
pub use readout::{LOG_MEL, MFCC};
pub use train::SoundTrainer;
