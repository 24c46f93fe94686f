//! What can be wrong with a configuration.

/// A rule whose parts do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// `prediction_steps == 0`.
    #[error("rule: expected at least 1 prediction step, got 0")]
    NoPredictionSteps,
    /// `prediction_steps + skip >= time steps`, of the grid or of the rule's window.
    #[error(
        "rule: expected a furthest prediction below the {time} time steps of grid or window, got {furthest}; lower prediction_steps or skip, or use larger inputs or a larger window"
    )]
    TooFewTimeSteps {
        /// Distance of the furthest prediction.
        furthest: usize,
        /// Time steps of the grid.
        time: usize,
    },
    /// `negatives.count == 0`.
    #[error("rule: expected at least 1 saccade per context, got 0")]
    NoNegatives,
    /// Time-local learning with a loss that needs both terms at once.
    #[error(
        "rule: expected a separable objective for time-local learning, got InfoNCE; use the hinge, or synchronous timing"
    )]
    NotSeparable,
    /// Permutations with the true target excluded.
    #[error(
        "rule: expected saccades by permutation that may land on the true target, got self_hits excluded; allow them, or draw from everywhere"
    )]
    PermutedSelfHits,
    /// One matrix for all prediction steps, and W_retro.
    #[error(
        "rule: expected symmetric or blocked feedback for one repeated matrix, got W_retro; use a matrix per step, or symmetric feedback"
    )]
    RepeatedFeedback,
    /// The sharpness of a competition is not a number above 0.
    #[error("rule: expected a temperature above 0, got {temperature}")]
    Temperature {
        /// The temperature.
        temperature: String,
    },
    /// Not a temperature for each layer.
    #[error("rule: expected a temperature for each of {layers} layers, got {given}")]
    Temperatures {
        /// Number of layers.
        layers: usize,
        /// Temperatures, as given.
        given: usize,
    },
    /// The factor of the loss is not a number above 0.
    #[error("rule: expected a scale above 0, got {scale}")]
    Scale {
        /// The factor.
        scale: String,
    },
    /// Patches, where a rule takes whole images.
    #[error(
        "rule: expected whole images for two views, got {time} rows of patches; make a patch as large as the image"
    )]
    NotWhole {
        /// Rows of patches.
        time: usize,
    },
    /// The sharpness of a softplus is not a number above 0.
    #[error("rule: expected a theta above 0, got {theta}")]
    Theta {
        /// The sharpness.
        theta: String,
    },
    /// A matrix of no rank.
    #[error("rule: expected a rank of at least 1, got 0; leave it out for a full matrix")]
    Rank,
    /// A layer without cells.
    #[error(
        "rule: expected at least 1 cell a side in layer {layer}, got 0; 1 is the mean over the map"
    )]
    NoCells {
        /// Layer, from 1.
        layer: usize,
    },
    /// Negatives of the same image in a layer of one cell.
    #[error(
        "rule: expected at least 2 cells a side in layer {layer} for negatives of the same image, got 1; a mean over the map has no other place, so use more cells or cyclic negatives"
    )]
    OneCell {
        /// Layer, from 1.
        layer: usize,
    },
    /// Not a grid of cells for each layer.
    #[error(
        "rule: expected a number of cells a side for each of {layers} layers, got {}: {grids:?}",
        grids.len()
    )]
    Grids {
        /// Number of layers.
        layers: usize,
        /// Cells a side, as given.
        grids: Vec<usize>,
    },
    /// Samples that are not two views of each image.
    #[error(
        "rule: expected two views of each image, ordered [view 1; view 2], got {samples} samples; their number must be even and above 0"
    )]
    OddViews {
        /// Samples of a batch.
        samples: usize,
    },
    /// A batch of one image, and negatives that are other images.
    #[error(
        "rule: expected at least 2 images (4 samples) in a batch, got 1: there is no other image for a negative; use larger batches, or negatives of the same image"
    )]
    OneImage,
    /// A batch of one, where every other sample is a saccade target.
    #[error(
        "rule: expected at least 2 samples in a batch, got {samples}: there is no other one for a saccade; use larger batches"
    )]
    Alone {
        /// Samples of a batch.
        samples: usize,
    },
    /// A batch without a second image, and pairs of two.
    #[error(
        "rule: expected at least 2 images in a batch, got {samples}: there is no other image to add; use larger batches"
    )]
    NoOther {
        /// Images of a batch.
        samples: usize,
    },
    /// A coefficient of a loss that is negative or not a number.
    #[error("rule: expected {name} of 0 or more, got {value}")]
    Coefficient {
        /// Which one.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// What keeps a variance above 0 is not above 0 itself.
    #[error("rule: expected an epsilon above 0, got {epsilon}")]
    Epsilon {
        /// Its value.
        epsilon: String,
    },
    /// A batch of one image, and a rule that needs its variance.
    #[error(
        "rule: expected at least 2 images (4 samples) in a batch, got 1: one image has no variance; use larger batches"
    )]
    NoVariance,
}
