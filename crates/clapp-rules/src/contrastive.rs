//! A contrastive rule of any pairs and any loss, and the update that all of them share.

use burn::tensor::Device;
use clapp_backend::Contract;

use crate::{
    Contrast, Extent, Feedback, GridShape, Lateral, LateralUpdate, Pairing, Plasticity, Rows, Seen,
    Shown, Update,
    lateral::{W_PRED, W_RETRO},
    update::{Metrics, half, merge_monitors},
};

/// A contrastive rule with pairs and a loss of one's own.
///
/// [`Rule`](crate::Rule) is this with pairs over time and CLAPP's losses. Nothing here knows of time: with
/// two views of each image as pairs it is a rule over views.
///
/// # Example
///
/// Two views of each image, ordered `[view 1; view 2]`: each should predict the other, and not the next
/// image.
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_rules::{
///     Contrastive, Extent, Feedback, GridShape, Hinge, Plasticity, Purpose, Rows, Saccades, Seen, stream,
/// };
///
/// let views = |grid: GridShape, _: &mut dyn rand::Rng| {
///     let n = grid.batch as u32;
///     let other = |i: u32| (i + n / 2) % n;
///     let next = (0..n).map(|i| other((i + 1) % n)).collect();
///     Rows {
///         grid,
///         blocks: vec![grid.batch],
///         contexts: (0..n).collect(),
///         fixations: (0..n).map(other).collect(),
///         saccades: Saccades::Drawn { count: 1, rows: next },
///         outcomes: None,
///     }
/// };
/// let rule = Contrastive::new(views, Hinge).with_feedback(Feedback::Blocked);
///
/// let (device, mut random) = (Device::flex(), stream(2, Purpose::Test, [0; 4]));
/// let extent = Extent { site: 1, channel: 8 };
/// let lateral = rule.lateral(extent, extent, &device, &mut random);
/// let z = Tensor::<4>::random([6, 1, 1, 8], Distribution::Default, &device);
/// let rows = rule.pairs([6, 1, 1].into(), &mut random);
/// let update = rule.changes(Seen { layer: 0, target: z, context: None, lateral: &lateral, rows: &rows });
/// assert_eq!(update.target.dims(), [6, 1, 1, 8]);
/// ```
pub struct Contrastive {
    /// Which pairs are contrasted.
    pub pairing: Box<dyn Pairing>,
    /// Loss and third factor.
    pub contrast: Box<dyn Contrast>,
    /// How the signal reaches the context's neurons.
    pub feedback: Feedback,
    /// Prediction steps: matrices of W_pred, one for each block of rows.
    pub prediction_steps: usize,
    /// At which resolution layers are shown.
    pub shown: Shown,
}

impl std::fmt::Debug for Contrastive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { contrast, feedback, prediction_steps, shown, .. } = self;
        f.debug_struct("Contrastive")
            .field("contrast", contrast)
            .field("feedback", feedback)
            .field("prediction_steps", prediction_steps)
            .field("shown", shown)
            .finish_non_exhaustive()
    }
}

impl Contrastive {
    /// One prediction step, symmetric feedback, patches as a whole.
    #[must_use]
    pub fn new(pairing: impl Pairing + 'static, contrast: impl Contrast + 'static) -> Self {
        Self {
            pairing: Box::new(pairing),
            contrast: Box::new(contrast),
            feedback: Feedback::Symmetric,
            prediction_steps: 1,
            shown: Shown::Patch,
        }
    }

    /// The same with another way back to the contexts.
    #[must_use]
    pub fn with_feedback(self, feedback: Feedback) -> Self {
        Self { feedback, ..self }
    }
}

impl Plasticity for Contrastive {
    fn shows(&self) -> Shown {
        self.shown
    }

    fn lateral(
        &self,
        target: Extent,
        context: Extent,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Lateral {
        let (steps, way_back) = (self.prediction_steps, self.feedback.way_back());
        Lateral::uniform(steps, target.channel, context.channel, way_back, device, random)
    }

    fn pairs(&self, grid: GridShape, random: &mut dyn rand::Rng) -> Vec<Rows> {
        (0..self.feedback.sets()).map(|_| self.pairing.rows(grid, random)).collect()
    }

    fn changes(&self, seen: Seen<'_>) -> Update {
        update(self.contrast.as_ref(), self.feedback, false, seen)
    }
}

/// One update by explicit pairs.
///
/// `together`: a layer that predicts itself gets both modulations added up in place, without a pass over the
/// grid.
pub(crate) fn update(
    contrast: &dyn Contrast,
    feedback: Feedback,
    together: bool,
    seen: Seen<'_>,
) -> Update {
    let Seen { target, context, lateral, rows, .. } = seen;
    let sets = feedback.sets();
    assert_eq!(rows.len(), sets, "update: expected {sets} sets of draws, got {}", rows.len());
    assert!(
        contrast.separable() || rows.iter().all(|rows| rows.outcomes.is_none()),
        "update: expected a separable contrast for time-local learning, got {contrast:?}; use synchronous timing"
    );
    let itself = context.is_none();
    let context = context.unwrap_or_else(|| target.clone());
    let w_pred = lateral.weight(W_PRED);
    let (forward, modulation) =
        half(contrast, &target, &context, w_pred.clone(), Contract::Inner, &rows[0]);
    let mut metrics = forward.monitor.clone();
    let mut changes = LateralUpdate::default();
    let (modulation, context) = match feedback {
        Feedback::Blocked => (modulation, None),
        Feedback::Symmetric if itself && together => {
            (forward.back_onto(modulation, w_pred, Contract::Outer), None)
        }
        Feedback::Symmetric => (modulation, Some(forward.back(w_pred, Contract::Outer))),
        // The lateral rules are reciprocal: one set of third factors, two transposed changes.
        Feedback::PredRetroShared => {
            changes = changes.with(W_RETRO, forward.w_retro());
            (modulation, Some(forward.back(lateral.weight(W_RETRO), Contract::Inner)))
        }
        Feedback::PredRetro => {
            let w_retro = lateral.weight(W_RETRO);
            // The second half scores with W_retroᵀ in the place of W_pred.
            let (scores, contract) = (w_retro.clone(), Contract::Outer);
            let (reverse, _) = half(contrast, &target, &context, scores, contract, &rows[1]);
            metrics = merge_monitors(metrics, reverse.monitor.clone());
            changes = changes.with(W_RETRO, reverse.w_retro());
            (modulation, Some(reverse.back(w_retro, Contract::Inner)))
        }
    };
    let lateral = changes.with(W_PRED, forward.w_pred());
    // One row of it is as long as a layer is wide, and nothing below needs it.
    drop(forward);
    let (target, context) = match context {
        Some(context) if itself => (modulation + context, None),
        context => (modulation, context),
    };
    Update { context, lateral, metrics: Metrics::of_contrast(metrics), ..Update::of(target) }
}
