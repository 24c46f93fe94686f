//! Saccades by permutation: every row of a grid is a target once.

use rand::seq::SliceRandom;

use crate::GridShape;

/// A number of permutations, each of which gives every context one saccade target.
///
/// Prediction steps share them: a step with fewer contexts takes the last entries. That is what the
/// authors of Greedy InfoMax do to save draws and copies.
///
/// # Paper
/// Löwe et al. 2019, `loss_InfoNCE.py` `get_neg_z`, `get_neg_samples_f`. Deviations: with several
/// sites the row order is sample, time, site; sound has one.
pub(crate) struct Permutations {
    shape: GridShape,
    /// Samples that are permuted together.
    pool: usize,
    order: Order,
}

enum Order {
    /// Rows of a pool, for every permutation and pool: `[count][pools][pool · time · site]`.
    Rows(Vec<Vec<Vec<u32>>>),
    /// Steps of time, for every permutation.
    Time(Vec<Vec<u32>>),
}

impl Permutations {
    /// All rows of a pool of samples.
    pub(crate) fn of_rows(
        shape: GridShape,
        pool: usize,
        count: usize,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let rows = pool * shape.time * shape.site;
        let pools = shape.batch / pool;
        let mut draw = |_| (0..pools).map(|_| shuffled(rows, random)).collect();
        let order = Order::Rows((0..count).map(&mut draw).collect());
        Self { shape, pool, order }
    }

    /// Steps of time, alike for all samples.
    pub(crate) fn of_time(shape: GridShape, count: usize, random: &mut dyn rand::Rng) -> Self {
        let order = Order::Time((0..count).map(|_| shuffled(shape.time, random)).collect());
        Self { shape, pool: shape.batch, order }
    }

    /// Target rows of the whole grid for context `row` of an update with `frames` contexts in time.
    pub(crate) fn of(&self, row: usize, frames: usize) -> Vec<u32> {
        let GridShape { time, site, .. } = self.shape;
        let skipped = time - frames;
        match &self.order {
            Order::Rows(order) => {
                let contexts = self.pool * frames * site;
                let (pool, within) = (row / contexts, row % contexts);
                let first = (pool * self.pool * time * site) as u32;
                let at = self.pool * skipped * site + within;
                order.iter().map(|pools| first + pools[pool][at]).collect()
            }
            Order::Time(order) => {
                let (sample, position) = (row / (frames * site), row % (frames * site));
                let (step, place) = (position / site, position % site);
                let to = |step: u32| (sample * time + step as usize) * site + place;
                order.iter().map(|steps| to(steps[skipped + step]) as u32).collect()
            }
        }
    }
}

fn shuffled(length: usize, random: &mut dyn rand::Rng) -> Vec<u32> {
    let mut order: Vec<u32> = (0..length as u32).collect();
    order.shuffle(random);
    order
}
