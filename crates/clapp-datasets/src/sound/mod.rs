//! Speech: LibriSpeech, folders of sound files, phone labels, and an embedded set.
//!
//! | | |
//! |---|---|
//! | [`SpeechFiles`] | LibriSpeech in its own layout, or any folder of FLAC and WAV files; 16 kHz mono |
//! | [`PhoneLabels`], [`SplitList`] | the text files that come with it |
//! | [`synthetic`] | talkers from a seed: no files needed |
//! | [`SpeechLoader`] | batches of random crops, made ahead by threads |
//! | [`whole_utterances`] | for read-outs |
//! | [`outputs`], [`label_count`], [`surplus`], [`Framing`] | how samples, outputs and labels belong together |
//!
//! # LibriSpeech
//!
//! `train-clean-100` (Panayotov et al. 2015, CC BY 4.0, [page](https://www.openslr.org/12)): 28,539
//! utterances of 251 speakers, 100 hours, 6.4 GB. The feature `download` fetches it. Phone labels and
//! the two lists of utterances that published results use are files of their own, from the authors
//! of contrastive predictive coding; any file in that form will do.
//!
//! ```no_run
//! use clapp_datasets::sound::{
//!     OnBad, OpenOptions, PhoneLabels, SpeechFiles, SpeechLoader, SpeechPipeline, SplitList,
//! };
//!
//! let speech = SpeechFiles::librispeech("datasets", "train-clean-100", &OpenOptions::default())?;
//! let labels = PhoneLabels::read("datasets/converted_aligned_phones.txt", 41, OnBad::Refuse)?;
//! let train = speech.with_labels(&labels)?.select(&SplitList::read("datasets/train_split.txt")?)?;
//! let (pipeline, config) = (SpeechPipeline::librispeech(), SpeechLoader::training());
//! let loader = SpeechLoader::new(train, pipeline, config, OnBad::Refuse)?;
//! for batch in loader.epoch(0)? {
//!     assert_eq!(batch?.shape, [8, 1, 20_480]);
//! }
//! # Ok::<(), clapp_datasets::Error>(())
//! ```

mod crop;
mod decode;
mod files;
mod frames;
mod index;
mod labelling;
mod layout;
mod lists;
mod loader;
mod memory;
mod options;
mod resample;
mod scaling;
mod skipped;
mod speakers;
mod speech;
mod subset;
pub mod synthetic;
mod voice;
mod whole;

pub use crop::{SpeechPipeline, crop_labels, subsample_window};
pub use files::SpeechFiles;
pub use frames::{Framing, HOP, RATE, WINDOW, label_count, outputs, surplus};
pub use index::{Check, IndexCache, IndexUse};
pub use lists::{PhoneLabels, SplitList};
pub use loader::{SpeechBatch, SpeechLoader};
pub use memory::{InMemory, Recording};
pub use options::{OpenOptions, Rates};
pub use scaling::Scaling;
pub use skipped::{OnBad, Skipped};
pub use speakers::Speakers;
pub use speech::{SpeechSource, Utterance};
pub use subset::SpeechSubset;
pub use whole::{WholeUtterance, whole_utterances};
