//! From videos to prepared clips: once, in parallel, and again only where something is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use clapp_store::{RunLock, write_atomically};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::files::changed;
use crate::video::clip_file::{ClipFile, Packer};
use crate::video::ffmpeg::bad_video;
use crate::video::{ClipList, Ffmpeg, Frame, ListedClip, Media, PreparedClips, frame_folder, jpeg};
use crate::{Error, OnBad};

/// How closely clips that are there already are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// Index and length, which finds every file cut short. Damage within a frame is found when the
    /// frame is read.
    #[default]
    Index,
    /// Also every byte of every frame, at the speed of the disk.
    Everything,
}

/// How videos are prepared.
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `short_side` | 240 | pixels of a frame's shorter side |
/// | `check` | index | how closely clips that are there are looked at |
/// | `on_bad` | skip | what becomes of the rest when a video cannot be used |
/// | `ffmpeg` | on the search path | the programs that read videos |
#[derive(Clone, Debug)]
pub struct Preparation {
    /// Pixels of the shorter side; the other becomes ⌊short side · long / short⌋.
    pub short_side: usize,
    /// How closely clips that are there are looked at.
    pub check: Check,
    /// What becomes of the rest when a video cannot be used.
    pub on_bad: OnBad,
    /// The programs that read videos, if they are not on the search path.
    pub ffmpeg: Option<Ffmpeg>,
}

impl Default for Preparation {
    fn default() -> Self {
        Self { short_side: 240, check: Check::Index, on_bad: OnBad::Skip, ffmpeg: None }
    }
}

/// How far a preparation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Clips that are done, skipped ones included.
    pub done: usize,
    /// Clips that were missing at the start.
    pub of: usize,
}

/// Opens the prepared clips of `list` in `folder`, after preparing those that are missing, damaged or
/// of another size.
///
/// Every clip becomes one file below `folder` (the format stands in the crate's `clip_file.rs`),
/// written beside its place and renamed, so it exists complete or not at all: a preparation that was
/// killed goes on where it was. Frames from folders that have the wanted size are copied as they are,
/// and need no ffmpeg; all others are decoded and written by it. Of the clips on one machine as many are
/// prepared at a time as rayon has threads, with one clip's JPEGs (some megabytes) in memory each.
///
/// A video that cannot be used is listed in [`PreparedClips::skipped`] with its reason and does not
/// stop the others. A missing ffmpeg is such a reason; clips that are prepared already do without.
///
/// # Errors
/// [`Error::TooFew`] if nothing is left, [`Error::Store`] if another process prepares the same folder
/// or the disk is full, [`Error::Io`] if the system refuses, [`Error::Config`] for a short side of 0;
/// with [`OnBad::Refuse`] also the first reason that a clip would be skipped for.
///
/// # Paper
/// The authors extract JPEG files of quality 80 with a short side of 240.
pub fn prepare(
    list: ClipList,
    folder: impl AsRef<Path>,
    preparation: &Preparation,
    progress: impl Fn(Progress) + Sync,
) -> Result<PreparedClips, Error> {
    let folder = folder.as_ref();
    if preparation.short_side == 0 {
        return Err(Error::setting("short side", "at least 1 pixel", 0));
    }
    fs::create_dir_all(folder).map_err(|source| Error::io("create", folder, source))?;
    let missing: Vec<&ListedClip> =
        list.clips.par_iter().filter(|clip| !is_good(clip, folder, preparation)).collect();
    let mut reasons = Vec::new();
    if !missing.is_empty() {
        let _lock = RunLock::acquire(folder)?;
        reasons = build(&missing, folder, preparation, progress)?;
    }
    let mut skipped = list.skipped;
    for (clip, reason) in reasons {
        skipped.add(&clip, reason, preparation.on_bad)?;
    }
    PreparedClips::open(list.name, list.clips, list.classes, folder, skipped)
}

/// The file of a clip.
pub(crate) fn path_of(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.clip"))
}

/// Whether there is a complete file of the right size, made of what the source is now.
fn is_good(clip: &ListedClip, folder: &Path, preparation: &Preparation) -> bool {
    let path = path_of(folder, &clip.id);
    let Ok(Some(mut file)) = ClipFile::open(&path) else { return false };
    let [height, width] = file.header.dims;
    if height.min(width) != preparation.short_side {
        return false;
    }
    // A source that nobody has touched since is the same one. Others are read, and then count as what they are now.
    let Ok(stamp) = stamp(&clip.media) else { return false };
    if fs::metadata(&path).and_then(|clip| clip.modified()).ok() != Some(stamp) {
        if !source_digest(&clip.media).is_ok_and(|digest| digest == file.header.source) {
            return false;
        }
        set_stamp(&path, stamp);
    }
    let mut bytes = Vec::new();
    preparation.check == Check::Index
        || (0..file.header.len()).all(|frame| file.jpeg(frame, &mut bytes).is_ok())
}

/// Prepares clips in parallel and returns the reasons of those that failed, in order.
fn build(
    clips: &[&ListedClip],
    folder: &Path,
    preparation: &Preparation,
    progress: impl Fn(Progress) + Sync,
) -> Result<Vec<(String, Error)>, Error> {
    remove_leftovers(clips, folder);
    let ffmpeg = || preparation.ffmpeg.clone().map_or_else(Ffmpeg::find, Ok);
    let done = AtomicUsize::new(0);
    let results: Vec<Result<Option<(String, Error)>, Error>> = clips
        .par_iter()
        .map(|clip| {
            let path = path_of(folder, &clip.id);
            let result = match pack(clip, preparation.short_side, ffmpeg) {
                Ok((bytes, stamp)) => store(&path, &bytes).map(|()| {
                    set_stamp(&path, stamp);
                    None
                }),
                Err(reason) if preparation.on_bad == OnBad::Skip => {
                    // A file of an earlier state of the source must not take its place.
                    let _ = fs::remove_file(&path);
                    Ok(Some((clip.id.clone(), reason)))
                }
                Err(reason) => Err(reason),
            };
            progress(Progress { done: done.fetch_add(1, Ordering::Relaxed) + 1, of: clips.len() });
            result
        })
        .collect();
    let reasons: Result<Vec<_>, Error> = results.into_iter().collect();
    Ok(reasons?.into_iter().flatten().collect())
}

