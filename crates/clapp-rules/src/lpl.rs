//! Latent predictive learning (LPL): two views agree, units vary, units differ, without negatives.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{Extent, Lateral, LateralUpdate, Metrics, Plasticity, RuleError, Seen, Update};

const MEAN: &str = "mean";
const VARIANCE: &str = "variance";
const BATCHES: &str = "batches";

/// Each view moves towards the other; the push away from the mean keeps units from falling silent, and
/// decorrelation from doing all the same.
///
/// ```text
/// L = λ₀ mean (z − z′)² − λ₁ mean_j ln(Var_j + ε) + λ₂ Σ_{j≠k} C_jk² / (d² − d)
/// m = −(z − z′) + (λ₁/λ₀) (α/σ²)(z − z̄) − (λ₂/λ₀) β Σ_{j≠k} C_jk (z_j − z̄_j)
/// −∂L/∂z = (2 λ₀/(N d)) m        α = N/(2(N − 1))    σ² = Var + ε    β = N/((N − 1)(d − 1))
/// ```
///
/// z, z′ the two views of N images, what the layer shows: the mean over its map, d units. The last two terms are
/// means over the views, each with its own mean z̄, unbiased variance and covariance C; both views learn.
/// Samples are ordered `[view 1; view 2]`. There are no lateral weights and nothing is drawn: the terms of the
/// push need one unit's own activity, its mean and its variance.
///
/// With `stale`, mean and variance of the push are those of the batch before (averaged over its views), kept
/// in the statistics `mean`, `variance`, `batches` `[d]`, `[d]`, `[1]`, so that it needs no other sample of
/// its own batch. The first batch has none and takes its own. Its metric is then the loss whose slope that is,
/// −Σ_n mean_j (z − z̄)²/(σ²(N − 1)). Decorrelation still needs the batch.
///
/// | name | default ([`paper`](Self::paper)) | purpose | range |
/// |---|---|---|---|
/// | `pull` | 1 | λ₀ | ≥ 0 |
/// | `push` | 1 | λ₁ | ≥ 0 |
/// | `decorrelation` | 10 | λ₂ | ≥ 0 |
/// | `epsilon` | 1e-4 | ε | > 0 |
/// | `stale` | no | estimates of the batch before | |
///
/// Metrics: `loss`, and its unweighted terms `pull`, `push`, `decorrelation`.
///
/// # Cost
/// 4 N d² for covariances and their way back.
///
/// # Paper
/// Halvagal and Zenke 2023, with the erratum's decorrelation; `fmi-basel/latent-predictive-learning`.
/// Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Lateral, Lpl, Plasticity, Seen};
///
/// // Two views of two images, one unit: 1 and 3, then 2 and 3.
/// let z = Tensor::<1>::from_floats([1.0, 3.0, 2.0, 3.0], &Device::flex()).reshape([4, 1, 1, 1]);
/// let pull = Lpl { push: 0.0, decorrelation: 0.0, ..Lpl::paper() };
/// let update = pull.changes(Seen { layer: 0, target: z, context: None, lateral: &Lateral::default(), rows: &[] });
/// // The views of the first image move together, those of the second agree.
/// let told = update.target.into_data().try_to_vec::<f32>().unwrap();
/// assert_eq!(told, [1.0, 0.0, -1.0, 0.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lpl {
    /// λ₀: how much the views of an image should agree.
    pub pull: f64,
    /// λ₁: how much every unit should vary.
    pub push: f64,
    /// λ₂: how much units should differ.
    pub decorrelation: f64,
    /// ε: what is added to variances.
    #[serde(default = "epsilon")]
    pub epsilon: f64,
    /// Whether the push takes mean and variance of the batch before.
    #[serde(default)]
    pub stale: bool,
}

fn epsilon() -> f64 {
    1e-4
}

impl Lpl {
    /// Coefficients 1, 1 and 10.
    #[must_use]
    pub fn paper() -> Self {
        Self { pull: 1.0, push: 1.0, decorrelation: 10.0, epsilon: epsilon(), stale: false }
    }
}

/// One view `[N, d]`, and what it has for moments.
struct View {
    z: Tensor<2>,
    /// z − z̄.
    centred: Tensor<2>,
    /// `[1, d]`
    mean: Tensor<2>,
    /// Unbiased, `[1, d]`.
    variance: Tensor<2>,
}

impl View {
    fn of(z: Tensor<2>) -> Self {
        let [n, _] = z.dims();
        let mean = z.clone().mean_dim(0);
        let centred = z.clone() - mean.clone();
        let variance = centred.clone().square().sum_dim(0) / (n - 1) as f64;
        Self { z, centred, mean, variance }
    }

    /// Loss and negative slope of the push, halved as its share in the mean over the views.
    fn push(&self, epsilon: f64, stale: Option<&Stale>) -> [Tensor<2>; 2] {
        let [n, d] = self.z.dims();
        let own = -(self.variance.clone() + epsilon).log().mean().reshape([1, 1]);
        let per = 1.0 / (n - 1) as f64;
        let Some(Stale { known, mean, variance }) = stale else {
            let slope = self.centred.clone() / (self.variance.clone() + epsilon);
            return [own / 2.0, slope * (per / d as f64)];
        };
        // The first batch has no estimate; chosen on the device, because a look at it would wait.
        let rows = known.clone().expand([n, d]);
        let centred = self.z.clone() - mean.clone();
        let centred = self.centred.clone().mask_where(rows, centred);
        let units = known.clone().expand([1, d]);
        let variance = self.variance.clone().mask_where(units, variance.clone()) + epsilon;
        let streamed = -(centred.clone().square() / variance.clone()).sum() * (per / d as f64);
        let loss = own.mask_where(known.clone(), streamed.reshape([1, 1]));
        [loss / 2.0, centred / variance * (per / d as f64)]
    }

