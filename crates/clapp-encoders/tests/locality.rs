//! What an update may depend on: the layer's own activity, what lies below it, and nothing else.
//!
//! Structure, not tolerance: every comparison is bit for bit.

use burn::tensor::{Device, Tensor, TensorData};
use clapp_backend::Arithmetic;
use clapp_encoders::{
    Context, ConvPlan, DrawPairs, EncoderConfig, EncoderError, LayerPlan, Learnt, LocalConv2d,
    PatchGrid, PoolAfter, Stack,
};
use clapp_random::{Purpose, stream};
use clapp_rules::{
    Extent, Feedback, GridShape, Metrics, Optimize, Optimizer, Plasticity, Rows, Rule, RuleError,
    Seen, State,
};
use rand::RngExt;

const BATCH: usize = 4;
const SEED: u64 = 5;
const OTHER_SEED: u64 = 6;

/// Four layers that take different kernels: plain, lines, pools, Winograd.
fn config(arithmetic: Arithmetic) -> EncoderConfig {
    use PoolAfter::{Max2, Nothing};
    let layer = |(channels, pool)| LayerPlan::Rectified(ConvPlan { channels, pool });
    EncoderConfig {
        colours: 1,
        image: 24,
        patches: PatchGrid { size: 8, stride: 4 },
        layers: [(16, Nothing), (32, Max2), (64, Nothing), (12, Max2)].map(layer).to_vec(),
        modules: vec![1; 4],
        arithmetic,
    }
}

fn rules() -> [Rule; 4] {
    let short = |rule: Rule| Rule { prediction_steps: 3, ..rule };
    [
        short(Rule::clapp()),
        short(Rule::clapp_s()),
        short(Rule::gim()),
        short(Rule { feedback: Feedback::PredRetroShared, ..Rule::clapp() }),
    ]
}

fn stack(rule: &Rule, context: Context, seed: u64) -> Stack {
    let config = config(Arithmetic::Fast);
    Stack::init(&config, rule, context, seed, &Device::flex()).expect("the configuration fits")
}

fn images(step: u64) -> Tensor<4> {
    let mut random = stream(SEED, Purpose::Test, [step, 0, 0, 0]);
    let pixels: Vec<f32> = (0..BATCH * 24 * 24).map(|_| random.random_range(-1.7..1.7)).collect();
    Tensor::from_data(TensorData::new(pixels, [BATCH, 1, 24, 24]), &Device::flex())
}

fn draws(rule: &Rule, step: u64, layer: usize, shape: GridShape) -> Vec<Rows> {
    let indices = [step, layer as u64, 0, 0];
    rule.pairs(shape, &mut stream(SEED, Purpose::Negatives, indices))
}

fn bits<const D: usize>(tensor: &Tensor<D>) -> Vec<u32> {
    let values = tensor.to_data().try_to_vec::<f32>().expect("single precision");
    values.into_iter().map(f32::to_bits).collect()
}

/// Bits of ΔW, Δb, ΔW_pred and ΔW_retro of every layer.
fn updates(stack: &mut Stack, rule: &Rule) -> Vec<[Vec<u32>; 4]> {
    let mut updates = vec![<[Vec<u32>; 4]>::default(); stack.layers.len()];
    let mut draw = |l: usize, shape| draws(rule, 0, l, shape);
    stack.visit(images(0), rule, &mut draw, &mut |learnt| match learnt {
        Learnt::Lateral { prediction, update, .. } => {
            updates[prediction][2] = bits(&update.delta("w_pred"));
            if update.has("w_retro") {
                updates[prediction][3] = bits(&update.delta("w_retro"));
            }
        }
        Learnt::Layer { index, layer, activity, told } => {
            let delta = layer.change(&activity, told);
            [updates[index][0], updates[index][1]] = [bits(&delta.weight), bits(&delta.bias)];
        }
    });
    updates
}

/// The same stack with layer `l` and its lateral weights exchanged for others.
fn with_another(stack: &Stack, other: &Stack, l: usize) -> Stack {
    let mut changed = stack.clone();
    changed.layers[l] = other.layers[l].clone();
    changed.predictions[l] = other.predictions[l].clone();
    changed
}

#[test]
fn weights_above_do_not_change_an_update_by_a_bit() {
    for rule in rules() {
        let mut stack = stack(&rule, Context::SameLayer, SEED);
        let other = self::stack(&rule, Context::SameLayer, OTHER_SEED);
        let expected = updates(&mut stack, &rule);
        for above in 1..expected.len() {
            let found = updates(&mut with_another(&stack, &other, above), &rule);
            assert_eq!(found[..above], expected[..above], "{rule:?}, layer {}", above + 1);
            // The comparison is able to see a difference.
            assert_ne!(found[above][0], expected[above][0], "{rule:?}, layer {}", above + 1);
        }
    }
}

