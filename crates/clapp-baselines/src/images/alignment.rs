//! Whether local updates point where back-propagation would.

use burn::tensor::Tensor;
use clapp_encoders::{DrawPairs, LocalLayer, PatchGrid, Patches, Stack};
use clapp_rules::{GridShape, Memory, Optimize, Plasticity};

use super::Convolution;
use crate::{Loss, Oracle, cosine, draws_of};

/// Cosine of every layer's local change of W with the descent by back-propagation from the last layer's loss.
///
/// ```text
/// a_l = ⟨ΔW_l, −g_l⟩ / (‖ΔW_l‖ ‖g_l‖)        g_l = ∂L_L/∂W_l through all layers above
/// ```
///
/// Both see the same images and weights, and the last layer the same pairs; there a is 1, because its local
/// rule is the gradient. Below, 1 would mean that nothing is lost by stopping the gradient, 0 that the layer
/// learns something else. For [`TwoViews`](clapp_rules::TwoViews) the theory has a = 1 in every layer of a
/// deep *linear* network with orthogonal W, once every B is at the optimum of its layer's loss with a decay:
/// then B_l = W_{l+1}ᵀ … W_Lᵀ B_L, the way back itself. Nothing learns.
///
/// # Shapes
/// - `images`: `[b, c, y, x]`, of two views `[view 1; view 2]`; `draw`: the pairs of each prediction; returns
///   a value a layer
///
/// # Panics
///
/// As [`Oracle::of`] and [`Oracle::gradients`]: of two predictions of a layer (both) there is no one last loss.
///
/// # Paper
/// CLAPP++ and DFB, `zihan-wu/local-SSL`, the analysis of gradients. Deviations: none known.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_baselines::images::alignment;
/// use clapp_encoders::{Context, EncoderConfig, PatchGrid, Stack};
/// use clapp_rules::{Plasticity, Purpose, TwoViews, stream};
/// let (device, rule) = (Device::flex(), TwoViews::clapp_plus_plus());
/// let patches = PatchGrid { size: 32, stride: 32 };
/// let config = EncoderConfig { image: 32, patches, ..EncoderConfig::vgg6(1.0 / 64.0)? };
/// let encoder = Stack::init(&config, &rule, Context::Top, 2, &device)?;
/// let views = Tensor::<4>::random([4, 1, 32, 32], Distribution::Normal(0.0, 1.0), &device);
/// let draw = &mut |_, grid| rule.pairs(grid, &mut stream(2, Purpose::Negatives, [0; 4]));
/// let cosines = alignment(&encoder, &views, &rule, draw);
/// assert!(cosines.len() == 6 && cosines[5] > 0.999);
/// # Ok::<(), clapp_encoders::EncoderError>(())
/// ```
#[must_use]
pub fn alignment<L: Convolution + LocalLayer, R: Plasticity>(
    encoder: &Stack<L, PatchGrid>,
    images: &Tensor<4>,
    rule: &R,
    draw: &mut DrawPairs<'_>,
) -> Vec<f64>
where
    Patches: Into<L::Input>,
    Loss: for<'a> From<&'a R>,
{
    let (mut changes, mut last, end) = (encoder.clone(), Vec::new(), encoder.predictions.len() - 1);
    let mut noted = |prediction: usize, grid: GridShape| {
        let rows = draw(prediction, grid);
        if prediction == end {
            last = draws_of(&rows);
        }
        rows
    };
    changes.step(images.clone(), rule, &Instead, &mut noted);
    let whole = Oracle::of(encoder, rule).joined(&[encoder.layers.len()]);
    let descent = whole.gradients(images, &[last]).remove(0).module.layers;
    let weight = |layer: &L| layer.convolution().weight.weight();
    let pairs = changes.layers.iter().zip(&descent);
    pairs.map(|(change, gradient)| cosine(&weight(change), &-weight(gradient))).collect()
}

/// Puts changes in the place of the weights.
#[derive(Debug)]
struct Instead;

impl Optimize for Instead {
    fn step(&self, _: Tensor<2>, delta: Tensor<2>, _: &mut Memory) -> Tensor<2> {
        delta
    }
}
