//! Which pairs a step contrasts: saccade targets, and fixation or saccade per sample.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::third_factor::Outcome;

/// Rows of saccade targets, `[rows, n]`, on a device.
pub type Index = Tensor<2, Int>;

/// Extent of a grid without its channels.
///
/// ```
/// use clapp_rules::GridShape;
/// let grid = GridShape::from([32, 7, 7]);
/// assert_eq!(grid.rows(2), 32 * 5 * 7);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridShape {
    /// Samples, or parallel streams.
    pub batch: usize,
    /// Steps of time: patch rows, frames.
    pub time: usize,
    /// Sites that never interact: patch columns, 1 for sound.
    pub site: usize,
}

impl GridShape {
    /// Rows of a prediction over `shift` steps: `batch · (time − shift) · site`, in that order.
    #[must_use]
    pub fn rows(&self, shift: usize) -> usize {
        self.batch * self.time.saturating_sub(shift) * self.site
    }
}

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
/// | `count` | 16 | saccades per context | ≥ 1; 1 outside [`Scope::Everywhere`] |
/// | `scope` | everywhere | where they land | |
/// | `self_hits` | allowed | may they land on the true target | |
/// | `pool` | whole batch | samples among which they are drawn | a divisor of the batch |
///
/// All draws are uniform and with replacement.
///
/// # Paper
/// Illing et al. 2021, Sec. 4 and appendix B; `ContrastiveLoss.py` `sample_negative_samples`,
/// `sample_negative_samples_locally`. Deviations: `SelfHits::Excluded` and `pool` are options of ours.
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

/// Saccade targets of one prediction step.
///
/// Rows are those of [`target_rows`](crate::target_rows) at the same shift: sample, time, site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    /// Distance in time between context and target.
    pub shift: usize,
    /// Saccades per context row.
    pub count: usize,
    /// Target rows, `[rows · count]`, each an index into the rows of this shift.
    pub index: Vec<u32>,
}

impl Pairs {
    /// Moves the index to a device.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use clapp_rules::Pairs;
    /// let pairs = Pairs { shift: 1, count: 2, index: vec![1, 0, 0, 1] };
    /// assert_eq!(pairs.to_device(&Device::flex()).dims(), [2, 2]);
    /// ```
    ///
    /// # Panics
    ///
    /// If the number of targets is not a multiple of `count`.
    #[must_use]
    pub fn to_device(&self, device: &Device) -> Index {
        let index: Vec<i32> = self.index.iter().map(|&row| row as i32).collect();
        let rows = index.len() / self.count;
        Tensor::from_data(TensorData::new(index, [rows, self.count]), (device, DType::I32))
    }
}

/// Everything random about one update of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draws {
    /// Saccade targets of every prediction step, nearest first.
    pub pairs: Vec<Pairs>,
    /// What each sample contributes. `None`: both terms (synchronous).
    pub outcomes: Option<Vec<Outcome>>,
}

impl Draws {
    /// Weights of the fixation and the saccade term of every row of a shift, normalised so that each
    /// term is a mean over its samples and positions, and all prediction steps count alike.
    ///
    /// ```text
    /// synchronous:  w = 1 / (K · rows)
    /// time-local:   w⁺ = 1[fixation] / (K · |fixations| · positions), w⁻ likewise
    /// ```
    ///
    /// An outcome that no sample had has no term at all.
    ///
    /// # Panics
    ///
    /// If there are outcomes, but not one for every sample.
    ///
    /// # Paper
    /// `ContrastiveLoss.py` `_add_losses`. Deviations: none.
    ///
    /// # Example
    ///
    /// ```
    /// use clapp_rules::{Draws, Outcome, Pairs};
    /// let pairs = vec![Pairs { shift: 1, count: 1, index: vec![1, 0] }];
    /// let outcomes = Some(vec![Outcome::Fixation, Outcome::Saccade]);
    /// let (fixation, saccade) = Draws { pairs, outcomes }.weights([2, 2, 1].into(), 1);
    /// assert_eq!((fixation, saccade), (vec![1.0, 0.0], vec![0.0, 1.0]));
    /// ```
    #[must_use]
    pub fn weights(&self, shape: GridShape, shift: usize) -> (Vec<f64>, Vec<f64>) {
        let rows = shape.rows(shift);
        let steps = self.pairs.len() as f64;
        let Some(outcomes) = &self.outcomes else {
            let weight = 1.0 / (steps * rows as f64);
            return (vec![weight; rows], vec![weight; rows]);
        };
        assert_eq!(
            outcomes.len(),
            shape.batch,
            "time-local update: expected an outcome for each of {} samples, got {}",
            shape.batch,
            outcomes.len()
        );
        let positions = rows / shape.batch;
        let weights = |wanted: Outcome| {
            let chosen = outcomes.iter().filter(|&&o| o == wanted).count();
            // An empty set contributes nothing, not NaN.
            let weight = 1.0 / (steps * (chosen * positions).max(1) as f64);
            let of = |&o: &Outcome| if o == wanted { weight } else { 0.0 };
            outcomes.iter().flat_map(|o| std::iter::repeat_n(of(o), positions)).collect()
        };
        (weights(Outcome::Fixation), weights(Outcome::Saccade))
    }
}

