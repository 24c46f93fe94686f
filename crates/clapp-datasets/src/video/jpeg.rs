//! JPEG files, decoded and looked at.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::video::Frame;

/// The largest side of a frame: a damaged header must not claim all memory.
const LARGEST: usize = 8_192;
/// How a JPEG begins.
const START: [u8; 2] = [0xff, 0xd8];
/// How it ends.
const END: [u8; 2] = [0xff, 0xd9];
/// Data at the end of a scan that hold a code at least, whatever they are.
const LAST: usize = 8;
/// Ones, as bytes within a scan: no code of any file.
const ONES: [u8; 32] = {
    let mut ones = [0xff; 32];
    let mut at = 1;
    while at < ones.len() {
        ones[at] = 0;
        at += 2;
    }
    ones
};

fn decoder(bytes: &[u8], largest: usize, colours: ColorSpace) -> JpegDecoder<ZCursor<&[u8]>> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(largest)
        .set_max_height(largest)
        .jpeg_set_out_colorspace(colours);
    JpegDecoder::new_with_options(ZCursor::new(bytes), options)
}

/// Whether a file begins as a JPEG does.
pub(crate) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&START)
}

/// Where the first picture of a file ends, if it does, and whether it is progressive. Cameras append smaller ones, depths and
/// films, others zeros.
fn end(bytes: &[u8]) -> Option<(usize, bool)> {
    let (mut at, mut progressive) = (START.len(), false);
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        at += match *bytes.get(at + 1)? {
            0xd9 => return Some((at + END.len(), progressive)),
            // A byte that fills; 0xff as a byte of a scan, and marks within a scan: no length follows.
            0xff => 1,
            0x00 | 0x01 | 0xd0..=0xd8 => 2,
            mark => {
                progressive |= mark == 0xc2;
                let size: [u8; 2] = bytes.get(at + 2..at + 4)?.try_into().ok()?;
                2 + usize::from(u16::from_be_bytes(size))
            }
        };
    }
}

/// Rows and columns from the header; the error says what is wrong with it.
///
/// A file without the end of its picture is refused here, because a decoder fills what is missing
/// with gray and calls it a picture.
pub(crate) fn dims(bytes: &[u8]) -> Result<[usize; 2], String> {
    if bytes.is_empty() {
        return Err("an empty file".to_owned());
    }
    let mut decoder = decoder(bytes, LARGEST, ColorSpace::RGB);
    decoder.decode_headers().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions().ok_or("no size")?;
    end(bytes).map(|_| [height, width]).ok_or_else(|| "a file cut short".to_owned())
}

/// Decodes into `frame`; the error says what is wrong.
pub(crate) fn decode(bytes: &[u8], frame: &mut Frame) -> Result<(), String> {
    let dims = dims(bytes)?;
    let mut decoder = decoder(bytes, LARGEST, ColorSpace::RGB);
    decoder.decode_into(frame.reshape(dims, 3)).map_err(|error| error.to_string())
}

/// Decodes the first picture of a file from elsewhere, of any size, as `[row, column, colour]`; the error says what is wrong.
///
/// Stricter than [`decode`]: its data have to be as many as its blocks need. Where they end early, a decoder goes on with zeros,
/// blocks of one gray; here it finds ones, which are refused. Where it needs no code of the last data, it met too few of them (but
/// in progressive files, which may end in bits that are no codes). Damage after which their number fits is not noticed.
pub(crate) fn decode_whole(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (end, progressive) = end(bytes).ok_or("a file cut short")?;
    let data = &bytes[..end - END.len()];
    let read = |data: &[u8], colours| {
        decoder(&[data, &ONES, &END].concat(), usize::from(u16::MAX), colours).decode()
    };
    let pixels = read(data, ColorSpace::RGB).map_err(|error| error.to_string())?;
    // Some cameras fill the end of a scan.
    let filled = data.iter().rev().take_while(|byte| matches!(byte, 0 | 0xff)).count();
    let fewer = &data[..data.len().saturating_sub(filled + LAST)];
    match progressive || read(fewer, ColorSpace::Luma).is_err() {
        true => Ok(pixels),
        false => Err("more data than its picture needs".to_owned()),
    }
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
        assert_eq!(decode_whole(RED).unwrap(), frame.pixels());
    }

    #[test]
    fn a_file_cut_short_anywhere_is_refused() {
        for length in 0..RED.len() - 1 {
            assert!(decode(&RED[..length], &mut Frame::default()).is_err(), "{length} bytes");
            assert!(decode_whole(&RED[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(dims(&[]).unwrap_err(), "an empty file");
    }

    #[test]
    fn a_scan_may_be_filled_at_its_end() {
        let (picture, end) = RED.split_at(RED.len() - END.len());
        for filled in [0, 0xff] {
            let longer = [picture, &[filled; 20], end].concat();
            assert_eq!(decode_whole(&longer), decode_whole(RED), "{filled}");
        }
    }

    #[test]
    fn what_follows_the_end_does_no_harm() {
        for more in [&[0; 5][..], b"\0\0\0\x18ftypmp42 and a film", &RED[..RED.len() / 2]] {
            let longer = [RED, more].concat();
            assert_eq!(dims(&longer).unwrap(), [2, 3]);
            assert_eq!(decode_whole(&longer), decode_whole(RED));
        }
    }
}
