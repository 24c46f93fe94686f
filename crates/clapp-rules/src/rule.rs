//! One update of one layer from its own activity: CLAPP, CLAPP-s, layer-wise GIM.

use burn::tensor::{Device, Tensor};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::{
    Contrast, ContrastSampler, Contrastive, Draws, Extent, GridShape, Hinge, InfoNce, Lateral,
    Negatives, Plasticity, Rows, RuleError, Scope, Seen, SelfHits, Update, WayBack, Window,
    contrastive::update, flip_outcomes,
};

/// How the signal of a pair reaches the neurons that predicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Feedback {
    /// Through W_predᵀ: needs the weights of another synapse (weight transport).
    #[default]
    Symmetric,
    /// Through W_retro, which has its own draws and its own third factor (the authors' code).
    PredRetro,
    /// Through W_retro, with the draws and the one third factor of the prediction (the paper's
    /// online rule).
    PredRetroShared,
    /// Not at all: only the predicted neurons learn.
    Blocked,
}

impl Objective {
    /// The objective as a trait object.
    #[must_use]
    pub fn contrast(self) -> Box<dyn Contrast> {
        match self {
            Self::Hinge => Box::new(Hinge),
            Self::InfoNce { epsilon } => Box::new(InfoNce { epsilon }),
        }
    }
}

impl Feedback {
    /// Sets of lateral weights that score, each with pairs of its own.
    pub(crate) fn sets(self) -> usize {
        if self == Self::PredRetro { 2 } else { 1 }
    }

    /// Whether there are retrodiction weights.
    #[must_use]
    pub fn way_back(self) -> WayBack {
        match self {
            Self::PredRetro | Self::PredRetroShared => WayBack::OwnWeights,
            Self::Symmetric | Self::Blocked => WayBack::Transposed,
        }
    }
}

/// When the two terms of a sample are learnt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    /// Fixation and saccades of every sample in one step: CLAPP-s.
    #[default]
    Synchronous,
    /// One of the two per sample, by a fair coin: CLAPP.
    TimeLocal,
}

/// Which loss turns scores into third factors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Objective {
    /// CLAPP's hinge.
    #[default]
    Hinge,
    /// InfoNCE (layer-wise GIM).
    InfoNce {
        /// ε inside the logarithm.
        epsilon: f64,
    },
}

/// A rule of the CLAPP family: sampler, objective, timing and feedback are values that combine
/// freely.
///
/// | name | default | purpose | range |
/// |---|---|---|---|
/// | `objective` | hinge | scores → third factors | |
/// | `timing` | synchronous | CLAPP-s or CLAPP | time-local needs the hinge |
/// | `negatives` | 16 everywhere | saccade targets | see [`Negatives`] |
/// | `feedback` | symmetric | signal to the context | |
/// | `prediction_steps` | 5 | K | ≥ 1 |
/// | `skip` | 1 | steps left out between context and nearest target | K + skip < time steps |
/// | `window` | none | longest stretch of time that one update learns from | > K + skip |
///
/// # Example
///
/// Apply the rule to activities of your own; nothing but this crate is needed.
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_rules::{Purpose, Rule, stream};
///
/// let device = Device::flex();
/// let rule = Rule::clapp();
/// // [batch, time, site, channel]
/// let z = Tensor::<4>::random([4, 7, 7, 8], Distribution::Uniform(0.0, 1.0), &device);
/// let mut random = stream(2, Purpose::Test, [0; 4]);
/// let lateral = rule.weights(8, 8, &device, &mut random); // W_pred and W_retro
///
/// let draws = rule.draw([4, 7, 7].into(), &mut random);
/// let update = rule.update(z.clone(), z, &lateral, &draws);
/// // What every neuron has to multiply with its own ρ′(a)·x:
/// assert_eq!(update.modulation().dims(), [4, 7, 7, 8]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Loss and third factor.
    pub objective: Objective,
    /// Both terms at once, or one per sample.
    pub timing: Timing,
    /// How saccade targets are drawn.
    pub negatives: Negatives,
    /// How the signal reaches the context's neurons.
    pub feedback: Feedback,
    /// Prediction steps K.
    pub prediction_steps: usize,
    /// Time steps left out before the nearest target: step k predicts over `k + skip`.
    pub skip: usize,
    /// Longest stretch of time that contexts and true targets come from. A longer grid gives one at
    /// random in every update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
}

