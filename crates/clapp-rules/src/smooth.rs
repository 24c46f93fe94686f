//! Contrasts without a corner: soft hinge, linear, softplus of the difference of the scores.

use burn::tensor::{
    Tensor,
    activation::{relu, sigmoid},
};

use crate::{Contrast, ThirdFactor};

/// A hinge whose corner is round.
///
/// ```text
/// L = −ln σ(u⁺ − 1) − mean_n ln σ(−u⁻_n − 1)
/// γ⁺ = σ(1 − u⁺)        γ⁻_n = −σ(1 + u⁻_n) / n
/// ```
///
/// # Paper
/// CLAPP++ (`zihan-wu/local-SSL`), one of its other losses. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Contrast, SoftHinge};
/// let u = Tensor::<2>::from_floats([[1.0]], &Device::flex());
/// let third = SoftHinge.third_factor(u.clone(), -u);
/// // At the hinge's corner the gate is half open.
/// assert_eq!(third.fixation.into_scalar::<f32>(), 0.5);
/// assert_eq!(third.saccade.into_scalar::<f32>(), -0.5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoftHinge;

impl Contrast for SoftHinge {
    fn third_factor(&self, fixation: Tensor<2>, saccade: Tensor<2>) -> ThirdFactor {
        let [_, n] = saccade.dims();
        let (missing, surplus) = (-fixation + 1.0, saccade + 1.0);
        ThirdFactor {
            fixation: sigmoid(missing.clone()),
            saccade: -sigmoid(surplus.clone()) / n as f64,
            fixation_loss: softplus(missing),
            saccade_loss: softplus(surplus).mean_dim(1),
        }
    }
}

/// No gate at all: every pair counts, however well it is predicted already.
///
/// ```text
/// L = −u⁺ + mean_n u⁻_n        γ⁺ = 1        γ⁻_n = −1/n
/// ```
///
/// Nothing bounds it but a decay of the weights.
///
/// # Paper
/// CLAPP++ (`zihan-wu/local-SSL`), one of its other losses. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Contrast, Linear};
/// let u = Tensor::<2>::from_floats([[5.0]], &Device::flex());
/// assert_eq!(Linear.third_factor(u.clone(), u).fixation.into_scalar::<f32>(), 1.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Linear;

impl Contrast for Linear {
    fn third_factor(&self, fixation: Tensor<2>, saccade: Tensor<2>) -> ThirdFactor {
        let [_, n] = saccade.dims();
        ThirdFactor {
            fixation: fixation.ones_like(),
            saccade: -saccade.ones_like() / n as f64,
            fixation_loss: -fixation,
            saccade_loss: saccade.mean_dim(1),
        }
    }
}

/// Only the difference of the scores counts, and less and less the larger it is.
///
/// ```text
/// L = mean_n ln(1 + exp θ(u⁻_n − u⁺))
/// γ⁺ = mean_n θ σ(θ(u⁻_n − u⁺))        γ⁻_n = −θ σ(θ(u⁻_n − u⁺)) / n
/// ```
///
/// Not separable: the gate of a fixation depends on its saccades.
///
/// # Paper
/// CLAPP++ (`zihan-wu/local-SSL`), one of its other losses: θ·softplus(u⁻ − u⁺; β = θ). Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Contrast, Softplus};
/// let u = Tensor::<2>::from_floats([[3.0]], &Device::flex());
/// let third = Softplus { theta: 2.0 }.third_factor(u.clone(), u);
/// assert_eq!(third.fixation.into_scalar::<f32>(), 1.0);
/// assert!((third.saccade_loss.into_scalar::<f32>() - 2f32.ln()).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softplus {
    /// θ: how sharp the corner is.
    pub theta: f64,
}

impl Contrast for Softplus {
    fn third_factor(&self, fixation: Tensor<2>, saccade: Tensor<2>) -> ThirdFactor {
        let [_, n] = saccade.dims();
        let difference = (saccade - fixation.clone()) * self.theta; // [rows, n]
        let gate = sigmoid(difference.clone()) * self.theta;
        ThirdFactor {
            fixation: gate.clone().mean_dim(1),
            saccade: -gate / n as f64,
            fixation_loss: fixation.zeros_like(),
            saccade_loss: softplus(difference).mean_dim(1),
        }
    }

    fn separable(&self) -> bool {
        false
    }
}

/// ln(1 + exp x), also where exp x is no number any more.
pub(crate) fn softplus<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    relu(x.clone()) + (-x.abs()).exp().log1p()
}
