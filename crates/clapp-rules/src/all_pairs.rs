//! The rule of the video experiments: every other row of the batch is a saccade target.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{
    Contrast, Extent, Feedback, GridShape, Lateral, Matrices, Objective, Outcome, Plasticity, Rows,
    RuleError, Seen, Space, Timing, Update, WayBack, all_pairs_half::Halves, pairs::flip_outcomes,
};

/// A rule that contrasts every context with every target of the batch.
///
/// ```text
/// ẑ_i = W_k c_i        S_ij = ẑ_i · z_j        i, j = (clip, time), N = B (T − K) rows
/// hinge:    L_k = scale [ mean_i max(0, 1 − S_ii) + Σ_{i≠j} max(0, 1 + S_ij) / (N (N − 1)) ]
/// InfoNCE:  L_k = scale · mean_i −log softmax_j(S_ij)_i
/// L = (1/K) Σ_k L_k
/// ```
///
/// Contexts are the first T − K steps of every clip, targets of step k the steps k … T − K + k − 1: all
/// steps have the same rows, and none is skipped. Its own target is a context's fixation; the N − 1
/// others, other times of the same clip as well as other clips, are its saccades. Nothing is drawn,
/// unless learning is local in time.
///
/// | name | default ([`clapp_s`](Self::clapp_s)) | purpose | range |
/// |---|---|---|---|
/// | `objective` | hinge | scores → third factors | |
/// | `timing` | synchronous | CLAPP-s or CLAPP | time-local needs the hinge |
/// | `feedback` | symmetric | signal to the context | symmetric or blocked for repeated weights |
/// | `space` | flattened | what positions of a map are to the score | |
/// | `lateral` | per step | a matrix for every prediction step, or one | |
/// | `prediction_steps` | 3 | K | 1 … time steps − 1 |
/// | `scale` | ½ | factor of the loss | > 0 |
///
/// # Paper
/// Illing et al. 2021, Sec. 4 (video); `VGG_8.py` `Loss`, `HingeLoss`. Deviations: none. `Timing::TimeLocal`
/// and the feedbacks with W_retro are ours: the paper ran them on images only.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_rules::{AllPairs, Optimizer, Purpose, stream};
///
/// let (device, rule) = (Device::flex(), AllPairs::clapp_s());
/// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
/// let mut lateral = rule.weights(4, 4, &device, &mut random);
/// // Two clips of 6 steps of time, maps of 5 × 5 positions, 4 channels.
/// let z = Tensor::<4>::random([2, 6, 25, 4], Distribution::Normal(0.0, 0.1), &device);
/// let draws = rule.draw([2, 6, 25].into(), &mut random);
/// let update = rule.update(z.clone(), z, &lateral, &draws);
/// assert_eq!(update.modulation().dims(), [2, 6, 25, 4]);
/// // Half of 1 for the fixation and half of 1 for the saccades while nothing is predicted.
/// assert!((update.monitor().loss - 1.0).abs() < 0.2);
/// lateral.learn(update.lateral, &Optimizer::adam(1e-3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AllPairs {
    /// Loss and third factor.
    pub objective: Objective,
    /// Both terms at once, or one per clip.
    pub timing: Timing,
    /// How the signal reaches the context's neurons.
    pub feedback: Feedback,
    /// What positions of a map are to the score.
    pub space: Space,
    /// A matrix for every prediction step, or one for all.
    pub lateral: Matrices,
    /// Prediction steps K.
    pub prediction_steps: usize,
    /// Factor of the loss.
    pub scale: f64,
}

