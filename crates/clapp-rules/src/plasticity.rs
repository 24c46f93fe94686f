//! The seam between a rule and a layer: what a rule sees, and what it answers.

use burn::tensor::{Device, Tensor};

use crate::{GridShape, Lateral, Rows, RuleError, Update};

/// A local plasticity rule: from what one layer shows to how strongly each neuron should change.
///
/// ```text
/// ΔW = Σ m ⊗ post ⊗ pre − d ⊙ W
/// ```
///
/// The rule decides the modulation m, which postsynaptic factor it meets, and the decay d; it owns lateral
/// weights and statistics of the layer ([`Lateral`]). The layer has pre and post and changes its own weights.
/// Neither sees the inside of the other, and a rule sees nothing of other layers but the context that it is
/// handed.
///
/// Implemented by [`Rule`](crate::Rule) (CLAPP, CLAPP-s, layer-wise GIM), [`AllPairs`](crate::AllPairs) (video),
/// [`TwoViews`](crate::TwoViews) (CLAPP++, DFB) and [`Contrastive`](crate::Contrastive) (pairs and losses of
/// one's own). All methods but
/// [`changes`](Self::changes) have a default that fits a rule without memory and without randomness.
///
/// # Example
///
/// Hebb with a decay, pixel by pixel, without lateral weights: ΔW = Σ y x − (Σ y²) W (Oja).
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Lateral, Plasticity, Post, Seen, Shown, Update};
///
/// #[derive(Debug)]
/// struct Oja;
///
/// impl Plasticity for Oja {
///     fn shows(&self) -> Shown {
///         Shown::Pixels
///     }
///
///     fn changes(&self, seen: Seen<'_>) -> Update {
///         let y = seen.target; // [batch, time, site, channel]
///         let [batch, time, site, channels] = y.dims();
///         let rows = y.clone().reshape([batch * time * site, channels]);
///         let decay = rows.square().sum_dim(0).reshape([channels]);
///         Update { decay: Some(decay), post: Post::One, ..Update::of(y) }
///     }
/// }
///
/// let y = Tensor::<4>::full([1, 1, 2, 1], 3.0, &Device::flex());
/// let update = Oja.changes(Seen { layer: 0, target: y, context: None, lateral: &Lateral::default(), rows: &[] });
/// assert_eq!(update.decay.unwrap().into_scalar::<f32>(), 18.0);
/// ```
pub trait Plasticity: std::fmt::Debug + Send + Sync {
    /// Checks the rule against a number of steps of time.
    ///
    /// # Errors
    ///
    /// If its parts do not go together, or it predicts further than there is time.
    fn check(&self, time: usize) -> Result<(), RuleError> {
        let _ = time;
        Ok(())
    }

    /// Checks the rule against a number of layers.
    ///
    /// # Errors
    ///
    /// If it says something about each layer, and not about so many.
    fn check_layers(&self, layers: usize) -> Result<(), RuleError> {
        let _ = layers;
        Ok(())
    }

    /// Checks the rule against the number of samples in a batch.
    ///
    /// # Errors
    ///
    /// If it cannot learn from so many: a rule of two views of each image takes even numbers.
    fn check_batch(&self, samples: usize) -> Result<(), RuleError> {
        let _ = samples;
        Ok(())
    }

    /// At which resolution layers show themselves to the rule, and are modulated.
    fn shows(&self) -> Shown {
        Shown::Patch
    }

    /// At which resolution layer `layer` (from 0) does, where they differ.
    fn shows_layer(&self, layer: usize) -> Shown {
        let _ = layer;
        self.shows()
    }

    /// Whether all predictions of a step take their pairs from one stream, so that they get the same draw.
    ///
    /// Draws have addresses, not turns: who opens the streams leaves the prediction out of the address then,
    /// and opens the stream anew for each prediction.
    fn draws_together(&self) -> bool {
        false
    }

    /// What the rule keeps in one layer: `context` predicts `target`.
    fn lateral(
        &self,
        target: Extent,
        context: Extent,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Lateral {
        let _ = (target, context, device, random);
        Lateral::default()
    }

    /// Everything random about one update of one layer: its pairs, one set for each set of lateral weights
    /// that scores.
    fn pairs(&self, grid: GridShape, random: &mut dyn rand::Rng) -> Vec<Rows> {
        let _ = (grid, random);
        Vec::new()
    }

    /// What one layer has to learn.
    ///
    /// # Panics
    ///
    /// If a shape, or the number of sets of pairs, does not fit.
    fn changes(&self, seen: Seen<'_>) -> Update;
}

/// What a rule sees of a layer in one step.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The predicted layer, from 0: for what a rule says about each layer.
    pub layer: usize,
    /// z: the representation that is predicted, `[batch, time, site, channel]`.
    pub target: Tensor<4>,
    /// c: the representation that predicts; none if the layer predicts itself.
    pub context: Option<Tensor<4>>,
    /// What the rule keeps in the layer.
    pub lateral: &'a Lateral,
    /// What [`Plasticity::pairs`] drew.
    pub rows: &'a [Rows],
}

/// How finely a layer shows itself to a rule, and is modulated by it.
///
/// ```text
/// patch    z = mean of ρ(a) over the map                [b, t, s, c]
/// cells    z = means over n × n cells of the map        [b, t, s·n², c]
/// pixels   z = ρ(a) of every pixel                      [b, t, s·y·x, c]
/// ```
///
/// The map is the layer's output, after its pool. Layers whose sites are pixels already, such as those of
/// sound and film, show the same in all three ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shown {
    /// The mean over the map.
    #[default]
    Patch,
    /// Means over n × n cells of the map.
    Cells(usize),
    /// Every pixel by itself.
    Pixels,
}

/// Sites at one step of time, and channels, of what a layer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Sites.
    pub site: usize,
    /// Channels.
    pub channel: usize,
}

/// Which postsynaptic factor the modulation meets at a synapse.
///
/// A factor of the rule's own, such as σ′(a), is part of its modulation where layers show every pixel, with
/// [`One`](Self::One) here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Post {
    /// ρ′(a): neurons that are silent do not learn.
    #[default]
    Slope,
    /// 1: the modulation is all.
    One,
}

/// How strongly the neurons of one layer change, and in which way.
#[derive(Clone, Debug)]
pub struct Modulation {
    /// m, of the shape in which the layer was shown.
    pub m: Tensor<4>,
    /// At which resolution.
    pub shown: Shown,
    /// Which postsynaptic factor m meets.
    pub post: Post,
    /// d of every neuron, `[channel]`.
    pub decay: Option<Tensor<1>>,
}

impl From<Tensor<4>> for Modulation {
    /// m of what a layer shows as a whole, for ΔW = Σ m ρ′(a) x.
    fn from(m: Tensor<4>) -> Self {
        Self { m, shown: Shown::Patch, post: Post::Slope, decay: None }
    }
}
