//! Where a saccade lands.

use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::{Draws, GridShape, Pairs, Window, permutation::Permutations, rows::whole};

/// Where a saccade can land.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Any position of any sample.
    #[default]
    Everywhere,
    /// The same position of any sample, drawn anew at every position.
    SamePosition,
    /// The same position of one sample, drawn once for the whole map: the eye jumps once.
    SamePositionShared,
    /// Any position of the whole grid, by permutations of all its rows that all prediction steps
    /// share: sound.
    Permuted,
    /// Any time of the same sample, by permutations of time that all samples and prediction steps
    /// share.
    PermutedInTime,
}

/// Whether a saccade may land where it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelfHits {
    /// It may, as in the authors' code; the pair then pulls both ways.
    #[default]
    Allowed,
    /// It may not.
    Excluded,
}

/// How contrastive targets are drawn.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `count` | 16 | saccades per context | ≥ 1; 1 for [`Scope::SamePositionShared`] |
/// | `scope` | everywhere | where they land | |
/// | `self_hits` | allowed | may they land on the true target | permutations: allowed |
/// | `pool` | whole batch | samples among which they are drawn | a divisor of the batch |
///
/// All draws are uniform; with replacement, unless by permutation. Greedy InfoMax numbers the ways to
/// draw for sound: 0 is [`Scope::Everywhere`] with [`SelfHits::Excluded`], 1 [`Scope::Permuted`] (its
/// default), 2 [`Scope::PermutedInTime`].
///
/// # Paper
/// Illing et al. 2021, Sec. 4 and appendix B; `ContrastiveLoss.py` `sample_negative_samples`,
/// `sample_negative_samples_locally`; Löwe et al. 2019, `loss_InfoNCE.py` `get_neg_z`. Deviations:
/// elsewhere than for sound, `SelfHits::Excluded` and `pool` are options of ours.
///
/// # Example
///
/// ```
/// use clapp_rules::{ContrastSampler, Negatives, Purpose, Scope, SelfHits, stream};
/// let negatives = Negatives {
///     count: 1,
///     scope: Scope::SamePosition,
///     self_hits: SelfHits::Excluded,
///     pool: None,
/// };
/// // Two samples of three frames: with itself excluded, each can only jump to the other.
/// let pairs = negatives.pairs([2, 3, 1].into(), 1, &mut stream(2, Purpose::Negatives, [0; 4]));
/// assert_eq!(pairs.index, [2, 3, 0, 1]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negatives {
    /// Saccades per context row.
    pub count: usize,
    /// Where they land.
    pub scope: Scope,
    /// Whether they may land on the true target.
    pub self_hits: SelfHits,
    /// Samples among which they are drawn: the micro-batch of a replica. `None` is the whole batch.
    pub pool: Option<usize>,
}

impl Default for Negatives {
    fn default() -> Self {
        Self { count: 16, scope: Scope::Everywhere, self_hits: SelfHits::Allowed, pool: None }
    }
}

/// Draws saccade targets.
///
/// Implemented by [`Negatives`]. Implement it to contrast pairs of your own choice, as below, and hand
/// it to [`Rule::draw_with`](crate::Rule::draw_with); deliberately not by anything that looks at
/// activities or scores (hard negatives): a saccade does not know what it will see.
///
/// # Example
///
/// Every saccade lands on the same frame and site of the next sample.
///
/// ```
/// use clapp_rules::{ContrastSampler, GridShape, Pairs, Purpose, Rule, stream};
///
/// #[derive(Debug)]
/// struct NextSample;
///
/// impl ContrastSampler for NextSample {
///     fn pairs(&self, shape: GridShape, shift: usize, _: &mut dyn rand::Rng) -> Pairs {
///         let (rows, positions) = (shape.rows(shift), shape.rows(shift) / shape.batch);
///         let index = (0..rows).map(|row| ((row + positions) % rows) as u32).collect();
///         Pairs { shift, count: 1, index }
///     }
/// }
///
/// let (rule, mut random) = (Rule::clapp_s(), stream(2, Purpose::Negatives, [0; 4]));
/// let shape = GridShape { batch: 3, time: 7, site: 1 };
/// // What `Rule::update` takes in the place of `Rule::draw`:
/// let draws = rule.draw_with(&NextSample, shape, &mut random);
/// assert_eq!(draws[0].pairs[4].index, [1, 2, 0]);
/// ```
pub trait ContrastSampler: std::fmt::Debug {
    /// Target rows for every context row of `shift`, in the order of
    /// sample, time, site.
    fn pairs(&self, shape: GridShape, shift: usize, random: &mut dyn rand::Rng) -> Pairs;

