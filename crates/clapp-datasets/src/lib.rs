//! Data sets for CLAPP, from files to batches that a tensor can be made of.
//!
//! | data set | items | size | classes | archive | licence |
//! |---|---|---|---|---|---|
//! | [STL-10](stl10) | 5 000 train, 8 000 test, 100 000 unlabelled | 3×96×96 | 10 | 2.6 GB | images from ImageNet, its terms apply; [page](https://cs.stanford.edu/~acoates/stl10/) |
//! | [CIFAR-10](cifar) | 50 000 train, 10 000 test | 3×32×32 | 10 | 170 MB | none stated, citation asked for; [page](https://www.cs.toronto.edu/~kriz/cifar.html) |
//! | [CIFAR-100](cifar) | 50 000 train, 10 000 test | 3×32×32 | 100 or 20 | 169 MB | as CIFAR-10 |
//! | [LibriSpeech](sound) | 28 539 utterances, 100 h | 16 kHz | your labels | 6.4 GB | CC BY 4.0; [page](https://www.openslr.org/12) |
//! | [UCF-101, HMDB-51, any tree of videos](video) | 13 320 and 6 766 clips | 320×240 | 101, 51 | 7 and 2 GB | see [`video`] |
//! | [photographs](folder) | yours | any | any or none | – | yours |
//! | [scenes](synthetic), [talkers](sound::synthetic), [moving scenes](video::moving) | embedded, as many as wanted | | 10, 17, 10 | – | of this crate |
//! | [random hierarchies](hierarchy) | embedded, as many as wanted | 3×32×32 | 8 | – | of this crate |
//! | [`InMemory`] | yours | any | any | – | yours |
//!
//! No tensor library is involved: a [`Batch`] holds plain `f32` values and a shape. Every random
//! draw is keyed by `(seed, epoch, item)`, see [`clapp_random`], so a batch depends neither on
//! threads nor on what was read before.
//!
//! ```text
//! Source<Item> ── Subset ──► Loader<Batcher> ──► Batch
//! (what and where)           (order, threads)    (values, shape, labels, indices)
//! ```
//! One [`Source`], one [`Loader`] and one bad-file policy ([`OnBad`], [`Skipped`]) serve every sense.
//! What differs is the [`Item`]: an [`Image`], a [`sound::Recording`], a [`video::Clip`]; and the
//! [`Batcher`], which makes of an item what a network sees: [`ImagePipeline`],
//! [`sound::SpeechPipeline`], [`video::Sampling`] with [`video::ClipPipeline`].
//!
//! # Quick start
//!
//! ```
//! use clapp_datasets::{ImagePipeline, InMemory, Loader, LoaderConfig};
//!
//! // Or: Stl10::open("datasets", stl10::Split::Unlabeled, Sizes::Official)?
//! let source = InMemory::images("black", [3, 96, 96], vec![0; 8 * 3 * 96 * 96])?;
//! let config = LoaderConfig { batch_size: 4, ..LoaderConfig::training() };
//! let loader = Loader::new(source, ImagePipeline::stl10(), config)?;
//!
//! for batch in loader.epoch(0)? {
//!     let batch = batch?;
//!     assert_eq!(batch.shape, [4, 1, 64, 64]); // [batch, colour, y, x]
//!     assert_eq!(batch.values[0], (0.0 - 0.4120) / 0.2570);
//!     assert_eq!(batch.labels, [None; 4]);
//! }
//! # Ok::<(), clapp_datasets::Error>(())
//! ```
//!
//! # How to add a data set
//!
//! 1. Write a type that implements [`Source`] (its page has an example of twelve lines), in a file of
//!    its own: open and check everything that can be checked once, read one item at a time. Items may
//!    have any number of planes and of classes. Data that fit in memory need no type: [`InMemory`].
//! 2. Give each bad input (missing, empty, truncated, oversized file; label out of range) a test
//!    that compares the error's text: what was expected, what was found, where.
//! 3. Test the order of bytes with an image whose pixels all differ.
//! 4. Add a preset to [`ImagePipeline`] if its numbers are published, and a row to the table above.
//!
//! Data of another kind need an [`Item`] and a [`Batcher`] of their own; the rest is there.
//!
//! # Features
//!
//! - `download` (off): `download` fetches, checks and unpacks the official archives.
//!
//! # Citation
//!
//! Illing, Ventura, Bellec & Gerstner (2021), *Local plasticity rules can learn deep representations
//! using self-supervised contrastive predictions*, NeurIPS 34; and the authors of the data sets.

// On docs.rs every item says which feature it needs; the compiler there knows how.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "download")]
mod archive;
mod batcher;
mod batches;
mod blur;
mod change;
pub mod cifar;
mod colour;
mod digest;
#[cfg(feature = "download")]
pub mod download;
mod error;
mod files;
pub mod folder;
pub mod hierarchy;
mod hue;
mod image;
mod loader;
mod loader_config;
mod memory;
mod names;
mod pipeline;
mod scale;
mod skipped;
pub mod sound;
mod source;
pub mod split;
pub mod stl10;
mod survey;
pub mod synthetic;
#[cfg(feature = "download")]
mod unpack;
pub mod video;
mod views;

pub use batcher::{Batcher, Visit};
pub use batches::{Batch, BatchOf, Batches};
pub use blur::blur;
pub use change::Change;
pub use cifar::Cifar;
pub use colour::Colour;
pub use digest::digest;
pub use error::{Error, Mismatch};
pub use files::Sizes;
pub use folder::Folder;
pub use image::{Image, ImageInfo};
pub use loader::Loader;
pub use loader_config::{LastBatch, LoaderConfig, Order};
pub use memory::InMemory;
pub use pipeline::{Augment, Flip, ImagePipeline, View};
pub use scale::Scale;
pub use skipped::{OnBad, Skipped};
pub use source::{Info, Item, Part, Source};
pub use split::Subset;
pub use stl10::Stl10;
pub use survey::Survey;
pub use views::{Blur, Views};
