//! SoftHebb: channels compete, winners move towards their input, losers away from it.

use clapp_backend::soft_winners;
use serde::{Deserialize, Serialize};

use crate::{Metrics, Plasticity, Post, RuleError, Seen, Shown, Update};

/// Hebbian learning among channels that compete softly; no prediction, no lateral weights.
///
/// ```text
/// y_o = s_o softmax_channels(t u)_o        s = +1 for the channel with the largest u, −1 for all others
/// ΔW_oi(τ) = Σ_q y_o(q) x_i(q + τ) − (Σ_q y_o(q) u_o(q)) W_oi(τ)
/// ```
///
/// q runs over all pixels of all images, u = W ⋆ x is the summed input. The modulation is y, the
/// postsynaptic factor 1, the decay Σ y u: at a fixed point every neuron's weights have length 1.
///
/// **Locality.** y needs the activity of the other channels at the same pixel, as lateral inhibition gives
/// it; all else is pre- and postsynaptic. Not local in one respect: the published step
/// ([`Optimizer::UnitNorm`](crate::Optimizer::UnitNorm)) divides by the largest change of the whole layer.
///
/// Layers show u at every pixel ([`TriangleConv2d`]); a layer that shows rectified activity lets silent
/// channels compete with 0.
///
/// [`TriangleConv2d`]: https://docs.rs/clapp-encoders/latest/clapp_encoders/struct.TriangleConv2d.html
///
/// # Paper
/// Journé, Garcia Rodriguez, Guo & Moraitis (2023), *Hebbian deep learning without feedback*, ICLR, Sec. 3.
/// Deviations: none; from their code too, the softmax is over channels and not over positions.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Lateral, Plasticity, Seen, SoftHebb};
///
/// let rule = SoftHebb { temperatures: vec![1.0] };
/// let u = Tensor::<4>::from_floats([[[[3.0, 0.0]]]], &Device::flex()); // one pixel, two channels
/// let seen = Seen { layer: 0, target: u, context: None, lateral: &Lateral::default(), rows: &[] };
/// let y = rule.changes(seen).target.into_data().try_to_vec::<f32>().unwrap();
/// let share = 1.0 / (1.0 + (-3.0_f32).exp());
/// assert!((y[0] - share).abs() < 1e-6 && (y[1] - (share - 1.0)).abs() < 1e-6);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SoftHebb {
    /// t of every layer, from the input up: how sharply channels compete.
    pub temperatures: Vec<f64>,
}

impl Plasticity for SoftHebb {
    fn check(&self, _: usize) -> Result<(), RuleError> {
        match self.temperatures.iter().find(|t| !(t.is_finite() && **t > 0.0)) {
            None => Ok(()),
            Some(t) => Err(RuleError::Temperature { temperature: t.to_string() }),
        }
    }

    fn check_layers(&self, layers: usize) -> Result<(), RuleError> {
        let given = self.temperatures.len();
        if given == layers { Ok(()) } else { Err(RuleError::Temperatures { layers, given }) }
    }

    fn shows(&self) -> Shown {
        Shown::Pixels
    }

    /// The one metric, `competition`, is Σ_o y_o u_o averaged over pixels.
    ///
    /// # Panics
    ///
    /// If there is no temperature for the layer.
    fn changes(&self, seen: Seen<'_>) -> Update {
        let shape = seen.target.dims();
        let [batch, time, site, channels] = shape;
        let (pixels, given) = (batch * time * site, self.temperatures.len());
        assert!(
            seen.layer < given,
            "soft Hebb: expected a layer below {given}, got {}",
            seen.layer
        );
        let u = seen.target.reshape([pixels, channels]);
        let (y, decay) = soft_winners(u, self.temperatures[seen.layer]);
        let metrics =
            Metrics { names: &["competition"], values: decay.clone().sum() / pixels.max(1) as f64 };
        let y = y.reshape(shape);
        Update { post: Post::One, decay: Some(decay), metrics, ..Update::of(y) }
    }
}
