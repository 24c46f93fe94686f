//! Lateral weights and running statistics of one layer, by name: what a rule owns in it.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use crate::{Optimize, State, StateError, Synapses};

/// Name of the prediction weights.
pub const W_PRED: &str = "w_pred";
/// Name of the retrodiction weights.
pub const W_RETRO: &str = "w_retro";

/// What a rule keeps in one layer: plastic lateral weights, and statistics that it estimates.
///
/// A rule decides what there is: [`Rule`](crate::Rule) has W_pred `[K, target channel, context channel]`,
/// which carries the context's prediction to the dendrites of the predicted neurons, and perhaps W_retro
/// `[K, context channel, target channel]`, which carries the way back; a Hebbian rule has nothing.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use clapp_rules::{Lateral, LateralUpdate, Optimizer, State, Synapses};
/// let device = Device::flex();
/// let w = Synapses::new(Tensor::zeros([1, 2, 2], &device));
/// let mut lateral = Lateral::default().with("w_pred", w).with_statistic("mean", Tensor::zeros([2], &device));
/// let update = LateralUpdate::default().with("w_pred", Tensor::ones([1, 2, 2], &device));
/// lateral.learn(update, &Optimizer::Plain { rate: 0.5 });
/// assert_eq!(lateral.weight("w_pred").into_data().try_to_vec::<f32>().unwrap(), [0.5; 4]);
/// let mut state = State::default();
/// lateral.save("layer1", &mut state);
/// assert!(state.tensors.contains_key("layer1.w_pred"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Lateral {
    synapses: BTreeMap<&'static str, Synapses<3>>,
    statistics: BTreeMap<&'static str, Tensor<1>>,
}

/// Changes of what a rule keeps in one layer.
#[derive(Clone, Debug, Default)]
pub struct LateralUpdate {
    deltas: BTreeMap<&'static str, Tensor<3>>,
    statistics: BTreeMap<&'static str, Tensor<1>>,
}

impl Lateral {
    /// W_pred and W_retro, each from U(±1/√target channels), as the authors' 1×1 convolutions are.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use clapp_rules::{Lateral, Purpose, WayBack, stream};
    /// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
    /// let lateral = Lateral::uniform(5, 64, 32, WayBack::OwnWeights, &Device::flex(), &mut random);
    /// assert_eq!(lateral.weight("w_pred").dims(), [5, 64, 32]);
    /// assert_eq!(lateral.weight("w_retro").dims(), [5, 32, 64]);
    /// ```
    #[must_use]
    pub fn uniform(
        steps: usize,
        target: usize,
        context: usize,
        way_back: WayBack,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let bound = 1.0 / (target as f64).sqrt();
        Self::predicting(way_back, [steps, target, context], &mut |shape| {
            Synapses::uniform(shape, bound, device, random)
        })
    }

    /// W_pred and W_retro, each from N(0, 2/target channels): Kaiming's normal distribution for the fan-out
    /// of a 1×1×1 convolution before a ReLU.
    ///
    /// # Paper
    /// `VGG_8.py` `Loss._initialize_weights`. Deviations: none.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use clapp_rules::{Lateral, Purpose, WayBack, stream};
    /// let mut random = stream(2, Purpose::Initialisation, [0; 4]);
    /// let lateral = Lateral::kaiming(3, 96, 96, WayBack::Transposed, &Device::flex(), &mut random);
    /// let variance = lateral.weight("w_pred").square().mean().into_scalar::<f32>();
    /// assert!((variance.sqrt() - 0.1443).abs() < 0.002);
    /// ```
    #[must_use]
    pub fn kaiming(
        steps: usize,
        target: usize,
        context: usize,
        way_back: WayBack,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let deviation = (2.0 / target as f64).sqrt();
        Self::predicting(way_back, [steps, target, context], &mut |shape| {
            Synapses::normal(shape, deviation, device, random)
        })
    }

    fn predicting(
        way_back: WayBack,
        [steps, target, context]: [usize; 3],
        draw: &mut dyn FnMut([usize; 3]) -> Synapses<3>,
    ) -> Self {
        let lateral = Self::default().with(W_PRED, draw([steps, target, context]));
        match way_back {
            WayBack::Transposed => lateral,
            WayBack::OwnWeights => lateral.with(W_RETRO, draw([steps, context, target])),
        }
    }

