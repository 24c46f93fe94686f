//! From stored bytes to the numbers a network sees.

use clapp_random::{Purpose, stream};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::colour::{Colour, luma, normalise};
use crate::scale::Scale;
use crate::source::Source;
use crate::{Batcher, Error, Image, ImageInfo, Views, Visit};

/// Whether images may be mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flip {
    /// Left stays left: for digits, letters, maps.
    Never,
    /// Half of the training images are mirrored left to right.
    #[default]
    EvenChance,
}

/// Whether an image is seen at random or always in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Augment {
    /// Random crop, and random flip if the pipeline has one; or random [`Views`].
    Training,
    /// Centre crop (offset rounded down), never mirrored.
    Evaluation,
}

/// Where an image is cut and whether it is mirrored: the outcome of all random draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Mirrored left to right, after the cut.
    pub mirrored: bool,
}

/// The steps from a stored image to input of a network, in the order of the fields.
///
/// ```text
/// u8 [colour, height, width] → scale → crop → flip → colour → v/255 → (v − mean)/std → f32 [planes, crop, crop]
/// ```
/// With [`Views`], training has their changes instead of crop and flip. How many views a batch has of an
/// image is [`LoaderConfig::views`](crate::LoaderConfig::views).
///
/// # Paper
/// [`stl10`](Self::stl10) is the input of Illing et al. 2021: crop of 64×64, flip, gray. Luma is
/// `(19595 R + 38470 G + 7471 B + 32768) >> 16`, the rounding of today's Pillow; the authors' older
/// Pillow truncated, which differs by at most one level.
///
/// # Example
///
/// ```
/// use clapp_datasets::{Augment, ImagePipeline};
///
/// let pipeline = ImagePipeline::stl10();
/// let dims = [3, 96, 96];
/// pipeline.validate(dims)?;
/// let view = pipeline.view(dims, Augment::Evaluation, 0, 0, 0);
/// assert_eq!((view.top, view.left), (16, 16));
///
/// let mut pixels = vec![0.0; 64 * 64];
/// pipeline.apply(&vec![255; 3 * 96 * 96], dims, view, &mut pixels);
/// assert_eq!(pixels[0], (1.0 - 0.4120) / 0.2570);
/// # Ok::<(), clapp_datasets::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePipeline {
    /// Shrinks or enlarges the whole image first.
    #[serde(default)]
    pub scale: Scale,
    /// Side of the square that is cut out, in pixels of the scaled image; of random views, the side that
    /// cuts of any size are brought to.
    pub crop: usize,
    /// Random mirroring.
    #[serde(default)]
    pub flip: Flip,
    /// Colour planes and normalisation.
    pub colour: Colour,
    /// Random views in place of crop and flip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub views: Option<Views>,
}

impl ImagePipeline {
    /// STL-10 as in the paper: 64×64, gray.
    #[must_use]
    pub fn stl10() -> Self {
        let (scale, flip, colour) = (Scale::Keep, Flip::EvenChance, Colour::STL10_GRAY);
        Self { scale, crop: 64, flip, colour, views: None }
    }

    /// STL-10 as SimCLR and CLAPP++ see it: 96×96, in colour, see [`Views::simclr_stl10`].
    #[must_use]
    pub fn simclr_stl10() -> Self {
        Self { crop: 96, views: Some(Views::simclr_stl10()), ..Self::stl10_rgb() }
    }

    /// CIFAR-10 as SimCLR and CLAPP++ see it: 32×32, in colour, see [`Views::simclr_cifar10`].
    #[must_use]
    pub fn simclr_cifar10() -> Self {
        let views = Some(Views::simclr_cifar10());
        Self { crop: 32, colour: Colour::CIFAR10_RGB, views, ..Self::stl10() }
    }

    /// STL-10 in colour: 64×64, which the paper does not use.
    #[must_use]
    pub fn stl10_rgb() -> Self {
        Self { colour: Colour::STL10_RGB, ..Self::stl10() }
    }

