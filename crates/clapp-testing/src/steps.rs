//! Steps of a stack, layer by layer.

use burn::tensor::Tensor;
use clapp_backend::Hebbian;
use clapp_encoders::{
    AnyActivity, Cut, GruActivity, GruUpdate, Layer, Learnt, LocalConv1d, LocalGru, LocalLayer,
    Stack, WaveActivity,
};
use clapp_rules::{Draws, GridShape, LateralUpdate, Metrics, Plasticity, Rows};

/// What a layer has to learn, together with the lateral weights of the prediction of the same number.
#[derive(Debug)]
pub struct Taught<A> {
    /// Number of the layer, from 0.
    pub index: usize,
    /// Its activity.
    pub activity: A,
    /// Its modulation.
    pub modulation: Tensor<4>,
    /// Changes of the lateral weights.
    pub lateral: LateralUpdate,
    /// Metrics of the prediction.
    pub metrics: Metrics,
}

/// Walks up a stack with as many predictions as layers and shows what each layer has to learn.
///
/// # Panics
///
/// If a layer takes part in no prediction.
pub fn visit<L: LocalLayer, C: Cut>(
    stack: &mut Stack<L, C>,
    raw: C::Raw,
    rule: &dyn Plasticity,
    draw: &mut dyn FnMut(usize, GridShape) -> Vec<Rows>,
    see: &mut dyn FnMut(&mut L, Taught<L::Activity>),
) where
    C::Pieces: Into<L::Input>,
{
    let mut updates = Vec::new();
    stack.visit(raw, rule, draw, &mut |learnt| match learnt {
        Learnt::Lateral { prediction, update, metrics, .. } => {
            assert_eq!(prediction, updates.len(), "predictions are made in order");
            updates.push(Some((update, metrics)));
        }
        Learnt::Layer { index, layer, activity, told } => {
            let (lateral, metrics) = updates[index].take().expect("a layer learns once");
            see(layer, Taught { index, activity, modulation: told.m, lateral, metrics });
        }
    });
}

/// Draws as rows of a grid.
#[must_use]
pub fn rows(draws: &[Draws], grid: GridShape) -> Vec<Rows> {
    draws.iter().map(|draws| draws.rows(grid)).collect()
}

/// Changes of a layer of sound.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is taken apart at once"
)]
#[derive(Debug)]
pub enum SoundDelta {
    /// Of a convolution.
    Convolution(Hebbian<3>),
    /// Of a recurrent layer, with its input and its modulation.
    Recurrent(GruUpdate, Tensor<3>),
}

/// Changes of a layer of sound for a modulation.
///
/// # Panics
///
/// If it is no layer of sound, or the activity is another layer's.
#[must_use]
pub fn sound_delta(
    layer: &(dyn Layer + 'static),
    activity: Box<dyn AnyActivity>,
    modulation: Tensor<4>,
) -> SoundDelta {
    if let Some(gru) = layer.downcast_ref::<LocalGru>() {
        let activity = activity.downcast::<GruActivity>().expect("its own activity");
        return SoundDelta::Recurrent(gru.delta(&activity, modulation), activity.input());
    }
    let layer = layer.downcast_ref::<LocalConv1d>().expect("a layer of sound");
    let activity = activity.downcast::<WaveActivity>().expect("its own activity");
    SoundDelta::Convolution(layer.delta(&activity, modulation))
}
