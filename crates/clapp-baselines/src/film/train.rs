//! Training with back-propagation inside modules: CPC and Hinge Loss CPC end to end, and what lies between.

use burn::tensor::{Device, Tensor};
use clapp_encoders::{EncoderError, LocalConv3d, Stack, VideoConfig};
use clapp_random::{Purpose, stream};
use clapp_rules::{AllPairs, Draws, GridShape, Optimizer, Predictors};

use super::{
    block::down,
    oracle::{FilmModule, FilmOracle},
};

/// A video encoder whose modules learn by back-propagation, each from a loss at its end.
///
/// | method | `modules` | rule |
/// |---|---|---|
/// | CPC | `[5]` | [`AllPairs::gim`] |
/// | Hinge Loss CPC | `[5]` | [`AllPairs::clapp_s`] |
/// | CLAPP-s by autodiff, for comparison | `[1; 5]` | [`AllPairs::clapp_s`] |
///
/// Layers, weights and running statistics are those of the layer-local encoder, so read-outs take either.
///
/// # Paper
/// Illing et al. 2021, Table 1, CPC and Hinge Loss CPC on UCF-101; `run.py --mode CPC`, `--mode HingeCPC`.
/// Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_baselines::film::FilmTrainer;
/// use clapp_encoders::VideoConfig;
/// use clapp_rules::{AllPairs, Optimizer};
/// let device = Device::flex();
/// let config = VideoConfig { frames: 36, size: 67, ..VideoConfig::vgg5(1.0 / 32.0)? };
/// let mut hinge_cpc = FilmTrainer::init(&config, &[5], AllPairs::clapp_s(), 2, &device)?;
/// let clips = Tensor::<5>::random([2, 3, 36, 67, 67], Distribution::Normal(0.0, 1.0), &device);
/// let draws = hinge_cpc.draw(2, &mut clapp_random::stream(2, clapp_random::Purpose::Saccade, [0; 4]));
/// let losses = hinge_cpc.step(&clips, &Optimizer::adam(1e-3), &draws);
/// assert_eq!(losses.len(), 1);
/// # Ok::<(), clapp_encoders::EncoderError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FilmTrainer {
    /// All blocks, from the input up.
    pub layers: Vec<LocalConv3d>,
    /// Lateral weights at the end of every module.
    pub predictors: Vec<Predictors>,
    /// Blocks of every module, in order.
    pub modules: Vec<usize>,
    /// The loss.
    pub rule: AllPairs,
}

impl FilmTrainer {
    /// Draws all weights; the blocks start as those of [`Stack::video`] with the same seed.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit together, or the modules do not split its blocks in order.
    pub fn init(
        config: &VideoConfig,
        modules: &[usize],
        rule: AllPairs,
        seed: u64,
        device: &Device,
    ) -> Result<Self, EncoderError> {
        let blocks = config.blocks.len();
        if modules.iter().sum::<usize>() != blocks || modules.contains(&0) {
            return Err(EncoderError::Modules { layers: blocks, modules: modules.to_vec() });
        }
        let layers = Stack::video(config, &rule, seed, device)?.layers;
        let mut end = 0;
        let predictors = modules.iter().map(|size| {
            end += size;
            let channels = config.blocks[end - 1].channels;
            let address = [end as u64 - 1, 1, 0, 0];
            let mut random = stream(seed, Purpose::Initialisation, address);
            rule.predictors(channels, channels, device, &mut random)
        });
        let predictors = predictors.collect();
        Ok(Self { layers, predictors, modules: modules.to_vec(), rule })
    }

    /// Coins of one step, for every module.
    #[must_use]
    pub fn draw(&self, batch: usize, random: &mut dyn rand::Rng) -> Vec<Vec<Draws>> {
        let shape = GridShape { batch, time: 0, site: 0 };
        self.modules.iter().map(|_| self.rule.draw(shape, random)).collect()
    }

    /// Losses and gradients as they stand.
    #[must_use]
    pub fn oracle(&self) -> FilmOracle {
        let mut rest = self.layers.as_slice();
        let modules = self.modules.iter().zip(&self.predictors).map(|(&size, predictors)| {
            let (layers, above) = rest.split_at(size);
            rest = above;
            FilmModule::of(layers, predictors)
        });
        FilmOracle { modules: modules.collect(), rule: self.rule }
    }

    /// One step of every module down its loss; returns the losses from before.
    ///
    /// # Shapes
    /// - `clips`: `[b, colour, t, y, x]`; `draws`: as from [`draw`](Self::draw)
    ///
    /// # Panics
    ///
    /// If a shape does not fit.
    pub fn step(
        &mut self,
        clips: &Tensor<5>,
        optimizer: &Optimizer,
        draws: &[Vec<Draws>],
    ) -> Vec<f64> {
        let gradients = self.oracle().gradients(clips, draws);
        let mut layers = self.layers.iter_mut();
        let mut losses = Vec::with_capacity(gradients.len());
        for (module, predictors) in gradients.into_iter().zip(&mut self.predictors) {
            losses.push(module.loss);
            for (block, moments) in module.blocks.into_iter().zip(&module.moments) {
                let layer = layers.next().expect("modules split the layers in order");
                block.descend(layer, moments, optimizer);
            }
            down(&mut predictors.w_pred, module.w_pred, optimizer);
            if let (Some(synapses), Some(delta)) = (&mut predictors.w_retro, module.w_retro) {
                down(synapses, delta, optimizer);
            }
        }
        losses
    }
}