    /// CIFAR-10 shown to a network that learned on STL-10: 32×32, gray, never mirrored.
    ///
    /// The constants give CIFAR-10's gray values (mean 0.47896898, deviation 0.2392343) the moments
    /// that STL-10's have after its own normalisation, as the authors' code does.
    #[must_use]
    pub fn cifar10_transfer() -> Self {
        Self::transfer(0.478_968_98, 0.239_234_3)
    }

    /// CIFAR-100 shown to a network that learned on STL-10; see
    /// [`cifar10_transfer`](Self::cifar10_transfer).
    #[must_use]
    pub fn cifar100_transfer() -> Self {
        Self::transfer(0.485_630_15, 0.250_722_86)
    }

    fn transfer(mean: f64, std: f64) -> Self {
        let std = std / 0.959_303_14;
        let mean = mean - 0.069_125_13 * std;
        let colour = Colour::Gray { mean: mean as f32, std: std as f32 };
        Self { scale: Scale::Keep, crop: 32, flip: Flip::Never, colour, views: None }
    }

    /// Checks the settings against images of size `dims` = `[colour, height, width]`.
    ///
    /// # Errors
    /// [`Error::Config`] if a factor is 0 or does not divide the sides, a deviation is not positive or a
    /// mean not finite, the crop is 0 or larger than the scaled image, the images have other planes
    /// than the colours need, or [`Views::validate`] refuses.
    pub fn validate(&self, dims: [usize; 3]) -> Result<(), Error> {
        let scaled @ [_, height, width] = self.scale.output(dims)?;
        if let Some(views) = &self.views {
            views.validate(scaled, self.crop)?;
        } else if self.crop == 0 || self.crop > height.min(width) {
            return Err(Error::crop(self.crop, [height, width]));
        }
        self.colour.validate(dims[0])
    }

    /// The size of an output image: planes, rows, columns.
    #[must_use]
    pub fn output_dims(&self) -> [usize; 3] {
        [self.colour.planes(), self.crop, self.crop]
    }

    /// Decides how image `sample` is seen in `epoch`.
    ///
    /// The draws (top, left, mirrored, in this order) come from the stream
    /// `(seed, Augmentation, [epoch, sample, 0, 0])`: they do not depend on batches or threads.
    /// Offsets are uniform in `0..=side − crop`.
    ///
    /// # Panics
    /// [`validate`](Self::validate) refuses `dims`.
    #[must_use]
    pub fn view(
        &self,
        dims: [usize; 3],
        augment: Augment,
        seed: u64,
        epoch: u64,
        sample: u64,
    ) -> View {
        let [_, height, width] = self.scale.output(dims).expect("validate accepts the dims");
        let (rows, columns) = (height - self.crop, width - self.crop);
        match augment {
            Augment::Evaluation => View { top: rows / 2, left: columns / 2, mirrored: false },
            Augment::Training => {
                let mut draws = stream(seed, Purpose::Augmentation, [epoch, sample, 0, 0]);
                let mut offset = |most: usize| draws.random_range(0..=most as u64) as usize;
                let (top, left) = (offset(rows), offset(columns));
                let mirrored = self.flip == Flip::EvenChance && draws.random();
                View { top, left, mirrored }
            }
        }
    }

