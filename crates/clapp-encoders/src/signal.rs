//! Layers of unlike kinds in one stack: what goes up between them, and a layer without its type.

use std::any::Any;

use burn::tensor::Tensor;
use clapp_backend::Activity;
use clapp_rules::{Modulation, Optimize, Shown, State, StateError};

use crate::{LocalActivity, LocalLayer, Patches, Persist, Statistics};

/// What goes up from layer to layer, whatever their kind. Tensors share their storage.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Signal {
    /// Patches of images.
    Patches(Patches),
    /// A wave or its channels, a map of one row.
    Wave(Activity),
    /// Frames of features, `[batch, time, channel]`.
    Frames(Tensor<3>),
    /// A film, `[batch, channel, time, y, x]`.
    Film(Tensor<5>),
}

/// A kind of [`Signal`]: implemented by what layers of this crate take.
pub trait Carried: Into<Signal> + Sized {
    /// Out of a signal, if there is a way: a wave can be heard as frames.
    fn receive(signal: &Signal) -> Option<Self>;
}

macro_rules! carried {
    ($type:ty, $kind:ident) => {
        impl From<$type> for Signal {
            fn from(own: $type) -> Self {
                Self::$kind(own)
            }
        }

        impl Carried for $type {
            fn receive(signal: &Signal) -> Option<Self> {
                match signal {
                    Signal::$kind(own) => Some(own.clone()),
                    _ => None,
                }
            }
        }
    };
}

carried!(Patches, Patches);
carried!(Activity, Wave);
carried!(Tensor<5>, Film);

impl From<Tensor<3>> for Signal {
    fn from(frames: Tensor<3>) -> Self {
        Self::Frames(frames)
    }
}

impl Carried for Tensor<3> {
    fn receive(signal: &Signal) -> Option<Self> {
        match signal {
            Signal::Frames(frames) => Some(frames.clone()),
            Signal::Wave(wave) => {
                let [batch, channels, _, frames] = wave.dims();
                Some(wave.to_rows().reshape([batch, frames, channels]))
            }
            _ => None,
        }
    }
}

/// A layer of any kind: every [`LocalLayer`] that can be saved and cloned, without its type.
///
/// A [`Stack`](crate::Stack) of `Box<dyn Layer>` holds unlike layers; [`Stack::layer`](crate::Stack::layer)
/// gives one of them back as what it is.
///
/// # Example
///
/// ```
/// use burn::tensor::Device;
/// use clapp_encoders::{Conv1dSpec, Layer, LocalConv1d, LocalGru, Recurrence};
/// use clapp_random::{Purpose, stream};
/// let (device, mut random) = (Device::flex(), stream(2, Purpose::Initialisation, [0; 4]));
/// let spec = Conv1dSpec { kernel: 4, stride: 2, padding: 1 };
/// let layers: Vec<Box<dyn Layer>> = vec![
///     Box::new(LocalConv1d::init(1, 8, spec, &device, &mut random)),
///     Box::new(LocalGru::init(8, 4, Recurrence::EProp, &device, &mut random)),
/// ];
/// assert_eq!(layers.len(), 2);
/// ```
pub trait Layer: std::fmt::Debug + Send {
    /// [`LocalLayer::forward`].
    ///
    /// # Panics
    ///
    /// If the layer cannot take this kind of signal.
    fn forward_signal(&self, input: &Signal) -> Box<dyn AnyActivity>;

    /// [`LocalLayer::learn`].
    ///
    /// # Panics
    ///
    /// If the activity is another layer's, or the modulation does not fit.
    fn learn_any(
        &mut self,
        activity: Box<dyn AnyActivity>,
        told: Modulation,
        optimizer: &dyn Optimize,
    );

    /// [`LocalLayer::observe`].
    ///
    /// # Panics
    ///
    /// If the activity is another layer's.
    fn observe_any(&mut self, activity: &dyn AnyActivity);

    /// [`LocalLayer::normalise_by`].
    fn normalise_any_by(&mut self, statistics: Statistics);

    /// [`Persist::save`].
    fn save_any(&self, name: &str, state: &mut State);

    /// [`Persist::load`].
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape.
    fn load_any(&mut self, name: &str, state: &State) -> Result<(), StateError>;

