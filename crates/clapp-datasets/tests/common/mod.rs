//! What the tests of videos share: tiny videos made by ffmpeg, and folders of frames made without it.

#![allow(dead_code, reason = "every test file uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use std::fs;
use std::path::Path;

use clapp_datasets::video::Ffmpeg;

/// A 3×2 picture of one colour; see `src/video/jpeg.rs`.
pub const RED: &[u8] = include_bytes!("../data/red_3x2.jpg");

/// ffmpeg, or a skip.
pub fn ffmpeg() -> Option<Ffmpeg> {
    Ffmpeg::find().map_err(clapp_testing::skip).ok()
}

/// A folder of `frames` frames of 2×3 pixels.
pub fn make_frames(folder: &Path, frames: usize) {
    fs::create_dir_all(folder).unwrap();
    for number in 1..=frames {
        fs::write(folder.join(format!("image_{number:05}.jpg")), RED).unwrap();
    }
}
