//! Layers above layers, each learning from what it sees itself.

use std::ops::Range;

use burn::tensor::{Device, Tensor};
use clapp_random::{Purpose, stream};
use clapp_rules::{
    Extent, GridShape, Lateral, LateralUpdate, Metrics, Modulation, Optimize, Plasticity, Rows,
    Seen, Shown, State, StateError, Update,
};
use serde::{Deserialize, Serialize};

use crate::{
    Cut, EncoderConfig, EncoderError, Layer, LayerPlan, LocalActivity, LocalConv2d, LocalLayer,
    PatchGrid, Persist, Statistics, TriangleConv2d,
};

/// Where the context of a prediction comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Context {
    /// The layer predicts itself.
    #[default]
    SameLayer,
    /// The layer above predicts the layer below; the last layer predicts itself.
    LayerAbove,
    /// The last layer predicts all.
    Top,
    /// The last layer predicts all, and every layer itself as well: two predictions of each layer, with lateral
    /// weights and draws of their own.
    TopAndSameLayer,
}

impl Context {
    /// The layer that predicts layer `target` of `layers`.
    ///
    /// # Panics
    ///
    /// Of [`TopAndSameLayer`](Self::TopAndSameLayer), because there are two.
    #[must_use]
    pub fn of(self, target: usize, layers: usize) -> usize {
        match self {
            Self::SameLayer => target,
            Self::LayerAbove => (target + 1).min(layers - 1),
            Self::Top => layers - 1,
            Self::TopAndSameLayer => {
                panic!("context: expected one prediction of each layer, got two; see predictions")
            }
        }
    }

    /// All predictions of a stack of `layers`, as `[target, context]`, in their order.
    ///
    /// ```
    /// use clapp_encoders::Context;
    /// assert_eq!(Context::Top.predictions(2), [[0, 1], [1, 1]]);
    /// assert_eq!(Context::TopAndSameLayer.predictions(2), [[0, 1], [1, 1], [0, 0], [1, 1]]);
    /// ```
    #[must_use]
    pub fn predictions(self, layers: usize) -> Vec<[usize; 2]> {
        let once = |context: Self| (0..layers).map(move |l| [l, context.of(l, layers)]);
        match self {
            Self::TopAndSameLayer => once(Self::Top).chain(once(Self::SameLayer)).collect(),
            one => once(one).collect(),
        }
    }
}

/// One prediction of a stack: which layer is predicted, by which, and what the rule keeps for it.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// Name under which lateral weights are saved.
    pub name: String,
    /// Layer that is predicted, from 0.
    pub target: usize,
    /// Layer that predicts.
    pub context: usize,
    /// Whether the predicted layer learns from it.
    pub target_learns: bool,
    /// Lateral weights and statistics.
    pub lateral: Lateral,
}

impl Prediction {
    /// A layer (from 0) that predicts itself, under the name of a stack's own layers.
    #[must_use]
    pub fn of_itself(layer: usize, lateral: Lateral) -> Self {
        let name = format!("layer{}", layer + 1);
        Self { name, target: layer, context: layer, target_learns: true, lateral }
    }
}

/// A stack of locally learning layers, and who predicts whom.
///
/// Nothing passes down: a layer hands its activity up and forgets it once it has learnt. Where layers predict
/// themselves, the peak of a step is the largest layer, not the sum of all; a context from above keeps the
/// layers between.
///
/// Layers of one kind are a `Stack<LocalConv2d>`, unlike ones a `Stack<Box<dyn Layer>>`.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_encoders::{Context, EncoderConfig, Stack};
/// use clapp_random::{Purpose, stream};
/// use clapp_rules::{Optimizer, Plasticity, Rule};
///
/// let device = Device::flex();
/// let rule = Rule::clapp_s();
/// let config = EncoderConfig::vgg6(1.0 / 16.0).unwrap();
/// let mut stack = Stack::init(&config, &rule, Context::SameLayer, 2, &device).unwrap();
/// let images = Tensor::<4>::random([2, 1, 64, 64], Distribution::Normal(0.0, 1.0), &device);
/// let mut random = stream(2, Purpose::Negatives, [0; 4]);
/// let metrics = stack.step(images, &rule, &Optimizer::default(), &mut |_, grid| {
///     rule.pairs(grid, &mut random)
/// });
/// assert_eq!(metrics.len(), 6);
/// ```
#[derive(Clone, Debug)]
pub struct Stack<L = LocalConv2d, C = PatchGrid> {
    /// How raw data becomes the input of the first layer.
    pub cut: C,
    /// The layers, from the input up.
    pub layers: Vec<L>,
    /// Names under which layers are saved.
    pub names: Vec<String>,
    /// Who predicts whom.
    pub predictions: Vec<Prediction>,
}