impl AllPairs {
    /// CLAPP-s as the authors ran it on video: hinge with a factor of ½, symmetric weights.
    ///
    /// # Paper
    /// Illing et al. 2021, Table 1, CLAPP-s on UCF-101; `run.py --mode CLAPP`. Deviations: none.
    ///
    /// ```
    /// use clapp_rules::{AllPairs, Feedback, Timing};
    /// let rule = AllPairs::clapp_s();
    /// assert_eq!((rule.timing, rule.feedback), (Timing::Synchronous, Feedback::Symmetric));
    /// // Eight clips of 54, 18 and 6 steps of time.
    /// let saccades = [54, 18, 6].map(|time| rule.saccades([8, time, 36].into()));
    /// assert_eq!(saccades, [407, 119, 23]);
    /// ```
    #[must_use]
    pub fn clapp_s() -> Self {
        Self {
            objective: Objective::Hinge,
            timing: Timing::Synchronous,
            feedback: Feedback::Symmetric,
            space: Space::Flattened,
            lateral: Matrices::PerStep,
            prediction_steps: 3,
            scale: 0.5,
        }
    }

    /// CLAPP: as [`clapp_s`](Self::clapp_s), but every clip contributes its fixations or its saccades, by
    /// a fair coin, and the way back has weights of its own.
    ///
    /// ```
    /// use clapp_rules::{AllPairs, Feedback, Timing};
    /// let rule = AllPairs::clapp();
    /// assert_eq!((rule.timing, rule.feedback), (Timing::TimeLocal, Feedback::PredRetro));
    /// ```
    #[must_use]
    pub fn clapp() -> Self {
        let (timing, feedback) = (Timing::TimeLocal, Feedback::PredRetro);
        Self { timing, feedback, ..Self::clapp_s() }
    }

    /// Layer-wise Greedy InfoMax: cross-entropy over the rows of the score matrix.
    ///
    /// # Paper
    /// Illing et al. 2021, Table 1, layer-wise GIM on UCF-101; `run.py --mode GIM`. Deviations: none.
    ///
    /// ```
    /// use clapp_rules::{AllPairs, Objective};
    /// assert_eq!(AllPairs::gim().objective, Objective::InfoNce { epsilon: 0.0 });
    /// ```
    #[must_use]
    pub fn gim() -> Self {
        let objective = Objective::InfoNce { epsilon: 0.0 };
        Self { objective, scale: 1.0, ..Self::clapp_s() }
    }

    /// Contexts of one prediction step, N: as many rows, and columns, has the score matrix.
    ///
    /// ```
    /// use clapp_rules::{AllPairs, Space};
    /// let rule = AllPairs::clapp_s();
    /// assert_eq!(rule.rows([8, 54, 900].into()), 8 * 51);
    /// let segmented = AllPairs { space: Space::Segmented, ..rule };
    /// assert_eq!(segmented.rows([8, 6, 4].into()), 8 * 3 * 4);
    /// ```
    #[must_use]
    pub fn rows(&self, shape: GridShape) -> usize {
        GridShape { site: self.space.rows(shape.site), ..shape }.rows(self.prediction_steps)
    }

    /// Saccades of every context: all rows but its own.
    #[must_use]
    pub fn saccades(&self, shape: GridShape) -> usize {
        self.rows(shape).saturating_sub(1)
    }

