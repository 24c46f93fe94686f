//! Supervised learning end to end, from random weights or from learnt ones.

use burn::tensor::Tensor;
use clapp_encoders::{LocalActivity, LocalConv3d, LocalLayer, Statistics};
use clapp_rules::Optimizer;

use super::{
    block::FilmBlock,
    head::{ClassifierHead, in_training, kept},
};

/// Optimizers of encoder and read-out.
///
/// # Paper
/// `finetune.py`: Adam with weight decay 1e-5, rate 1e-4 for the classifier and a tenth of it for the encoder.
///
/// ```
/// use clapp_baselines::film::Rates;
/// use clapp_rules::Optimizer;
/// let Optimizer::Adam { rate, decay, .. } = Rates::paper(1e-4).encoder else { panic!() };
/// assert!((rate - 1e-5).abs() < 1e-12 && decay == 1e-5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Of all blocks.
    pub encoder: Optimizer,
    /// Of the read-out.
    pub head: Optimizer,
}

impl Rates {
    /// The authors' rates, from that of the read-out.
    #[must_use]
    pub fn paper(rate: f64) -> Self {
        let adam =
            |rate| Optimizer::Adam { rate, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, decay: 1e-5 };
        Self { encoder: adam(rate / 10.0), head: adam(rate) }
    }
}

/// A video encoder that learns classes by back-propagation through all blocks.
///
/// From random weights this is the paper's supervised baseline, from learnt ones it is fine-tuning. Only the read-out of
/// the last block has a loss.
///
/// # Paper
/// Illing et al. 2021, Table 1, supervised on UCF-101; `finetune.py`. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_baselines::film::{ClassifierHead, FilmClassifier, Rates};
/// use clapp_encoders::{Stack, VideoConfig};
/// use clapp_random::{Purpose, stream};
/// use clapp_rules::AllPairs;
/// let device = Device::flex();
/// let config = VideoConfig { frames: 36, size: 67, ..VideoConfig::vgg5(1.0 / 32.0)? };
/// let encoder = Stack::video(&config, &AllPairs::clapp_s(), 2, &device)?;
/// let mut random = stream(2, Purpose::Probe, [0; 4]);
/// let head = ClassifierHead::init(16, 2, &device, &mut random);
/// let mut classifier = FilmClassifier::new(encoder.layers, head);
/// let clips = Tensor::<5>::random([4, 3, 36, 67, 67], Distribution::Normal(0.0, 1.0), &device);
/// let loss = classifier.step(&clips, &[0, 1, 0, 1], &Rates::paper(1e-4), &mut random);
/// assert!(loss.is_finite());
/// assert_eq!(classifier.scores(clips).dims(), [4, 2]);
/// # Ok::<(), clapp_encoders::EncoderError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FilmClassifier {
    /// All blocks, from the input up.
    pub layers: Vec<LocalConv3d>,
    /// The read-out.
    pub head: ClassifierHead,
}

impl FilmClassifier {
    /// Puts a read-out on an encoder.
    #[must_use]
    pub fn new(mut layers: Vec<LocalConv3d>, head: ClassifierHead) -> Self {
        in_training(&mut layers);
        Self { layers, head }
    }

    /// One step down the cross-entropy; returns it as it was before.
    ///
    /// # Shapes
    /// - `clips`: `[b, colour, t, y, x]`; `labels`: a class for every clip; `random` drops features
    ///
    /// # Panics
    ///
    /// If a shape does not fit, or a label is not a class.
    pub fn step(
        &mut self,
        clips: &Tensor<5>,
        labels: &[usize],
        rates: &Rates,
        random: &mut dyn rand::Rng,
    ) -> f64 {
        let blocks = self.layers.iter().map(|layer| FilmBlock::of(layer).tracked());
        let blocks: Vec<FilmBlock> = blocks.collect();
        let head = self.head.tracked();
        let mut map = clips.clone().autodiff();
        let mut moments = Vec::with_capacity(blocks.len());
        for block in &blocks {
            let (output, seen) = block.forward(map);
            map = output;
            moments.push(seen);
        }
        let [batch, channels, _, height, width] = map.dims();
        let kept = kept([batch, channels * height * width], &map.device(), random);
        let (loss, features) = head.loss(map, labels, kept);
        let gradients = loss.backward();
        for ((layer, block), moments) in self.layers.iter_mut().zip(&blocks).zip(&moments) {
            block.gradients(&gradients).descend(layer, moments, &rates.encoder);
        }
        self.head.descend(head.gradients(&gradients), &features, &rates.head);
        loss.inner().into_scalar::<f64>()
    }

    /// Scores of every class, `[b, class]`, with running statistics throughout.
    ///
    /// # Shapes
    /// - `clips`: `[b, colour, t, y, x]`
    #[must_use]
    pub fn scores(&self, clips: Tensor<5>) -> Tensor<2> {
        let map = self.layers.iter().fold(clips, |input, layer| {
            let frozen = LocalConv3d { statistics: Statistics::Running, ..layer.clone() };
            frozen.forward(&input).output()
        });
        self.head.scores(map)
    }
}