/// Draws the pairs of one prediction: its index (from 0) and the shape of its grid come in.
pub type DrawPairs<'a> = dyn FnMut(usize, GridShape) -> Vec<Rows> + 'a;

/// What one step has to teach: handed out as soon as it is known, before it is applied.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is taken apart at once"
)]
#[derive(Debug)]
pub enum Learnt<'a, L: LocalLayer> {
    /// Lateral weights of a prediction.
    Lateral {
        /// Index of the prediction.
        prediction: usize,
        /// Its lateral weights.
        lateral: &'a mut Lateral,
        /// Their changes.
        update: LateralUpdate,
        /// Metrics of the update.
        metrics: Metrics,
    },
    /// A layer, once all predictions in which it takes part are made.
    Layer {
        /// Index of the layer.
        index: usize,
        /// The layer.
        layer: &'a mut L,
        /// Its activity.
        activity: L::Activity,
        /// How strongly its neurons change.
        told: Modulation,
    },
}

impl Stack<LocalConv2d> {
    /// Draws all weights of an encoder of rectified layers, and what the rule keeps in each layer.
    ///
    /// Layer `l` draws from the stream (seed, Initialisation, [l, …]): its start does not depend on
    /// any other layer.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together or to the rule, a module has more than one layer, or a layer is
    /// of another kind.
    pub fn init(
        config: &EncoderConfig,
        rule: &dyn Plasticity,
        context: Context,
        seed: u64,
        device: &Device,
    ) -> Result<Self, EncoderError> {
        let make = |l: usize, pre, random: &mut dyn rand::Rng| match config.layers[l] {
            LayerPlan::Competing(_) => Err(EncoderError::Unlike { layer: l + 1 }),
            plan => Ok(LocalConv2d::init(pre, plan.channels(), config.spec(l), device, random)),
        };
        Self::of(config, rule, context, seed, device, &make)
    }
}

impl Stack<Box<dyn Layer>> {
    /// [`init`](Stack::init) for layers of any kind.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together or to the rule, or a module has more than one layer.
    pub fn images(
        config: &EncoderConfig,
        rule: &dyn Plasticity,
        context: Context,
        seed: u64,
        device: &Device,
    ) -> Result<Self, EncoderError> {
        let make = |l: usize, pre, random: &mut dyn rand::Rng| {
            Ok::<Box<dyn Layer>, _>(match config.layers[l] {
                LayerPlan::Competing(plan) => {
                    let mut layer = TriangleConv2d::init(pre, plan, device, random);
                    layer.arithmetic = config.arithmetic;
                    Box::new(layer)
                }
                plan => {
                    let spec = config.spec(l);
                    Box::new(LocalConv2d::init(pre, plan.channels(), spec, device, random))
                }
            })
        };
        Self::of(config, rule, context, seed, device, &make)
    }
}

/// Draws layer `l` for so many input channels.
type Make<'a, L> = dyn Fn(usize, usize, &mut dyn rand::Rng) -> Result<L, EncoderError> + 'a;

impl<L> Stack<L> {
    fn of(
        config: &EncoderConfig,
        rule: &dyn Plasticity,
        context: Context,
        seed: u64,
        device: &Device,
        make: &Make<'_, L>,
    ) -> Result<Self, EncoderError> {
        config.validate()?;
        rule.check(config.time())?;
        rule.check_layers(config.layers.len())?;
        if config.modules.iter().any(|&size| size != 1) {
            return Err(EncoderError::NotLayerwise { modules: config.modules.clone() });
        }
        let mut pre = config.colours;
        let mut layers = Vec::with_capacity(config.layers.len());
        for (l, plan) in config.layers.iter().enumerate() {
            let mut random = stream(seed, Purpose::Initialisation, [l as u64, 0, 0, 0]);
            layers.push(make(l, pre, &mut random)?);
            pre = plan.channels();
        }
        let extents = config.extents_for(rule)?;
        Ok(Self::new(config.patches, layers).predicting(rule, context, &extents, seed, device))
    }
}

impl<L, C> Stack<L, C> {
    /// Layers without predictions, named `layer1`, `layer2`, …
    #[must_use]
    pub fn new(cut: C, layers: Vec<L>) -> Self {
        let names = (1..=layers.len()).map(|layer| format!("layer{layer}")).collect();
        Self { cut, layers, names, predictions: Vec::new() }
    }