    /// Checks the configuration against a number of time steps.
    ///
    /// # Errors
    ///
    /// - [`RuleError::NoPredictionSteps`]: `prediction_steps` is 0
    /// - [`RuleError::TooFewTimeSteps`]: the furthest prediction leaves the `time` steps
    /// - [`RuleError::NotSeparable`]: time-local with an objective that needs all scores at once
    /// - [`RuleError::RepeatedFeedback`]: one repeated matrix with a way back of its own
    /// - [`RuleError::Scale`]: `scale` is not a number above 0
    ///
    /// ```
    /// use clapp_rules::{AllPairs, Matrices, RuleError};
    /// assert_eq!(AllPairs::clapp_s().validate(4), Ok(()));
    /// let error = AllPairs::clapp_s().validate(3).unwrap_err();
    /// assert_eq!(error, RuleError::TooFewTimeSteps { furthest: 3, time: 3 });
    /// let repeated = AllPairs { lateral: Matrices::Repeated, ..AllPairs::clapp() };
    /// assert_eq!(repeated.validate(54), Err(RuleError::RepeatedFeedback));
    /// ```
    pub fn validate(&self, time: usize) -> Result<(), RuleError> {
        let furthest = self.prediction_steps;
        if furthest == 0 {
            return Err(RuleError::NoPredictionSteps);
        }
        if furthest >= time {
            return Err(RuleError::TooFewTimeSteps { furthest, time });
        }
        if self.timing == Timing::TimeLocal && !self.contrast().separable() {
            return Err(RuleError::NotSeparable);
        }
        let own_way_back = self.feedback.way_back() == WayBack::OwnWeights;
        if self.lateral == Matrices::Repeated && own_way_back {
            return Err(RuleError::RepeatedFeedback);
        }
        if !(self.scale > 0.0 && self.scale.is_finite()) {
            return Err(RuleError::Scale { scale: self.scale.to_string() });
        }
        Ok(())
    }

    /// The objective as a trait object.
    #[must_use]
    pub fn contrast(&self) -> Box<dyn Contrast> {
        self.objective.contrast()
    }

