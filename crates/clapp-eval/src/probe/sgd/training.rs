//! A linear classifier while it learns.

use ndarray::{
    Array1, Array2, ArrayView2, ArrayViewMut2, Axis, CowArray, Ix2, Slice, linalg::general_mat_mul,
};
use rayon::prelude::*;

use super::adam::{Adam, CONTIGUOUS, Moments};
use super::norm::{COLUMNS, Norm, halve, mask};
use super::{Input, LinearProbe};
use crate::metrics::check;
use crate::probe::LinearReadout;
use crate::probe::readout::cross_entropy;

/// Classes of one task.
const CLASSES: usize = 8;

/// A [`LinearProbe`] while it learns, step by step.
///
/// # Example
///
/// ```
/// use clapp_eval::LinearProbe;
/// use ndarray::array;
///
/// let mut training = LinearProbe::block().begin(3, 2, 1)?;
/// let (x, y) = (array![[0.0, 1.0, 5.0], [1.0, 0.0, 5.0]], [0, 1]);
/// assert!(training.step(x.view(), &y, 0) > 0.0);
/// assert_eq!(training.readout().weight().dim(), (2, 3));
/// # Ok::<(), clapp_eval::Error>(())
/// ```
///
/// # Cost
///
/// A step of [`LinearProbe::block`] on 8 samples of 86,400 features and 101 classes moves about 250 MB
/// through memory and takes 105 MB of it for weights and moments.
#[derive(Clone, Debug)]
pub struct LinearTraining {
    probe: LinearProbe,
    seed: u64,
    steps: u32,
    weight: Moments<Array2<f32>>, // [classes, dim]
    bias: Moments<Array1<f32>>,   // [classes]
    shown: Shown,
}

/// What becomes of features before the linear layer, and what a step needs for that.
#[derive(Clone, Debug)]
enum Shown {
    Raw { gradient: Array2<f32> }, // [classes, dim]
    Halved,
    Normalised { norm: Box<Norm>, dropout: f32 },
}

impl LinearTraining {
    pub(super) fn new(probe: LinearProbe, dim: usize, classes: usize, seed: u64) -> Self {
        let start = probe.start.draw(classes, dim, seed);
        Self::with_start(probe, start, seed)
    }

    fn with_start(
        probe: LinearProbe,
        (weight, bias): (Array2<f32>, Array1<f32>),
        seed: u64,
    ) -> Self {
        let shown = match probe.input {
            Input::Raw => Shown::Raw { gradient: Array2::zeros(weight.dim()) },
            Input::Halved => Shown::Halved,
            Input::BatchNorm { dropout } => {
                Shown::Normalised { norm: Norm::new(weight.ncols()).into(), dropout }
            }
        };
        let (weight, bias) = (Moments::new(weight), Moments::new(bias));
        Self { probe, seed, steps: 0, weight, bias, shown }
    }

    /// Classes and features.
    #[must_use]
    pub fn dims(&self) -> (usize, usize) {
        self.weight.value.dim()
    }

    /// Learns from one batch of epoch `epoch`; returns the mean cross-entropy before that, in nats.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, dim]`
    /// - `labels`: `[batch]`
    ///
    /// # Panics
    ///
    /// If there is not one label each, another number of features, a label that is not below the
    /// number of classes, or only one sample of a batch that is normalised.
    pub fn step(&mut self, x: ArrayView2<'_, f32>, labels: &[u32], epoch: usize) -> f64 {
        self.learn(x.into(), labels, epoch) / labels.len() as f64
    }

