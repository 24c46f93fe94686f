//! What the units of an encoder of images respond to.

use clapp_datasets::{Image, Item as _};
use clapp_eval::figure::{Picture, Row};

use super::Images;
use crate::Error;

/// Pixels a side of the pictures that are shown, at most.
const SIDE: usize = 64;

/// Activity in every layer for some images of a run's data.
pub type Look = crate::Look<Images>;

impl Look {
    /// For `units` of each layer, evenly spaced among those whose activity differs between images, the `best`
    /// images with the largest mean activity, the largest first.
    ///
    /// # Errors
    ///
    /// If an image cannot be read.
    ///
    /// # Paper
    /// Illing et al. 2021, Figs. 3a and 8. Deviation: whole images, where the paper shows patches.
    pub fn preferred(&self, units: usize, best: usize) -> Result<Vec<Row>, Error> {
        self.rows(units, best, &|index| {
            let Image { dims: [planes, height, width], pixels, .. } =
                Image::whole(&*self.source, index)?;
            let whole = Picture::of_planes(planes, [width, height], |place| pixels[place]);
            Ok(whole.shrunk(width.max(height).div_ceil(SIDE)))
        })
    }
}
