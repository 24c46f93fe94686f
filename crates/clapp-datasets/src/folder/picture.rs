//! One image file, decoded into a small square.

use std::io::Cursor;
use std::path::Path;

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageReader, ImageResult, Limits};

use super::WHAT;
use crate::Error;

/// Memory that a decoder may take: a photograph of a hundred million pixels; a damaged header must not claim all.
const MOST: u64 = 512 << 20;

/// The largest square in the middle of an image, scaled to `side` pixels: planar RGB.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Damaged`] if it does not decode.
pub(super) fn square(path: &Path, side: usize) -> Result<Vec<u8>, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::io("read", path, source))?;
    let damaged = |got: String| {
        Error::damaged(WHAT, "a whole image", got, path.display(), "replace or remove the file")
    };
    if bytes.is_empty() {
        return Err(damaged("an empty file".to_owned()));
    }
    if cut_short(&bytes) {
        return Err(damaged("a file cut short".to_owned()));
    }
    let picture = decode(&bytes).map_err(|source| damaged(source.to_string()))?;
    let (width, height) = (picture.width(), picture.height());
    let least = width.min(height);
    let middle = picture.crop_imm((width - least) / 2, (height - least) / 2, least, least);
    let side = side as u32;
    // Its own support grows when it shrinks, so that nothing is skipped.
    let small = middle.resize_exact(side, side, FilterType::Triangle).to_rgb8(); // [y, x, colour]
    let plane = |colour: usize| small.as_raw()[colour..].iter().step_by(3).copied();
    Ok((0..3).flat_map(plane).collect()) // [colour, y, x]
}

fn decode(bytes: &[u8]) -> ImageResult<DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Whether bytes are those of a JPEG without its end, the rest of which a decoder would call gray. What cameras
/// append has its own end.
fn cut_short(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xff, marker]);
    // Start of a scan, end of an image.
    bytes.starts_with(&[0xff, 0xd8]) && last(0xd9) < last(0xda).max(Some(2))
}
