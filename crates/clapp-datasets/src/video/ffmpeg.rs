//! Videos, read by ffmpeg in a process of its own.
//!
//! A process and not a library: no binding has to fit the system's version of ffmpeg, a video made to
//! crash a decoder cannot take the program with it, and ffmpeg's own threads stay out of ours.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use crate::Error;
use crate::video::Media;

/// Quality of the frames that ffmpeg writes, 2 (best) to 31. At 3 the frames of one clip of UCF-101
/// take 11 kB at 40 dB; at quality 80 of Pillow, which the authors used, 15 kB at 39 dB.
const QUALITY: &str = "3";
/// The largest frame that is read from the pipe.
const LARGEST_FRAME: usize = 1 << 28;
/// Bytes of a complaint of ffmpeg that are kept.
const COMPLAINT: u64 = 4_096;
/// What ffmpeg says of the width that it is given for a frame of another size.
const ANOTHER_SIZE: &str = "non positive size for width '-1'";
/// Who complains of what is in no picture: the writer of the stream to us, decoders of sound.
const OTHERS: [&str; 8] = ["mpjpeg", "mp2", "mp3", "aac", "ac3", "vorbis", "opus", "pcm"];

/// The programs `ffmpeg` and `ffprobe`.
///
/// # Example
///
/// ```
/// use clapp_datasets::video::Ffmpeg;
///
/// let error = Ffmpeg::at("/nowhere").unwrap_err().to_string();
/// assert!(error.starts_with("video: expected the program /nowhere/ffmpeg, got "), "{error}");
/// assert!(error.contains("install ffmpeg"), "{error}");
/// ```
#[derive(Clone, Debug)]
pub struct Ffmpeg {
    ffmpeg: PathBuf,
    ffprobe: PathBuf,
    /// The option that keeps every frame as it is; it was renamed in version 5.1.
    passthrough: &'static str,
}

/// What a video says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoInfo {
    /// Rows and columns as stored; marks that ask for a rotation are not followed.
    pub dims: [usize; 2],
    /// Frames according to the header, where the format has such a number.
    pub frames: Option<usize>,
}

impl Ffmpeg {
    /// The programs on the search path.
    ///
    /// # Errors
    /// [`Error::Program`] if one of them is missing; the text says how to install them.
    pub fn find() -> Result<Self, Error> {
        Self::at("")
    }

