//! One block's classifier while it learns.

use clapp_random::{Purpose, stream};
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis, Slice};
use rand::RngExt;
use rayon::prelude::*;

use super::adam::{Adam, Moments};
use super::orthogonal::orthogonal;
use super::{BlockProbe, DROPOUT, WEIGHTS};
use crate::metrics::top_k;
use crate::probe::LinearReadout;
use crate::probe::linear::cross_entropy;

/// Features of one task: fixed, so that no sum depends on the number of threads.
const COLUMNS: usize = 1_024;
/// Classes of one task.
const CLASSES: usize = 8;
/// Batch norm's guard against division by 0, and the weight of a batch in the running moments.
const EPSILON: f32 = 1e-5;
const MOMENTUM: f32 = 0.1;
/// Why rows are slices.
const CONTIGUOUS: &str = "arrays of one classifier are in standard layout";

/// Batch norm, dropout and a linear layer, trained step by step; see [`BlockProbe`].
///
/// # Example
///
/// ```
/// use clapp_eval::probe::BlockProbe;
/// use ndarray::array;
///
/// let mut classifier = BlockProbe::default().classifier(3, 2, 1)?;
/// let (x, y) = (array![[0.0, 1.0, 5.0], [1.0, 0.0, 5.0]], [0, 1]);
/// let outcome = classifier.step(x.view(), &y, 0);
/// assert!(outcome.loss > 0.0 && outcome.top[2] == 100.0);
/// assert_eq!(classifier.readout().weight().dim(), (2, 3));
/// # Ok::<(), clapp_eval::Error>(())
/// ```
///
/// # Cost
///
/// A step of 8 samples of 86,400 features and 101 classes moves about 250 MB through memory and takes
/// 105 MB of it for weights and moments.
#[derive(Clone, Debug)]
pub struct BlockClassifier {
    settings: BlockProbe,
    seed: u64,
    steps: u32,
    weight: Moments<Array2<f32>>, // [classes, dim]
    bias: Moments<Vec<f32>>,      // [classes]
    gain: Moments<Vec<f32>>,      // [dim]: γ
    offset: Moments<Vec<f32>>,    // [dim]: β
    mean: Vec<f32>,               // [dim]: running
    variance: Vec<f32>,           // [dim]: running
}

/// How well a classifier did on a batch, before it learnt from it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepOutcome {
    /// Mean cross-entropy in nats.
    pub loss: f64,
    /// Percentage of samples whose class is among the best 1, 3 and 5 scores.
    pub top: [f64; 3],
}

impl StepOutcome {
    /// The unweighted mean, the authors' number of an epoch.
    pub(super) fn mean(outcomes: &[Self]) -> Self {
        let count = outcomes.len() as f64;
        let mean = |f: &dyn Fn(&Self) -> f64| outcomes.iter().map(f).sum::<f64>() / count;
        Self {
            loss: mean(&|outcome| outcome.loss),
            top: std::array::from_fn(|k| mean(&|outcome| outcome.top[k])),
        }
    }
}

impl BlockClassifier {
    pub(super) fn new(settings: BlockProbe, dim: usize, classes: usize, seed: u64) -> Self {
        let mut random = stream(seed, Purpose::Probe, [WEIGHTS, 0, 0, 0]);
        Self::with_weight(settings, orthogonal(classes, dim, &mut random), seed)
    }

    fn with_weight(settings: BlockProbe, weight: Array2<f32>, seed: u64) -> Self {
        let (classes, dim) = weight.dim();
        let still = |value: Vec<f32>| {
            let zeros = vec![0.0; value.len()];
            Moments { first: zeros.clone(), second: zeros, value }
        };
        let zeros = Array2::zeros(weight.dim());
        Self {
            settings,
            seed,
            steps: 0,
            weight: Moments { first: zeros.clone(), second: zeros, value: weight },
            bias: still(vec![0.0; classes]),
            gain: still(vec![1.0; dim]),
            offset: still(vec![0.0; dim]),
            mean: vec![0.0; dim],
            variance: vec![1.0; dim],
        }
    }

    /// Classes and features.
    #[must_use]
    pub fn dims(&self) -> (usize, usize) {
        self.weight.value.dim()
    }

