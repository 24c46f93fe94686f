//! Videos: lists of clips, frames by ffmpeg, preparation, augmentation and loading.
//!
//! ```text
//! ClipList ── prepare ──► PreparedClips ─┐
//!  (where)     (once)        (Source)    ├─► Sampling ─► ClipPipeline ─► Loader ─► Batch
//!                MovingScenes (drawn) ───┘   (frames)     (colours)      (threads)  [b, c, t, y, x]
//! ```
//!
//! | data set | clips | classes | licence |
//! |---|---|---|---|
//! | [UCF-101](ClipList::ucf101) | 13 320, three splits | 101 | none stated; [page](https://www.crcv.ucf.edu/data/UCF101.php) |
//! | [HMDB-51](ClipList::hmdb51) | 6 766, three splits | 51 | CC BY 4.0; [page](https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/) |
//! | [any tree](ClipList::folders) | yours | any | yours |
//! | [`MovingScenes`](moving::MovingScenes) | as many as wanted, embedded | 10 | of this crate |
//!
//! Videos are read by ffmpeg, which has to be installed; folders of extracted frames of the right size
//! need nothing. What cannot be used is named with its reason and left out, unless
//! [`OnBad::Refuse`](crate::OnBad::Refuse) asks otherwise.
//!
//! # Quick start
//!
//! ```no_run
//! use clapp_datasets::video::{ClipList, ClipPipeline, Part, Preparation, Sampling, prepare};
//! use clapp_datasets::{Loader, LoaderConfig, OnBad};
//!
//! let list = ClipList::ucf101("datasets/UCF101", 1, Part::Train, OnBad::Skip)?;
//! let clips = prepare(list, "datasets/UCF101/prepared", &Preparation::default(), |_| {})?;
//! println!("{}", clips.skipped());
//! let sampling = Sampling::self_supervised();
//! println!("{}", sampling.select(&clips)); // 5018 of 9537 clips are longer than 162 frames
//! let views = (sampling, ClipPipeline::self_supervised());
//! let loader = Loader::new(clips, views, LoaderConfig::clips())?;
//! for batch in loader.epoch(0)? {
//!     assert_eq!(batch?.shape, [8, 3, 54, 128, 128]);
//! }
//! # Ok::<(), clapp_datasets::Error>(())
//! ```

mod batcher;
mod clip;
mod clip_file;
mod colour_ops;
mod ffmpeg;
mod frame;
mod frame_folder;
mod hmdb51;
pub(crate) mod jpeg;
mod list;
pub mod moving;
mod ops;
mod pipeline;
mod prepare;
mod prepared;
mod resize;
mod sampling;
mod step;
mod ucf101;

pub use clip::{Clip, ClipInfo};
pub use ffmpeg::{Ffmpeg, VideoInfo};
pub use frame::Frame;
pub use list::{ClipList, ListedClip, Media};
pub use ops::Op;
pub use pipeline::{ClipPipeline, ClipView};
pub use prepare::{Check, Preparation, Progress, prepare};
pub use prepared::PreparedClips;
pub use resize::{Filter, resize};
pub use sampling::{Sampling, Selection, Short, Start};
pub use step::{Jitter, Scope, Step};
pub use ucf101::Part;

/// Some clips, ready to become a tensor.
pub type ClipBatch = crate::BatchOf<(Sampling, ClipPipeline)>;
