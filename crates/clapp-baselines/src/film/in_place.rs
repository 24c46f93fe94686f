//! Comparisons that change a video encoder in place of its own rules.

use burn::tensor::Tensor;
use clapp_encoders::{LocalConv3d, Stack, Uncut};
use clapp_rules::{AllPairs, Draws, Optimizer};

use super::{ClassifierHead, FilmClassifier, FilmTrainer, Rates};

/// One step of an encoder down one loss at its last block, back-propagated through all blocks: CPC with
/// InfoNCE, Hinge Loss CPC with the hinge. Returns the loss.
///
/// Lateral weights of the other blocks take no part and stay as they are.
///
/// # Shapes
/// - `clips`: `[b, colour, t, y, x]`; `draws`: coins of the last block, as from [`AllPairs::draw`]
///
/// # Panics
///
/// If a shape does not fit, or the encoder has no block.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_baselines::film::step_end_to_end;
/// use clapp_encoders::{Stack, VideoConfig};
/// use clapp_rules::{AllPairs, Optimizer, Purpose, stream};
/// let (device, rule) = (Device::flex(), AllPairs::clapp_s());
/// let config = VideoConfig { frames: 36, size: 67, ..VideoConfig::vgg5(1.0 / 32.0)? };
/// let mut encoder = Stack::video(&config, &rule, 2, &device)?;
/// let clips = Tensor::<5>::random([2, 3, 36, 67, 67], Distribution::Normal(0.0, 1.0), &device);
/// let draws = rule.draw([2, 4, 1].into(), &mut stream(2, Purpose::Negatives, [0; 4]));
/// let loss = step_end_to_end(&mut encoder, &clips, &rule, &Optimizer::adam(1e-3), draws);
/// assert!(loss.is_finite());
/// # Ok::<(), clapp_encoders::EncoderError>(())
/// ```
pub fn step_end_to_end(
    encoder: &mut Stack<LocalConv3d, Uncut<5>>,
    clips: &Tensor<5>,
    rule: &AllPairs,
    optimizer: &Optimizer,
    draws: Vec<Draws>,
) -> f64 {
    let layers = std::mem::take(&mut encoder.layers);
    let lateral = encoder.predictors.pop().expect("an encoder has blocks");
    let modules = vec![layers.len()];
    let mut network = FilmTrainer { layers, predictors: vec![lateral], modules, rule: *rule };
    let loss = network.step(clips, optimizer, &[draws])[0];
    encoder.layers = network.layers;
    encoder.predictors.extend(network.predictors);
    loss
}

/// One step of an encoder and a read-out of its last block down the cross-entropy of labels; returns it.
///
/// # Shapes
/// - `clips`: `[b, colour, t, y, x]`; `labels`: a class for every clip; `random` drops features
///
/// # Panics
///
/// If a shape does not fit, or a label is not a class.
pub fn step_supervised(
    encoder: &mut Stack<LocalConv3d, Uncut<5>>,
    head: &mut ClassifierHead,
    (clips, labels): (&Tensor<5>, &[usize]),
    rates: &Rates,
    random: &mut dyn rand::Rng,
) -> f64 {
    let layers = std::mem::take(&mut encoder.layers);
    let mut classifier = FilmClassifier::new(layers, head.clone());
    let loss = classifier.step(clips, labels, rates, random);
    (encoder.layers, *head) = (classifier.layers, classifier.head);
    loss
}