    /// A copy.
    fn boxed(&self) -> Box<dyn Layer>;

    /// The layer as what it is.
    fn as_any(&self) -> &dyn Any;

    /// The layer as what it is, to change it.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

/// What a layer of any kind keeps of a forward pass.
pub trait AnyActivity {
    /// [`LocalActivity::output`].
    fn output_signal(&self) -> Signal;

    /// [`LocalActivity::show`].
    fn show_any(&self, shown: Shown) -> Tensor<4>;

    /// The activity as what it is.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;

    /// The activity as what it is, to look at.
    fn as_any(&self) -> &dyn Any;
}

impl dyn Layer {
    /// The layer as what it is, if it is of that kind.
    #[must_use]
    pub fn downcast_ref<L: 'static>(&self) -> Option<&L> {
        self.as_any().downcast_ref()
    }

    /// The layer as what it is, to change it.
    pub fn downcast_mut<L: 'static>(&mut self) -> Option<&mut L> {
        self.as_any_mut().downcast_mut()
    }
}

impl dyn AnyActivity {
    /// The activity as what it is, if it is of that kind.
    #[must_use]
    pub fn downcast<A: 'static>(self: Box<Self>) -> Option<A> {
        self.into_any().downcast().ok().map(|own| *own)
    }
}

impl<A: LocalActivity + 'static> AnyActivity for A
where
    A::Output: Carried,
{
    fn output_signal(&self) -> Signal {
        self.output().into()
    }

    fn show_any(&self, shown: Shown) -> Tensor<4> {
        self.show(shown)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl<L: LocalLayer + Persist + Clone + 'static> Layer for L
where
    L::Input: Carried,
    L::Activity: 'static,
{
    fn forward_signal(&self, input: &Signal) -> Box<dyn AnyActivity> {
        let own = L::Input::receive(input)
            .unwrap_or_else(|| panic!("layer: expected another kind of input, got {input:?}"));
        Box::new(self.forward(&own))
    }

    fn learn_any(
        &mut self,
        activity: Box<dyn AnyActivity>,
        told: Modulation,
        optimizer: &dyn Optimize,
    ) {
        let own = activity.downcast::<L::Activity>();
        let own = own.expect("layer: expected its own activity, got another's");
        self.learn(own, told, optimizer);
    }

    fn observe_any(&mut self, activity: &dyn AnyActivity) {
        let own = activity.as_any().downcast_ref();
        self.observe(own.expect("layer: expected its own activity, got another's"));
    }

    fn normalise_any_by(&mut self, statistics: Statistics) {
        self.normalise_by(statistics);
    }

    fn save_any(&self, name: &str, state: &mut State) {
        self.save(name, state);
    }

    fn load_any(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        self.load(name, state)
    }

    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl Clone for Box<dyn Layer> {
    fn clone(&self) -> Self {
        (**self).boxed()
    }
}

impl LocalActivity for Box<dyn AnyActivity> {
    type Output = Signal;

    fn output(&self) -> Signal {
        (**self).output_signal()
    }

    fn representation(&self) -> Tensor<4> {
        (**self).show_any(Shown::Patch)
    }

    fn show(&self, shown: Shown) -> Tensor<4> {
        (**self).show_any(shown)
    }
}

impl LocalLayer for Box<dyn Layer> {
    type Input = Signal;
    type Activity = Box<dyn AnyActivity>;

    fn forward(&self, input: &Signal) -> Box<dyn AnyActivity> {
        (**self).forward_signal(input)
    }

    fn learn(
        &mut self,
        activity: Box<dyn AnyActivity>,
        told: Modulation,
        optimizer: &dyn Optimize,
    ) {
        (**self).learn_any(activity, told, optimizer);
    }

    fn observe(&mut self, activity: &Box<dyn AnyActivity>) {
        (**self).observe_any(&**activity);
    }

    fn normalise_by(&mut self, statistics: Statistics) {
        (**self).normalise_any_by(statistics);
    }
}

impl Persist for Box<dyn Layer> {
    fn save(&self, name: &str, state: &mut State) {
        (**self).save_any(name, state);
    }

    fn load(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        (**self).load_any(name, state)
    }
}
