//! Modules of image encoders, and what is learnt from labels: as local layers learn, as far as a module reaches,
//! and down their losses.

#![allow(clippy::unwrap_used)]

mod common;

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use clapp_backend::Arithmetic;
use clapp_baselines::{
    LinearHead, Oracle, disagreement, draws_of,
    images::{step_modules, step_supervised},
};
use clapp_encoders::{Context, EncoderConfig, PatchGrid, Stack};
use clapp_random::{Purpose, stream};
use clapp_rules::{
    Feedback, LateralUpdate, Optimize, Optimizer, Plasticity, Rows, Rule, Synapses, TwoViews,
    ViewNegatives, ViewObjective,
};
use clapp_testing::steps::visit;
use common::{Case, clapp, clapp_s, encoders, gim};
use rand::RngExt;

/// What two computations in double precision may differ by; sums of a few thousand terms.
const EXACT: f64 = 1e-9;

fn case(rule: Rule) -> (Case, Stack, Tensor<4>) {
    let case = Case::new(encoders().swap_remove(0), rule);
    let (device, dtype) = (Device::flex(), FloatDType::F64);
    let (stack, images) =
        (case.stack(&device, dtype, Arithmetic::Exact), case.images(&device, dtype));
    (case, stack, images)
}

/// Weights of all layers.
fn weights(stack: &Stack) -> Vec<TensorData> {
    stack.layers.iter().map(|layer| layer.weight.weight().to_data()).collect()
}

#[test]
fn the_gradient_stops_between_modules() {
    for rule in [clapp_s(), gim(), Rule { feedback: Feedback::PredRetro, ..clapp() }] {
        let (case, stack, images) = case(rule);
        let own = case.draws();
        let learnt = |sizes: &[usize], factor: f64| {
            let mut stack = stack.clone();
            let upper = &mut stack.layers[2].weight;
            *upper = Synapses::new(upper.weight() * factor);
            let mut end = 0;
            let draws = |size: &usize| {
                end += size;
                own[end - 1].clone()
            };
            let draws: Vec<_> = sizes.iter().map(draws).collect();
            let plain = Optimizer::Plain { rate: 0.1 };
            step_modules(&mut stack, sizes, &images, &rule, &|_| &plain, &draws);
            weights(&stack)
        };
        // Bit for bit: whatever the upper module computes, not a zero of it comes down.
        let [one, other] = [1.0, 1.5].map(|factor| learnt(&[2, 2], factor));
        assert_eq!(one[..2], other[..2]);
        assert_ne!(one[3], other[3]);
        let [one, other] = [1.0, 1.5].map(|factor| learnt(&[4], factor));
        assert!(one.iter().zip(&other).all(|(one, other)| one != other));
    }
}

#[test]
fn layers_of_a_module_that_do_not_end_it_keep_their_lateral_weights() {
    let (case, mut stack, images) = case(clapp_s());
    let before = stack.clone();
    let (plain, draws) = (Optimizer::Plain { rate: 0.1 }, case.draws());
    let draws = [draws[2].clone(), draws[3].clone()];
    let losses = step_modules(&mut stack, &[3, 1], &images, &case.rule, &|_| &plain, &draws);
    assert_eq!(losses.len(), 2);
    for (l, (one, other)) in before.predictions.iter().zip(&stack.predictions).enumerate() {
        let [one, other] = [one, other].map(|of| of.lateral.weight("w_pred").to_data());
        assert_eq!(one == other, l < 2, "layer {}", l + 1);
    }
}

fn assert_falls(name: &str, steps: usize, mut step: impl FnMut() -> Vec<f64>) {
    let first = step();
    let last = (0..steps).map(|_| step()).last().expect("there were steps");
    for (first, last) in first.iter().zip(&last) {
        assert!(last < first, "{name}: {first} became {last}");
    }
}

#[test]
fn the_losses_of_modules_fall() {
    let adam = Optimizer::adam(3e-3);
    for (rule, sizes) in [(clapp_s(), &[2, 2][..]), (gim(), &[1, 3]), (clapp_s(), &[4])] {
        let (case, mut stack, images) = case(rule);
        let mut end = 0;
        let draws = sizes.iter().map(|size| {
            end += size;
            case.draws()[end - 1].clone()
        });
        let draws: Vec<_> = draws.collect();
        let optimizer = |_| &adam as &dyn Optimize;
        let step = || step_modules(&mut stack, sizes, &images, &rule, &optimizer, &draws);
        assert_falls(&format!("{sizes:?}"), 20, step);
    }
}

#[test]
fn read_outs_learn_labels_end_to_end_and_at_every_layer() {
    let adam = Optimizer::adam(3e-3);
    for sizes in [&[4][..], &[1, 1, 1, 1], &[2, 2]] {
        let (case, _, images) = case(clapp_s());
        let (device, dtype) = (Device::flex(), FloatDType::F64);
        let mut stack = case.stack(&device, dtype, Arithmetic::Exact);
        let mut random = stream(3, Purpose::Test, [0; 4]);
        let channels = case.config.channels();
        let mut end = 0;
        let heads = sizes.iter().map(|size| {
            end += size;
            let mut head = LinearHead::init(channels[end - 1], 3, &device, &mut random);
            head.weight = Synapses::new(head.weight.weight().cast(dtype));
            head.bias = Synapses::new(head.bias.weight().cast(dtype));
            head
        });
        let mut heads: Vec<LinearHead> = heads.collect();
        let labelled = (&images, &[0, 1, 2, 1][..]);
        let optimizer = |_| &adam as &dyn Optimize;
        let mut right = Vec::new();
        assert_falls(&format!("{sizes:?}"), 60, || {
            let step = step_supervised(&mut stack, &mut heads, sizes, labelled, &optimizer);
            right = step.accuracies;
            step.losses
        });
        assert_eq!(right.len(), sizes.len());
    }
}