#[test]
fn an_update_needs_no_layer_above() {
    for rule in rules() {
        let whole = stack(&rule, Context::SameLayer, SEED);
        let expected = updates(&mut whole.clone(), &rule);
        for layers in 1..expected.len() {
            let mut lower = whole.clone();
            lower.layers.truncate(layers);
            lower.predictions.truncate(layers);
            assert_eq!(updates(&mut lower, &rule), expected[..layers], "{rule:?}");
        }
    }
}

fn weights(stack: &Stack) -> Vec<Vec<u32>> {
    stack.layers.iter().map(|layer| bits(&layer.weight.weight())).collect()
}

#[test]
fn a_layer_that_learns_alone_learns_the_same_and_needs_no_layer_above() {
    for rule in rules() {
        let start = stack(&rule, Context::SameLayer, SEED);
        let optimizer = Optimizer::adam(1e-3);
        let mut draw = |l: usize, shape| draws(&rule, 0, l, shape);
        let mut together = start.clone();
        let all = together.step(images(0), &rule, &optimizer, &mut draw);
        for l in 0..start.layers.len() {
            let mut alone = start.clone();
            // A layer that could not take its input is not computed.
            alone.layers[l + 1..].iter_mut().for_each(|layer| *layer = start.layers[0].clone());
            let mut expected = weights(&alone);
            expected[l] = weights(&together)[l].clone();
            let metrics = alone.step_of(l..l + 1, images(0), &rule, &|_| &optimizer, &mut draw);
            assert!(weights(&alone) == expected, "{rule:?}, layer {l}");
            assert_eq!(metrics.len(), 1);
            assert_eq!(bits(&metrics[0].values), bits(&all[l].values), "{rule:?}, layer {l}");
        }
    }
}

#[test]
#[should_panic(
    expected = "expected predictions among the layers 1..2 that learn, got one of 0 by 1"
)]
fn a_context_that_does_not_learn_is_refused() {
    let rule = rules()[1];
    let mut draw = |l: usize, shape| draws(&rule, 0, l, shape);
    let optimizer = Optimizer::default();
    let mut above = stack(&rule, Context::LayerAbove, SEED);
    let _ = above.step_of(1..2, images(0), &rule, &|_| &optimizer, &mut draw);
}

#[test]
fn lateral_weights_of_another_layer_do_not_matter() {
    for rule in rules() {
        let mut stack = stack(&rule, Context::SameLayer, SEED);
        let other = self::stack(&rule, Context::SameLayer, OTHER_SEED);
        let expected = updates(&mut stack, &rule);
        for l in 0..expected.len() {
            let mut changed = stack.clone();
            changed.predictions[l] = other.predictions[l].clone();
            let found = updates(&mut changed, &rule);
            for (layer, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_eq!(layer != l, found == expected, "{rule:?}, layers {layer} and {l}");
            }
        }
    }
}

#[test]
fn context_from_above_reaches_one_layer_down_and_no_further() {
    for rule in rules() {
        let mut stack = stack(&rule, Context::LayerAbove, SEED);
        let other = self::stack(&rule, Context::LayerAbove, OTHER_SEED);
        let expected = updates(&mut stack, &rule);
        for above in 1..expected.len() {
            let found = updates(&mut with_another(&stack, &other, above), &rule);
            assert_eq!(found[..above - 1], expected[..above - 1], "{rule:?}, layer {}", above + 1);
            assert_ne!(found[above - 1], expected[above - 1], "{rule:?}, layer {}", above + 1);
        }
    }
}

#[test]
fn there_is_no_argument_for_a_label() {
    // Images, a rule, an optimizer and pairs of positions: the types leave no other way in.
    type Pairs<'a, 'b> = &'a mut DrawPairs<'b>;
    type Step<S> =
        fn(&mut S, Tensor<4>, &dyn Plasticity, &dyn Optimize, Pairs<'_, '_>) -> Vec<Metrics>;
    let step: Step<Stack<LocalConv2d>> = Stack::step;
    // Pairs are drawn from layer and shape alone; they name rows of the grid, nothing else.
    let draw: fn(&Rule, GridShape, &mut dyn rand::Rng) -> Vec<Rows> = Rule::pairs;
    let rule = rules()[0];
    let mut draw = |_: usize, shape| draw(&rule, shape, &mut stream(1, Purpose::Test, [0; 4]));
    let mut stack = stack(&rule, Context::SameLayer, SEED);
    let metrics = step(&mut stack, images(0), &rule, &Optimizer::default(), &mut draw);
    assert_eq!(metrics.len(), 4);
}

/// Everything that has learnt, after three steps on this many threads.
fn trained(rule: &Rule, context: Context, arithmetic: Arithmetic, threads: usize) -> State {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("a few threads can be had").install(|| {
        let (config, device) = (config(arithmetic), Device::flex());
        let mut stack =
            Stack::init(&config, rule, context, SEED, &device).expect("the configuration fits");
        for step in 0..3 {
            let mut draw = |l: usize, shape| draws(rule, step, l, shape);
            stack.step(images(step), rule, &Optimizer::adam(1e-3), &mut draw);
        }
        let mut state = State::default();
        stack.save(&mut state);
        state
    })
}

