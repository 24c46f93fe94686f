//! The seam between a layer and the rule.

use burn::tensor::Tensor;
use clapp_rules::{Modulation, Optimize, Shown, State, StateError};

use crate::Statistics;

/// A layer that turns a modulation per neuron into changes of its own weights.
///
/// Rule and layer meet in two tensors of one shape, `[batch, time, site, channel]`: the
/// representation that the layer shows, and the modulation that it gets back. What layers hand to each
/// other ([`Input`](Self::Input)) is their own business: patches, waves or films.
///
/// Implemented by [`LocalConv2d`](crate::LocalConv2d), [`LocalConv1d`](crate::LocalConv1d),
/// [`LocalConv3d`](crate::LocalConv3d) and [`LocalGru`](crate::LocalGru); deliberately not by anything that
/// needs the signal of a layer above. Implement it for a layer of your own to train it in a
/// [`Stack`](crate::Stack); with [`Persist`] and `Clone` it also stands beside layers of another kind, as a
/// [`Layer`](crate::Layer).
pub trait LocalLayer: std::fmt::Debug + Send {
    /// What comes up from below.
    type Input;
    /// What it keeps of a forward pass for its own update.
    type Activity: LocalActivity<Output = Self::Input>;

    /// Activity of the layer; keeps what its own update needs.
    fn forward(&self, input: &Self::Input) -> Self::Activity;

    /// ΔW = Σ m ⊗ post ⊗ pre − d ⊙ W, applied at once.
    ///
    /// # Panics
    ///
    /// If the modulation does not have the shape in which the activity was shown, or asks for a
    /// postsynaptic factor or a decay that the layer does not have.
    fn learn(&mut self, activity: Self::Activity, told: Modulation, optimizer: &dyn Optimize);

    /// Lets running statistics follow an activity without any learning; most layers keep none.
    fn observe(&mut self, activity: &Self::Activity) {
        let _ = activity;
    }

    /// Chooses whose mean and variance normalise from now on, where the layer normalises.
    fn normalise_by(&mut self, statistics: Statistics) {
        let _ = statistics;
    }
}

/// What a layer keeps of a forward pass: an output for the layer above, a representation for the rule.
///
/// Handed out cheaply where layouts allow it: tensors share their storage.
pub trait LocalActivity {
    /// What goes up.
    type Output;

    /// The input of the next layer.
    fn output(&self) -> Self::Output;

    /// What the rule sees of the layer as a whole, `[batch, time, site, channel]`.
    fn representation(&self) -> Tensor<4>;

    /// What the rule sees at a resolution of its choice. The same, where sites are pixels already.
    fn show(&self, shown: Shown) -> Tensor<4> {
        let _ = shown;
        self.representation()
    }
}

/// From raw data to the input of the first layer: how a sense cuts the world into time and sites.
///
/// Implemented by [`PatchGrid`](crate::PatchGrid) for images and by [`Uncut`] for data that has a
/// time of its own; deliberately not by anything that learns.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_encoders::{Cut, Uncut};
/// let wave = Tensor::<3>::zeros([2, 1, 20_480], &Device::flex());
/// assert_eq!(Uncut::<3>.cut(wave).dims(), [2, 1, 20_480]);
/// ```
pub trait Cut: std::fmt::Debug {
    /// A batch as it comes from a data set.
    type Raw;
    /// The input of the first layer.
    type Pieces;

    /// Cuts a batch.
    fn cut(&self, raw: Self::Raw) -> Self::Pieces;
}

/// Nothing is cut: sound and film run in time as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uncut<const D: usize>;

impl<const D: usize> Cut for Uncut<D> {
    type Raw = Tensor<D>;
    type Pieces = Tensor<D>;

    fn cut(&self, raw: Tensor<D>) -> Tensor<D> {
        raw
    }
}

/// A part that a checkpoint holds: everything in it that learns, under a name.
pub trait Persist {
    /// Adds weights and moments under `name`.
    fn save(&self, name: &str, state: &mut State);

    /// Restores what [`save`](Self::save) added.
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape. Tensors before it are then already restored.
    fn load(&mut self, name: &str, state: &State) -> Result<(), StateError>;
}

/// ΔW − d ⊙ W, a decay for each value of the first index of W.
pub(crate) fn with_decay<const D: usize>(
    delta: Tensor<D>,
    weight: Tensor<D>,
    decay: Option<&Tensor<1>>,
) -> Tensor<D> {
    match decay {
        None => delta,
        Some(decay) => {
            let shape: [usize; D] =
                std::array::from_fn(|axis| if axis == 0 { decay.dims()[0] } else { 1 });
            delta - weight * decay.clone().reshape(shape)
        }
    }
}
