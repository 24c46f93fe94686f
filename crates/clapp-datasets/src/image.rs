//! What a source of images holds.

use crate::Error;
use crate::source::{Item, Source, assert_index};

/// An image: planar and row-major, `[colour, height, width]` bytes of any number of colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Colour planes, rows, columns.
    pub dims: [usize; 3],
    /// Its class, counted from 0; `None` if it has none.
    pub label: Option<u32>,
    /// All bytes, 0 to 255.
    pub pixels: Vec<u8>,
}

/// What is known of an image before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageInfo {
    /// Colour planes, rows, columns.
    pub dims: [usize; 3],
    /// Its class, counted from 0; `None` if it has none.
    pub label: Option<u32>,
}

impl ImageInfo {
    /// Bytes of the image.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.dims.iter().product()
    }
}

impl Item for Image {
    type Info<'a> = ImageInfo;
    type Part<'a> = &'a mut [u8];
    type Label = u32;
    const PLURAL: &'static str = "images";

    fn info(&self) -> ImageInfo {
        ImageInfo { dims: self.dims, label: self.label }
    }

    fn class(info: &ImageInfo) -> Option<u32> {
        info.label
    }

    /// Colours, rows, columns.
    fn extent(info: &ImageInfo) -> Vec<usize> {
        info.dims.to_vec()
    }

    fn copy(&self, part: &mut [u8]) {
        part.copy_from_slice(&self.pixels);
    }

    fn whole(source: &dyn Source<Item = Self>, index: usize) -> Result<Self, Error> {
        let info = source.info(index);
        let mut pixels = vec![0; info.bytes()];
        source.read(index, &mut pixels)?;
        Ok(Self { dims: info.dims, label: info.label, pixels })
    }

    fn sample(source: &dyn Source<Item = Self>, index: usize) -> Result<Vec<u8>, Error> {
        let Self { label, mut pixels, .. } = Self::whole(source, index)?;
        pixels.extend(label.map_or([0xff; 4], u32::to_le_bytes));
        Ok(pixels)
    }

    fn assert_part(source: &dyn Source<Item = Self>, index: usize, part: &&mut [u8]) {
        assert_index(source, index);
        let (name, bytes, got) = (source.name(), source.info(index).bytes(), part.len());
        assert!(got == bytes, "{name}: expected a buffer of {bytes} bytes, got {got}");
    }

    fn check(&mut self, classes: usize, place: &str, number: usize) -> Result<(), Error> {
        let (expected, got) = (self.info().bytes(), self.pixels.len());
        if got != expected {
            return Err(Error::count(format!("bytes of image {number}"), expected, got, place));
        }
        check_label(self.label, classes, place, number)
    }
}

/// Checks the label of an image or a clip.
pub(crate) fn check_label(
    label: Option<u32>,
    classes: usize,
    place: &str,
    number: usize,
) -> Result<(), Error> {
    match label.filter(|label| *label as usize >= classes) {
        None => Ok(()),
        Some(label) => {
            let (expected, got) =
                (format!("a label below {classes}"), format!("{label} at {number}"));
            Err(Error::damaged("labels", expected, got, place, "correct the number of classes"))
        }
    }
}