    /// Loss and negative slope of the decorrelation, halved likewise.
    fn decorrelation(&self) -> [Tensor<2>; 2] {
        let [n, d] = self.z.dims();
        if d < 2 {
            let silence = self.z.zeros_like();
            return [silence.clone().sum().reshape([1, 1]), silence];
        }
        let per = 1.0 / (n - 1) as f64;
        let covariance = self.centred.clone().transpose().matmul(self.centred.clone()) * per;
        let itself = Tensor::<2>::eye(d, &self.z.device()).cast(self.z.dtype());
        let others = -itself + 1.0;
        let covariance = covariance * others; // C_jk, 0 for j = k
        let pairs = (d * (d - 1)) as f64;
        let loss = covariance.clone().square().sum().reshape([1, 1]) / (2.0 * pairs);
        [loss, self.centred.clone().matmul(covariance) * (-2.0 * per / pairs)]
    }
}

/// Estimates of the batch before.
struct Stale {
    /// Whether there was one, `[1, 1]`.
    known: Tensor<2, burn::tensor::Bool>,
    /// `[1, d]`
    mean: Tensor<2>,
    /// `[1, d]`
    variance: Tensor<2>,
}

impl Plasticity for Lpl {
    fn check(&self, time: usize) -> Result<(), RuleError> {
        let Self { pull, push, decorrelation, epsilon, .. } = *self;
        let named = [("pull", pull), ("push", push), ("decorrelation", decorrelation)];
        for (name, value) in named {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(RuleError::Coefficient { name, value: value.to_string() });
            }
        }
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Err(RuleError::Epsilon { epsilon: epsilon.to_string() });
        }
        if time == 1 { Ok(()) } else { Err(RuleError::NotWhole { time }) }
    }

    fn check_batch(&self, samples: usize) -> Result<(), RuleError> {
        match samples {
            2 => Err(RuleError::NoVariance),
            0 => Err(RuleError::OddViews { samples }),
            _ if !samples.is_multiple_of(2) => Err(RuleError::OddViews { samples }),
            _ => Ok(()),
        }
    }

    fn lateral(
        &self,
        target: Extent,
        _: Extent,
        device: &Device,
        _: &mut dyn rand::Rng,
    ) -> Lateral {
        if !self.stale {
            return Lateral::default();
        }
        let units = target.site * target.channel;
        Lateral::default()
            .with_statistic(MEAN, Tensor::zeros([units], device))
            .with_statistic(VARIANCE, Tensor::ones([units], device))
            .with_statistic(BATCHES, Tensor::zeros([1], device))
    }

    /// # Panics
    ///
    /// If [`check_batch`](Plasticity::check_batch) has an error.
    fn changes(&self, seen: Seen<'_>) -> Update {
        let shape = seen.target.dims();
        self.check_batch(shape[0]).unwrap_or_else(|error| panic!("{error}"));
        let [both, d] = [shape[0], shape[1..].iter().product()];
        let (n, z) = (both / 2, seen.target.reshape([both, d]));
        let views = [0, n].map(|first| View::of(z.clone().narrow(0, first, n)));
        let stale = self.stale.then(|| {
            let row = |name| seen.lateral.statistic(name).reshape([1, d]);
            let known = seen.lateral.statistic(BATCHES).greater_elem(0.0).reshape([1, 1]);
            Stale { known, mean: row(MEAN), variance: row(VARIANCE) }
        });
        let apart = views[0].z.clone() - views[1].z.clone();
        let pull = apart.clone().square().mean().reshape([1, 1]);
        let apart = apart * (2.0 / (n * d) as f64);
        let [[push_1, pushed_1], [push_2, pushed_2]] =
            views.each_ref().map(|view| view.push(self.epsilon, stale.as_ref()));
        let [[decorrelation_1, away_1], [decorrelation_2, away_2]] =
            views.each_ref().map(View::decorrelation);
        let told = |pulled: Tensor<2>, pushed: Tensor<2>, away: Tensor<2>| {
            pulled * self.pull + pushed * self.push + away * self.decorrelation
        };
        let told = vec![told(-apart.clone(), pushed_1, away_1), told(apart, pushed_2, away_2)];
        let (push, decorrelation) = (push_1 + push_2, decorrelation_1 + decorrelation_2);
        let loss = pull.clone() * self.pull
            + push.clone() * self.push
            + decorrelation.clone() * self.decorrelation;
        let values = Tensor::cat(vec![loss, pull, push, decorrelation], 0).reshape([4]);
        let names = &["loss", "pull", "push", "decorrelation"];
        let lateral = match stale {
            None => LateralUpdate::default(),
            Some(_) => {
                let [first, second] = views;
                let middle = |a: Tensor<2>, b: Tensor<2>| ((a + b) / 2.0).reshape([d]);
                LateralUpdate::default()
                    .with_statistic(MEAN, middle(first.mean, second.mean))
                    .with_statistic(VARIANCE, middle(first.variance, second.variance))
                    .with_statistic(BATCHES, seen.lateral.statistic(BATCHES) + 1.0)
            }
        };
        let metrics = Metrics { names, values };
        Update { lateral, metrics, ..Update::of(Tensor::cat(told, 0).reshape(shape)) }
    }
}
