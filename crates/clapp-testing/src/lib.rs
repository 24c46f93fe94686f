//! What the tests of the workspace share. Not published.
//!
//! | to | use |
//! |---|---|
//! | leave a test out, and have it counted | [`skip`], [`folder`] |
//! | kill a process | [`child`] |
//! | look at a folder, compare two, fill a disk | [`names`], [`files`](files()), [`assert_same`], [`TinyDisk`] |
//! | write recordings | [`wav`], [`make_video`], [`copy_real_videos`], [`count_frames`] |
//! | damage inputs | [`mutations`] |
//! | read an error | [`assert_says`] |
//! | compare numbers, read golden files | [`distance`], `golden` |
//! | look at a step layer by layer | `steps` |
//!
//! The programs that READMEs print are compiled by this crate's documentation tests, as a reader would who
//! has nothing but the crates named there.

mod child;
mod disk;
pub mod distance;
mod files;
#[cfg(feature = "tensors")]
pub mod golden;
mod mutate;
mod recordings;
mod says;
mod skip;
#[cfg(feature = "tensors")]
pub mod steps;

pub use child::child;
pub use disk::{TinyDisk, names};
pub use files::{assert_same, files};
pub use mutate::mutations;
pub use recordings::{copy_real_videos, count_frames, make_video, wav};
pub use says::assert_says;
pub use skip::{folder, skip};

#[cfg(doctest)]
mod readmes {
    #[doc = include_str!("../../../README.md")]
    struct Root;
    #[doc = include_str!("../../clapp/README.md")]
    struct Clapp;
    #[doc = include_str!("../../clapp-rules/README.md")]
    struct Rules;
    #[doc = include_str!("../../../docs/pytorch.md")]
    struct PyTorch;
}