#[test]
fn training_does_not_depend_on_the_number_of_threads() {
    for rule in rules() {
        for arithmetic in [Arithmetic::Fast, Arithmetic::Exact] {
            for context in [Context::SameLayer, Context::LayerAbove] {
                let one = trained(&rule, context, arithmetic, 1);
                for threads in [2, 3] {
                    let many = trained(&rule, context, arithmetic, threads);
                    assert!(one.tensors.keys().eq(many.tensors.keys()));
                    for (name, values) in &one.tensors {
                        assert_eq!(
                            values.as_bytes(),
                            many.tensors[name].as_bytes(),
                            "{name} on {threads} threads: {rule:?}, {arithmetic:?}, {context:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn updates_of_a_large_grid_do_not_depend_on_the_number_of_threads() {
    // Matrix products large enough to be divided among threads.
    let device = Device::flex();
    let shape = GridShape { batch: 16, time: 7, site: 7 };
    let mut random = stream(SEED, Purpose::Test, [1, 0, 0, 0]);
    let values: Vec<f32> = (0..16 * 49 * 160).map(|_| random.random_range(0.0..1.0)).collect();
    let z = Tensor::<4>::from_data(TensorData::new(values, [16, 7, 7, 160]), &device);
    let rule = Rule::clapp();
    let extent = Extent { site: 7, channel: 160 };
    let lateral = rule.lateral(extent, extent, &device, &mut random);
    let rows = draws(&rule, 0, 0, shape);
    let update = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a few threads can be had").install(|| {
            let seen =
                Seen { layer: 0, target: z.clone(), context: None, lateral: &lateral, rows: &rows };
            let update = rule.changes(seen);
            let delta = |name| bits(&update.lateral.delta(name));
            [bits(&update.modulation()), delta("w_pred"), delta("w_retro")]
        })
    };
    let one = update(1);
    for threads in [2, 3] {
        assert!(update(threads) == one, "updates differ on {threads} threads");
    }
}

fn error_of(change: impl FnOnce(&mut EncoderConfig, &mut Rule)) -> EncoderError {
    let mut config = EncoderConfig::vgg6(0.125).expect("an eighth of every width");
    let mut rule = Rule::clapp();
    change(&mut config, &mut rule);
    let stack = Stack::init(&config, &rule, Context::SameLayer, SEED, &Device::flex());
    stack.expect_err("the change does not fit")
}

/// The text names every one of `parts`.
fn assert_names(error: &EncoderError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "expected {part:?} in {text:?}");
    }
}

#[test]
fn modules_that_do_not_split_the_layers_are_named_with_their_sizes() {
    let error = error_of(|config, _| config.modules = vec![2, 3]);
    assert!(matches!(error, EncoderError::Modules { layers: 6, .. }));
    assert_names(&error, &["6 layers", "[2, 3]", "1x6, 2x3, 3x2, 6x1"]);
    let error = error_of(|config, _| config.modules = vec![0, 3, 3]);
    assert_names(&error, &["6 layers", "[0, 3, 3]"]);
}

#[test]
fn modules_of_several_layers_are_refused_with_their_sizes() {
    let error = error_of(|config, _| config.modules = vec![3, 3]);
    assert!(matches!(error, EncoderError::NotLayerwise { .. }));
    assert_names(&error, &["one layer", "[3, 3]", "back-propagation"]);
}

#[test]
fn a_pool_without_pixels_is_named_with_its_layer() {
    let error = error_of(|config, _| config.patches = PatchGrid { size: 8, stride: 4 });
    assert_eq!(error, EncoderError::MapTooSmall { layer: 6, map: 1 });
    assert_names(&error, &["layer 6", "1 pixels", "at least 2"]);
}

#[test]
fn an_image_below_one_patch_is_named_with_both_sizes() {
    let error = error_of(|config, _| config.image = 15);
    assert_eq!(error, EncoderError::ImageTooSmall { size: 16, image: 15 });
    assert_names(&error, &["16", "15"]);
}

#[test]
fn too_few_patch_rows_are_named_with_the_furthest_prediction() {
    let error = error_of(|config, _| config.image = 48);
    let expected = RuleError::TooFewTimeSteps { furthest: 6, time: 5 };
    assert_eq!(error, EncoderError::Rule(expected));
    assert_names(&error, &["5 time steps", "got 6"]);
}

#[test]
fn layers_without_channels_and_widths_below_zero_are_named() {
    let error = error_of(|config, _| {
        config.layers[2] = ConvPlan { channels: 0, pool: PoolAfter::Nothing }.into()
    });
    assert_names(&error, &["at least one channel", "[16, 32, 0, 64, 128, 128]"]);
    let error = EncoderConfig::vgg6(-0.5).unwrap_err();
    assert_names(&error, &["-0.5"]);
}
