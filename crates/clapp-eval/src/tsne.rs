//! Maps of features: samples that are alike lie together.

use std::sync::{Mutex, PoisonError};

use bhtsne::{Neighbor, tSNE};
use clapp_random::{Purpose, stream};
use ndarray::{Array2, ArrayView2, Axis};
use rand::RngExt;
use rayon::prelude::*;

use crate::Error;

/// Directions of the largest variance that features are reduced to, as van der Maaten & Hinton (2008) do.
const DIRECTIONS: usize = 50;
/// Sweeps of the iteration that finds them: they only have to hold most of the variance.
const SWEEPS: usize = 6;
/// How coarsely far samples are summed up: the value that bhtsne and scikit-learn take.
const THETA: f64 = 0.5;
/// Largest coordinate at the start.
const START: f64 = 1e-4;

/// t-SNE by Barnes and Hut (van der Maaten 2014) of the 50 directions in which features vary most.
///
/// The same features, seed and machine give the same map bit for bit, with any number of threads: bhtsne draws
/// nothing itself if it is handed start and neighbours, and works on one thread here, because the order of its
/// sums depends on their number. Several maps may be made at the same time.
///
/// # Example
///
/// ```
/// use clapp_eval::Tsne;
/// use ndarray::Array2;
///
/// let features = Array2::from_shape_fn((60, 8), |(i, j)| (10 * (i % 2) + i * j % 5) as f32);
/// let tsne = Tsne { epochs: 300, ..Tsne::new(2) };
/// let map = tsne.map(features.view(), &mut |_| ())?;
/// assert_eq!(map.dim(), (60, 2));
/// assert_eq!(map, tsne.map(features.view(), &mut |_| ())?);
/// # Ok::<(), clapp_eval::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tsne {
    /// Names the draws of the start.
    pub seed: u64,
    /// About how many samples are near one; a third of what there are at most.
    pub perplexity: f64,
    /// Steps of the descent.
    pub epochs: usize,
}

impl Tsne {
    /// Most samples of a map: what a printed panel can show.
    pub const MOST: usize = 8000;

    /// Perplexity 30, 1,000 steps: scikit-learn's.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, perplexity: 30.0, epochs: 1000 }
    }

    /// The place of every sample, `[sample, 2]`, for features `[sample, dim]`; `progress` is told after every step
    /// how many there were.
    ///
    /// # Errors
    ///
    /// For fewer than four samples or more than [`MOST`](Self::MOST), for features that are no numbers, or a
    /// perplexity below 1.
    pub fn map(
        &self,
        features: ArrayView2<'_, f32>,
        progress: &mut (dyn FnMut(usize) + Send),
    ) -> Result<Array2<f32>, Error> {
        let samples = features.nrows();
        if !(4..=Self::MOST).contains(&samples) {
            let expected = format!("4 to {} samples", Self::MOST);
            return Err(Error::invalid("t-SNE", expected, samples.to_string(), "take others"));
        }
        if let Some(value) = features.iter().find(|value| !value.is_finite()) {
            let (got, advice) = (value.to_string(), "is the encoder trained?");
            return Err(Error::invalid("t-SNE", "finite features", got, advice));
        }
        if self.perplexity.is_nan() || self.perplexity < 1.0 {
            let (setting, expected, got) = ("t-SNE perplexity", "at least 1", self.perplexity);
            return Err(Error::Setting { setting, expected, got });
        }
        let perplexity = self.perplexity.min((samples - 1) as f64 / 3.0);
        let mut random = stream(self.seed, Purpose::Figure, [0; 4]);
        let reduced = leading(features, &mut random);
        let neighbours = neighbours(&reduced, (3.0 * perplexity) as usize);
        let start: Vec<f64> =
            (0..2 * samples).map(|_| random.random_range(-START..START)).collect();
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let alone = alone.map_err(|error| {
            Error::invalid("t-SNE", "a thread", error.to_string(), "end other programs")
        })?;
        let descend = || {
            let indices: Vec<usize> = (0..samples).collect();
            let mut tsne: tSNE<'_, f64, usize> = tSNE::new(&indices);
            tsne.perplexity(perplexity).epochs(self.epochs).initial_embedding(start);
            tsne.epoch_callback(|epoch, _| progress(epoch + 1));
            tsne.barnes_hut_with_neighbors(THETA, &neighbours).embedding()
        };
        let embedding = alone.install(descend);
        let places = embedding.into_iter().map(|place| place as f32).collect();
        Ok(Array2::from_shape_vec((samples, 2), places).expect("two coordinates a sample"))
    }

    /// [`map`](Self::map) of several layers at the same time; `progress` is told the steps of all together.
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map).
    pub fn maps(
        &self,
        layers: &[ArrayView2<'_, f32>],
        progress: &mut (dyn FnMut(usize) + Send),
    ) -> Result<Vec<Array2<f32>>, Error> {
        let told = Mutex::new((0, progress));
        let tell = |_: usize| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            told.0 += 1;
            let steps = told.0;
            (told.1)(steps);
        };
        layers.par_iter().map(|layer| self.map(layer.view(), &mut { tell })).collect()
    }
}