    /// The programs in `folder`.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn at(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let (ffmpeg, ffprobe) = (folder.as_ref().join("ffmpeg"), folder.as_ref().join("ffprobe"));
        let version = version(&ffmpeg)?;
        version_of(&ffprobe)?;
        let passthrough = if version < (5, 1) { "-vsync" } else { "-fps_mode" };
        Ok(Self { ffmpeg, ffprobe, passthrough })
    }

    /// Size and number of frames of a video's first picture stream.
    ///
    /// # Errors
    /// [`Error::Damaged`] if there is no such stream, [`Error::Program`] if ffprobe cannot be started.
    pub fn probe(&self, media: &Media) -> Result<VideoInfo, Error> {
        let mut command = Command::new(&self.ffprobe);
        command.args(["-v", "error"]);
        command.args(["-select_streams", "v:0", "-show_entries", "stream=width,height,nb_frames"]);
        command.args(["-of", "default=nokey=1:noprint_wrappers=1"]);
        command.args(input(media)).stdin(Stdio::null());
        let output = command.output().map_err(|source| program(&self.ffprobe, source))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let numbers: Vec<Option<usize>> =
            text.lines().map(|line| line.trim().parse().ok()).collect();
        match numbers[..] {
            [Some(width), Some(height), frames, ..]
                if output.status.success() && width * height > 0 =>
            {
                Ok(VideoInfo { dims: [height, width], frames })
            }
            _ => Err(undecodable(media, "a video stream", &first_complaint(&output.stderr[..]))),
        }
    }

    /// Decodes every frame and hands it over as JPEG of the size `dims` = `[rows, columns]`, in the
    /// order in which frames are shown; returns their number.
    ///
    /// No frame is dropped or doubled to keep a rate. The size is changed bilinearly.
    ///
    /// # Errors
    /// [`Error::Damaged`] if no frame can be decoded, ffmpeg fails or complains of pictures or container, or there are fewer
    /// frames than expected, and what `each` returns. A complaint counts although ffmpeg shows something where it could not
    /// decode: what it makes up is no frame of the video. [`Error::Unfit`] if a frame has another size than `info` says, as
    /// in recordings of calls: all of a clip have one, and ffmpeg would squeeze those that have not.
    pub fn frames(
        &self,
        media: &Media,
        info: VideoInfo,
        dims: [usize; 2],
        mut each: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let mut running = self.start(media, info, dims)?;
        let (mut jpeg, mut got) = (Vec::new(), 0);
        while running
            .next_jpeg(&mut jpeg)
            .map_err(|source| Error::io("decode", media.path(), source))?
        {
            each(&jpeg)?;
            got += 1;
        }
        let (succeeded, complaint) = running.finish();
        if complaint.contains(ANOTHER_SIZE) {
            let [height, width] = info.dims;
            let (expected, place) = (format!("frames of {height}×{width}"), media.path().display());
            let advice = "encode it anew in one size, or cut it where the size changes";
            return Err(Error::unfit("video", expected, "another size as well", place, advice));
        }
        if got == 0 || !succeeded {
            return Err(undecodable(media, "frames", &complaint));
        }
        // Videos with packed B-frames count one that is never shown.
        if let Some(expected) = info.frames.filter(|expected| got + 1 < *expected) {
            let expected = format!("the {expected} frames of its header");
            let place = format!("{} ({complaint})", media.path().display());
            return Err(Error::damaged("video", expected, got, place, "was the file cut short?"));
        }
        if !complaint.is_empty() {
            return Err(undecodable(media, "frames that decode without a complaint", &complaint));
        }
        Ok(got)
    }

    fn start(&self, media: &Media, info: VideoInfo, dims: [usize; 2]) -> Result<Running, Error> {
        let mut command = Command::new(&self.ffmpeg);
        // Without "repeat", lines that say how often the last one came would stand between others.
        command.args(["-v", "repeat+error", "-nostdin", "-threads", "1", "-noautorotate"]);
        command.args(input(media)).args(["-map", "0:v:0", self.passthrough, "passthrough"]);
        // Frames of the size that is expected are left as they are; others have no width.
        let [height, width] = info.dims;
        let mut filter = format!("crop='if(eq(iw,{width})*eq(ih,{height}),iw,-1)':ih:0:0:exact=1");
        if dims != info.dims {
            let [height, width] = dims;
            filter += &format!(",scale={width}:{height}:flags=bilinear");
        }
        command.args(["-vf", &filter]);
        command.args(["-c:v", "mjpeg", "-q:v", QUALITY, "-f", "mpjpeg", "-"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| program(&self.ffmpeg, source))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let frames = BufReader::new(stdout.expect("the output was asked for"));
        let stderr = BufReader::new(stderr.expect("the complaints were asked for"));
        // Read aside: a pipe that nobody empties would stop ffmpeg.
        let complaint = std::thread::spawn(move || first_complaint(stderr));
        Ok(Running { child, frames, complaint: Some(complaint) })
    }
}

/// ffmpeg while it works. Dropping it ends the process.
struct Running {
    child: Child,
    frames: BufReader<ChildStdout>,
    complaint: Option<JoinHandle<String>>,
}

impl Running {
    /// Reads the next part of a `multipart/x-mixed-replace` stream; false at its end.
    fn next_jpeg(&mut self, jpeg: &mut Vec<u8>) -> std::io::Result<bool> {
        let (mut line, mut length) = (String::new(), None);
        loop {
            line.clear();
            if self.frames.read_line(&mut line)? == 0 {
                return Ok(false);
            }
            match (line.trim_end(), length) {
                ("", Some(length)) => {
                    jpeg.resize(length, 0);
                    self.frames.read_exact(jpeg)?;
                    return Ok(true);
                }
                (header, _) => {
                    if let Some((name, value)) = header.split_once(':')
                        && name.eq_ignore_ascii_case("content-length")
                    {
                        let bytes = value.trim().parse().ok();
                        let bytes = bytes.filter(|bytes| *bytes <= LARGEST_FRAME);
                        length = Some(bytes.ok_or(ErrorKind::InvalidData)?);
                    }
                }
            }
        }
    }