/// Draws saccade targets.
///
/// Implemented by [`Negatives`]. Implement it to contrast pairs of your own choice, as below;
/// deliberately not by anything that looks at activities or scores (hard negatives): a saccade does
/// not know what it will see.
///
/// # Example
///
/// Saccades of a bored eye: always to the same frame and site of the next sample.
///
/// ```
/// use clapp_rules::{ContrastSampler, Draws, GridShape, Pairs, Purpose, Rule, stream};
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
/// let pairs: Vec<Pairs> = (1..=rule.prediction_steps)
///     .map(|k| NextSample.pairs(shape, rule.shift(k), &mut random))
///     .collect();
/// assert_eq!(pairs[4].index, [1, 2, 0]);
/// // What `Rule::update` takes in the place of `Rule::draw`:
/// let draws = [Draws { pairs, outcomes: None }];
/// # assert_eq!(draws[0].pairs.len(), 5);
/// ```
pub trait ContrastSampler: std::fmt::Debug {
    /// Target rows for every context row of `shift`, in the order of
    /// [`context_rows`](crate::context_rows).
    fn pairs(&self, shape: GridShape, shift: usize, random: &mut dyn rand::Rng) -> Pairs;
}

impl ContrastSampler for Negatives {
    /// # Panics
    ///
    /// If the pool does not divide the batch, or self-hits are excluded and nothing else is left.
    fn pairs(&self, shape: GridShape, shift: usize, random: &mut dyn rand::Rng) -> Pairs {
        let pool = self.pool.unwrap_or(shape.batch).min(shape.batch);
        assert!(
            pool > 0 && shape.batch.is_multiple_of(pool),
            "negatives: expected a pool that divides the batch of {}, got {pool}",
            shape.batch
        );
        let sampler = Sampler { shape, shift, pool, self_hits: self.self_hits };
        let index = match self.scope {
            Scope::Everywhere => sampler.everywhere(self.count, random),
            Scope::SamePosition => sampler.same_position(self.count, random),
            Scope::SamePositionShared => sampler.shared(random),
        };
        let count = if self.scope == Scope::SamePositionShared { 1 } else { self.count };
        Pairs { shift, count, index }
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

/// Fixation or saccade for every sample, a fair coin each: time-local learning.
///
/// ```text
/// P(y_b = +1) = P(y_b = −1) = ½
/// ```
///
/// One outcome holds for all prediction steps and positions of a sample: the eye either jumped or
/// it did not.
///
/// # Paper
/// Illing et al. 2021, appendix B.1; `ContrastiveLoss.py` `which_update`. Deviations: none.
///
/// # Example
///
/// ```
/// use clapp_rules::{Outcome, Purpose, flip_outcomes, stream};
/// let outcomes = flip_outcomes(1000, &mut stream(2, Purpose::Saccade, [0; 4]));
/// let saccades = outcomes.iter().filter(|&&outcome| outcome == Outcome::Saccade).count();
/// assert!((400..600).contains(&saccades));
/// ```
#[must_use]
pub fn flip_outcomes(batch: usize, random: &mut dyn rand::Rng) -> Vec<Outcome> {
    let flip = |random: &mut dyn rand::Rng| {
        if random.random_bool(0.5) { Outcome::Saccade } else { Outcome::Fixation }
    };
    (0..batch).map(|_| flip(random)).collect()
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

    #[test]
    fn weights_of_each_term_sum_to_one_step() {
        let pairs = vec![Pairs { shift: 2, count: 1, index: vec![0; 140] }; 5];
        let synchronous = Draws { pairs: pairs.clone(), outcomes: None };
        let (fixation, saccade) = synchronous.weights(SHAPE, 2);
        assert!((fixation.iter().sum::<f64>() - 0.2).abs() < 1e-12);
        assert!((saccade.iter().sum::<f64>() - 0.2).abs() < 1e-12);
        use Outcome::{Fixation, Saccade};
        let outcomes = vec![Fixation, Saccade, Fixation, Fixation];
        let (fixation, saccade) = Draws { pairs, outcomes: Some(outcomes) }.weights(SHAPE, 2);
        assert!((fixation.iter().sum::<f64>() - 0.2).abs() < 1e-12);
        assert!((saccade.iter().sum::<f64>() - 0.2).abs() < 1e-12);
        assert!(fixation.iter().zip(&saccade).all(|(f, s)| f * s <= 0.0), "one term per sample");
    }

    #[test]
    fn a_batch_of_fixations_alone_has_no_saccade_term() {
        let pairs = vec![Pairs { shift: 2, count: 1, index: vec![0; 140] }];
        let draws = Draws { pairs, outcomes: Some(vec![Outcome::Fixation; 4]) };
        assert!(draws.weights(SHAPE, 2).1.iter().all(|weight| weight.abs() <= 0.0));
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
