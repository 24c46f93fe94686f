//! CLAPP's plasticity rules.

mod error;
mod grid;
mod online;
mod pairs;
mod predictors;
mod rule;
mod score;
mod state;
mod synapses;
mod third_factor;
mod updates;

pub use error::RuleError;
pub use grid::{context_rows, target_rows};
pub use online::{OnlineLayer, OnlineRule, OnlineStep, OnlineUpdate, Signals};
pub use pairs::{
    ContrastSampler, Draws, GridShape, Index, Negatives, Pairs, Scope, SelfHits, flip_outcomes,
};
pub use predictors::{Predictors, WayBack};
pub use rule::{Feedback, Monitor, Objective, PredictorUpdate, Rule, Timing, Update};
pub use score::{dendritic_prediction, fixation_score, saccade_score};
pub use state::{State, StateError};
pub use synapses::{Optimizer, Synapses};
pub use third_factor::{Contrast, Hinge, InfoNce, Outcome, ThirdFactor, hinge, third_factor};
pub use updates::{
    Gamma, context_modulation, delta_w_pred, delta_w_retro, target_modulation, weighted_targets,
};
