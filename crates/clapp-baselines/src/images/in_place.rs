//! Comparisons that change an image encoder in place of its own rules.

use burn::tensor::Tensor;
use clapp_encoders::{PatchGrid, Stack};
use clapp_rules::{Draws, Lateral, Optimize, Plasticity, Shown};

use super::Convolution;
use crate::{
    LabelStep, LinearHead, Loss, Oracle,
    labels::{accuracy, cross_entropy},
    oracle::{Differentiable, Gradients, Module, Seen},
    parts::{Parts, number},
};

/// One step of every module of an encoder down the loss at its end, back-propagated through its layers and no
/// further; returns the losses.
///
/// ```text
/// L^m = L(h_{end of m})        ΔW_l = −∂L^m/∂W_l for every layer l of module m
/// ```
///
/// Modules of one layer learn as its rule says; one module of all layers is CPC with InfoNCE, Hinge Loss CPC
/// with the hinge, back-propagation with the loss of CLAPP++ with that of two views. Lateral weights of layers
/// that end no module take no part and stay as they are.
///
/// # Shapes
/// - `sizes`: layers of each module, from the input up
/// - `images`: `[b, c, y, x]`; `draws`: for each module what its last layer draws; `optimizer`: of each layer
///
/// # Panics
///
/// As [`Oracle::gradients`], or if the sizes do not split the layers.
///
/// # Paper
/// Illing et al. 2021, Tables 1 and 6; `FullModel.py`. Deviations: any split, where the code has five.
///
/// # Example
///
/// Three modules of two layers each, as in Table 6:
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_baselines::images::step_modules;
/// use clapp_encoders::{Context, EncoderConfig, Stack};
/// use clapp_rules::{Optimizer, Purpose, Rule, stream};
/// let (device, rule) = (Device::flex(), Rule::clapp_s());
/// let config = EncoderConfig::vgg6(1.0 / 64.0)?;
/// let mut encoder = Stack::init(&config, &rule, Context::SameLayer, 2, &device)?;
/// let images = Tensor::<4>::random([2, 1, 64, 64], Distribution::Normal(0.0, 1.0), &device);
/// let draw = |m| rule.draw([2, 7, 7].into(), &mut stream(2, Purpose::Negatives, [m, 0, 0, 0]));
/// let draws: Vec<_> = (0..3).map(draw).collect();
/// let adam = Optimizer::adam(2e-4);
/// let losses = step_modules(&mut encoder, &[2, 2, 2], &images, &rule, &|_| &adam, &draws);
/// assert_eq!(losses.len(), 3);
/// # Ok::<(), clapp_encoders::EncoderError>(())
/// ```
pub fn step_modules<'o, L: Convolution, R: Plasticity>(
    encoder: &mut Stack<L, PatchGrid>,
    sizes: &[usize],
    images: &Tensor<4>,
    rule: &R,
    optimizer: &dyn Fn(usize) -> &'o dyn Optimize,
    draws: &[Vec<Draws>],
) -> Vec<f64>
where
    Loss: for<'a> From<&'a R>,
{
    // The oracle is gone before weights learn: the encoder is their only owner again, and they learn in place.
    let gradients = Oracle::of(encoder, rule).joined(sizes).gradients(images, draws);
    let mut end = 0;
    let learn = |Gradients { loss, module, .. }: Gradients<Module<L>>| {
        descend(encoder, end, &module, optimizer);
        end += module.layers.len();
        encoder.predictions[end - 1].lateral.descend(&module.lateral, optimizer(end - 1));
        loss
    };
    gradients.into_iter().map(learn).collect()
}

