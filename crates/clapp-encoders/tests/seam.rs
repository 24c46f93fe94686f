//! What a rule of any kind can ask of a layer and of a stack: resolutions, postsynaptic factors, decay, views,
//! contexts from the top, statistics that are saved.

use burn::tensor::{DType, Device, Tensor, TensorData};
use clapp_backend::{Arithmetic, ConvSpec, Pool};
use clapp_encoders::{
    Context, EncoderConfig, Layer, Learnt, LocalActivity, LocalConv2d, LocalLayer, PatchGrid, Stack,
};
use clapp_random::{Purpose, Stream, stream};
use clapp_rules::{
    Contrastive, Extent, Feedback, GridShape, Hinge, Lateral, LateralUpdate, Modulation, Optimizer,
    Plasticity, Post, Rows, Rule, Saccades, Seen, Shown, State, Synapses, Update,
};
use rand::RngExt;

fn random(index: u64) -> Stream {
    stream(8, Purpose::Test, [index, 0, 0, 0])
}

fn uniform<const D: usize>(shape: [usize; D], dtype: DType, random: &mut Stream) -> Tensor<D> {
    let values: Vec<f64> =
        (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
    let data = TensorData::new(values, shape).convert_dtype(dtype);
    Tensor::from_data(data, (&Device::flex(), dtype))
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().convert::<f64>().try_to_vec().expect("just converted to f64")
}

const GRID: PatchGrid = PatchGrid { size: 8, stride: 4 };

/// One layer over images of two by two patches, in double precision.
fn layer(pool: Pool, bias: f64) -> LocalConv2d {
    let random = &mut random(1);
    let spec = ConvSpec::same_3x3(pool).with_arithmetic(Arithmetic::Exact);
    LocalConv2d {
        weight: Synapses::new(uniform([3, 2, 3, 3], DType::F64, random)),
        bias: Synapses::new(uniform([3], DType::F64, random) + bias),
        spec,
    }
}

fn images() -> Tensor<4> {
    uniform([2, 2, 12, 12], DType::F64, &mut random(2))
}

#[test]
fn at_every_resolution_a_change_is_the_slope_of_what_is_shown() {
    for pool in [Pool::None, Pool::Max2] {
        for shown in [Shown::Patch, Shown::Cells(2), Shown::Pixels] {
            let (mut layer, input) = (layer(pool, 0.0), GRID.cut(images()));
            let activity = layer.forward(&input);
            let m = uniform(activity.show(shown).dims(), DType::F64, &mut random(3));
            let told = Modulation { shown, ..Modulation::from(m.clone()) };
            let delta = host(layer.change(&activity, told).weight);
            let weight = layer.weight.weight();
            for at in [0, 7, 20, 53] {
                let step = 1e-6;
                let mut sum = |step: f64| {
                    let mut values = host(weight.clone());
                    values[at] += step;
                    let data = TensorData::new(values, [3, 2, 3, 3]);
                    let moved = Tensor::from_data(data, (&Device::flex(), DType::F64));
                    layer.weight = Synapses::new(moved);
                    host((layer.forward(&input).show(shown) * m.clone()).sum())[0]
                };
                let slope = (sum(step) - sum(-step)) / (2.0 * step);
                assert!(
                    (slope - delta[at]).abs() < 1e-7 * (1.0 + slope.abs()),
                    "{pool:?} {shown:?} synapse {at}: expected {slope}, got {}",
                    delta[at]
                );
            }
        }
    }
}

#[test]
fn a_factor_of_one_teaches_silent_neurons_and_a_decay_shrinks_weights() {
    let input = GRID.cut(images());
    let delta = |bias: f64, post: Post, decay: Option<Tensor<1>>| {
        let layer = layer(Pool::None, bias);
        let activity = layer.forward(&input);
        let m = uniform(activity.show(Shown::Pixels).dims(), DType::F64, &mut random(4));
        let change = layer.change(&activity, Modulation { m, shown: Shown::Pixels, post, decay });
        host(change.weight)
    };
    // Silent and active neurons, by their bias: the input is the same.
    assert!(delta(-50.0, Post::Slope, None).iter().all(|change| change.abs() <= 0.0));
    let active = delta(50.0, Post::Slope, None);
    assert_eq!(delta(-50.0, Post::One, None), active);
    assert!(active.iter().any(|change| change.abs() > 0.1));
    let decay = Tensor::from_data([0.5, 0.0, 2.0], (&Device::flex(), DType::F64));
    let weight = host(layer(Pool::None, 0.0).weight.weight());
    let decayed = delta(50.0, Post::Slope, Some(decay));
    for (at, (decayed, active)) in decayed.iter().zip(&active).enumerate() {
        let expected = active - [0.5, 0.0, 2.0][at / 18] * weight[at];
        assert!((decayed - expected).abs() < 1e-12, "synapse {at}");
    }
}

/// ΔW = Σ y x − (Σ y²) W, pixel by pixel and without lateral weights; counts its steps.
#[derive(Debug)]
struct Oja;

impl Plasticity for Oja {
    fn shows(&self) -> Shown {
        Shown::Pixels
    }

    fn lateral(&self, _: Extent, _: Extent, device: &Device, _: &mut dyn rand::Rng) -> Lateral {
        Lateral::default().with_statistic("seen", Tensor::zeros([1], device))
    }

    fn changes(&self, seen: Seen<'_>) -> Update {
        let [batch, time, site, channels] = seen.target.dims();
        let y = seen.target / (batch * time * site) as f64;
        let decay = y.clone().square().reshape([batch * time * site, channels]).sum_dim(0);
        let count = seen.lateral.statistic("seen") + batch as f64;
        let lateral = LateralUpdate::default().with_statistic("seen", count);
        let decay = Some(decay.reshape([channels]));
        Update { post: Post::One, decay, lateral, ..Update::of(y) }
    }
}

/// Two views of each image, `[view 1; view 2]`: each predicts the other, and not the next image.
fn views(feedback: Feedback) -> Contrastive {
    let pairing = |grid: GridShape, _: &mut dyn rand::Rng| {
        let n = (grid.time * grid.site) as u32;
        let batch = grid.batch as u32;
        let other = |sample: u32| (sample + batch / 2) % batch;
        let at = |of: &dyn Fn(u32) -> u32| {
            (0..batch * n).map(|row| of(row / n) * n + row % n).collect::<Vec<_>>()
        };
        Rows {
            grid,
            blocks: vec![grid.rows(0)],
            contexts: at(&|sample| sample),
            fixations: at(&other),
            saccades: Saccades::Drawn { count: 1, rows: at(&|s| other((s + 1) % batch)) },
            outcomes: None,
        }
    };
    Contrastive::new(pairing, Hinge).with_feedback(feedback)
}

fn config() -> EncoderConfig {
    let mut config = EncoderConfig::vgg6(1.0 / 32.0).expect("a width above 0");
    config.image = 24;
    config.patches = GRID;
    config.layers.truncate(3);
    config.layers[2] = config.layers[1]; // with a pool
    config.modules = vec![1; 3];
    config
}

fn stack(rule: &dyn Plasticity, context: Context) -> Stack {
    Stack::init(&config(), rule, context, 2, &Device::flex()).expect("it fits")
}

fn batch(step: u64) -> Tensor<4> {
    uniform([4, 1, 24, 24], DType::F32, &mut random(10 + step))
}

fn learn(stack: &mut Stack, rule: &dyn Plasticity, step: u64) {
    let mut draw = |l: usize, grid| {
        rule.pairs(grid, &mut stream(2, Purpose::Negatives, [step, l as u64, 0, 0]))
    };
    stack.step(batch(step), rule, &Optimizer::adam(1e-3), &mut draw);
}

fn saved(stack: &Stack) -> State {
    let mut state = State::default();
    stack.save(&mut state);
    state
}

#[test]
fn rules_of_any_kind_go_on_from_where_they_were_saved() {
    let rules: [&dyn Plasticity; 3] =
        [&Oja, &views(Feedback::Blocked), &views(Feedback::PredRetro)];
    for rule in rules {
        let mut uninterrupted = stack(rule, Context::SameLayer);
        let start = saved(&uninterrupted).tensors;
        learn(&mut uninterrupted, rule, 0);
        let mut resumed = stack(rule, Context::SameLayer);
        resumed.load(&saved(&uninterrupted)).expect("the same rule");
        learn(&mut uninterrupted, rule, 1);
        learn(&mut resumed, rule, 1);
        let [end, again] = [&uninterrupted, &resumed].map(|stack| saved(stack).tensors);
        assert_eq!(end, again, "{rule:?}");
        for layer in 1..=3 {
            let name = format!("layer{layer}.weight");
            assert_ne!(start[&name], end[&name], "{rule:?} does not learn");
        }
    }
    let state = saved(&stack(&Oja, Context::SameLayer));
    assert!(
        state.tensors.contains_key("layer1.seen") && !state.tensors.contains_key("layer1.w_pred")
    );
}

#[test]
fn a_state_of_another_rule_is_refused_by_name() {
    let state = saved(&stack(&Oja, Context::SameLayer));
    let error = stack(&views(Feedback::Blocked), Context::SameLayer).load(&state).unwrap_err();
    assert!(error.to_string().contains("layer1.w_pred"), "{error}");
}

/// Lateral weights (L) and layers in the order in which they are handed out.
fn order(context: Context) -> Vec<String> {
    let rule = views(Feedback::Blocked);
    let mut order = Vec::new();
    let mut draw = |_, grid| rule.pairs(grid, &mut random(5));
    stack(&rule, context).visit(batch(0), &rule, &mut draw, &mut |learnt| {
        order.push(match learnt {
            Learnt::Lateral { prediction, .. } => format!("L{prediction}"),
            Learnt::Layer { index, .. } => index.to_string(),
        });
    });
    order
}

#[test]
fn a_layer_is_let_go_as_soon_as_its_last_prediction_is_made() {
    assert_eq!(order(Context::SameLayer), ["L0", "0", "L1", "1", "L2", "2"]);
    assert_eq!(order(Context::LayerAbove), ["L0", "0", "L1", "L2", "1", "2"]);
    assert_eq!(order(Context::Top), ["L0", "L1", "L2", "0", "1", "2"]);
}

#[test]
fn the_top_predicts_every_layer_and_learns_from_itself_alone_if_blocked() {
    let rule = views(Feedback::Blocked);
    let deltas = |context: Context| {
        let mut deltas = Vec::new();
        let mut draw = |_, grid| rule.pairs(grid, &mut random(5));
        stack(&rule, context).visit(batch(0), &rule, &mut draw, &mut |learnt| {
            if let Learnt::Layer { layer, activity, told, .. } = learnt {
                deltas.push(host(layer.change(&activity, told).weight));
            }
        });
        deltas
    };
    let (own, top) = (deltas(Context::SameLayer), deltas(Context::Top));
    assert_eq!(own[2], top[2]);
    assert_ne!(own[0], top[0]);
    assert!(top.iter().all(|delta| delta.iter().any(|value| value.abs() > 0.0)));
    let stack = stack(&rule, Context::Top);
    let shape = stack.predictions[0].lateral.weight("w_pred").dims();
    assert_eq!(
        shape,
        [1, stack.layers[0].bias.weight().dims()[0], stack.layers[2].bias.weight().dims()[0]]
    );
}

#[test]
fn layers_without_their_types_learn_the_same() {
    let rule = Rule { prediction_steps: 2, ..Rule::clapp() };
    let mut typed = stack(&rule, Context::SameLayer);
    let layers: Vec<Box<dyn Layer>> =
        typed.layers.iter().map(|layer| Box::new(layer.clone()) as Box<dyn Layer>).collect();
    let mut untyped =
        Stack { predictions: typed.predictions.clone(), ..Stack::new(typed.cut, layers) };
    learn(&mut typed, &rule, 0);
    let mut draw =
        |l: usize, grid| rule.pairs(grid, &mut stream(2, Purpose::Negatives, [0, l as u64, 0, 0]));
    untyped.step(batch(0), &rule, &Optimizer::adam(1e-3), &mut draw);
    let mut state = State::default();
    untyped.save(&mut state);
    assert_eq!(state.tensors, saved(&typed).tensors);
    assert_eq!(
        untyped.layer::<LocalConv2d>(1).bias.weight().dims(),
        typed.layers[1].bias.weight().dims()
    );
}

#[test]
#[should_panic(expected = "cells: expected a map that divides into 3 × 3 cells, got 8 × 8")]
fn cells_that_do_not_fit_are_named() {
    let activity = layer(Pool::None, 0.0).forward(&GRID.cut(images()));
    let _ = activity.show(Shown::Cells(3));
}