fn store(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|source| Error::io("create", folder, source))?;
    Ok(write_atomically(path, |file| file.write_all(bytes))?)
}

/// Removes what killed preparations have left half-written. The folder is locked, so nobody writes.
fn remove_leftovers(clips: &[&ListedClip], folder: &Path) {
    let mut folders: Vec<PathBuf> = clips
        .iter()
        .filter_map(|clip| Some(path_of(folder, &clip.id).parent()?.to_owned()))
        .collect();
    folders.dedup();
    for entry in folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            let _ = fs::remove_file(entry.path()); // it costs space only
        }
    }
}

/// What tells a source from itself before any change: the times of its last change and of that of the two folders around it, in
/// which another may have taken its place, summed up. A time may go back, as those of a backup do, so which is later tells nothing.
///
/// The time of the content of a prepared clip is set to it: a number of even seconds, which all file systems keep, and a day
/// before 2005, that means nothing else.
fn stamp(media: &Media) -> std::io::Result<SystemTime> {
    let mut sum = 0_u64;
    let mut add = |path: &Path| -> std::io::Result<()> {
        sum = sum.wrapping_add(changed(&fs::metadata(path)?)?);
        Ok(())
    };
    for path in media.path().ancestors().take(3).filter(|path| *path != Path::new("")) {
        add(path)?;
    }
    if let Media::Frames(folder) = media {
        for entry in fs::read_dir(folder)? {
            add(&entry?.path())?;
        }
    }
    // Every bit of the sum has a say in the 30 that are kept: 2⁶⁴ over the golden ratio.
    let mixed = sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - 29);
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(mixed << 1))
}

/// Says which state of its source a clip was made of. Where that cannot be written the source is read again.
fn set_stamp(clip: &Path, stamp: SystemTime) {
    let file = fs::File::options().append(true).open(clip);
    let _ = file.and_then(|file| file.set_modified(stamp));
}

/// The beginning of the SHA-256 of a video, or of the files of its frames: what tells one source from another.
fn source_digest(media: &Media) -> Result<u64, Error> {
    let sum = match media {
        Media::Video(path) => {
            let failed = |source| Error::io("read", path, source);
            let mut sum = Sha256::new();
            let mut file = fs::File::open(path).map_err(failed)?;
            std::io::copy(&mut file, &mut sum).map_err(failed)?;
            sum
        }
        Media::Frames(folder) => frame_folder::digest(folder)?,
    };
    let digest = sum.finalize();
    Ok(digest.iter().take(8).fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
}

/// The whole file of a clip, and the stamp of its source.
fn pack(
    clip: &ListedClip,
    short_side: usize,
    ffmpeg: impl Fn() -> Result<Ffmpeg, Error>,
) -> Result<(Vec<u8>, SystemTime), Error> {
    let path = clip.media.path();
    let stamp = || stamp(&clip.media).map_err(|source| Error::io("open", path, source));
    // In this order: what changes while it is read has another stamp or another digest than the clip says.
    let before = stamp()?;
    let source = source_digest(&clip.media)?;
    let mut packer = Packer::default();
    let mut frames = None;
    if let Media::Frames(folder) = &clip.media {
        let (count, dims) = (frame_folder::count(folder)?, frame_folder::dims(folder)?);
        let as_it_is = scaled(dims, short_side) == dims;
        frame_folder::each(folder, dims, count, |jpeg| {
            if as_it_is {
                packer.push(jpeg);
            }
        })?;
        if as_it_is {
            return Ok((packer.finish(dims, source), before));
        }
        frames = Some(count);
    } else if fs::metadata(path).map_err(|source| Error::io("open", path, source))?.len() == 0 {
        return Err(bad_video("a video", "an empty file", path));
    }
    let ffmpeg = ffmpeg()?;
    let mut info = ffmpeg.probe(&clip.media)?;
    info.frames = frames.or(info.frames);
    let dims = scaled(info.dims, short_side);
    let mut first = Frame::default();
    ffmpeg.frames(&clip.media, info, dims, |jpeg| {
        // All frames come from one encoder; decoding one of them tells whether we understand it.
        if first.dims() == [0, 0] {
            let unreadable = |got| frame_folder::bad_frame("a JPEG of ffmpeg", got, path);
            jpeg::decode(jpeg, &mut first).map_err(unreadable)?;
        }
        packer.push(jpeg);
        Ok(())
    })?;
    Ok((packer.finish(first.dims(), source), before))
}

/// The size with the shorter side at `short_side`, the other rounded down.
///
/// ```text
/// short → s        long → ⌊s · long / short⌋
/// ```
pub(crate) fn scaled([height, width]: [usize; 2], short_side: usize) -> [usize; 2] {
    if height <= width {
        [short_side, short_side * width / height]
    } else {
        [short_side * height / width, short_side]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_side_is_scaled_and_the_other_rounded_down() {
        assert_eq!(scaled([240, 320], 240), [240, 320]);
        assert_eq!(scaled([480, 854], 240), [240, 427]);
        assert_eq!(scaled([639, 360], 240), [426, 240]);
    }
}
