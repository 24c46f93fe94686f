//! What is done to a picture of a random view, once all draws are made.

use clapp_random::{Purpose, stream};

use crate::blur::blur;
use crate::colour::{Colour, luma, normalise};
use crate::hue::turn;
use crate::video::{Filter, Frame, Op};
use crate::{Augment, ImagePipeline};

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
/// assert_eq!(picture.pixels(), [62, 62, 62]); // 61.9, the luma of (5, 100, 15)
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
            Self::Op(Op::Hue(shift)) if picture.planes() == 3 => turn(picture.pixels_mut(), shift),
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

impl ImagePipeline {
    /// Decides what is done to image `sample` in `epoch` where the pipeline has [`Views`](crate::Views).
    ///
    /// All draws come from the stream `(seed, Augmentation, [epoch, sample, 0, 0])`. Evaluation draws
    /// none: the middle of the image, or of the image brought to [`Views::whole`](crate::Views::whole).
    ///
    /// # Panics
    /// The pipeline has no views, or [`validate`](Self::validate) refuses `dims`.
    #[must_use]
    pub fn changes(
        &self,
        dims: [usize; 3],
        augment: Augment,
        seed: u64,
        epoch: u64,
        sample: u64,
    ) -> Vec<Change> {
        let [_, height, width] = self.scale.output(dims).expect("validate accepts the dims");
        let views = self.views.expect("the pipeline has views");
        if augment == Augment::Training {
            let mut draws = stream(seed, Purpose::Augmentation, [epoch, sample, 0, 0]);
            return views.draw([height, width], self.crop, self.flip, &mut draws);
        }
        let whole = views.enlarged([height, width]).unwrap_or([height, width]);
        // As torchvision's centre crop: a half is rounded to even.
        let [top, left] =
            whole.map(|side| ((side - self.crop) as f64 / 2.0).round_ties_even() as usize);
        let cut = Op::Cut { top, left, dims: [self.crop; 2] };
        [Op::Resize { dims: whole, filter: Filter::Bilinear }, cut].map(Change::Op).to_vec()
    }

    /// Writes one image as the network sees it after `changes`.
    ///
    /// # Shapes
    /// As [`apply`](Self::apply).
    ///
    /// # Panics
    /// As [`apply`](Self::apply), or `changes` end at another size.
    pub fn change(&self, image: &[u8], dims: [usize; 3], changes: &[Change], out: &mut [f32]) {
        let scaled = self.scale.output(dims).expect("validate accepts the dims");
        let (mut picture, mut spare) = (Frame::default(), Frame::default());
        interleave(&self.scale.apply(image, dims), scaled, &mut picture);
        for change in changes {
            change.apply(&mut picture, &mut spare);
        }
        let (got, expected) = (picture.dims(), [self.crop; 2]);
        assert!(got == expected, "changes: expected a view of {expected:?}, got {got:?}");
        let (means, stds) = self.colour.constants();
        for (plane, out) in out.chunks_exact_mut(self.crop * self.crop).enumerate() {
            let pixels = picture.pixels().chunks_exact(picture.planes());
            let (mean, std) = (means[plane], stds[plane]);
            match self.colour {
                Colour::Gray { .. } if picture.planes() == 3 => {
                    normalise(pixels.map(|p| luma(p[0], p[1], p[2])), mean, std, out);
                }
                _ => normalise(pixels.map(|pixel| pixel[plane]), mean, std, out),
            }
        }
    }
}

/// From colour after colour to pixel after pixel.
fn interleave(image: &[u8], [planes, height, width]: [usize; 3], picture: &mut Frame) {
    let pixels = picture.reshape([height, width], planes);
    for (plane, bytes) in image.chunks_exact(height * width).enumerate() {
        let places = pixels[plane..].iter_mut().step_by(planes);
        places.zip(bytes).for_each(|(place, byte)| *place = *byte);
    }
}
