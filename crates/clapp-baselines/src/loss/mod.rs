//! The contrastive losses, on tensors that can be differentiated.

mod all_pairs;
mod draws;
mod pairs;
mod views;

use burn::tensor::{Bool, Tensor, TensorData};
use clapp_rules::{
    AllPairs, Draws, Feedback, Lateral, Objective, Outcome, Rule, TwoViews, ViewObjective,
};

pub use draws::draws_of;

use crate::parts::{gradient, leaf, number};

/// Which pairs are scored, and what their scores cost.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// Pairs that were drawn: images and sound.
    Pairs {
        /// Scores → loss.
        objective: Objective,
        /// How the loss reaches the context.
        feedback: Feedback,
    },
    /// All pairs of a batch: video.
    AllPairs(AllPairs),
    /// Two views of each image.
    Views(ViewObjective),
}

impl From<&Rule> for Loss {
    fn from(rule: &Rule) -> Self {
        Self::Pairs { objective: rule.objective, feedback: rule.feedback }
    }
}

impl From<&AllPairs> for Loss {
    fn from(rule: &AllPairs) -> Self {
        Self::AllPairs(*rule)
    }
}

impl From<&TwoViews> for Loss {
    fn from(rule: &TwoViews) -> Self {
        Self::Views(rule.objective)
    }
}

/// The loss of a module, and what has its gradients.
pub(crate) struct ModuleLoss {
    /// The loss as it is reported.
    pub(crate) value: f64,
    /// What is differentiated, `[1]`.
    pub(crate) descended: Tensor<1>,
}

impl Loss {
    /// Scores of every prediction step.
    ///
    /// ```text
    /// drawn pairs:  u[r, 0] = c_r · W_predᵀ z_{fixated}      u[r, n] = c_r · (W_predᵀ z)_{index[r, n]}
    /// all pairs:    S_k[i, j] = ⟨W_k c_i, z_j⟩               the diagonal is fixated
    /// two views:    u±[i] = z±_i · W c_i                     z and c of a whole sample
    /// ```
    ///
    /// The authors' code scores like this: its convolutions W_k act on all targets (images) or contexts
    /// (video), and pairs are picked afterwards.
    ///
    /// # Shapes
    /// - `target`, `context`: `[batch, time, site, channel]`
    /// - `w_pred`: `[K, target channel, context channel]`
    /// - returns `[rows, 1 + saccades]` for each step, rows r = (sample, time, site); or `[N, N]`
    ///
    /// # Paper
    /// Illing et al. 2021, Eq. 5; `ContrastiveLoss.py` `forward`, `VGG_8.py` `Loss`. Deviations: none.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use clapp_baselines::Loss;
    /// use clapp_rules::{Draws, Pairs, Rule};
    /// let z = Tensor::<1>::from_floats([2.0, 3.0], &Device::flex()).reshape([1, 2, 1, 1]);
    /// let pairs = vec![Pairs { shift: 1, count: 1, index: vec![0] }];
    /// let draws = Draws { pairs, outcomes: None, window: None };
    /// let w_pred = Tensor::ones([1, 1, 1], &z.device());
    /// let u = Loss::from(&Rule::clapp_s()).scores(&z, &z, &w_pred, &draws);
    /// assert_eq!(u[0].to_data().try_to_vec::<f32>().unwrap(), [6.0, 6.0]);
    /// ```
    #[must_use]
    pub fn scores(
        &self,
        target: &Tensor<4>,
        context: &Tensor<4>,
        w_pred: &Tensor<3>,
        draws: &Draws,
    ) -> Vec<Tensor<2>> {
        match self {
            Self::Pairs { .. } => pairs::scores(target, context, w_pred, draws),
            Self::AllPairs(rule) => all_pairs::scores(target, context, w_pred, rule),
            Self::Views(_) => views::scores(target, context, w_pred, draws),
        }
    }