    /// The same with every layer predicted, by a rule whose lateral weights are drawn from the streams
    /// (seed, Initialisation, [prediction, 1, …]).
    ///
    /// A layer's first prediction has the layer's name, a second one `LAYER.second`.
    ///
    /// # Panics
    ///
    /// If there is not an extent for each layer.
    #[must_use]
    pub fn predicting(
        mut self,
        rule: &dyn Plasticity,
        context: Context,
        extents: &[Extent],
        seed: u64,
        device: &Device,
    ) -> Self {
        let layers = self.layers.len();
        assert_eq!(
            extents.len(),
            layers,
            "stack: expected an extent for each of {layers} layers, got {}",
            extents.len()
        );
        for prediction in context.predictions(layers) {
            self.predict(rule, prediction, extents, seed, device);
        }
        self
    }

    /// Adds the prediction of one layer by another, named as the next layer without one, or with one.
    pub(crate) fn predict(
        &mut self,
        rule: &dyn Plasticity,
        [target, context]: [usize; 2],
        extents: &[Extent],
        seed: u64,
        device: &Device,
    ) {
        let index = self.predictions.len();
        let mut random = stream(seed, Purpose::Initialisation, [index as u64, 1, 0, 0]);
        let lateral = rule.lateral(extents[target], extents[context], device, &mut random);
        let name = match self.names.get(index) {
            Some(name) => name.clone(),
            None => format!("{}.second", self.names[index - self.names.len()]),
        };
        self.predictions.push(Prediction { name, target, context, target_learns: true, lateral });
    }
}

impl<L, C> Stack<L, C> {
    /// The layer after whose activity the last prediction of layer `index` is made, if it takes part in any.
    fn last_prediction(&self, index: usize) -> Option<usize> {
        let own = self.predictions.iter().filter(|p| p.target == index || p.context == index);
        own.map(|p| p.target.max(p.context)).max()
    }
}

impl<C> Stack<Box<dyn Layer>, C> {
    /// A layer as what it is.
    ///
    /// # Panics
    ///
    /// If it is of another kind.
    #[must_use]
    pub fn layer<L: 'static>(&self, index: usize) -> &L {
        let layer = self.layers[index].downcast_ref();
        layer.unwrap_or_else(|| {
            panic!("stack: expected layer {index} of another kind, got {:?}", self.layers[index])
        })
    }

    /// A layer as what it is, to change it.
    ///
    /// # Panics
    ///
    /// If it is of another kind.
    #[must_use]
    pub fn layer_mut<L: 'static>(&mut self, index: usize) -> &mut L {
        let layer = self.layers[index].downcast_mut();
        layer.unwrap_or_else(|| panic!("stack: expected layer {index} of another kind"))
    }
}

impl<L: Persist, C> Stack<L, C> {
    /// Adds everything that learns to `state`.
    pub fn save(&self, state: &mut State) {
        for (layer, name) in self.layers.iter().zip(&self.names) {
            layer.save(name, state);
        }
        for prediction in &self.predictions {
            prediction.lateral.save(&prediction.name, state);
        }
    }

    /// Restores what [`save`](Self::save) added.
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape.
    pub fn load(&mut self, state: &State) -> Result<(), StateError> {
        for (layer, name) in self.layers.iter_mut().zip(&self.names) {
            layer.load(name, state)?;
        }
        for prediction in &mut self.predictions {
            prediction.lateral.load(&prediction.name, state)?;
        }
        Ok(())
    }
}

/// A layer in a step: its activity, and the sum of its modulations so far.
struct InStep<A> {
    activity: A,
    told: Option<Modulation>,
}

