//! An embedded set of strings and images with a hierarchy by construction: the Random Hierarchy Model.
//!
//! ```text
//! x⁽⁰⁾ = class                                one symbol, one of v
//! x⁽ˡ⁺¹⁾ = ρ(x₁⁽ˡ⁾) ρ(x₂⁽ˡ⁾) …                 ρ(a): one of the m productions of a, each s symbols long
//! string = x⁽ᴸ⁾                               sᴸ tokens
//! ```
//! The v·m productions of a level are different and drawn once from the seed, so that no two symbols
//! share one: a string has one class, found by undoing the productions level by level. Which of the m
//! synonyms stands for a symbol is drawn anew in every string.
//!
//! **What carries the class.** The hierarchy alone: which s-tuples of tokens are synonyms, then which
//! s-tuples of what they stand for, up to the root. Synonyms have the same neighbours, so somebody who
//! predicts neighbours can find them without a label, one level at a time.
//!
//! **What does not.** A token at its place: what it says of the class falls as m^(−L/2), and with it
//! all linear read-outs of tokens and their histogram. The best read-out of single tokens, which knows
//! the probabilities of all of them in every class, is right in this share of strings (L = 3, s = 4,
//! v = 8, chance 12.5 %):
//!
//! | m | 2 | 8, [`Config::default`] | 64 | 512, every tuple is a production |
//! |---|---|---|---|---|
//! | % | 100 | 32 | 14 | 13 |
//!
//! **How many data it takes.** About v·mᴸ labelled strings (4,096 of the default) for deep networks with
//! back-propagation; a shallow read-out needs exponentially many in sᴸ (Cagnetta et al. 2024).
//!
//! Two parts never share a string: its digest decides which part it belongs to. Mirroring an image
//! exchanges the places of tokens and leaves no string of the grammar: don't flip these images.
//!
//! # Paper
//!
//! Cagnetta, Petrini, Tomasini, Favero & Wyart (2024), *How deep neural networks learn compositional
//! data: the random hierarchy model*, Physical Review X 14.
//!
//! # Example
//!
//! ```
//! use clapp_datasets::{Colour, Flip, ImagePipeline, Loader, LoaderConfig, Source, hierarchy};
//! use hierarchy::{Config, Drawing, Grammar, Hierarchies, Part};
//!
//! let grammar = Grammar::new(2, Config::default())?;
//! let images = Hierarchies::new(grammar, Part::Train, 64, Drawing::Patterns)?;
//! let (string, info) = (images.string(5), images.info(5));
//! assert_eq!((string.len(), info.dims, info.label), (64, [3, 32, 32], Some(5)));
//! assert_eq!(images.grammar().class(&string), Some(5));
//!
//! let colour = Colour::Gray { mean: 0.5, std: 60.0 / 255.0 };
//! let pipeline = ImagePipeline { crop: 32, flip: Flip::Never, colour, ..ImagePipeline::stl10() };
//! let loader = Loader::new(images, pipeline, LoaderConfig::training())?;
//! assert_eq!(loader.epoch(0)?.next().expect("two batches")?.shape, [32, 1, 32, 32]);
//! # Ok::<(), clapp_datasets::Error>(())
//! ```

mod grammar;
mod images;

pub use crate::synthetic::Part;
pub use grammar::{Config, Grammar, one_hot};
pub use images::{Drawing, Hierarchies};

/// Third index of the streams of [`Purpose::Synthesis`](clapp_random::Purpose::Synthesis) used here.
const PRODUCTIONS: u64 = 5;
const STRINGS: u64 = 6;
