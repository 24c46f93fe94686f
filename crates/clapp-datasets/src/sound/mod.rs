//! Speech: LibriSpeech, folders of sound files, phone labels, and an embedded set.
//!
//! | | |
//! |---|---|
//! | [`Recording`], [`Utterance`] | what a [`Source`](crate::Source) of speech holds, and what it knows before it decodes |
//! | [`SpeechFiles`] | LibriSpeech in its own layout, or any folder of FLAC, WAV, MP3, Ogg Vorbis and M4A files; 16 kHz mono |
//! | [`PhoneLabels`], [`SplitList`] | the text files that come with it |
//! | [`synthetic`] | talkers from a seed: no files needed |
//! | [`SpeechPipeline`] | random crops, for a [`Loader`](crate::Loader) |
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
//! use clapp_datasets::sound::{OpenOptions, PhoneLabels, SpeechFiles, SpeechPipeline, SplitList};
//! use clapp_datasets::{Loader, LoaderConfig, OnBad};
//!
//! let speech = SpeechFiles::librispeech("datasets", "train-clean-100", &OpenOptions::default())?;
//! let labels = PhoneLabels::read("datasets/converted_aligned_phones.txt", 41, OnBad::Refuse)?;
//! let train = speech.with_labels(&labels)?.select(&SplitList::read("datasets/train_split.txt")?)?;
//! let loader = Loader::new(train, SpeechPipeline::librispeech(), LoaderConfig::speech())?;
//! for batch in loader.epoch(0)? {
//!     assert_eq!(batch?.shape, [8, 1, 20_480]);
//! }
//! # Ok::<(), clapp_datasets::Error>(())
//! ```

mod bare;
mod boxes;
mod crop;
mod decode;
mod files;
mod frames;
mod index;
mod labelling;
mod layout;
mod lists;
mod lossy;
mod mp3;
mod mp4;
mod ogg;
mod options;
mod other;
mod resample;
mod scaling;
mod speech;
pub mod synthetic;
mod voice;
mod wav;
mod whole;

pub use crop::{SpeechPipeline, crop_labels};
pub use files::SpeechFiles;
pub use frames::{Framing, HOP, RATE, WINDOW, label_count, outputs, surplus};
pub use index::{Check, IndexCache, IndexUse};
pub use lists::{PhoneLabels, SplitList};
pub use options::{OpenOptions, Rates};
pub use scaling::Scaling;
pub use speech::{Recording, Utterance};
pub use whole::{WholeUtterances, whole_utterances};

/// Some crops, ready to become a tensor.
pub type SpeechBatch = crate::BatchOf<SpeechPipeline>;