/// One step of every module of an encoder, and of a read-out of its end, down the cross-entropy of labels.
///
/// ```text
/// scores^m = W^m h̄_{end of m} + b^m        h̄ the mean over map and patches
/// L^m = −⟨log softmax(scores^m)_label⟩
/// ```
///
/// One module is supervised learning, a module a layer greedy supervised learning: the gradient stops between
/// modules. Lateral weights take no part and stay as they are.
///
/// # Shapes
/// - `heads`, `sizes`: a read-out, and its layers, for each module from the input up
/// - `images`: `[b, c, y, x]`; `labels`: a class of each; `optimizer`: of each layer
///
/// # Panics
///
/// If the numbers of modules, layers or labels do not fit, or a label is not a class.
///
/// # Paper
/// Illing et al. 2021, Table 1, supervised and greedy supervised; `Supervised_Loss.py`. Deviations: none.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use clapp_baselines::{LinearHead, images::step_supervised};
/// use clapp_encoders::{Context, EncoderConfig, Stack};
/// use clapp_rules::{Optimizer, Purpose, Rule, stream};
/// let (device, mut random) = (Device::flex(), stream(2, Purpose::Test, [0; 4]));
/// let config = EncoderConfig::vgg6(1.0 / 64.0)?;
/// let mut encoder = Stack::init(&config, &Rule::clapp_s(), Context::SameLayer, 2, &device)?;
/// let mut heads = [LinearHead::init(16, 10, &device, &mut random)];
/// let images = Tensor::<4>::random([2, 1, 64, 64], Distribution::Normal(0.0, 1.0), &device);
/// let adam = Optimizer::adam(2e-4);
/// let step = step_supervised(&mut encoder, &mut heads, &[6], (&images, &[3, 7]), &|_| &adam);
/// // Nothing is known yet: one of ten by chance.
/// assert!((step.losses[0] - 10_f64.ln()).abs() < 0.3);
/// # Ok::<(), clapp_encoders::EncoderError>(())
/// ```
pub fn step_supervised<'o, L: Convolution>(
    encoder: &mut Stack<L, PatchGrid>,
    heads: &mut [LinearHead],
    sizes: &[usize],
    (images, labels): (&Tensor<4>, &[usize]),
    optimizer: &dyn Fn(usize) -> &'o dyn Optimize,
) -> LabelStep {
    let (sum, layers) = (sizes.iter().sum::<usize>(), encoder.layers.len());
    assert!(
        sum == layers && sizes.len() == heads.len(),
        "modules: expected a read-out of each and sizes that add up to {layers}, got {} and {sizes:?}",
        heads.len()
    );
    let mut rest = encoder.layers.as_slice();
    let module = |&size: &usize| {
        let (own, above) = rest.split_at(size);
        rest = above;
        Module { layers: own.to_vec(), lateral: Lateral::default(), shown: Shown::Patch }.tracked()
    };
    let modules: Vec<Module<L>> = sizes.iter().map(module).collect();
    let tracked = heads.to_vec().tracked();
    let mut below = Module::<L>::enter(images, &encoder.cut);
    let (mut losses, mut accuracies) = (Vec::new(), Vec::new());
    for (module, head) in modules.iter().zip(&tracked) {
        let Seen { output, target, .. } = module.forward(&below);
        let [batch, time, site, channels] = target.dims();
        let means = target.reshape([batch, time * site, channels]).mean_dim(1);
        let scores = head.scores(means.reshape([batch, channels]));
        accuracies.push(accuracy(&scores.clone().inner(), labels));
        losses.push(cross_entropy(scores, labels));
        below = output;
    }
    let gradients = Tensor::cat(losses.clone(), 0).sum().backward();
    let (by_modules, by_heads) = (modules.gradients(&gradients), tracked.gradients(&gradients));
    drop((modules, tracked));
    let mut end = 0;
    for ((module, head), by_head) in by_modules.iter().zip(heads).zip(&by_heads) {
        descend(encoder, end, module, optimizer);
        end += module.layers.len();
        head.descend(by_head, optimizer(end - 1));
    }
    LabelStep { losses: losses.iter().map(number).collect(), accuracies }
}

/// One step of the layers of a module, which begins at layer `first`.
fn descend<'o, L: Convolution>(
    encoder: &mut Stack<L, PatchGrid>,
    first: usize,
    module: &Module<L>,
    optimizer: &dyn Fn(usize) -> &'o dyn Optimize,
) {
    for (l, gradient) in (first..).zip(&module.layers) {
        encoder.layers[l].descend(gradient, optimizer(l));
    }
}