impl Rule {
    /// CLAPP: time-local, W_pred and W_retro, one saccade of the whole map.
    ///
    /// # Paper
    /// Illing et al. 2021, Table 1, CLAPP; `vision_traineval_CLAPP.sh`. Deviations: none.
    ///
    /// ```
    /// use clapp_rules::{Feedback, Rule, Scope, Timing};
    /// let rule = Rule::clapp();
    /// assert_eq!((rule.timing, rule.feedback), (Timing::TimeLocal, Feedback::PredRetro));
    /// assert_eq!(rule.negatives.scope, Scope::SamePositionShared);
    /// ```
    #[must_use]
    pub fn clapp() -> Self {
        Self {
            objective: Objective::Hinge,
            timing: Timing::TimeLocal,
            negatives: Negatives {
                count: 1,
                scope: crate::Scope::SamePositionShared,
                ..Negatives::default()
            },
            feedback: Feedback::PredRetro,
            prediction_steps: 5,
            skip: 1,
            window: None,
        }
    }

    /// CLAPP-s: synchronous, symmetric weights, 16 saccades everywhere.
    ///
    /// # Paper
    /// Illing et al. 2021, Table 1, CLAPP-s; `vision_traineval_CLAPP_s_sym_W_pred.sh`. Deviations:
    /// none.
    ///
    /// ```
    /// use clapp_rules::{Feedback, Rule, Timing};
    /// let rule = Rule::clapp_s();
    /// assert_eq!((rule.timing, rule.feedback), (Timing::Synchronous, Feedback::Symmetric));
    /// assert_eq!(rule.negatives.count, 16);
    /// ```
    #[must_use]
    pub fn clapp_s() -> Self {
        Self {
            objective: Objective::Hinge,
            timing: Timing::Synchronous,
            negatives: Negatives::default(),
            feedback: Feedback::Symmetric,
            prediction_steps: 5,
            skip: 1,
            window: None,
        }
    }

    /// Layer-wise Greedy InfoMax: CLAPP-s with InfoNCE in the place of the hinge.
    ///
    /// # Paper
    /// Löwe et al. 2019; Illing et al. 2021, Table 1, layer-wise GIM. Deviations: none.
    ///
    /// ```
    /// use clapp_rules::{Objective, Rule};
    /// assert_eq!(Rule::gim().objective, Objective::InfoNce { epsilon: 1e-11 });
    /// ```
    #[must_use]
    pub fn gim() -> Self {
        let epsilon = InfoNce::default().epsilon;
        Self { objective: Objective::InfoNce { epsilon }, ..Self::clapp_s() }
    }

    /// CLAPP-s for sound: 12 steps without a skip, 10 saccades by permutation, 128 frames at most.
    ///
    /// # Paper
    /// Illing et al. 2021, Table 1, CLAPP-s on LibriSpeech; settings of Löwe et al. 2019
    /// (`audio_traineval.sh`, `--subsample`). Deviations: the code was never published; terms are those
    /// of [`clapp_s`](Self::clapp_s).
    ///
    /// ```
    /// use clapp_rules::{Rule, Scope};
    /// let rule = Rule::clapp_s_sound();
    /// assert_eq!((rule.prediction_steps, rule.shift(1), rule.window), (12, 1, Some(128)));
    /// assert_eq!((rule.negatives.count, rule.negatives.scope), (10, Scope::Permuted));
    /// ```
    #[must_use]
    pub fn clapp_s_sound() -> Self {
        let negatives = Negatives { count: 10, scope: Scope::Permuted, ..Negatives::default() };
        Self { negatives, prediction_steps: 12, skip: 0, window: Some(128), ..Self::clapp_s() }
    }

    /// Layer-wise Greedy InfoMax for sound: InfoNCE with ε = 0.
    ///
    /// # Paper
    /// Löwe et al. 2019; Illing et al. 2021, Table 1, layer-wise GIM on LibriSpeech. Deviations: none.
    ///
    /// ```
    /// use clapp_rules::{Objective, Rule};
    /// assert_eq!(Rule::gim_sound().objective, Objective::InfoNce { epsilon: 0.0 });
    /// ```
    #[must_use]
    pub fn gim_sound() -> Self {
        Self { objective: Objective::InfoNce { epsilon: 0.0 }, ..Self::clapp_s_sound() }
    }

    /// Distance in time of prediction step `k` (from 1).
    ///
    /// ```
    /// assert_eq!(clapp_rules::Rule::clapp().shift(1), 2);
    /// ```
    #[must_use]
    pub fn shift(&self, k: usize) -> usize {
        k + self.skip
    }