    /// Loss of scores.
    ///
    /// ```text
    /// hinge:    L = scale/K Σ_k ( mean max(0, 1 − u⁺) + mean max(0, 1 + u⁻) )
    /// InfoNCE:  L = scale/K Σ_k mean −log(softmax(u⁺, u⁻_1 … u⁻_n)₀ + ε)
    /// ```
    ///
    /// Means run over samples, positions and saccades; the scale is 1 for drawn pairs. Time-local: the first
    /// mean over the samples that fixate, the second over those that jump; a mean over no samples is 0.
    ///
    /// # Shapes
    /// - `scores`: as from [`scores`](Self::scores); returns `[1]`
    ///
    /// # Panics
    ///
    /// If InfoNCE is to be time-local: it needs both terms at once.
    ///
    /// # Paper
    /// Illing et al. 2021, Eqs. 2 and 5; `ContrastiveLoss.py` `_add_losses`, `ExpNLLLoss`; `VGG_8.py`
    /// `HingeLoss`. Deviations: none.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use clapp_baselines::Loss;
    /// use clapp_rules::{Draws, Outcome, Rule};
    /// let u = Tensor::<2>::from_floats([[0.5, 0.0], [3.0, 1.0]], &Device::flex());
    /// let loss = |outcomes| {
    ///     let draws = Draws { pairs: Vec::new(), outcomes, window: None };
    ///     Loss::from(&Rule::clapp_s()).of_scores(&[u.clone()], &draws).into_scalar::<f32>()
    /// };
    /// assert_eq!(loss(None), 0.25 + 1.5);
    /// assert_eq!(loss(Some(vec![Outcome::Fixation, Outcome::Saccade])), 0.5 + 2.0);
    /// assert_eq!(loss(Some(vec![Outcome::Fixation; 2])), 0.25);
    /// ```
    #[must_use]
    pub fn of_scores(&self, scores: &[Tensor<2>], draws: &Draws) -> Tensor<1> {
        let outcomes = draws.outcomes.as_deref();
        let objective = match *self {
            Self::Pairs { objective, .. } | Self::AllPairs(AllPairs { objective, .. }) => objective,
            Self::Views(objective) => return views::loss(&scores[0], objective),
        };
        assert!(
            objective == Objective::Hinge || outcomes.is_none(),
            "InfoNCE: expected both terms at once, got fixations or saccades per sample"
        );
        let hinge = |[fixation, saccade]: [Tensor<2>; 2]| {
            mean(fixation, outcomes, Outcome::Fixation) + mean(saccade, outcomes, Outcome::Saccade)
        };
        let steps = scores.iter().map(|u| match (self, objective) {
            (Self::Pairs { .. }, Objective::Hinge) => hinge(pairs::hinge(u)),
            (Self::Pairs { .. }, Objective::InfoNce { epsilon }) => pairs::info_nce(u, epsilon),
            (Self::AllPairs(_), Objective::Hinge) => hinge(all_pairs::hinge(u)),
            (Self::AllPairs(_), Objective::InfoNce { epsilon }) => all_pairs::info_nce(u, epsilon),
            (_, other) => panic!("oracle: expected an objective that it knows, got {other:?}"),
        });
        let mean = Tensor::cat(steps.collect(), 0).mean();
        match self {
            Self::AllPairs(rule) => mean * rule.scale,
            _ => mean,
        }
    }

    /// Loss of one set of lateral weights on one grid of activities.
    ///
    /// Gradients reach `target`, `context` and `w_pred`; `detach` what they must not reach.
    ///
    /// # Shapes
    /// - `target`, `context`: `[batch, time, site, channel]`
    /// - `w_pred`: `[K, target channel, context channel]`; returns `[1]`
    ///
    /// # Example
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use clapp_baselines::Loss;
    /// use clapp_rules::{AllPairs, Draws};
    /// // The numbers of `AllPairs::update`'s example.
    /// let device = Device::flex();
    /// let loss = Loss::from(&AllPairs { prediction_steps: 1, ..AllPairs::clapp_s() });
    /// let z = Tensor::<1>::from_floats([1.0, 3.0, 2.0, -1.0], &device).reshape([2, 2, 1, 1]);
    /// let w_pred = Tensor::full([1, 1, 1], 0.5, &device);
    /// let draws = Draws { pairs: Vec::new(), outcomes: None, window: None };
    /// let value = loss.of_grid(&z, &z, &w_pred, &draws);
    /// assert_eq!(value.into_scalar::<f32>(), 1.625);
    /// ```
    #[must_use]
    pub fn of_grid(
        &self,
        target: &Tensor<4>,
        context: &Tensor<4>,
        w_pred: &Tensor<3>,
        draws: &Draws,
    ) -> Tensor<1> {
        self.of_scores(&self.scores(target, context, w_pred, draws), draws)
    }

