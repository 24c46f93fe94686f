//! Nearest neighbours: a read-out without training.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::probe::{Probe, Protocol, Readout, at_least_one, in_blocks};
use crate::{Error, Features};

/// Queries compared at once.
const ROWS: usize = 64;
/// Temperature of the cosine weights, of Wu et al. 2018.
const TEMPERATURE: f32 = 0.07;
/// Distance below which neighbours weigh alike, as a part of the root mean square of the features.
const NEAR: f32 = 1e-6;

/// What is near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Nearness {
    /// The cosine of the angle between two samples; a sample of zeros has cosine 0 with all.
    Cosine,
    /// The Euclidean distance.
    Euclidean,
}

/// How neighbours vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Vote {
    /// One neighbour, one vote; of classes with equal votes, the one with the nearest neighbour.
    Majority,
    /// By nearness: exp(cos/0.07), or the inverse distance.
    Weighted,
}

/// The classes of the `k` nearest training samples.
///
/// ```text
/// s_c = Σ_{i ∈ nearest k, y_i = c} w_i        w = 1 | exp(cos/0.07) | 1/distance
/// ```
/// Nothing is learnt, so it shows the geometry of the representation itself. Of neighbours at equal
/// distance the one earlier in the training part comes first; of equal scores the lower class wins.
///
/// # Example
///
/// ```
/// use clapp_eval::{Features, Knn, Probe, Readout};
/// use ndarray::array;
///
/// let train = Features::new(array![[1.0, 0.0], [0.9, 0.1], [0.0, 2.0]], vec![0, 0, 1])?;
/// let readout = Knn { k: 1, ..Knn::default() }.fit(&train, 0)?;
/// assert!(readout.scores(array![[0.1, 9.0]].view())[[0, 1]] > 0.0);
/// # Ok::<(), clapp_eval::Error>(())
/// ```
///
/// # Cost
///
/// O(queries · training samples · dim).
#[derive(Clone, Debug, PartialEq)]
pub struct Knn {
    /// Number of neighbours; no more than there are training samples are used.
    pub k: usize,
    /// What is near.
    pub nearness: Nearness,
    /// How neighbours vote.
    pub vote: Vote,
}

impl Default for Knn {
    /// 20 neighbours by cosine, majority.
    fn default() -> Self {
        Self { k: 20, nearness: Nearness::Cosine, vote: Vote::Majority }
    }
}

impl Probe for Knn {
    fn protocol(&self) -> Protocol {
        Protocol::Knn
    }

    fn fit(&self, train: &Features, _seed: u64) -> Result<Box<dyn Readout>, Error> {
        at_least_one("k", self.k)?;
        let train = &*train.loaded()?;
        let mean = train.values().mapv(f64::from).mean_axis(Axis(0)).unwrap_or_default();
        let centre = match self.nearness {
            Nearness::Cosine => Array1::zeros(train.dim()),
            // Distances do not change, but their differences lose fewer digits.
            Nearness::Euclidean => mean.mapv(|m| m as f32),
        };
        let values = prepare(train.values(), &centre, self.nearness);
        let squares = values.map_axis(Axis(1), square);
        let near = NEAR * (squares.sum() / squares.len() as f32).sqrt();
        let (labels, classes) = (train.labels().to_vec(), train.classes());
        Ok(Box::new(Memory { knn: self.clone(), centre, values, squares, labels, classes, near }))
    }
}

/// The training part as [`Knn`] remembers it.
#[derive(Debug)]
struct Memory {
    knn: Knn,
    centre: Array1<f32>,  // [dim]
    values: Array2<f32>,  // [samples, dim], centred or of unit length
    squares: Array1<f32>, // [samples]
    labels: Vec<u32>,
    classes: usize,
    near: f32,
}

impl Readout for Memory {
    fn scores(&self, values: ArrayView2<'_, f32>) -> Array2<f64> {
        let (dim, expected) = (values.ncols(), self.centre.len());
        assert!(dim == expected, "k-NN: expected {expected} features, got {dim}");
        in_blocks(values, ROWS, self.classes, |block| {
            let queries = prepare(block, &self.centre, self.knn.nearness);
            let products = queries.dot(&self.values.t()); // [queries, samples]
            let mut scores = Array2::zeros((queries.nrows(), self.classes));
            for ((query, products), mut row) in
                queries.outer_iter().zip(products.outer_iter()).zip(scores.outer_iter_mut())
            {
                row.assign(&self.vote(square(query), products));
            }
            scores
        })
    }
}