    /// The same; returns the summed cross-entropy. A batch that is owned is not copied once more.
    pub(super) fn learn(&mut self, x: CowArray<'_, f32, Ix2>, labels: &[u32], epoch: usize) -> f64 {
        let ((samples, dim), (_, expected)) = (x.dim(), self.dims());
        assert!(dim == expected, "linear probe: expected {expected} features, got {dim}");
        self.steps += 1;
        let Self { probe, seed, steps, weight, bias, shown } = self;
        let adam = Adam::new(*steps, probe.rate(epoch), probe.weight_decay);
        match shown {
            Shown::Raw { gradient } => {
                let mut scores = x.dot(&weight.value.t()) + &bias.value; // [batch, classes]
                let loss = judge(&mut scores, labels); // scores are ∂L/∂s now
                let mean = (samples as f32).recip();
                general_mat_mul(mean, &scores.t(), &x, 0.0, gradient);
                adam.update(weight.slices(), gradient.as_slice().expect(CONTIGUOUS));
                let to_bias = scores.sum_axis(Axis(0)) * mean;
                adam.update(bias.slices(), to_bias.as_slice().expect(CONTIGUOUS));
                loss
            }
            Shown::Halved => {
                let shown = halve(x.into_owned(), *seed, *steps);
                let mut scores = summed_scores(&shown, &weight.value) + &bias.value;
                let loss = judge(&mut scores, labels);
                scores /= samples as f32;
                let to_bias = scores.sum_axis(Axis(0));
                adam.update(bias.slices(), to_bias.as_slice().expect(CONTIGUOUS));
                learn_shown(adam, weight, &scores, &shown);
                loss
            }
            Shown::Normalised { norm, dropout } => {
                assert!(samples >= 2, "linear probe: expected at least 2 samples, got {samples}");
                let mask = mask(*dropout, (samples, dim), *seed, *steps);
                let normal = norm.normalise(x.view());
                let shown = norm.shown(&normal, &mask); // [batch, dim]
                let mut scores = scores(&shown, &weight.value, &bias.value);
                let loss = judge(&mut scores, labels);
                scores /= samples as f32;
                let to_bias = scores.sum_axis(Axis(0));
                adam.update(bias.slices(), to_bias.as_slice().expect(CONTIGUOUS));
                learn_normalised(adam, weight, norm, &scores, [&normal, &mask, &shown]);
                loss
            }
        }
    }

    /// The classifier as it is in a test, which is linear: running moments, nothing dropped.
    ///
    /// ```text
    /// W' = W · diag(γ/√(σ² + ε))        b' = b + W β − W' μ        with batch norm, else W and b
    /// ```
    #[must_use]
    pub fn readout(&self) -> LinearReadout {
        let (weight, bias) = (self.weight.value.mapv(f64::from), self.bias.value.mapv(f64::from));
        let (weight, bias) = match &self.shown {
            Shown::Raw { .. } | Shown::Halved => (weight, bias),
            Shown::Normalised { norm, .. } => norm.fold(weight, bias),
        };
        LinearReadout::new(weight, bias)
    }
}

/// The loss of scores, summed over samples; leaves its gradient in their place.
fn judge(scores: &mut Array2<f32>, labels: &[u32]) -> f64 {
    check(scores.view(), labels);
    f64::from(cross_entropy(scores.view_mut(), labels))
}

/// `W x' + b`, classes in parallel.
fn scores(shown: &Array2<f32>, weight: &Array2<f32>, bias: &Array1<f32>) -> Array2<f32> {
    let classes = bias.len();
    let mut scores = Array2::zeros((shown.nrows(), classes));
    let parts: Vec<_> = scores.axis_chunks_iter_mut(Axis(1), CLASSES).enumerate().collect();
    parts.into_par_iter().for_each(|(part, mut scores)| {
        let rows = Slice::from(part * CLASSES..classes.min((part + 1) * CLASSES));
        scores.assign(&shown.dot(&weight.slice_axis(Axis(0), rows).t()));
        scores += &bias.slice_axis(Axis(0), rows);
    });
    scores
}

/// `W x'`, features in parallel: the parts are summed in order.
fn summed_scores(shown: &Array2<f32>, weight: &Array2<f32>) -> Array2<f32> {
    let columns = shown.axis_chunks_iter(Axis(1), COLUMNS);
    let parts: Vec<_> = columns.zip(weight.axis_chunks_iter(Axis(1), COLUMNS)).collect();
    let parts: Vec<Array2<f32>> = parts.into_par_iter().map(|(x, w)| x.dot(&w.t())).collect();
    let none = Array2::zeros((shown.nrows(), weight.nrows()));
    parts.iter().fold(none, |sum, part| sum + part)
}

/// One step of Adam on W, features in parallel.
fn learn_shown(
    adam: Adam,
    weight: &mut Moments<Array2<f32>>,
    residual: &Array2<f32>, // [batch, classes]: ∂L/∂s
    shown: &Array2<f32>,
) {
    let Moments { value, first, second } = weight;
    let weights = value
        .axis_chunks_iter_mut(Axis(1), COLUMNS)
        .zip(first.axis_chunks_iter_mut(Axis(1), COLUMNS))
        .zip(second.axis_chunks_iter_mut(Axis(1), COLUMNS));
    let parts: Vec<_> = weights.zip(shown.axis_chunks_iter(Axis(1), COLUMNS)).collect();
    parts.into_par_iter().for_each(|(((value, first), second), shown)| {
        let to_weight = residual.t().dot(&shown); // [classes, columns]
        for (moments, gradient) in rows(value, first, second).zip(to_weight.outer_iter()) {
            adam.update(moments, &gradient.iter().copied().collect::<Vec<f32>>());
        }
    });
}

