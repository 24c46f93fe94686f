//! Losses and third factors: how a score becomes one broadcast number per pair.

use burn::tensor::{Tensor, activation::relu};

/// Loss and third factor of every pair of one prediction step.
#[derive(Clone, Debug)]
pub struct ThirdFactor {
    /// Loss of the fixation, `[rows, 1]`.
    pub fixation_loss: Tensor<2>,
    /// Loss of the saccades, averaged over them, `[rows, 1]`.
    pub saccade_loss: Tensor<2>,
    /// γ of the fixation, `[rows, 1]`: −∂(fixation loss + saccade loss)/∂u.
    pub fixation: Tensor<2>,
    /// γ of every saccade, `[rows, n]`.
    pub saccade: Tensor<2>,
}

/// From scores to third factors: the part of a contrastive rule that is broadcast to all neurons of
/// a layer.
///
/// Everything else of an update (dendritic prediction, post, pre) is the same for all such rules, so
/// this is where a rule of your own begins. Implemented by [`Hinge`] (CLAPP, CLAPP-s) and
/// [`InfoNce`] (layer-wise GIM); deliberately not by rules that look at more than the scores of one
/// context row, such as losses over rows and columns of a score matrix.
///
/// # Example
///
/// A rule without the gate: every pair counts, however well it is predicted already.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Contrast, ThirdFactor};
///
/// #[derive(Debug)]
/// struct Ungated;
///
/// impl Contrast for Ungated {
///     fn third_factor(&self, fixation: Tensor<2>, saccade: Tensor<2>) -> ThirdFactor {
///         let [_, n] = saccade.dims();
///         ThirdFactor {
///             fixation_loss: -fixation.clone() + 1.0,
///             saccade_loss: saccade.clone().mean_dim(1) + 1.0,
///             fixation: fixation.ones_like(),
///             saccade: -saccade.ones_like() / n as f64,
///         }
///     }
/// }
///
/// let u = Tensor::<2>::from_floats([[5.0]], &Device::flex());
/// assert_eq!(Ungated.third_factor(u.clone(), u).fixation.into_scalar::<f32>(), 1.0);
/// ```
pub trait Contrast: std::fmt::Debug + Send + Sync {
    /// Loss and γ = −∂loss/∂u of every row, before the rows are weighted.
    ///
    /// # Shapes
    /// - `fixation`: `[rows, 1]`; `saccade`: `[rows, n]`
    fn third_factor(&self, fixation: Tensor<2>, saccade: Tensor<2>) -> ThirdFactor;

    /// Whether the loss is a sum of a fixation term and a saccade term, so that a sample can
    /// contribute one of them alone (time-local learning).
    fn separable(&self) -> bool {
        true
    }
}

/// Hinge loss of one pair.
///
/// ```text
/// L = max(0, 1 − y·u)        y = +1 fixation, −1 saccade
/// ```
///
/// Only its slope is ever used, by [`third_factor`]; its value is a metric. u score.
///
/// # Shapes
/// - `score`: any number of rows and columns; returns the same
///
/// # Paper
/// Illing et al. 2021, Eq. 5. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::Outcome;
/// use clapp_rules::equations::hinge;
/// let u = Tensor::<2>::from_floats([[0.0, 0.5, 2.0]], &Device::flex());
/// let fixation = hinge(u.clone(), Outcome::Fixation).into_data().try_to_vec::<f32>().unwrap();
/// let saccade = hinge(u, Outcome::Saccade).into_data().try_to_vec::<f32>().unwrap();
/// assert_eq!(fixation, [1.0, 0.5, 0.0]);
/// assert_eq!(saccade, [1.0, 1.5, 3.0]);
/// ```
#[must_use]
pub fn hinge(score: Tensor<2>, outcome: Outcome) -> Tensor<2> {
    relu(score * -outcome.sign() + 1.0)
}

/// Third factor of one pair under the hinge loss.
///
/// ```text
/// γ = y · 1[L > 0] = y · 1[y·u < 1]        y = +1 fixation, −1 saccade
/// ```
///
/// The one non-local signal of the rule: a scalar broadcast to the layer that says whether the
/// prediction still needs work, and whether the eye has jumped. At the margin γ = 0.
///
/// # Shapes
/// - `score`: any number of rows and columns; returns the same, with values in {−1, 0, 1}
///
/// # Paper
/// Illing et al. 2021, Eqs. 6–10 (γ = y·H); `compare_updates.py` `dloss_p`, `dloss_n`. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::Outcome;
/// use clapp_rules::equations::third_factor;
/// let u = Tensor::<2>::from_floats([[0.0, 1.0, -1.0]], &Device::flex());
/// let fixation = third_factor(u.clone(), Outcome::Fixation).into_data().try_to_vec::<f32>().unwrap();
/// let saccade = third_factor(u, Outcome::Saccade).into_data().try_to_vec::<f32>().unwrap();
/// assert_eq!(fixation, [1.0, 0.0, 1.0]);
/// assert_eq!(saccade, [-1.0, -1.0, 0.0]);
/// ```
#[must_use]
pub fn third_factor(score: Tensor<2>, outcome: Outcome) -> Tensor<2> {
    hinge(score, outcome).sign() * outcome.sign()
}