/// Features in the space of their leading directions, `[sample, directions]`, by subspace iteration. Distances
/// do not depend on the axes within it, so that they are left as they come.
fn leading(features: ArrayView2<'_, f32>, random: &mut dyn rand::Rng) -> Array2<f32> {
    let mean = features.mean_axis(Axis(0)).expect("there are samples");
    let centred = &features - &mean;
    let (samples, dim) = centred.dim();
    if dim <= DIRECTIONS {
        return centred;
    }
    let shape = (dim, DIRECTIONS.min(samples));
    let mut axes = Array2::from_shape_simple_fn(shape, || random.random_range(-1.0_f32..1.0));
    for _ in 0..SWEEPS {
        axes = centred.t().dot(&centred.dot(&axes));
        orthonormalise(&mut axes);
    }
    centred.dot(&axes)
}

/// Columns of unit length at right angles to each other (Gram and Schmidt); columns that lie in the others' space
/// become 0.
fn orthonormalise(axes: &mut Array2<f32>) {
    for axis in 0..axes.ncols() {
        let (before, mut rest) = axes.view_mut().split_at(Axis(1), axis);
        let mut own = rest.column_mut(0);
        let whole = own.dot(&own).sqrt();
        // Once more takes away what rounding left.
        for _ in 0..2 {
            let parts = before.t().dot(&own);
            own -= &before.dot(&parts);
        }
        let length = own.dot(&own).sqrt();
        let kept = length > 1e-5 * whole;
        own.mapv_inplace(|value| if kept { value / length } else { 0.0 });
    }
}

/// The `count` nearest samples of each, without itself; of equally near ones the earlier.
fn neighbours(values: &Array2<f32>, count: usize) -> Vec<Vec<Neighbor<f64>>> {
    let nearest = |own: usize| {
        let to = |other: usize| -> f32 {
            values.row(own).iter().zip(values.row(other)).map(|(a, b)| (a - b) * (a - b)).sum()
        };
        let others = (0..values.nrows()).filter(|other| *other != own);
        let mut order: Vec<(f32, usize)> = others.map(|other| (to(other), other)).collect();
        let nearer = |a: &(f32, usize), b: &(f32, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        order.select_nth_unstable_by(count - 1, nearer);
        order.truncate(count);
        order.sort_unstable_by(nearer);
        let neighbour =
            |(square, index): (f32, usize)| Neighbor { index, distance: f64::from(square).sqrt() };
        order.into_iter().map(neighbour).collect()
    };
    (0..values.nrows()).into_par_iter().map(nearest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_directions_keep_distances_of_features_that_vary_in_few() {
        // Two directions of 200, and one that repeats the first: rank 2.
        let mixed = Array2::from_shape_fn((2, 200), |(i, j)| ((i * 7 + j * j) % 13) as f32 - 6.0);
        let places = Array2::from_shape_fn((80, 2), |(i, j)| ((i * (j + 3)) % 17) as f32);
        let features = places.dot(&mixed);
        let reduced = leading(features.view(), &mut stream(2, Purpose::Test, [0; 4]));
        assert_eq!(reduced.dim(), (80, 50));
        let far = |of: &Array2<f32>, i: usize| {
            let difference = &of.row(0) - &of.row(i);
            difference.dot(&difference).sqrt()
        };
        for i in 1..80 {
            let (whole, part) = (far(&features, i), far(&reduced, i));
            // Single precision of sums over 200 features.
            assert!((whole - part).abs() <= 1e-4 * whole.max(1.0), "{i}: {whole} {part}");
        }
    }
}