    /// Checks the configuration against a number of time steps.
    ///
    /// # Errors
    ///
    /// - [`RuleError::NoPredictionSteps`]: `prediction_steps` is 0
    /// - [`RuleError::TooFewTimeSteps`]: the furthest prediction leaves the `time` steps or the window
    /// - [`RuleError::NoNegatives`]: `negatives.count` is 0
    /// - [`RuleError::NotSeparable`]: time-local with an objective that needs all scores at once
    /// - [`RuleError::PermutedSelfHits`]: permutations with the true target excluded
    ///
    /// ```
    /// use clapp_rules::{Rule, RuleError, Timing};
    /// assert_eq!(Rule::clapp().validate(7), Ok(()));
    /// let error = Rule::clapp().validate(6).unwrap_err();
    /// assert_eq!(error, RuleError::TooFewTimeSteps { furthest: 6, time: 6 });
    /// let rule = Rule { timing: Timing::TimeLocal, ..Rule::gim() };
    /// assert_eq!(rule.validate(7), Err(RuleError::NotSeparable));
    /// ```
    pub fn validate(&self, time: usize) -> Result<(), RuleError> {
        if self.prediction_steps == 0 {
            return Err(RuleError::NoPredictionSteps);
        }
        let time = self.window.map_or(time, |window| window.min(time));
        if self.shift(self.prediction_steps) >= time {
            let furthest = self.shift(self.prediction_steps);
            return Err(RuleError::TooFewTimeSteps { furthest, time });
        }
        if self.negatives.count == 0 {
            return Err(RuleError::NoNegatives);
        }
        let time_local = self.timing == Timing::TimeLocal;
        if time_local && !self.contrast().separable() {
            return Err(RuleError::NotSeparable);
        }
        if self.negatives.scope.permutes() && self.negatives.self_hits == SelfHits::Excluded {
            return Err(RuleError::PermutedSelfHits);
        }
        Ok(())
    }

    /// The objective as a trait object.
    #[must_use]
    pub fn contrast(&self) -> Box<dyn Contrast> {
        self.objective.contrast()
    }