    /// Writes one image as the network sees it.
    ///
    /// # Shapes
    /// - `image`: `dims` = `[colour, height, width]`, planar
    /// - `out`: [`output_dims`](Self::output_dims), planar
    ///
    /// # Panics
    /// A slice is not of its size, `view` reaches over the edge, or [`validate`](Self::validate)
    /// refuses `dims`.
    pub fn apply(&self, image: &[u8], dims: [usize; 3], view: View, out: &mut [f32]) {
        let (got, expected) = (image.len(), dims.iter().product::<usize>());
        assert!(got == expected, "image: expected {expected} bytes for {dims:?}, got {got}");
        let (got, shape) = (out.len(), self.output_dims());
        let expected = shape.iter().product::<usize>();
        assert!(got == expected, "pixels: expected {expected} values for {shape:?}, got {got}");
        match self.scale {
            Scale::Keep => self.cut(image, dims, view, out),
            scale => {
                let scaled_dims = scale.output(dims).expect("validate accepts the dims");
                self.cut(&scale.apply(image, dims), scaled_dims, view, out);
            }
        }
    }

    /// Crop, flip, colour and normalisation, row by row.
    fn cut(&self, image: &[u8], [planes, height, width]: [usize; 3], view: View, out: &mut [f32]) {
        let row = |plane: usize, y: usize| {
            let start = (plane * height + view.top + y) * width + view.left;
            &image[start..][..self.crop]
        };
        let (means, stds) = self.colour.constants();
        for (i, out) in out.chunks_exact_mut(self.crop).enumerate() {
            let (plane, y) = (i / self.crop, i % self.crop);
            let (mean, std) = (means[plane], stds[plane]);
            match self.colour {
                Colour::Gray { .. } if planes == 3 => {
                    let colours = row(0, y).iter().zip(row(1, y)).zip(row(2, y));
                    normalise(colours.map(|((r, g), b)| luma(*r, *g, *b)), mean, std, out);
                }
                _ => normalise(row(plane, y).iter().copied(), mean, std, out),
            }
            if view.mirrored {
                out.reverse();
            }
        }
    }
}

impl Batcher for ImagePipeline {
    type Item = Image;
    type Shape = [usize; 4];

    fn shape(&self, source: &dyn Source<Item = Image>, index: usize) -> Result<[usize; 4], Error> {
        self.validate(source.info(index).dims)?;
        let [planes, height, width] = self.output_dims();
        Ok([1, planes, height, width])
    }

