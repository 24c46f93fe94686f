//! What the tests of videos share: tiny videos made by ffmpeg, and folders of frames made without it.

#![allow(dead_code, reason = "every test file uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

use std::fs;
use std::path::Path;
use std::process::Command;

use clapp_datasets::video::Ffmpeg;

/// A 3×2 picture of one colour; see `src/video/jpeg.rs`.
pub const RED: &[u8] = include_bytes!("../data/red_3x2.jpg");

/// ffmpeg, or the reason why the test is skipped.
pub fn ffmpeg() -> Option<Ffmpeg> {
    match Ffmpeg::find() {
        Ok(ffmpeg) => Some(ffmpeg),
        Err(reason) => {
            println!("skipped: {reason}");
            None
        }
    }
}

/// Makes a gray ramp that grows by four levels a frame, coded with `options` of ffmpeg.
pub fn make_video(path: &Path, frames: usize, size: &str, options: &[&str]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let source = format!("nullsrc=size={size}:rate=25,geq=lum='40+X+4*N':cb=128:cr=128");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", &source]);
    command.args(["-frames:v", &frames.to_string()]).args(options).arg(path);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A folder of `frames` frames of 2×3 pixels.
pub fn make_frames(folder: &Path, frames: usize) {
    fs::create_dir_all(folder).unwrap();
    for number in 1..=frames {
        fs::write(folder.join(format!("image_{number:05}.jpg")), RED).unwrap();
    }
}
