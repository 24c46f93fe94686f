//! One image file, decoded into a small square.

use std::io::Cursor;
use std::path::Path;

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageReader, ImageResult, Limits, RgbImage};

use super::{WHAT, tiff};
use crate::Error;
use crate::video::jpeg;

/// Memory that a picture may take, so that a header cannot claim all: 32 MiB and 32 times its file, but not more than a
/// photograph of 170 million pixels. Nothing that a camera writes is packed so closely.
fn most(file: usize) -> u64 {
    ((32 << 20) + 32 * file as u64).min(512 << 20)
}

/// The largest square in the middle of an image, scaled to `side` pixels: planar RGB.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Damaged`] if it does not decode, or decoded would take more memory than
/// its size justifies.
pub(super) fn square(path: &Path, side: usize) -> Result<Vec<u8>, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::io("read", path, source))?;
    let damaged = |got: String| {
        Error::damaged(WHAT, "a whole image", got, path.display(), "replace or remove the file")
    };
    if bytes.is_empty() {
        return Err(damaged("an empty file".to_owned()));
    }
    let picture = decode(&bytes).map_err(damaged)?;
    let (width, height) = (picture.width(), picture.height());
    let least = width.min(height);
    let middle = picture.crop_imm((width - least) / 2, (height - least) / 2, least, least);
    let side = side as u32;
    // Its own support grows when it shrinks, so that nothing is skipped.
    let small = middle.resize_exact(side, side, FilterType::Triangle).to_rgb8(); // [y, x, colour]
    let plane = |colour: usize| small.as_raw()[colour..].iter().step_by(3).copied();
    Ok((0..3).flat_map(plane).collect()) // [colour, y, x]
}

/// The picture as its orientation says; the error says what is wrong.
fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    if tiff::claims_too_much(bytes) {
        return Err(format!("a list of more values than {} bytes hold", bytes.len()));
    }
    // Some end with a line end.
    let said = |error: image::ImageError| error.to_string().trim_end().to_owned();
    let mut limits = Limits::default();
    limits.max_alloc = Some(most(bytes.len()));
    let mut decoder = open(bytes, limits.clone()).map_err(said)?;
    let (width, height) = decoder.dimensions();
    // The limits that a decoder is given do not bind all of them.
    limits.clone().reserve(decoder.total_bytes()).map_err(|_| {
        format!("{width}×{height} pixels in {} bytes, more than a photograph has", bytes.len())
    })?;
    let orientation = decoder.orientation().map_err(said)?;
    let mut picture = if jpeg::is_jpeg(bytes) {
        let pixels = jpeg::decode_whole(bytes)?;
        RgbImage::from_raw(width, height, pixels).map(Into::into).ok_or("another size inside")?
    } else {
        decoder.set_limits(limits).map_err(said)?;
        DynamicImage::from_decoder(decoder).map_err(said)?
    };
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn open(bytes: &[u8], limits: Limits) -> ImageResult<impl ImageDecoder> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    reader.limits(limits);
    reader.into_decoder()
}