/// What the eye did between context and target: y in the equations.
///
/// ```
/// use clapp_rules::Outcome;
/// assert_eq!((Outcome::Fixation.sign(), Outcome::Saccade.sign()), (1.0, -1.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It stayed: y = +1, the prediction should come true.
    Fixation,
    /// It jumped: y = −1, the prediction should fail.
    Saccade,
}

impl Outcome {
    /// y.
    #[must_use]
    pub fn sign(self) -> f64 {
        match self {
            Self::Fixation => 1.0,
            Self::Saccade => -1.0,
        }
    }
}

/// The hinge loss of CLAPP: a fixation and its saccades, each with a gate of its own.
///
/// ```text
/// L = max(0, 1 − u⁺) + mean_n max(0, 1 + u⁻_n)
/// ```
///
/// # Paper
/// Illing et al. 2021, Eq. 5; CLAPP-s takes both terms, CLAPP one of them per sample. Deviations:
/// none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Contrast, Hinge};
/// let device = Device::flex();
/// let fixation = Tensor::<2>::from_floats([[1.5]], &device);
/// let saccades = Tensor::<2>::from_floats([[0.0, -2.0]], &device);
/// let third = Hinge.third_factor(fixation, saccades);
/// assert_eq!(third.fixation.into_scalar::<f32>(), 0.0); // predicted well enough
/// assert_eq!(third.saccade.into_data().try_to_vec::<f32>().unwrap(), [-0.5, 0.0]);
/// assert_eq!(third.saccade_loss.into_scalar::<f32>(), 0.5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hinge;

impl Contrast for Hinge {
    fn third_factor(&self, fixation: Tensor<2>, saccade: Tensor<2>) -> ThirdFactor {
        let [_, n] = saccade.dims();
        let fixation_loss = hinge(fixation, Outcome::Fixation);
        let saccade_loss = hinge(saccade, Outcome::Saccade);
        ThirdFactor {
            fixation: fixation_loss.clone().sign() * Outcome::Fixation.sign(),
            saccade: saccade_loss.clone().sign() * (Outcome::Saccade.sign() / n as f64),
            fixation_loss,
            saccade_loss: saccade_loss.mean_dim(1),
        }
    }
}

/// InfoNCE as a closed local rule: layer-wise GIM.
///
/// ```text
/// π_τ = exp u_τ / Σ exp u        L = −log(π₀ + ε)        T = {fixation, saccades}
/// γ_τ = −∂L/∂u_τ = (1[τ = 0] − π_τ) · π₀ / (π₀ + ε)
/// ```
///
/// Same update as CLAPP's with a graded third factor. It is local in space; not in time, because π
/// needs all saccades at once.
///
/// # Paper
/// Illing et al. 2021, Eq. 2 and appendix A; `ContrastiveLoss.py` `ExpNLLLoss`. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Contrast, InfoNce};
/// let device = Device::flex();
/// let (fixation, saccade) = (Tensor::<2>::zeros([1, 1], &device), Tensor::<2>::zeros([1, 16], &device));
/// let rule = InfoNce::default().third_factor(fixation, saccade);
/// let loss = rule.fixation_loss.into_scalar::<f32>();
/// assert!((loss - 17f32.ln()).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InfoNce {
    /// ε inside the logarithm: `1e-11` in the authors' image code, 0 for sound and video.
    pub epsilon: f64,
}

impl Default for InfoNce {
    fn default() -> Self {
        Self { epsilon: 1e-11 }
    }
}

impl Contrast for InfoNce {
    fn third_factor(&self, fixation: Tensor<2>, saccade: Tensor<2>) -> ThirdFactor {
        let [rows, n] = saccade.dims();
        let scores = Tensor::cat(vec![fixation, saccade], 1); // [rows, 1 + n]
        let shifted = scores.clone() - scores.max_dim(1);
        let weights = shifted.clone().exp();
        let sum = weights.clone().sum_dim(1);
        let probability = weights / sum.clone();
        let first = probability.clone().narrow(1, 0, 1);
        let (fixation_loss, damped) = if self.epsilon > 0.0 {
            let shown = first.clone() + self.epsilon;
            (-shown.clone().log(), first.clone() / shown)
        } else {
            // −log π₀ without π₀, which is 0 in floating point for a score far below the others.
            (sum.log() - shifted.narrow(1, 0, 1), first.ones_like())
        };
        ThirdFactor {
            saccade_loss: fixation_loss.zeros_like(),
            fixation: (-first + 1.0) * damped.clone(),
            saccade: -probability.narrow(1, 1, n) * damped.expand([rows, n]),
            fixation_loss,
        }
    }

    fn separable(&self) -> bool {
        false
    }
}
