//! JPEG files, decoded and looked at.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::video::Frame;

/// The largest side that is decoded: a damaged header must not claim all memory.
const LARGEST: usize = 8_192;

fn decoder(bytes: &[u8]) -> JpegDecoder<ZCursor<&[u8]>> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(LARGEST)
        .set_max_height(LARGEST)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    JpegDecoder::new_with_options(ZCursor::new(bytes), options)
}

/// Rows and columns from the header; the error says what is wrong with it.
///
/// A file that does not end as a JPEG ends is refused here, because a decoder fills what is missing
/// with gray and calls it a picture.
pub(crate) fn dims(bytes: &[u8]) -> Result<[usize; 2], String> {
    if bytes.is_empty() {
        return Err("an empty file".to_owned());
    }
    let mut decoder = decoder(bytes);
    decoder.decode_headers().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions().ok_or("no size")?;
    // Some writers pad with zeros.
    let padding = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    match bytes[..bytes.len() - padding].ends_with(&[0xff, 0xd9]) {
        true => Ok([height, width]),
        false => Err("a file cut short".to_owned()),
    }
}

/// Decodes into `frame`; the error says what is wrong.
pub(crate) fn decode(bytes: &[u8], frame: &mut Frame) -> Result<(), String> {
    let dims = dims(bytes)?;
    let mut decoder = decoder(bytes);
    decoder.decode_into(frame.reshape(dims, 3)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Image.new("RGB", (3, 2), (200, 30, 60)).save(file, "JPEG", quality=80)` of Pillow 13.
    pub(crate) const RED: &[u8] = include_bytes!("../../tests/data/red_3x2.jpg");

    #[test]
    fn a_picture_of_one_colour_has_that_colour() {
        let mut frame = Frame::default();
        decode(RED, &mut frame).unwrap();
        assert_eq!(frame.dims(), [2, 3]);
        for (value, expected) in frame.pixel(1, 2).iter().zip([200_u8, 30, 60]) {
            // Chroma and luma are rounded and quantised.
            assert!(value.abs_diff(expected) <= 4, "{:?}", frame.pixel(1, 2));
        }
    }

    #[test]
    fn a_file_cut_short_anywhere_is_refused() {
        for length in 0..RED.len() - 1 {
            assert!(decode(&RED[..length], &mut Frame::default()).is_err(), "{length} bytes");
        }
        assert_eq!(dims(&[]).unwrap_err(), "an empty file");
    }

    #[test]
    fn zeros_after_the_end_do_no_harm() {
        let padded = [RED, &[0; 5]].concat();
        assert_eq!(dims(&padded).unwrap(), [2, 3]);
    }
}
