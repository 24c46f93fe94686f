//! Phones with labels: supervised learning end to end, or greedily at every layer.

use std::ops::Range;

use burn::tensor::{Device, Tensor};
use clapp_encoders::{LocalGru, Persist, SoundEncoder};
use clapp_rules::{Optimizer, State, StateError};

use super::{
    frames::adaptive_frames,
    layers::{SoundLayers, Stop},
};
use crate::{
    LabelStep, LinearHead,
    labels::{accuracy, cross_entropy},
    parts::{Parts, number},
};

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
    /// Layers between two gradient stops.
    spans: Vec<Range<usize>>,
    heads: Vec<LinearHead>,
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
        let all = 0..encoder.layers.len();
        Self::new(encoder, std::iter::once(all).collect(), classes, device, random)
    }

    /// One read-out at every layer, each trained with that layer alone.
    #[must_use]
    pub fn greedy(
        encoder: &SoundEncoder,
        classes: usize,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let spans = (0..encoder.layers.len()).map(|l| l..l + 1).collect();
        Self::new(encoder, spans, classes, device, random)
    }

    fn new(
        encoder: &SoundEncoder,
        spans: Vec<Range<usize>>,
        classes: usize,
        device: &Device,
        random: &mut dyn rand::Rng,
    ) -> Self {
        let encoder = encoder.clone();
        let heads = spans.iter().map(|span| {
            let channels = SoundLayers::of(&encoder, span.clone()).channels();
            LinearHead::init(channels, classes, device, random)
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
    ) -> LabelStep {
        let [batch, ..] = waves.dims();
        assert!(
            labels.len().is_multiple_of(batch),
            "phones: expected as many labels for each of {batch} samples, got {}",
            labels.len()
        );
        let frames = labels.len() / batch;
        let tracked = |span: &Range<usize>| SoundLayers::of(&self.encoder, span.clone()).tracked();
        let layers: Vec<SoundLayers> = self.spans.iter().map(tracked).collect();
        let heads = self.heads.tracked();
        let mut below = waves.clone().inner().autodiff().swap_dims(1, 2);
        let (mut losses, mut accuracies) = (Vec::new(), Vec::new());
        for (layers, head) in layers.iter().zip(&heads) {
            let (output, context) = layers.forward(below.detach(), Stop::Nowhere);
            let logits = read_out(head, context, frames);
            let [_, _, classes] = logits.dims();
            let logits = logits.reshape([batch * frames, classes]);
            accuracies.push(accuracy(&logits.clone().inner(), labels));
            losses.push(cross_entropy(logits, labels));
            below = output;
        }
        let gradients = Tensor::cat(losses.clone(), 0).sum().backward();
        let (by_layers, by_heads) = (layers.gradients(&gradients), heads.gradients(&gradients));
        drop((layers, heads));
        for (span, gradients) in self.spans.iter().zip(by_layers) {
            gradients.descend_into(&mut self.encoder, span.start, optimizer);
        }
        self.heads.descend(&by_heads, optimizer);
        LabelStep { losses: losses.iter().map(number).collect(), accuracies }
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
            let layers = SoundLayers::of(&self.encoder, span.clone());
            let (output, context) = layers.forward(below, Stop::Nowhere);
            all.push(read_out(head, context, frames));
            below = output;
        }
        all
    }

    /// Adds everything that learns to `state`.
    pub fn save(&self, state: &mut State) {
        self.encoder.save(state);
        for (place, head) in self.heads.iter().enumerate() {
            head.save(&format!("head{}", place + 1), state);
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
            head.load(&format!("head{}", place + 1), state)?;
        }
        Ok(())
    }
}

/// Logits of frames at the rate of labels, `[batch, frames, class]`.
fn read_out(head: &LinearHead, context: Tensor<3>, frames: usize) -> Tensor<3> {
    let [classes, channels] = head.weight.weight().dims();
    let context = adaptive_frames(context, frames);
    let weight = head.weight.weight().reshape([1, classes, channels]).swap_dims(1, 2);
    context.matmul(weight) + head.bias.weight().reshape([1, 1, classes])
}

impl SoundLayers {
    /// Channels of its last layer.
    fn channels(&self) -> usize {
        let last = self.convolutions.last().map(|layer| layer.bias.weight().dims()[0]);
        self.recurrent.as_ref().map(LocalGru::units).or(last).expect("an encoder has layers")
    }
}
