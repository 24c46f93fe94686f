//! CLAPP: deep networks that learn without labels and without back-propagation.
//!
//! A *run* is an experiment from its first image, sound or clip to its table: a network learns layer by
//! layer without labels (Illing et al. 2021), then every layer is read out beside two controls, the
//! same network before its first step and the pixels themselves. This crate has the presets, the
//! training loop, checkpoints and read-outs, and passes on the crates that it is made of. Those who
//! want the rule alone, for activities of their own, need [`rules`] and nothing else.
//!
//! # Parts
//!
//! | step | what | type |
//! |---|---|---|
//! | choose | preset × method × data × seeds | [`preset()`] of [`Images`], [`Sound`] or [`Video`] |
//! | change | everything that decides what a run computes | [`RunConfig`] |
//! | run | a folder that survives a crash; stop and resume | [`Run`], [`Observer`](run::Observer), [`ProgressBar`] |
//! | train | batches in, local updates, metrics | [`Trainer`], [`Data`] |
//! | read out | layers × protocols × labels, with controls | [`eval::Report`], [`summary()`] |
//! | take away | features of a trained run's layers, weights for PyTorch | [`Encoder`] |
//! | compare | methods for equal budgets, in one table that resumes | [`Comparison`](comparison::Comparison) |
//! | foresee | weights, multiply-adds, memory, days on this machine | [`Estimate`](estimate::Estimate) |
//! | repeat | the rows of published tables | [`preset::published`](fn@preset::published) |
//! | extend | another sense: its data and one `impl` | [`Sense`] |
//! | compute | a processor by name, a number of threads | [`device()`], [`set_threads`] |
//!
//! [`image`], [`sound`] and [`video`] have the part of a configuration that is their sense's, and the tables
//! of its methods.
//!
//! | module | crate | what it holds |
//! |---|---|---|
//! | [`rules`] | `clapp-rules` | score, third factor, updates, the online rule |
//! | [`encoders`] | `clapp-encoders` | layers that learn locally, VGG-6, convolutions over time with a GRU, VGG-5 of films |
//! | [`backend`] | `clapp-backend` | the primitives of a local step, on every processor |
//! | [`datasets`] | `clapp-datasets` | STL-10, CIFAR, LibriSpeech, UCF-101, HMDB-51, embedded scenes, talkers and moving scenes, loaders |
//! | [`eval`](mod@eval) | `clapp-eval` | read-outs, tables, figures |
//! | [`store`] | `clapp-store` | run folders, checkpoints, metrics |
//! | [`random`] | `clapp-random` | streams of random numbers by name |
//! | `baselines` | `clapp-baselines` | what CLAPP is compared with; by a feature of the same name |
//!
//! # Quick start
//!
//! ```
//! use clapp::{Images, Run, RunEnd, preset, run::Silent};
//!
//! # let runs = tempfile::tempdir()?;
//! let mut config = preset("smoke", "clapp-s", &Images::Synthetic, &[2])?;
//! config.setup.images = 64; // two steps: enough to see that everything runs
//! let mut run = Run::create(&runs, config)?;
//!
//! let device = clapp::device("flex")?;
//! let RunEnd::Finished(report) = run.execute(&device, &mut Silent)? else {
//!     unreachable!("nobody stops this run")
//! };
//! assert_eq!(report.encoders(), ["clapp-s", "random encoder", "raw pixels"]);
//! assert!(run.path().join("table.txt").exists());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Presets
//!
//! | preset | for |
//! |---|---|
//! | `smoke` | seconds: whether everything runs |
//! | `quick` | minutes on two cores: what the method does |
//! | `paper` | the published settings on the published data: days on a GPU |
//!
//! Methods are local rules (`clapp-s`, `gim` and their variants on every sense, `clapp` on images and video, more on images), and
//! what they are compared with (`cpc`, `hinge-cpc`, `supervised`; with the feature `baselines`).
//! Phones are read out of every layer on sound, and speakers where two of them have labelled utterances
//! enough, beside the random encoder, log-mel spectra and MFCC; on images and video classes and actions,
//! beside the random encoder and raw pixels.
//!
//! # Run folder
//!
//! ```text
//! runs/quick-clapp-s/
//!   config.json                  what the run computes; resuming with another is refused
//!   metrics.jsonl                loss, open gates, accuracy of every layer; early looks
//!   checkpoints/step-000000250/  weights, moments, progress, under SHA-256
//!   table.{json,txt,svg}         read-outs; rewritten after every seed
//!   confusion-seed-2.{csv,svg}   which classes, or phones, the last layer takes for which
//!   environment.json             where it was computed, and how fast; an entry for every start
//! ```
//!
//! A run may be stopped or killed at any moment. [`Run::resume`] then leads to the same files as if it
//! had never stopped, byte for byte on one machine's processor, with any number of threads
//! (`tests/resume.rs`, `tests/kill.rs`). What cannot go on is refused with a sentence that says what
//! was expected, what was found, where, and what to do, and no file changes (`tests/bad_input.rs`).
//!
//! # Features
//!
//! - `flex` (default), `ndarray`, `wgpu`, `cuda`: where tensors are computed, by the names that
//!   [`device()`] takes. For the final program to choose.
//! - `download`: fetches official archives, see `datasets::download`.
//! - `baselines`: methods with back-propagation, to compare with. Without it there is no automatic
//!   differentiation in the dependency tree, and such methods are refused with the way to build them.
//!
//! # Citation
//!
//! Illing, Ventura, Bellec & Gerstner (2021), *Local plasticity rules can learn deep representations
//! using self-supervised contrastive predictions*, NeurIPS 34.

// On docs.rs every item says which feature it needs; the compiler there knows how.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use clapp_backend as backend;
pub use clapp_backend::device;
#[cfg(feature = "baselines")]
pub use clapp_baselines as baselines;
pub use clapp_datasets as datasets;
pub use clapp_encoders as encoders;
pub use clapp_eval as eval;
pub use clapp_random as random;
pub use clapp_rules as rules;
pub use clapp_store as store;

pub mod comparison;
mod config;
pub mod console;
mod data;
pub mod encoder;
mod error;
pub mod estimate;
pub mod image;
mod learning;
mod look;
mod own_rule;
pub mod preset;
mod progress;
pub mod readout;
pub mod run;
pub mod sense;
mod signals;
pub mod sound;
mod summary;
mod threads;
pub mod torch;
mod trainer;
pub mod video;

/// Whether this build has the methods with back-propagation, by the feature `baselines`.
pub const BASELINES: bool = cfg!(feature = "baselines");

pub use config::RunConfig;
pub use data::Data;
pub use encoder::Encoder;
pub use error::Error;
pub use image::Images;
pub use learning::Learning;
pub use look::{Look, receptive_fields};
pub use own_rule::OwnRule;
pub use preset::preset;
pub use progress::ProgressBar;
pub use run::{Run, RunEnd};
pub use sense::Sense;
pub use sound::Sound;
pub use summary::summary;
pub use threads::set_threads;
pub use trainer::Trainer;
pub use video::Video;
