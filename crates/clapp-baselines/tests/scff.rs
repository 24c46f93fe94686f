//! SCFF's closed update against automatic differentiation of its loss, written over pairs of images.

use burn::tensor::{
    DType, Device, FloatDType, Tensor, TensorData, activation::relu, module::conv2d,
    ops::ConvOptions,
};
use clapp_backend::{MapWindow, WindowOf};
use clapp_baselines::disagreement;
use clapp_encoders::{LocalActivity, LocalLayer, PatchGrid, Start, TriangleConv2d, TrianglePlan};
use clapp_random::{Purpose, stream};
use clapp_rules::{Lateral, Plasticity, Scff, Seen, Shown, Synapses};
use rand::RngExt;

/// Images, colours, pixels a side, channels, side of a kernel.
const SIZES: [(usize, usize, usize, usize, usize); 3] =
    [(5, 2, 6, 7, 3), (2, 1, 5, 16, 5), (4, 3, 7, 33, 3)];
/// Products and sums of some thousand doubles.
const BOUND: f64 = 1e-9;

fn values<const D: usize>(address: u64, shape: [usize; D]) -> Tensor<D> {
    let mut random = stream(9, Purpose::Test, [address, 0, 0, 0]);
    let values: Vec<f64> =
        (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
    Tensor::<D>::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
}

/// The loss as published: every pair by itself, one image after the other.
fn loss(rule: &Scff, a: &Tensor<4>, r: usize) -> Tensor<1> {
    let [images, ..] = a.dims();
    let softplus = |x: Tensor<4>| (x.exp() + 1.0).log().mean();
    let image = |i: usize| a.clone().narrow(0, i % images, 1);
    let goodness = |u: Tensor<4>| relu(u).powi_scalar(2).mean_dim(1);
    let of = |i: usize| {
        let positive = goodness(image(i) + image(i));
        let negative = goodness(image(i) + image(i + r));
        softplus(-positive.clone() + rule.positive_threshold)
            + softplus(negative - rule.negative_threshold)
            + positive.powi_scalar(2).sum().sqrt() * rule.activity_cost
    };
    let sum = (0..images).map(of).reduce(|sum, loss| sum + loss).expect("there are images");
    // Not a division, whose slope burn takes in single precision.
    sum * (1.0 / images as f64)
}

#[test]
fn changes_of_weights_and_biases_are_the_gradients_of_the_loss_over_pairs() {
    let rules = [
        Scff::new(),
        Scff { positive_threshold: 0.3, negative_threshold: 0.7, activity_cost: 0.5 },
        Scff { positive_threshold: 0.0, negative_threshold: 1.0, activity_cost: 0.0 },
    ];
    for (case, (images, colours, side, channels, kernel)) in SIZES.into_iter().enumerate() {
        let case = case as u64;
        let pixel = MapWindow { of: WindowOf::Max, side: 1, stride: 1, padding: 0 };
        let plan = TrianglePlan {
            start: Start::Uniform,
            ..TrianglePlan::new(channels, kernel, 1.0, pixel)
        };
        let mut random = stream(9, Purpose::Test, [case, 1, 0, 0]);
        let mut layer = TriangleConv2d::init(colours, plan, &Device::flex(), &mut random);
        let (weight, bias) = (
            values(10 * case, [channels, colours, kernel, kernel]),
            values(10 * case + 1, [channels]),
        );
        layer.weight = Synapses::new(weight.clone());
        layer.bias = Some(Synapses::new(bias.clone()));
        layer.running.mean = layer.running.mean.cast(FloatDType::F64);
        layer.running.variance = layer.running.variance.cast(FloatDType::F64);
        let raw = values(10 * case + 2, [images, colours, side, side]);
        let activity = layer.forward(&PatchGrid { size: side, stride: side }.cut(raw));
        for rule in rules {
            let rows = rule.pairs([images, 1, side * side].into(), &mut random);
            let clapp_rules::Saccades::Drawn { rows: other, .. } = &rows[0].saccades else {
                panic!("a draw")
            };
            let r = other[0] as usize / (side * side);
            let target = activity.show(Shown::Pixels);
            let lateral = Lateral::default();
            let update = rule.changes(Seen {
                layer: 0,
                target,
                context: None,
                lateral: &lateral,
                rows: &rows,
            });
            let printed = update.metrics.read()[0].1;
            let delta = layer.delta(&activity, update.target);
            // The normalised input is a constant of the layer's weights.
            let x = activity.conv.input.to_plain();
            let (w, b) =
                (weight.clone().autodiff().require_grad(), bias.clone().autodiff().require_grad());
            let a = conv2d(
                x.autodiff(),
                w.clone(),
                Some(b.clone()),
                ConvOptions::new([1, 1], [0, 0], [1, 1], 1),
            );
            let loss = loss(&rule, &a, r);
            let gradients = loss.backward();
            let value: f64 = loss.into_scalar();
            assert!((printed - value).abs() < BOUND, "{rule:?}: {printed} and {value}");
            let gradient = w.grad(&gradients).expect("takes part");
            let d = disagreement(&delta.weight, &gradient);
            assert!(d < BOUND, "{rule:?}, case {case}, r = {r}: ΔW is off by {d:.1e}");
            let gradient = b.grad(&gradients).expect("takes part");
            let d = disagreement(&delta.bias, &gradient);
            assert!(d < BOUND, "{rule:?}, case {case}, r = {r}: Δb is off by {d:.1e}");
        }
    }
}