    fn make(
        &self,
        source: &dyn Source<Item = Image>,
        index: usize,
        Visit { seed, epoch, augment }: Visit,
        out: &mut [f32],
    ) -> Result<Option<u32>, Error> {
        let info @ ImageInfo { dims, label } = source.info(index);
        let mut image = vec![0; info.bytes()];
        source.read(index, &mut image)?;
        let sample = index as u64;
        if self.views.is_some() {
            self.change(&image, dims, &self.changes(dims, augment, seed, epoch, sample), out);
        } else {
            self.apply(&image, dims, self.view(dims, augment, seed, epoch, sample), out);
        }
        Ok(label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Colour = Colour::Gray { mean: 0.0, std: 1.0 };

    fn plain(crop: usize) -> ImagePipeline {
        ImagePipeline { crop, colour: PLAIN, ..ImagePipeline::stl10() }
    }

    fn bytes(pixels: &[f32]) -> Vec<u8> {
        pixels.iter().map(|v| (v * 255.0).round() as u8).collect()
    }

    #[test]
    fn a_crop_keeps_rows_as_rows() {
        let image: Vec<u8> = (0..16).collect(); // 4×4
        let mut out = vec![0.0; 4];
        plain(2).apply(&image, [1, 4, 4], View { top: 1, left: 2, mirrored: false }, &mut out);
        assert_eq!(bytes(&out), [6, 7, 10, 11]);
        plain(2).apply(&image, [1, 4, 4], View { top: 1, left: 2, mirrored: true }, &mut out);
        assert_eq!(bytes(&out), [7, 6, 11, 10]);
    }

    #[test]
    fn colour_planes_are_normalised_one_by_one() {
        let colour = Colour::Rgb { mean: [0.0, 0.2, 0.4], std: [1.0, 2.0, 4.0] };
        let pipeline = ImagePipeline { colour, ..plain(1) };
        let mut out = vec![0.0; 3];
        let view = View { top: 0, left: 0, mirrored: false };
        pipeline.apply(&[255, 255, 0], [3, 1, 1], view, &mut out);
        assert_eq!(out, [1.0, (1.0 - 0.2) / 2.0, (0.0 - 0.4) / 4.0]);
    }

    #[test]
    fn gray_comes_from_three_planes() {
        let mut out = vec![0.0];
        let view = View { top: 0, left: 0, mirrored: false };
        plain(1).apply(&[10, 200, 30], [3, 1, 1], view, &mut out);
        assert_eq!(bytes(&out), [124]);
    }

    #[test]
    fn every_offset_up_to_the_edge_occurs_and_half_are_mirrored() {
        let pipeline = plain(64);
        let views: Vec<View> =
            (0..4_000).map(|i| pipeline.view([3, 96, 96], Augment::Training, 2, 0, i)).collect();
        for edge in [0, 32] {
            assert!(views.iter().any(|view| view.top == edge));
            assert!(views.iter().any(|view| view.left == edge));
        }
        assert!(views.iter().all(|view| view.top <= 32 && view.left <= 32));
        // Binomial(4000, ½): standard deviation 32.
        let mirrored = views.iter().filter(|view| view.mirrored).count();
        assert!((1_850..2_150).contains(&mirrored), "{mirrored}");
    }

    #[test]
    fn views_differ_between_epochs_and_repeat_within_one() {
        let see = |epoch| -> Vec<View> {
            (0..8).map(|i| plain(64).view([3, 96, 96], Augment::Training, 2, epoch, i)).collect()
        };
        assert_eq!(see(3), see(3));
        assert_ne!(see(3), see(4));
    }

    #[test]
    fn views_are_frozen() {
        // A change here changes every trained number: list it in the changelog as value-breaking.
        let view = plain(64).view([3, 96, 96], Augment::Training, 2, 1, 5);
        assert_eq!((view.top, view.left, view.mirrored), (5, 10, false));
    }

    #[test]
    fn transfer_constants_are_those_of_the_authors() {
        // Python: s = 0.2392343/0.95930314; (0.47896898 - 0.06912513*s, s)
        let Colour::Gray { mean, std } = ImagePipeline::cifar10_transfer().colour else {
            panic!("the transfer pipeline is gray");
        };
        assert!((mean - 0.461_730_36).abs() < 1e-7, "{mean}");
        assert!((std - 0.249_383_47).abs() < 1e-7, "{std}");
    }

    #[test]
    fn a_configuration_survives_serialization() {
        let pipeline = ImagePipeline { scale: Scale::Shrink(2), ..ImagePipeline::stl10_rgb() };
        let text = serde_json::to_string(&pipeline).unwrap();
        assert_eq!(serde_json::from_str::<ImagePipeline>(&text).unwrap(), pipeline);
    }

    #[test]
    fn a_crop_larger_than_the_image_is_refused() {
        let error = plain(64).validate([3, 32, 40]).unwrap_err().to_string();
        assert_eq!(
            error,
            "crop: expected 1..=32 pixels, got 64 in an image of 32×40; choose a smaller crop or \
             enlarge first"
        );
        let enlarged = ImagePipeline { scale: Scale::Enlarge(2), ..plain(64) };
        enlarged.validate([3, 32, 40]).unwrap();
    }

    #[test]
    fn colour_from_one_plane_is_refused() {
        let error = ImagePipeline::stl10_rgb().validate([1, 96, 96]).unwrap_err().to_string();
        assert_eq!(error, "colour: expected 3 planes, got 1 in the source; choose the other mode");
    }

    #[test]
    fn a_deviation_of_zero_is_refused() {
        let colour = Colour::Gray { mean: 0.5, std: 0.0 };
        let error = ImagePipeline { colour, ..plain(1) }.validate([1, 1, 1]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "std: expected a positive number, got 0 in the configuration; correct the setting"
        );
    }
}
