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
//! | choose | preset × method × images × seeds | [`preset()`], [`Images`] |
//! | change | everything that decides what a run computes | [`RunConfig`], [`config`] |
//! | run | a folder that survives a crash; stop and resume | [`Run`], [`Observer`], [`Progress`] |
//! | train | images in, local updates, numbers to watch | [`Trainer`], [`StepMetrics`], [`Data`] |
//! | the same with sound | | [`sound_preset()`], [`SoundRunConfig`], [`SoundRun`], [`SoundTrainer`] |
//! | the same with video | | [`video_preset()`], [`VideoRunConfig`], [`VideoRun`], [`VideoTrainer`] |
//! | extend | a run of an experiment of your own | [`RunOf`], [`Experiment`], [`Learner`] |
//! | read out | layers × protocols × labels, with controls | [`evaluate()`], [`eval::Report`], [`summary()`] |
//! | compute | a processor by name, a number of threads | [`device()`], [`set_threads`] |
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
//! use clapp::{Images, Outcome, Run, Silent, preset};
//!
//! # let runs = tempfile::tempdir()?;
//! let mut config = preset("smoke", "clapp-s", &Images::Synthetic, &[2])?;
//! config.images = 64; // two steps: enough to see that everything runs
//! let mut run = Run::create(&runs, config)?;
//!
//! let device = clapp::device("flex")?;
//! let Outcome::Finished(report) = run.execute(&device, &mut Silent)? else {
//!     unreachable!("nobody stops this run")
//! };
//! assert_eq!(report.encoders(), ["clapp-s", "random encoder", "raw pixels"]);
//! assert!(run.path().join("table.txt").exists());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Presets
//!
//! | preset | width | images seen | for |
//! |---|---|---|---|
//! | `smoke` | 1/16 | 320 | seconds: whether everything runs |
//! | `quick` | 1/8 (embedded scenes), 1/4 | 30,000 | minutes on two cores: what the method does |
//! | `paper` | 1 | 30 or 60 million | the published settings, STL-10 only: days on a GPU |
//!
//! | method | what it is |
//! |---|---|
//! | `clapp-s` | fixation and saccades of every image in one step, symmetric weights |
//! | `clapp` | one of the two at a time, W_pred and W_retro: the rule that a brain could run |
//! | `clapp-symmetric`, `clapp-s-retro` | the two between them |
//! | `clapp-s-blocked` | only predicted neurons learn |
//! | `clapp-s-above` | the context comes from the layer above |
//! | `gim` | Greedy InfoMax, layer by layer, as a local rule |
//!
//! On sound ([`sound_preset()`]) the widths are 1/64, 1/8 (1/4 on files) and 1, and the methods:
//!
//! | method | what it is |
//! |---|---|
//! | `clapp-s` | convolutions over time predict themselves, a GRU that learns by e-prop predicts the last |
//! | `clapp-s-one-step`, `clapp-s-no-gru` | without memory in its traces; without a GRU |
//! | `clapp-s-bptt` | the GRU learns by back-propagation through time \* |
//! | `gim` and the same three endings | InfoNCE in the place of the hinge |
//! | `cpc`, `hinge-cpc` | one loss at the GRU, back-propagated through all layers \* |
//! | `supervised`, `greedy-supervised` | phones from labels: all layers from one read-out, or each from its own \* |
//!
//! \* with the feature `baselines`. Phones are read out of every layer, and speakers where two of them have
//! labelled utterances enough, beside the random encoder, log-mel spectra and MFCC.
//!
//! On video ([`video_preset()`]) the widths are 1/32, 1/8 and 1, and the methods:
//!
//! | method | what it is |
//! |---|---|
//! | `clapp-s` | every other moment of every clip of the batch is a saccade target |
//! | `clapp` | the same local in time, with W_pred and W_retro |
//! | `gim` | InfoNCE in the place of the hinge |
//! | `cpc`, `hinge-cpc` | one loss at the last block, back-propagated through all blocks \* |
//! | `supervised` | actions from labels; from the encoder of another run, fine-tuning \* |
//! | all of them with `-still` | an encoder without kernels in time |
//!
//! # Run folder
//!
//! ```text
//! runs/quick-clapp-s/
//!   config.json                  what the run computes; resuming with another is refused
//!   metrics.jsonl                loss, open gates, accuracy of every layer
//!   checkpoints/step-000000250/  weights, moments, progress, under SHA-256
//!   table.{json,txt,svg}         read-outs; rewritten behind every seed
//!   confusion-seed-2.{csv,svg}   of runs on sound: which phones are taken for which
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

mod threads;

pub mod config;
mod data;
mod error;
mod evaluate;
mod experiment;
mod learning;
mod preset;
mod progress;
mod run;
mod saved;
mod sound;
mod summary;
mod train;
mod video;

pub use config::RunConfig;
pub use data::{Data, Source};
pub use error::Error;
pub use evaluate::{RANDOM_ENCODER, RAW_PIXELS, evaluate};
pub use experiment::{Each, Experiment, Extra, Learner, Schedule, Seen, StepMetrics};
pub use learning::Learning;
pub use preset::{Images, METHODS, PRESETS, preset};
pub use progress::Progress;
pub use run::{Observer, Outcome, Run, RunOf, Silent, SoundRun, VideoRun};
pub use sound::{
    FilesConfig, LOG_MEL, LabelsConfig, MFCC, Place, RatesConfig, SOUND_METHODS, Sound, SoundData,
    SoundDataConfig, SoundReadoutConfig, SoundRunConfig, SoundTrainer, sound_preset,
};
pub use summary::summary;
pub use threads::set_threads;
pub use train::Trainer;
pub use video::{
    ClipPlace, ClipsConfig, VIDEO_METHODS, Video, VideoData, VideoDataConfig, VideoReadoutConfig,
    VideoRunConfig, VideoTrainer, video_preset,
};