    /// Learns from one batch of epoch `epoch`.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, dim]`
    /// - `labels`: `[batch]`
    ///
    /// # Panics
    ///
    /// If there are fewer than two samples, not one label each, another number of features, or a label
    /// that is not below the number of classes.
    pub fn step(&mut self, x: ArrayView2<'_, f32>, labels: &[u8], epoch: usize) -> StepOutcome {
        let ((samples, dim), (_, expected)) = (x.dim(), self.dims());
        assert!(dim == expected, "block classifier: expected {expected} features, got {dim}");
        assert!(samples >= 2, "block classifier: expected at least 2 samples, got {samples}");
        self.steps += 1;
        let mask = self.mask(samples, dim);
        let normal = self.normalise(x);
        let shown = self.shown(&normal, &mask); // [batch, dim]
        let mut scores = self.scores(&shown); // [batch, classes]
        let best = scores.mapv(f64::from);
        let top = [1, 3, 5].map(|k| top_k(best.view(), labels, k));
        let loss = f64::from(cross_entropy(scores.view_mut(), labels)) / samples as f64;
        scores /= samples as f32; // now ∂L/∂s
        self.learn(&scores, &normal, &mask, &shown, epoch);
        StepOutcome { loss, top }
    }

    /// 0 for a feature that is dropped, 1/(1 − p) for one that stays; a stream for each step and sample.
    fn mask(&self, samples: usize, dim: usize) -> Array2<f32> {
        let keep = 1.0 - self.settings.dropout;
        let threshold = f64::from(self.settings.dropout) * 4_294_967_296.0; // 2³²
        let mut mask = Array2::from_elem((samples, dim), keep.recip());
        if threshold > 0.0 {
            let rows: Vec<_> = mask.axis_iter_mut(Axis(0)).enumerate().collect();
            rows.into_par_iter().for_each(|(sample, mut row)| {
                let address = [DROPOUT, u64::from(self.steps), sample as u64, 0];
                let mut random = stream(self.seed, Purpose::Probe, address);
                for value in &mut row {
                    if f64::from(random.random::<u32>()) < threshold {
                        *value = 0.0;
                    }
                }
            });
        }
        mask
    }

    /// `(x − μ)/√(σ² + ε)` with the moments of the batch, which also move the running moments.
    fn normalise(&mut self, x: ArrayView2<'_, f32>) -> Array2<f32> {
        let samples = x.nrows() as f32;
        let mut normal = x.to_owned();
        let parts: Vec<_> = normal
            .axis_chunks_iter_mut(Axis(1), COLUMNS)
            .zip(self.mean.chunks_mut(COLUMNS))
            .zip(self.variance.chunks_mut(COLUMNS))
            .collect();
        parts.into_par_iter().for_each(|((mut part, means), variances)| {
            let mean: Array1<f32> = part.sum_axis(Axis(0)) / samples;
            part -= &mean;
            let squares = part.map_axis(Axis(0), |column| column.dot(&column));
            for (column, square) in squares.iter().enumerate() {
                let running = (&mut means[column], &mut variances[column]);
                *running.0 += MOMENTUM * (mean[column] - *running.0);
                // The running variance is the unbiased one.
                *running.1 += MOMENTUM * (square / (samples - 1.0) - *running.1);
            }
            part *= &squares.mapv(|square| (square / samples + EPSILON).sqrt().recip());
        });
        normal
    }

    /// `mask ⊙ (γ x̂ + β)`.
    fn shown(&self, normal: &Array2<f32>, mask: &Array2<f32>) -> Array2<f32> {
        let mut shown = normal.clone();
        let rows: Vec<_> = shown.outer_iter_mut().zip(mask.outer_iter()).collect();
        rows.into_par_iter().for_each(|(mut row, mask)| {
            let parameters = self.gain.value.iter().zip(&self.offset.value).zip(mask);
            for (value, ((gain, offset), mask)) in row.iter_mut().zip(parameters) {
                *value = mask * (gain * *value + offset);
            }
        });
        shown
    }

    /// `W x' + b`.
    fn scores(&self, shown: &Array2<f32>) -> Array2<f32> {
        let classes = self.dims().0;
        let mut scores = Array2::zeros((shown.nrows(), classes));
        let parts: Vec<_> = scores.axis_chunks_iter_mut(Axis(1), CLASSES).enumerate().collect();
        parts.into_par_iter().for_each(|(part, mut scores)| {
            let rows = part * CLASSES..classes.min((part + 1) * CLASSES);
            let weight = self.weight.value.slice_axis(Axis(0), Slice::from(rows.clone()));
            scores.assign(&shown.dot(&weight.t()));
            for (mut column, bias) in scores.axis_iter_mut(Axis(1)).zip(&self.bias.value[rows]) {
                column += *bias;
            }
        });
        scores
    }

