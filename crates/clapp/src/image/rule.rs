//! The rules that settings of a run on images can say.

use clapp_rules::{Plasticity, Rule, SoftHebb};
use serde::{Deserialize, Serialize};

/// A rule of a run on images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum ImageRule {
    /// Patches predict patches further down: CLAPP, CLAPP-s, layer-wise GIM.
    OverTime(Rule),
    /// Channels compete.
    SoftHebb(SoftHebb),
}

impl ImageRule {
    /// The rule, whatever its kind.
    #[must_use]
    pub fn rule(&self) -> &dyn Plasticity {
        match self {
            Self::OverTime(rule) => rule,
            Self::SoftHebb(rule) => rule,
        }
    }

    /// The rule if it predicts patches from patches.
    #[must_use]
    pub fn over_time(&self) -> Option<&Rule> {
        match self {
            Self::OverTime(rule) => Some(rule),
            Self::SoftHebb(_) => None,
        }
    }

    /// The same, to change it.
    pub fn over_time_mut(&mut self) -> Option<&mut Rule> {
        match self {
            Self::OverTime(rule) => Some(rule),
            Self::SoftHebb(_) => None,
        }
    }
}

impl From<Rule> for ImageRule {
    fn from(rule: Rule) -> Self {
        Self::OverTime(rule)
    }
}

impl From<SoftHebb> for ImageRule {
    fn from(rule: SoftHebb) -> Self {
        Self::SoftHebb(rule)
    }
}