    /// Draws lateral weights as the authors' 1×1×1 convolutions are, see [`Lateral::kaiming`].
    #[must_use]
    pub fn weights(
        &self,
        target: usize,
        context: usize,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Lateral {
        let matrices = self.lateral.matrices(self.prediction_steps);
        Lateral::kaiming(matrices, target, context, self.feedback.way_back(), device, random)
    }

    /// All pairs of one update, with what each clip contributes: one set, or two where W_retro has its own.
    ///
    /// Nothing is drawn but the coins of time-local learning, one for every clip.
    ///
    /// ```
    /// use clapp_rules::{AllPairs, Purpose, stream};
    /// let mut random = stream(2, Purpose::Saccade, [0; 4]);
    /// let rows = AllPairs::clapp().draw([8, 54, 36].into(), &mut random);
    /// assert_eq!(rows.len(), 2); // prediction and retrodiction
    /// assert_eq!(rows[0].outcomes.as_ref().unwrap().len(), 8);
    /// assert_eq!(rows[0].saccades_per_row(), 407);
    /// ```
    #[must_use]
    pub fn draw(&self, shape: GridShape, random: &mut dyn rand::Rng) -> Vec<Rows> {
        let mut coins = || match self.timing {
            Timing::Synchronous => None,
            Timing::TimeLocal => Some(flip_outcomes(shape.batch, random)),
        };
        (0..self.feedback.sets()).map(|_| self.set(shape, coins())).collect()
    }

    /// All pairs of one set of lateral weights, with the outcomes of every clip.
    #[must_use]
    pub fn set(&self, shape: GridShape, outcomes: Option<Vec<Outcome>>) -> Rows {
        let grid = GridShape { site: self.space.rows(shape.site), ..shape };
        Rows::all_pairs(grid, self.prediction_steps, outcomes)
    }

    /// One update of one layer.
    ///
    /// ```text
    /// Γ_ij = −∂L/∂S_ij        g_i = Σ_j Γ_ij z_j
    /// m(z_j) = Σ_i Γ_ij ẑ_i        m(c_i) = Σ_k W_kᵀ g_i        ΔW_k = Σ_i g_i c_iᵀ
    /// ```
    ///
    /// Local: of other layers it sees nothing, of this one only activities and lateral weights. What a
    /// synapse needs of other clips and times has arrived at its neuron as one number, the modulation.
    ///
    /// # Shapes
    /// - `target`, `context`: `[batch, time, site, channel]`, sites are positions of the map; the same
    ///   tensor for a layer that predicts itself
    /// - `rows`: one set, or two under [`Feedback::PredRetro`] (prediction, retrodiction)
    ///
    /// # Panics
    ///
    /// If the number of sets, or any shape, does not fit, or there are fewer than two rows.
    ///
    /// # Paper
    /// Illing et al. 2021, Eqs. 5–10 with all pairs of the batch; `VGG_8.py` `Loss`. Deviations: none.
    ///
    /// # Example
    ///
    /// Two clips of two frames and one neuron: c = (1, 2), z = (3, −1), W = ½.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use clapp_rules::{AllPairs, Lateral, Synapses};
    /// let device = Device::flex();
    /// let rule = AllPairs { prediction_steps: 1, ..AllPairs::clapp_s() };
    /// let z = Tensor::<1>::from_floats([1.0, 3.0, 2.0, -1.0], &device).reshape([2, 2, 1, 1]);
    /// let w_pred = Synapses::new(Tensor::full([1, 1, 1], 0.5, &device));
    /// let rows = [rule.set([2, 2, 1].into(), None)];
    /// let lateral = Lateral::default().with("w_pred", w_pred);
    /// let update = rule.update(z.clone(), z, &lateral, &rows);
    /// // S = [[1.5, −0.5], [3, −1]]: the first is predicted well, the second is not.
    /// // L = ½ [(0 + 2)/2 + (0.5 + 4)/2]; Γ = ¼ [[0, −1], [−1, 1]].
    /// assert_eq!(update.monitor().loss, 1.625);
    /// let target = update.target.into_data().try_to_vec::<f32>().unwrap();
    /// assert_eq!(target, [0.0, -0.25, 0.0, 0.125]); // Γᵀ ẑ with ẑ = (0.5, 1)
    /// ```
    ///
    /// # Cost
    /// O(K N² site·channel) for the score matrix and its two products, O(K N site·channel²) for the
    /// lateral weights. Scores are computed in blocks of at most 2²² numbers.
    #[must_use]
    pub fn update(
        &self,
        target: Tensor<4>,
        context: Tensor<4>,
        lateral: &Lateral,
        rows: &[Rows],
    ) -> Update {
        self.changes(Seen { layer: 0, target, context: Some(context), lateral, rows })
    }

    /// An update with a contrast of your own in place of the objective.
    ///
    /// # Panics
    ///
    /// As [`update`](Self::update), and if the contrast is not separable though learning is local in time.
    #[must_use]
    pub fn changes_with(&self, contrast: &dyn Contrast, seen: Seen<'_>) -> Update {
        let Seen { target, context, lateral, rows, .. } = seen;
        let sets = self.feedback.sets();
        assert_eq!(rows.len(), sets, "update: expected {sets} sets of draws, got {}", rows.len());
        assert!(
            contrast.separable() || rows.iter().all(|rows| rows.outcomes.is_none()),
            "update: expected a separable contrast for time-local learning, got {contrast:?}; use synchronous timing"
        );
        match context {
            Some(context) => Halves::new(self, contrast, target, context).update(lateral, rows),
            None => {
                let halves = Halves::new(self, contrast, target.clone(), target);
                let update = halves.update(lateral, rows);
                Update { target: update.modulation(), context: None, ..update }
            }
        }
    }
}

impl Plasticity for AllPairs {
    fn check(&self, time: usize) -> Result<(), RuleError> {
        self.validate(time)
    }

    fn check_batch(&self, samples: usize) -> Result<(), RuleError> {
        if samples < 2 { Err(RuleError::Alone { samples }) } else { Ok(()) }
    }

    fn lateral(
        &self,
        target: Extent,
        context: Extent,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Lateral {
        self.weights(target.channel, context.channel, device, random)
    }

    fn pairs(&self, grid: GridShape, random: &mut dyn rand::Rng) -> Vec<Rows> {
        self.draw(grid, random)
    }

    fn changes(&self, seen: Seen<'_>) -> Update {
        self.changes_with(self.contrast().as_ref(), seen)
    }
}