    /// One step of Adam on all parameters, features in parallel.
    fn learn(
        &mut self,
        residual: &Array2<f32>, // [batch, classes]: ∂L/∂s
        normal: &Array2<f32>,
        mask: &Array2<f32>,
        shown: &Array2<f32>,
        epoch: usize,
    ) {
        let step = i32::try_from(self.steps).unwrap_or(i32::MAX); // by then the corrections are 1
        let adam = Adam::new(step, self.settings.rate(epoch), self.settings.weight_decay);
        let bias = residual.sum_axis(Axis(0));
        adam.update(run(&mut self.bias), bias.as_slice().expect(CONTIGUOUS));

        let Moments { value, first, second } = &mut self.weight;
        let weights = value
            .axis_chunks_iter_mut(Axis(1), COLUMNS)
            .zip(first.axis_chunks_iter_mut(Axis(1), COLUMNS))
            .zip(second.axis_chunks_iter_mut(Axis(1), COLUMNS));
        let batches = normal
            .axis_chunks_iter(Axis(1), COLUMNS)
            .zip(mask.axis_chunks_iter(Axis(1), COLUMNS))
            .zip(shown.axis_chunks_iter(Axis(1), COLUMNS));
        let parts: Vec<_> =
            weights.zip(runs(&mut self.gain).zip(runs(&mut self.offset))).zip(batches).collect();
        parts.into_par_iter().for_each(
            |((((value, first), second), (gain, offset)), ((normal, mask), shown))| {
                let arrived = residual.dot(&value) * mask; // [batch, columns]: ∂L/∂(γx̂ + β)
                let to_gain = (&arrived * &normal).sum_axis(Axis(0));
                let to_offset = arrived.sum_axis(Axis(0));
                let to_weight = residual.t().dot(&shown); // [classes, columns]
                rows(value, first, second).zip(to_weight.outer_iter()).for_each(
                    |(moments, gradient)| {
                        adam.update(moments, &gradient.iter().copied().collect::<Vec<f32>>());
                    },
                );
                adam.update(gain, to_gain.as_slice().expect(CONTIGUOUS));
                adam.update(offset, to_offset.as_slice().expect(CONTIGUOUS));
            },
        );
    }

    /// The classifier as it is in a test: running moments, nothing dropped, hence linear.
    ///
    /// ```text
    /// W' = W · diag(γ/√(σ² + ε))        b' = b + W β − W' μ
    /// ```
    #[must_use]
    pub fn readout(&self) -> LinearReadout {
        let double = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Array1<f64>>();
        let deviation = double(&self.variance).mapv(|v| (v + f64::from(EPSILON)).sqrt());
        let (weight, scale) =
            (self.weight.value.mapv(f64::from), double(&self.gain.value) / deviation);
        let bias = double(&self.bias.value) + weight.dot(&double(&self.offset.value));
        let weight = weight * scale.insert_axis(Axis(0)); // [classes, dim]
        let bias = bias - weight.dot(&double(&self.mean));
        LinearReadout::new(weight, bias)
    }
}

/// All of a parameter.
fn run(moments: &mut Moments<Vec<f32>>) -> Moments<&mut [f32]> {
    let Moments { value, first, second } = moments;
    Moments { value, first, second }
}

/// A parameter, cut like the features.
fn runs(moments: &mut Moments<Vec<f32>>) -> impl Iterator<Item = Moments<&mut [f32]>> {
    let Moments { value, first, second } = moments;
    let values = value.chunks_mut(COLUMNS).zip(first.chunks_mut(COLUMNS));
    values.zip(second.chunks_mut(COLUMNS)).map(|((value, first), second)| Moments {
        value,
        first,
        second,
    })
}