/// One step of Adam on W, γ and β, features in parallel.
fn learn_normalised(
    adam: Adam,
    weight: &mut Moments<Array2<f32>>,
    norm: &mut Norm,
    residual: &Array2<f32>, // [batch, classes]: ∂L/∂s
    [normal, mask, shown]: [&Array2<f32>; 3],
) {
    let Moments { value, first, second } = weight;
    let weights = value
        .axis_chunks_iter_mut(Axis(1), COLUMNS)
        .zip(first.axis_chunks_iter_mut(Axis(1), COLUMNS))
        .zip(second.axis_chunks_iter_mut(Axis(1), COLUMNS));
    let batches = normal
        .axis_chunks_iter(Axis(1), COLUMNS)
        .zip(mask.axis_chunks_iter(Axis(1), COLUMNS))
        .zip(shown.axis_chunks_iter(Axis(1), COLUMNS));
    let (gains, offsets) = (norm.gain.slices(), norm.offset.slices());
    let parameters = gains.chunks(COLUMNS).zip(offsets.chunks(COLUMNS));
    let parts: Vec<_> = weights.zip(parameters).zip(batches).collect();
    parts.into_par_iter().for_each(
        |((((value, first), second), (gain, offset)), ((normal, mask), shown))| {
            let arrived = residual.dot(&value) * mask; // [batch, columns]: ∂L/∂(γx̂ + β)
            let to_gain = (&arrived * &normal).sum_axis(Axis(0));
            let to_offset = arrived.sum_axis(Axis(0));
            let to_weight = residual.t().dot(&shown); // [classes, columns]
            for (moments, gradient) in rows(value, first, second).zip(to_weight.outer_iter()) {
                adam.update(moments, &gradient.iter().copied().collect::<Vec<f32>>());
            }
            adam.update(gain, to_gain.as_slice().expect(CONTIGUOUS));
            adam.update(offset, to_offset.as_slice().expect(CONTIGUOUS));
        },
    );
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

    #[test]
    fn dropped_features_still_tell_two_classes_apart() {
        // More features than one task takes; every one of them says the class weakly.
        let x = Array2::from_shape_fn((40, 2_500), |(n, i)| {
            let class = if n % 2 == 0 { 0.2 } else { -0.2 };
            class + ((n * 2_500 + i) as f32 * 0.618).fract() - 0.5
        });
        let labels: Vec<u32> = (0..40).map(|n| n % 2).collect();
        let mut training = LinearProbe::dropout(20).begin(2_500, 2, 3).unwrap();
        let losses: Vec<f64> =
            (0..20).map(|epoch| training.step(x.view(), &labels, epoch)).collect();
        assert!(losses[19] < 0.1 * losses[0], "{losses:?}");
        let scores = training.readout().scores(x.view());
        assert!((crate::metrics::top1(scores.view(), &labels) - 100.0).abs() < 1e-9);
    }

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
        let probe = LinearProbe {
            learning_rate: 1e-2,
            weight_decay: 1e-2,
            input: Input::BatchNorm { dropout: 0.0 },
            ..LinearProbe::block()
        };
        let mut training = LinearTraining::with_start(probe, (weight, Array1::zeros(3)), 1);
        let batches = x.axis_chunks_iter(Axis(0), 5).zip(labels.chunks(5));
        let losses: Vec<f64> = batches.map(|(x, y)| training.step(x, y, 0)).collect();
        let Shown::Normalised { norm, .. } = &training.shown else { panic!("batch norm") };
        let double = |values: &Array1<f32>| values.mapv(f64::from).to_vec();

        close(&losses, &[0.660_881_93, 1.571_805_03, 1.814_777_94, 0.834_531_54]);
        let weight = &training.weight.value;
        let found = [weight[[0, 0]], weight[[0, 1]], weight[[0, 2]], weight[[2, 5]]];
        close(
            &double(&Array1::from(found.to_vec())),
            &[-0.166_274_15, -0.398_724_60, -0.131_661_67, -0.241_346_90],
        );
        close(&double(&training.bias.value), &[0.026_474_13, 0.003_262_72, -0.021_333_97]);
        close(&double(&norm.gain.value), &[0.964_033_47, 0.987_928_20, 1.019_887_08]);
        close(&double(&norm.offset.value), &[-0.014_179_24, 0.025_395_94, -0.016_510_94]);
        close(&double(&norm.mean), &[-0.008_542_19, -0.095_915_31, -0.148_977_66]);
        close(&double(&norm.variance), &[0.779_273_34, 1.245_210_05, 1.661_844_08]);
        let scores = training.readout().scores(x.slice_axis(Axis(0), Slice::from(..1)));
        close(&scores.row(0).to_vec(), &[-1.068_653_27, -3.696_652_44, 0.103_058_66]);
    }
}
