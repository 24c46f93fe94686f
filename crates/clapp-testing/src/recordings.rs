//! Sound and video files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::folder;

/// A 16-bit WAV file; `samples` are those of all channels in turn.
#[must_use]
pub fn wav(samples: &[i16], rate: u32, channels: u16) -> Vec<u8> {
    let (size, frame) = (2 * samples.len() as u32, 2 * channels);
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + size).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0"); // 16 bytes of plain samples
    bytes.extend(channels.to_le_bytes());
    bytes.extend([rate, rate * u32::from(frame)].map(u32::to_le_bytes).concat());
    bytes.extend([frame, 16].map(u16::to_le_bytes).concat());
    bytes.extend(b"data");
    bytes.extend(size.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    bytes
}

/// Makes a gray video by ffmpeg. `luma` is the brightness of pixel (X, Y) in frame N, `options` say how it
/// is coded.
///
/// # Panics
///
/// If ffmpeg fails.
pub fn make_video(path: &Path, frames: usize, size: &str, luma: &str, options: &[&str]) {
    fs::create_dir_all(path.parent().expect("a video lies in a folder")).expect("a new folder");
    let source = format!("nullsrc=size={size}:rate=25,geq=lum='{luma}':cb=128:cr=128");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", &source]);
    command.args(["-frames:v", &frames.to_string()]).args(options).arg(path);
    let output = command.output().expect("there is ffmpeg");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Copies real videos, the AVI files of the folder that `CLAPP_UCF101_CLIPS_DIR` names, to a new folder; or a
/// skip. Returns them in order of their names.
///
/// # Panics
///
/// If a file cannot be read or written.
#[must_use]
pub fn copy_real_videos(to: &Path) -> Option<Vec<PathBuf>> {
    let from = folder("CLAPP_UCF101_CLIPS_DIR")?;
    fs::create_dir_all(to).expect("a new folder");
    let names = crate::names(&from).into_iter().filter(|name| name.ends_with(".avi"));
    let copied = names.map(|name| {
        let copy = to.join(&name);
        fs::copy(from.join(name), &copy).expect("a video can be copied");
        copy
    });
    Some(copied.collect())
}

/// How many frames ffprobe counts when it decodes the whole video.
///
/// # Panics
///
/// If ffprobe fails.
#[must_use]
pub fn count_frames(video: &Path) -> usize {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-count_frames", "-select_streams", "v:0"]);
    command.args(["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]).arg(video);
    let output = command.output().expect("ffprobe comes with ffmpeg");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().trim_end_matches(',').parse().expect("ffprobe counts the frames")
}