impl Memory {
    /// Scores of one query, `[classes]`, from its products with all training samples.
    fn vote(&self, square: f32, products: ArrayView1<'_, f32>) -> Array1<f64> {
        // Distance, or the negative cosine: the smaller the nearer.
        let mut order: Vec<(f32, usize)> = products
            .iter()
            .zip(&self.squares)
            .map(|(&product, &other)| match self.knn.nearness {
                Nearness::Cosine => -product,
                Nearness::Euclidean => (square + other - 2.0 * product).max(0.0).sqrt(),
            })
            .zip(0..)
            .collect();
        let nearer = |a: &(f32, usize), b: &(f32, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        let k = self.knn.k.min(order.len());
        order.select_nth_unstable_by(k - 1, nearer);
        order.truncate(k);
        order.sort_unstable_by(nearer);
        let mut scores = Array1::zeros(self.classes);
        for (rank, &(far, sample)) in order.iter().enumerate() {
            let class = self.labels[sample] as usize;
            scores[class] += match (self.knn.vote, self.knn.nearness) {
                // Less than one vote for the first neighbour of a class, less the later it comes.
                (Vote::Majority, _) if scores[class] < 0.5 => 1.0 + 1.0 / (2.0 + rank as f64),
                (Vote::Majority, _) => 1.0,
                (Vote::Weighted, Nearness::Cosine) => f64::from(-far / TEMPERATURE).exp(),
                (Vote::Weighted, Nearness::Euclidean) => f64::from(far.max(self.near)).recip(),
            };
        }
        scores
    }
}

/// Centred rows, or rows of unit length.
fn prepare(values: ArrayView2<'_, f32>, centre: &Array1<f32>, nearness: Nearness) -> Array2<f32> {
    let mut rows = &values - centre; // [samples, dim]
    if nearness == Nearness::Cosine {
        for mut row in rows.axis_iter_mut(Axis(0)) {
            let length = square(row.view()).sqrt();
            if length > 0.0 {
                row /= length;
            }
        }
    }
    rows
}

fn square(row: ArrayView1<'_, f32>) -> f32 {
    row.dot(&row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn scores(knn: Knn, train: Array2<f32>, labels: &[u32], query: Array2<f32>) -> Array2<f64> {
        let train = Features::new(train, labels.to_vec()).unwrap();
        knn.fit(&train, 0).unwrap().scores(query.view())
    }

    fn guess(knn: Knn, train: Array2<f32>, labels: &[u32], query: Array2<f32>) -> usize {
        crate::metrics::guess(scores(knn, train, labels, query).row(0))
    }

    #[test]
    fn cosine_and_euclidean_disagree_about_length() {
        let (train, labels) = (array![[10.0, 10.0], [1.0, 0.0]], [0, 1]);
        let query = array![[1.0, 1.0]];
        let knn = |nearness| Knn { k: 1, nearness, vote: Vote::Majority };
        assert_eq!(guess(knn(Nearness::Cosine), train.clone(), &labels, query.clone()), 0);
        assert_eq!(guess(knn(Nearness::Euclidean), train, &labels, query), 1);
    }

    #[test]
    fn equal_votes_go_to_the_class_of_the_nearest_neighbour() {
        let (train, labels) = (array![[2.0], [3.0], [0.9], [4.0]], [0, 0, 1, 1]);
        let knn = Knn { k: 4, nearness: Nearness::Euclidean, vote: Vote::Majority };
        assert_eq!(guess(knn, train, &labels, array![[0.0]]), 1);
    }

    #[test]
    fn equal_distances_go_to_the_earlier_training_sample() {
        for labels in [[0, 1], [1, 0]] {
            let knn = Knn { k: 1, nearness: Nearness::Euclidean, vote: Vote::Majority };
            let first = guess(knn, array![[1.0], [-1.0]], &labels, array![[0.0]]);
            assert_eq!(first, labels[0] as usize);
        }
    }

    #[test]
    fn a_near_minority_outweighs_a_far_majority() {
        let (train, labels) = (array![[0.1], [5.0], [6.0]], [0, 1, 1]);
        let knn = |vote| Knn { k: 3, nearness: Nearness::Euclidean, vote };
        assert_eq!(guess(knn(Vote::Weighted), train.clone(), &labels, array![[0.0]]), 0);
        assert_eq!(guess(knn(Vote::Majority), train, &labels, array![[0.0]]), 1);
    }

    #[test]
    fn more_neighbours_than_samples_use_all_samples() {
        let all = scores(Knn::default(), array![[1.0], [2.0]], &[0, 1], array![[1.0], [0.0]]);
        assert_eq!(all.dim(), (2, 2));
        assert!(all.iter().all(|s| s.is_finite() && *s > 1.0));
    }
}
