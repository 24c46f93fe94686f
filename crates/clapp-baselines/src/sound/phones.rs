//! Phones with labels: supervised learning end to end, or greedily at every layer.

use std::ops::Range;

use burn::tensor::{Device, Tensor};
use clapp_encoders::{LocalConv1d, LocalGru, SoundEncoder};
use clapp_rules::{Optimizer, State, StateError, Synapses};

use super::{
    frames::{adaptive_frames, cross_entropy},
    layers::Stop,
    weights::{Weights, descend, number},
};
use crate::oracle::{gradient, leaf};

/// A linear read-out of phones from frames.
#[derive(Clone, Debug)]
pub struct Head {
    /// W, `[class, channel]`.
    pub weight: Synapses<2>,
    /// b, `[class]`.
    pub bias: Synapses<1>,
}

/// Layers between two gradient stops: some convolutions, and the recurrent layer or not.
#[derive(Clone, Debug)]
struct Span {
    convolutions: Range<usize>,
    recurrent: bool,
}

/// An encoder of sound that learns phones from labels.
///
/// ```text
/// logits = W c + b at every labelled frame        L = −⟨log softmax(logits)_label⟩
/// ```
///
/// Frames c are averaged to the rate of the labels. Greedy: every layer has a read-out and a loss of its
/// own, and gradients stop between layers.
///
/// # Paper
/// Illing et al. 2021, Table 1, supervised and greedy supervised on LibriSpeech; Löwe et al. 2019,
/// `loss_supervised_phones.py`. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_baselines::sound::PhoneLearner;
/// use clapp_encoders::SoundConfig;
/// use clapp_rules::{Optimizer, Purpose, Rule, stream};
/// let (device, mut random) = (Device::flex(), stream(2, Purpose::Test, [0; 4]));
/// let config = SoundConfig { samples: 2560, ..SoundConfig::paper(1.0 / 64.0).unwrap() };
/// let encoder = config.init(&Rule::clapp_s_sound(), 2, &device).unwrap();
/// let mut learner = PhoneLearner::greedy(&encoder, 41, &device, &mut random);
/// let waves = Tensor::random([2, 1, 2560], Distribution::Normal(0.0, 1.0), &device);
/// let step = learner.step(&waves, &[0; 32], &Optimizer::adam(2e-4));
/// assert_eq!(step.losses.len(), 6); // five convolutions and the recurrent layer
/// assert_eq!(learner.logits(&waves, 16).last().unwrap().dims(), [2, 16, 41]);
/// ```
#[derive(Clone, Debug)]
pub struct PhoneLearner {
    /// The encoder; its lateral weights take no part.
    pub encoder: SoundEncoder,
    spans: Vec<Span>,
    heads: Vec<Head>,
}

/// What one step of [`PhoneLearner`] was like.
#[derive(Clone, Debug, PartialEq)]
pub struct PhoneStep {
    /// Cross-entropy of every read-out.
    pub losses: Vec<f64>,
    /// Fraction of frames that every read-out names rightly.
    pub accuracies: Vec<f64>,
}

impl PhoneLearner {
    /// One read-out on top, trained together with all layers.
    #[must_use]
    pub fn end_to_end(
        encoder: &SoundEncoder,
        classes: usize,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let convolutions = 0..encoder.convolutions.layers.len();
        let all = Span { convolutions, recurrent: encoder.recurrent.is_some() };
        Self::new(encoder, vec![all], classes, device, random)
    }

    /// One read-out at every layer, each trained with that layer alone.
    #[must_use]
    pub fn greedy(
        encoder: &SoundEncoder,
        classes: usize,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let layers = encoder.convolutions.layers.len();
        let mut spans: Vec<Span> =
            (0..layers).map(|l| Span { convolutions: l..l + 1, recurrent: false }).collect();
        if encoder.recurrent.is_some() {
            spans.push(Span { convolutions: layers..layers, recurrent: true });
        }
        Self::new(encoder, spans, classes, device, random)
    }

    fn new(
        encoder: &SoundEncoder,
        spans: Vec<Span>,
        classes: usize,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let encoder = encoder.clone();
        let heads = spans.iter().map(|span| {
            let channels = span.channels(&encoder);
            Head::init(channels, classes, device, random)
        });
        let heads = heads.collect();
        Self { encoder, spans, heads }
    }

