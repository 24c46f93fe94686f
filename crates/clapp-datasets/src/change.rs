//! What is done to a picture of a random view, once all draws are made.

use crate::blur::blur;
use crate::colour::luma;
use crate::video::{Frame, Op};

/// One change of a picture of 8-bit numbers: the outcome of the draws of [`Views`](crate::Views).
///
/// Numbers are rounded to bytes after each change, as in Pillow, so the order of changes counts.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Change, video::{Frame, Op}};
///
/// let mut picture = Frame::new([1, 1], vec![10, 200, 30]);
/// for change in [Change::Op(Op::Brightness(0.5)), Change::Gray] {
///     change.apply(&mut picture, &mut Frame::default());
/// }
/// assert_eq!(picture.pixels(), [61, 61, 61]); // the luma of (5, 100, 15), rounded
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// One that frames of videos know too: mirror, cut, size, brightness, contrast, saturation, hue.
    Op(Op),
    /// Luma stands for all three colours.
    Gray,
    /// A Gaussian over `side`×`side` pixels, see [`blur`].
    Blur {
        /// Side of the window in pixels, odd.
        side: usize,
        /// Deviation in pixels.
        sigma: f32,
    },
}

impl Change {
    /// Changes `picture`; `spare` is working memory.
    ///
    /// # Panics
    /// A cut reaches over the edge, a side is 0, colours are changed in a picture that has not three, or
    /// a blur's window is even or reaches over a whole mirrored picture.
    pub fn apply(self, picture: &mut Frame, spare: &mut Frame) {
        match self {
            Self::Op(op) => op.apply(picture, spare),
            Self::Gray => gray(picture),
            Self::Blur { side, sigma } => blur(picture, side, sigma),
        }
    }
}

/// `(19595 R + 38470 G + 7471 B + 32768) >> 16` in all three colours.
fn gray(picture: &mut Frame) {
    let planes = picture.planes();
    assert!(planes == 3, "gray: expected 3 colours, got {planes}");
    for pixel in picture.pixels_mut().chunks_exact_mut(3) {
        pixel.fill(luma(pixel[0], pixel[1], pixel[2]));
    }
}