    /// The same with these weights under a name.
    #[must_use]
    pub fn with(mut self, name: &'static str, synapses: Synapses<3>) -> Self {
        self.synapses.insert(name, synapses);
        self
    }

    /// The same with this statistic under a name.
    #[must_use]
    pub fn with_statistic(mut self, name: &'static str, statistic: Tensor<1>) -> Self {
        self.statistics.insert(name, statistic);
        self
    }

    /// Lateral weights by name.
    ///
    /// # Panics
    ///
    /// If there are none of that name.
    #[must_use]
    pub fn synapses(&self, name: &str) -> &Synapses<3> {
        find(&self.synapses, "lateral weights", name)
    }

    /// Values of lateral weights.
    ///
    /// # Panics
    ///
    /// If there are none of that name.
    #[must_use]
    pub fn weight(&self, name: &str) -> Tensor<3> {
        self.synapses(name).weight()
    }

    /// A statistic by name.
    ///
    /// # Panics
    ///
    /// If there is none of that name.
    #[must_use]
    pub fn statistic(&self, name: &str) -> Tensor<1> {
        find(&self.statistics, "statistics", name).clone()
    }

    /// All lateral weights with their names, to change them.
    pub fn synapses_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Synapses<3>)> {
        self.synapses.iter_mut().map(|(name, synapses)| (*name, synapses))
    }

    /// Whether there are lateral weights of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.synapses.contains_key(name)
    }

    /// Applies the changes of all weights, and takes over new statistics.
    ///
    /// # Panics
    ///
    /// If weights have no change, a change has no weights, or a shape differs.
    pub fn learn(&mut self, update: LateralUpdate, optimizer: &dyn Optimize) {
        let (have, got): (Vec<_>, Vec<_>) =
            (self.synapses.keys().collect(), update.deltas.keys().collect());
        assert_eq!(got, have, "lateral weights: expected changes of {have:?}, got {got:?}");
        for (synapses, delta) in self.synapses.values_mut().zip(update.deltas.into_values()) {
            synapses.learn(delta, optimizer);
        }
        self.statistics.extend(update.statistics);
    }

    /// Adds everything under `{name}.{its name}`.
    pub fn save(&self, name: &str, state: &mut State) {
        for (part, synapses) in &self.synapses {
            synapses.save(&format!("{name}.{part}"), state);
        }
        for (part, statistic) in &self.statistics {
            state.tensors.insert(format!("{name}.{part}"), statistic.to_data());
        }
    }

    /// Restores what [`save`](Self::save) added.
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape. Others may have been restored by then.
    pub fn load(&mut self, name: &str, state: &State) -> Result<(), StateError> {
        for (part, synapses) in &mut self.synapses {
            synapses.load(&format!("{name}.{part}"), state)?;
        }
        for (part, statistic) in &mut self.statistics {
            let data = state.get(&format!("{name}.{part}"), statistic.dims())?.clone();
            let options = (&statistic.device(), statistic.dtype());
            *statistic = Tensor::from_data(data, options);
        }
        Ok(())
    }
}

impl LateralUpdate {
    /// The same with a change of the weights of that name.
    #[must_use]
    pub fn with(mut self, name: &'static str, delta: Tensor<3>) -> Self {
        self.deltas.insert(name, delta);
        self
    }

    /// The same with a new value of the statistic of that name.
    #[must_use]
    pub fn with_statistic(mut self, name: &'static str, statistic: Tensor<1>) -> Self {
        self.statistics.insert(name, statistic);
        self
    }

    /// Change of the weights of a name.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn delta(&self, name: &str) -> Tensor<3> {
        find(&self.deltas, "changes of lateral weights", name).clone()
    }

    /// Whether weights of that name change.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.deltas.contains_key(name)
    }
}

fn find<'a, T>(all: &'a BTreeMap<&'static str, T>, what: &str, name: &str) -> &'a T {
    let names: Vec<_> = all.keys().collect();
    all.get(name).unwrap_or_else(|| panic!("{what}: expected {name}, got {names:?}"))
}

/// Whether the way back from target to context has weights of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// It uses W_predᵀ (weight transport), or there is none.
    Transposed,
    /// It has W_retro.
    OwnWeights,
}
