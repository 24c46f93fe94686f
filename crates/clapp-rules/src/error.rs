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
}
