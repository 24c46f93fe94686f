//! What an encoder makes of some of a run's data, and what its units respond to.

use std::{fmt, sync::Arc};

use clapp_datasets::{Item, Source, Subset};
use clapp_eval::figure::{Picture, Row};
use clapp_rules::State;
use ndarray::{Array2, ArrayView1, Axis, concatenate};

use crate::{Data, Encoder, Error, encoder::Encodes, sense::Network as _};

/// Activity in every layer for some samples of a run's data.
///
/// # Example
///
/// ```no_run
/// use clapp::{eval::figure, image::{Encoder, Look}};
/// let encoder = Encoder::load("runs/quick-clapp-s", &clapp::device("flex")?)?;
/// let look = Look::at(&encoder, 500, &mut |_, _| ())?;
/// let svg = figure::pictures("What units prefer", &look.name, &look.preferred(4, 8)?, 8);
/// # Ok::<(), clapp::Error>(())
/// ```
pub struct Look<S: Encodes> {
    /// Name of the data.
    pub name: String,
    /// Classes of the samples, as far as they have some.
    pub labels: Vec<Option<u32>>,
    /// Names of the classes; numbers where they have none.
    pub classes: Vec<String>,
    /// Activity of every unit in every layer from the input up, averaged over the sample: `[sample, unit]`.
    pub layers: Vec<Array2<f32>>,
    pub(crate) source: S::Source,
    /// Of which samples of the source the rows are.
    pub(crate) samples: Vec<usize>,
}

impl<S, I> Look<S>
where
    S: Encodes<Source = Arc<dyn Source<Item = I>>>,
    I: Item,
{
    /// Looks at up to `most` samples, evenly spaced in what the run is tested on, or where nothing has labels in what
    /// it learns from. `progress` is told after each batch how many were seen, and of how many.
    ///
    /// # Errors
    ///
    /// If the data are missing or damaged.
    pub fn at(
        encoder: &Encoder<S>,
        most: usize,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, Error> {
        let (source, name) = held_out(encoder, most)?;
        let loader = encoder.loader(source.clone())?;
        let (mut samples, mut chunks) = (Vec::new(), Vec::<Vec<Array2<f32>>>::new());
        for batch in loader.epoch(0)? {
            let batch = batch?;
            let layers = encoder.means(&batch);
            chunks.resize_with(layers.len(), Vec::new);
            for (layer, features) in layers.into_iter().enumerate() {
                chunks[layer].push(S::units(&encoder.trial, layer, features));
            }
            samples.extend(batch.indices);
            progress(samples.len(), loader.kept().len());
        }
        let join = |chunks: &Vec<Array2<f32>>| {
            let views: Vec<_> = chunks.iter().map(|chunk| chunk.view()).collect();
            concatenate(Axis(0), &views).expect("chunks of one layer have the same units")
        };
        let layers = chunks.iter().map(join).collect();
        let labels = samples.iter().map(|&sample| I::class(&source.info(sample))).collect();
        let class =
            |class: usize| source.class_name(class).map_or(class.to_string(), str::to_owned);
        let classes = (0..source.classes()).map(class).collect();
        Ok(Self { name, labels, classes, layers, source, samples })
    }

    /// [`rows`] by mean activity, with pictures of samples of the source.
    pub(crate) fn rows(
        &self,
        units: usize,
        best: usize,
        picture: &dyn Fn(usize) -> Result<Picture, Error>,
    ) -> Result<Vec<Row>, Error> {
        rows(&self.layers, units, best, &|row, _| picture(self.samples[row]))
    }
}

/// For `units` of each layer, evenly spaced among those whose activity `[sample, unit]` differs between samples,
/// pictures of the `best` samples with the largest, the largest first. A picture is told its sample, and layer and unit.
pub(crate) fn rows(
    layers: &[Array2<f32>],
    units: usize,
    best: usize,
    picture: &dyn Fn(usize, [usize; 2]) -> Result<Picture, Error>,
) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for (layer, activity) in layers.iter().enumerate() {
        let all = activity.columns().into_iter().enumerate();
        let active: Vec<_> = all.filter(|(_, unit)| varies(unit)).collect();
        let count = units.min(active.len());
        for &(unit, ref activity) in (0..count).map(|place| &active[place * active.len() / count]) {
            let mut order: Vec<usize> = (0..activity.len()).collect();
            order.sort_by(|&a, &b| activity[b].total_cmp(&activity[a]));
            let pictures = order.iter().take(best).map(|&row| picture(row, [layer, unit]));
            let name = format!("layer {}, unit {unit}", layer + 1);
            rows.push(Row { name, pictures: pictures.collect::<Result<_, _>>()? });
        }
    }
    Ok(rows)
}