    /// Targets of all prediction steps, those over `shifts`, with contexts from a window if there is one.
    ///
    /// As it stands, saccades of a window stay inside it. Override it where prediction steps share
    /// draws, or saccades leave the window.
    fn draw(
        &self,
        shape: GridShape,
        window: Option<Window>,
        shifts: &[usize],
        random: &mut dyn rand::Rng,
    ) -> Draws {
        let part = window.map_or(shape, |window| GridShape { time: window.steps, ..shape });
        let pairs = shifts.iter().map(|&shift| {
            let mut pairs = self.pairs(part, shift, random);
            if let Some(window) = window {
                for row in &mut pairs.index {
                    *row = of_whole(*row as usize, shift, part, shape, window) as u32;
                }
            }
            pairs
        });
        Draws { pairs: pairs.collect(), outcomes: None, window }
    }
}

/// Row of the whole grid that a target row over `shift` steps inside a window is.
fn of_whole(row: usize, shift: usize, part: GridShape, grid: GridShape, window: Window) -> usize {
    let in_part = whole(row, shift, part);
    let positions = part.time * part.site;
    let (sample, position) = (in_part / positions, in_part % positions);
    (sample * grid.time + window.start) * grid.site + position
}

impl ContrastSampler for Negatives {
    /// # Panics
    ///
    /// If the pool does not divide the batch, or self-hits are excluded and nothing else is left.
    fn pairs(&self, shape: GridShape, shift: usize, random: &mut dyn rand::Rng) -> Pairs {
        let sampler = Sampler { shape, shift, pool: self.pool(shape), self_hits: self.self_hits };
        let index = match self.scope {
            Scope::Everywhere => sampler.everywhere(self.count, random),
            Scope::SamePosition => sampler.same_position(self.count, random),
            Scope::SamePositionShared => sampler.shared(random),
            Scope::Permuted | Scope::PermutedInTime => {
                let targets = GridShape { time: shape.time - shift, ..shape };
                let permutations = self.permutations(targets, random);
                (0..targets.rows(0)).flat_map(|row| permutations.of(row, targets.time)).collect()
            }
        };
        let count = if self.scope == Scope::SamePositionShared { 1 } else { self.count };
        Pairs { shift, count, index }
    }

    fn draw(
        &self,
        shape: GridShape,
        window: Option<Window>,
        shifts: &[usize],
        random: &mut dyn rand::Rng,
    ) -> Draws {
        if !self.scope.permutes() {
            return Inside(self).draw(shape, window, shifts, random);
        }
        let window = window.unwrap_or(Window { start: 0, steps: shape.time });
        let permutations = self.permutations(shape, random);
        let pairs = shifts.iter().map(|&shift| {
            let frames = window.steps - shift;
            let rows = shape.batch * frames * shape.site;
            let index = (0..rows).flat_map(|row| permutations.of(row, frames)).collect();
            Pairs { shift, count: self.count, index }
        });
        Draws { pairs: pairs.collect(), outcomes: None, window: Some(window) }
    }
}

impl Scope {
    /// Whether saccades come from permutations that prediction steps share.
    #[must_use]
    pub fn permutes(self) -> bool {
        matches!(self, Self::Permuted | Self::PermutedInTime)
    }
}

/// Negatives with the trait's own way to draw all steps.
#[derive(Debug)]
struct Inside<'a>(&'a Negatives);

impl ContrastSampler for Inside<'_> {
    fn pairs(&self, shape: GridShape, shift: usize, random: &mut dyn rand::Rng) -> Pairs {
        self.0.pairs(shape, shift, random)
    }
}

impl Negatives {
    /// Samples among which saccades stay.
    fn pool(&self, shape: GridShape) -> usize {
        let pool = self.pool.unwrap_or(shape.batch).min(shape.batch);
        assert!(
            pool > 0 && shape.batch.is_multiple_of(pool),
            "negatives: expected a pool that divides the batch of {}, got {pool}",
            shape.batch
        );
        pool
    }

    fn permutations(&self, shape: GridShape, random: &mut dyn rand::Rng) -> Permutations {
        match self.scope {
            Scope::PermutedInTime => Permutations::of_time(shape, self.count, random),
            _ => Permutations::of_rows(shape, self.pool(shape), self.count, random),
        }
    }
}

/// Row arithmetic of one draw.
struct Sampler {
    shape: GridShape,
    shift: usize,
    pool: usize,
    self_hits: SelfHits,
}

