//! Comparisons that change a video encoder in place of its own rules.

use burn::tensor::Tensor;
use clapp_encoders::{LocalConv3d, Stack, Statistics, Uncut};
use clapp_rules::{AllPairs, Optimizer, Rows};

use super::{
    block::{blocks, follow},
    head::{ClassifierHead, kept},
};
use crate::{
    Oracle, draws_of,
    oracle::Gradients,
    parts::{Parts, number},
};

/// Optimizers of encoder and read-out.
///
/// # Paper
/// `finetune.py`: Adam with weight decay 1e-5, rate 1e-4 for the classifier and a tenth of it for the encoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Of all blocks.
    pub encoder: Optimizer,
    /// Of the read-out.
    pub head: Optimizer,
}

/// One step of an encoder down one loss at its last block, back-propagated through all blocks: CPC with
/// InfoNCE, Hinge Loss CPC with the hinge. Returns the loss.
///
/// Lateral weights of the other blocks take no part and stay as they are.
///
/// # Shapes
/// - `clips`: `[b, colour, t, y, x]`; `rows`: pairs of the last block with their coins, as from [`AllPairs::draw`]
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
/// let rows = rule.draw([2, 4, 1].into(), &mut stream(2, Purpose::Negatives, [0; 4]));
/// let loss = step_end_to_end(&mut encoder, &clips, &rule, &Optimizer::adam(1e-3), &rows);
/// assert!(loss.is_finite());
/// # Ok::<(), clapp_encoders::EncoderError>(())
/// ```
pub fn step_end_to_end(
    encoder: &mut Stack<LocalConv3d, Uncut<5>>,
    clips: &Tensor<5>,
    rule: &AllPairs,
    optimizer: &Optimizer,
    rows: &[Rows],
) -> f64 {
    let oracle = Oracle::of(encoder, rule).joined(&[encoder.layers.len()]);
    let Gradients { loss, module, moments, .. } =
        oracle.gradients(clips, &[draws_of(rows)]).remove(0);
    // Weights are then updated where they lie: the encoder is their only owner again.
    drop(oracle);
    encoder.layers.descend(&module.layers, optimizer);
    follow(&mut encoder.layers, &moments);
    let last = encoder.predictions.last_mut().expect("an encoder has blocks");
    last.lateral.descend(&module.lateral, optimizer);
    loss
}

/// One step of an encoder and a read-out of its last block down the cross-entropy of labels, back-propagated
/// through all blocks; returns it.
///
/// From random weights this is the paper's supervised baseline, from learnt ones it is fine-tuning.
///
/// # Shapes
/// - `clips`: `[b, colour, t, y, x]`; `labels`: a class for every clip; `random` drops features
///
/// # Panics
///
/// If a shape does not fit, or a label is not a class.
///
/// # Paper
/// Illing et al. 2021, Table 1, supervised on UCF-101; `finetune.py`. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_baselines::film::{ClassifierHead, Rates, step_supervised};
/// use clapp_encoders::{Stack, VideoConfig};
/// use clapp_rules::{AllPairs, Optimizer, Purpose, stream};
/// let device = Device::flex();
/// let config = VideoConfig { frames: 36, size: 67, ..VideoConfig::vgg5(1.0 / 32.0)? };
/// let mut encoder = Stack::video(&config, &AllPairs::clapp_s(), 2, &device)?;
/// let mut random = stream(2, Purpose::Probe, [0; 4]);
/// let mut head = ClassifierHead::init(16, 2, &device, &mut random);
/// let rates = Rates { encoder: Optimizer::adam(1e-5), head: Optimizer::adam(1e-4) };
/// let clips = Tensor::<5>::random([4, 3, 36, 67, 67], Distribution::Normal(0.0, 1.0), &device);
/// let labelled = (&clips, &[0, 1, 0, 1][..]);
/// let loss = step_supervised(&mut encoder, &mut head, labelled, &rates, &mut random);
/// assert!(loss.is_finite());
/// # Ok::<(), clapp_encoders::EncoderError>(())
/// ```
pub fn step_supervised(
    encoder: &mut Stack<LocalConv3d, Uncut<5>>,
    head: &mut ClassifierHead,
    (clips, labels): (&Tensor<5>, &[usize]),
    rates: &Rates,
    random: &mut dyn rand::Rng,
) -> f64 {
    for layer in &mut encoder.layers {
        layer.statistics = Statistics::Batch;
    }
    let (layers, tracked) = (encoder.layers.tracked(), head.tracked());
    let (map, moments) = blocks(&layers, clips);
    let [batch, channels, _, height, width] = map.dims();
    let kept = kept([batch, channels * height * width], &map.device(), random);
    let (loss, features) = tracked.loss(map, labels, kept);
    let gradients = loss.backward();
    let (by_layers, by_head) = (layers.gradients(&gradients), tracked.gradients(&gradients));
    drop((layers, tracked));
    encoder.layers.descend(&by_layers, &rates.encoder);
    follow(&mut encoder.layers, &moments);
    head.descend(&by_head, &rates.head);
    head.norm.running.follow(&features);
    number(&loss)
}
