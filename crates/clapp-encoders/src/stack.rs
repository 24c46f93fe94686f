//! Layers above layers, each learning from what it sees itself.

use burn::tensor::{Device, Tensor};
use clapp_random::{Purpose, stream};
use clapp_rules::{
    Contrast, Draws, GridShape, Optimizer, Predictors, Rule, State, StateError, Update, Watched,
};
use serde::{Deserialize, Serialize};

use crate::{
    Cut, EncoderConfig, EncoderError, LocalActivity, LocalConv2d, LocalLayer, PatchGrid, Persist,
};

/// Where the context of a prediction comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Context {
    /// The layer predicts itself.
    #[default]
    SameLayer,
    /// The layer above predicts the layer below; the last layer predicts itself.
    LayerAbove,
}

/// A stack of locally learning layers, with the lateral weights of each.
///
/// Nothing passes down: a layer hands its activity up and forgets it once it has learnt. The peak of
/// a step is the largest layer, not the sum of all.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_encoders::{Context, EncoderConfig, Stack};
/// use clapp_random::{Purpose, stream};
/// use clapp_rules::{Optimizer, Rule};
///
/// let device = Device::flex();
/// let rule = Rule::clapp_s();
/// let config = EncoderConfig::vgg6(1.0 / 16.0).unwrap();
/// let mut stack = Stack::init(&config, &rule, Context::SameLayer, 2, &device).unwrap();
/// let images = Tensor::<4>::random([2, 1, 64, 64], Distribution::Normal(0.0, 1.0), &device);
/// let mut random = stream(2, Purpose::Negatives, [0; 4]);
/// let watched = stack.step(images, &rule, &Optimizer::default(), &mut |_, shape| {
///     rule.draw(shape, &mut random)
/// });
/// assert_eq!(watched.len(), 6);
/// ```
#[derive(Clone, Debug)]
pub struct Stack<L = LocalConv2d, C = PatchGrid> {
    /// How raw data becomes the input of the first layer.
    pub cut: C,
    /// The layers, from the input up.
    pub layers: Vec<L>,
    /// W_pred and W_retro of every layer.
    pub predictors: Vec<Predictors>,
    /// Where contexts come from.
    pub context: Context,
}

/// Draws the pairs of one layer: its index (from 0) and the shape of its grid come in.
pub type DrawPairs<'a> = dyn FnMut(usize, GridShape) -> Vec<Draws> + 'a;

impl Stack<LocalConv2d> {
    /// Draws all weights of an encoder and of its predictors.
    ///
    /// Layer `l` draws from the stream (seed, Initialisation, [l, …]): its start does not depend on
    /// any other layer.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together, or a module has more than one layer.
    pub fn init(
        config: &EncoderConfig,
        rule: &Rule,
        context: Context,
        seed: u64,
        device: &Device,
    ) -> Result<Self, EncoderError> {
        config.validate()?;
        rule.validate(config.time())?;
        if config.modules.iter().any(|&size| size != 1) {
            return Err(EncoderError::NotLayerwise { modules: config.modules.clone() });
        }
        let channels = config.channels();
        let mut pre = config.colours;
        let mut layers = Vec::with_capacity(channels.len());
        let mut predictors = Vec::with_capacity(channels.len());
        for (l, &post) in channels.iter().enumerate() {
            let mut random = stream(seed, Purpose::Initialisation, [l as u64, 0, 0, 0]);
            layers.push(LocalConv2d::init(pre, post, config.spec(l), device, &mut random));
            let above = channels.get(l + 1).copied().unwrap_or(post);
            let source = if context == Context::LayerAbove { above } else { post };
            let mut random = stream(seed, Purpose::Initialisation, [l as u64, 1, 0, 0]);
            predictors.push(Predictors::init(
                rule.prediction_steps,
                post,
                source,
                rule.feedback.way_back(),
                device,
                &mut random,
            ));
            pre = post;
        }
        Ok(Self { cut: config.patches, layers, predictors, context })
    }
}

impl<L: Persist, C> Stack<L, C> {
    /// Adds everything that learns to `state`.
    pub fn save(&self, state: &mut State) {
        for (l, (layer, predictors)) in self.layers.iter().zip(&self.predictors).enumerate() {
            let name = format!("layer{}", l + 1);
            layer.save(&name, state);
            predictors.save(&name, state);
        }
    }

    /// Restores what [`save`](Self::save) added.
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape.
    pub fn load(&mut self, state: &State) -> Result<(), StateError> {
        for (l, (layer, predictors)) in self.layers.iter_mut().zip(&mut self.predictors).enumerate()
        {
            let name = format!("layer{}", l + 1);
            layer.load(&name, state)?;
            predictors.load(&name, state)?;
        }
        Ok(())
    }
}