    /// Whether the process ended well, and its first complaint.
    fn finish(mut self) -> (bool, String) {
        let succeeded = self.child.wait().is_ok_and(|status| status.success());
        let first = self.complaint.take().and_then(|reader| reader.join().ok());
        (succeeded, first.unwrap_or_default())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// The arguments that name the input. `file:` keeps a name with a colon from being an address.
fn input(media: &Media) -> Vec<OsString> {
    let mut name = OsString::from("file:");
    match media {
        Media::Video(path) => name.push(path),
        Media::Frames(folder) => {
            // A percent sign begins a number in the names of a sequence.
            name.push(folder.to_string_lossy().replace('%', "%%"));
            name.push("/image_%05d.jpg");
            let sequence = ["-f", "image2", "-start_number", "1", "-i"].map(OsString::from);
            return sequence.into_iter().chain([name]).collect();
        }
    }
    vec!["-i".into(), name]
}

fn program(program: &Path, source: std::io::Error) -> Error {
    let expected = format!("the program {}", program.display());
    let advice = "install ffmpeg (apt install ffmpeg, brew install ffmpeg, winget install ffmpeg), or \
                  extract frames elsewhere to image_00001.jpg, … in one folder a video";
    Error::program("video", expected, format!("\"{source}\""), "", advice)
}

fn undecodable(media: &Media, expected: &str, complaint: &str) -> Error {
    let got = if complaint.is_empty() { "nothing" } else { complaint };
    bad_video(expected, got, media.path())
}

/// A video holds nothing that can be shown.
pub(crate) fn bad_video(expected: &str, got: &str, path: &Path) -> Error {
    let got = format!("{got:?}");
    Error::damaged("video", expected, got, path.display(), "is the file complete?")
}

/// The first complaint of pictures, without the decoder's address, which differs from run to run. Reads to the end and keeps no
/// more than a line, of which the beginning.
fn first_complaint(mut stderr: impl BufRead) -> String {
    let (mut first, mut line) = (String::new(), Vec::new());
    loop {
        let begins = line.is_empty() || line.ends_with(b"\n");
        line.clear();
        match (&mut stderr).take(COMPLAINT).read_until(b'\n', &mut line) {
            Ok(1..) if first.is_empty() && begins => first = complaint(&line),
            Ok(1..) => {}
            _ => return first,
        }
    }
}

/// What a line says of pictures or container; nothing if it is of others.
fn complaint(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end();
    match line.strip_prefix('[') {
        Some(of) if OTHERS.iter().any(|name| of.starts_with(name)) => String::new(),
        Some(of) => of.split_once("] ").map_or(line, |(_, rest)| rest).to_owned(),
        None => line.to_owned(),
    }
}

fn version_of(path: &Path) -> Result<String, Error> {
    let mut command = Command::new(path);
    let output = command.arg::<&OsStr>("-version".as_ref()).stdin(Stdio::null()).output();
    let output = output.map_err(|source| program(path, source))?;
    if !output.status.success() {
        return Err(program(path, ErrorKind::InvalidData.into()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Major and minor version; builds between versions count as new.
fn version(path: &Path) -> Result<(u32, u32), Error> {
    let text = version_of(path)?;
    let word = text.split_whitespace().nth(2).unwrap_or_default();
    let mut numbers = word.trim_start_matches('n').split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().and_then(|digits| digits.parse().ok());
    let major = number();
    Ok(major.map_or((u32::MAX, 0), |major| (major, number().unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_complaint_of_pictures_is_kept_without_its_address() {
        let first = |text: &str| first_complaint(text.as_bytes());
        let line = "[mpeg4 @ 0x558bd29c5a40] ac-tex damaged at 8 12\nand more";
        assert_eq!(first(line), "ac-tex damaged at 8 12");
        assert_eq!(first("z.avi: Invalid data"), "z.avi: Invalid data");
        assert_eq!(first(""), "");
        let sound = "[mp3float @ 0x55d] Header missing\n[mpjpeg @ 0x55e] non monotonic\n";
        assert_eq!(first(sound), "");
        // However much is said of sound, and in lines of any length.
        let long = format!("[aac @ 0x1] {}\n", "x".repeat(10_000));
        let pictures = format!("{}{long}[h264 @ 0x1] cbp too large", sound.repeat(100));
        assert_eq!(first(&pictures), "cbp too large");
    }

    #[test]
    fn names_with_colons_and_percent_signs_stay_names() {
        assert_eq!(input(&Media::Video("concat:a".into())), ["-i", "file:concat:a"]);
        let frames = input(&Media::Frames("50%".into()));
        assert_eq!(frames.last(), Some(&"file:50%%/image_%05d.jpg".into()));
    }
}