    /// Loss of a module: the table in the documentation of [`Oracle`](crate::Oracle).
    pub(crate) fn of_module(
        &self,
        [z, c]: [&Tensor<4>; 2],
        lateral: &Lateral,
        draws: &[Draws],
    ) -> ModuleLoss {
        let (feedback, w_pred) = match *self {
            Self::Pairs { feedback, .. } | Self::AllPairs(AllPairs { feedback, .. }) => {
                (feedback, lateral.weight("w_pred"))
            }
            Self::Views(_) => (Feedback::Blocked, views::matrix(lateral)),
        };
        let sets = if feedback == Feedback::PredRetro { 2 } else { 1 };
        assert_eq!(draws.len(), sets, "oracle: expected {sets} sets of draws, got {}", draws.len());
        let loss = |z, c, w: &_, draws| self.of_grid(z, c, w, draws);
        let (stopped_z, stopped_c) = (z.clone().detach(), c.clone().detach());
        // W_retro in the place of W_pred: [K, z, c].
        let way_back = || lateral.weight("w_retro").swap_dims(1, 2);
        let descended = match feedback {
            Feedback::Symmetric => loss(z, c, &w_pred, &draws[0]),
            Feedback::Blocked => loss(z, &stopped_c, &w_pred, &draws[0]),
            Feedback::PredRetro => {
                loss(z, &stopped_c, &w_pred, &draws[0])
                    + loss(&stopped_z, c, &way_back(), &draws[1])
            }
            Feedback::PredRetroShared => {
                let forward = loss(z, &stopped_c, &w_pred, &draws[0]);
                let value = number(&forward);
                let retrodicted = self.scores(&stopped_z, c, &way_back(), &draws[0]);
                let scores = self.scores(&stopped_z, &stopped_c, &w_pred, &draws[0]);
                let gated = self.signals(&scores, &draws[0]).into_iter().zip(retrodicted);
                let gated = gated.map(|(signal, score)| (signal.autodiff() * score).sum());
                let descended = gated.fold(forward, |sum, term| sum + term);
                return ModuleLoss { value, descended };
            }
            other => panic!("oracle: expected a feedback that it knows, got {other:?}"),
        };
        ModuleLoss { value: number(&descended), descended }
    }

    /// ∂L/∂u of every pair: third factors (negative, with the weights of their means) by differentiation.
    fn signals(&self, scores: &[Tensor<2>], draws: &Draws) -> Vec<Tensor<2>> {
        let leaves: Vec<Tensor<2>> = scores.iter().map(leaf).collect();
        let gradients = self.of_scores(&leaves, draws).backward();
        leaves.iter().map(|leaf| gradient(leaf, &gradients)).collect()
    }
}

/// Mean over the samples with the wanted outcome, 0 if there are none; over all if there are no coins.
///
/// A product with 1/n, because burn's derivative of a division by a number rounds that number to single precision.
fn mean(losses: Tensor<2>, outcomes: Option<&[Outcome]>, wanted: Outcome) -> Tensor<1> {
    let Some(outcomes) = outcomes else { return losses.mean() };
    let [rows, n] = losses.dims();
    let sample = rows / outcomes.len() * n;
    let chosen = outcomes.iter().flat_map(|&o| std::iter::repeat_n(o == wanted, sample));
    let chosen: Vec<bool> = chosen.collect();
    let count = chosen.iter().filter(|&&chosen| chosen).count().max(1);
    let chosen = TensorData::new(chosen, [rows, n]);
    let chosen = Tensor::<2, Bool>::from_data(chosen, &losses.device());
    losses.mask_fill(chosen.bool_not(), 0.0).sum() * (1.0 / count as f64)
}