impl<L: LocalLayer, C: Cut<Pieces = L::Input>> Stack<L, C> {
    /// One step of learning: every layer sees the batch, predicts, and changes its own weights.
    ///
    /// # Shapes
    /// - `raw`: images `[b, c, y, x]` for patches; returns the numbers to watch of every layer, from the
    ///   input up
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn step(
        &mut self,
        raw: C::Raw,
        rule: &Rule,
        optimizer: &Optimizer,
        draw: &mut DrawPairs<'_>,
    ) -> Vec<Watched> {
        let contrast = rule.contrast();
        self.step_with(contrast.as_ref(), raw, rule, optimizer, draw)
    }

    /// [`step`](Self::step) with a contrast of your own.
    ///
    /// # Panics
    ///
    /// As [`step`](Self::step).
    pub fn step_with(
        &mut self,
        contrast: &dyn Contrast,
        raw: C::Raw,
        rule: &Rule,
        optimizer: &Optimizer,
        draw: &mut DrawPairs<'_>,
    ) -> Vec<Watched> {
        let mut watched = Vec::with_capacity(self.layers.len());
        self.visit(contrast, raw, rule, draw, &mut |layer, predictors, learnt| {
            layer.learn(learnt.activity, learnt.modulation, optimizer);
            predictors.learn(learnt.update.predictors.clone(), optimizer);
            watched.push(learnt.update.watched());
        });
        watched
    }

    /// Walks up the stack and hands every layer what it has to learn, without deciding what to do
    /// with it: the step applies it, a test compares it.
    ///
    /// # Panics
    ///
    /// As [`step`](Self::step).
    pub fn visit(
        &mut self,
        contrast: &dyn Contrast,
        raw: C::Raw,
        rule: &Rule,
        draw: &mut DrawPairs<'_>,
        learn: &mut Learn<'_, L>,
    ) {
        let update = &mut |l: usize, seen: Seen<'_>| {
            let [batch, time, site, _] = seen.target.dims();
            let draws = draw(l, GridShape { batch, time, site });
            rule.update_with(contrast, seen.target, seen.context, seen.predictors, &draws)
        };
        self.walk(raw, update, learn);
    }

    /// [`visit`](Self::visit) with a rule of any kind: `update` turns what a layer shows into what it
    /// and its lateral weights have to learn.
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn walk(&mut self, raw: C::Raw, update: &mut Updating<'_>, learn: &mut Learn<'_, L>) {
        let input = self.cut.cut(raw);
        let last = self.layers.len() - 1;
        let mut activity = self.layers[0].forward(&input);
        drop(input);
        // What the loss of the layer below asks of this one as its context.
        let mut from_below: Option<Tensor<4>> = None;
        for l in 0..=last {
            let output = activity.output();
            // Only a context from above needs two layers' activities at a time.
            let upward = self.context == Context::LayerAbove && l < last;
            let above = upward.then(|| self.layers[l + 1].forward(&output));
            let target = activity.representation();
            let context =
                above.as_ref().map_or_else(|| target.clone(), LocalActivity::representation);
            let predictors = &mut self.predictors[l];
            let update = update(l, Seen { target, context, predictors });
            let mut modulation = if upward { update.target.clone() } else { update.modulation() };
            if let Some(from_below) = from_below.take() {
                modulation = modulation + from_below;
            }
            if upward {
                from_below = update.context.clone();
            }
            learn(&mut self.layers[l], predictors, Learnt { activity, modulation, update });
            if l == last {
                break;
            }
            activity = above.unwrap_or_else(|| self.layers[l + 1].forward(&output));
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
        let mut input = self.cut.cut(raw);
        for (l, layer) in self.layers.iter().enumerate() {
            let activity = layer.forward(&input);
            see(l, activity.representation());
            input = activity.output();
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

/// What a rule sees of a layer.
#[derive(Debug)]
pub struct Seen<'a> {
    /// z: the representation that is predicted, `[batch, time, site, channel]`.
    pub target: Tensor<4>,
    /// c: the representation that predicts.
    pub context: Tensor<4>,
    /// The layer's lateral weights.
    pub predictors: &'a Predictors,
}

/// Turns what a layer (its index from 0) shows into an update.
pub type Updating<'a> = dyn FnMut(usize, Seen<'_>) -> Update + 'a;

/// Takes what a layer has to learn.
pub type Learn<'a, L> =
    dyn FnMut(&mut L, &mut Predictors, Learnt<<L as LocalLayer>::Activity>) + 'a;

/// What one layer has to learn in one step.
#[derive(Debug)]
pub struct Learnt<A> {
    /// Its activity.
    pub activity: A,
    /// Its modulation, `[batch, time, site, channel]`.
    pub modulation: Tensor<4>,
    /// The rule's update: lateral weights and numbers to watch.
    pub update: Update,
}
