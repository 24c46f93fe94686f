//! What an encoder makes of some images, and what its units respond to.

use std::{fmt, sync::Arc};

use clapp_datasets::{Image, Item, Source as _, Subset};
use clapp_eval::figure::{Picture, Row};
use clapp_rules::State;
use ndarray::{Array2, ArrayView1, Axis, concatenate};

use super::{Encoder, Images, Source};
use crate::{Data, Error};

/// Pixels a side of the pictures that are shown, at most.
const SIDE: usize = 64;

/// Features of every layer for some images of a run's data.
///
/// # Example
///
/// ```no_run
/// use clapp::{eval::figure, image::{Encoder, Look}};
/// let encoder = Encoder::load("runs/quick-clapp-s", &clapp::device("flex")?)?;
/// let look = Look::at(&encoder, 500)?;
/// let svg = figure::pictures("What units prefer", &look.name, &look.preferred(4, 8)?, 8);
/// # Ok::<(), clapp::Error>(())
/// ```
pub struct Look {
    /// Name of the data.
    pub name: String,
    /// Classes of the images, as far as they have some.
    pub labels: Vec<Option<u32>>,
    /// Names of the classes; numbers where they have none.
    pub classes: Vec<String>,
    /// Activity of every unit in every layer from the input up, averaged over the image: `[image, unit]`.
    pub layers: Vec<Array2<f32>>,
    images: Source,
}

impl Look {
    /// Looks at up to `most` images, evenly spaced in what the run is tested on, or where nothing has labels
    /// in what it learns from.
    ///
    /// # Errors
    ///
    /// If the data are missing or damaged.
    pub fn at(encoder: &Encoder, most: usize) -> Result<Self, Error> {
        let (images, name) = held_out(encoder, most)?;
        let (mut labels, mut chunks) = (Vec::new(), Vec::<Vec<Array2<f32>>>::new());
        for batch in encoder.loader(images.clone())?.epoch(0)? {
            let batch = batch?;
            chunks.resize_with(encoder.config().setup.encoder.layers.len(), Vec::new);
            for (layer, features) in encoder.features(&batch).into_iter().enumerate() {
                // A map may have fewer pixels than cells are asked for.
                let units = encoder.config().setup.encoder.channels()[layer];
                chunks[layer].push(of_units(&features, features.ncols() / units));
            }
            labels.extend(batch.labels);
        }
        let join = |chunks: &Vec<Array2<f32>>| {
            let views: Vec<_> = chunks.iter().map(|chunk| chunk.view()).collect();
            concatenate(Axis(0), &views).expect("chunks of one layer have the same units")
        };
        let class =
            |class: usize| images.class_name(class).map_or(class.to_string(), str::to_owned);
        let classes = (0..images.classes()).map(class).collect();
        Ok(Self { name, labels, classes, layers: chunks.iter().map(join).collect(), images })
    }

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
        let mut rows = Vec::new();
        for (layer, features) in self.layers.iter().enumerate() {
            let active: Vec<_> = features
                .columns()
                .into_iter()
                .enumerate()
                .filter(|(_, unit)| varies(unit))
                .collect();
            let count = units.min(active.len());
            for (unit, activity) in (0..count).map(|place| &active[place * active.len() / count]) {
                let mut order: Vec<usize> = (0..activity.len()).collect();
                order.sort_by(|&a, &b| activity[b].total_cmp(&activity[a]));
                let pictures = order.iter().take(best).map(|&image| self.picture(image));
                let name = format!("layer {}, unit {unit}", layer + 1);
                rows.push(Row { name, pictures: pictures.collect::<Result<_, _>>()? });
            }
        }
        Ok(rows)
    }

    fn picture(&self, index: usize) -> Result<Picture, Error> {
        let Image { dims: [planes, height, width], pixels, .. } =
            Image::whole(&*self.images, index)?;
        let whole = Picture::of_planes(planes, [width, height], |place| pixels[place]);
        Ok(whole.shrunk(width.max(height).div_ceil(SIDE)))
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Up to so many images, evenly spaced in what a run is tested on, or learns from where nothing has labels, and the
/// name of the data.
pub(super) fn held_out(encoder: &Encoder, most: usize) -> Result<(Source, String), Error> {
    let Data { learn, labelled, names: [learnt, tested], .. } =
        Data::<Images>::open(encoder.config(), encoder.seed())?;
    let (all, name) = match labelled {
        Some([_, test]) => (test, tested),
        None => (learn, learnt),
    };
    let count = most.min(all.len());
    let spaced = (0..count).map(|place| place * all.len() / count).collect();
    Ok((Arc::new(Subset::new(all, spaced)?), name))
}

/// Means over the cells of each unit: `[image, cell × unit]` to `[image, unit]`.
fn of_units(features: &Array2<f32>, cells: usize) -> Array2<f32> {
    let [images, units] = [features.nrows(), features.ncols() / cells];
    let apart = features.to_shape([images, cells, units]).expect("every cell has all units");
    apart.mean_axis(Axis(1)).expect("there is at least one cell")
}

fn varies(unit: &ArrayView1<'_, f32>) -> bool {
    unit.iter().any(|value| value.is_finite() && *value > unit[0] || *value < unit[0])
}

/// The weights of the first layer's units, each as a picture: 0 is the middle grey, the largest weight of the unit by
/// size is black or white. Kernels over three colours are shown in colours.
#[must_use]
pub fn receptive_fields(encoder: &Encoder) -> Vec<Picture> {
    let mut state = State::default();
    encoder.stack().save(&mut state);
    let Some(weight) = state.tensors.get("layer1.weight") else { return Vec::new() };
    let &[_, planes, height, width] = weight.shape().as_slice() else { return Vec::new() };
    let values: Vec<f32> = weight.iter::<f32>().collect();
    let field = |unit: &[f32]| {
        let largest = unit.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
        let shade = |place: usize| (127.5 * (1.0 + unit[place] / largest)).round() as u8;
        Picture::of_planes(planes, [width, height], shade)
    };
    values.chunks_exact(planes * height * width).map(field).collect()
}
