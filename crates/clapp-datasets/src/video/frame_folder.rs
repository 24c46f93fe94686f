//! Folders of extracted frames: `image_00001.jpg`, `image_00002.jpg`, …

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::Error;
use crate::files::{children, name_of};
use crate::video::jpeg;

/// The number of frames of a folder, which must count from 1 without a hole.
pub(crate) fn count(folder: &Path) -> Result<usize, Error> {
    // The numbers have five digits each, so their order is that of the names.
    let frames = children(folder)?.into_iter();
    let numbers: Vec<usize> = frames.filter_map(|path| number(&name_of(&path))).collect();
    let hole = |number: usize, got: String| {
        let (expected, advice) = (format!("image_{number:05}.jpg"), "extract this video again");
        Err(Error::damaged("frame folder", expected, got, folder.display(), advice))
    };
    match numbers.iter().zip(1..).find(|&(number, place)| *number != place) {
        Some((number, place)) => hole(place, format!("image_{number:05}.jpg")),
        None if numbers.is_empty() => hole(1, "no frame".to_owned()),
        None => Ok(numbers.len()),
    }
}

/// The number in `image_00001.jpg`.
fn number(name: &str) -> Option<usize> {
    let digits = name.strip_prefix("image_")?.strip_suffix(".jpg")?;
    (digits.len() == 5).then(|| digits.parse().ok())?
}

fn file(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("image_{number:05}.jpg"))
}

/// Rows and columns of the first frame.
pub(crate) fn dims(folder: &Path) -> Result<[usize; 2], Error> {
    let path = file(folder, 1);
    jpeg::dims(&read(&path)?).map_err(|got| bad_frame("a complete JPEG", got, &path))
}

/// Hands over the files of all frames, unless one of them is no JPEG that decodes, or of another size.
pub(crate) fn each(
    folder: &Path,
    [height, width]: [usize; 2],
    frames: usize,
    mut each: impl FnMut(&[u8]),
) -> Result<(), Error> {
    for number in 1..=frames {
        let path = file(folder, number);
        let bytes = read(&path)?;
        // ffmpeg would make up what is missing, and scale what is of another size.
        let dims = jpeg::dims(&bytes).and_then(|dims| jpeg::decode_whole(&bytes).map(|_| dims));
        let dims = dims.map_err(|got| bad_frame("a complete JPEG", got, &path))?;
        if dims != [height, width] {
            let (expected, got) = (format!("{height}×{width}"), format!("{}×{}", dims[0], dims[1]));
            return Err(bad_frame(&expected, got, &path));
        }
        each(&bytes);
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::io("read", path, source))
}

/// A digest of all files of frames.
pub(crate) fn digest(folder: &Path) -> Result<Sha256, Error> {
    let mut sum = Sha256::new();
    for number in 1..=count(folder)? {
        let bytes = read(&file(folder, number))?;
        sum.update((bytes.len() as u64).to_le_bytes());
        sum.update(&bytes);
    }
    Ok(sum)
}

/// A frame is no complete JPEG, or of another size than its clip.
pub(crate) fn bad_frame(expected: &str, got: String, path: &Path) -> Error {
    let advice = "extract or prepare this video again";
    Error::damaged("frame", expected, got, path.display(), advice)
}
