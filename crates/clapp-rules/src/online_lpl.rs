//! LPL online: consecutive moments are the views, statistics are those of the past.

use burn::tensor::{Device, Tensor};

use crate::{Lpl, Outcome, Plasticity, online::host_column};

/// The modulation of LPL for neurons that see one moment at a time.
///
/// ```text
/// m(t)      = (1/d) [ 2 λ₀ f (z′ − z) + λ₁ (z − z̄)/σ² ]        for the synapses that are active now
/// m(t − δt) = (1/d) 2 λ₀ f (z − z′)                              for those that were, one step ago
/// z̄ ← z̄ + κ ⟨z − z̄⟩        Var ← Var + κ ⟨(z − z̄)² − Var⟩        σ² = Var + ε
/// ```
///
/// z, z′: activity now and one step ago, the two views; f = 1 after a fixation and 0 after a saccade, when z′ was of
/// something else. Each neuron keeps its mean and variance and is pushed by what they were *before* this moment, as
/// [`Lpl::stale`] takes those of the batch before. Sums over streams are divided by their number.
///
/// What the mathematics allows: pull and push need a neuron's own activity, now and one step ago, and two numbers of
/// its past; with these held fixed, changes add up to those of a batch of N images whose push is N/(N − 1) as
/// strong (the unbiased variance's factor, which one moment does not have). Decorrelation does not stream: it needs
/// the covariance of every two neurons in one batch.
///
/// # Paper
/// Halvagal & Zenke (2023); the online form with an exponential average is ours.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Lpl, OnlineLpl, Outcome};
///
/// let device = Device::flex();
/// let rule = Lpl { push: 0.0, decorrelation: 0.0, ..Lpl::paper() };
/// let mut online = OnlineLpl::init(rule, 0.01, 1, &device);
/// online.observe(Tensor::from_floats([[1.0]], &device), &[Outcome::Fixation]);
/// let told = online.observe(Tensor::from_floats([[3.0]], &device), &[Outcome::Fixation]);
/// // Both moments move towards each other.
/// assert_eq!(told.now.into_scalar::<f32>(), -4.0);
/// assert_eq!(told.before.unwrap().into_scalar::<f32>(), 4.0);
/// ```
#[derive(Clone, Debug)]
pub struct OnlineLpl {
    /// z̄, `[1, d]`.
    pub mean: Tensor<2>,
    /// Var, `[1, d]`.
    pub variance: Tensor<2>,
    rule: Lpl,
    follow: f64,
    trace: Option<Tensor<2>>,
}

/// Modulations of one moment: what neurons multiply with their own ρ′(a) x.
#[derive(Clone, Debug)]
pub struct LplSignals {
    /// For the synapses that are active now, `[stream, d]`.
    pub now: Tensor<2>,
    /// For the synapses that were active one step ago; none at the first.
    pub before: Option<Tensor<2>>,
}

impl OnlineLpl {
    /// For `neurons` neurons of mean 0 and variance 1, of which a share `follow` (κ) is renewed every moment.
    ///
    /// # Panics
    ///
    /// If the rule does not fit together or decorrelates, or `follow` is not in 0 … 1.
    #[must_use]
    pub fn init(rule: Lpl, follow: f64, neurons: usize, device: &Device) -> Self {
        rule.check(1).unwrap_or_else(|error| panic!("{error}"));
        assert!(
            rule.decorrelation <= 0.0,
            "online LPL: expected a decorrelation of 0, got {}; covariances need a batch",
            rule.decorrelation
        );
        assert!(
            (0.0..=1.0).contains(&follow),
            "online LPL: expected statistics to follow by a share in 0 … 1, got {follow}"
        );
        let (mean, variance) =
            (Tensor::zeros([1, neurons], device), Tensor::ones([1, neurons], device));
        Self { mean, variance, rule, follow, trace: None }
    }

    /// Forgets the moment before, as at the start of a recording; statistics stay.
    pub fn reset(&mut self) {
        self.trace = None;
    }

    /// One moment: modulations, then the statistics follow.
    ///
    /// # Shapes
    /// - `activity`: `[stream, d]`; `outcomes`: one per stream: did a saccade happen since the moment before?
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn observe(&mut self, activity: Tensor<2>, outcomes: &[Outcome]) -> LplSignals {
        let [streams, d] = activity.dims();
        assert_eq!(
            (outcomes.len(), [1, d]),
            (streams, self.mean.dims()),
            "online LPL: expected an outcome for each of {streams} streams and statistics of {d} neurons"
        );
        let centred = activity.clone() - self.mean.clone();
        let share = 1.0 / (streams * d) as f64;
        let scale = self.variance.clone() + self.rule.epsilon;
        let push = centred.clone() / scale * (self.rule.push * share);
        let stayed = outcomes.iter().map(|outcome| outcome.sign().max(0.0)).collect();
        let stayed = host_column(stayed, &activity) * (2.0 * self.rule.pull * share);
        let apart = self.trace.replace(activity.clone()).map(|z| (activity - z) * stayed);
        let now = match &apart {
            None => push,
            Some(apart) => push - apart.clone(),
        };
        let variance = centred.clone().square().mean_dim(0);
        self.mean = self.mean.clone() + centred.mean_dim(0) * self.follow;
        self.variance = self.variance.clone() * (1.0 - self.follow) + variance * self.follow;
        LplSignals { now, before: apart }
    }
}