impl<L: LocalLayer, C: Cut> Stack<L, C>
where
    C::Pieces: Into<L::Input>,
{
    /// One step of learning: every layer sees the batch, predicts, and changes its own weights.
    ///
    /// # Shapes
    /// - `raw`: images `[b, c, y, x]` for patches; returns the metrics of every prediction
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn step(
        &mut self,
        raw: C::Raw,
        rule: &dyn Plasticity,
        optimizer: &dyn Optimize,
        draw: &mut DrawPairs<'_>,
    ) -> Vec<Metrics> {
        self.step_by(raw, rule, &|_| optimizer, draw)
    }

    /// [`step`](Self::step) with an optimizer for each layer; lateral weights take that of the layer that they
    /// predict.
    ///
    /// # Panics
    ///
    /// As [`step`](Self::step).
    pub fn step_by<'a>(
        &mut self,
        raw: C::Raw,
        rule: &dyn Plasticity,
        optimizer: &dyn Fn(usize) -> &'a dyn Optimize,
        draw: &mut DrawPairs<'_>,
    ) -> Vec<Metrics> {
        self.step_of(0..self.layers.len(), raw, rule, optimizer, draw)
    }

    /// [`step_by`](Self::step_by) of some layers alone: those below are frozen, those above not computed.
    ///
    /// A frozen layer is a function of its input: from now on it normalises with the running statistics that it
    /// has, and these follow nothing, so that the layer above learns from what it will be read out behind. The
    /// metrics are those of the predictions among the layers that learn.
    ///
    /// # Panics
    ///
    /// As [`step`](Self::step); if there are no such layers, or a prediction joins one that learns to one that
    /// does not.
    pub fn step_of<'a>(
        &mut self,
        learning: Range<usize>,
        raw: C::Raw,
        rule: &dyn Plasticity,
        optimizer: &dyn Fn(usize) -> &'a dyn Optimize,
        draw: &mut DrawPairs<'_>,
    ) -> Vec<Metrics> {
        let targets: Vec<usize> = self.predictions.iter().map(|of| of.target).collect();
        let mut all = Vec::with_capacity(self.predictions.len());
        self.walk(learning, raw, rule, draw, &mut |learnt| match learnt {
            Learnt::Lateral { prediction, lateral, update, metrics } => {
                lateral.learn(update, optimizer(targets[prediction]));
                all.push((prediction, metrics));
            }
            Learnt::Layer { index, layer, activity, told } => {
                layer.learn(activity, told, optimizer(index));
            }
        });
        all.sort_by_key(|(prediction, _)| *prediction);
        all.into_iter().map(|(_, metrics)| metrics).collect()
    }

    /// Walks up the stack and hands out what there is to learn, without deciding what to do with it: the
    /// step applies it, a test compares it.
    ///
    /// A prediction is made as soon as both of its layers are active; a layer is handed out, and its activity
    /// with it, after the last prediction in which it takes part.
    ///
    /// # Panics
    ///
    /// As [`step`](Self::step).
    pub fn visit(
        &mut self,
        raw: C::Raw,
        rule: &dyn Plasticity,
        draw: &mut DrawPairs<'_>,
        learn: &mut dyn FnMut(Learnt<'_, L>),
    ) {
        self.walk(0..self.layers.len(), raw, rule, draw, learn);
    }

    fn walk(
        &mut self,
        learning: Range<usize>,
        raw: C::Raw,
        rule: &dyn Plasticity,
        draw: &mut DrawPairs<'_>,
        learn: &mut dyn FnMut(Learnt<'_, L>),
    ) {
        let joins = |p: &&Prediction| learning.contains(&p.target) != learning.contains(&p.context);
        if let Some(Prediction { target, context, .. }) = self.predictions.iter().find(joins) {
            panic!(
                "stack: expected predictions among the layers {learning:?} that learn, got one of {target} by {context}"
            );
        }
        let mut signal: L::Input = self.cut.cut(raw).into();
        for frozen in &mut self.layers[..learning.start] {
            frozen.normalise_by(Statistics::Running);
            signal = frozen.forward(&signal).output();
        }
        let mut active: Vec<Option<InStep<L::Activity>>> = Vec::with_capacity(learning.end);
        active.resize_with(learning.start, || None);
        for l in learning {
            let activity = self.layers[l].forward(&signal);
            signal = activity.output();
            active.push(Some(InStep { activity, told: None }));
            for (index, prediction) in self.predictions.iter_mut().enumerate() {
                if prediction.target.max(prediction.context) == l {
                    let (update, metrics) = predict(index, prediction, &mut active, rule, draw);
                    let (prediction, lateral) = (index, &mut prediction.lateral);
                    learn(Learnt::Lateral { prediction, lateral, update, metrics });
                }
            }
            for (index, active) in active.iter_mut().enumerate() {
                if self.last_prediction(index) != Some(l) {
                    continue;
                }
                if let Some(InStep { activity, told }) = active.take() {
                    // A layer that serves only as a blocked context has no modulation.
                    let shown = rule.shows_layer(index);
                    let silence = || Modulation {
                        shown,
                        ..Modulation::from(activity.show(shown).zeros_like())
                    };
                    let told = told.unwrap_or_else(silence);
                    learn(Learnt::Layer { index, layer: &mut self.layers[index], activity, told });
                }
            }
        }
    }

    /// Shows the representation `[batch, time, site, channel]` of every layer, from the input up.
    ///
    /// One layer's activity is in memory at a time.
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn look(&self, raw: C::Raw, see: &mut dyn FnMut(usize, Tensor<4>)) {
        self.look_at(raw, Shown::Patch, see);
    }

    /// [`look`](Self::look) at another resolution.
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn look_at(&self, raw: C::Raw, shown: Shown, see: &mut dyn FnMut(usize, Tensor<4>)) {
        self.look_with(raw, &|_| shown, see);
    }

    /// [`look`](Self::look) at what a rule sees: every layer at the resolution at which it is shown to it.
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn look_as(
        &self,
        raw: C::Raw,
        rule: &dyn Plasticity,
        see: &mut dyn FnMut(usize, Tensor<4>),
    ) {
        self.look_with(raw, &|layer| rule.shows_layer(layer), see);
    }

    fn look_with(
        &self,
        raw: C::Raw,
        shown: &dyn Fn(usize) -> Shown,
        see: &mut dyn FnMut(usize, Tensor<4>),
    ) {
        let mut input: L::Input = self.cut.cut(raw).into();
        for (l, layer) in self.layers.iter().enumerate() {
            let activity = layer.forward(&input);
            see(l, activity.show(shown(l)));
            input = activity.output();
        }
    }

    /// The same for read-outs: normalised with running statistics, so that an answer does not depend on what
    /// else is in the batch. Weights are shared until either learns.
    #[must_use]
    pub fn frozen(&self) -> Self
    where
        Self: Clone,
    {
        let mut frozen = self.clone();
        frozen.layers.iter_mut().for_each(|layer| layer.normalise_by(Statistics::Running));
        frozen
    }

    /// Lets the running statistics of every layer follow a batch, without any learning: what an untrained
    /// network needs to be compared with a trained one.
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn observe(&mut self, raw: C::Raw) {
        let mut signal: L::Input = self.cut.cut(raw).into();
        for layer in &mut self.layers {
            let activity = layer.forward(&signal);
            signal = activity.output();
            layer.observe(&activity);
        }
    }

    /// What every layer hands to the next, from the input up; one layer's is in memory at a time.
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn hand_up(&self, raw: C::Raw, see: &mut dyn FnMut(usize, &L::Input)) {
        let mut signal: L::Input = self.cut.cut(raw).into();
        for (l, layer) in self.layers.iter().enumerate() {
            signal = layer.forward(&signal).output();
            see(l, &signal);
        }
    }

    /// Features of every layer: the mean of its representation over time and sites.
    ///
    /// # Shapes
    /// - `raw`: images `[b, c, y, x]` for patches; returns one `[b, channel]` per layer
    ///
    /// # Paper
    /// Illing et al. 2021, Sec. 4; `ClassificationModel.py` (7×7 average pool).
    #[must_use]
    pub fn features(&self, raw: C::Raw) -> Vec<Tensor<2>> {
        let mut features = Vec::with_capacity(self.layers.len());
        self.look(raw, &mut |_, grid| {
            let [batch, time, site, channels] = grid.dims();
            let positions = grid.reshape([batch, time * site, channels]);
            features.push(positions.mean_dim(1).reshape([batch, channels]));
        });
        features
    }
}

/// Makes one prediction: tells the layers that take part, and returns what remains.
fn predict<A: LocalActivity>(
    index: usize,
    prediction: &Prediction,
    active: &mut [Option<InStep<A>>],
    rule: &dyn Plasticity,
    draw: &mut DrawPairs<'_>,
) -> (LateralUpdate, Metrics) {
    let &Prediction { target, context, target_learns, ref lateral, .. } = prediction;
    let show = |index: usize| {
        let layer = active[index].as_ref();
        let shown = rule.shows_layer(index);
        layer.expect("a layer is kept until its last prediction").activity.show(shown)
    };
    let seen = show(target);
    let [batch, time, site, _] = seen.dims();
    let rows = draw(index, GridShape { batch, time, site });
    let from = (context != target).then(|| show(context));
    let seen = Seen { layer: target, target: seen, context: from, lateral, rows: &rows };
    let Update { target: forward, context: back, post, decay, lateral, metrics } =
        rule.changes(seen);
    let mut tell = |index: usize, m: Tensor<4>, decay: Option<Tensor<1>>| {
        let shown = rule.shows_layer(index);
        let layer = active[index].as_mut().expect("a layer is kept until its last prediction");
        layer.told = Some(match layer.told.take() {
            Some(told) => {
                let decay = [told.decay, decay].into_iter().flatten().reduce(|a, b| a + b);
                Modulation { m: told.m + m, decay, ..told }
            }
            None => Modulation { m, shown, post, decay },
        });
    };
    if let Some(back) = back {
        // A decay belongs to the predicted neurons.
        tell(context, back, None);
    }
    if target_learns {
        tell(target, forward, decay);
    }
    (lateral, metrics)
}
