//! What the units of an encoder of images respond to.

use clapp_datasets::{Augment, Image, Item as _, Scale, Source as _};
use clapp_encoders::PatchGrid;
use clapp_eval::figure::{Picture, Row};
use ndarray::{Array2, Axis, concatenate};

use super::{Encoder, Images, tensor};
use crate::{Error, look};

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
    pub fn preferred(&self, units: usize, best: usize) -> Result<Vec<Row>, Error> {
        self.rows(units, best, &|index| Ok(self.picture(index)?.1))
    }

    /// For as many units, the `best` images with the most active patch, which has a white frame. A network that sees
    /// an image as one patch has no such, and [`preferred`](Self::preferred) images instead. The encoder is the one that
    /// looked; it looks once more, and `progress` is told after each batch how many images were seen, and of how many.
    ///
    /// # Errors
    ///
    /// If an image cannot be read.
    ///
    /// # Paper
    /// Illing et al. 2021, Figs. 3a and 8.
    ///
    /// # Example
    ///
    /// A run of a second, in a folder that is then removed:
    ///
    /// ```
    /// use clapp::{Images, Run, device, eval::figure, image::{Encoder, Look}, preset, run::Silent};
    /// let folder = tempfile::tempdir()?;
    /// let mut run = Run::create(folder.path(), preset("smoke", "clapp-s", &Images::Synthetic, &[2])?)?;
    /// run.execute(&device("flex")?, &mut Silent)?;
    /// let encoder = Encoder::load(run.path(), &device("flex")?)?;
    /// let look = Look::at(&encoder, 20, &mut |_, _| ())?;
    /// let patches = look.preferred_patches(&encoder, 2, 4, &mut |_, _| ())?;
    /// assert!(figure::pictures("Preferred patches", &look.name, &patches, 4).starts_with("<svg"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn preferred_patches(
        &self,
        encoder: &Encoder,
        units: usize,
        best: usize,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Row>, Error> {
        if encoder.config().setup.encoder.time() == 1 {
            return self.preferred(units, best);
        }
        let patches = encoder.config().setup.encoder.patches;
        let [peaks, places] = self.peaks(encoder, progress)?;
        look::rows(&peaks, units, best, &|row, [layer, unit]| {
            let (factor, mut picture) = self.picture(self.samples[row])?;
            let place = places[layer][[row, unit]] as usize;
            let [top, left, side] =
                self.square(encoder, patches, place, self.samples[row]).map(|at| at / factor);
            frame(&mut picture, [left, top], side.max(2));
            Ok(picture)
        })
    }

    /// The activity of every unit of each layer in its most active patch, `[image, unit]`, and which patch that is, row
    /// by row of them.
    fn peaks(
        &self,
        encoder: &Encoder,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<[Vec<Array2<f32>>; 2], Error> {
        let mut seen = 0;
        let mut chunks: Vec<[Vec<Array2<f32>>; 2]> = Vec::new();
        for batch in encoder.loader(self.source.clone())?.epoch(0)? {
            let batch = batch?;
            seen += batch.indices.len();
            let images = tensor(batch, encoder.device());
            encoder.stack().look(images, &mut |layer, grid| {
                let [batch, rows, columns, units] = grid.dims();
                let grid = grid.reshape([batch, rows * columns, units]);
                let (most, place) = grid.max_dim_with_indices(1);
                let values: Vec<f32> = most.into_data().iter::<f32>().collect();
                let places: Vec<f32> =
                    place.into_data().iter::<i64>().map(|at| at as f32).collect();
                chunks.resize_with(chunks.len().max(layer + 1), Default::default);
                for (of, values) in chunks[layer].iter_mut().zip([values, places]) {
                    let chunk = Array2::from_shape_vec([batch, units], values);
                    of.push(chunk.expect("a value for every image and unit"));
                }
            });
            progress(seen, self.samples.len());
        }
        let join = |of: usize| {
            let of_layer = |chunks: &[Vec<Array2<f32>>; 2]| {
                let views: Vec<_> = chunks[of].iter().map(|chunk| chunk.view()).collect();
                concatenate(Axis(0), &views).expect("chunks of one layer have the same units")
            };
            chunks.iter().map(of_layer).collect()
        };
        Ok([join(0), join(1)])
    }

    /// An image and by how much it was shrunk.
    fn picture(&self, index: usize) -> Result<(usize, Picture), Error> {
        let Image { dims: [planes, height, width], pixels, .. } =
            Image::whole(&*self.source, index)?;
        let whole = Picture::of_planes(planes, [width, height], |place| pixels[place]);
        let factor = width.max(height).div_ceil(SIDE);
        Ok((factor, whole.shrunk(factor)))
    }

    /// First row, first column and side of a patch in pixels of the image that it was cut out of.
    fn square(
        &self,
        encoder: &Encoder,
        patches: PatchGrid,
        place: usize,
        index: usize,
    ) -> [usize; 3] {
        let pipeline = encoder.pipeline();
        let view = pipeline.view(self.source.info(index).dims, Augment::Evaluation, 0, 0, 0);
        let columns = patches.count(pipeline.crop);
        let [row, column] = [place / columns, place % columns].map(|at| at * patches.stride);
        [view.top + row, view.left + column, patches.size].map(|at| match pipeline.scale {
            Scale::Shrink(factor) => at * factor,
            Scale::Enlarge(factor) => at / factor,
            _ => at,
        })
    }
}

/// Draws a frame around a square, as far as it lies in the picture: white, and black around that, which is seen on any
/// ground.
fn frame(picture: &mut Picture, [left, top]: [usize; 2], side: usize) {
    let [width, height] = picture.size;
    for (outset, shade) in [(2, 0), (1, 255)] {
        let last = side + 2 * outset - 1;
        for along in 0..=last {
            for [x, y] in [[along, 0], [along, last], [0, along], [last, along]] {
                let place = [left + x, top + y].map(|at| at.checked_sub(outset));
                if let [Some(x), Some(y)] = place
                    && x < width
                    && y < height
                {
                    picture.rgb[3 * (y * width + x)..][..3].fill(shade);
                }
            }
        }
    }
}
