//! Weights of a network, one after the other: how they enter a graph, get their gradients, and learn.

use burn::tensor::{FloatDType, Gradients, Tensor};
use clapp_encoders::{ChannelNorm, LocalConv1d, LocalConv2d, LocalConv3d, LocalGru};
use clapp_rules::{Lateral, Optimize, Synapses};

/// What is done to a weight, given the one in the same place of another network.
pub trait Visit {
    /// Visits one weight.
    fn visit<const D: usize>(&mut self, part: &mut Synapses<D>, other: &Synapses<D>);
}

/// Something with weights. Gradients are a network as well: each stands in the place of its weight.
pub trait Parts {
    /// Visits all weights, with those of `other`, in a fixed order.
    fn each<V: Visit>(&mut self, other: &Self, visit: &mut V);

    /// One step of all weights down their gradients.
    ///
    /// # Panics
    ///
    /// If a shape differs.
    fn descend(&mut self, gradients: &Self, optimizer: &dyn Optimize) {
        self.each(gradients, &mut Descend(optimizer));
    }

    /// The same weights in another precision.
    #[must_use]
    fn cast(&self, dtype: FloatDType) -> Self
    where
        Self: Clone,
    {
        self.mapped(&mut Cast(dtype))
    }

    /// The same weights as leaves of a graph.
    #[must_use]
    fn tracked(&self) -> Self
    where
        Self: Clone,
    {
        self.mapped(&mut Track)
    }

    /// Gradients of tracked weights.
    ///
    /// # Panics
    ///
    /// If a weight took no part in what was differentiated.
    #[must_use]
    fn gradients(&self, gradients: &Gradients) -> Self
    where
        Self: Clone,
    {
        self.mapped(&mut Differentiate(gradients))
    }

    /// A copy whose weights `visit` makes of these.
    #[must_use]
    fn mapped<V: Visit>(&self, visit: &mut V) -> Self
    where
        Self: Clone,
    {
        let mut copy = self.clone();
        copy.each(self, visit);
        copy
    }
}

impl<const D: usize> Parts for Synapses<D> {
    fn each<V: Visit>(&mut self, other: &Self, visit: &mut V) {
        visit.visit(self, other);
    }
}

impl<P: Parts> Parts for [P] {
    fn each<V: Visit>(&mut self, other: &Self, visit: &mut V) {
        assert_eq!(self.len(), other.len(), "parts: expected two networks of one shape");
        self.iter_mut().zip(other).for_each(|(part, other)| part.each(other, visit));
    }
}

impl<P: Parts> Parts for Vec<P> {
    fn each<V: Visit>(&mut self, other: &Self, visit: &mut V) {
        self.as_mut_slice().each(other, visit);
    }
}

impl<P: Parts> Parts for Option<P> {
    fn each<V: Visit>(&mut self, other: &Self, visit: &mut V) {
        self.as_mut_slice().each(other.as_slice(), visit);
    }
}

/// A structure has the weights of its fields.
macro_rules! parts {
    ($($whole:ty: $($part:ident),+;)+) => {$(
        impl $crate::parts::Parts for $whole {
            fn each<V: $crate::parts::Visit>(&mut self, other: &Self, visit: &mut V) {
                $($crate::parts::Parts::each(&mut self.$part, &other.$part, visit);)+
            }
        }
    )+};
}
pub(crate) use parts;

parts! {
    LocalConv1d: weight, bias;
    LocalConv2d: weight, bias;
    LocalConv3d: weight, bias, norm;
    ChannelNorm: gain, shift;
    LocalGru: input, recurrent, input_bias, recurrent_bias;
}

impl Parts for Lateral {
    fn each<V: Visit>(&mut self, other: &Self, visit: &mut V) {
        for (name, part) in self.synapses_mut() {
            part.each(other.synapses(name), visit);
        }
    }
}

struct Track;

impl Visit for Track {
    fn visit<const D: usize>(&mut self, part: &mut Synapses<D>, other: &Synapses<D>) {
        *part = Synapses::new(leaf(&other.weight()));
    }
}

struct Cast(FloatDType);

impl Visit for Cast {
    fn visit<const D: usize>(&mut self, part: &mut Synapses<D>, other: &Synapses<D>) {
        *part = Synapses::new(other.weight().cast(self.0));
    }
}

struct Differentiate<'a>(&'a Gradients);

impl Visit for Differentiate<'_> {
    fn visit<const D: usize>(&mut self, part: &mut Synapses<D>, other: &Synapses<D>) {
        *part = Synapses::new(gradient(&other.weight(), self.0));
    }
}

struct Descend<'a>(&'a dyn Optimize);

impl Visit for Descend<'_> {
    fn visit<const D: usize>(&mut self, part: &mut Synapses<D>, other: &Synapses<D>) {
        part.learn(-other.weight(), self.0);
    }
}

/// The values of a tensor, at the start of a graph of their own.
pub(crate) fn leaf<const D: usize>(tensor: &Tensor<D>) -> Tensor<D> {
    tensor.clone().inner().autodiff().require_grad()
}

pub(crate) fn gradient<const D: usize>(leaf: &Tensor<D>, gradients: &Gradients) -> Tensor<D> {
    leaf.grad(gradients).expect("every weight of a module takes part in its loss")
}

/// The value of a loss.
pub(crate) fn number(loss: &Tensor<1>) -> f64 {
    let data = loss.clone().inner().to_data();
    data.iter::<f64>().next().unwrap_or(f64::NAN)
}
