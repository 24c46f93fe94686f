//! Video encoders with back-propagation: the oracle of the written-out film layer, end-to-end CPC, modules of
//! several blocks, and supervised learning.
//!
//! | method | what to build |
//! |---|---|
//! | oracle of a layer-local encoder | [`FilmOracle::of`]: one block a module |
//! | CPC, Hinge Loss CPC, modules of n blocks | [`FilmTrainer`], [`step_end_to_end`] |
//! | supervised from random weights, fine-tuning of learnt ones | [`FilmClassifier`], [`step_supervised`] |
//!
//! Independent of the rules on purpose: blocks are burn's convolution and pool, mean and variance plain sums; scores are
//! taken from the map `[b, c, t, y, x]` itself, channels first, as the authors' code does.

mod block;
mod classifier;
mod head;
mod in_place;
mod loss;
mod oracle;
mod train;

pub use block::{BlockGradients, FilmBlock};
pub use classifier::{FilmClassifier, Rates};
pub use head::{ClassifierHead, HeadGradients};
pub use in_place::{step_end_to_end, step_supervised};
pub use loss::all_pairs_loss;
pub use oracle::{FilmGradients, FilmModule, FilmOracle};
pub use train::FilmTrainer;
