//! Which layers learn when.

use std::ops::Range;

use clapp_encoders::Context;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Which layers learn when.
///
/// One after another, a layer learns for its share of the run's steps, the frozen layers below are functions of
/// their input (they normalise with the running statistics that they ended with, which follow nothing any more), and
/// the layers above are not computed. Metrics are then those of the one layer (`only`), and a schedule of rates lasts
/// as long as the layer learns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// All in every step.
    #[default]
    AllAtOnce,
    /// From the input up, each for its share: passes over the data, say. The same for all where there are none.
    OneAfterAnother(Vec<u64>),
}

impl Order {
    /// Whether all layers learn in every step.
    #[must_use]
    pub fn is_all_at_once(&self) -> bool {
        *self == Self::AllAtOnce
    }

    /// The layers, from 0, that learn in a step, and the steps in which they do: out of `steps` of a run of
    /// `layers` layers.
    ///
    /// ```
    /// use clapp::image::Order;
    /// let passes = Order::OneAfterAnother(vec![6, 4, 21]);
    /// assert_eq!(passes.stage(3, 62, 11), (0..1, 0..12));
    /// assert_eq!(passes.stage(3, 62, 12), (1..2, 12..20));
    /// assert_eq!(Order::OneAfterAnother(vec![]).stage(3, 10, 9), (2..3, 6..10));
    /// assert_eq!(Order::AllAtOnce.stage(3, 62, 12), (0..3, 0..62));
    /// ```
    ///
    /// # Panics
    ///
    /// If the run has no such step, or the shares are not those of its layers.
    #[must_use]
    pub fn stage(&self, layers: usize, steps: u64, step: u64) -> (Range<usize>, Range<u64>) {
        let Self::OneAfterAnother(shares) = self else { return (0..layers, 0..steps) };
        let own = |layer| (layer..layer + 1, span(shares, layers, steps, layer));
        let stage = (0..layers).map(own).find(|(_, steps)| steps.contains(&step));
        stage.unwrap_or_else(|| panic!("order: expected a step below {steps}, got {step}"))
    }

    /// Checks that every layer has a step to learn in, and needs no other layer for it.
    pub(super) fn check(&self, layers: usize, steps: u64, context: Context) -> Result<(), Error> {
        let Self::OneAfterAnother(shares) = self else { return Ok(()) };
        super::per_layer("order", shares.len(), layers)?;
        if context != Context::SameLayer {
            return Err(Error::misfit_of(
                "order",
                "layers that predict themselves, where they learn one after another",
                format!("the context {context:?}"),
                "choose another method, or let all layers learn at once",
            ));
        }
        match (0..layers).find(|&layer| span(shares, layers, steps, layer).is_empty()) {
            None => Ok(()),
            Some(layer) => Err(Error::misfit_of(
                "order",
                "a step of learning or more for each layer",
                format!("none of {steps} for layer {}, of shares {shares:?}", layer + 1),
                "see more images, lower the batch, or give the layer a larger share",
            )),
        }
    }
}

/// Steps of a layer. Borders are rounded down, so that all together are all steps.
fn span(shares: &[u64], layers: usize, steps: u64, layer: usize) -> Range<u64> {
    let up_to = |layer: usize| match shares {
        [] => layer as u128,
        shares => shares[..layer].iter().map(|&share| u128::from(share)).sum(),
    };
    let border = |layer| u128::from(steps) * up_to(layer) / up_to(layers).max(1);
    border(layer) as u64..border(layer + 1) as u64
}