/// The rows of a part of the weights.
fn rows<'a>(
    value: ArrayViewMut2<'a, f32>,
    first: ArrayViewMut2<'a, f32>,
    second: ArrayViewMut2<'a, f32>,
) -> impl Iterator<Item = Moments<&'a mut [f32]>> {
    let row = |part: ArrayViewMut2<'a, f32>| part.into_outer_iter_mut();
    row(value).zip(row(first)).zip(row(second)).map(|((value, first), second)| Moments {
        value: value.into_slice().expect(CONTIGUOUS),
        first: first.into_slice().expect(CONTIGUOUS),
        second: second.into_slice().expect(CONTIGUOUS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Readout;

    /// ANSI C's `rand`, bits 16 to 23, in −1..1.
    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
            ((state >> 16) & 255) as f32 / 128.0 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    fn close(found: &[f64], golden: &[f64]) {
        for (found_value, golden_value) in found.iter().zip(golden) {
            // Single precision here, double there; Adam divides by small second moments.
            assert!((found_value - golden_value).abs() < 2e-5, "{found:?} {golden:?}");
        }
    }

    #[test]
    fn four_steps_equal_pytorch() {
        // torch 2.15, float64: bn = BatchNorm1d(6), lin = Linear(6, 3) with bias 0 and
        // Adam([*bn.parameters(), *lin.parameters()], lr=1e-2, weight_decay=1e-2), no dropout;
        // l = cross_entropy(lin(bn(x[i])), y[i]), l.backward(), step for i in 0..4.
        let mut x = numbers(4 * 5 * 6, 1);
        x.iter_mut().enumerate().for_each(|(i, x)| *x *= (i % 6 + 1) as f32);
        let x = Array2::from_shape_vec((20, 6), x).unwrap();
        let labels = [0, 1, 2, 0, 1, 2, 2, 1, 0, 0, 1, 0, 2, 1, 2, 0, 0, 1, 1, 2];
        let weight = Array2::from_shape_vec((3, 6), numbers(18, 7)).unwrap();
        let settings = BlockProbe {
            learning_rate: 1e-2,
            weight_decay: 1e-2,
            dropout: 0.0,
            ..BlockProbe::default()
        };
        let mut classifier = BlockClassifier::with_weight(settings, weight, 1);
        let batches = x.axis_chunks_iter(Axis(0), 5).zip(labels.chunks(5));
        let losses: Vec<f64> = batches.map(|(x, y)| classifier.step(x, y, 0).loss).collect();
        let double = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();

        close(&losses, &[0.660_881_93, 1.571_805_03, 1.814_777_94, 0.834_531_54]);
        let weight = &classifier.weight.value;
        let found = [weight[[0, 0]], weight[[0, 1]], weight[[0, 2]], weight[[2, 5]]];
        close(&double(&found), &[-0.166_274_15, -0.398_724_60, -0.131_661_67, -0.241_346_90]);
        close(&double(&classifier.bias.value), &[0.026_474_13, 0.003_262_72, -0.021_333_97]);
        close(&double(&classifier.gain.value), &[0.964_033_47, 0.987_928_20, 1.019_887_08]);
        close(&double(&classifier.offset.value), &[-0.014_179_24, 0.025_395_94, -0.016_510_94]);
        close(&double(&classifier.mean), &[-0.008_542_19, -0.095_915_31, -0.148_977_66]);
        close(&double(&classifier.variance), &[0.779_273_34, 1.245_210_05, 1.661_844_08]);
        let scores = classifier.readout().scores(x.slice_axis(Axis(0), Slice::from(..1)));
        close(&scores.row(0).to_vec(), &[-1.068_653_27, -3.696_652_44, 0.103_058_66]);
    }

    #[test]
    fn half_of_the_features_are_dropped_and_the_rest_counts_double() {
        let classifier = BlockProbe::default().classifier(5_000, 2, 1).unwrap();
        let mask = classifier.mask(4, 5_000);
        let dropped = mask.iter().filter(|value| **value < 1.0).count();
        // Binomial(20000, ½): standard deviation 71.
        assert!((9_700..10_300).contains(&dropped), "{dropped}");
        assert!(mask.iter().all(|value| [0.0, 2.0].contains(value)));
        assert_ne!(mask.row(0), mask.row(1));
    }

    #[test]
    fn every_step_drops_others() {
        let mut classifier = BlockProbe::default().classifier(64, 2, 1).unwrap();
        let first = classifier.mask(1, 64);
        classifier.steps += 1;
        assert_ne!(first, classifier.mask(1, 64));
    }
}
