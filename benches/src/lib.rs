//! What the speed of CLAPP is measured with.
//!
//! | part | what | where |
//! |---|---|---|
//! | workloads | a training step, inference, convolutions alone, the loader | [`Training`], [`Case`], [`Images`] |
//! | sound | a training step, its recurrent layer alone | [`SoundTraining`], [`GruTraining`] |
//! | films | a training step, the loader of clips | [`FilmTraining`], [`Clips`] |
//! | clock | seconds, processor seconds, peak memory | [`measure()`], [`peak_memory`] |
//! | ceilings | multiply-adds and copied bytes a second that this machine can do | [`Ceilings`] |
//! | count | multiply-adds that a step has to do | [`count`] |
//!
//! The criterion benchmarks (`cargo bench`) and the program `clapp-bench`, which measures one workload
//! in a process of its own, share them. How to run each, and what a number means: `README.md`.

// Everything here measures the kernels of Flex.
#![cfg(feature = "flex")]

mod ceilings;
pub mod count;
mod error;
mod film;
mod layers;
mod loader;
mod measure;
mod process;
mod sound;
mod training;

pub use ceilings::Ceilings;
pub use error::Error;
pub use film::{Clips, FilmSetting, FilmTraining};
pub use layers::{Case, cases};
pub use loader::{IMAGES, Images};
pub use measure::{Repeats, Timing, measure, median};
pub use process::{cpu_time, peak_memory};
pub use sound::{GruStep, GruTraining, SoundSetting, SoundTraining};
pub use training::{Setting, Training, images};
