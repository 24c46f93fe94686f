//! The rules that settings of a run on images can say.

use clapp_rules::{Lpl, Plasticity, Rule, Scff, SoftHebb, TwoViews};
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
    /// A view of an image predicts the other: CLAPP++, DFB, both.
    TwoViews(TwoViews),
    /// Views agree, units vary and differ.
    Lpl(Lpl),
    /// An image added to itself against two added up.
    Scff(Scff),
}

impl ImageRule {
    /// The rule, whatever its kind.
    #[must_use]
    pub fn rule(&self) -> &dyn Plasticity {
        match self {
            Self::OverTime(rule) => rule,
            Self::SoftHebb(rule) => rule,
            Self::TwoViews(rule) => rule,
            Self::Lpl(rule) => rule,
            Self::Scff(rule) => rule,
        }
    }

    /// Views of every image in a batch.
    #[must_use]
    pub fn views(&self) -> usize {
        match self {
            Self::OverTime(_) | Self::SoftHebb(_) | Self::Scff(_) => 1,
            Self::TwoViews(_) | Self::Lpl(_) => 2,
        }
    }

    /// The rule if it predicts patches from patches.
    #[must_use]
    pub fn over_time(&self) -> Option<&Rule> {
        match self {
            Self::OverTime(rule) => Some(rule),
            _ => None,
        }
    }

    /// The same, to change it.
    pub fn over_time_mut(&mut self) -> Option<&mut Rule> {
        match self {
            Self::OverTime(rule) => Some(rule),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($kind:ident($rule:ty)),*) => { $(
        impl From<$rule> for ImageRule {
            fn from(rule: $rule) -> Self {
                Self::$kind(rule)
            }
        }
    )* };
}
from!(OverTime(Rule), SoftHebb(SoftHebb), TwoViews(TwoViews), Lpl(Lpl), Scff(Scff));