impl Sampler {
    /// Positions of one sample at this shift.
    fn positions(&self) -> usize {
        (self.shape.time - self.shift) * self.shape.site
    }

    /// Uniform in `0..choices`, or over the others when `own` is excluded.
    fn draw(&self, choices: usize, own: usize, random: &mut dyn rand::Rng) -> usize {
        match self.self_hits {
            SelfHits::Allowed => random.random_range(0..choices),
            SelfHits::Excluded => {
                assert!(
                    choices > 1,
                    "negatives: expected another sample to jump to, got a pool of {choices}"
                );
                let other = random.random_range(0..choices - 1);
                other + usize::from(other >= own)
            }
        }
    }

    fn everywhere(&self, count: usize, random: &mut dyn rand::Rng) -> Vec<u32> {
        let positions = self.positions();
        let pool_rows = self.pool * positions;
        let rows = self.shape.batch * positions;
        let mut index = Vec::with_capacity(rows * count);
        for row in 0..rows {
            let first = row / pool_rows * pool_rows;
            for _ in 0..count {
                index.push((first + self.draw(pool_rows, row - first, random)) as u32);
            }
        }
        index
    }

    fn same_position(&self, count: usize, random: &mut dyn rand::Rng) -> Vec<u32> {
        let positions = self.positions();
        let mut index = Vec::with_capacity(self.shape.batch * positions * count);
        for sample in 0..self.shape.batch {
            for position in 0..positions {
                for _ in 0..count {
                    index.push((self.sample(sample, random) * positions + position) as u32);
                }
            }
        }
        index
    }

    fn shared(&self, random: &mut dyn rand::Rng) -> Vec<u32> {
        let positions = self.positions();
        let rows = |sample: usize| (sample * positions..(sample + 1) * positions).map(|r| r as u32);
        (0..self.shape.batch).flat_map(|sample| rows(self.sample(sample, random))).collect()
    }

    /// Another sample of the pool that `sample` belongs to.
    fn sample(&self, sample: usize, random: &mut dyn rand::Rng) -> usize {
        let first = sample / self.pool * self.pool;
        first + self.draw(self.pool, sample - first, random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clapp_random::{Purpose, stream};
    use proptest::prelude::*;

    fn random() -> clapp_random::Stream {
        stream(7, Purpose::Test, [0; 4])
    }

    const SHAPE: GridShape = GridShape { batch: 4, time: 7, site: 7 };

    #[test]
    fn shared_saccade_takes_the_whole_map_of_one_sample() {
        let sampler =
            Negatives { scope: Scope::SamePositionShared, count: 1, ..Default::default() };
        let pairs = sampler.pairs(SHAPE, 2, &mut random());
        for sample in pairs.index.chunks(35) {
            let source = sample[0] / 35;
            assert!(sample.iter().enumerate().all(|(p, &row)| row == source * 35 + p as u32));
        }
    }

    #[test]
    fn same_position_keeps_the_position() {
        let sampler = Negatives { scope: Scope::SamePosition, count: 2, ..Default::default() };
        let pairs = sampler.pairs(SHAPE, 3, &mut random());
        assert!(pairs.index.iter().enumerate().all(|(i, &row)| row as usize % 28 == i / 2 % 28));
    }

    #[test]
    fn excluded_self_is_never_hit() {
        for scope in [Scope::Everywhere, Scope::SamePosition, Scope::SamePositionShared] {
            let sampler = Negatives { scope, count: 3, self_hits: SelfHits::Excluded, pool: None };
            let pairs = sampler.pairs(SHAPE, 6, &mut random());
            let own = |i: usize| (i / pairs.count) as u32;
            assert!(pairs.index.iter().enumerate().all(|(i, &row)| row != own(i)), "{scope:?}");
        }
    }

    proptest! {
        #[test]
        fn targets_stay_inside_their_pool(
            groups in 1usize..4, pool in 1usize..4, time in 2usize..6, site in 1usize..4,
            shift in 1usize..5, count in 1usize..4, seed: u64,
        ) {
            prop_assume!(shift < time);
            let shape = GridShape { batch: groups * pool, time, site };
            let sampler = Negatives { count, pool: Some(pool), ..Default::default() };
            let pairs = sampler.pairs(shape, shift, &mut stream(seed, Purpose::Test, [0; 4]));
            let pool_rows = pool * (time - shift) * site;
            prop_assert_eq!(pairs.index.len(), shape.rows(shift) * count);
            for (i, &row) in pairs.index.iter().enumerate() {
                prop_assert_eq!(row as usize / pool_rows, i / count / pool_rows);
            }
        }
    }
}
