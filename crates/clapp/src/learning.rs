//! How weights change: by local rules, or by the comparisons with back-propagation.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Error;

/// How the weights of an encoder change.
///
/// | value | what learns from what | feature |
/// |---|---|---|
/// | `Local` | every layer by its own rule | |
/// | `ThroughTime` | the same, but a recurrent layer by back-propagation through time | `baselines` |
/// | `EndToEnd` | all layers from one loss at the top: CPC, Hinge Loss CPC | `baselines` |
/// | `Modules` | the layers of a module from one loss at its end, and no further | `baselines` |
/// | `Supervised` | all layers from labels, with a read-out on top | `baselines` |
/// | `GreedySupervised` | every layer from labels, with a read-out of its own | `baselines` |
///
/// All values exist in every build, so that a configuration can always be read; without the feature
/// those that need it are refused, and there is no automatic differentiation in the program.
///
/// ```
/// use clapp::Learning;
/// assert!(Learning::Local.check().is_ok());
/// assert_eq!(Learning::Local.check().is_ok(), !Learning::Local.differentiates());
/// assert_eq!(Learning::EndToEnd.check().is_ok(), cfg!(feature = "baselines"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Learning {
    /// Every layer by its own rule, without back-propagation.
    #[default]
    Local,
    /// Every layer by its own rule; credit of a recurrent layer goes back through time.
    ThroughTime,
    /// All layers from one contrastive loss at the top.
    EndToEnd,
    /// The layers of every module from one contrastive loss at its end.
    Modules,
    /// All layers from labels.
    Supervised,
    /// Every layer from labels.
    GreedySupervised,
}

impl Learning {
    /// Whether it needs automatic differentiation.
    #[must_use]
    pub fn differentiates(self) -> bool {
        self != Self::Local
    }

    /// Whether it needs labels of what it learns from.
    #[must_use]
    pub fn needs_labels(self) -> bool {
        matches!(self, Self::Supervised | Self::GreedySupervised)
    }

    /// Checks that this build has it.
    ///
    /// # Errors
    ///
    /// [`Error::Differentiation`] if it needs the feature `baselines`, which was left out.
    pub fn check(self) -> Result<(), Error> {
        if self.differentiates() && !cfg!(feature = "baselines") {
            return Err(Error::Differentiation { learning: self });
        }
        Ok(())
    }
}

impl fmt::Display for Learning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Local => "local rules",
            Self::ThroughTime => "back-propagation through time",
            Self::EndToEnd => "one loss for all layers",
            Self::Modules => "one loss for every module",
            Self::Supervised => "labels for all layers",
            Self::GreedySupervised => "labels for every layer",
        })
    }
}
