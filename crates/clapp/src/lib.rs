//! CLAPP: deep networks that learn without labels and without back-propagation.

pub use clapp_backend as backend;
pub use clapp_backend::device;
pub use clapp_datasets as datasets;
pub use clapp_encoders as encoders;
pub use clapp_eval as eval;
pub use clapp_random as random;
pub use clapp_rules as rules;
pub use clapp_store as store;

mod threads;

pub mod config;
mod data;
mod error;
mod evaluate;
mod preset;
mod progress;
mod run;
mod summary;
mod train;

pub use config::RunConfig;
pub use data::{Data, Source};
pub use error::Error;
pub use evaluate::{RANDOM_ENCODER, RAW_PIXELS, evaluate};
pub use preset::{Images, METHODS, PRESETS, preset};
pub use progress::Progress;
pub use run::{Observer, Outcome, Run, Silent};
pub use summary::summary;
pub use threads::set_threads;
pub use train::{StepMetrics, Trainer};