impl<S: Encodes> fmt::Debug for Look<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Up to so many samples, evenly spaced in what a run is tested on, or learns from where nothing has labels, and the
/// name of the data.
pub(crate) fn held_out<S, I>(
    encoder: &Encoder<S>,
    most: usize,
) -> Result<(S::Source, String), Error>
where
    S: Encodes<Source = Arc<dyn Source<Item = I>>>,
    I: Item,
{
    let Data { learn, labelled, names: [learnt, tested], .. } =
        Data::<S>::open(encoder.config(), encoder.seed())?;
    let (all, name) = match labelled {
        Some([_, test]) => (test, tested),
        None => (learn, learnt),
    };
    let count = most.min(all.len());
    // Within each step another place: where classes take turns, all of them are seen.
    let spaced = |place: usize| place * all.len() / count + place % (all.len() / count);
    let spaced = (0..count).map(spaced).collect();
    Ok((Arc::new(Subset::new(all, spaced)?), name))
}

/// Means over the places of each unit: `places` is the middle axis of features `[sample, place × unit]`, the last of
/// `[sample, unit × place]`.
pub(crate) fn over_places(features: &Array2<f32>, units: usize, places: Axis) -> Array2<f32> {
    let mut shape = [features.nrows(), units, units];
    shape[places.index()] = features.ncols() / units;
    let apart = features.to_shape(shape).expect("every place has all units");
    apart.mean_axis(places).expect("there is at least one place")
}

fn varies(unit: &ArrayView1<'_, f32>) -> bool {
    unit.iter().any(|value| value.is_finite() && *value > unit[0] || *value < unit[0])
}

/// Draws the weights of a unit, of which the largest by size is 1.
type Drawing = dyn Fn(&[f32]) -> Picture;

/// Rows of pixels above and below 0 of a wave.
const SWING: usize = 7;

/// The weights of the first layer's units, each as a picture that the unit's largest weight by size spans. Kernels over
/// pixels are shades around the middle grey, which is 0, in colours if they see three; kernels in time are waves.
#[must_use]
pub fn receptive_fields<S: Encodes>(encoder: &Encoder<S>) -> Vec<Picture> {
    let mut state = State::default();
    encoder.stack().save(&mut state);
    let Some(weight) = state.tensors.get("layer1.weight") else { return Vec::new() };
    let values: Vec<f32> = weight.iter::<f32>().collect();
    let field: Box<Drawing> = match *weight.shape().as_slice() {
        // One moment of films.
        [_, planes, height, width] | [_, planes, 1, height, width] => {
            Box::new(move |unit: &[f32]| {
                let shade = |place: usize| (127.5 * (1.0 + unit[place])).round() as u8;
                Picture::of_planes(planes, [width, height], shade)
            })
        }
        [_, 1, time] => Box::new(move |unit: &[f32]| {
            // A bar for each moment, from 0 to the weight.
            let shade = |place: usize| {
                let (row, end) =
                    (SWING as f32 - (place / time) as f32, SWING as f32 * unit[place % time]);
                if row * end >= 0.0 && row.abs() <= end.abs() { 0 } else { 225 }
            };
            Picture::of_planes(1, [time, 2 * SWING + 1], shade)
        }),
        _ => return Vec::new(),
    };
    let units = weight.shape().as_slice().first().copied().unwrap_or(1).max(1);
    let scaled = |unit: &[f32]| {
        let largest = unit.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
        field(&unit.iter().map(|value| value / largest).collect::<Vec<_>>())
    };
    values.chunks_exact(values.len() / units).map(scaled).collect()
}