    /// One step of learning.
    ///
    /// # Shapes
    /// - `waves`: `[batch, 1, samples]`; `labels`: `batch · frames` classes, sample by sample
    ///
    /// # Panics
    ///
    /// If the labels are no multiple of the batch, or no classes.
    pub fn step(
        &mut self,
        waves: &Tensor<3>,
        labels: &[usize],
        optimizer: &Optimizer,
    ) -> PhoneStep {
        let [batch, ..] = waves.dims();
        assert!(
            labels.len().is_multiple_of(batch),
            "phones: expected as many labels for each of {batch} samples, got {}",
            labels.len()
        );
        let frames = labels.len() / batch;
        let weights =
            |span: &Span| Weights::tracked(span.layers(&self.encoder), span.gru(&self.encoder));
        let tracked: Vec<Weights> = self.spans.iter().map(weights).collect();
        let leaves = |head: &Head| (leaf(&head.weight.weight()), leaf(&head.bias.weight()));
        let heads: Vec<_> = self.heads.iter().map(leaves).collect();
        let mut below = waves.clone().inner().autodiff().swap_dims(1, 2);
        let (mut losses, mut accuracies) = (Vec::new(), Vec::new());
        for (weights, head) in tracked.iter().zip(&heads) {
            let (output, context) = weights.forward(below.detach(), Stop::Nowhere);
            let logits = read_out(head, context, frames);
            let [_, _, classes] = logits.dims();
            let logits = logits.reshape([batch * frames, classes]);
            accuracies.push(accuracy(&logits.clone().inner(), labels));
            losses.push(cross_entropy(logits, labels));
            below = output;
        }
        let gradients = Tensor::cat(losses.clone(), 0).sum().backward();
        let spans = self.spans.iter().zip(&mut self.heads).zip(tracked.iter().zip(&heads));
        for ((span, head), (weights, (weight, bias))) in spans {
            let stack = &mut self.encoder.convolutions;
            let top = self.encoder.recurrent.as_mut().filter(|_| span.recurrent);
            let (layers, gru) = (span.convolutions.clone(), top.map(|top| &mut top.gru));
            let changes = weights.gradients(&gradients);
            descend(&mut stack.layers[layers], gru, changes, optimizer);
            head.weight.learn(-gradient(weight, &gradients), optimizer);
            head.bias.learn(-gradient(bias, &gradients), optimizer);
        }
        PhoneStep { losses: losses.iter().map(number).collect(), accuracies }
    }

    /// Logits of every read-out, `[batch, frames, class]`.
    ///
    /// # Shapes
    /// - `waves`: `[batch, 1, samples]`
    #[must_use]
    pub fn logits(&self, waves: &Tensor<3>, frames: usize) -> Vec<Tensor<3>> {
        let mut below = waves.clone().swap_dims(1, 2);
        let mut all = Vec::with_capacity(self.spans.len());
        for (span, head) in self.spans.iter().zip(&self.heads) {
            let weights = Weights::of(span.layers(&self.encoder), span.gru(&self.encoder));
            let (output, context) = weights.forward(below, Stop::Nowhere);
            let head = (head.weight.weight(), head.bias.weight());
            all.push(read_out(&head, context, frames));
            below = output;
        }
        all
    }

    /// Adds everything that learns to `state`.
    pub fn save(&self, state: &mut State) {
        self.encoder.save(state);
        for (place, head) in self.heads.iter().enumerate() {
            head.weight.save(&format!("head{}.weight", place + 1), state);
            head.bias.save(&format!("head{}.bias", place + 1), state);
        }
    }

    /// Restores what [`save`](Self::save) added.
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape.
    pub fn load(&mut self, state: &State) -> Result<(), StateError> {
        self.encoder.load(state)?;
        for (place, head) in self.heads.iter_mut().enumerate() {
            head.weight.load(&format!("head{}.weight", place + 1), state)?;
            head.bias.load(&format!("head{}.bias", place + 1), state)?;
        }
        Ok(())
    }
}

/// Fraction of rows whose largest logit is that of their label.
fn accuracy(logits: &Tensor<2>, labels: &[usize]) -> f64 {
    let named: Vec<i64> = logits.clone().argmax(1).into_data().iter::<i64>().collect();
    let right = named.iter().zip(labels).filter(|&(&named, &label)| named == label as i64);
    right.count() as f64 / labels.len().max(1) as f64
}

impl Head {
    /// U(±1/√channels), as a linear layer of other libraries.
    fn init(channels: usize, classes: usize, device: &Device, random: &mut dyn rand::Rng) -> Self {
        let bound = 1.0 / (channels as f64).sqrt();
        Self {
            weight: Synapses::uniform([classes, channels], bound, device, random),
            bias: Synapses::uniform([classes], bound, device, random),
        }
    }
}

impl Span {
    fn layers<'a>(&self, encoder: &'a SoundEncoder) -> &'a [LocalConv1d] {
        &encoder.convolutions.layers[self.convolutions.clone()]
    }

    fn gru<'a>(&self, encoder: &'a SoundEncoder) -> Option<&'a LocalGru> {
        encoder.recurrent.as_ref().filter(|_| self.recurrent).map(|top| &top.gru)
    }

    /// Channels of its last layer.
    fn channels(&self, encoder: &SoundEncoder) -> usize {
        let last = self.layers(encoder).last().map(|layer| layer.bias.weight().dims()[0]);
        self.gru(encoder).map(LocalGru::units).or(last).expect("an encoder has layers")
    }
}

/// Logits of frames at the rate of labels, `[batch, frames, class]`.
fn read_out(head: &(Tensor<2>, Tensor<1>), context: Tensor<3>, frames: usize) -> Tensor<3> {
    let (weight, bias) = head;
    let [classes, channels] = weight.dims();
    let context = adaptive_frames(context, frames);
    let weight = weight.clone().reshape([1, classes, channels]).swap_dims(1, 2);
    context.matmul(weight) + bias.clone().reshape([1, 1, classes])
}