    /// Draws W_pred, and W_retro where the feedback has it, for `context` channels that predict `target`
    /// channels.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use clapp_rules::{Purpose, Rule, stream};
    /// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
    /// let lateral = Rule::clapp().weights(64, 32, &Device::flex(), &mut random);
    /// assert_eq!(lateral.weight("w_retro").dims(), [5, 32, 64]);
    /// ```
    #[must_use]
    pub fn weights(
        &self,
        target: usize,
        context: usize,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Lateral {
        let way_back = self.feedback.way_back();
        Lateral::uniform(self.prediction_steps, target, context, way_back, device, random)
    }

    /// Draws all pairs of one update: one set, or two where W_retro has its own.
    ///
    /// ```
    /// use clapp_rules::{Purpose, Rule, stream};
    /// let mut random = stream(2, Purpose::Negatives, [0; 4]);
    /// let draws = Rule::clapp().draw([32, 7, 7].into(), &mut random);
    /// assert_eq!(draws.len(), 2); // prediction and retrodiction
    /// assert_eq!(draws[0].pairs.len(), 5); // one set of saccades for every prediction step
    /// assert_eq!(draws[0].outcomes.as_ref().unwrap().len(), 32); // one coin for every sample
    /// ```
    ///
    /// # Panics
    ///
    /// As the sampler: if the pool does not divide the batch, or nothing is left to jump to.
    #[must_use]
    pub fn draw(&self, shape: GridShape, random: &mut dyn rand::Rng) -> Vec<Draws> {
        self.draw_with(&self.negatives, shape, random)
    }

    /// [`draw`](Self::draw) with a sampler of your own in place of the negatives.
    ///
    /// [`ContrastSampler`] has an example.
    #[must_use]
    pub fn draw_with(
        &self,
        sampler: &dyn ContrastSampler,
        shape: GridShape,
        random: &mut dyn rand::Rng,
    ) -> Vec<Draws> {
        (0..self.feedback.sets()).map(|_| self.draw_half(sampler, shape, random)).collect()
    }

    fn draw_half(
        &self,
        sampler: &dyn ContrastSampler,
        shape: GridShape,
        random: &mut dyn rand::Rng,
    ) -> Draws {
        let outcomes = match self.timing {
            Timing::Synchronous => None,
            Timing::TimeLocal => Some(flip_outcomes(shape.batch, random)),
        };
        let window = self.window.filter(|&steps| steps < shape.time).map(|steps| {
            // The last start is left out, as it is in the authors' code.
            Window { start: random.random_range(0..shape.time - steps), steps }
        });
        let shifts: Vec<usize> = (1..=self.prediction_steps).map(|k| self.shift(k)).collect();
        Draws { outcomes, ..sampler.draw(shape, window, &shifts, random) }
    }

    /// The same pairs and feedback with a contrast of your own in the place of the objective.
    ///
    /// The crate's root page has a whole rule made this way.
    ///
    /// # Panics
    ///
    /// If the contrast is not [separable](Contrast::separable) though learning is local in time.
    #[must_use]
    pub fn with_contrast(self, contrast: impl Contrast + 'static) -> Contrastive {
        assert!(
            contrast.separable() || self.timing == Timing::Synchronous,
            "rule: expected a separable contrast for time-local learning, got {contrast:?}; use synchronous timing"
        );
        let pairing = move |grid: GridShape, random: &mut dyn rand::Rng| {
            self.draw_half(&self.negatives, grid, random).rows(grid)
        };
        let Self { feedback, prediction_steps, .. } = self;
        Contrastive { feedback, prediction_steps, ..Contrastive::new(pairing, contrast) }
    }

    /// One update of one layer.
    ///
    /// ```text
    /// L = (1/K) Σ_k [mean max(0, 1 − u⁺) + mean max(0, 1 + u⁻)]        u = zᵀ W_pred c
    /// ΔW_pred = −∂L/∂W_pred        m = −∂L/∂z, −∂L/∂c
    /// ```
    ///
    /// Local: of other layers it sees nothing, of this one only activities and lateral weights. What
    /// a neuron does with its modulation m, usually ΔW_ji = m_j ρ′(a_j) x_i, is the neuron's business.
    ///
    /// # Shapes
    /// - `target`, `context`: `[batch, time, site, channel]`; the same tensor for a layer that
    ///   predicts itself
    /// - `draws`: one set, or two under [`Feedback::PredRetro`] (prediction, retrodiction)
    ///
    /// # Panics
    ///
    /// If the number of sets, or any shape, does not fit.
    ///
    /// # Paper
    /// Illing et al. 2021, Eqs. 5–10 over patches (`ContrastiveLoss.py`, `compare_updates.py`).
    /// Deviations: none.
    ///
    /// # Example
    ///
    /// Two neurons, one fixation: c = (1, 2), z = (½, 1), W_pred = diag(0.1, 0.2), so u = 0.45.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use clapp_rules::{Draws, Feedback, Lateral, Outcome, Pairs, Rule, Synapses};
    ///
    /// let device = Device::flex();
    /// let feedback = Feedback::Symmetric;
    /// let rule = Rule { feedback, prediction_steps: 1, skip: 0, ..Rule::clapp() };
    /// let z = Tensor::<1>::from_floats([1.0, 2.0, 0.5, 1.0], &device).reshape([1, 2, 1, 2]);
    /// let w_pred = Tensor::<3>::from_floats([[[0.1, 0.0], [0.0, 0.2]]], &device);
    /// let lateral = Lateral::default().with("w_pred", Synapses::new(w_pred));
    /// let pairs = vec![Pairs { shift: 1, count: 1, index: vec![0] }];
    /// let draws = [Draws { pairs, outcomes: Some(vec![Outcome::Fixation]), window: None }];
    ///
    /// let update = rule.update(z.clone(), z, &lateral, &draws);
    /// let w_pred = update.lateral.delta("w_pred").into_data();
    /// assert_eq!(w_pred.try_to_vec::<f32>().unwrap(), [0.5, 1.0, 1.0, 2.0]); // γ z cᵀ
    /// assert!((update.monitor().loss - 0.55).abs() < 1e-6);
    /// ```
    ///
    /// # Cost
    /// O(K · rows · channels²) for the products with W_pred, O(K · rows · n · channels) for saccades.
    #[must_use]
    pub fn update(
        &self,
        target: Tensor<4>,
        context: Tensor<4>,
        lateral: &Lateral,
        draws: &[Draws],
    ) -> Update {
        let [batch, time, site, _] = target.dims();
        let rows: Vec<Rows> =
            draws.iter().map(|draws| draws.rows([batch, time, site].into())).collect();
        self.changes(Seen { layer: 0, target, context: Some(context), lateral, rows: &rows })
    }
}

impl Plasticity for Rule {
    fn check(&self, time: usize) -> Result<(), RuleError> {
        self.validate(time)
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
        self.draw(grid, random).iter().map(|draws| draws.rows(grid)).collect()
    }

    fn changes(&self, seen: Seen<'_>) -> Update {
        // Where contexts come from a window, most of the grid is nobody's context.
        update(self.contrast().as_ref(), self.feedback, self.window.is_some(), seen)
    }
}