/// Three layers over whole images of 16 pixels, in double precision.
fn views(rule: &TwoViews, context: Context) -> (Stack, Tensor<4>) {
    let device = Device::flex();
    let (image, size) = (16, 16);
    let mut config =
        EncoderConfig { image, colours: 3, ..EncoderConfig::vgg6(1.0 / 32.0).unwrap() };
    config.patches = PatchGrid { size, stride: size };
    config.arithmetic = Arithmetic::Exact;
    config.layers.truncate(3);
    config.modules = vec![1; 3];
    let mut stack = Stack::init(&config, rule, context, 5, &device).unwrap();
    let exact = FloatDType::F64;
    for layer in &mut stack.layers {
        layer.weight = Synapses::new((layer.weight.weight() * 2.5).cast(exact));
        layer.bias = Synapses::new(layer.bias.weight().cast(exact));
    }
    for prediction in &mut stack.predictions {
        for (_, b) in prediction.lateral.synapses_mut() {
            *b = Synapses::new((b.weight() * 3.0).cast(exact));
        }
    }
    let mut random = stream(5, Purpose::Test, [0; 4]);
    let pixels: Vec<f32> = (0..6 * 3 * 256).map(|_| random.random_range(-1.7..1.7)).collect();
    let images = Tensor::<4>::from_data(TensorData::new(pixels, [6, 3, 16, 16]), &device);
    (stack, images.cast(exact))
}

#[test]
fn updates_of_two_views_are_the_gradients_of_their_losses() {
    let hinge = TwoViews { grids: vec![4, 2, 1], ..TwoViews::clapp_plus_plus() };
    let negatives = |negatives| TwoViews { negatives, ..hinge.clone() };
    let objective = |objective| TwoViews { objective, ..hinge.clone() };
    let same_image = TwoViews { grids: vec![4, 2, 2], ..negatives(ViewNegatives::SameImage) };
    for rule in [
        negatives(ViewNegatives::Cyclic),
        negatives(ViewNegatives::Random),
        same_image,
        objective(ViewObjective::SoftHinge),
        objective(ViewObjective::Linear),
        objective(ViewObjective::Softplus { theta: 2.0 }),
        TwoViews { rank: Some(3), ..hinge.clone() },
    ] {
        for context in [Context::SameLayer, Context::Top] {
            let (mut stack, images) = views(&rule, context);
            let draw = |p: usize, grid| -> Vec<Rows> {
                rule.pairs(grid, &mut stream(7, Purpose::Negatives, [p as u64, 0, 0, 0]))
            };
            let extents = [4, 2, *rule.grids.last().unwrap()];
            let draws = (0..3).map(|p| draws_of(&draw(p, [6, 1, extents[p].pow(2)].into())));
            let gradients =
                Oracle::of(&stack, &rule).gradients(&images, &draws.collect::<Vec<_>>());
            let check = |name: &str, d: f64| {
                assert!(d < EXACT, "{rule:?} {context:?} {name}: {d:.1e}");
            };
            let lateral = |l: usize, update: &LateralUpdate| {
                let own = &gradients[l].module.lateral;
                for name in ["b", "b_up", "b_down"].into_iter().filter(|name| own.has(name)) {
                    check(name, disagreement(&update.delta(name), &own.weight(name)));
                }
            };
            let mut compared = 0;
            let mut draw = draw;
            visit(&mut stack, images, &rule, &mut draw, &mut |layer, learnt| {
                let l = learnt.index;
                let shown = rule.shows_layer(l);
                let told = clapp_rules::Modulation { shown, ..learnt.modulation.into() };
                let change = layer.change(&learnt.activity, told);
                let own = &gradients[l].module.layers[0];
                check("W", disagreement(&change.weight, &own.weight.weight()));
                check("b", disagreement(&change.bias, &own.bias.weight()));
                lateral(l, &learnt.lateral);
                let loss = learnt.metrics.monitor().loss;
                check("loss", (loss - gradients[l].loss).abs());
                compared += 1;
            });
            assert_eq!(compared, 3);
        }
    }
}

#[test]
fn the_loss_of_two_views_falls_end_to_end() {
    let rule = TwoViews { grids: vec![4, 2, 1], ..TwoViews::clapp_plus_plus() };
    let (mut stack, images) = views(&rule, Context::SameLayer);
    let rows = rule.pairs([6, 1, 1].into(), &mut stream(7, Purpose::Negatives, [0; 4]));
    let (before, adam) = (weights(&stack), Optimizer::adam(1e-3));
    let (optimizer, draws) = (|_| &adam as &dyn Optimize, [draws_of(&rows)]);
    let step = || step_modules(&mut stack, &[3], &images, &rule, &optimizer, &draws);
    assert_falls("two views", 40, step);
    assert!(before.iter().zip(weights(&stack)).all(|(before, after)| *before != after));
}
